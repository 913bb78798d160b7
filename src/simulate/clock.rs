//! Time inside the twin, in whole milliseconds: controllers run within less than a second of each other, and one
//! second of age decides a sync. It is never read from the machine.

use std::fmt;
use std::ops::{Add, Sub};

use crate::units::Span;

/// An instant, counted from the creation of the ScaledObject, or a length of time; whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub i64);

impl Millis {
    /// The creation of the ScaledObject; a length of zero.
    pub const ZERO: Millis = Millis(0);
    /// Later than anything that is simulated, and far enough from overflow to add any length.
    pub const NEVER: Millis = Millis(i64::MAX / 4);

    /// From seconds, rounded to milliseconds; NaN counts as zero.
    pub fn from_secs(seconds: f64) -> Self {
        Millis(((seconds * 1_000.0).round() as i64).clamp(-Self::NEVER.0, Self::NEVER.0))
    }

    /// The same in seconds.
    pub fn as_secs(self) -> f64 {
        self.0 as f64 / 1_000.0
    }
}

impl From<Span> for Millis {
    fn from(span: Span) -> Self {
        Millis(span.as_seconds() * 1_000)
    }
}

impl Add for Millis {
    type Output = Millis;
    fn add(self, other: Millis) -> Millis {
        Millis(self.0 + other.0)
    }
}

impl Sub for Millis {
    type Output = Millis;
    fn sub(self, other: Millis) -> Millis {
        Millis(self.0 - other.0)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}s", self.as_secs())
    }
}
