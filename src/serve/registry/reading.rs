//! From the keys that KEDA sends to a workload: each content is read once, and nobody waits for it who asks for another.

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

/// A policy, and where each of its signals is measured.
type Measured = (Arc<Policy>, Vec<Arc<dyn Backend>>);

/// A catalogue, and which of those that were in use.
pub(super) struct Edition {
    pub number: u64,
    catalogue: Catalogue,
}

/// The policies in use, by the content that they were read from.
#[derive(Default)]
pub(super) struct Policies {
    known: Mutex<HashMap<u64, Weak<Policy>>>,
    /// Its keys are random: nobody can make up a content that is taken for another's.
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
    /// The policy that the keys describe, and the faults of its sources beside its own.
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
            // All faults at once, also those of sources that may not be used.
            faults.and(keys.sources().iter().filter_map(unusable).collect())
        })?;
        let policy = Arc::new(policy);
        self.lock().insert(content, Arc::downgrade(&policy));
        Ok(policy)
    }

    /// Lets go of what no workload uses any more.
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
        // An internal error here is told by the loop, and ends no call.
        let remembered = catch_unwind(AssertUnwindSafe(|| workload.remembered(&self.shared)));
        if let Ok(Some(decision)) = remembered {
            workload.stand_by(Ok(Arc::new(decision)));
        }
        Ok(workload)
    }

    /// What is known without a look at any load: the clock says it all where there is nothing but a schedule.
    fn at_once(&self, policy: &Policy, now: Time, warm_by: Time) -> State {
        if !policy.is_schedule_only() {
            return Err(starting());
        }
        let nothing = Observations::none(0, warm_by);
        decide(&Prepared::pending(policy, now), &nothing, policy, now).map(Arc::new)
    }

    /// The policy that the keys describe and where its signals are measured; all faults of both at once.
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
        // The address itself may hold a password; the error names what of it may be shown.
        SourceRef::Address(_) => Fault::new("serverAddress", "an address", expected),
    }
}
