//! Requests as a fluid: what the ready pods cannot serve waits, and what waits too long is late.
//!
//! `b(t+Δ) = max(0, b + (λ − c·s)·Δ)`, wait `b / (c·s)`. A request that arrives while the wait exceeds the patience,
//! or while more arrives than is served, counts as bad. There is no time-out and no retry: nothing that waits is ever
//! lost.

/// The most that a pod serves, and how long a request may wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Service {
    /// The most that one pod serves, as a multiple of the threshold.
    pub capacity: f64,
    /// The longest wait that is still good, seconds.
    pub patience: f64,
}

/// A backlog, advanced step by step.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    backlog: f64,
    offered: f64,
    bad: f64,
}

impl Default for Service {
    fn default() -> Self {
        // The threshold is the safe load, and usually set so that a pod is 80 % busy. A second is where people
        // notice a wait (Nielsen).
        Service { capacity: 1.25, patience: 1.0 }
    }
}

impl Queue {
    /// Lets `seconds` pass at an arrival rate and a service rate; only steps that are `scored` count.
    pub(super) fn pass(
        &mut self,
        seconds: f64,
        arrivals: f64,
        service: f64,
        settings: Service,
        scored: bool,
    ) {
        let late = self.backlog > settings.patience * service;
        // The factor forgives the rounding of threshold times replicas.
        let short = arrivals > service * (1.0 + 1e-12);
        if scored {
            self.offered += arrivals * seconds;
            if late || short {
                self.bad += arrivals * seconds;
            }
        }
        self.backlog = (self.backlog + (arrivals - service) * seconds).max(0.0);
    }

    /// Requests that were offered.
    pub(super) fn offered(&self) -> f64 {
        self.offered
    }

    /// The share of requests that were bad, 0 to 1.
    pub(super) fn bad_share(&self) -> f64 {
        if self.offered > 0.0 { self.bad / self.offered } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_makes_later_requests_late_too() {
        let settings = Service { capacity: 1.0, patience: 1.0 };
        let mut queue = Queue::default();
        // 60 s at 20 above a service of 10 leave 600; draining 5 a second takes two minutes, the wait being
        // 60 s and 30 s at the start of them, and nothing afterwards.
        for (arrivals, service) in [(10.0, 10.0), (20.0, 10.0), (5.0, 10.0), (5.0, 10.0), (5.0, 10.0)] {
            queue.pass(60.0, arrivals, service, settings, true);
        }
        assert_eq!((queue.offered(), queue.bad, queue.backlog), (2_700.0, 1_800.0, 0.0));
    }

    #[test]
    fn without_pods_every_request_is_bad_and_none_is_not() {
        let mut queue = Queue::default();
        queue.pass(60.0, 0.0, 0.0, Service::default(), true);
        assert_eq!(queue.bad_share(), 0.0);
        queue.pass(60.0, 1.0, 0.0, Service::default(), true);
        assert_eq!(queue.bad_share(), 1.0);
    }
}
