//! Recommendations of the recent past, and how they hold the next one back.
//!
//! An object without `behavior` and one with an empty `behavior` follow different code in the controller: the
//! first takes the maximum of the window even for scaling up, the second does not; and a recommendation of exactly
//! the window's age counts in the first only. A failed sync leaves none, so the window can run empty.

use std::collections::VecDeque;

use crate::simulate::{Behavior, Millis};

/// The recommendations that may still count.
#[derive(Debug)]
pub(super) struct Stabilizer {
    up: Millis,
    down: Millis,
    has_behavior: bool,
    begun: bool,
    recent: VecDeque<(Millis, i64)>,
}

impl Stabilizer {
    pub(super) fn new(behavior: Option<&Behavior>, downscale: Millis) -> Self {
        Stabilizer {
            up: behavior.and_then(|b| b.scale_up.stabilization).unwrap_or_default(),
            down: behavior.and_then(|b| b.scale_down.stabilization).unwrap_or(downscale),
            has_behavior: behavior.is_some(),
            begun: false,
            recent: VecDeque::new(),
        }
    }

    /// At its first sync the controller takes the present replicas for a recommendation.
    pub(super) fn begin(&mut self, now: Millis, current: i64) {
        if !self.begun {
            self.begun = true;
            self.recent.push_back((now, current));
        }
    }

    /// The stabilised recommendation; the plain one is kept for later syncs.
    pub(super) fn stabilize(&mut self, now: Millis, current: i64, proposal: i64) -> i64 {
        let oldest = now - self.up.max(self.down);
        while self.recent.front().is_some_and(|r| r.0 < oldest) {
            self.recent.pop_front();
        }
        let (up_cutoff, down_cutoff) = (now - self.up, now - self.down);
        let (mut lowest, mut highest) = (proposal, proposal);
        for &(at, value) in &self.recent {
            if self.has_behavior && at > up_cutoff {
                lowest = lowest.min(value);
            }
            if at > down_cutoff || (!self.has_behavior && at == down_cutoff) {
                highest = highest.max(value);
            }
        }
        self.recent.push_back((now, proposal));
        if self.has_behavior { current.max(lowest).min(highest) } else { highest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Rules;

    const WINDOW: Millis = Millis(300_000);

    /// Stabilised values of proposals given as (second, current, proposal).
    fn run(behavior: Option<&Behavior>, steps: &[(i64, i64, i64)]) -> Vec<i64> {
        let mut stabilizer = Stabilizer::new(behavior, WINDOW);
        steps.iter().map(|&(s, current, p)| stabilizer.stabilize(Millis(s * 1_000), current, p)).collect()
    }

    #[test]
    fn without_behavior_the_maximum_drives_up_and_exact_age_counts() {
        assert_eq!(run(None, &[(0, 3, 30), (15, 6, 3), (300, 30, 3), (301, 30, 3)]), [30, 30, 30, 3]);
    }

    #[test]
    fn with_behavior_a_spike_does_not_drive_on_and_exact_age_is_out() {
        let empty = Behavior::default();
        assert_eq!(run(Some(&empty), &[(0, 3, 30), (15, 6, 3), (299, 6, 3), (300, 6, 3)]), [30, 6, 6, 3]);
    }

    #[test]
    fn an_upward_window_takes_the_lowest() {
        let scale_up = Rules { stabilization: Some(Millis(60_000)), ..Rules::default() };
        let behavior = Behavior { scale_up, ..Behavior::default() };
        let steps = [(0, 2, 2), (15, 2, 10), (30, 2, 10), (59, 2, 10), (60, 2, 10)];
        assert_eq!(run(Some(&behavior), &steps), [2, 2, 2, 2, 10]);
    }

    #[test]
    fn the_first_sync_counts_the_present_replicas() {
        let mut stabilizer = Stabilizer::new(None, WINDOW);
        stabilizer.begin(Millis(0), 10);
        stabilizer.begin(Millis(15_000), 99);
        assert_eq!(stabilizer.stabilize(Millis(15_000), 10, 3), 10);
    }
}
