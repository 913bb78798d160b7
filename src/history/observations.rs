//! Everything a decision may look at, at one instant.

use std::sync::Arc;

use super::Series;
use crate::units::Time;

/// One value with the instant it was observed at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The instant the value belongs to.
    pub at: Time,
    /// The value, finite and not negative.
    pub value: f64,
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
    /// Completions per second, where the policy asks for them.
    pub completions: Option<Arc<Series>>,
    /// Work being done now.
    pub in_flight: Option<Sample>,
    /// Demand turned away, in the unit of the load.
    pub rejected: Option<Arc<Series>>,
    /// Share of failed requests or targets down, 0 to 1.
    pub errors: Option<Sample>,
    /// Whether the source answered its newest question.
    pub source_ok: bool,
}

/// What is known of a workload; the only input of a decision beside the policy and the present instant.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    /// One entry for each signal of the policy, in its order.
    pub signals: Vec<SignalHistory>,
    /// Replicas that really run, where the policy asks for them.
    pub replicas: Option<Arc<Series>>,
    /// Observed times from decision to ready pod, in seconds, newest last.
    pub lead_samples: Arc<Vec<f64>>,
}
