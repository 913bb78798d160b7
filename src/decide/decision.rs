//! The result: a number of replicas, what every contributor asked for, and how the number was adjusted.
//!
//! Metrics, JSON and `explain` show the same value of this type, so that they cannot disagree about a decision. It
//! never changes after it was made.

use std::fmt;
use std::sync::Arc;

use super::carried::CapacityView;
use super::reason::{Contributor, Note, Reason};
use crate::forecast::Trust;
use crate::units::{Quantile, Replicas, Span, Time};

/// How many replicas, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The instant it was made for.
    pub at: Time,
    /// The answer to KEDA.
    pub replicas: Replicas,
    /// What the answer would be with the forecast included; equal to `replicas` in predictive mode.
    pub predictive: Replicas,
    /// How degraded its sources were.
    pub rung: DegradationLevel,
    /// What every contributor asked for; the largest that counts wins.
    pub needs: Vec<Need>,
    /// Why the answer is this number.
    pub reason: Reason,
    /// Other things worth knowing, in the order they came up.
    pub notes: Vec<Note>,
    /// The newest load, in the unit of the first signal's query.
    pub load: Option<f64>,
    /// Age of the newest sample.
    pub history_age: Option<Span>,
    /// What the forecast of the first signal said.
    pub forecast: Option<ForecastView>,
    /// What one replica carries, if that is learned.
    pub capacity: Option<CapacityView>,
    /// How far ahead the limit on replicas is expected to be reached, and with what probability.
    pub capped_in: Option<(Span, f64)>,
}

/// What one contributor asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Who asked.
    pub contributor: Contributor,
    /// How many replicas.
    pub replicas: Replicas,
    /// Whether it counts for the answer. An untrusted forecast is shown but does not count.
    pub counts: bool,
}

/// How degraded the sources of a decision were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DegradationLevel {
    /// All sources are current.
    Fresh,
    /// The source fails or the metric vanished; the history up to its end still counts.
    Held,
    /// The last sample is older than `maxStale`; the answer does not fall below the last need.
    Stale,
    /// No forecast: the mode is `reactive`, there is too little history, or it could not be read in time.
    ReactiveOnly,
    /// No load is measured; the schedule, an override or the minimum decides.
    ScheduleOnly,
}

/// What the forecast said when the decision was made.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastView {
    /// How far ahead the decision looked.
    pub window: Span,
    /// The insured quantile.
    pub quantile: Quantile,
    /// The largest load of the window at that quantile.
    pub load: f64,
    /// The same at the published quantiles.
    pub published: [f64; Quantile::PUBLISHED.len()],
    /// The grid point of the fit.
    pub fitted_at: Time,
    /// Which rule predicts, with the evidence. If none does, the forecast is shown, which then does not count.
    pub trust: Trust,
}

/// Why there is no decision. KEDA gets `UNAVAILABLE` and holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Blind {
    /// Since the start, not everything has been read and fitted yet.
    #[error("warming up: {missing}")]
    Warming {
        /// What is missing.
        missing: String,
    },
    /// Neither a load nor the last need is known.
    #[error("no data: {why}")]
    NoData {
        /// What was found instead.
        why: String,
    },
}

/// The newest state of a workload, shared by everyone who reads it.
pub type State = Result<Arc<Decision>, Blind>;

// === impl Decision ===

impl Decision {
    /// Whether the workload should run at all.
    pub fn active(&self) -> bool {
        self.replicas >= Replicas::ONE
    }

    /// What a contributor asked for.
    pub fn need(&self, contributor: Contributor) -> Option<Replicas> {
        self.needs.iter().find(|n| n.contributor == contributor).map(|n| n.replicas)
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.replicas.in_words(), self.at, self.reason)?;
        for need in &self.needs {
            let aside = if need.counts { "" } else { " (does not count)" };
            write!(f, "\n  {} asks for {}{aside}", need.contributor.as_str(), need.replicas)?;
        }
        if let Some(view) = &self.forecast {
            write!(
                f,
                "\n  forecast: at most {:.4} with probability {} in the next {}, fitted at {}, {}",
                view.load,
                view.quantile,
                view.window,
                view.fitted_at,
                view.trust.state()
            )?;
            write!(f, "\n  {}", view.trust)?;
        }
        if let Some(view) = self.capacity.as_ref().filter(|view| view.is_told()) {
            write!(f, "\n  {view}")?;
        }
        self.notes.iter().try_for_each(|note| write!(f, "\n  {note}"))
    }
}

// === impl DegradationLevel ===

impl DegradationLevel {
    /// Whether its data is as new as it can be.
    pub fn is_current(self) -> bool {
        !matches!(self, DegradationLevel::Held | DegradationLevel::Stale)
    }

    /// The name in metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            DegradationLevel::Fresh => "fresh",
            DegradationLevel::Held => "held",
            DegradationLevel::Stale => "stale",
            DegradationLevel::ReactiveOnly => "reactive_only",
            DegradationLevel::ScheduleOnly => "schedule_only",
        }
    }
}
