//! What a cluster's exporters would have reported about the replicas in the twin: `capacity: auto` learns from it.
//!
//! CPU is linear in the load: a replica at its real capacity uses exactly its share of the request, and a full
//! replica uses no more than its service allows.

use std::sync::Arc;

use super::{Curve, Load, Target};
use crate::decide::{Carried, Prepared, SERVICE_STEP, Terms, carried, grid_point};
use crate::history::{Observations, Series, ServiceHistory};
use crate::policy::{CapacityMode, Policy};
use crate::units::{Span, Step, Time};

/// The exporters for the replicas of one insurance setting, and what was learned from them.
pub(super) struct Exporters {
    truth: Curve,
    /// The most that a replica serves, as a multiple of its capacity.
    most: f64,
    utilization: f64,
    ready: Series,
    cpu: Series,
    template: Series,
    terms: Terms,
}

// === impl Exporters ===

impl Exporters {
    /// For a policy that uses the learned capacity; `None` for any other.
    pub(super) fn of(policy: &Policy, target: &Target, from: Time) -> Option<Self> {
        let learning = policy.capacity.as_ref().filter(|learning| learning.mode == CapacityMode::Auto)?;
        let step = Step::new(SERVICE_STEP).ok()?;
        let first = from.floor_to(SERVICE_STEP, Span::ZERO) + SERVICE_STEP;
        let series = || Series::new(first, step);
        Some(Exporters {
            truth: target.curve(),
            most: target.service.capacity,
            utilization: learning.utilization,
            ready: series(),
            cpu: series(),
            template: series(),
            terms: Terms::default(),
        })
    }

    /// Scrapes the running replicas until `now`, and learns when that is due.
    pub(super) fn follow(
        &mut self,
        load: &Load,
        ready: u32,
        observations: &mut Observations,
        policy: &Policy,
        now: Time,
    ) {
        while self.ready.time(self.ready.len()) <= now {
            let at = self.ready.time(self.ready.len());
            let (count, holds) = (f64::from(ready), self.truth.at(at).get());
            let each = if ready > 0 { (load.at(at) / count).min(self.most * holds) } else { 0.0 };
            self.ready.push(count);
            self.cpu.push(count * self.utilization * each / holds);
            self.template.push(self.truth.part(at) as f64);
        }
        observations.template = Some(self.truth.part(now) as f64);
        let point = grid_point(now, Span::ZERO);
        if !self.terms.lacks_capacity(policy, point) {
            return;
        }
        let request = Series::from_values(self.ready.start(), self.ready.step(), vec![1.0; self.ready.len()]);
        observations.service = Some(Arc::new(ServiceHistory {
            ready: Some(self.ready.clone()),
            cpu: Some(self.cpu.clone()),
            request: Some(request),
            template: Some(self.template.clone()),
            ..ServiceHistory::default()
        }));
        if let Some(carried) = carried(observations, policy, point) {
            self.terms.carry(carried);
        }
        observations.service = None;
    }

    /// The prepared state, with the learned capacity.
    pub(super) fn taught(&self, prepared: &Prepared) -> Prepared {
        let capacity: Option<Arc<Carried>> = self.terms.capacity().cloned();
        Prepared { capacity, ..prepared.clone() }
    }
}

#[cfg(test)]
mod tests;
