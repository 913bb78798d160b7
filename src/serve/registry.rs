//! Who is known: one entry for each identity, one loop for each set of keys that KEDA sends for it.

mod overview;
mod recall;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::forecasts::Forecasts;
use super::gate::Gate;
use super::hub::Hub;
use super::store::{Store, row};
use super::workload::Workload;
use super::{Clock, Parts};
use crate::decide::{Blind, Prepared, State, decide};
use crate::history::Observations;
use crate::http::Metrics;
use crate::keda::{Desk, Refusal};
use crate::policy::{Fault, Faults, Policy, SourceRef, WorkloadId, read_keys};
use crate::source::{Backend, Backends, Catalogue, SourceError};
use crate::units::{Span, Time};

/// Everything the workloads' loops share.
pub(super) struct Shared {
    pub hub: Hub,
    pub forecasts: Forecasts,
    /// Places for fits.
    pub fits: Arc<Gate>,
    /// Where the loops run.
    workers: Handle,
    pub backends: Arc<dyn Backends>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    pub startup_grace: Span,
    pub exposes_queries: bool,
}

/// Knows every workload that KEDA asks for, and keeps its decision current.
pub struct Registry {
    entries: Mutex<BTreeMap<WorkloadId, Vec<Set>>>,
    catalogue: watch::Sender<Catalogue>,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
    metadata_bytes: usize,
    most: usize,
    store: Option<Arc<Store>>,
    /// Whether the workloads have changed since they were kept.
    changed: AtomicBool,
    warming: AtomicBool,
    warm_by: Time,
}

/// One set of keys under an identity.
struct Set {
    fingerprint: u64,
    first_asked: Time,
    last_asked: Time,
    serving: Serving,
    /// What is kept of it beyond the process.
    row: Option<Arc<str>>,
}

enum Serving {
    Faulty(Faults),
    Running { workload: Arc<Workload>, stop: CancellationToken },
}

/// How long two sets of keys may stand under one identity: KEDA's replicas take up a patch within a few polls.
const PATCHING: Span = Span::minutes(2);
/// Sets of keys under one identity: a patch makes two, a patch that is corrected at once three; more are a mistake,
/// and each would be one more loop.
const MOST_SETS: usize = 4;

// === impl Registry ===

