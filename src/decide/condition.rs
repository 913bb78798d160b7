//! How a workload is doing: one vocabulary for the page, the API, metrics and commands.
//!
//! A condition is derived from a decision and its policy. Conditions that only a server knows (KEDA is silent, keys
//! are rejected) are made there with the same type. Each says what is the case and what to do. Nothing here decides
//! anything.

use std::fmt;

use super::decision::{Blind, Decision, DegradationLevel};
use super::reason::{Contributor, Note, Reason};
use crate::forecast::Rule;
use crate::policy::Policy;
use crate::units::{Replicas, Span, Time};

/// How a workload is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The keys of its trigger are rejected.
    Faulty,
    /// Neither a load nor the last need is known.
    NoData,
    /// The newest decision is so old that KEDA does not get it.
    Outdated {
        /// Its age.
        age: Span,
    },
    /// The last sample is older than `maxStale`; the answer does not fall below the last need.
    Stale {
        /// Age of the last sample.
        age: Span,
    },
    /// All replicas that a limit allows are needed.
    AtLimit {
        /// That limit.
        limit: Replicas,
        /// Whether it is `maxReplicas`; otherwise it is the schedule's ceiling.
        is_max: bool,
        /// What is needed.
        needed: Replicas,
    },
    /// The load is far from its usual value at this time of day.
    UnusualLoad {
        /// The load.
        load: f64,
        /// The usual load.
        usual: f64,
    },
    /// The source fails or the metric vanished; the answer follows the history up to its end.
    Held {
        /// Age of the last sample.
        age: Span,
    },
    /// Samples are arriving again after a gap; until the query has refilled they can only raise the answer.
    Refilling {
        /// When the query has refilled.
        until: Time,
    },
    /// The clocks of the data source and the server differ.
    ClocksDiffer {
        /// By how much.
        skew: Span,
    },
    /// An additional signal has never had a value; the decision is made without it.
    SignalAbsent {
        /// Its place in the policy, counted from 1.
        number: usize,
    },
    /// KEDA has not asked for a while.
    Silent {
        /// When it last asked.
        since: Time,
    },
    /// A limit is likely to be reached.
    NearLimit {
        /// How soon.
        within: Span,
        /// How likely.
        probability: f64,
    },
    /// No rule predicts better than the load now.
    ForecastUnused {
        /// Loss of the forecast divided by the loss of the load now.
        ratio: f64,
    },
    /// There is no forecast yet, or none can be made.
    Learning {
        /// Why.
        why: String,
    },
    /// Not everything has been read since the server started.
    WarmingUp,
    /// An override is in force.
    Overridden {
        /// When it ends.
        until: Time,
    },
    /// No replicas, because the schedule commands zero or because there is no load.
    Asleep,
    /// Nothing to report.
    Healthy,
}

/// How urgent a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Someone should act.
    Bad,
    /// Someone should know.
    Warning,
    /// As it should be.
    Good,
}

// === impl Condition ===

impl Condition {
    /// Every name, worst first.
    pub const NAMES: [&'static str; 18] = [
        "faulty",
        "no_data",
        "outdated",
        "stale",
        "at_limit",
        "unusual_load",
        "held",
        "refilling",
        "clocks_differ",
        "signal_absent",
        "keda_silent",
        "near_limit",
        "forecast_unused",
        "learning",
        "warming_up",
        "overridden",
        "asleep",
        "healthy",
    ];

    /// The titles for people, in the order of the names.
    pub const TITLES: [&'static str; 18] = [
        "faulty keys",
        "no data",
        "decision outdated",
        "stale",
        "at its limit",
        "unusual load",
        "held",
        "refilling",
        "clocks differ",
        "signal without data",
        "KEDA is silent",
        "limit ahead",
        "forecast not used",
        "learning",
        "warming up",
        "override",
        "asleep",
        "healthy",
    ];

