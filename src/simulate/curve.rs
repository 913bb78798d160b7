//! What one replica can really hold, over time: it may differ from the threshold, or change with a rollout.
//!
//! Strategies do not know this value. They are judged by it, and the exporters of the twin show it.

use std::sync::Arc;

use crate::units::{Threshold, Time};

/// The load that a replica holds from an instant on; before the first instant, the same as from the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve(Arc<[(Time, Threshold)]>);

// === impl Curve ===

impl Curve {
    /// The curve of these parts, in any order; `None` if there are none.
    pub fn new(mut parts: Vec<(Time, Threshold)>) -> Option<Self> {
        parts.sort_by_key(|part| part.0);
        (!parts.is_empty()).then(|| Curve(parts.into()))
    }

    /// A constant curve.
    pub fn steady(load: Threshold) -> Self {
        Curve([(Time::MIN, load)].into())
    }

    /// What a replica holds at an instant.
    pub fn at(&self, at: Time) -> Threshold {
        self.0[self.part(at)].1
    }

    /// The number of the current part: it changes with each rollout.
    pub fn part(&self, at: Time) -> usize {
        self.0.partition_point(|part| part.0 <= at).saturating_sub(1)
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[(Time, Threshold)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_holds_until_the_next() {
        let load = |value: f64| Threshold::new(value).expect("above zero");
        let at = Time::from_epoch;
        let curve = Curve::new(vec![(at(60), load(5.0)), (at(0), load(10.0))]).expect("two parts");
        let read = [-60, 0, 59, 60, 600].map(|second| curve.at(at(second)).get());
        assert_eq!(read, [10.0, 10.0, 10.0, 5.0, 5.0]);
        assert_eq!((curve.part(at(59)), curve.part(at(60))), (0, 1));
        assert_eq!(Curve::new(Vec::new()), None);
        assert_eq!(Curve::steady(load(3.0)).at(at(7)).get(), 3.0);
    }
}
