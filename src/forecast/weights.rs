//! Losses become weights: the pinball loss, exponential weights, and the sums that both need.
//!
//! Everything here is in single precision and in a fixed order, so it is vectorised and gives the same on every machine.
//! It knows nothing of experts or members.

/// Added to losses, in units of the mean load: it keeps their ratios finite for a constant load.
pub(super) const EPSILON: f32 = 1e-6;

/// The pinball loss of a miss (truth minus forecast) at a level.
pub(super) fn pinball(level: f32, miss: f32) -> f32 {
    (level * miss).max((level - 1.0) * miss)
}

/// Exponential weights from losses relative to the smallest; they sum to one.
pub(super) fn prefer<const N: usize>(losses: &[f32; N], rate: f32) -> [f32; N] {
    weighted(excess(losses), rate)
}

/// By how much each loss exceeds the smallest, as a share of that.
pub(super) fn excess<const N: usize>(losses: &[f32; N]) -> [f32; N] {
    let best = in_lanes(losses, f32::MAX, |least, loss| if loss < least { loss } else { least }) + EPSILON;
    let mut excess = *losses;
    // Loops: `map` of an array of this size is a call for each element.
    for loss in &mut excess {
        *loss = (*loss + EPSILON) / best - 1.0;
    }
    excess
}

/// The weights from these excesses.
pub(super) fn weighted<const N: usize>(mut weights: [f32; N], rate: f32) -> [f32; N] {
    for excess in &mut weights {
        *excess = decline(rate * *excess);
    }
    let sum = in_lanes(&weights, 0.0, |sum, weight| sum + weight);
    for weight in &mut weights {
        *weight /= sum;
    }
    weights
}

/// Reduces numbers in four strands, as [`dot`] does: vectorised, and the same on every machine.
fn in_lanes<const N: usize>(values: &[f32; N], start: f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; 4];
    let (chunks, rest) = values.as_chunks::<4>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = join(*lane, *value);
        }
    }
    let rest = rest.iter().fold(start, |sum, value| join(sum, *value));
    join(join(join(lanes[0], lanes[1]), join(lanes[2], lanes[3])), rest)
}

/// Very nearly exp(−x) for x ≥ 0, by eight squarings: the same on every machine, and vectorised.
pub(super) fn decline(x: f32) -> f32 {
    let mut y = 1.0 - x.min(200.0) / 256.0;
    for _ in 0..8 {
        y *= y;
    }
    y
}

/// The inner product, as four partial sums in a fixed order: vectorised, and the same on every machine.
pub(super) fn dot<const N: usize>(a: &[f32; N], b: &[f32; N]) -> f32 {
    let mut strands = [0.0f32; 4];
    let (a, rest_a) = a.as_chunks::<4>();
    let (b, rest_b) = b.as_chunks::<4>();
    for (a, b) in a.iter().zip(b) {
        for ((s, x), y) in strands.iter_mut().zip(a).zip(b) {
            *s += x * y;
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(x, y)| x * y).sum();
    (strands[0] + strands[1]) + (strands[2] + strands[3]) + rest
}
