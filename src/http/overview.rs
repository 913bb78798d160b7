//! The data behind the pages; the server provides it.
//!
//! `http` knows the server only through this trait, which has no method that changes a workload.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Metrics;
use crate::decide::{Blind, Condition, Decision, Moment, Prepared, Reason};
use crate::forecast::Trust;
use crate::history::Series;
use crate::policy::{Faults, Policy, WorkloadId};
use crate::units::{Replicas, Span, Time};

/// All workloads, and the story of one.
pub trait Overview: Send + Sync + 'static {
    /// All workloads with their newest states, sorted by identity.
    fn workloads(&self) -> Vec<KnownWorkload>;
    /// The workloads of one ScaledObject, one for each metric.
    fn triggers(&self, namespace: &str, name: &str) -> Vec<KnownWorkload>;
    /// Everything known about one workload, read together; `None` if KEDA never asked for it.
    fn snapshot(&self, id: &WorkloadId) -> Option<Snapshot>;
    /// What was asked for in the span before a snapshot was taken, decided again with its policy.
    fn past(&self, snapshot: &Snapshot, span: Span) -> Past;
    /// The decision for an instant, made again with this policy from what is in memory.
    fn again(&self, known: &KnownWorkload, at: Time) -> Again;
    /// Whether the server can answer KEDA, that is, it is neither warming up nor shutting down.
    fn ready(&self) -> bool;
    /// How long no decision has been made for any workload, if that is too long; only a restart will help then.
    fn silence(&self) -> Option<Duration>;
    /// The load of its first signal, as far as it has been read.
    fn load(&self, id: &WorkloadId) -> Option<Arc<Series>>;
    /// Settings of the page.
    fn settings(&self) -> &Settings;
    /// The metrics, up to date.
    fn metrics(&self) -> &Metrics;
    /// The present instant.
    fn now(&self) -> Time;
    /// Whether queries and metadata may be shown: readers of the page may not be allowed to read the cluster.
    fn exposes_queries(&self) -> bool;
}

/// One workload at one moment. Everything that a page says about it comes from one snapshot: read one after the other,
/// the decision, its changes and the forecast could belong to different turns, or to different sets of keys.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When it was taken.
    pub now: Time,
    /// The workload and its state.
    pub known: KnownWorkload,
    /// What is known besides; `None` if its keys are faulty.
    pub story: Option<Story>,
}

/// A workload that KEDA asks for.
#[derive(Debug, Clone)]
pub struct KnownWorkload {
    /// Its identity.
    pub id: WorkloadId,
    /// Its state.
    pub status: WorkloadStatus,
    /// Its policy; `None` if its keys are faulty.
    pub policy: Option<Arc<Policy>>,
    /// When KEDA last asked for it.
    pub last_asked: Time,
    /// An older decision is not given to KEDA.
    pub most_age: Span,
    /// What its forecast has been worth; `None` if that is not computed.
    pub worth: Option<Worth>,
    /// Its queries that fail.
    pub failing: Arc<[FailingQuery]>,
}

/// Queries that fail in the same way, in words that everyone may read: no query, no address, nothing that the data
/// source said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingQuery {
    /// The keys that give them.
    pub keys: Vec<String>,
    /// What is the case.
    pub text: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// Settings of the page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// The cost of one replica per hour, in any currency.
    pub price: Option<f64>,
    /// The URL of a workload's dashboard, with `{namespace}`, `{name}`, `{metric}`, `{from}` and `{to}`
    /// (milliseconds).
    pub grafana: Option<String>,
}

/// What the forecast's answers have been worth compared with those of a reactive trigger, since this server started.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Worth {
    /// Replica-hours saved; negative if more were spent.
    pub saved: f64,
    /// Under-provisioned hours avoided; negative if there were more of them.
    pub avoided: f64,
    /// Hours compared.
    pub hours: f64,
}

/// The state of a workload.
#[derive(Debug, Clone)]
pub enum WorkloadStatus {
    /// The newest decision.
    Decided(Arc<Decision>),
    /// No decision is possible.
    Blind(Blind),
    /// Its keys are rejected.
    Faulty(Faults),
}

/// Everything known about one workload.
#[derive(Debug, Clone)]
pub struct Story {
    /// Its policy.
    pub policy: Arc<Policy>,
    /// Its metadata, if it may be shown.
    pub keys: BTreeMap<String, String>,
    /// The fit in use.
    pub prepared: Option<Prepared>,
    /// The load of the first signal, as far as it has been read.
    pub load: Option<Arc<Series>>,
    /// Replicas that ran, as far as `replicasQuery` has been read.
    pub running: Option<Arc<Series>>,
    /// Answers that differed from the previous one, oldest first.
    pub changes: Vec<Change>,
}

