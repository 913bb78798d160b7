//! The load that one replica carries, compared with the threshold in use.
//!
//! It is learned from load, replicas and CPU, as in `forescale capacity`. It is only reported; strategies do not use
//! it.

use super::history::History;
use super::inventory::LoadQuery;
use super::row::{Kept, rounded};
use crate::capacity::{Column, Evidence, Question, learn};
use crate::draw::number;
use crate::history::Series;
use crate::policy::Learning;
use crate::simulate::Verdict;

/// The load of one replica at the usual utilization, with its 90 % range.
pub(super) struct Carried {
    value: f64,
    low: f64,
}

/// A threshold is too low if a replica certainly carries this many times as much.
const FAR: f64 = 1.5;

/// What the history shows, if it shows anything.
pub(super) fn learned(history: &History, load: &Series) -> Option<Carried> {
    let (ran, cpu) = (history.ran.as_deref()?, history.cpu.as_deref()?);
    let others = [(Column::Replicas, ran), (Column::Cpu, cpu)];
    let request = history.candidate.requests.cores;
    let question = Question { request, utilization: Learning::UTILIZATION, objective: None };
    let known = learn(&Evidence::of_series(load, &others), &question).verdict.known()?.carried;
    Some(Carried { value: known.value, low: known.low })
}

// === impl Carried ===

impl Carried {
    /// Adds it to the result. If the threshold is far below it, that is why there are too many replicas, unless more
    /// can be saved in another way.
    pub(super) fn told(&self, kept: &mut Kept, load: &LoadQuery) {
        kept.row.capacity = Some(rounded(self.value));
        let Some(threshold) = load.per_replica().filter(|threshold| self.low >= FAR * threshold) else {
            return;
        };
        let told = format!(
            "one replica carries {} at {:.0} % of its CPU request, {:.1} times the threshold of {}",
            number(self.value),
            100.0 * Learning::UTILIZATION,
            self.value / threshold,
            number(threshold)
        );
        if kept.verdict() == Verdict::Reactive {
            kept.row.verdict = Verdict::OverProvisioned.as_str().to_owned();
            kept.row.reason = told;
        } else {
            kept.row.reason = format!("{}; {told}", kept.row.reason);
        }
    }
}
