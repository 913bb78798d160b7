//! Everything that a decision may use, as of one instant.
//!
//! Together with the policy and the instant it is the complete input, so that the server, a replay and a test decide
//! alike. Nothing here queries anything.

use std::sync::Arc;

use super::{Counters, Interruption, Series};
use crate::units::{Replicas, Span, Time};

/// A value and the instant it was observed at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The instant the value belongs to.
    pub at: Time,
    /// The value, finite and not negative.
    pub value: f64,
}

/// An observed pod start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeadSample {
    /// When the pod became ready.
    pub at: Time,
    /// Seconds from its creation to readiness.
    pub seconds: f64,
    /// Whether no pod was ready before. Such a start may wait for a node, an image or a cache.
    pub from_zero: bool,
}

/// What was observed for one signal. The series are shared, so a clone is cheap.
#[derive(Debug, Clone, Default)]
pub struct SignalHistory {
    /// Load on the grid of `queryStep`, settled samples only; `None` before the first read.
    pub load: Option<Arc<Series>>,
    /// The newest instant value on the grid of `pollStep`; `None` if the query yields none.
    pub newest: Option<Sample>,
    /// Arrivals per second, if the policy asks for them.
    pub arrivals: Option<Arc<Series>>,
    /// Completions per second of all replicas together, if the policy asks for them.
    pub completions: Option<Arc<Series>>,
    /// Whether the counters under the load were there, on the grid of `pollStep`; see [`Counters`].
    pub counters: Option<Arc<Counters>>,
    /// The same for the counters under the arrivals.
    pub arrival_counters: Option<Arc<Counters>>,
    /// When the source last gave no answer, or had lost its history.
    pub interrupted: Option<Interruption>,
    /// When the source itself started, if it reports that.
    pub source_began: Option<Time>,
}

/// Which series of a signal is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// Its load.
    Load,
    /// The arrivals of a queue with a deadline.
    Arrivals,
}

/// Data for learning what one replica carries: series of all replicas together, on a separate grid.
#[derive(Debug, Clone, Default)]
pub struct ServiceHistory {
    /// Ready replicas.
    pub ready: Option<Series>,
    /// CPU cores they use.
    pub cpu: Option<Series>,
    /// CPU cores that one replica requests.
    pub request: Option<Series>,
    /// Share of scheduling periods in which the CPU limit throttled them, 0 to 1.
    pub throttled: Option<Series>,
    /// The pod template that runs, as a number that changes with each rollout.
    pub template: Option<Series>,
    /// The latency in the objective, in seconds.
    pub latency: Option<Series>,
    /// What was missing, and where it would come from.
    pub missing: Vec<String>,
}

/// What is known about a workload. Besides the policy and the present instant, it is a decision's only input.
#[derive(Debug, Clone)]
pub struct Observations {
    /// One entry for each signal of the policy, in its order.
    pub signals: Vec<SignalHistory>,
    /// Replicas that really run.
    pub replicas: Option<Arc<Series>>,
    /// Share of requests that fail, 0 to 1.
    pub errors: Option<Arc<Series>>,
    /// Load turned away, in the unit of the first signal's load.
    pub rejected: Option<Arc<Series>>,
    /// Work in flight.
    pub in_flight: Option<Sample>,
    /// Data for learning what one replica carries; `None` if the policy does not ask for it, or before it was read.
    pub service: Option<Arc<ServiceHistory>>,
    /// The pod template that runs now, if a decision depends on it.
    pub template: Option<f64>,
    /// Observed pod starts, in the order the pods became ready.
    pub lead_samples: Arc<Vec<LeadSample>>,
    /// Until then a workload without history is warming up and gets no answer from instant values alone.
    pub warm_by: Time,
    /// The difference between the data source's clock and ours.
    pub clock_skew: Span,
    /// The previous answer, if known; used only while clocks differ or a source refills.
    pub previous: Option<Replicas>,
}

// === impl Observations ===

impl Observations {
    /// Nothing observed yet, for this number of signals.
    pub fn none(signals: usize, warm_by: Time) -> Self {
        Observations {
            signals: vec![SignalHistory::default(); signals],
            replicas: None,
            errors: None,
            rejected: None,
            in_flight: None,
            service: None,
            template: None,
            lead_samples: Arc::default(),
            warm_by,
            clock_skew: Span::ZERO,
            previous: None,
        }
    }

    /// The load turned away of the signal with that index. It is measured in the unit of the first signal, so only
    /// that one has it.
    pub fn rejected_of(&self, signal: usize) -> Option<&Series> {
        self.rejected.as_deref().filter(|_| signal == 0)
    }
}

// === impl Sample ===

impl Sample {
    /// Whether the value can be a load: finite and not negative.
    pub fn is_load(&self) -> bool {
        self.value.is_finite() && self.value >= 0.0
    }
}

// === impl SignalHistory ===

impl SignalHistory {
    /// The series of that kind.
    pub fn series(&self, of: Measured) -> Option<&Series> {
        match of {
            Measured::Load => self.load.as_deref(),
            Measured::Arrivals => self.arrivals.as_deref(),
        }
    }

    /// What was seen of the counters under it.
    pub fn counters(&self, of: Measured) -> Option<&Counters> {
        match of {
            Measured::Load => self.counters.as_deref(),
            Measured::Arrivals => self.arrival_counters.as_deref(),
        }
    }

    /// The newest known value: the instant value, or the last sample of the history if that is newer.
    pub fn present(&self) -> Option<Sample> {
        let last = self.load.as_ref().and_then(|load| load.last()).map(|(at, value)| Sample { at, value });
        match (self.newest.filter(Sample::is_load), last) {
            (Some(newest), Some(last)) if last.at > newest.at => Some(last),
            (newest, last) => newest.or(last),
        }
    }
}
