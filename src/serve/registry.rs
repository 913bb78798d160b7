//! The known workloads: one entry per identity, and one loop for each set of keys that KEDA sends for it.
//!
//! A patch reaches KEDA's replicas at different times, so for a short time two sets of keys may be valid for one
//! identity. A call never waits for a query or a fit; it returns the newest state in memory.

mod overview;
mod reading;
mod recall;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reading::{Edition, Policies};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::Parts;
use super::fitter::Fitter;
use super::forecasts::Forecasts;
use super::hub::Hub;
use super::past::Pasts;
use super::pulse::Pulse;
use super::shared::Shared;
use super::store::Store;
use super::workload::Workload;
use crate::decide::{Blind, State};
use crate::http::{Metrics, Settings};
use crate::keda::{DecisionProvider, Refusal, Served};
use crate::policy::{Fault, Faults, WorkloadId, read_keys};
use crate::source::Catalogue;
use crate::units::{Shard, Span, Time};

/// Knows every workload that KEDA asks for, and keeps its decision current.
pub struct Registry {
    entries: Mutex<BTreeMap<WorkloadId, Vec<Set>>>,
    catalogue: watch::Sender<Arc<Edition>>,
    policies: Policies,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
    metadata_bytes: usize,
    most: usize,
    /// Whose workloads alone are served.
    shard: Shard,
    store: Option<Arc<Store>>,
    /// Whether the workloads have changed since they were last written.
    changed: AtomicBool,
    warming: AtomicBool,
    warm_by: Time,
}

/// One set of keys of an identity.
struct Set {
    fingerprint: u64,
    first_asked: Time,
    last_asked: Time,
    serving: Serving,
    /// What is persisted about it.
    row: Option<Arc<str>>,
}

enum Serving {
    Faulty(Faults),
    Running { workload: Arc<Workload>, stop: CancellationToken },
}

/// Advice may only use part of a data source's concurrent queries.
const READERS: usize = 2;
/// How long two sets of keys may coexist under one identity: KEDA's replicas pick up a patch within a few polls.
const PATCHING: Span = Span::minutes(2);
/// Sets of keys per identity. A patch makes two, a patch that is corrected at once three. More are a mistake, and
/// each would be another loop.
const MOST_SETS: usize = 4;

// === impl Registry ===

impl Registry {
    pub(super) fn new(parts: &Parts, metrics: Arc<Metrics>) -> Arc<Self> {
        let now = parts.clock.now();
        let store = parts.config.state.as_deref().and_then(|dir| Store::open(dir, now)).map(Arc::new);
        let registry = Arc::new(Registry {
            entries: Mutex::default(),
            catalogue: watch::Sender::new(Arc::new(Edition::first(parts.catalogue.clone()))),
            policies: Policies::default(),
            shared: Arc::new(Shared {
                hub: Hub::new(Arc::clone(&metrics), store.clone(), parts.config.limits.history_points),
                forecasts: Forecasts::default(),
                fitter: Fitter::new(Arc::clone(&parts.fit), parts.workers.clone(), Arc::clone(&metrics)),
                pasts: Pasts::default(),
                pulse: Pulse::new(),
                workers: parts.workers.clone(),
                readers: Semaphore::new(READERS),
                backends: Arc::clone(&parts.backends),
                clock: Arc::clone(&parts.clock),
                metrics,
                startup_grace: parts.config.startup_grace,
                exposes_queries: parts.config.expose_queries,
                page: Settings { price: parts.config.page.price, grafana: parts.config.page.grafana.clone() },
            }),
            shutdown: parts.shutdown.clone(),
            metadata_bytes: parts.config.limits.metadata_bytes,
            most: parts.config.limits.workloads,
            shard: parts.config.shard,
            store,
            changed: AtomicBool::new(false),
            warming: AtomicBool::new(false),
            warm_by: now + parts.config.startup_grace,
        });
        registry.recall(now);
        parts.workers.spawn(Arc::clone(&registry).sweep());
        parts.workers.spawn(Arc::clone(&registry).keep_current());
        registry
    }

