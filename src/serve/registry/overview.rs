//! What the pages are told of the workloads: always of the keys that KEDA asked with last.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{PATCHING, Registry, Serving, Set, overlap, shared_name};
use crate::http::{Known, Metrics, Overview, Standing, Story};
use crate::policy::{Faults, WorkloadId};
use crate::units::Time;

/// When no loop has turned for so long, no longer poll step given, the server has to be started again.
const LEAST_SILENCE: Duration = Duration::from_secs(120);
/// Turns of the fastest loop that may fail to come.
const MOST_MISSED: i64 = 4;

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

    fn silence(&self) -> Option<Duration> {
        self.silence_until(Instant::now())
    }

    fn metrics(&self) -> &Metrics {
        let (now, metrics) = (self.now(), &self.shared.metrics);
        let age = |sets: &Vec<Set>| {
            let newest = sets.iter().max_by_key(|set| set.last_asked)?.state()?;
            Some(now.since(newest.ok()?.at))
        };
        let all: Vec<_> =
            self.lock().iter().filter_map(|entry| Some((known(entry)?, age(entry.1)))).collect();
        // No call waits while they are written.
        all.iter().for_each(|(known, age)| metrics.aged(&known.id, *age));
        let states = all.iter().map(|(known, _)| (known.id.clone(), known.condition(now).as_str()));
        metrics.in_states(states.collect());
        let entries = self.lock();
        // Who was let go of meanwhile has none.
        let gone = all.iter().map(|(known, _)| &known.id).filter(|id| !entries.contains_key(*id));
        gone.for_each(|id| metrics.aged(id, None));
        metrics
    }
}

impl Registry {
    /// How long no loop has turned until `now`, where that is too long.
    pub(super) fn silence_until(&self, now: Instant) -> Option<Duration> {
        let running: Vec<_> = self.lock().values().flatten().filter_map(Set::workload).collect();
        let fastest = running.iter().map(|workload| workload.grid()).min()?;
        let missed = u64::try_from(MOST_MISSED * fastest.as_seconds()).unwrap_or(0);
        let silence = self.shared.pulse.silence(now);
        (silence > LEAST_SILENCE.max(Duration::from_secs(missed))).then_some(silence)
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