    /// All conditions of a decision, worst first; never empty.
    pub fn of(decision: &Decision, policy: &Policy) -> Vec<Condition> {
        let mut found: Vec<Condition> =
            decision.notes.iter().filter_map(|note| Self::of_note(note, decision)).collect();
        match decision.rung {
            DegradationLevel::Stale => {
                found.push(Condition::Stale { age: decision.history_age.unwrap_or_default() })
            }
            DegradationLevel::Held => {
                found.push(Condition::Held { age: decision.history_age.unwrap_or_default() })
            }
            DegradationLevel::Fresh | DegradationLevel::ReactiveOnly | DegradationLevel::ScheduleOnly => {}
        }
        if !found.iter().any(|condition| matches!(condition, Condition::AtLimit { .. })) {
            let near = |(within, probability)| Condition::NearLimit { within, probability };
            found.extend(Self::reached(decision, policy).or(decision.capped_in.map(near)));
        }
        if let (Reason::Need(Contributor::Override), Some(word)) =
            (decision.reason, policy.override_at(decision.at))
        {
            found.push(Condition::Overridden { until: word.until });
        } else if !decision.active() {
            found.push(Condition::Asleep);
        }
        if found.is_empty() {
            found.push(Condition::Healthy);
        }
        found.sort_by_key(Condition::rank);
        found
    }

    /// The condition of a workload without a decision.
    pub fn of_blind(blind: &Blind) -> Condition {
        match blind {
            Blind::Warming { .. } => Condition::WarmingUp,
            Blind::NoData { .. } => Condition::NoData,
        }
    }

    fn of_note(note: &Note, decision: &Decision) -> Option<Condition> {
        Some(match note {
            Note::Capped { needed } => Condition::AtLimit {
                limit: decision.replicas,
                is_max: decision.reason != Reason::Ceiling,
                needed: *needed,
            },
            Note::Unusual { load, usual } => Condition::UnusualLoad { load: *load, usual: *usual },
            Note::Refilling { until } => Condition::Refilling { until: *until },
            Note::ClockSkew { skew } => Condition::ClocksDiffer { skew: *skew },
            Note::SignalAbsent { number } => Condition::SignalAbsent { number: *number },
            Note::Distrusted { ratio } | Note::PlainRule { rule: Rule::Reactive, ratio } => {
                Condition::ForecastUnused { ratio: *ratio }
            }
            Note::NoForecast { why } => Condition::Learning { why: why.clone() },
            _ => return None,
        })
    }

    /// The limit has just been reached: one more replica would not be allowed.
    fn reached(decision: &Decision, policy: &Policy) -> Option<Condition> {
        let max = policy.limits.max;
        let is_needed = matches!(
            decision.reason,
            Reason::Need(
                Contributor::Reactive | Contributor::Forecast | Contributor::Plan | Contributor::Outage
            )
        );
        let is_reached = decision.replicas == max && policy.limits.min < max && is_needed;
        is_reached.then_some(Condition::AtLimit { limit: max, is_max: true, needed: max })
    }

    /// Its position in [`Condition::NAMES`]; the worst is first.
    pub fn rank(&self) -> usize {
        Self::NAMES.iter().position(|name| *name == self.as_str()).unwrap_or(usize::MAX)
    }

