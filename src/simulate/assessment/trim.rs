//! Which insurances of Forescale need not be run to the end, because no figure of an assessment is read from them.
//!
//! An assessment reads the cost of a sweep where it is short for at most 1 % or 0.1 % of the time, or as long as what
//! ran was. The time short of a run only grows, so a run that is already short for longer is not read. After half of the
//! span, neither are those much safer than was needed until then; the safest of all stays. A verdict never gets better
//! because a run was given up.

use super::{LEVELS, PENALTIES};
use crate::plan;
use crate::simulate::Progress;

/// What decides about the insurances of one workload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trim {
    /// The share of the time, in percent, that what ran was short, if a cost is read there too.
    pub ran: Option<f64>,
}

/// From this share of the scored span on, a week of the usual two, what was safe so far tells which insurances are
/// needed.
const KNOWN: f64 = 0.5;
/// So many coarse insurances more than needed so far, for what the rest of the span may bring.
const SPARE: usize = 2;

/// Whether a penalty belongs to the coarse sweep.
pub(super) fn is_coarse(penalty: f64) -> bool {
    PENALTIES.contains(&penalty)
}

// === impl Trim ===

impl Trim {
    /// The penalties to begin with. Only a cost at what ran is read between the coarse ones.
    pub fn penalties(self) -> Vec<f64> {
        plan::PENALTIES.into_iter().filter(|&penalty| self.ran.is_some() || is_coarse(penalty)).collect()
    }

    /// Those of ascending penalties, by their place, that need not go on.
    pub fn given_up(self, penalties: &[f64], progress: &Progress<'_>) -> Vec<usize> {
        let runs = penalties.iter().zip(progress.short).enumerate();
        let running: Vec<Running> = runs
            .filter_map(|(place, (&penalty, short))| Some(Running { place, penalty, short: (*short)? }))
            .collect();
        let [most, safer] = LEVELS;
        // If even the dearest is short for too long, the least short of all is told.
        if running.last().is_none_or(|dearest| dearest.short > most * progress.passed) {
            return Vec::new();
        }
        let ran = self.ran.unwrap_or(most);
        // The last run that is short for too long stays: the cost is read between it and the next.
        let coarse = running.iter().filter(|run| is_coarse(run.penalty));
        let coarse_from = coarse.clone().take_while(|run| run.short > most).last();
        let fine_from = running.iter().take_while(|run| run.short > ran.min(most)).last();
        let safe = coarse.skip_while(|run| run.short > ran.min(safer) * progress.passed).nth(SPARE);
        let to = safe.filter(|_| progress.passed >= KNOWN);
        let is_needed = |run: &&Running| {
            let from = if is_coarse(run.penalty) { coarse_from } else { fine_from };
            from.is_none_or(|from| from.penalty <= run.penalty)
                && to.is_none_or(|to| run.penalty <= to.penalty)
        };
        // The dearest always stays, for what the rest of the span may bring.
        let running = running.split_last().map_or(&running[..0], |(_, others)| others);
        running.iter().filter(|run| !is_needed(run)).map(|run| run.place).collect()
    }
}

/// A run that has not been given up.
#[derive(Debug, Clone, Copy)]
struct Running {
    penalty: f64,
    /// See [`Progress::short`].
    short: f64,
    place: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given_up(ran: Option<f64>, passed: f64, short: impl Fn(f64) -> f64) -> Vec<f64> {
        let trim = Trim { ran };
        let penalties = trim.penalties();
        let short: Vec<_> = penalties.iter().map(|&penalty| Some(short(penalty))).collect();
        let places = trim.given_up(&penalties, &Progress { passed, short: &short });
        places.into_iter().map(|place| penalties[place]).collect()
    }

    #[test]
    fn what_is_short_for_too_long_already_is_given_up_except_the_last() {
        // 2 % up to a penalty of 6.5, nothing from there on.
        let dropped = given_up(None, 0.1, |penalty| if penalty < 10.0 { 2.0 } else { 0.0 });
        assert_eq!(dropped, [1.0, 3.0], "6.5 stays: the cost at 1 % lies between it and 13");
        assert_eq!(given_up(None, 0.1, |_| 2.0), [0.0; 0], "nothing is safe: the least short is told");
        assert_eq!(given_up(None, 0.1, |penalty| 1.0 / penalty), [0.0; 0], "1 % of the time may be short");
    }

    #[test]
    fn between_the_coarse_insurances_only_those_around_what_ran_go_on() {
        let short = |penalty: f64| if penalty < 13.0 { 0.5 } else { 0.0 };
        let fine = |is_dropped: fn(f64) -> bool| -> Vec<f64> {
            plan::PENALTIES.into_iter().filter(|&p| !is_coarse(p) && is_dropped(p)).collect()
        };
        let dear = |from: f64| -> Vec<f64> {
            plan::PENALTIES.into_iter().filter(|&p| p > from && p < 100_000.0).collect()
        };
        // What ran was never short, as from 13 on: 10 stays, as the last that was short.
        assert_eq!(given_up(Some(0.0), 0.1, short), fine(|penalty| penalty < 10.0));
        assert_eq!(given_up(Some(0.0), 0.6, short), [fine(|penalty| penalty < 10.0), dear(60.0)].concat());
        assert_eq!(given_up(Some(5.0), 0.6, short), dear(60.0));
    }
}
