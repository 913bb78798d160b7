//! What the pages are made from; the server implements it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Metrics;
use crate::decide::{Blind, Condition, Decision, Prepared};
use crate::forecast::Trust;
use crate::history::Series;
use crate::policy::{Faults, Policy, WorkloadId};
use crate::units::{Replicas, Span, Time};

/// Every workload, and the story of one.
pub trait Overview: Send + Sync + 'static {
    /// Every workload with its newest state, sorted by identity.
    fn workloads(&self) -> Vec<Known>;
    /// The workloads of one ScaledObject, one for each metric.
    fn triggers(&self, namespace: &str, name: &str) -> Vec<Known>;
    /// Everything known of one; `None` where KEDA never asked for it, or its keys are faulty.
    fn story(&self, id: &WorkloadId) -> Option<Story>;
    /// Whether the server can answer KEDA: it is neither warming up nor shutting down.
    fn ready(&self) -> bool;
    /// How long no workload has been decided for, where that is too long: only another start will help.
    fn silence(&self) -> Option<Duration>;
    /// The metrics, brought up to date.
    fn metrics(&self) -> &Metrics;
    /// The present.
    fn now(&self) -> Time;
    /// Whether queries and metadata may be shown: whoever reads the page need not be who may read the cluster.
    fn exposes_queries(&self) -> bool;
}

/// A workload that KEDA asks for.
#[derive(Debug, Clone)]
pub struct Known {
    /// Which one.
    pub id: WorkloadId,
    /// How it stands.
    pub standing: Standing,
    /// How it is to be scaled; `None` where its keys are faulty.
    pub policy: Option<Arc<Policy>>,
    /// When KEDA last asked for it.
    pub last_asked: Time,
}

/// How a workload stands.
#[derive(Debug, Clone)]
pub enum Standing {
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
    /// The answers that differed from the one before, oldest first.
    pub changes: Vec<Change>,
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

// === impl Known ===

impl Known {
    /// Everything that is to be said of how it is doing, the worst first; never empty.
    pub fn conditions(&self, now: Time) -> Vec<Condition> {
        let mut all = match (&self.standing, &self.policy) {
            (Standing::Decided(decision), Some(policy)) => Condition::of(decision, policy),
            (Standing::Blind(blind), _) => vec![Condition::of_blind(blind)],
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
        let decided = self.standing.decision().and_then(|decision| decision.forecast.as_ref());
        let decided = decided.map(|view| view.trust);
        decided.or_else(|| story.prepared.as_ref()?.trust(&story.policy))
    }
}

// === impl Standing ===

impl Standing {
    /// The decision, where there is one.
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Standing::Decided(decision) => Some(decision),
            _ => None,
        }
    }

    /// Why there is no decision. Queries and values are left out unless `exposes`: the page has more readers than
    /// the events of a ScaledObject.
    pub fn trouble(&self, exposes: bool) -> Option<String> {
        Some(match self {
            Standing::Decided(_) => return None,
            Standing::Blind(blind) if exposes => blind.to_string(),
            Standing::Blind(Blind::Warming { .. }) => "warming up".to_owned(),
            Standing::Blind(Blind::NoData { .. }) => "no data".to_owned(),
            Standing::Faulty(faults) if exposes => format!("faulty metadata: {faults}"),
            Standing::Faulty(Faults(faults)) => {
                let told = faults.iter().map(|fault| format!("{}: expected {}", fault.key, fault.expected));
                format!("faulty metadata: {}", told.collect::<Vec<_>>().join("; "))
            }
        })
    }
}