    /// Puts a new catalogue into use. Running workloads continue with their new policies without warming up again.
    pub fn reload(&self, catalogue: Catalogue) {
        self.catalogue.send_modify(|edition| *edition = Arc::new(edition.next(catalogue)));
        for set in self.lock().values_mut().flatten() {
            // With the next call everything is read again, and a running loop gets its new policy.
            set.fingerprint = 0;
        }
    }

    /// Completes when every workload known now has decided for `at` or later, with every fit that was due by then.
    pub async fn decided(&self, at: Time) {
        let receivers: Vec<_> =
            self.lock().values().flatten().filter_map(|set| Some(set.workload()?.ticked())).collect();
        for mut receiver in receivers {
            // A loop that has ended decides nothing any more.
            let _ = receiver.wait_for(|t| t.is_some_and(|t| t.at >= at && t.is_complete)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<WorkloadId, Vec<Set>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer for a workload whose keys were read before, or that cannot be admitted; `None` if the keys must be
    /// read.
    fn known(&self, id: &WorkloadId, fingerprint: u64, now: Time) -> Option<Result<Served, Refusal>> {
        let mut entries = self.lock();
        let count = entries.len();
        let Some(sets) = entries.get_mut(id) else {
            let full = || Refusal::Full(format!("{count} workloads are served already, which is the limit"));
            return (count >= self.most).then(|| Err(full()));
        };
        let stay = sets.iter().filter(|set| set.stays(fingerprint, now)).count();
        match sets.iter_mut().find(|set| set.fingerprint == fingerprint) {
            Some(set) => set.last_asked = now,
            None if stay < MOST_SETS => return None,
            None => {}
        }
        drop_outdated(sets, fingerprint, now);
        Some(served(id, sets, fingerprint))
    }

    /// Admits a set of keys that was read with this edition of the catalogue; `None` if there is a newer edition.
    fn admit(&self, id: &WorkloadId, set: Set, edition: &Edition) -> Option<Result<Served, Refusal>> {
        let mut entries = self.lock();
        if self.catalogue.borrow().number != edition.number {
            return None;
        }
        let is_first = entries.is_empty();
        let sets = entries.entry(id.clone()).or_default();
        let newest = newest(sets).and_then(Set::state);
        let (fingerprint, now) = (set.fingerprint, set.first_asked);
        drop_outdated(sets, fingerprint, now);
        if sets.iter().all(|known| known.fingerprint != fingerprint) {
            if is_first {
                self.shared.pulse.beat();
            }
            self.begin(&set, newest);
            sets.push(set);
        }
        Some(served(id, sets, fingerprint))
    }

    /// Starts the loop of a set of keys. The decision made with the previous keys is used until the loop has decided.
    fn begin(&self, set: &Set, before: Option<State>) {
        if let Serving::Running { workload, stop } = &set.serving {
            if let Some(before) = before.filter(State::is_ok) {
                workload.stand_by(before);
            }
            self.shared.workers.spawn(Arc::clone(workload).run(Arc::clone(&self.shared), stop.clone()));
            self.changed.fetch_or(set.row.is_some(), Ordering::Relaxed);
        }
    }
}

impl DecisionProvider for Registry {
    fn state(&self, id: &WorkloadId, metadata: &HashMap<String, String>) -> Result<Served, Refusal> {
        if !self.shard.takes(id.namespace(), id.name()) {
            return Err(Refusal::Elsewhere(elsewhere(self.shard, id, metadata)));
        }
        let (now, fingerprint) = (self.shared.clock.now(), fingerprint(metadata));
        loop {
            if let Some(answer) = self.known(id, fingerprint, now) {
                return answer;
            }
            // Read without holding the lock. If others request the same, they read it from the same cache.
            let edition = Arc::clone(&self.catalogue.borrow());
            let set = self.set(id, metadata, &edition, now);
            if let Some(answer) = self.admit(id, set, &edition) {
                return answer;
            }
        }
    }

    fn now(&self) -> Time {
        self.shared.clock.now()
    }

    fn answered(&self, method: &'static str, code: tonic::Code, seconds: f64) {
        self.shared.metrics.called(method, format!("{code:?}"), seconds);
    }
}

// === impl Set ===

impl Set {
    /// Whether it is kept next to the current one, because a patch may be in progress.
    fn stays(&self, current: u64, now: Time) -> bool {
        self.fingerprint == current || now.since(self.last_asked) <= PATCHING && self.fingerprint != 0
    }

    fn state(&self) -> Option<State> {
        self.workload().map(|workload| workload.state().borrow().clone())
    }

    fn workload(&self) -> Option<Arc<Workload>> {
        match &self.serving {
            Serving::Running { workload, .. } => Some(Arc::clone(workload)),
            Serving::Faulty(_) => None,
        }
    }
}

/// The fault reported when several sets of metadata use one identity for longer than a patch takes.
fn shared_name(sets: usize, id: &WorkloadId) -> Fault {
    let found = format!("{sets} different sets of metadata for metric '{}' of one ScaledObject", id.metric());
    let expected = format!(
        "one within {PATCHING}: after several corrections, wait {PATCHING}; if two triggers share the name, give each \
         its own metricName"
    );
    Fault::in_words("metricName", found, expected)
}

/// The set that KEDA used last.
fn newest(sets: &[Set]) -> Option<&Set> {
    sets.iter().max_by_key(|set| set.last_asked)
}

/// How long two sets have been used side by side.
fn overlap(sets: &[Set]) -> Span {
    let newest_since = sets.iter().map(|set| set.first_asked).max();
    let oldest_until = sets.iter().map(|set| set.last_asked).min();
    match (oldest_until, newest_since) {
        (Some(until), Some(since)) if sets.len() > 1 => until.since(since),
        _ => Span::ZERO,
    }
}

/// Ends the sets that have not been used for longer than a patch takes.
fn drop_outdated(sets: &mut Vec<Set>, current: u64, now: Time) {
    sets.retain(|set| {
        let keep = set.stays(current, now);
        if let (false, Serving::Running { stop, .. }) = (keep, &set.serving) {
            stop.cancel();
        }
        keep
    });
}

/// The answer for the set with this fingerprint, unless several have coexisted for too long.
fn served(id: &WorkloadId, sets: &[Set], fingerprint: u64) -> Result<Served, Refusal> {
    let set = sets.iter().find(|set| set.fingerprint == fingerprint);
    let Some(set) = set.filter(|_| overlap(sets) <= PATCHING) else {
        let sets = sets.len() + usize::from(set.is_none());
        return Err(Refusal::Conflict(shared_name(sets, id).to_string()));
    };
    match &set.serving {
        Serving::Faulty(faults) => Err(Refusal::Faulty(faults.clone())),
        Serving::Running { workload, .. } => {
            Ok(Served { state: workload.state(), most_age: workload.most_age() })
        }
    }
}

/// Which shard serves a workload, and where: the address that its caller used, with the number of that shard.
fn elsewhere(own: Shard, id: &WorkloadId, metadata: &HashMap<String, String>) -> String {
    /// A host's name has 253 characters at most.
    const LONGEST: usize = 260;
    let theirs = own.of().shard_of(id.namespace(), id.name());
    let used = metadata.get("scalerAddress").map(|a| a.trim()).filter(|a| a.len() <= LONGEST);
    let address = used.and_then(|used| theirs.instead(used).ok()).map(|a| format!(" at {a}"));
    let workload = format!("{}/{}", id.namespace(), id.name());
    format!("{workload} is of {theirs}, and this is {own}: ask that one{}", address.unwrap_or_default())
}

fn starting() -> Blind {
    Blind::Warming { missing: "the first read of its history".to_owned() }
}

/// A value that changes when any used key changes; never 0, which means "read again".
fn fingerprint(metadata: &HashMap<String, String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    read_keys(metadata).hash(&mut hasher);
    hasher.finish().max(1)
}
