//! `forescale explain`: why a workload is, was or will be at a number of replicas.
//!
//! Live, it shows the newest decision of a running server; with `--at`, the decision for another instant, which the
//! server recomputes from what it has read. In a replay, the decision for any instant is recomputed from a trace or
//! from Prometheus by the server's own code, with only what was known then. Beyond the last sample the forecast is
//! followed as while a source fails, and the output says so.

mod live;
#[cfg(test)]
mod rehearsal;
mod replay;

use std::io::Write;
use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::outcome::{Format, Outcome};
use crate::units::Time;

/// Explains why a workload has, had or will have its number of replicas.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("from").required(true).args(["server", "trace", "prometheus"])))]
pub(super) struct ExplainArgs {
    /// NAMESPACE/NAME of the workload's ScaledObject: on a running server, or whose replicas a policy learns from.
    #[arg(value_name = "NAMESPACE/NAME", conflicts_with = "trace")]
    workload: Option<String>,
    /// The HTTP address of a running server, such as http://forescale:8080.
    #[arg(long, value_name = "URL", requires = "workload")]
    server: Option<String>,
    /// Which metric of the workload, if it has several.
    #[arg(long, value_name = "M", requires = "server")]
    metric: Option<String>,
    /// A policy, or a file with a ScaledObject.
    #[arg(long, value_name = "FILE", required_unless_present = "server")]
    policy: Option<PathBuf>,
    /// A trace of the load, for the policy's first signal.
    #[arg(long, value_name = "FILE", requires = "policy")]
    trace: Option<PathBuf>,
    /// A Prometheus server for the policy's queries.
    #[arg(long, value_name = "URL", requires = "policy")]
    prometheus: Option<String>,
    /// PromQL of the load, in place of the policy's query.
    #[arg(long, value_name = "Q", requires = "prometheus")]
    query: Option<String>,
    /// The instant to decide for (RFC 3339), past or future; by default, the end of the trace, or now.
    #[arg(long, value_name = "T", value_parser = Time::parse)]
    at: Option<Time>,
    /// Output format.
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<Outcome> {
    let told = match (&args.server, &args.workload) {
        (Some(server), Some(workload)) => {
            live::ask(server, workload, args.metric.as_deref(), args.at, args.format)?
        }
        _ => replay::decide_again(args)?,
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", told.text)?;
    Ok(if told.is_decision { Outcome::Fine } else { Outcome::Failed })
}

/// The text to print, and whether there was a decision.
struct Output {
    text: String,
    is_decision: bool,
}
