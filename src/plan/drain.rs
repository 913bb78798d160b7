//! A queue with a deadline: the fewest replicas that process the backlog and the items that arrive in the meantime.

use crate::history::Series;
use crate::units::{Replicas, Span, Time};

/// The work that must be done by the deadline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backlog {
    /// Items waiting now.
    pub depth: f64,
    /// Items per second that arrive until the deadline, on average.
    pub arrivals: f64,
}

// === impl Backlog ===

impl Backlog {
    /// The fewest replicas, each doing `service` items per second, that finish within `within`. They also keep up
    /// with the arrivals, so the backlog does not come back after the deadline.
    pub fn replicas(self, service: f64, within: Span) -> Replicas {
        let seconds = within.as_seconds().max(1) as f64;
        Replicas::covering((self.depth / seconds + self.arrivals) / service)
    }
}

/// The service rate of one replica, in items per second: the 75th percentile of completions ÷ replicas over the last
/// day, sampled while work was waiting (an idle replica does not show how fast it can be). `None` below ten such
/// samples.
pub fn service_rate(completions: &Series, replicas: &Series, depth: &Series, until: Time) -> Option<f64> {
    const LOOK_BACK: Span = Span::hours(24);
    const LEAST_SAMPLES: usize = 10;
    let recent = completions.window(until - LOOK_BACK, until);
    let at = |series: &Series, time: Time| series.slot_before(time).and_then(|i| series.get(i));
    let mut rates: Vec<f64> = (0..recent.len())
        .filter_map(|i| {
            let time = recent.time(i);
            let (done, running) = (recent.get(i)?, at(replicas, time)?);
            (running >= 1.0 && done > 0.0 && at(depth, time)? > 0.0).then(|| done / running)
        })
        .collect();
    if rates.len() < LEAST_SAMPLES {
        return None;
    }
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() * 3 / 4).copied().filter(|r| *r > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Step;

    #[test]
    fn a_deadline_sizes_the_queue() {
        for (depth, arrivals, service, minutes, want) in [
            (600.0, 0.0, 1.0, 10, 1),
            (601.0, 0.0, 1.0, 10, 2),
            (0.0, 5.0, 2.0, 10, 3),
            (6000.0, 5.0, 1.0, 10, 15),
        ] {
            let replicas = Backlog { depth, arrivals }.replicas(service, Span::minutes(minutes));
            assert_eq!(replicas.get(), want, "{depth} waiting, {arrivals}/s");
        }
    }

    #[test]
    fn the_service_rate_is_read_from_busy_minutes_only() {
        let start = Time::from_epoch(0);
        let series = |f: fn(i32) -> f64| Series::from_values(start, Step::MINUTE, (0..100).map(f));
        let completions = series(|i| if i % 2 == 0 { 8.0 } else { 0.5 });
        let depth = series(|i| if i % 2 == 0 { 20.0 } else { 0.0 });
        let rate = service_rate(&completions, &series(|_| 4.0), &depth, Time::from_epoch(100 * 60));
        assert_eq!(rate, Some(2.0));
        assert_eq!(service_rate(&completions, &series(|_| 0.0), &depth, Time::from_epoch(6_000)), None);
    }
}
