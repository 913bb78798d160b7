//! Which replica counts a workload may have, and how many replicas it keeps beyond its need.
//!
//! Pure arithmetic on counts; nothing here knows a load or an instant.

use crate::units::Replicas;

/// The replica counts that a workload may have. Zero is always one of them: whether it may have no replicas is
/// decided elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sizes {
    /// Multiples of this (`replicaStep`); 1 allows every count.
    Multiples(u32),
    /// Only these (`replicaTiers`): at least one, ascending, no duplicates, no zero.
    Tiers(Vec<Replicas>),
}

/// Replicas kept beyond the need, for the loss of a zone or of spot nodes (`spareReplicas`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spare {
    /// This many more.
    Count(Replicas),
    /// Enough that the needed replicas still run if this share of all replicas is lost; from 0 to [`Spare::MOST`].
    Share(f64),
}

// === impl Sizes ===

impl Sizes {
    /// Every count.
    pub const ANY: Sizes = Sizes::Multiples(1);

    /// Reads `replicaTiers`: whole numbers above 0, ascending, separated by commas.
    pub(super) fn tiers(text: &str) -> Option<Self> {
        let count = |part: &str| {
            let count = part.trim().parse().ok().filter(|&count| count > 0)?;
            Replicas::new(count).ok()
        };
        let tiers: Vec<_> = text.split(',').map(count).collect::<Option<_>>()?;
        tiers.is_sorted_by(|a, b| a < b).then_some(Sizes::Tiers(tiers))
    }

    /// The smallest count that is at least `wanted`; the largest tier if all tiers are smaller.
    pub fn at_least(&self, wanted: Replicas) -> Replicas {
        if wanted == Replicas::ZERO {
            return wanted;
        }
        match self {
            Sizes::Multiples(step) => {
                let step = (*step).max(1);
                Replicas::covering(f64::from(wanted.get().div_ceil(step).saturating_mul(step)))
            }
            Sizes::Tiers(tiers) => {
                tiers.iter().copied().find(|&tier| tier >= wanted).or(tiers.last().copied()).unwrap_or(wanted)
            }
        }
    }

    /// The largest count allowed under a ceiling: with tiers, the largest tier not above it. A ceiling below all
    /// tiers is kept, and so is one that is not a multiple: it is a limit, not a need.
    pub fn within(&self, ceiling: Replicas) -> Replicas {
        match self {
            Sizes::Multiples(_) => ceiling,
            Sizes::Tiers(tiers) => tiers.iter().copied().rfind(|&tier| tier <= ceiling).unwrap_or(ceiling),
        }
    }
}

// === impl Spare ===

impl Spare {
    /// None.
    pub const NONE: Spare = Spare::Count(Replicas::ZERO);
    /// The largest share that may be lost: with it, ten times the need has to run.
    pub const MOST: f64 = 0.9;

    /// Reads `spareReplicas`: a whole number, or a share with `%`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(digits) => {
                let share = digits.trim().parse::<f64>().ok()? / 100.0;
                (0.0..=Self::MOST).contains(&share).then_some(Spare::Share(share))
            }
            None => text.parse().ok().and_then(|count| Replicas::new(count).ok()).map(Spare::Count),
        }
    }

    /// The number of replicas to keep in total for `need`; none if nothing is needed.
    pub fn on(self, need: Replicas) -> Replicas {
        if need == Replicas::ZERO {
            return need;
        }
        match self {
            Spare::Count(count) => Replicas::covering(f64::from(need.get()) + f64::from(count.get())),
            Spare::Share(share) => Replicas::covering(f64::from(need.get()) / (1.0 - share)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(count: u32) -> Replicas {
        Replicas::new(count).expect("in range")
    }

    #[test]
    fn the_next_size_up_within_a_ceiling() {
        let tiers = Sizes::tiers("2, 4,8,16").expect("tiers");
        for (sizes, wanted, want) in [
            (&Sizes::Multiples(4), 5, 8),
            (&Sizes::Multiples(4), 8, 8),
            (&Sizes::Multiples(4), 0, 0),
            (&Sizes::ANY, 5, 5),
            (&tiers, 0, 0),
            (&tiers, 1, 2),
            (&tiers, 4, 4),
            (&tiers, 9, 16),
            (&tiers, 17, 16),
        ] {
            assert_eq!(sizes.at_least(n(wanted)), n(want), "{wanted} of {sizes:?}");
        }
        for (ceiling, want) in [(100, 16), (16, 16), (15, 8), (2, 2), (1, 1), (0, 0)] {
            assert_eq!(tiers.within(n(ceiling)), n(want), "{ceiling}");
        }
    }

    #[test]
    fn tiers_ascend_and_are_counts() {
        for text in ["", "0,1", "2,2", "4,2", "1.5", "a", "2,,4", "-1", "2000000"] {
            assert_eq!(Sizes::tiers(text), None, "{text:?}");
        }
    }

    #[test]
    fn spare_replicas_cover_the_loss_they_are_kept_for() {
        for (text, need, want) in [
            ("0", 5, 5),
            ("2", 5, 7),
            ("2", 0, 0),
            ("25%", 6, 8),
            ("34%", 10, 16),
            ("0%", 5, 5),
            ("90%", 1, 10),
            ("50%", 0, 0),
        ] {
            let spare = Spare::parse(text).expect(text);
            assert_eq!(spare.on(n(need)), n(want), "{text} on {need}");
        }
        for text in ["", "-1", "91%", "x%", "1.5", "NaN%", "-5%"] {
            assert_eq!(Spare::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_left_after_the_loss_carries_the_need() {
        for share in [0.1, 0.25, 1.0 / 3.0, 0.34, 0.5, 0.9] {
            for need in 1..200 {
                let all = f64::from(Spare::Share(share).on(n(need)).get());
                assert!(all * (1.0 - share) + 1e-9 >= f64::from(need), "{share} of {all}");
            }
        }
    }
}
