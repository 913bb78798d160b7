//! The modelled levels; quantiles at any probability, from those at the levels; and the mixture of two distributions.
//!
//! Between two levels a quantile is interpolated linearly over the standard normal quantiles. That is exact for a normal
//! distribution and continuous for any other.

use std::sync::LazyLock;

/// The levels of the modelled quantiles; others are interpolated.
pub(super) const LEVELS: [f64; L] = [0.25, 0.5, 0.8, 0.9, 0.95, 0.99];
pub(super) const L: usize = 6;
/// The places of the lowest level, the median and 0.95 in [`LEVELS`].
pub(super) const LOWER: usize = 0;
pub(super) const MEDIAN: usize = 1;
pub(super) const UPPER: usize = 4;

/// The quantile at any probability, interpolated between the modelled levels over the standard normal quantiles.
pub(super) fn between(values: &[f64; L], q: f64) -> f64 {
    let score = normal_score(q);
    let place = LEVELS.iter().position(|&l| l >= q).unwrap_or(L - 1).clamp(1, L - 1);
    let (a, b) = (normal_score(LEVELS[place - 1]), normal_score(LEVELS[place]));
    // Beyond the outermost levels the line continues, at most as far again as between the last two.
    let share = ((score - a) / (b - a)).clamp(-1.0, 2.0);
    (values[place - 1] + share * (values[place] - values[place - 1])).max(0.0)
}

/// The quantiles of a mixture of two distributions. `share` is the probability of the second, by level. The mean of their
/// quantiles would lie between the two, where neither of them has the load.
pub(super) fn either(first: &[f32; L], second: &[f32; L], share: [f32; L]) -> [f32; L] {
    let mut least = 0.0f32;
    std::array::from_fn(|l| {
        let level = LEVELS[l];
        let share = f64::from(share[l]);
        let (a, b) = (f64::from(first[l]), f64::from(second[l]));
        let (mut low, mut high) = (a.min(b), a.max(b));
        // The quantile of the mixture lies between those of the two: bisection.
        for _ in 0..30 {
            // Nothing in between would be rounded to another result.
            if low as f32 == high as f32 {
                break;
            }
            let middle = 0.5 * (low + high);
            let below = (1.0 - share) * below(first, middle) + share * below(second, middle);
            if below < level { low = middle } else { high = middle }
        }
        least = least.max(high as f32);
        least
    })
}

/// `-ln(1 - level)` of the levels.
static TAILS: LazyLock<[f64; L]> = LazyLock::new(|| LEVELS.map(|level| -(1.0 - level).ln()));

/// The cumulative probability of a load, interpolated linearly in `-ln(1 - level)`, on which an exponential tail is a
/// straight line.
fn below(values: &[f32; L], load: f64) -> f64 {
    let place = values.iter().position(|v| f64::from(*v) > load).unwrap_or(L - 1).clamp(1, L - 1);
    let (low, high) = (f64::from(values[place - 1]), f64::from(values[place]));
    if high <= low {
        return if load < low { 0.0 } else { LEVELS[L - 1] };
    }
    let (a, b) = (TAILS[place - 1], TAILS[place]);
    (1.0 - (-(a + (load - low) / (high - low) * (b - a))).exp()).clamp(0.0, 1.0)
}

/// The standard normal quantiles of the levels, in their order.
const SCORES: [f64; L] = [-0.674_489_750, 0.0, 0.841_621_234, 1.281_551_566, 1.644_853_627, 2.326_347_874];

/// The standard normal quantile: exact at the levels, by Hastings' rational approximation (Abramowitz & Stegun
/// 26.2.23) between them.
fn normal_score(p: f64) -> f64 {
    if let Some(i) = LEVELS.iter().position(|&l| l == p) {
        return SCORES[i];
    }
    let p = p.clamp(1e-9, 1.0 - 1e-9);
    let tail = |t: f64| {
        let r = (-2.0 * t.ln()).sqrt();
        // The absolute error is up to 4.5e-4: small enough between modelled levels.
        r - (2.515_517 + 0.802_853 * r + 0.010_328 * r * r)
            / (1.0 + 1.432_788 * r + 0.189_269 * r * r + 0.001_308 * r * r * r)
    };
    if p < 0.5 { -tail(p) } else { tail(1.0 - p) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normal_distribution_is_read_back_between_its_levels() {
        let values = SCORES.map(|score| 10.0 + score);
        for (q, score) in [
            (0.3, -0.524_4),
            (0.65, 0.385_3),
            (0.85, 1.036_4),
            (0.92, 1.405_1),
            (0.975, 1.960_0),
            (0.98, 2.053_7),
            (0.995, 2.575_8),
        ] {
            let read = between(&values, q) - 10.0;
            assert!((read - score).abs() < 2e-3, "{q}: {read}, expected {score}");
        }
    }
}
