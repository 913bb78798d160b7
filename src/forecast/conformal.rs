//! The conformal correction, the last step of the pool: it moves each quantile until its coverage is the promised one.
//!
//! This is adaptive conformal inference (Gibbs and Candès 2021) in the form of quantile tracking: it tracks a quantile of
//! the pool's errors, measured in widths of the pool's distribution. The best step size is not known beforehand, so
//! several run in parallel and are averaged with weights by rolling loss (as in DtACI, Gibbs and Candès 2024).
//! Corrections are bounded: they adjust a distribution and do not replace it.

use super::levels::{L, LEVELS, LOWER, UPPER};
use super::weights::{EPSILON, decline, pinball};

/// Corrections with several step sizes and their rolling losses, by level.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Correction {
    moved: [[f32; L]; SPEEDS],
    rolling_loss: [[f32; L]; SPEEDS],
}

const SPEEDS: usize = 3;
/// Step sizes per truth, in widths: for a load that does not change, one that drifts, and one that has just changed.
const SPEED: [f32; SPEEDS] = [0.006, 0.025, 0.1];
/// The learning rate of the weights of the step sizes.
const META_RATE: f32 = 15.0;
/// Bounds of a correction, in widths.
const LIMIT: (f32, f32) = (-0.5, 1.0);
/// A truth that exceeds a forecast by no more than this counts as covered: rounding must not tell equal values apart.
pub(super) const TIE: f32 = 1e-6;

impl Correction {
    /// No correction yet.
    pub fn new() -> Self {
        Correction { moved: [[0.0; L]; SPEEDS], rolling_loss: [[0.0; L]; SPEEDS] }
    }

    /// The correction of each level, in widths: the weighted mean over the step sizes.
    pub fn blend(&self) -> [f32; L] {
        let [slow, middle, fast] = &self.rolling_loss;
        let best: [f32; L] = std::array::from_fn(|l| slow[l].min(middle[l]).min(fast[l]) + EPSILON);
        let (mut sum, mut moved) = ([0.0; L], [0.0; L]);
        for (rolling_loss, own) in self.rolling_loss.iter().zip(&self.moved) {
            for l in 0..L {
                let share = decline(META_RATE * ((rolling_loss[l] + EPSILON) / best[l] - 1.0));
                sum[l] += share;
                moved[l] += share * own[l];
            }
        }
        std::array::from_fn(|l| moved[l] / sum[l])
    }

    /// The pool's quantiles after correction: ascending and not negative.
    pub fn apply(&self, mut q: [f32; L]) -> [f32; L] {
        let width = width(&q);
        let mut least = 0.0f32;
        for (q, c) in q.iter_mut().zip(self.blend()) {
            least = least.max(*q + c * width);
            *q = least;
        }
        q
    }

    /// Learns from a truth for which the pool's quantiles were `raw`. `keep` is the share of the old losses that remains,
    /// `weight` how many evenly spread truths this one stands for.
    pub fn learn(&mut self, raw: &[f32; L], truth: f32, keep: f32, weight: f32) {
        let width = width(raw);
        for ((moved, rolling_loss), speed) in self.moved.iter_mut().zip(&mut self.rolling_loss).zip(SPEED) {
            for l in 0..L {
                let level = LEVELS[l] as f32;
                let forecast = (raw[l] + moved[l] * width).max(0.0);
                rolling_loss[l] = keep * rolling_loss[l] + (1.0 - keep) * pinball(level, truth - forecast);
                let step = if truth <= forecast + TIE { level - 1.0 } else { level };
                moved[l] = (moved[l] + weight * speed * step).clamp(LIMIT.0, LIMIT.1);
            }
        }
    }

    /// Moves the correction of every step size the given share of the way to `to`.
    pub fn draw(&mut self, to: [f32; L], share: f32) {
        for moved in &mut self.moved {
            for (moved, to) in moved.iter_mut().zip(to) {
                *moved += share * (to.clamp(LIMIT.0, LIMIT.1) - *moved);
            }
        }
    }
}

/// The unit of corrections: the distance between the lowest level and 0.95.
pub(super) fn width(q: &[f32; L]) -> f32 {
    (q[UPPER] - q[LOWER]).max(0.0) + EPSILON
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_repaired() {
        // A pool whose quantiles are too low: the truths spread twice as far as its distribution says.
        let raw = [0.75, 1.0, 1.3, 1.4, 1.5, 1.6];
        let mut correction = Correction::new();
        let (mut covered, mut state) = (0, 1u32);
        for i in 0..4_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let truth = 2.0 * (state >> 8) as f32 / (1u32 << 24) as f32;
            covered += u32::from(i >= 2_000 && truth <= correction.apply(raw)[UPPER]);
            correction.learn(&raw, truth, 0.99, 1.0);
        }
        assert!((covered as f32 / 2_000.0 - 0.95).abs() < 0.02, "{covered} of 2000");
    }
}
