//! `forescale backtest`: what would have happened, with several strategies over the same real history.
//!
//! Every strategy runs against the same twin of KEDA, the HPA and the pods; the predictive one is the server's own
//! `prepare` and `decide`. Results are written as soon as they are finished, so an interrupted run keeps what is
//! done. A strategy never sees a sample before it could have been collected.

mod args;
mod contest;
mod doubts;
pub(super) mod entry;
mod files;
mod gate;
mod judge;
pub(super) mod level;
pub(super) mod progress;
pub(super) mod report;
mod table;
mod verdict;
pub(super) mod workload;

use std::io::Write;

pub(super) use self::args::BacktestArgs;
use self::contest::Contest;
use super::outcome::{Format, Outcome};

/// Runs the command.
pub(super) fn run(args: &BacktestArgs) -> anyhow::Result<Outcome> {
    let actual = args.actual_replicas.iter().map(|_| "actual");
    let names: Vec<&str> = args.strategies.iter().map(|entrant| entrant.name()).chain(actual).collect();
    judge::check(&args.gates, &names)?;
    let workloads = workload::read_all(args)?;
    let many = workloads.len() > 1;
    let contest = Contest::new(args.strategies.clone(), !args.no_sweep);
    let files = files::Files::new(args.out.as_deref(), many)?;
    let results = contest.run(&workloads, &files)?;
    let summary = files::summary(&results, many);
    files.write_summary(&summary)?;
    match args.format {
        Format::Json => table::print_json(&summary)?,
        Format::Text => table::print(&results, contest.was_interrupted())?,
    }
    if let Some(folder) = &args.out {
        writeln!(
            std::io::stderr(),
            "report: {}",
            if many { folder.clone() } else { folder.join("report.html") }.display()
        )?;
    }
    let failed = judge::judge(&args.gates, &results)?;
    Ok(if failed || contest.was_interrupted() { Outcome::Failed } else { Outcome::Fine })
}
