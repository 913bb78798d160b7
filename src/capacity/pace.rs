//! From what the fits of a grid said to the load per replica that counts: at once towards more replicas, slowly towards
//! fewer.
//!
//! The answer is a function of the fits handed in and of nothing else: a restarted server replays the same ones and
//! counts on the same load. It never leaves half and twice what people gave, never rises on what cannot be told, and
//! never rises around a rollout.

use super::Verdict;

/// What one fit of the grid said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// What one replica carries; `None` where that cannot be told.
    pub learned: Option<f64>,
    /// Whether a new template came in the hour before the fit, or since: what it says is of the template before.
    pub rolled: bool,
    /// Whether templates are told apart at all.
    pub sees_rollouts: bool,
}

/// The load per replica that counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// By the newest fit.
    pub now: f64,
    /// By the fit before: what a step towards fewer replicas started from.
    pub before: f64,
}

/// What is learned counts from this share of what was given ...
const LEAST: f64 = 0.5;
/// ... to this: beyond it somebody has given the load in another unit, or what is learned is not this workload's.
const MOST: f64 = 2.0;
/// A fit raises the load per replica by a tenth at most: fewer replicas are tried in steps that a usual headroom hides.
pub const STEP: f64 = 1.1;
/// So many fits are replayed, five days: fifteen steps of a tenth lead from half to double, so that what was
/// before them makes no difference; five may be held back by rollouts.
pub const REPLAYED: usize = 20;

/// The least and the most load per replica that counts where so much was given.
pub fn learned_range(given: f64) -> [f64; 2] {
    [LEAST * given, MOST * given]
}

/// The load per replica that counts after these fits, the oldest first; without any what was given.
pub fn pace(given: f64, said: &[Said]) -> Pace {
    let start = Pace { now: given, before: given };
    said.iter().fold(start, |Pace { now, .. }, fit| {
        let [least, most] = learned_range(given);
        let learned = fit.learned.unwrap_or(given).clamp(least, most);
        // Where rollouts cannot be seen, none of them can be waited for.
        let target = if fit.sees_rollouts { learned } else { learned.min(given) };
        let most = if fit.rolled { now } else { STEP * now };
        Pace { now: target.min(most), before: now }
    })
}

// === impl Said ===

impl Said {
    /// What a verdict says.
    pub fn of(verdict: &Verdict, rolled: bool, sees_rollouts: bool) -> Self {
        Said { learned: verdict.known().map(|known| known.carried.value), rolled, sees_rollouts }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIVEN: f64 = 100.0;

    fn fits(count: usize) -> impl Strategy<Value = Vec<Said>> {
        let learned =
            prop_oneof![Just(None), (1.0..1_000.0_f64).prop_map(Some), (40.0..220.0_f64).prop_map(Some)];
        let fit = (learned, prop::bool::weighted(0.1), prop::bool::weighted(0.9))
            .prop_map(|(learned, rolled, sees_rollouts)| Said { learned, rolled, sees_rollouts });
        prop::collection::vec(fit, count)
    }

    /// As a server sees them that has run for long: the last ones alone.
    fn at(said: &[Said], fit: usize) -> Pace {
        pace(GIVEN, &said[(fit + 1).saturating_sub(REPLAYED)..=fit])
    }

    proptest! {
        #[test]
        fn it_stays_between_half_and_twice_what_was_given(said in fits(30)) {
            let found = pace(GIVEN, &said);
            prop_assert!((50.0..=200.0).contains(&found.now) && (50.0..=200.0).contains(&found.before));
        }

        #[test]
        fn it_rises_by_a_tenth_at_most_however_the_window_moves(said in fits(60)) {
            for i in REPLAYED..said.len() {
                let held = said[i - REPLAYED..=i].iter().filter(|fit| fit.rolled).count();
                let (before, now) = (at(&said, i - 1).now, at(&said, i).now);
                prop_assert!(held > 5 || now <= STEP * before * (1.0 + 1e-9), "{before} {now}");
            }
        }

        #[test]
        fn it_does_not_rise_around_a_rollout(
            said in fits(25),
            learned in prop::option::of(1.0..1_000.0_f64),
        ) {
            let rolled = Said { learned, rolled: true, sees_rollouts: true };
            let found = pace(GIVEN, &[&said[..], &[rolled]].concat());
            prop_assert!(found.now <= found.before);
        }

        #[test]
        fn a_smaller_answer_never_asks_for_fewer_replicas(
            said in fits(25),
            which in 0..25_usize,
            part in 0.1..1.0_f64,
        ) {
            let mut lower = said.clone();
            lower[which].learned = Some(part * lower[which].learned.unwrap_or(GIVEN));
            prop_assert!(pace(GIVEN, &lower).now <= pace(GIVEN, &said).now);
        }

        #[test]
        fn what_cannot_be_told_counts_as_what_was_given(rolled in any::<bool>(), fits in 1..40_usize) {
            let said = vec![Said { learned: None, rolled, sees_rollouts: true }; fits];
            prop_assert_eq!(pace(GIVEN, &said), Pace { now: GIVEN, before: GIVEN });
        }

        #[test]
        fn a_fit_that_cannot_tell_never_rises_above_what_was_given(said in fits(25)) {
            let none = Said { learned: None, rolled: false, sees_rollouts: true };
            prop_assert!(pace(GIVEN, &[&said[..], &[none]].concat()).now <= GIVEN);
        }
    }

    #[test]
    fn more_replicas_come_at_once_and_fewer_in_steps() {
        let fit = |learned| Said { learned: Some(learned), rolled: false, sees_rollouts: true };
        assert_eq!(pace(GIVEN, &[fit(40.0)]), Pace { now: 50.0, before: 100.0 });
        let up = pace(GIVEN, &[fit(60.0), fit(90.0)]);
        assert!((up.now - 66.0).abs() < 1e-9 && (up.before - 60.0).abs() < 1e-9, "{up:?}");
        let blind = Said { sees_rollouts: false, ..fit(150.0) };
        assert_eq!(pace(GIVEN, &[blind; REPLAYED]).now, GIVEN, "a rollout could not be waited for");
        assert_eq!(pace(GIVEN, &[fit(1e6); REPLAYED]).now, 200.0);
        assert_eq!(pace(GIVEN, &[]), Pace { now: GIVEN, before: GIVEN });
    }
}
