//! `forescale backtest`: what would have happened, with several strategies over the same real history.
//!
//! Every strategy runs against the same twin of KEDA, the HPA and the pods; the predictive one is the server's own
//! `prepare` and `decide`. Results are written as soon as they are finished, so an interrupted run keeps what is
//! done. A strategy never sees a sample before it could have been collected.

pub(super) mod contest;
mod doubts;
mod files;
mod gate;
pub(super) mod progress;
pub(super) mod report;
mod table;
mod verdict;
pub(super) mod workload;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use self::contest::Contest;
use self::gate::Gate;
use self::workload::Level;
use super::Outcome;
use crate::units::{Span, Time};

/// Strategies side by side over real history.
#[derive(Debug, Args)]
pub(super) struct BacktestArgs {
    /// A trace to read: CSV with timestamp,value, or a saved Prometheus range query; may be gzipped. Repeatable.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    trace: Vec<PathBuf>,
    /// Generated load: business-hours, bursty, level-shift, flash-crowd, basic, stress or soak. Repeatable.
    #[arg(long, value_name = "SHAPE", value_parser = workload::parse_profile)]
    generate: Vec<crate::source::synthetic::Profile>,
    /// A live Prometheus to read the history from, by --query or by the query of --policy.
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// PromQL that yields one series; by default, the policy's query.
    #[arg(long, value_name = "PROMQL", requires = "prometheus")]
    query: Option<String>,
    /// How much history to read from Prometheus.
    #[arg(long, value_name = "D", default_value = "28d", value_parser = Span::parse)]
    history: Span,
    /// Load per replica: a number, or a percentile of the load divided by a number of replicas, such as p99.9/20.
    /// Several, comma-separated, are tried one after another, each as a separate workload.
    #[arg(long, value_name = "X", value_delimiter = ',', value_parser = Level::parse)]
    threshold: Vec<Level>,
    /// The real capacity of one replica, by which every threshold is judged; by default, the threshold itself. A
    /// rollout can change it: 100,50@2026-03-04T10:00:00Z.
    #[arg(long, value_name = "X[@T]", value_delimiter = ',', value_parser = workload::parse_part)]
    capacity: Vec<workload::Part>,
    /// A policy, or a file with a ScaledObject, whose behavior the twin's HPA then uses.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Set one key of the policy, such as underProvisionTarget=1%. Repeatable; overrides the file.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Start of the scored period (RFC 3339). By default, the first third of the load, but at most 28 days, is not
    /// scored.
    #[arg(long, value_name = "T", value_parser = Time::parse, conflicts_with = "last")]
    from: Option<Time>,
    /// End of the scored period; by default, the end of the load.
    #[arg(long, value_name = "T", value_parser = Time::parse)]
    to: Option<Time>,
    /// Length of the scored period before the end, in place of --from.
    #[arg(long, value_name = "D", value_parser = Span::parse)]
    last: Option<Span>,
    /// Strategies to compare, comma-separated.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "reactive,headroom,cron,naive,mean,offset,predictive,oracle",
        value_parser = contest::parse_entrant
    )]
    strategies: Vec<contest::Entrant>,
    /// The replicas that really ran: a trace, or PromQL for --prometheus.
    #[arg(long, value_name = "FILE|PROMQL")]
    actual_replicas: Option<String>,
    /// Lead time, from a decision to a ready pod; by default, the policy's leadTime.
    #[arg(long, value_name = "D", value_parser = Span::parse)]
    lead: Option<Span>,
    /// Ready pods lost at an instant, as when a zone or spot nodes fail: SHARE@INSTANT, such as
    /// 34%@2026-10-05T12:00:00Z. Repeatable.
    #[arg(long, value_name = "LOSS", value_parser = workload::parse_loss)]
    lose: Vec<(Time, f64)>,
    /// Price of one replica-hour.
    #[arg(long, value_name = "MONEY", default_value_t = 0.0)]
    price: f64,
    /// Compare at the given settings only: no sweep to equal under-provisioning.
    #[arg(long)]
    no_sweep: bool,
    /// A condition to check, such as 'predictive.tau_u <= 0.5'. Repeatable; exit code 1 if one fails.
    #[arg(long = "assert", value_name = "CONDITION", value_parser = Gate::parse)]
    gates: Vec<Gate>,
    /// Folder for summary.json, steps.csv, changes.csv, frontier.csv and report.html.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A table for people, or the summary for programs.
    #[arg(long, value_enum, default_value = "text")]
    format: super::Format,
}

/// Runs the command.
pub(super) fn run(args: &BacktestArgs) -> anyhow::Result<Outcome> {
    let actual = args.actual_replicas.iter().map(|_| "actual");
    let names: Vec<&str> = args.strategies.iter().map(|entrant| entrant.name()).chain(actual).collect();
    gate::check(&args.gates, &names)?;
    let workloads = workload::read_all(args)?;
    let many = workloads.len() > 1;
    let contest = Contest::new(args.strategies.clone(), !args.no_sweep);
    let files = files::Files::new(args.out.as_deref(), many)?;
    let results = contest.run(&workloads, &files)?;
    let summary = files::summary(&results, many);
    files.write_summary(&summary)?;
    match args.format {
        super::Format::Json => table::print_json(&summary)?,
        super::Format::Text => table::print(&results, contest.was_interrupted())?,
    }
    if let Some(folder) = &args.out {
        writeln!(
            std::io::stderr(),
            "report: {}",
            if many { folder.clone() } else { folder.join("report.html") }.display()
        )?;
    }
    let failed = gate::judge(&args.gates, &results)?;
    Ok(if failed || contest.was_interrupted() { Outcome::Failed } else { Outcome::Fine })
}
