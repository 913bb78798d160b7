//! The scale of a series, and the transform that makes its noise even.
//!
//! Loads are counts at heart: their noise grows with the square root of their level, so the models work on `z
//! = sqrt(y / scale + OFFSET)` (Anscombe 1948). The scale is the series' own mean, so that multiplying a load
//! by k multiplies its forecasts by k and changes nothing else. Nothing here takes a logarithm:
//! exponentiating an upper quantile of an intermittent load is how forecasts explode.

/// Converts between loads in their own unit and the variance-stabilised scale of the models.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Transform {
    scale: f64,
}

/// Added before the root, in units of the mean load: near zero the root would be steeper than the noise of a
/// load whose mean is about ten events a step warrants (3/8 of an event over its mean, Anscombe). Its root is
/// a short binary fraction, so that zero goes there and back exactly.
const OFFSET: f64 = 0.1875 * 0.1875;

impl Transform {
    /// From the loads of the window; NaN is a gap. A load that is always zero has scale one.
    pub fn of(values: &[f64]) -> Self {
        let (sum, count) =
            values.iter().filter(|v| !v.is_nan()).fold((0.0, 0usize), |(s, n), v| (s + v, n + 1));
        let mean = sum / count.max(1) as f64;
        Transform { scale: if mean > 0.0 && mean.is_finite() { mean } else { 1.0 } }
    }

    /// From a load to units of the scale. Rounded to single precision, so that the rounding of `k·y /
    /// k·scale` is gone and all that follows is bit-equal for every k.
    pub fn normal(&self, load: f64) -> f64 {
        f64::from((load / self.scale) as f32)
    }

    /// From units of the scale to a load.
    pub fn load(&self, normal: f64) -> f64 {
        (normal * self.scale).clamp(0.0, f64::MAX)
    }
}

/// From units of the scale to even noise.
pub(super) fn stabilise(normal: f64) -> f64 {
    (normal + OFFSET).sqrt()
}

/// Back from even noise to units of the scale; what lies below the root of zero is zero.
pub(super) fn unstabilise(z: f64) -> f64 {
    let z = z.max(0.0);
    (z * z - OFFSET).max(0.0)
}

/// The same in single precision, for the many members of the pool.
pub(super) fn unstabilise32(z: f32) -> f32 {
    let z = z.max(0.0);
    (z * z - OFFSET as f32).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let t = Transform::of(&[2.0, f64::NAN, 4.0]);
        assert_eq!(t.scale, 3.0);
        for y in [0.0, 0.1, 3.0, 1e6] {
            assert!((t.load(unstabilise(stabilise(t.normal(y)))) - y).abs() <= 1e-6 * y);
        }
        assert_eq!(unstabilise(-5.0), 0.0);
        assert_eq!(Transform::of(&[0.0, 0.0]).scale, 1.0);
    }
}
