//! Seasonal naive: the load at this time on earlier days, and never less than the present load.

use crate::simulate::{Moment, Strategy};
use crate::units::{Span, Threshold};

/// The mean of the peaks that followed this time of day on the given earlier days.
pub(super) struct Seasonal {
    threshold: Threshold,
    days: &'static [i64],
    window: Span,
    insurance: f64,
    /// The last answer, with the slots of the present and of the newest sample for which it was computed.
    last: Option<(i64, usize, f64)>,
}

impl Seasonal {
    /// Uses the windows that started `days` ago.
    pub(super) fn new(threshold: Threshold, days: &'static [i64], window: Span, insurance: f64) -> Self {
        Seasonal { threshold, days, window, insurance, last: None }
    }
}

impl Strategy for Seasonal {
    fn wants(&mut self, now: &Moment<'_>) -> Option<f64> {
        let newest = now.seen.newest()?;
        let slot =
            (now.at.epoch() - now.seen.start().epoch()).div_euclid(now.seen.step().as_seconds().max(1));
        let key = (slot, now.seen.slots().len());
        if let Some((.., want)) = self.last.filter(|last| (last.0, last.1) == key) {
            return Some(want);
        }
        let (mut sum, mut count) = (0.0, 0.0);
        for &days in self.days {
            let from = now.at - Span::days(days);
            if let Some(peak) = now.seen.peak(from, from + self.window) {
                sum += peak;
                count += 1.0;
            }
        }
        let before = if count > 0.0 { sum / count } else { 0.0 };
        let want = newest.max(before) / self.threshold.get() * self.insurance;
        self.last = Some((key.0, key.1, want));
        Some(want)
    }
}
