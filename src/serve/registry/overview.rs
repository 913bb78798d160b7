//! What the pages show of the workloads: always the keys that KEDA used last.
//!
//! It only reads; nothing here changes a workload or starts a query.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{PATCHING, Registry, Serving, Set, newest, overlap, shared_name};
use crate::decide::{Moment, Retold, State, looking_ahead};
use crate::history::Series;
use crate::http::{Again, KnownWorkload, Metrics, Overview, Past, Settings, Snapshot, WorkloadStatus};
use crate::policy::{Faults, Policy, WorkloadId};
use crate::serve::workload::{Told, Workload};
use crate::units::{Span, Time};

/// If no loop has completed a turn for this long, the server must be restarted, unless the poll steps are longer.
const LEAST_SILENCE: Duration = Duration::from_secs(120);
/// Workloads that are looked at without releasing the lock: some hundred microseconds.
const PIECE: usize = 256;
/// Missed turns of the fastest loop.
const MOST_MISSED: i64 = 4;

impl Overview for Registry {
    fn workloads(&self) -> Vec<KnownWorkload> {
        self.in_pieces(known)
    }

    fn triggers(&self, namespace: &str, name: &str) -> Vec<KnownWorkload> {
        let is_meant = |id: &WorkloadId| id.namespace() == namespace && id.name() == name;
        self.lock().iter().filter(|(id, _)| is_meant(id)).filter_map(known).collect()
    }

    fn snapshot(&self, id: &WorkloadId) -> Option<Snapshot> {
        let (mut known, workload) = {
            let entries = self.lock();
            let entry = entries.get_key_value(id)?;
            (known(entry)?, newest(entry.1)?.workload())
        };
        // Without the lock: if the loop is deciding, this waits for it.
        let told = workload.map(|workload| workload.told(&self.shared));
        let story = told.map(|Told { state, worth, failing, story }| {
            if known.policy.is_some() {
                (known.status, known.worth, known.failing) = (status(state), worth, failing);
            }
            story
        });
        Some(Snapshot { now: self.now(), known, story })
    }

    fn past(&self, snapshot: &Snapshot, span: Span) -> Past {
        let (Snapshot { known, story, .. }, until) = (snapshot, snapshot.told_until());
        let policy = story.as_ref().map(|story| &story.policy);
        let found = policy.and_then(|policy| Some((policy, self.with_policy(&known.id, policy)?)));
        let Some((policy, workload)) = found else { return Past::Unknown };
        let make = |until| Moment::all(policy, workload.traces(&self.shared), span, until);
        match self.shared.pasts.of(&known.id, policy, span, until, make) {
            Some(moments) => Past::Told(moments),
            None => Past::Busy,
        }
    }

    fn again(&self, known: &KnownWorkload, at: Time) -> Again {
        let found =
            known.policy.as_ref().and_then(|policy| Some((policy, self.with_policy(&known.id, policy)?)));
        let Some((policy, workload)) = found else { return Again::Unknown };
        let policy = looking_ahead(policy, at, self.now());
        let traces = || workload.traces(&self.shared);
        match self.shared.pasts.alone(|| Retold::new(&policy, traces(), at).at(at)) {
            Some(Ok(decision)) => Again::Decided(Box::new(decision)),
            Some(Err(blind)) => Again::Blind(blind),
            None => Again::Busy,
        }
    }

    fn now(&self) -> Time {
        self.shared.clock.now()
    }

    fn load(&self, id: &WorkloadId) -> Option<Arc<Series>> {
        self.newest(id)?.load(&self.shared)
    }

    fn settings(&self) -> &Settings {
        &self.shared.page
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
            let newest = newest(sets)?.state()?;
            Some(now.since(newest.ok()?.at))
        };
        let all = self.in_pieces(|entry| Some((known(entry)?, age(entry.1))));
        // Written without the lock, so that no call waits.
        all.iter().for_each(|(known, age)| metrics.aged(&known.id, *age));
        let states = all.iter().map(|(known, _)| (known.id.clone(), known.condition(now).as_str()));
        metrics.in_states(states.collect());
        let entries = self.lock();
        // A workload that was removed meanwhile has no age.
        let gone = all.iter().map(|(known, _)| &known.id).filter(|id| !entries.contains_key(*id));
        gone.for_each(|id| metrics.aged(id, None));
        metrics
    }
}

impl Registry {
    /// Something of every workload, in the order of their identities. The lock is released after every few: a call of
    /// KEDA's that needs it does not wait for ten thousand rows.
    fn in_pieces<T>(&self, of: impl Fn((&WorkloadId, &Vec<Set>)) -> Option<T>) -> Vec<T> {
        let mut all = Vec::new();
        let mut last: Option<WorkloadId> = None;
        loop {
            let entries = self.lock();
            let begin = last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut piece = entries.range::<WorkloadId, _>((begin, Bound::Unbounded)).take(PIECE).peekable();
            let mut end = None;
            while let Some(entry) = piece.next() {
                end = piece.peek().is_none().then(|| entry.0.clone());
                all.extend(of(entry));
            }
            let Some(end) = end else { return all };
            last = Some(end);
            drop(entries);
        }
    }

    /// The workload of the keys that KEDA used last.
    fn newest(&self, id: &WorkloadId) -> Option<Arc<Workload>> {
        newest(self.lock().get(id)?)?.workload()
    }

    /// The workload with this policy, as long as KEDA uses its keys.
    fn with_policy(&self, id: &WorkloadId, policy: &Arc<Policy>) -> Option<Arc<Workload>> {
        let entries = self.lock();
        let mut running = entries.get(id)?.iter().filter_map(Set::workload);
        running.find(|workload| Arc::ptr_eq(&workload.policy(), policy))
    }

    /// How long before `now` the last turn of any loop was, if that is too long.
    pub(super) fn silence_until(&self, now: Instant) -> Option<Duration> {
        let running: Vec<_> = self.lock().values().flatten().filter_map(Set::workload).collect();
        let fastest = running.iter().map(|workload| workload.grid()).min()?;
        let missed = u64::try_from(MOST_MISSED * fastest.as_seconds()).unwrap_or(0);
        let silence = self.shared.pulse.silence(now);
        (silence > LEAST_SILENCE.max(Duration::from_secs(missed))).then_some(silence)
    }
}

/// The state of a workload, by the keys that KEDA used last.
fn known((id, sets): (&WorkloadId, &Vec<Set>)) -> Option<KnownWorkload> {
    let newest = newest(sets)?;
    let (mut worth, mut failing, mut most_age) = (None, Arc::default(), Span::ZERO);
    let (status, policy) = match &newest.serving {
        _ if overlap(sets) > PATCHING => {
            (WorkloadStatus::Faulty(Faults(vec![shared_name(sets.len(), id)])), None)
        }
        Serving::Faulty(faults) => (WorkloadStatus::Faulty(faults.clone()), None),
        Serving::Running { workload, .. } => {
            let status = status(workload.state().borrow().clone());
            (worth, failing, most_age) = (workload.worth(), workload.failing(), workload.most_age());
            (status, Some(workload.policy()))
        }
    };
    let last_asked = newest.last_asked;
    Some(KnownWorkload { id: id.clone(), status, policy, last_asked, most_age, worth, failing })
}

fn status(state: State) -> WorkloadStatus {
    match state {
        Ok(decision) => WorkloadStatus::Decided(decision),
        Err(blind) => WorkloadStatus::Blind(blind),
    }
}
