//! What the pages are told of the workloads: always of the keys that KEDA asked with last.

use std::sync::atomic::Ordering;

use super::{PATCHING, Registry, Serving, Set, overlap, shared_name};
use crate::http::{Known, Metrics, Overview, Standing, Story};
use crate::policy::{Faults, WorkloadId};
use crate::units::Time;

impl Overview for Registry {
    fn workloads(&self) -> Vec<Known> {
        self.lock().iter().filter_map(known).collect()
    }

    fn triggers(&self, namespace: &str, name: &str) -> Vec<Known> {
        let is_meant = |id: &WorkloadId| id.namespace() == namespace && id.name() == name;
        self.lock().iter().filter(|(id, _)| is_meant(id)).filter_map(known).collect()
    }

    fn story(&self, id: &WorkloadId) -> Option<Story> {
        let newest = self.lock().get(id)?.iter().max_by_key(|set| set.last_asked)?.workload()?;
        Some(newest.story(&self.shared))
    }

    fn now(&self) -> Time {
        self.shared.clock.now()
    }

    fn exposes_queries(&self) -> bool {
        self.shared.exposes_queries
    }

    fn ready(&self) -> bool {
        !self.shutdown.is_cancelled() && !self.warming.load(Ordering::Relaxed)
    }

    fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }
}

/// How a workload stands, by the keys that it was asked with last.
fn known((id, sets): (&WorkloadId, &Vec<Set>)) -> Option<Known> {
    let newest = sets.iter().max_by_key(|set| set.last_asked)?;
    let (standing, policy) = match &newest.serving {
        _ if overlap(sets) > PATCHING => (Standing::Faulty(Faults(vec![shared_name(sets.len(), id)])), None),
        Serving::Faulty(faults) => (Standing::Faulty(faults.clone()), None),
        Serving::Running { workload, .. } => {
            let standing = match workload.state().borrow().clone() {
                Ok(decision) => Standing::Decided(decision),
                Err(blind) => Standing::Blind(blind),
            };
            (standing, Some(workload.policy()))
        }
    };
    Some(Known { id: id.clone(), standing, policy, last_asked: newest.last_asked })
}
