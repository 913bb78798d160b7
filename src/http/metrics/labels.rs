//! The labels of every metric family. Their number is bounded: a workload's identity, and names of enum variants.

use prometheus_client::encoding::EncodeLabelSet;

use crate::capacity::Bound;
use crate::decide::Contributor;
use crate::forecast::Rule;
use crate::policy::WorkloadId;
use crate::units::Quantile;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Workload {
    pub namespace: String,
    pub name: String,
    pub metric: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Contributing {
    pub namespace: String,
    pub name: String,
    pub metric: String,
    pub contributor: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Answered {
    pub namespace: String,
    pub name: String,
    pub metric: String,
    pub answer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct InState {
    pub namespace: String,
    pub name: String,
    pub metric: String,
    pub state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Bounded {
    pub namespace: String,
    pub name: String,
    pub metric: String,
    pub bound: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Counting {
    pub namespace: String,
    pub name: String,
    pub metric: String,
    pub origin: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Predicting {
    pub namespace: String,
    pub name: String,
    pub metric: String,
    pub rule: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Held {
    pub namespace: String,
    pub name: String,
    pub metric: String,
    pub baseline: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Decided {
    pub namespace: String,
    pub name: String,
    pub metric: String,
    pub direction: &'static str,
    pub reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Quantiled {
    pub namespace: String,
    pub name: String,
    pub metric: String,
    pub quantile: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Queried {
    pub datasource: String,
    pub outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Called {
    pub method: &'static str,
    pub code: String,
}

// === impl labels ===

impl Workload {
    pub(super) fn of(id: &WorkloadId) -> Self {
        Workload {
            namespace: id.namespace().to_owned(),
            name: id.name().to_owned(),
            metric: id.metric().to_owned(),
        }
    }
}

impl Answered {
    pub(super) fn of(id: &WorkloadId, answer: &'static str) -> Self {
        let Workload { namespace, name, metric } = Workload::of(id);
        Answered { namespace, name, metric, answer }
    }
}

impl InState {
    pub(super) fn of(id: &WorkloadId, state: &'static str) -> Self {
        let Workload { namespace, name, metric } = Workload::of(id);
        InState { namespace, name, metric, state }
    }
}

impl Bounded {
    pub(super) fn of(id: &WorkloadId, bound: Bound) -> Self {
        let Workload { namespace, name, metric } = Workload::of(id);
        Bounded { namespace, name, metric, bound: bound.as_str() }
    }
}

impl Counting {
    pub(super) fn of(id: &WorkloadId, origin: &'static str) -> Self {
        let Workload { namespace, name, metric } = Workload::of(id);
        Counting { namespace, name, metric, origin }
    }
}

impl Predicting {
    pub(super) fn of(id: &WorkloadId, rule: Rule) -> Self {
        let Workload { namespace, name, metric } = Workload::of(id);
        Predicting { namespace, name, metric, rule: rule.as_str() }
    }
}

impl Held {
    pub(super) fn of(id: &WorkloadId, baseline: Rule) -> Self {
        let Workload { namespace, name, metric } = Workload::of(id);
        Held { namespace, name, metric, baseline: baseline.as_str() }
    }
}

impl Contributing {
    pub(super) fn of(id: &WorkloadId, contributor: Contributor) -> Self {
        let Workload { namespace, name, metric } = Workload::of(id);
        Contributing { namespace, name, metric, contributor: contributor.as_str() }
    }
}

impl Decided {
    pub(super) fn of(id: &WorkloadId, direction: &'static str, reason: &'static str) -> Self {
        let Workload { namespace, name, metric } = Workload::of(id);
        Decided { namespace, name, metric, direction, reason }
    }
}

impl Quantiled {
    pub(super) fn of(id: &WorkloadId, quantile: Quantile) -> Self {
        let Workload { namespace, name, metric } = Workload::of(id);
        Quantiled { namespace, name, metric, quantile: quantile.to_string() }
    }
}
