//! The result: a number of replicas, everything that spoke for it, and what was done to it on the way.

use std::fmt;
use std::sync::Arc;

use crate::units::{Quantile, Replicas, Span, Time};

/// How many replicas, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The instant it was made for.
    pub at: Time,
    /// The answer to KEDA.
    pub replicas: Replicas,
    /// The answer had the forecast counted; equal to `replicas` in predictive mode.
    pub predictive: Replicas,
    /// Which rung of the ladder of failures it stands on.
    pub rung: Rung,
    /// What every contributor asked for; the largest counts.
    pub needs: Vec<Need>,
    /// Why it is this number.
    pub reason: Reason,
    /// What else the reader should know, in the order it came up.
    pub notes: Vec<Note>,
    /// The newest load, in the unit of the first signal's query.
    pub load: Option<f64>,
    /// Age of the newest sample.
    pub history_age: Option<Span>,
    /// What the forecast of the first signal said.
    pub forecast: Option<ForecastView>,
    /// How far ahead the limit on replicas is expected to bind, with the probability then.
    pub capped_in: Option<(Span, f64)>,
}

/// What one contributor asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Who asked.
    pub contributor: Contributor,
    /// For how many.
    pub replicas: Replicas,
    /// Whether it counts in the answer; a forecast that is not trusted is shown and does not.
    pub counts: bool,
}

/// Who can ask for replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contributor {
    /// The load now.
    Reactive,
    /// The forecast peak of the lead window.
    Forecast,
    /// Replicas that would be needed again before a restart pays.
    Plan,
    /// Capacity held through an outage for the retries that follow it.
    Outage,
    /// The schedule's floor.
    Schedule,
    /// `minReplicas`.
    Minimum,
    /// A person.
    Override,
    /// Work in flight while a commanded zero drains.
    Drain,
    /// The answer before, while clocks differ.
    ClockSkew,
}

/// Which rung of the ladder of failures a decision stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// Everything is there.
    Fresh,
    /// The source fails or the metric vanished; the history as it ended still counts.
    Held,
    /// The last sample is older than `maxStale`: no less than was needed last.
    Stale,
    /// No forecast: too little history, or none could be read in time.
    ReactiveOnly,
    /// No load is measured; the schedule, an override or the minimum decides.
    ScheduleOnly,
}

/// Why the answer is what it is. The name is also the label of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// This contributor asked for the most.
    Need(Contributor),
    /// The schedule's ceiling.
    Ceiling,
    /// `maxReplicas`.
    MaxReplicas,
    /// The schedule commands zero.
    CommandedZero,
    /// Nothing asks for a replica.
    Idle,
}

/// What a reader should know beside the number.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// More was needed than is allowed.
    Capped {
        /// What was needed.
        needed: Replicas,
    },
    /// The history covers less than was asked for.
    HistoryShort {
        /// What it covers.
        covers: Span,
        /// What was asked for.
        asked: Span,
    },
    /// There is no forecast.
    NoForecast {
        /// Why.
        why: String,
    },
    /// The forecast is not trusted and does not count.
    Distrusted,
    /// The forecast is not trusted; the plain rule that beats it is insured in its place, so that a promised share of
    /// time is kept.
    PlainRule,
    /// Raised to a multiple of `replicaStep`.
    Stepped,
    /// Raised beyond the HPA's tolerance, within which it would have been ignored.
    BeyondTolerance {
        /// Replicas that run.
        running: Replicas,
    },
    /// The last sample is this old.
    Stale {
        /// Its age.
        age: Span,
    },
    /// The clocks of the data source and ours differ by this.
    ClockSkew {
        /// The difference.
        skew: Span,
    },
    /// The lead time was learned from observed pods.
    LearnedLead {
        /// The lead time in use.
        lead: Span,
    },
    /// Pods take markedly longer to start than they did.
    LeadGrown {
        /// The lead time learned before.
        before: Span,
        /// The lead time of the newest starts.
        lead: Span,
    },
    /// The schedule's floor stands above its ceiling; the floor wins.
    CrossingRules,
    /// The forecast would have asked for this many, and the mode keeps it out.
    Shadow {
        /// What the forecast asked for.
        predictive: Replicas,
    },
}

/// What the forecast said when the decision was made.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastView {
    /// How far ahead the decision looked.
    pub window: Span,
    /// The quantile that was insured.
    pub quantile: Quantile,
    /// The largest load of the window at that quantile.
    pub load: f64,
    /// The same at the published quantiles.
    pub published: [f64; Quantile::PUBLISHED.len()],
    /// The grid point the fit belongs to.
    pub fitted_at: Time,
    /// Trust, as a label.
    pub trust: &'static str,
}

/// Why there is no decision. KEDA gets `UNAVAILABLE` and holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Blind {
    /// Not everything was read and fitted yet since the start.
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

