//! Recent recommendations, and how they hold back the next one.
//!
//! The controller has different code for an object without `behavior` and for one with an empty `behavior`: the first
//! takes the maximum of the window even when scaling up, the second does not; and a recommendation exactly as old as
//! the window counts only in the first. A failed sync leaves no recommendation, so the window can become empty.

use std::collections::VecDeque;

use crate::simulate::{Behavior, Millis};

/// The recommendations that may still matter.
#[derive(Debug)]
pub(super) struct Stabilizer {
    up: Millis,
    down: Millis,
    has_behavior: bool,
    begun: bool,
    lowest: Window,
    highest: Window,
}

/// The least recommendation of a span that ends now. It keeps only those that can still become the least: each is
/// greater than the one before it.
#[derive(Debug, Default)]
struct Window(VecDeque<(Millis, i64)>);

impl Stabilizer {
    pub(super) fn new(behavior: Option<&Behavior>, downscale: Millis) -> Self {
        Stabilizer {
            up: behavior.and_then(|b| b.scale_up.stabilization).unwrap_or_default(),
            down: behavior.and_then(|b| b.scale_down.stabilization).unwrap_or(downscale),
            has_behavior: behavior.is_some(),
            begun: false,
            lowest: Window::default(),
            highest: Window::default(),
        }
    }

    /// At its first sync the controller takes the present replicas as a recommendation.
    pub(super) fn begin(&mut self, now: Millis, current: i64) {
        if !self.begun {
            self.begun = true;
            self.keep(now, current);
        }
    }

    /// The stabilised recommendation; the original one is kept for later syncs.
    pub(super) fn stabilize(&mut self, now: Millis, current: i64, proposal: i64) -> i64 {
        let (up_cutoff, down_cutoff) = (now - self.up, now - self.down);
        let exact_age_counts = !self.has_behavior;
        self.highest.forget(|at| at < down_cutoff || at == down_cutoff && !exact_age_counts);
        self.lowest.forget(|at| at <= up_cutoff);
        // Values are stored negated, so the highest is the negated least.
        let highest = self.highest.least().map_or(proposal, |turned| proposal.max(-turned));
        let lowest = self.lowest.least().map_or(proposal, |least| proposal.min(least));
        self.keep(now, proposal);
        if self.has_behavior { current.max(lowest).min(highest) } else { highest }
    }

    fn keep(&mut self, now: Millis, value: i64) {
        self.highest.keep(now, -value);
        self.lowest.keep(now, value);
    }
}

impl Window {
    fn forget(&mut self, is_over: impl Fn(Millis) -> bool) {
        while self.0.front().is_some_and(|first| is_over(first.0)) {
            self.0.pop_front();
        }
    }

    fn keep(&mut self, at: Millis, value: i64) {
        while self.0.back().is_some_and(|last| last.1 >= value) {
            self.0.pop_back();
        }
        self.0.push_back((at, value));
    }

    fn least(&self) -> Option<i64> {
        self.0.front().map(|first| first.1)
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
    fn windows_say_what_every_recommendation_of_them_says() {
        let mut dice = crate::units::Dice::new(3);
        let windows = [(0, 300), (60, 300), (300, 60), (0, 0)].map(|(up, down)| (up * 1_000, down * 1_000));
        for (up, down) in windows {
            let rules = |ms| Rules { stabilization: Some(Millis(ms)), ..Rules::default() };
            let behavior = Behavior { scale_up: rules(up), scale_down: rules(down) };
            let mut stabilizer = Stabilizer::new(Some(&behavior), WINDOW);
            let (mut now, mut all): (i64, Vec<(i64, i64)>) = (0, Vec::new());
            for _ in 0..2_000 {
                now += 5_000 * (1 + (dice.uniform() * 4.0) as i64);
                let (current, proposal) = ((dice.uniform() * 9.0) as i64, (dice.uniform() * 9.0) as i64);
                let within =
                    |window: i64| all.iter().filter(move |one| one.0 > now - window).map(|one| one.1);
                let lowest = within(up).chain([proposal]).min().expect("one");
                let highest = within(down).chain([proposal]).max().expect("one");
                let found = stabilizer.stabilize(Millis(now), current, proposal);
                assert_eq!(found, current.max(lowest).min(highest), "{up} {down} {now}");
                all.push((now, proposal));
            }
        }
    }

    #[test]
    fn the_first_sync_counts_the_present_replicas() {
        let mut stabilizer = Stabilizer::new(None, WINDOW);
        stabilizer.begin(Millis(0), 10);
        stabilizer.begin(Millis(15_000), 99);
        assert_eq!(stabilizer.stabilize(Millis(15_000), 10, 3), 10);
    }
}