/// The past of a workload.
#[derive(Debug, Clone)]
pub enum Past {
    /// Moments, oldest first.
    Told(Arc<[Moment]>),
    /// Another past is being computed; ask again later.
    Busy,
    /// There is no such workload, or its keys are faulty.
    Unknown,
}

/// The decision for an instant.
#[derive(Debug)]
pub enum Again {
    /// A decision was possible.
    Decided(Box<Decision>),
    /// Too little is known.
    Blind(Blind),
    /// Another past is being computed; ask again later.
    Busy,
    /// There is no such workload, or its keys are faulty.
    Unknown,
}

/// An answer that differed from the previous one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Time,
    /// The replicas from then on.
    pub replicas: Replicas,
    /// The reason.
    pub reason: Reason,
    /// The degradation level, as in JSON.
    pub rung: &'static str,
}

/// How long KEDA may be silent before the page says so; by default it polls every 30 s.
pub const SILENT: Span = Span::minutes(2);

// === impl Snapshot ===

impl Snapshot {
    /// Until when its past is told: up to the decision, which belongs to a point of the poll grid.
    pub fn told_until(&self) -> Time {
        self.known.status.decision().map_or(self.now, |decision| decision.at)
    }
}

// === impl KnownWorkload ===

impl KnownWorkload {
    /// All conditions, worst first; never empty.
    pub fn conditions(&self, now: Time) -> Vec<Condition> {
        let mut all = match (&self.status, &self.policy) {
            (WorkloadStatus::Decided(decision), Some(policy)) => Condition::of(decision, policy),
            (WorkloadStatus::Blind(blind), _) => vec![Condition::of_blind(blind)],
            _ => vec![Condition::Faulty],
        };
        if let Some(age) = self.status.decision().map(|decision| now.since(decision.at)) {
            all.extend((age > self.most_age).then_some(Condition::Outdated { age }));
        }
        if now.since(self.last_asked) > SILENT {
            all.push(Condition::Silent { since: self.last_asked });
        }
        if all.len() > 1 {
            all.retain(|condition| *condition != Condition::Healthy);
        }
        all.sort_by_key(Condition::rank);
        all
    }

    /// The worst condition.
    pub fn condition(&self, now: Time) -> Condition {
        self.conditions(now).into_iter().next().unwrap_or(Condition::Healthy)
    }

    /// Why there is no decision, with the queries that fail.
    pub fn trouble(&self, exposes: bool) -> Option<String> {
        let mut text = self.status.trouble(exposes)?;
        for query in self.failing.iter().filter(|_| !exposes) {
            text += &format!(": {query}");
        }
        Some(text)
    }

    /// Which rule predicts its load: from the newest decision, otherwise from the fit.
    pub fn trust(&self, story: &Story) -> Option<Trust> {
        let decided = self.status.decision().and_then(|decision| decision.forecast.as_ref());
        let decided = decided.map(|view| view.trust);
        decided.or_else(|| story.prepared.as_ref()?.trust(&story.policy))
    }
}

// === impl FailingQuery ===

impl fmt::Display for FailingQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.keys.join(", "), self.text)
    }
}

// === impl WorkloadStatus ===

impl WorkloadStatus {
    /// The decision, if there is one.
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            WorkloadStatus::Decided(decision) => Some(decision),
            _ => None,
        }
    }

    /// Why there is no decision. Queries and values are left out unless `exposes`: the page has more readers than the
    /// events of a ScaledObject.
    pub(super) fn trouble(&self, exposes: bool) -> Option<String> {
        Some(match self {
            WorkloadStatus::Decided(_) => return None,
            WorkloadStatus::Blind(blind) if exposes => blind.to_string(),
            WorkloadStatus::Blind(Blind::Warming { .. }) => {
                "warming up: not everything was read since the server started".to_owned()
            }
            WorkloadStatus::Blind(Blind::NoData { .. }) => {
                "no data: neither a load nor the last need is known".to_owned()
            }
            WorkloadStatus::Faulty(faults) if exposes => format!("faulty metadata: {faults}"),
            WorkloadStatus::Faulty(Faults(faults)) => {
                let told = faults.iter().map(|fault| format!("{}: expected {}", fault.key, fault.expected));
                format!("faulty metadata: {}", told.collect::<Vec<_>>().join("; "))
            }
        })
    }
}
