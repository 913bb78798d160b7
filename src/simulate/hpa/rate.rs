//! How far one sync may move: a fixed limit without `behavior`, its policies with it.
//!
//! A policy considers the changes inside its period, not those of exactly that age, and limits the change relative to
//! the replicas at the start of the period. Missing fields get the defaults of the API server.

use std::collections::VecDeque;

use crate::simulate::{Amount, Behavior, Millis, Policy, Rules, Select};

/// The most replicas that a sync without `behavior` may reach: twice the present ones, and at least 4.
pub(super) fn limit_without_behavior(current: i64) -> i64 {
    (2 * current).max(4)
}

/// The policies of both directions, and the changes they consider.
#[derive(Debug)]
pub(super) struct RateLimits {
    up: Direction,
    down: Direction,
    /// The longest period of any policy; older changes do not matter.
    longest: Millis,
    ups: VecDeque<(Millis, i64)>,
    downs: VecDeque<(Millis, i64)>,
}

#[derive(Debug)]
struct Direction {
    select: Select,
    policies: Vec<Policy>,
}

const QUARTER_MINUTE: Millis = Millis(15_000);
/// The default of `scaleUp.policies` (k8s `pkg/apis/autoscaling/v2/defaults.go`).
const DEFAULT_UP: [Policy; 2] = [
    Policy { amount: Amount::Pods(4), period: QUARTER_MINUTE },
    Policy { amount: Amount::Percent(100), period: QUARTER_MINUTE },
];
/// The default of `scaleDown.policies` (the same file).
const DEFAULT_DOWN: [Policy; 1] = [Policy { amount: Amount::Percent(100), period: QUARTER_MINUTE }];

impl RateLimits {
    pub(super) fn new(behavior: &Behavior) -> Self {
        let up = Direction::filled(&behavior.scale_up, &DEFAULT_UP);
        let down = Direction::filled(&behavior.scale_down, &DEFAULT_DOWN);
        let periods = up.policies.iter().chain(&down.policies).map(|policy| policy.period);
        let longest = periods.max().unwrap_or_default();
        RateLimits { up, down, longest, ups: VecDeque::new(), downs: VecDeque::new() }
    }

    /// Records a change that was made.
    pub(super) fn record(&mut self, now: Millis, change: i64) {
        let events = if change > 0 { &mut self.ups } else { &mut self.downs };
        while events.front().is_some_and(|event| event.0 < now - self.longest) {
            events.pop_front();
        }
        events.push_back((now, change.abs()));
    }

    /// The most replicas that scaling up may reach now; not below the present ones.
    pub(super) fn up(&self, now: Millis, current: i64) -> i64 {
        let proposals = self.up.policies.iter().map(|policy| {
            let start = self.period_start(now, current, policy);
            match policy.amount {
                Amount::Pods(pods) => start + i64::from(pods),
                // Rounded up, since a small percentage of few replicas would otherwise never have an effect.
                Amount::Percent(p) => (start as f64 * (1.0 + f64::from(p) / 100.0)).ceil() as i64,
            }
        });
        let limit = match self.up.select {
            Select::Disabled => None,
            Select::Max => proposals.max(),
            Select::Min => proposals.min(),
        };
        limit.unwrap_or(current).max(current)
    }

    /// The fewest replicas that scaling down may reach now; not above the present ones.
    pub(super) fn down(&self, now: Millis, current: i64) -> i64 {
        let proposals = self.down.policies.iter().map(|policy| {
            let start = self.period_start(now, current, policy);
            match policy.amount {
                Amount::Pods(pods) => start - i64::from(pods),
                Amount::Percent(p) => (start as f64 * (1.0 - f64::from(p) / 100.0)) as i64,
            }
        });
        let limit = match self.down.select {
            Select::Disabled => None,
            Select::Max => proposals.min(),
            Select::Min => proposals.max(),
        };
        limit.unwrap_or(current).min(current)
    }

    fn period_start(&self, now: Millis, current: i64, policy: &Policy) -> i64 {
        let within = |events: &VecDeque<(Millis, i64)>| {
            let recent = events.iter().rev().take_while(|event| event.0 > now - policy.period);
            recent.map(|event| event.1).sum::<i64>()
        };
        current - within(&self.ups) + within(&self.downs)
    }
}

impl Direction {
    fn filled(rules: &Rules, default: &[Policy]) -> Self {
        let policies = rules.policies.clone().unwrap_or_else(|| default.to_vec());
        Direction { select: rules.select.unwrap_or_default(), policies }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(select: Option<Select>, policies: &[(Amount, i64)]) -> Rules {
        let policies = policies.iter().map(|&(amount, s)| Policy { amount, period: Millis(s * 1_000) });
        Rules { select, policies: Some(policies.collect()), ..Rules::default() }
    }

    #[test]
    fn left_out_rules_are_filled() {
        let limits = RateLimits::new(&Behavior::default());
        for (current, up) in [(1, 5), (3, 7), (4, 8), (5, 10), (50, 100)] {
            assert_eq!(
                (limits.up(Millis(0), current), limits.down(Millis(0), current)),
                (up, 0),
                "{current}"
            );
        }
        for (current, up) in [(1, 4), (2, 4), (3, 6), (50, 100)] {
            assert_eq!(limit_without_behavior(current), up);
        }
    }

    #[test]
    fn select_takes_the_larger_or_the_smaller_change_or_none() {
        use Amount::{Percent, Pods};
        let both = [(Percent(50), 60), (Pods(2), 60)];
        for (select, up, down) in [
            (None, 15, 5),
            (Some(Select::Max), 15, 5),
            (Some(Select::Min), 12, 8),
            (Some(Select::Disabled), 10, 10),
        ] {
            let behavior = Behavior { scale_up: rules(select, &both), scale_down: rules(select, &both) };
            let limits = RateLimits::new(&behavior);
            assert_eq!((limits.up(Millis(0), 10), limits.down(Millis(0), 10)), (up, down), "{select:?}");
        }
    }

    #[test]
    fn percent_rounds_up_upwards_and_down_downwards() {
        let thirty = rules(None, &[(Amount::Percent(30), 60)]);
        let limits = RateLimits::new(&Behavior { scale_up: thirty.clone(), scale_down: thirty });
        for (current, up, down) in [(1, 2, 0), (9, 12, 6), (14, 19, 9), (20, 26, 14)] {
            assert_eq!((limits.up(Millis(0), current), limits.down(Millis(0), current)), (up, down));
        }
    }

    #[test]
    fn changes_count_until_the_period_has_passed() {
        let behavior = Behavior { scale_up: rules(None, &[(Amount::Pods(4), 60)]), ..Behavior::default() };
        let mut limits = RateLimits::new(&behavior);
        limits.record(Millis(0), 4);
        assert_eq!(limits.up(Millis(59_999), 6), 6);
        assert_eq!(limits.up(Millis(60_000), 6), 10);
        // Replicas removed inside the period may come back in addition.
        limits.record(Millis(61_000), -2);
        assert_eq!(limits.up(Millis(62_000), 4), 10);
    }
}
