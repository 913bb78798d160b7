//! What the open rules of a schedule ask for together: one floor, one ceiling, one factor.
//!
//! The highest floor and the lowest ceiling apply; if they cross, the floor wins; factors multiply. Nothing here
//! knows about time.

use crate::units::Replicas;

/// The effect of a rule while its window is open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// At least this many replicas.
    Min(Replicas),
    /// At most this many replicas.
    Max(Replicas),
    /// Exactly this many replicas.
    Exactly(Replicas),
    /// Forecast and present need are multiplied by this before rounding; above zero.
    Factor(f64),
}

/// A limit, and the rule that sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// The limit.
    pub replicas: Replicas,
    /// The index of the rule; the first one if several set the same limit.
    pub rule: usize,
}

/// What a schedule asks for at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The highest floor among the open rules.
    pub floor: Option<Bound>,
    /// The lowest ceiling among the open rules, raised to the floor if it is lower.
    pub ceiling: Option<Bound>,
    /// The product of the open rules' factors; 1 if there are none.
    pub factor: f64,
    /// Whether a floor and a ceiling contradict each other at this instant; the floor won.
    pub crossed: bool,
}

// === impl Bounds ===

impl Bounds {
    /// No rule is open.
    pub const NONE: Bounds = Bounds { floor: None, ceiling: None, factor: 1.0, crossed: false };

    /// Whether the schedule commands zero replicas: a ceiling of 0 without a floor above it.
    pub fn commands_zero(&self) -> bool {
        self.ceiling.is_some_and(|ceiling| ceiling.replicas == Replicas::ZERO)
    }

    /// Combines the effects of the open rules, in the order of the rules.
    pub(super) fn of(effects: impl IntoIterator<Item = (usize, Effect)>) -> Self {
        let mut bounds = Bounds::NONE;
        for (rule, effect) in effects {
            match effect {
                Effect::Min(replicas) => bounds.raise(Bound { replicas, rule }),
                Effect::Max(replicas) => bounds.lower(Bound { replicas, rule }),
                Effect::Exactly(replicas) => {
                    bounds.raise(Bound { replicas, rule });
                    bounds.lower(Bound { replicas, rule });
                }
                Effect::Factor(factor) => bounds.factor *= factor,
            }
        }
        bounds.crossed = bounds.lift();
        bounds
    }

    fn raise(&mut self, floor: Bound) {
        if self.floor.is_none_or(|held| floor.replicas > held.replicas) {
            self.floor = Some(floor);
        }
    }

    fn lower(&mut self, ceiling: Bound) {
        if self.ceiling.is_none_or(|held| ceiling.replicas < held.replicas) {
            self.ceiling = Some(ceiling);
        }
    }

    /// Raises the ceiling to the floor; true if it was lower.
    fn lift(&mut self) -> bool {
        match (self.floor, self.ceiling.as_mut()) {
            (Some(floor), Some(ceiling)) if ceiling.replicas < floor.replicas => {
                *ceiling = floor;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(count: u32) -> Replicas {
        Replicas::new(count).expect("in range")
    }

    fn of(effects: &[Effect]) -> Bounds {
        Bounds::of(effects.iter().copied().enumerate())
    }

    #[test]
    fn highest_floor_lowest_ceiling_product_of_factors() {
        use Effect::{Factor, Max, Min};
        let bounds = of(&[
            Min(replicas(2)),
            Max(replicas(9)),
            Min(replicas(4)),
            Max(replicas(7)),
            Factor(2.0),
            Factor(1.5),
        ]);
        assert_eq!(bounds.floor, Some(Bound { replicas: replicas(4), rule: 2 }));
        assert_eq!(bounds.ceiling, Some(Bound { replicas: replicas(7), rule: 3 }));
        assert_eq!((bounds.factor, bounds.crossed), (3.0, false));
    }

    #[test]
    fn the_floor_wins_where_they_cross() {
        let bounds = of(&[Effect::Exactly(Replicas::ZERO), Effect::Min(replicas(3))]);
        assert_eq!(bounds.floor, Some(Bound { replicas: replicas(3), rule: 1 }));
        assert_eq!(bounds.ceiling, bounds.floor);
        assert!(bounds.crossed && !bounds.commands_zero());
    }

    #[test]
    fn a_ceiling_of_zero_is_a_command() {
        assert!(of(&[Effect::Exactly(Replicas::ZERO)]).commands_zero());
        assert!(of(&[Effect::Max(Replicas::ZERO), Effect::Min(Replicas::ZERO)]).commands_zero());
        assert!(!of(&[Effect::Min(Replicas::ZERO)]).commands_zero());
        assert_eq!(of(&[]), Bounds::NONE);
    }
}
