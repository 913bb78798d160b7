//! What an outage hides: samples that are not the load, and load that left no sample.

use crate::history::Series;
use crate::units::Time;

/// The share of failed requests from which low load is taken for an outage and not for a quiet time.
pub const OUTAGE_ERROR_SHARE: f64 = 0.2;

/// The part of `load` after `after` that may be learned from: load turned away added, masked spans `(from, to]`
/// and slots in which errors say outage taken out as gaps.
pub fn learnable(
    load: &Series,
    after: Time,
    rejected: Option<&Series>,
    errors: Option<&Series>,
    masked: &[(Time, Time)],
) -> Series {
    let Some(end) = load.end() else { return Series::new(load.start(), load.step()) };
    let tail = load.window(after, end);
    if rejected.is_none() && errors.is_none() && masked.is_empty() {
        return tail;
    }
    let at = |series: Option<&Series>, time: Time| series.and_then(|s| s.get(s.slot_before(time)?));
    let values = (0..tail.len()).map(|i| {
        let time = tail.time(i);
        let is_masked = masked.iter().any(|&(from, to)| from < time && time <= to);
        let is_outage = at(errors, time).is_some_and(|share| share >= OUTAGE_ERROR_SHARE);
        match tail.get(i) {
            Some(served) if !is_masked && !is_outage => served + at(rejected, time).unwrap_or(0.0),
            _ => f64::NAN,
        }
    });
    Series::from_values(tail.start(), tail.step(), values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Step;

    #[test]
    fn outages_and_masks_become_gaps_and_rejections_count() {
        let at = |m: i64| Time::from_epoch(m * 60);
        let load = Series::from_values(at(0), Step::MINUTE, [10.0, 10.0, 2.0, 10.0, 10.0]);
        let errors = Series::from_values(at(0), Step::MINUTE, [0.0, 0.0, 0.5, 0.1, 0.0]);
        let rejected = Series::from_values(at(0), Step::MINUTE, [0.0, 5.0, 0.0, 1.0, 0.0]);
        let learned = learnable(&load, at(-1), Some(&rejected), Some(&errors), &[(at(3), at(4))]);
        let values: Vec<_> = (0..5).map(|i| learned.get(i)).collect();
        assert_eq!(values, [Some(10.0), Some(15.0), None, Some(11.0), None]);
        assert_eq!(learnable(&load, at(2), None, None, &[]).values(), [10.0, 10.0]);
    }
}
