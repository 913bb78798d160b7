//! The effect of outages: samples that are not the load, and load that left no sample.

use crate::history::{Reach, Series, thin};
use crate::units::{Time, exceeds};

/// From this share of failed requests on, low load counts as an outage and not as a quiet time.
pub const OUTAGE_ERROR_SHARE: f64 = 0.2;

/// What else is known about the samples of a load.
#[derive(Debug, Clone, Copy)]
pub struct Doubts<'a> {
    /// Load turned away.
    pub rejected: Option<&'a Series>,
    /// Share of requests that failed.
    pub errors: Option<&'a Series>,
    /// Spans `(from, to]` that are not learned from.
    pub masked: &'a [(Time, Time)],
    /// How long the query takes to refill after a gap.
    pub reach: Reach,
    /// When the source itself started, if it reports that.
    pub source_began: Option<Time>,
    /// Gaps that start after this instant are unknown; values that decay before them count.
    pub known: Time,
}

/// The part of `load` after `after` that may be learned from. Rejected load is added. Masked spans, slots whose
/// errors indicate an outage, and samples around a gap that are only part of the load become gaps.
pub fn learnable(load: &Series, after: Time, doubts: &Doubts<'_>) -> Series {
    let Some(end) = load.end() else { return Series::new(load.start(), load.step()) };
    let tail = load.window(after, end);
    if tail.is_empty() {
        return tail;
    }
    let thin = thin(load, after, doubts.reach, doubts.source_began, doubts.known);
    let at = |series: Option<&Series>, time: Time| series.and_then(|s| s.get(s.slot_before(time)?));
    let values = (0..tail.len()).map(|i| {
        let time = tail.time(i);
        let is_masked = doubts.masked.iter().any(|&(from, to)| from < time && time <= to);
        let is_outage = at(doubts.errors, time).is_some_and(|share| !exceeds(OUTAGE_ERROR_SHARE, share));
        match tail.get(i) {
            Some(served) if !is_masked && !is_outage && thin.get(i) == Some(&false) => {
                served + at(doubts.rejected, time).unwrap_or(0.0)
            }
            _ => f64::NAN,
        }
    });
    Series::from_values(tail.start(), tail.step(), values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Span, Step};

    #[test]
    fn outages_and_masks_become_gaps_and_rejections_count() {
        let at = |m: i64| Time::from_epoch(m * 60);
        let load = Series::from_values(at(0), Step::MINUTE, [10.0, 10.0, 2.0, 10.0, 10.0]);
        let errors = Series::from_values(at(0), Step::MINUTE, [0.0, 0.0, 0.5, 0.1, 0.0]);
        let rejected = Series::from_values(at(0), Step::MINUTE, [0.0, 5.0, 0.0, 1.0, 0.0]);
        let doubts = Doubts {
            rejected: Some(&rejected),
            errors: Some(&errors),
            masked: &[(at(3), at(4))],
            reach: Reach::new(Span::ZERO, Step::MINUTE),
            source_began: None,
            known: at(4),
        };
        let learned = learnable(&load, at(-1), &doubts);
        let values: Vec<_> = (0..5).map(|i| learned.get(i)).collect();
        assert_eq!(values, [Some(10.0), Some(15.0), None, Some(11.0), None]);
        let none = Doubts { rejected: None, errors: None, masked: &[], ..doubts };
        assert_eq!(learnable(&load, at(2), &none).values(), [10.0, 10.0]);
    }
}
