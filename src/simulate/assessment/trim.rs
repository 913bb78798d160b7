//! Which insurances of Forescale need not be run to the end, since no figure of an assessment would change.
//!
//! An assessment reads the cost of a sweep where it is short for at most 1 %, 0.1 % or what ran was short of the time.
//! The time short of a run only grows, so a run that is already short for longer is never read, and the fine ones are
//! read only around the first that is safe. Nothing here changes a figure of a run that stays.

use super::{LEVELS, PENALTIES};
use crate::plan;
use crate::simulate::Progress;

/// What decides about the insurances of one workload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trim {
    /// The smallest share of the time short, in percent, at which a cost is read.
    pub safest: f64,
    /// Whether the cost is read between the coarse insurances too.
    pub is_fine: bool,
}

/// From this share of the scored span on, the insurances that are much safer than needed so far are taken to stay so.
const KNOWN: f64 = 0.25;

/// Whether a penalty belongs to the coarse sweep.
pub(super) fn is_coarse(penalty: f64) -> bool {
    PENALTIES.contains(&penalty)
}

// === impl Trim ===

impl Trim {
    /// The penalties to begin with.
    pub fn penalties(self) -> Vec<f64> {
        plan::PENALTIES.into_iter().filter(|&penalty| self.is_fine || is_coarse(penalty)).collect()
    }

    /// Those of ascending penalties, by their place, that need not go on.
    pub fn given_up(self, penalties: &[f64], progress: &Progress<'_>) -> Vec<usize> {
        let runs = penalties.iter().zip(progress.short).enumerate();
        let running: Vec<(usize, f64, f64)> =
            runs.filter_map(|(place, (&penalty, short))| Some((place, penalty, (*short)?))).collect();
        let [most, _] = LEVELS;
        // If even the dearest is short for too long, the least short of all is told.
        if running.last().is_none_or(|(.., short)| *short > most * progress.passed) {
            return Vec::new();
        }
        // The last coarse run that is short for too long stays: the cost is read between it and the next.
        let too_short = running.iter().take_while(|(.., short)| *short > most);
        let last =
            too_short.filter(|(_, penalty, _)| is_coarse(*penalty)).last().map_or(0.0, |(_, last, _)| *last);
        let short = running.iter().filter(|(_, penalty, _)| *penalty < last).map(|(place, ..)| *place);
        let safe = running.iter().filter(|(_, penalty, _)| is_coarse(*penalty));
        let mut safe = safe.skip_while(|(.., short)| *short > self.safest * progress.passed);
        // One more than needed so far, for what the rest of the span may bring.
        let enough = safe
            .nth(1)
            .filter(|_| progress.passed >= KNOWN)
            .map_or(f64::INFINITY, |(_, penalty, _)| *penalty);
        let dear = running.iter().filter(|(_, penalty, _)| *penalty > enough && !is_coarse(*penalty));
        short.chain(dear.map(|(place, ..)| *place)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given_up(is_fine: bool, passed: f64, short: impl Fn(f64) -> f64) -> Vec<f64> {
        let trim = Trim { safest: 0.1, is_fine };
        let penalties = trim.penalties();
        let short: Vec<_> = penalties.iter().map(|&penalty| Some(short(penalty))).collect();
        let places = trim.given_up(&penalties, &Progress { passed, short: &short });
        places.into_iter().map(|place| penalties[place]).collect()
    }

    #[test]
    fn what_is_short_for_too_long_already_is_given_up_except_the_last() {
        // 2 % up to a penalty of 6, nothing from there on.
        let dropped = given_up(false, 0.1, |penalty| if penalty < 10.0 { 2.0 } else { 0.0 });
        assert_eq!(dropped, [1.0, 3.0], "6.5 stays: the cost at 1 % lies between it and 13");
        assert_eq!(given_up(false, 0.1, |_| 2.0), [0.0; 0], "nothing is safe: the least short is told");
        assert_eq!(given_up(false, 0.1, |penalty| 1.0 / penalty), [0.0; 0], "1 % of the time may be short");
    }

    #[test]
    fn fine_insurances_far_from_the_level_are_given_up_once_enough_is_known() {
        let safe_from = |from: f64| move |penalty: f64| if penalty < from { 0.5 } else { 0.0 };
        let early = given_up(true, 0.1, safe_from(13.0));
        assert_eq!(early, [0.0; 0]);
        let later = given_up(true, 0.5, safe_from(13.0));
        assert!(later.iter().all(|&penalty| penalty > 26.0 && !is_coarse(penalty)), "{later:?}");
        assert_eq!(later.len(), plan::PENALTIES.iter().filter(|&&p| p > 26.0 && !is_coarse(p)).count());
    }
}
