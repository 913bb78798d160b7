//! The arguments of `forescale backtest`.

use std::path::PathBuf;

use clap::Args;

use super::entry::{Entrant, parse_entrant};
use super::gate::Gate;
use super::level::{Level, Part, parse_part};
use crate::cli::outcome::Format;
use crate::source::synthetic::Profile;
use crate::units::{Span, Time};

/// Strategies side by side over real history.
#[derive(Debug, Args)]
pub(in crate::cli) struct BacktestArgs {
    /// A trace to read: CSV with timestamp,value, or a saved Prometheus range query; may be gzipped. Repeatable.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub trace: Vec<PathBuf>,
    /// Generated load: business-hours, bursty, level-shift, flash-crowd, basic, stress or soak. Repeatable.
    #[arg(long, value_name = "SHAPE", value_parser = parse_profile)]
    pub generate: Vec<Profile>,
    /// A live Prometheus to read the history from, by --query or by the query of --policy.
    #[arg(long, value_name = "URL")]
    pub prometheus: Option<String>,
    /// PromQL that yields one series; by default, the policy's query.
    #[arg(long, value_name = "PROMQL", requires = "prometheus")]
    pub query: Option<String>,
    /// How much history to read from Prometheus.
    #[arg(long, value_name = "D", default_value = "28d", value_parser = Span::parse)]
    pub history: Span,
    /// Load per replica: a number, or a percentile of the load divided by a number of replicas, such as p99.9/20.
    /// Several, comma-separated, are tried one after another, each as a separate workload.
    #[arg(long, value_name = "X", value_delimiter = ',', value_parser = Level::parse)]
    pub threshold: Vec<Level>,
    /// The real capacity of one replica, by which every threshold is judged; by default, the threshold itself. A
    /// rollout can change it: 100,50@2026-03-04T10:00:00Z.
    #[arg(long, value_name = "X[@T]", value_delimiter = ',', value_parser = parse_part)]
    pub capacity: Vec<Part>,
    /// A policy, or a file with a ScaledObject, whose behavior the twin's HPA then uses.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Set one key of the policy, such as underProvisionTarget=1%. Repeatable; overrides the file.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Start of the scored period (RFC 3339). By default, the first third of the load, but at most 28 days, is not
    /// scored.
    #[arg(long, value_name = "T", value_parser = Time::parse, conflicts_with = "last")]
    pub from: Option<Time>,
    /// End of the scored period; by default, the end of the load.
    #[arg(long, value_name = "T", value_parser = Time::parse)]
    pub to: Option<Time>,
    /// Length of the scored period before the end, in place of --from.
    #[arg(long, value_name = "D", value_parser = Span::parse)]
    pub last: Option<Span>,
    /// Strategies to compare, comma-separated.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "reactive,headroom,cron,naive,mean,offset,predictive,oracle",
        value_parser = parse_entrant
    )]
    pub strategies: Vec<Entrant>,
    /// The replicas that really ran: a trace, or PromQL for --prometheus.
    #[arg(long, value_name = "FILE|PROMQL")]
    pub actual_replicas: Option<String>,
    /// Lead time, from a decision to a ready pod; by default, the policy's leadTime.
    #[arg(long, value_name = "D", value_parser = Span::parse)]
    pub lead: Option<Span>,
    /// Ready pods lost at an instant, as when a zone or spot nodes fail: SHARE@INSTANT, such as
    /// 34%@2026-10-05T12:00:00Z. Repeatable.
    #[arg(long, value_name = "LOSS", value_parser = parse_loss)]
    pub lose: Vec<(Time, f64)>,
    /// Price of one replica-hour.
    #[arg(long, value_name = "MONEY", default_value_t = 0.0)]
    pub price: f64,
    /// Compare at the given settings only: no sweep to equal under-provisioning.
    #[arg(long)]
    pub no_sweep: bool,
    /// A condition to check, such as 'predictive.tau_u <= 0.5'. Repeatable; exit code 1 if one fails.
    #[arg(long = "assert", value_name = "CONDITION", value_parser = Gate::parse)]
    pub gates: Vec<Gate>,
    /// Folder for summary.json, steps.csv, changes.csv, frontier.csv and report.html.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// A table for people, or the summary for programs.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Parses the name of a generated load.
fn parse_profile(text: &str) -> Result<Profile, String> {
    let names: Vec<_> = Profile::ALL.iter().map(|p| p.name()).collect();
    Profile::parse(text).ok_or_else(|| format!("found '{text}', expected {}", names.join(", ")))
}

/// Parses a loss of pods: `34%@2026-10-05T12:00:00Z`.
fn parse_loss(text: &str) -> Result<(Time, f64), String> {
    let fault =
        || format!("found '{text}', expected a share and an instant, such as 34%@2026-10-05T12:00:00Z");
    let (share, at) = text.split_once('@').ok_or_else(fault)?;
    let share = share.trim().strip_suffix('%').and_then(|digits| digits.trim().parse::<f64>().ok());
    let share = share.map(|percent| percent / 100.0).filter(|share| (0.0..=1.0).contains(share));
    Ok((Time::parse(at.trim()).map_err(|_| fault())?, share.ok_or_else(fault)?))
}
