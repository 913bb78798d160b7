//! What the pages are made from; the server implements it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Metrics;
use crate::decide::{Blind, Condition, Decision, Moment, Prepared};
use crate::forecast::Trust;
use crate::history::Series;
use crate::policy::{Faults, Policy, WorkloadId};
use crate::units::{Replicas, Span, Time};

/// Every workload, and the story of one.
pub trait Overview: Send + Sync + 'static {
    /// Every workload with its newest state, sorted by identity.
    fn workloads(&self) -> Vec<KnownWorkload>;
    /// The workloads of one ScaledObject, one for each metric.
    fn triggers(&self, namespace: &str, name: &str) -> Vec<KnownWorkload>;
    /// Everything known of one; `None` where KEDA never asked for it, or its keys are faulty.
    fn story(&self, id: &WorkloadId) -> Option<Story>;
    /// What was asked for in the span before now, decided again.
    fn past(&self, id: &WorkloadId, span: Span) -> Past;
    /// The decision of an instant, made again from what is in memory.
    fn again(&self, id: &WorkloadId, at: Time) -> Again;
    /// Whether the server can answer KEDA: it is neither warming up nor shutting down.
    fn ready(&self) -> bool;
    /// How long no workload has been decided for, where that is too long: only another start will help.
    fn silence(&self) -> Option<Duration>;
    /// The load of its first signal, as far as it was read.
    fn load(&self, id: &WorkloadId) -> Option<Arc<Series>>;
    /// What the page is told beside.
    fn settings(&self) -> &Settings;
    /// The metrics, brought up to date.
    fn metrics(&self) -> &Metrics;
    /// The present.
    fn now(&self) -> Time;
    /// Whether queries and metadata may be shown: whoever reads the page need not be who may read the cluster.
    fn exposes_queries(&self) -> bool;
}

/// A workload that KEDA asks for.
#[derive(Debug, Clone)]
pub struct KnownWorkload {
    /// Which one.
    pub id: WorkloadId,
    /// How it stands.
    pub status: WorkloadStatus,
    /// How it is to be scaled; `None` where its keys are faulty.
    pub policy: Option<Arc<Policy>>,
    /// When KEDA last asked for it.
    pub last_asked: Time,
    /// What its forecast has been worth; `None` where that is not counted.
    pub worth: Option<Worth>,
}

/// What the page is told beside what the server knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// What one replica costs in an hour, in whatever money.
    pub price: Option<f64>,
    /// Where a workload's dashboard is, with `{namespace}`, `{name}`, `{metric}`, `{from}` and `{to}` (milliseconds).
    pub grafana: Option<String>,
}

/// What the forecast's answers have been worth beside those of a reactive trigger, since this server began.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Worth {
    /// Replica-hours saved; negative where they were spent.
    pub saved: f64,
    /// Hours with fewer replicas than demanded that did not come to pass; negative where there were more of them.
    pub avoided: f64,
    /// Hours that were counted.
    pub hours: f64,
}

/// How a workload stands.
#[derive(Debug, Clone)]
pub enum WorkloadStatus {
    /// The newest decision.
    Decided(Arc<Decision>),
    /// Nothing can be decided.
    Blind(Blind),
    /// Its keys are refused.
    Faulty(Faults),
}

/// Everything known of one workload.
#[derive(Debug, Clone)]
pub struct Story {
    /// How it is to be scaled.
    pub policy: Arc<Policy>,
    /// Its metadata, where it may be shown.
    pub keys: BTreeMap<String, String>,
    /// The fit in use.
    pub prepared: Option<Prepared>,
    /// The load of the first signal, as far as it was read.
    pub load: Option<Arc<Series>>,
    /// Replicas that ran, as far as `replicasQuery` was read.
    pub running: Option<Arc<Series>>,
    /// The answers that differed from the one before, oldest first.
    pub changes: Vec<Change>,
}

/// The past of a workload.
#[derive(Debug, Clone)]
pub enum Past {
    /// Moments, oldest first.
    Told(Arc<[Moment]>),
    /// Another past is being decided again: ask later.
    Busy,
    /// There is no such workload, or its keys are faulty.
    Unknown,
}

/// The decision of an instant.
#[derive(Debug)]
pub enum Again {
    /// It could be made.
    Decided(Box<Decision>),
    /// Too little is known of it.
    Blind(Blind),
    /// Another past is being decided again: ask later.
    Busy,
    /// There is no such workload, or its keys are faulty.
    Unknown,
}

/// An answer that differed from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Time,
    /// From then on so many replicas.
    pub replicas: Replicas,
    /// Why, as in metrics.
    pub reason: &'static str,
    /// How the decision was reached while things failed, as in JSON.
    pub rung: &'static str,
}

/// How long KEDA may be silent before the page says so: it polls each 30 s unless told otherwise.
pub const SILENT: Span = Span::minutes(2);

// === impl KnownWorkload ===

impl KnownWorkload {
    /// Everything that is to be said of how it is doing, the worst first; never empty.
    pub fn conditions(&self, now: Time) -> Vec<Condition> {
        let mut all = match (&self.status, &self.policy) {
            (WorkloadStatus::Decided(decision), Some(policy)) => Condition::of(decision, policy),
            (WorkloadStatus::Blind(blind), _) => vec![Condition::of_blind(blind)],
            _ => vec![Condition::Faulty],
        };
        if now.since(self.last_asked) > SILENT {
            all.push(Condition::Silent { since: self.last_asked });
            all.retain(|condition| *condition != Condition::Healthy);
            all.sort_by_key(Condition::rank);
        }
        all
    }

    /// The worst of them.
    pub fn condition(&self, now: Time) -> Condition {
        self.conditions(now).into_iter().next().unwrap_or(Condition::Healthy)
    }

    /// Who predicts its load: as the newest decision says, else as the fit does.
    pub fn trust(&self, story: &Story) -> Option<Trust> {
        let decided = self.status.decision().and_then(|decision| decision.forecast.as_ref());
        let decided = decided.map(|view| view.trust);
        decided.or_else(|| story.prepared.as_ref()?.trust(&story.policy))
    }
}

// === impl WorkloadStatus ===

impl WorkloadStatus {
    /// The decision, where there is one.
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            WorkloadStatus::Decided(decision) => Some(decision),
            _ => None,
        }
    }

    /// Why there is no decision. Queries and values are left out unless `exposes`: the page has more readers than
    /// the events of a ScaledObject.
    pub fn trouble(&self, exposes: bool) -> Option<String> {
        Some(match self {
            WorkloadStatus::Decided(_) => return None,
            WorkloadStatus::Blind(blind) if exposes => blind.to_string(),
            WorkloadStatus::Blind(Blind::Warming { .. }) => "warming up".to_owned(),
            WorkloadStatus::Blind(Blind::NoData { .. }) => "no data".to_owned(),
            WorkloadStatus::Faulty(faults) if exposes => format!("faulty metadata: {faults}"),
            WorkloadStatus::Faulty(Faults(faults)) => {
                let told = faults.iter().map(|fault| format!("{}: expected {}", fault.key, fault.expected));
                format!("faulty metadata: {}", told.collect::<Vec<_>>().join("; "))
            }
        })
    }
}
