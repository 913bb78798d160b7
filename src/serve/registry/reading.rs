//! From KEDA's keys to a workload: each distinct content is read once, and requests for other content do not wait for
//! it.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{Registry, Serving, Set, fingerprint, starting};
use crate::decide::{Prepared, State, decide};
use crate::history::Observations;
use crate::policy::{Fault, Faults, Policy, SourceRef, WorkloadId, read_keys};
use crate::serve::store::row;
use crate::serve::workload::Workload;
use crate::source::{Backend, Catalogue, SourceError};
use crate::units::Time;

/// A policy, and the data source of each of its signals.
type Measured = (Arc<Policy>, Vec<Arc<dyn Backend>>);

/// A catalogue and its version number.
pub(super) struct Edition {
    pub number: u64,
    catalogue: Catalogue,
}

/// The policies in use, by the content they were read from.
#[derive(Default)]
pub(super) struct Policies {
    known: Mutex<HashMap<u64, Weak<Policy>>>,
    /// Its keys are random, so that nobody can craft a content with the hash of another.
    hasher: RandomState,
}

// === impl Edition ===

impl Edition {
    pub(super) fn first(catalogue: Catalogue) -> Self {
        Edition { number: 0, catalogue }
    }

    pub(super) fn next(&self, catalogue: Catalogue) -> Self {
        Edition { number: self.number + 1, catalogue }
    }
}

// === impl Policies ===

impl Policies {
    /// The policy that the keys describe; or its faults together with those of its sources.
    fn read(
        &self,
        edition: &Edition,
        id: &WorkloadId,
        metadata: &HashMap<String, String>,
        unusable: impl Fn(&SourceRef) -> Option<Fault>,
    ) -> Result<Arc<Policy>, Faults> {
        let events = edition.catalogue.events_of(id.namespace(), id.name());
        let content = self.hasher.hash_one((edition.number, &events, read_keys(metadata)));
        if let Some(policy) = self.lock().get(&content).and_then(Weak::upgrade) {
            return Ok(policy);
        }
        let keys = edition.catalogue.keys_with(metadata, &events);
        let policy = Policy::from_keys(&keys).map_err(|faults| {
            // All faults at once, including those of sources that may not be used.
            faults.and(keys.sources().iter().filter_map(unusable).collect())
        })?;
        let policy = Arc::new(policy);
        self.lock().insert(content, Arc::downgrade(&policy));
        Ok(policy)
    }

    /// Drops the policies that no workload uses any more.
    pub(super) fn tidy(&self) {
        let mut known = self.lock();
        known.retain(|_, policy| policy.strong_count() > 0);
        known.shrink_to_fit();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Weak<Policy>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Registry ===

impl Registry {
    /// The set of keys with a workload that is ready to run, or with all their faults.
    pub(super) fn set(
        &self,
        id: &WorkloadId,
        metadata: &HashMap<String, String>,
        edition: &Edition,
        now: Time,
    ) -> Set {
        let workload = self.workload(id, metadata, edition, now);
        let is_kept = self.store.is_some() && workload.is_ok();
        // Once for each set of keys: KEDA calls several times a minute.
        if let Err(faults) = &workload {
            tracing::warn!(workload = %id, %faults, "its metadata is refused");
        }
        let serving = workload.map_or_else(Serving::Faulty, |workload| Serving::Running {
            workload,
            stop: self.shutdown.child_token(),
        });
        Set {
            fingerprint: fingerprint(metadata),
            first_asked: now,
            last_asked: now,
            serving,
            row: is_kept.then(|| row(id, metadata)),
        }
    }

    fn workload(
        &self,
        id: &WorkloadId,
        metadata: &HashMap<String, String>,
        edition: &Edition,
        now: Time,
    ) -> Result<Arc<Workload>, Faults> {
        let (policy, backends) = self.read(id, metadata, edition)?;
        let warm_by = now + self.shared.startup_grace;
        let shown = if self.shared.exposes_queries { read_keys(metadata) } else { BTreeMap::default() };
        let keys = shown.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let begin = self.at_once(&policy, now, warm_by);
        let workload =
            Workload::new(id.clone(), policy, backends, &self.shared.forecasts, begin, warm_by, keys);
        // The loop will report an internal error here; it must not fail the call.
        let remembered = catch_unwind(AssertUnwindSafe(|| workload.remembered(&self.shared)));
        if let Ok(Some(decision)) = remembered {
            workload.stand_by(Ok(Arc::new(decision)));
        }
        Ok(workload)
    }

    /// The state without looking at any load: if there is only a schedule, the clock is enough.
    fn at_once(&self, policy: &Policy, now: Time, warm_by: Time) -> State {
        if !policy.is_schedule_only() {
            return Err(starting());
        }
        let nothing = Observations::none(0, warm_by);
        decide(&Prepared::pending(policy, now), &nothing, policy, now).map(Arc::new)
    }

    /// The policy that the keys describe and the data sources of its signals, or all faults of both at once.
    fn read(
        &self,
        id: &WorkloadId,
        metadata: &HashMap<String, String>,
        edition: &Edition,
    ) -> Result<Measured, Faults> {
        let bytes: usize = metadata.iter().map(|(k, v)| k.len() + v.len()).sum();
        if bytes > self.metadata_bytes {
            let expected = format!("at most {} bytes", self.metadata_bytes);
            return Err(Faults(vec![Fault::new("metadata", &format!("{bytes} bytes"), expected)]));
        }
        let resolve = |source: &SourceRef| {
            self.shared.backends.resolve(source, id.namespace()).map_err(|error| refused(source, &error))
        };
        let policy = self.policies.read(edition, id, metadata, |source| resolve(source).err())?;
        let (mut backends, mut faults) = (Vec::new(), Vec::new());
        for signal in &policy.signals {
            match resolve(&signal.source) {
                Ok(backend) => backends.push(backend),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok((policy, backends)) } else { Err(Faults(faults).and(Vec::new())) }
    }
}

fn refused(source: &SourceRef, error: &SourceError) -> Fault {
    let expected = format!("a source that may be used: {error}");
    match source {
        SourceRef::Named(name) => Fault::new("datasource", name, expected),
        // The address itself may contain a password; the error names the parts that may be shown.
        SourceRef::Address(_) => Fault::new("serverAddress", "an address", expected),
    }
}