    /// Its name in metrics and JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Condition::Faulty => "faulty",
            Condition::NoData => "no_data",
            Condition::Outdated { .. } => "outdated",
            Condition::Stale { .. } => "stale",
            Condition::AtLimit { .. } => "at_limit",
            Condition::UnusualLoad { .. } => "unusual_load",
            Condition::Held { .. } => "held",
            Condition::Refilling { .. } => "refilling",
            Condition::ClocksDiffer { .. } => "clocks_differ",
            Condition::SignalAbsent { .. } => "signal_absent",
            Condition::Silent { .. } => "keda_silent",
            Condition::NearLimit { .. } => "near_limit",
            Condition::ForecastUnused { .. } => "forecast_unused",
            Condition::Learning { .. } => "learning",
            Condition::WarmingUp => "warming_up",
            Condition::Overridden { .. } => "overridden",
            Condition::Asleep => "asleep",
            Condition::Healthy => "healthy",
        }
    }

    /// A short title for people.
    pub fn title(&self) -> &'static str {
        Self::TITLES.get(self.rank()).copied().unwrap_or_default()
    }

    /// How urgent it is.
    pub fn severity(&self) -> Severity {
        match self {
            Condition::Faulty
            | Condition::NoData
            | Condition::Outdated { .. }
            | Condition::Stale { .. }
            | Condition::AtLimit { .. } => Severity::Bad,
            Condition::Overridden { .. } | Condition::Asleep | Condition::Healthy => Severity::Good,
            _ => Severity::Warning,
        }
    }

    /// What to do about it; empty if there is nothing to do.
    pub fn advice(&self) -> &'static str {
        match self {
            Condition::Faulty => {
                "Correct the trigger's metadata. `forescale lint` finds such faults before they are applied."
            }
            Condition::NoData => {
                "Run the query in Prometheus. `forescale doctor` checks each step from there to the pods."
            }
            Condition::Outdated { .. } => {
                "After a change of keys, wait a minute. Otherwise the server's log says what keeps it from deciding."
            }
            Condition::Stale { .. } | Condition::Held { .. } => {
                "Find out why the data source does not answer. The replicas do not fall until it does."
            }
            Condition::AtLimit { is_max: true, .. } => {
                "Raise maxReplicas and maxReplicaCount, or the threshold if one replica carries more."
            }
            Condition::AtLimit { is_max: false, .. } => {
                "Raise the ceiling in the schedule, or set an override until the load has passed."
            }
            Condition::UnusualLoad { .. } => {
                "Check whether the load is real. The key maskedSpans excludes an incident from the history."
            }
            Condition::Refilling { .. } => "Nothing to do. Until then the load can only raise the answer.",
            Condition::ClocksDiffer { .. } => {
                "Synchronise the clocks. Until then the load does not lower the answer."
            }
            Condition::SignalAbsent { .. } => {
                "Correct its query, or remove it from the policy's signals. It counts from its first sample on."
            }
            Condition::Silent { .. } => {
                "Check whether the ScaledObject is paused or gone, or whether KEDA asks another replica of this server."
            }
            Condition::NearLimit { .. } => "Raise maxReplicas before then, or accept the shortage.",
            Condition::ForecastUnused { .. } => {
                "Nothing to do. The load now decides; `forescale forecast --explain` says why."
            }
            Condition::Learning { .. } => "Nothing to do. The load now decides until there is a forecast.",
            Condition::WarmingUp => "Wait. KEDA holds what runs until the history has been read.",
            Condition::Overridden { .. } => "Lift it with `forescale override` if it is no longer needed.",
            Condition::Asleep | Condition::Healthy => "",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Faulty => {
                f.write_str("the metadata of the trigger is refused, and KEDA holds what runs")
            }
            Condition::NoData => {
                f.write_str("neither a load nor the last need is known, and KEDA holds what runs")
            }
            Condition::Outdated { age } => {
                write!(f, "the newest decision is {age} old: KEDA does not get it and holds what runs")
            }
            Condition::Stale { age } => {
                write!(f, "the last sample is {age} old: the answer does not fall below the last need")
            }
            Condition::Held { age } => {
                write!(f, "the last sample is {age} old: the answer follows from the history up to it")
            }
            Condition::AtLimit { limit, is_max, needed } => {
                let name = if *is_max { "maxReplicas" } else { "the schedule's ceiling" };
                if needed > limit {
                    let verb = if *needed == Replicas::ONE { "is" } else { "are" };
                    write!(f, "{} {verb} needed, and {name} allows {limit}", needed.in_words())
                } else if *limit == Replicas::ONE {
                    write!(f, "the one replica that {name} allows is needed")
                } else {
                    write!(f, "all {limit} replicas that {name} allows are needed")
                }
            }
            Condition::UnusualLoad { load, usual } => Note::Unusual { load: *load, usual: *usual }.fmt(f),
            Condition::Refilling { until } => Note::Refilling { until: *until }.fmt(f),
            Condition::ClocksDiffer { skew } => Note::ClockSkew { skew: *skew }.fmt(f),
            Condition::SignalAbsent { number } => Note::SignalAbsent { number: *number }.fmt(f),
            Condition::Silent { since } => write!(f, "KEDA asked last at {since}"),
            Condition::NearLimit { within, probability } => {
                write!(
                    f,
                    "the limit on replicas is likely to be reached in {within}, with probability {probability:.2}"
                )
            }
            Condition::ForecastUnused { ratio } => {
                write!(f, "the forecast does not count: its loss is {ratio:.2} times that of the load now")
            }
            Condition::Learning { why } => write!(f, "there is no forecast: {why}"),
            Condition::WarmingUp => f.write_str("not everything was read since the server started"),
            Condition::Overridden { until } => write!(f, "an override holds until {until}"),
            Condition::Asleep => f.write_str("no replicas are asked for"),
            Condition::Healthy => f.write_str("no problems"),
        }
    }
}

#[cfg(test)]
mod tests;
