//! Everything a decision may look at, at one instant.

use std::sync::Arc;

use super::{Counters, Interruption, Series};
use crate::units::{Replicas, Span, Time};

/// One value with the instant it was observed at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The instant the value belongs to.
    pub at: Time,
    /// The value, finite and not negative.
    pub value: f64,
}

/// One observed start of a pod.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeadSample {
    /// When it became ready.
    pub at: Time,
    /// Seconds from its creation to that.
    pub seconds: f64,
    /// Whether no pod was ready before: such a start may wait for a node, an image or a cache.
    pub from_zero: bool,
}

/// What was observed for one signal. Series share their samples: a clone is cheap.
#[derive(Debug, Clone, Default)]
pub struct SignalHistory {
    /// Load on the grid of `queryStep`, settled samples only; `None` before the first read.
    pub load: Option<Arc<Series>>,
    /// The newest instant value on the grid of `pollStep`; `None` where the query yields none.
    pub newest: Option<Sample>,
    /// Arrivals per second, where the policy asks for them.
    pub arrivals: Option<Arc<Series>>,
    /// Completions per second of all replicas together, where the policy asks for them.
    pub completions: Option<Arc<Series>>,
    /// Whether the counters under the load were there, on the grid of `pollStep`: see [`Counters`].
    pub counters: Option<Arc<Counters>>,
    /// The same of those under the arrivals.
    pub arrival_counters: Option<Arc<Counters>>,
    /// When the source last gave no answer, or had lost what it knew.
    pub interrupted: Option<Interruption>,
    /// When the source itself started, where it tells.
    pub source_began: Option<Time>,
}

/// What is measured of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// Its load.
    Load,
    /// What arrives, of a queue with a deadline.
    Arrivals,
}

/// What tells how much one replica carries: series of all replicas together, on a grid of their own.
#[derive(Debug, Clone, Default)]
pub struct ServiceHistory {
    /// Replicas that are ready.
    pub ready: Option<Series>,
    /// CPU cores that they use.
    pub cpu: Option<Series>,
    /// CPU cores that one of them requests.
    pub request: Option<Series>,
    /// Share of scheduling periods in which the CPU limit stopped them, 0 to 1.
    pub throttled: Option<Series>,
    /// Which template of pods runs: a number that is another with each rollout.
    pub template: Option<Series>,
    /// The latency that the objective speaks of, in seconds.
    pub latency: Option<Series>,
    /// What could not be had, and who has it.
    pub missing: Vec<String>,
}

/// What is known of a workload; the only input of a decision beside the policy and the present instant.
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
    /// Work being done now.
    pub in_flight: Option<Sample>,
    /// What tells how much one replica carries; `None` where nobody asks, or before it was read.
    pub service: Option<Arc<ServiceHistory>>,
    /// The template of pods that runs now, where a decision depends on it.
    pub template: Option<f64>,
    /// Observed starts of pods, in the order they became ready.
    pub lead_samples: Arc<Vec<LeadSample>>,
    /// Until then a workload without history counts as warming, and is not answered from instant values alone.
    pub warm_by: Time,
    /// How far the clock of the data source and ours differ, in seconds.
    pub clock_skew: Span,
    /// The replicas answered last, where known; looked at only while clocks differ or a source refills.
    pub previous: Option<Replicas>,
}

// === impl Observations ===

impl Observations {
    /// Nothing observed yet, for so many signals.
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

    /// The load turned away that belongs to the signal of that number: it is measured in the unit of the first.
    pub fn rejected_of(&self, signal: usize) -> Option<&Series> {
        self.rejected.as_deref().filter(|_| signal == 0)
    }
}

// === impl Sample ===

impl Sample {
    /// Whether the value can be a load: finite, and not below zero.
    pub fn is_load(&self) -> bool {
        self.value.is_finite() && self.value >= 0.0
    }
}

// === impl SignalHistory ===

impl SignalHistory {
    /// The series of what is measured.
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

    /// The newest value known: the instant one, or the last of the history where that is newer.
    pub fn present(&self) -> Option<Sample> {
        let last = self.load.as_ref().and_then(|load| load.last()).map(|(at, value)| Sample { at, value });
        match (self.newest.filter(Sample::is_load), last) {
            (Some(newest), Some(last)) if last.at > newest.at => Some(last),
            (newest, last) => newest.or(last),
        }
    }
}
