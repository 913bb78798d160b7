//! The plain rules: what a forecast has to beat, and what predicts where it does not.
//!
//! Persistence repeats the last value, the seasonal naive the same time of yesterday or of a week ago. Each is a
//! distribution: its value and the quantiles of its own past errors. A rule has a record only of the truths at which
//! its lag existed, beside the forecast's loss at those same truths; what stood in for it earns it nothing.

use super::bins::Past;
use super::pool::{EPSILON, L, LEVELS, pinball};
use super::tasks::DAY;
use super::transform::unstabilise32;

/// The last value, the same time a day ago, the same time a week ago.
pub(super) const RULES: usize = 3;
pub(super) const PERSISTENCE: usize = 0;
pub(super) const NAIVE_DAY: usize = 1;
pub(super) const NAIVE_WEEK: usize = 2;

/// What the seasonal rules expect at one target, on the variance-stabilised scale; NaN where the lag holds no sample.
pub(super) type Lags = [f32; RULES - 1];

/// Quantiles of each rule's past errors, in units of the scale of the error.
pub(super) type Knots = [[f32; RULES]; L];

/// Rolling losses, by level and rule: the forecast's, and the rule's at the same truths.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    lost: [[[f32; 2]; RULES]; L],
    /// Decayed number of truths, as a share of a full record.
    count: [f32; RULES],
}

/// What the seasonal rules expect of the load `ahead` seconds after `now`.
pub(super) fn point_lags(past: &Past<'_>, now: i64, ahead: i64) -> Lags {
    [DAY, 7 * DAY].map(|period| {
        let to = now + ahead - back(ahead, period);
        past.mean_about(to).map_or(f32::NAN, |z| z as f32)
    })
}

/// The same for the largest load until then: the largest of all bins that the window touched. A rule knows the time of
/// day to a bin only, and should be early rather than late at a ramp.
pub(super) fn peak_lags(past: &Past<'_>, now: i64, ahead: i64) -> Lags {
    [DAY, 7 * DAY].map(|period| {
        let from = now - back(ahead, period);
        let bins = (from + past.step).div_euclid(past.bin)..=(from + ahead).div_euclid(past.bin);
        // One that is missing may have been the highest.
        let highest = bins.map(|bin| past.peak(bin)).reduce(|a, b| Some(a?.max(b?))).flatten();
        highest.map_or(f32::NAN, |z| z as f32)
    })
}

/// The fewest whole periods that lead from the target to what was known at the origin.
fn back(ahead: i64, period: i64) -> i64 {
    ((ahead + period - 1) / period).max(1) * period
}

/// A rule's value with its error quantile of one level, in units of the series' scale; NaN where it has no value.
pub(super) fn quantile(knots: &Knots, level: usize, rule: usize, value: f32, scale: f32) -> f32 {
    if value.is_nan() { f32::NAN } else { unstabilise32(value + scale * knots[level][rule]) }
}

// === impl Record ===

impl Record {
    /// Before any truth.
    pub fn new() -> Self {
        Record { lost: [[[0.0; 2]; RULES]; L], count: [0.0; RULES] }
    }

    /// Learns from a truth; `values` are the rules', NaN where one has none, `promised` the forecast's quantiles.
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

    /// How much a rule's record holds, as a share of a full one.
    pub fn count(&self, rule: usize) -> f32 {
        self.count[rule]
    }

    /// Mean losses at a level: the forecast's, and the rule's at the same truths; in units of the series' scale.
    pub fn losses(&self, level: usize, rule: usize) -> [f32; 2] {
        let full = self.count[rule].max(f32::MIN_POSITIVE);
        self.lost[level][rule].map(|lost| lost / full)
    }

    /// The forecast's loss over the rule's at a level; below 1 the forecast is better.
    pub fn ratio(&self, level: usize, rule: usize) -> f32 {
        let [own, other] = self.losses(level, rule).map(|loss| loss + EPSILON);
        own / other
    }
}
