//! The plain rules: the baselines of the forecast, which take over where the forecast is clearly worse.
//!
//! Persistence repeats the last value; the seasonal naive repeats the load at the same time a day or a week ago. Each
//! rule is a distribution: its value plus the quantiles of its own past errors. A rule is judged only at truths for
//! which its lag existed, and the forecast's loss is recorded at the same truths.

use super::bins::Past;
use super::levels::{L, LEVELS};
use super::tasks::DAY;
use super::transform::unstabilise32;
use super::weights::{EPSILON, pinball};

/// The last value, the same time a day ago, the same time a week ago.
pub(super) const RULES: usize = 3;
pub(super) const PERSISTENCE: usize = 0;
pub(super) const NAIVE_DAY: usize = 1;
pub(super) const NAIVE_WEEK: usize = 2;

/// The values of the seasonal naive rules for one target, on the variance-stabilised scale; NaN where the lag is a gap.
pub(super) type Lags = [f32; RULES - 1];

/// The quantiles of each rule's past errors, in units of the scale of the error.
pub(super) type Knots = [[f32; RULES]; L];

/// Rolling losses by level and rule: the forecast's, and the rule's at the same truths.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    lost: [[[f32; 2]; RULES]; L],
    /// Decayed number of truths, as a share of its limit.
    count: [f32; RULES],
}

/// The values of the seasonal naive rules for the load `ahead` seconds after `now`.
pub(super) fn point_lags(past: &Past<'_>, now: i64, ahead: i64) -> Lags {
    [DAY, 7 * DAY].map(|period| {
        let to = now + ahead - back(ahead, period);
        past.mean_about(to).map_or(f32::NAN, |z| z as f32)
    })
}

/// The same for the peak load until then: the maximum of all bins that the window touches. A naive rule knows the time of
/// day only to a bin, and at a ramp it should be early rather than late.
pub(super) fn peak_lags(past: &Past<'_>, now: i64, ahead: i64) -> Lags {
    [DAY, 7 * DAY].map(|period| {
        let from = now - back(ahead, period);
        let bins = (from + past.step).div_euclid(past.bin)..=(from + ahead).div_euclid(past.bin);
        // A missing bin may have been the highest, so there is no value.
        let highest = bins.map(|bin| past.peak(bin)).reduce(|a, b| Some(a?.max(b?))).flatten();
        highest.map_or(f32::NAN, |z| z as f32)
    })
}

/// The fewest whole periods, in seconds, that lead from the target back to the origin or before it.
fn back(ahead: i64, period: i64) -> i64 {
    ((ahead + period - 1) / period).max(1) * period
}

/// A rule's quantile at one level, in units of the series' scale; NaN if the rule has no value.
pub(super) fn quantile(knots: &Knots, level: usize, rule: usize, value: f32, scale: f32) -> f32 {
    if value.is_nan() { f32::NAN } else { unstabilise32(value + scale * knots[level][rule]) }
}

// === impl Record ===

impl Record {
    /// A record without truths.
    pub fn new() -> Self {
        Record { lost: [[[0.0; 2]; RULES]; L], count: [0.0; RULES] }
    }

    /// Learns from a truth. `values` are the rules' values (NaN if a rule has none), `promised` the forecast's quantiles.
    pub fn learn(
        &mut self,
        knots: &Knots,
        values: [f32; RULES],
        scale: f32,
        promised: &[f32; L],
        truth: f32,
        keep: f32,
    ) {
        for (rule, value) in values.into_iter().enumerate() {
            if value.is_nan() {
                continue;
            }
            self.count[rule] = keep * self.count[rule] + (1.0 - keep);
            for (l, lost) in self.lost.iter_mut().enumerate() {
                let level = LEVELS[l] as f32;
                let said = [promised[l], quantile(knots, l, rule, value, scale)];
                for (lost, said) in lost[rule].iter_mut().zip(said) {
                    *lost = keep * *lost + (1.0 - keep) * pinball(level, truth - said);
                }
            }
        }
    }

    /// The decayed number of truths in a rule's record, as a share of its limit.
    pub fn count(&self, rule: usize) -> f32 {
        self.count[rule]
    }

    /// The mean losses at a level, in units of the series' scale: the forecast's, and the rule's at the same truths.
    pub fn losses(&self, level: usize, rule: usize) -> [f32; 2] {
        let full = self.count[rule].max(f32::MIN_POSITIVE);
        self.lost[level][rule].map(|lost| lost / full)
    }

    /// The forecast's loss divided by the rule's at a level; below 1 the forecast is better.
    pub fn ratio(&self, level: usize, rule: usize) -> f32 {
        let [own, other] = self.losses(level, rule).map(|loss| loss + EPSILON);
        own / other
    }
}
