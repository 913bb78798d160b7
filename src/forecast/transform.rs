//! The scale of a series, and the variance-stabilising transform.
//!
//! Most loads are counts, whose noise grows with the square root of their level. So the models work on
//! `z = sqrt(y / scale + OFFSET)` (Anscombe 1948). The scale is the mean of the series, so that multiplying a load by k
//! multiplies its forecasts by k and changes nothing else. There is no logarithm: exponentiating an upper quantile of an
//! intermittent load makes forecasts explode.

/// Converts between loads in their own unit and units of the scale, in which the mean load is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Transform {
    scale: f64,
}

/// Added before the root, in units of the mean load. Without it the root would be too steep near zero. Anscombe's offset
/// is 3/8 of an event; this is that of a load with a mean of about ten events per step. Its root is a short binary
/// fraction, so that zero is converted to the scale and back exactly.
const OFFSET: f64 = 0.1875 * 0.1875;

impl Transform {
    /// The transform for the loads of a window; NaN is a gap. The scale of a load that is always zero is one.
    pub fn of(values: &[f64]) -> Self {
        let (sum, count) =
            values.iter().filter(|v| !v.is_nan()).fold((0.0, 0usize), |(s, n), v| (s + v, n + 1));
        let mean = sum / count.max(1) as f64;
        Transform { scale: if mean > 0.0 && mean.is_finite() { mean } else { 1.0 } }
    }

    /// Converts a load to units of the scale. The result is rounded to single precision: that removes the rounding error
    /// of `k·y / k·scale`, so everything that follows is the same to the bit for every k.
    pub fn normal(&self, load: f64) -> f64 {
        f64::from((load / self.scale) as f32)
    }

    /// Converts units of the scale to a load.
    pub fn load(&self, normal: f64) -> f64 {
        (normal * self.scale).clamp(0.0, f64::MAX)
    }
}

/// Converts units of the scale to the variance-stabilised scale.
pub(super) fn stabilise(normal: f64) -> f64 {
    (normal + OFFSET).sqrt()
}

/// Converts the variance-stabilised scale to units of the scale; never negative.
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
