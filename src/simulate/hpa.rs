//! One sync of the HPA controller: limits, proposals of the metrics, stabilisation, rate limits.
//!
//! Follows Kubernetes 1.36 `pkg/controller/podautoscaler/horizontal.go` in order and in arithmetic, since users will
//! compare the twin with their cluster. It never asks for a metric where the controller would not.

mod proposal;
mod rate;
mod stabilize;

use super::{Millis, TwinConfig};
pub(super) use proposal::{Reading, Scale, Tolerance, milli};
use rate::RateLimits;
use stabilize::Stabilizer;

/// The HPA's rules, and its memory for one object.
#[derive(Debug)]
pub(super) struct Hpa {
    min: i64,
    max: i64,
    tolerance: Tolerance,
    stabilizer: Stabilizer,
    /// `None` if the object has no `behavior`; then the fixed limit per sync applies.
    rates: Option<RateLimits>,
    /// Of the sync under way; kept for its room.
    readings: Vec<Reading>,
}

impl Hpa {
    /// An HPA as KEDA creates it.
    pub(super) fn new(config: &TwinConfig) -> Self {
        let given = config.behavior.as_ref();
        let (up, down) = config.tolerances();
        Hpa {
            // An HPA does not go below one: KEDA handles zero.
            min: i64::from(config.min_replicas.max(1)),
            max: i64::from(config.max_replicas),
            tolerance: Tolerance { up, down },
            stabilizer: Stabilizer::new(given, config.hpa.downscale_stabilization),
            rates: given.map(RateLimits::new),
            readings: Vec::new(),
        }
    }

    /// One sync. `read` adds the metric of each trigger that the HPA knows. Returns the replicas to set, if they
    /// change.
    pub(super) fn sync(
        &mut self,
        now: Millis,
        scale: Scale,
        read: impl FnOnce(&mut Vec<Reading>),
    ) -> Option<i64> {
        let current = scale.spec;
        self.stabilizer.begin(now, current);
        let wanted = if current == 0 {
            return None;
        } else if current > self.max {
            self.max
        } else if current < self.min {
            self.min
        } else {
            self.readings.clear();
            read(&mut self.readings);
            let proposal = proposal::of_all(&self.readings, scale, self.tolerance)?;
            self.normalize(now, current, proposal)
        };
        if wanted == current {
            return None;
        }
        if let Some(rates) = &mut self.rates {
            rates.record(now, wanted - current);
        }
        Some(wanted)
    }

    fn normalize(&mut self, now: Millis, current: i64, proposal: i64) -> i64 {
        let stable = self.stabilizer.stabilize(now, current, proposal);
        match &self.rates {
            None => stable.clamp(self.min, self.max.min(rate::limit_without_behavior(current)).max(self.min)),
            Some(rates) if stable > current => stable.min(self.max.min(rates.up(now, current))),
            Some(rates) if stable < current => stable.max(self.min.max(rates.down(now, current))),
            Some(_) => stable,
        }
    }
}
