//! The contributors that ask for replicas, the reason for the answer, and notes for the reader; with their names and
//! texts.

use std::fmt;

use crate::forecast::Rule;
use crate::units::{Replicas, Span, Time};

/// Who can ask for replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Contributor {
    /// The load now.
    Reactive,
    /// The forecast peak of the lead window.
    Forecast,
    /// Replicas that would be needed again too soon to be worth stopping.
    Plan,
    /// Capacity held through an outage for the retries that follow it.
    Outage,
    /// The schedule's floor.
    Schedule,
    /// `minReplicas`.
    Minimum,
    /// An override by a person.
    Override,
    /// Work in flight while a schedule's zero drains.
    Drain,
    /// The previous answer, while clocks differ.
    ClockSkew,
    /// What was needed and answered before a gap, until samples are the whole load again.
    Refilling,
    /// The largest need plus the spare replicas.
    Spare,
}

/// Why the answer is what it is. The name is also the metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// This contributor asked for the most.
    Need(Contributor),
    /// The schedule's ceiling.
    Ceiling,
    /// `maxReplicas`.
    MaxReplicas,
    /// The schedule commands zero.
    CommandedZero,
    /// Nothing needs a replica.
    Idle,
}

/// What a reader should know in addition to the number.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// More was needed than is allowed.
    Capped {
        /// What was needed.
        needed: Replicas,
    },
    /// The history is shorter than requested.
    HistoryShort {
        /// What it covers.
        covers: Span,
        /// What was requested.
        asked: Span,
    },
    /// There is no forecast.
    NoForecast {
        /// Why.
        why: String,
    },
    /// A newer fit is due but not made yet. The previous forecast stays in use, or the load now if there is none.
    FitLate {
        /// Since when it is due.
        since: Time,
    },
    /// No rule predicts better than the load now; the forecast does not count.
    Distrusted {
        /// Loss of the forecast divided by that of persistence.
        ratio: f64,
    },
    /// A plain rule beats the forecast and predicts instead.
    PlainRule {
        /// That rule.
        rule: Rule,
        /// Loss of the forecast divided by the rule's.
        ratio: f64,
    },
    /// Raised to a multiple of `replicaStep`.
    Stepped,
    /// Raised to the next of `replicaTiers`.
    Tiered,
    /// A limit leaves no room for all spare replicas.
    SpareCut {
        /// Spare replicas that are kept.
        kept: Replicas,
        /// Spare replicas requested.
        wanted: Replicas,
    },
    /// Raised beyond the HPA's tolerance, within which the change would have been ignored.
    BeyondTolerance {
        /// Replicas that run.
        running: Replicas,
    },
    /// Samples of the last day were not learned from: values far beyond all others that were gone at the next sample
    /// or within minutes. Replicas were provided for them while they lasted.
    Ignored {
        /// How many.
        samples: usize,
    },
    /// The load is far from its value at this time on the previous days.
    Unusual {
        /// The load.
        load: f64,
        /// The usual load.
        usual: f64,
    },
    /// The last sample is this old.
    Stale {
        /// Its age.
        age: Span,
    },
    /// Samples are arriving again after a gap; until the query has refilled they are less than the whole load.
    Refilling {
        /// When the query's range is full of samples again.
        until: Time,
    },
    /// An additional signal of the policy has never had a value; the decision is made without it.
    SignalAbsent {
        /// Its position in the policy, counted from 1; the workload's own query is the first.
        number: usize,
    },
    /// The data source's clock and ours differ by this.
    ClockSkew {
        /// The difference.
        skew: Span,
    },
    /// The lead time was learned from observed pods.
    LearnedLead {
        /// The lead time in use.
        lead: Span,
    },
    /// Pods take markedly longer to start than before.
    LeadGrown {
        /// The lead time learned before.
        before: Span,
        /// The lead time of the newest starts.
        lead: Span,
    },
    /// The schedule's floor is above its ceiling; the floor wins.
    CrossingRules,
    /// An event from the server's configuration is in force.
    Event {
        /// The event's name.
        name: String,
    },
    /// The forecast would have asked for this many, but the mode excludes it.
    Shadow {
        /// What the forecast asked for.
        predictive: Replicas,
    },
}

// === impl Contributor ===

impl Contributor {
    /// All contributors.
    pub const ALL: [Contributor; 11] = [
        Contributor::Reactive,
        Contributor::Forecast,
        Contributor::Plan,
        Contributor::Outage,
        Contributor::Schedule,
        Contributor::Minimum,
        Contributor::Override,
        Contributor::Drain,
        Contributor::ClockSkew,
        Contributor::Refilling,
        Contributor::Spare,
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
            Contributor::Refilling => "refilling",
            Contributor::Spare => "spare",
        }
    }

    /// A short title for people.
    pub fn title(self) -> &'static str {
        match self {
            Contributor::Reactive => "load now",
            Contributor::Forecast => "forecast",
            Contributor::Plan => "plan",
            Contributor::Outage => "outage",
            Contributor::Schedule => "schedule",
            Contributor::Minimum => "minReplicas",
            Contributor::Override => "override",
            Contributor::Drain => "work in flight",
            Contributor::ClockSkew => "previous answer, while clocks differ",
            Contributor::Refilling => "need before the gap",
            Contributor::Spare => "with spare replicas",
        }
    }

    /// What it asks for, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Contributor::Reactive => "The newest load, divided by the load per replica.",
            Contributor::Forecast => {
                "The peak load expected until a pod started now is ready, divided in the same way."
            }
            Contributor::Plan => "Replicas that would be needed again too soon to be worth stopping.",
            Contributor::Outage => {
                "What the load before the errors or the median forecast needs, for the retries that follow."
            }
            Contributor::Schedule => "The floor of the schedule at this time.",
            Contributor::Minimum => "The fewest replicas that the policy allows.",
            Contributor::Override => "The number that a person set; nothing else counts until it ends.",
            Contributor::Drain => "Work that is not finished, while the schedule commands zero.",
            Contributor::ClockSkew => "The previous answer, because the age of the samples is not known.",
            Contributor::Refilling => {
                "What was needed before the gap, until the samples are the whole load again."
            }
            Contributor::Spare => "The largest need, plus the replicas that may be lost at any time.",
        }
    }

    /// Whether a purely reactive trigger with the same schedule and limits would have it too.
    pub fn is_reactive(self) -> bool {
        !matches!(self, Contributor::Forecast | Contributor::Plan)
    }
}