/// The newest state of a workload, shared by whoever asks for it.
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
        write!(f, "{} replicas at {}: {}", self.replicas, self.at, self.reason)?;
        for need in &self.needs {
            let aside = if need.counts { "" } else { " (does not count)" };
            write!(f, "\n  {} asks for {}{aside}", need.contributor.as_str(), need.replicas)?;
        }
        if let Some(view) = &self.forecast {
            write!(
                f,
                "\n  forecast: at most {:.4} with probability {} in the coming {}, fitted at {}, {}",
                view.load, view.quantile, view.window, view.fitted_at, view.trust
            )?;
        }
        self.notes.iter().try_for_each(|note| write!(f, "\n  {note}"))
    }
}

// === impl Contributor ===

impl Contributor {
    /// Everybody who can ask.
    pub const ALL: [Contributor; 9] = [
        Contributor::Reactive,
        Contributor::Forecast,
        Contributor::Plan,
        Contributor::Outage,
        Contributor::Schedule,
        Contributor::Minimum,
        Contributor::Override,
        Contributor::Drain,
        Contributor::ClockSkew,
    ];

    /// The name in metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Contributor::Reactive => "reactive",
            Contributor::Forecast => "forecast",
            Contributor::Plan => "plan",
            Contributor::Outage => "outage",
            Contributor::Schedule => "schedule",
            Contributor::Minimum => "minimum",
            Contributor::Override => "override",
            Contributor::Drain => "drain",
            Contributor::ClockSkew => "clock_skew",
        }
    }

    /// Whether a purely reactive trigger, with the same schedule and limits, would know it too.
    pub fn is_reactive(self) -> bool {
        !matches!(self, Contributor::Forecast | Contributor::Plan)
    }
}

impl fmt::Display for Contributor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Contributor::Reactive => "the load now needs it",
            Contributor::Forecast => "the forecast peak of the lead window needs it",
            Contributor::Plan => "it would be needed again before a restart pays",
            Contributor::Outage => "an outage hides the demand, and retries will follow it",
            Contributor::Schedule => "the schedule's floor",
            Contributor::Minimum => "minReplicas",
            Contributor::Override => "an override",
            Contributor::Drain => "work in flight, before a commanded zero",
            Contributor::ClockSkew => "clocks differ, so not below the answer before",
        })
    }
}

// === impl Rung ===

impl Rung {
    /// The name in metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Rung::Fresh => "fresh",
            Rung::Held => "held",
            Rung::Stale => "stale",
            Rung::ReactiveOnly => "reactive_only",
            Rung::ScheduleOnly => "schedule_only",
        }
    }
}

// === impl Reason ===

impl Reason {
    /// Every reason, as metrics name them.
    pub fn all() -> impl Iterator<Item = Reason> {
        let limits = [Reason::Ceiling, Reason::MaxReplicas, Reason::CommandedZero, Reason::Idle];
        Contributor::ALL.map(Reason::Need).into_iter().chain(limits)
    }

    /// The name in metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Need(contributor) => contributor.as_str(),
            Reason::Ceiling => "ceiling",
            Reason::MaxReplicas => "max_replicas",
            Reason::CommandedZero => "commanded_zero",
            Reason::Idle => "idle",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Need(contributor) => return contributor.fmt(f),
            Reason::Ceiling => "the schedule's ceiling",
            Reason::MaxReplicas => "maxReplicas",
            Reason::CommandedZero => "the schedule commands zero",
            Reason::Idle => "nothing asks for a replica",
        })
    }
}

impl Note {
    /// The name in metrics and JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Note::Capped { .. } => "capped",
            Note::HistoryShort { .. } => "history_short",
            Note::NoForecast { .. } => "no_forecast",
            Note::Distrusted => "distrusted",
            Note::PlainRule => "plain_rule",
            Note::Stepped => "stepped",
            Note::BeyondTolerance { .. } => "beyond_tolerance",
            Note::Stale { .. } => "stale",
            Note::ClockSkew { .. } => "clock_skew",
            Note::LearnedLead { .. } => "learned_lead",
            Note::LeadGrown { .. } => "lead_grown",
            Note::CrossingRules => "crossing_rules",
            Note::Shadow { .. } => "shadow",
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Capped { needed } => write!(f, "capped: {needed} needed"),
            Note::HistoryShort { covers, asked } => {
                write!(f, "history_short: {covers} of the {asked} asked for")
            }
            Note::NoForecast { why } => write!(f, "no forecast: {why}"),
            Note::Distrusted => f.write_str("the forecast is not trusted and does not count"),
            Note::PlainRule => f.write_str(
                "the forecast is not trusted: the plain rule that beats it is insured in its place",
            ),
            Note::Stepped => f.write_str("raised to a multiple of replicaStep"),
            Note::BeyondTolerance { running } => {
                write!(f, "raised beyond the HPA's tolerance around the {running} that run")
            }
            Note::Stale { age } => write!(f, "the last sample is {age} old"),
            Note::ClockSkew { skew } => write!(f, "the data source's clock differs by {skew}"),
            Note::LearnedLead { lead } => write!(f, "lead time learned: {lead}"),
            Note::LeadGrown { before, lead } => {
                write!(f, "pods take longer to start: {lead}, {before} before")
            }
            Note::CrossingRules => {
                f.write_str("the schedule's floor stands above its ceiling; the floor wins")
            }
            Note::Shadow { predictive } => write!(f, "shadow: the forecast asks for {predictive}"),
        }
    }
}