impl Registry {
    pub(super) fn new(parts: &Parts, metrics: Arc<Metrics>) -> Arc<Self> {
        let now = parts.clock.now();
        let store = parts.config.state.as_deref().and_then(|dir| Store::open(dir, now)).map(Arc::new);
        let registry = Arc::new(Registry {
            entries: Mutex::default(),
            catalogue: watch::Sender::new(parts.catalogue.clone()),
            shared: Arc::new(Shared {
                hub: Hub::new(Arc::clone(&metrics), store.clone(), parts.config.limits.history_points),
                forecasts: Forecasts::default(),
                fits: Gate::new(cores()),
                workers: parts.workers.clone(),
                backends: Arc::clone(&parts.backends),
                clock: Arc::clone(&parts.clock),
                metrics,
                startup_grace: parts.config.startup_grace,
                exposes_queries: parts.config.expose_queries,
            }),
            shutdown: parts.shutdown.clone(),
            metadata_bytes: parts.config.limits.metadata_bytes,
            most: parts.config.limits.workloads,
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

    /// Takes a new catalogue into use; running workloads go on with their new policies without warming up again.
    pub fn reload(&self, catalogue: Catalogue) {
        self.catalogue.send_replace(catalogue);
        for set in self.lock().values_mut().flatten() {
            // Everything is read again with the next call; a running loop is handed its new policy then.
            set.fingerprint = 0;
        }
    }

    /// Ends when every workload known now has decided for `at` or later.
    pub async fn decided(&self, at: Time) {
        let receivers: Vec<_> =
            self.lock().values().flatten().filter_map(|set| Some(set.workload()?.ticked())).collect();
        for mut receiver in receivers {
            // A loop that ended decides nothing any more.
            let _ = receiver.wait_for(|ticked| ticked.is_some_and(|t| t >= at)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<WorkloadId, Vec<Set>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The policy that the keys describe and where its signals are measured; all faults of both at once.
    fn read(
        &self,
        id: &WorkloadId,
        metadata: &HashMap<String, String>,
    ) -> Result<(Policy, Vec<Arc<dyn Backend>>), Faults> {
        let bytes: usize = metadata.iter().map(|(k, v)| k.len() + v.len()).sum();
        if bytes > self.metadata_bytes {
            let expected = format!("at most {} bytes", self.metadata_bytes);
            return Err(Faults(vec![Fault::new("metadata", &format!("{bytes} bytes"), expected)]));
        }
        let keys = self.catalogue.borrow().keys(metadata);
        let resolve = |source: &SourceRef| {
            self.shared.backends.resolve(source, id.namespace()).map_err(|error| refused(source, &error))
        };
        let unusable = keys.sources().iter().filter_map(|source| resolve(source).err()).collect();
        let policy = Policy::from_keys(&keys).and_then(|policy| {
            let backends = policy.signals.iter().map(|signal| resolve(&signal.source));
            let backends = backends.collect::<Result<_, _>>().map_err(|fault| Faults(vec![fault]))?;
            Ok((policy, backends))
        });
        policy.map_err(|faults| faults.and(unusable))
    }

    fn start(
        &self,
        id: &WorkloadId,
        metadata: &HashMap<String, String>,
        mut state: State,
        now: Time,
    ) -> Result<Serving, Faults> {
        let (policy, backends) = self.read(id, metadata)?;
        let stop = self.shutdown.child_token();
        let warm_by = now + self.shared.startup_grace;
        if policy.is_schedule_only() {
            // There is nothing to wait for: the clock says it all.
            let nothing = Observations::none(0, warm_by);
            state = decide(&Prepared::pending(&policy, now), &nothing, &policy, now).map(Arc::new);
        }
        let shown = if self.shared.exposes_queries { read_keys(metadata) } else { BTreeMap::default() };
        let keys = shown.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let forecasts = &self.shared.forecasts;
        let workload = Workload::new(id.clone(), policy, backends, forecasts, state, warm_by, keys);
        self.shared.workers.spawn(Arc::clone(&workload).run(Arc::clone(&self.shared), stop.clone()));
        Ok(Serving::Running { workload, stop })
    }

    fn set(&self, id: &WorkloadId, metadata: &HashMap<String, String>, state: State, now: Time) -> Set {
        let serving = self.start(id, metadata, state, now).unwrap_or_else(Serving::Faulty);
        let is_kept = self.store.is_some() && matches!(serving, Serving::Running { .. });
        self.changed.fetch_or(is_kept, Ordering::Relaxed);
        Set {
            fingerprint: fingerprint(metadata),
            first_asked: now,
            last_asked: now,
            serving,
            row: is_kept.then(|| row(id, metadata)),
        }
    }
}

impl Desk for Registry {
    fn state(
        &self,
        id: &WorkloadId,
        metadata: &HashMap<String, String>,
    ) -> Result<watch::Receiver<State>, Refusal> {
        let now = self.shared.clock.now();
        let fingerprint = fingerprint(metadata);
        let mut entries = self.lock();
        if !entries.contains_key(id) && entries.len() >= self.most {
            return Err(Refusal::Full(format!(
                "{} workloads are served already, which is the limit",
                self.most
            )));
        }
        let sets = entries.entry(id.clone()).or_default();
        let newest = sets.iter().max_by_key(|set| set.last_asked).and_then(Set::state);
        drop_outdated(sets, fingerprint, now);
        if let Some(set) = sets.iter_mut().find(|set| set.fingerprint == fingerprint) {
            set.last_asked = now;
        } else if sets.len() < MOST_SETS {
            // What was decided under the old keys stands until the new ones have a decision of their own.
            let state = newest.unwrap_or_else(|| Err(starting()));
            sets.push(self.set(id, metadata, state, now));
        }
        let set = sets.iter().find(|set| set.fingerprint == fingerprint);
        let Some(served) = set.filter(|_| overlap(sets) <= PATCHING) else {
            let sets = sets.len() + usize::from(set.is_none());
            return Err(Refusal::Conflict(shared_name(sets, id).to_string()));
        };
        match &served.serving {
            Serving::Faulty(faults) => Err(Refusal::Faulty(faults.clone())),
            Serving::Running { workload, .. } => {
                workload.ask(now);
                Ok(workload.state())
            }
        }
    }

    fn answered(&self, method: &'static str, code: tonic::Code, seconds: f64) {
        self.shared.metrics.called(method, format!("{code:?}"), seconds);
    }
}

// === impl Set ===

impl Set {
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

/// What is said of several sets of metadata that are asked for under one identity for longer than a patch takes.
fn shared_name(sets: usize, id: &WorkloadId) -> Fault {
    let found = format!("{sets} different sets of metadata for metric '{}' of one ScaledObject", id.metric());
    let expected = format!(
        "one within {PATCHING}: two triggers need different metricName keys; after several corrections it is served \
         {PATCHING} later"
    );
    Fault::in_words("metricName", found, expected)
}

/// How long two sets have been asked for side by side.
fn overlap(sets: &[Set]) -> Span {
    let newest_since = sets.iter().map(|set| set.first_asked).max();
    let oldest_until = sets.iter().map(|set| set.last_asked).min();
    match (oldest_until, newest_since) {
        (Some(until), Some(since)) if sets.len() > 1 => until.since(since),
        _ => Span::ZERO,
    }
}

/// Ends the sets that have not been asked for while a patch may be under way.
fn drop_outdated(sets: &mut Vec<Set>, current: u64, now: Time) {
    sets.retain(|set| {
        let keep =
            set.fingerprint == current || now.since(set.last_asked) <= PATCHING && set.fingerprint != 0;
        if let (false, Serving::Running { stop, .. }) = (keep, &set.serving) {
            stop.cancel();
        }
        keep
    });
}

fn refused(source: &SourceRef, error: &SourceError) -> Fault {
    let expected = format!("a source that may be used: {error}");
    match source {
        SourceRef::Named(name) => Fault::new("datasource", name, expected),
        // The address itself may hold a password; the error names what of it may be shown.
        SourceRef::Address(_) => Fault::new("serverAddress", "an address", expected),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn starting() -> Blind {
    Blind::Warming { missing: "the first read of its history".to_owned() }
}

/// A value that differs where the keys differ that are read; never 0, which stands for "to be read again".
fn fingerprint(metadata: &HashMap<String, String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    read_keys(metadata).hash(&mut hasher);
    hasher.finish().max(1)
}
