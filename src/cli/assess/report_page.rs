//! The report of one workload: the page of `forescale backtest`, made from the simulations of the comparison.

use crate::cli::backtest::entry::{ACTUAL, Entry, PREDICTIVE, SCHEDULE};
use crate::cli::backtest::report;
use crate::cli::backtest::workload::Workload;
use crate::history::Series;
use crate::simulate::{Load, Simple, Trials};
use crate::source::trace::Flaws;

/// The page of the workload `name`.
pub(super) fn page(name: &str, load: Load, trials: Trials, series: &Series) -> String {
    let with = |name, (run, frontier)| Entry { frontier, ..Entry::new(name, run) };
    let mut entries = vec![with(Simple::Reactive.name(), trials.reactive)];
    entries.extend(trials.schedule.map(|schedule| with(SCHEDULE, schedule)));
    entries.push(Entry::foreseen(PREDICTIVE, trials.predictive.0, trials.predictive.1));
    entries.extend(trials.ran.map(|ran| Entry::new(ACTUAL, ran)));
    let workload = Workload {
        name: name.to_owned(),
        load,
        target: trials.target,
        policy: trials.policy,
        actual: None,
        busy: None,
        flaws: Flaws::of_series(series).told(),
    };
    report::page(&workload, &entries.iter().collect::<Vec<_>>())
}
