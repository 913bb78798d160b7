//! What the load usually is at this time of day, so that people can be told whether the present load is unusual. It
//! never affects a decision.

use crate::history::{Series, SignalHistory};
use crate::units::{Span, Time};

/// The number of past days to use: a week has each weekday once.
const DAYS: i64 = 7;
/// With fewer known days nothing is usual.
const LEAST_DAYS: usize = 3;
/// Offsets around the same time of each day, so that one odd minute does not count.
const AROUND: [Span; 3] = [Span::minutes(-10), Span::ZERO, Span::minutes(10)];

/// What the load usually is at the time of day of its newest value; `None` if too few days are known.
pub(super) fn usual_load(history: &SignalHistory) -> Option<f64> {
    usual_at(history.load.as_deref()?, history.present()?.at)
}

/// The median over the past days of the load at this time of day; each day contributes the median of a few samples
/// around it.
fn usual_at(load: &Series, at: Time) -> Option<f64> {
    let mut days: Vec<f64> = (1..=DAYS)
        .filter_map(|day| {
            let then = at - Span::days(day);
            let mut around: Vec<f64> =
                AROUND.iter().filter_map(|&apart| load.get(load.slot_before(then + apart)?)).collect();
            median(&mut around)
        })
        .collect();
    if days.len() < LEAST_DAYS { None } else { median(&mut days) }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Step;

    #[test]
    fn the_usual_is_that_of_the_same_time_on_other_days() {
        let start = Time::from_epoch(1_790_985_600);
        let by_hour = |m: usize| ((m / 60) % 24) as f64;
        let load = Series::from_values(start, Step::MINUTE, (0..10 * 1_440).map(by_hour));
        let at = start + Span::days(10) + Span::hours(9) + Span::minutes(30);
        assert_eq!(usual_at(&load, at), Some(9.0));
        assert_eq!(usual_at(&load, start + Span::days(2)), None, "two days are no habit");
        let odd = (0..10 * 1_440).map(|m| if m / 1_440 == 8 { 500.0 } else { by_hour(m) });
        let odd = Series::from_values(start, Step::MINUTE, odd);
        assert_eq!(usual_at(&odd, at), Some(9.0), "one odd day is not the usual");
    }
}
