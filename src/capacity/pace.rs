//! From the results of the grid's fits to the load per replica that is used: immediately towards more replicas,
//! slowly towards fewer.
//!
//! The answer is a function of the given fits only: a restarted server replays the same fits and uses the same load.
//! It never leaves the range from half to twice the given threshold, never rises if the capacity cannot be told, and
//! never rises around a rollout.

use super::Verdict;

/// The result of one fit of the grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// What one replica carries; `None` if that cannot be told.
    pub learned: Option<f64>,
    /// Whether a new template appeared in the hour before the fit, or since: the result then belongs to the old
    /// template.
    pub rolled: bool,
    /// Whether templates can be told apart at all.
    pub sees_rollouts: bool,
}

/// The load per replica that is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// After the newest fit.
    pub now: f64,
    /// After the fit before it: where a step towards fewer replicas starts from.
    pub before: f64,
}

/// The learned value is clamped to at least this share of the given threshold ...
const LEAST: f64 = 0.5;
/// ... and at most this: beyond it the threshold was given in another unit, or the value is not from this workload.
const MOST: f64 = 2.0;
/// A fit raises the load per replica by at most a tenth: fewer replicas are tried in steps that the usual headroom
/// absorbs.
pub const STEP: f64 = 1.1;
/// The number of fits that are replayed (five days). Fifteen steps of a tenth lead from half to double, so anything
/// earlier makes no difference; up to five fits may be held back by rollouts.
pub const REPLAYED: usize = 20;

/// The smallest and largest load per replica that is used for a given threshold.
pub fn learned_range(given: f64) -> [f64; 2] {
    [LEAST * given, MOST * given]
}

/// The load per replica after these fits, oldest first; the given threshold if there are none.
pub fn pace(given: f64, said: &[Said]) -> Pace {
    let start = Pace { now: given, before: given };
    said.iter().fold(start, |Pace { now, .. }, fit| {
        let [least, most] = learned_range(given);
        let learned = fit.learned.unwrap_or(given).clamp(least, most);
        // If rollouts cannot be seen, there is no way to wait for them.
        let target = if fit.sees_rollouts { learned } else { learned.min(given) };
        let most = if fit.rolled { now } else { STEP * now };
        Pace { now: target.min(most), before: now }
    })
}

// === impl Said ===

impl Said {
    /// The result of a verdict.
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
