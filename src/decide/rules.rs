//! The adjustments between the replicas needed and the replicas answered: sizes, spare replicas, the HPA's tolerance.
//!
//! None of them raises the number above the ceiling, or lowers one that is within it.

use super::reason::Note;
use crate::policy::{Sizes, Spare};
use crate::units::Replicas;

/// Raised to the next allowed number, never above `ceiling`.
pub(super) fn in_sizes(
    replicas: Replicas,
    sizes: &Sizes,
    ceiling: Replicas,
    notes: &mut Vec<Note>,
) -> Replicas {
    let raised = sizes.at_least(replicas).min(ceiling);
    if raised > replicas {
        notes.push(match sizes {
            Sizes::Multiples(_) => Note::Stepped,
            Sizes::Tiers(_) => Note::Tiered,
        });
    }
    raised
}

/// With the spare replicas, as far as the ceiling allows.
pub(super) fn with_spare(need: Replicas, spare: Spare, ceiling: Replicas, notes: &mut Vec<Note>) -> Replicas {
    let wanted = spare.on(need);
    let kept = wanted.min(ceiling).max(need);
    if kept < wanted {
        let of = |all: Replicas| Replicas::covering(f64::from(all.get().saturating_sub(need.get())));
        notes.push(Note::SpareCut { kept: of(kept), wanted: of(wanted) });
    }
    kept
}

/// The HPA would ignore a number slightly above what runs, so it is raised to the lowest that is not ignored. Lower
/// numbers are left alone: if the HPA ignores those, that is safe.
pub(super) fn beyond_tolerance(
    wanted: Replicas,
    running: Option<f64>,
    tolerance: f64,
    ceiling: Replicas,
    notes: &mut Vec<Note>,
) -> Replicas {
    let Some(running) = running.filter(|r| *r >= 1.0) else { return wanted };
    let band = running * (1.0 + tolerance);
    let want = f64::from(wanted.get());
    if want <= running || want > band + 1e-9 {
        return wanted;
    }
    let raised = Replicas::covering((band + 1e-9).floor() + 1.0).min(ceiling);
    if raised > wanted {
        notes.push(Note::BeyondTolerance { running: Replicas::covering(running) });
    }
    raised.max(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(count: u32) -> Replicas {
        Replicas::new(count).expect("small")
    }

    #[test]
    fn steps_round_up_within_the_ceiling() {
        for (wanted, step, ceiling, want) in
            [(5, 4, 100, 8), (8, 4, 100, 8), (9, 4, 10, 10), (0, 4, 10, 0), (5, 1, 9, 5)]
        {
            let sizes = Sizes::Multiples(step);
            assert_eq!(
                in_sizes(n(wanted), &sizes, n(ceiling), &mut Vec::new()),
                n(want),
                "{wanted} by {step}"
            );
        }
    }

    #[test]
    fn a_rise_within_the_band_is_raised_beyond_it() {
        for (wanted, running, want) in [
            (11, Some(10.0), 12),
            (22, Some(20.0), 23),
            (23, Some(20.0), 23),
            (9, Some(10.0), 9),
            (5, Some(4.0), 5),
            (11, None, 11),
        ] {
            assert_eq!(
                beyond_tolerance(n(wanted), running, 0.1, n(100), &mut Vec::new()),
                n(want),
                "{wanted}"
            );
        }
        assert_eq!(
            beyond_tolerance(n(11), Some(10.0), 0.1, n(11), &mut Vec::new()),
            n(11),
            "the ceiling stands"
        );
    }
}