impl fmt::Display for Contributor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Contributor::Reactive => "the load now needs it",
            Contributor::Forecast => "the forecast peak of the lead window needs it",
            Contributor::Plan => "kept, because it would be needed again too soon",
            Contributor::Outage => "an outage hides the load, and retries will follow it",
            Contributor::Schedule => "the schedule's floor",
            Contributor::Minimum => "minReplicas",
            Contributor::Override => "an override",
            Contributor::Drain => "work in flight, before a commanded zero",
            Contributor::ClockSkew => "clocks differ, so not below the previous answer",
            Contributor::Refilling => "samples were missing, so not below what was needed before",
            Contributor::Spare => "the need with spareReplicas",
        })
    }
}

// === impl Reason ===

impl Reason {
    /// Every reason, in the order of the metrics.
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
            Note::FitLate { .. } => "fit_late",
            Note::Distrusted { .. } => "distrusted",
            Note::PlainRule { .. } => "plain_rule",
            Note::Stepped => "stepped",
            Note::Tiered => "tiered",
            Note::SpareCut { .. } => "spare_cut",
            Note::BeyondTolerance { .. } => "beyond_tolerance",
            Note::Ignored { .. } => "ignored",
            Note::Unusual { .. } => "unusual",
            Note::Stale { .. } => "stale",
            Note::Refilling { .. } => "refilling",
            Note::SignalAbsent { .. } => "signal_absent",
            Note::ClockSkew { .. } => "clock_skew",
            Note::LearnedLead { .. } => "learned_lead",
            Note::LeadGrown { .. } => "lead_grown",
            Note::CrossingRules => "crossing_rules",
            Note::Event { .. } => "event",
            Note::Shadow { .. } => "shadow",
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Capped { needed } => write!(f, "capped: {needed} needed"),
            Note::HistoryShort { covers, asked } => {
                write!(f, "history_short: {covers} of the {asked} requested")
            }
            Note::NoForecast { why } => write!(f, "no forecast: {why}"),
            Note::FitLate { since } => {
                write!(
                    f,
                    "fit_late: the fit due at {since} is not finished; until then the previous fit counts, if any"
                )
            }
            Note::Distrusted { ratio } => {
                let why = format!("its loss is {ratio:.2} times that of {}", Rule::Reactive);
                write!(f, "the forecast is not trusted and does not count: {why}")
            }
            Note::PlainRule { rule, ratio } => {
                write!(f, "{rule} predicts in place of the forecast, whose loss is {ratio:.2} times as much")
            }
            Note::Stepped => f.write_str("raised to a multiple of replicaStep"),
            Note::Tiered => f.write_str("raised to the next of replicaTiers"),
            Note::SpareCut { kept, wanted } => {
                write!(f, "{kept} of {wanted} spare replicas kept: the limit leaves no room for more")
            }
            Note::BeyondTolerance { running } => {
                write!(f, "raised beyond the HPA's tolerance around the {running} running replicas")
            }
            Note::Ignored { samples } => {
                let plural = if *samples == 1 { "" } else { "s" };
                write!(
                    f,
                    "{samples} sample{plural} ignored: a sudden rise that was gone within minutes is not learned"
                )
            }
            Note::Unusual { load, usual } if *usual > 0.0 && load > usual => {
                let times = load / usual;
                write!(
                    f,
                    "the load is {load:.4}: {times:.1} times the usual load at this time of day, {usual:.4}"
                )
            }
            Note::Unusual { load, usual } => {
                write!(f, "the load is {load:.4}: at this time of day it usually is {usual:.4}")
            }
            Note::Stale { age } => write!(f, "the last sample is {age} old"),
            Note::Refilling { until } => {
                write!(f, "samples were missing: until {until} the load can only raise the answer")
            }
            Note::SignalAbsent { number } => {
                write!(f, "signal {number} of the policy never had a value and does not count")
            }
            Note::ClockSkew { skew } => write!(f, "the data source's clock differs by {skew}"),
            Note::LearnedLead { lead } => write!(f, "lead time learned: {lead}"),
            Note::LeadGrown { before, lead } => {
                write!(f, "pods take longer to start: {lead}, before {before}")
            }
            Note::CrossingRules => f.write_str("the schedule's floor is above its ceiling; the floor wins"),
            Note::Event { name } => write!(f, "event: {name}"),
            Note::Shadow { predictive } => write!(f, "shadow: the forecast asks for {predictive}"),
        }
    }
}
