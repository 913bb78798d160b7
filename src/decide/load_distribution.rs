//! The whole distribution of a load, interpolated from the calibrated quantiles.
//!
//! Interpolation uses a scale on which an exponential tail is a straight line, because loads have longer tails than
//! the normal distribution. Beyond the highest quantile the line is extended. The quantile function never decreases.

use std::sync::LazyLock;

use crate::units::Quantile;

/// The distribution of a future load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadDistribution {
    loads: [f64; COUNT],
}

const COUNT: usize = 6;
/// The levels on that scale.
static SCORES: LazyLock<[f64; COUNT]> = LazyLock::new(|| LoadDistribution::levels().map(|q| score(q.get())));

// === impl LoadDistribution ===

impl LoadDistribution {
    /// The quantiles it is interpolated from, ascending.
    pub(super) fn levels() -> [Quantile; COUNT] {
        let [a, b, c, d, e] = Quantile::PUBLISHED;
        // The lowest calibrated quantile, below the published ones.
        [Quantile::LIKELY, a, b, c, d, e]
    }

    /// The distribution through loads at [`LoadDistribution::levels`].
    pub(super) fn new(loads: &[f64]) -> Self {
        let mut least = 0.0f64;
        let loads = std::array::from_fn(|i| {
            least = least.max(loads.get(i).copied().unwrap_or(0.0));
            least
        });
        LoadDistribution { loads }
    }

    /// The load that is not exceeded with this probability.
    pub fn at(&self, quantile: Quantile) -> f64 {
        let scores = &*SCORES;
        let known = LoadDistribution::levels().iter().position(|level| *level == quantile);
        let wanted = known.map_or_else(|| score(quantile.get()), |place| scores[place]);
        let place = scores.iter().position(|&s| s >= wanted).unwrap_or(COUNT - 1).clamp(1, COUNT - 1);
        let (low, high) = (scores[place - 1], scores[place]);
        let share = (wanted - low) / (high - low);
        (self.loads[place - 1] + share * (self.loads[place] - self.loads[place - 1])).max(0.0)
    }

    /// The probability that `load` is exceeded.
    pub fn above(&self, load: f64) -> f64 {
        let scores = &*SCORES;
        let place = self.loads.iter().position(|&l| l > load).unwrap_or(COUNT - 1).clamp(1, COUNT - 1);
        let (low, high) = (self.loads[place - 1], self.loads[place]);
        if high <= low {
            return if load < low {
                1.0
            } else {
                (-scores[COUNT - 1]).exp() * if load > low { 0.0 } else { 1.0 }
            };
        }
        let share = (load - low) / (high - low);
        (-(scores[place - 1] + share * (scores[place] - scores[place - 1]))).exp().min(1.0)
    }
}

/// Where a probability lies on the scale of an exponential tail.
fn score(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-12).ln()
}
