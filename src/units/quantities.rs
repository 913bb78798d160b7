//! Numbers with a limited range: quantiles, replica counts, load per replica.
//!
//! Each has a checked constructor, so later code never checks a range again.

use std::fmt;

use super::UnitError;

/// A probability strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Quantile(f64);

/// A number of replicas; at most [`Replicas::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Replicas(u32);

/// The load that one replica should carry, in the unit of the query: finite and above zero.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Threshold(f64);

// === impl Quantile ===

impl Quantile {
    /// Exceeded with probability three quarters: what is likely at least.
    pub const LIKELY: Quantile = Quantile(0.25);
    /// The middle of the distribution.
    pub const MEDIAN: Quantile = Quantile(0.5);
    /// The quantile of `objective: balanced`: one short replica-hour is worth 19 idle ones.
    pub const BALANCED: Quantile = Quantile(0.95);
    /// The quantiles that are published with each forecast, ascending.
    pub const PUBLISHED: [Quantile; 5] =
        [Quantile(0.5), Quantile(0.8), Quantile(0.9), Quantile(0.95), Quantile(0.99)];

    /// A quantile, strictly between 0 and 1.
    pub fn new(value: f64) -> Result<Self, UnitError> {
        if value > 0.0 && value < 1.0 {
            Ok(Quantile(value))
        } else {
            Err(UnitError::Range { found: value.to_string(), expected: "a number strictly between 0 and 1" })
        }
    }

    /// The probability.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl Replicas ===

impl Replicas {
    /// No replicas.
    pub const ZERO: Replicas = Replicas(0);
    /// One replica.
    pub const ONE: Replicas = Replicas(1);
    /// More than any cluster runs for one workload; it keeps sums far from overflow.
    pub const MAX: Replicas = Replicas(1_000_000);

    /// A number of replicas, at most [`Replicas::MAX`].
    pub fn new(count: u32) -> Result<Self, UnitError> {
        if count <= Self::MAX.0 {
            Ok(Replicas(count))
        } else {
            Err(UnitError::Range { found: count.to_string(), expected: "at most 1000000 replicas" })
        }
    }

    /// The fewest whole replicas that are at least `count`, from 0 to [`Replicas::MAX`]; NaN gives 0.
    pub fn covering(count: f64) -> Self {
        // The factor compensates for the rounding of a division whose exact result is a whole number.
        Replicas((count * (1.0 - 1e-12)).ceil().clamp(0.0, f64::from(Self::MAX.0)) as u32)
    }

    /// The count.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// With the noun: `1 replica`, `3 replicas`.
    pub fn in_words(self) -> String {
        super::counted(self.0 as usize, "replica")
    }
}

impl fmt::Display for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl Threshold ===

impl Threshold {
    /// A finite load above zero.
    pub fn new(value: f64) -> Result<Self, UnitError> {
        if value.is_finite() && value > 0.0 {
            Ok(Threshold(value))
        } else {
            Err(UnitError::Range { found: value.to_string(), expected: "a number above 0" })
        }
    }

    /// The load per replica.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The fewest replicas that carry `load`. A multiple of the threshold that was rounded when stored does not need
    /// one more.
    pub fn replicas_for(self, load: f64) -> Replicas {
        Replicas::covering(load / self.0 * (1.0 - ROUNDING))
    }
}

/// The largest relative difference between a sample and the measured value: histories are stored as `f32`.
const ROUNDING: f64 = 6e-8;

/// Whether a load is above a limit, compared at the precision of stored samples: a load of exactly the limit must not
/// be above it because it was rounded when stored.
pub fn exceeds(load: f64, limit: f64) -> bool {
    load as f32 > limit as f32
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covering_is_total_and_never_too_few() {
        for (count, want) in [
            (0.0, 0),
            (-3.0, 0),
            (1e-3, 1),
            (1.0, 1),
            (0.3 / 0.1, 3),
            (2.1, 3),
            (f64::NAN, 0),
            (f64::INFINITY, 1_000_000),
            (f64::NEG_INFINITY, 0),
        ] {
            assert_eq!(Replicas::covering(count).get(), want, "{count}");
        }
    }

    #[test]
    fn bounds_hold() {
        assert!(
            Quantile::new(1.0).is_err() && Quantile::new(0.0).is_err() && Quantile::new(f64::NAN).is_err()
        );
        assert!(Threshold::new(0.0).is_err() && Threshold::new(f64::INFINITY).is_err());
        assert!(Replicas::new(1_000_001).is_err());
    }
}
