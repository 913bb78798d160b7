//! What people ask for, as types that cannot hold an invalid value.
//!
//! [`Policy::from_keys`] builds a [`Policy`] once, from the keys of a trigger and of its named policy, and reports
//! every fault of the text at once. No code behind it parses, defaults or repairs anything. Nothing here reads a file
//! or a clock.

mod counters;
mod event;
mod fault;
pub mod ical;
mod identity;
mod keys;
mod local;
mod override_;
mod reach;
mod reader;
pub mod schedule;
mod sizes;
mod target;

pub use counters::counter_questions;
pub use event::{Event, MOST_EVENTS};
pub use fault::{Fault, Faults, nearest, quoted};
pub use identity::WorkloadId;
pub use keys::{
    KNOWN_KEYS, Keys, is_from_env, is_label, latency, metric_name_or_default, read_keys, secret_place,
};
pub use local::{ClockChange, clock_changes, instant_in, next_clock_time};
pub use override_::Override;
pub use reach::look_back;
pub use schedule::{Bounds, RawRule, Schedule};
pub use sizes::{Sizes, Spare};
pub use target::{Target, TargetKind};

use crate::history::{Calendar, Reach};
use crate::units::{Quantile, Replicas, Span, Step, Threshold, Time};

/// How to scale one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Name of the HPA metric, `[a-z0-9-]{1,63}`.
    pub metric_name: String,
    /// The signals that measure its load; empty for a workload that only follows its schedule. The largest need wins.
    pub signals: Vec<Signal>,
    /// Limits used in planning.
    pub limits: Limits,
    /// Floors, ceilings and factors by time, including those of events.
    pub schedule: Schedule,
    /// One-off events that affect this workload.
    pub events: Vec<Event>,
    /// Local time for seasonal patterns, with the dates that count as Sundays.
    pub calendar: Calendar,
    /// What the forecast is used for.
    pub mode: Mode,
    /// How much to insure against the forecast being low.
    pub insurance: Insurance,
    /// Time from a decision to a ready pod; [`Policy::lead`] is the one to plan with.
    pub lead_time: LeadTime,
    /// When the workload may have no replicas at all.
    pub zero: ZeroRule,
    /// The age of the last sample from which on a forecast is no longer followed.
    pub max_stale: Span,
    /// The HPA's tolerance as a share: the HPA ignores changes within it.
    pub tolerance: f64,
    /// The replica counts allowed.
    pub sizes: Sizes,
    /// Replicas kept beyond the need.
    pub spare: Spare,
    /// How long a ready pod takes to reach its full capacity.
    pub warm_up: Span,
    /// A number of replicas set by a person; only `maxReplicas` limits it.
    pub r#override: Option<Override>,
    /// The object that is scaled.
    pub target: Target,
    /// How to learn the load that one replica carries; `None` if it is not learned.
    pub capacity: Option<Learning>,
    /// Further queries about the workload as a whole.
    pub queries: WorkloadQueries,
    /// Time spans `(from, to]` that are excluded from learning.
    pub masked: Vec<(Time, Time)>,
}

/// One measure of load, and how it is converted to replicas.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Where its queries are sent.
    pub source: SourceRef,
    /// PromQL that returns one series.
    pub query: String,
    /// Load per replica.
    pub threshold: Threshold,
    /// The workload wakes from zero strictly above this load.
    pub activation: f64,
    /// How load is converted to replicas.
    pub kind: SignalKind,
    /// The length of history to learn from.
    pub window: Span,
    /// The step of the history grid.
    pub step: Step,
    /// The step of the grid for current values.
    pub poll_step: Step,
    /// Age at which a sample counts.
    pub settle: Span,
    /// Whether it is forecast. A symptom of the present (CPU, memory, latency) depends on the replicas as much as on
    /// the load: insuring its forecast would add replicas, which would change the forecast again.
    pub is_forecast: bool,
    /// How far back the query looks.
    pub look_back: Span,
    /// Queries that show whether the counters under the query existed.
    pub counters: Vec<String>,
}

/// Where a query is sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceRef {
    /// A data source of the server configuration.
    Named(String),
    /// A Prometheus URL; used only if the server's allow-list permits it.
    Address(String),
}

/// How load is converted to replicas.
#[derive(Debug, Clone, PartialEq)]
pub enum SignalKind {
    /// Load ÷ threshold.
    Rate,
    /// Depth ÷ threshold, or the deadline if one is given.
    Queue(Option<Drain>),
}

/// A backlog that must be worked off within a deadline.
#[derive(Debug, Clone, PartialEq)]
pub struct Drain {
    /// PromQL: arrivals per second.
    pub arrivals: String,
    /// How far back the arrivals query looks.
    pub look_back: Span,
    /// Queries that show whether the counters under it existed.
    pub counters: Vec<String>,
    /// Work one replica does per second.
    pub service: ServiceRate,
    /// The deadline.
    pub within: Span,
}

/// Work one replica does.
#[derive(Debug, Clone, PartialEq)]
pub enum ServiceRate {
    /// Per second, as given.
    Given(f64),
    /// PromQL: completions per second of all replicas together; divided by the replicas that were running.
    Measured(String),
}

/// Bounds on replicas that always apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// 0 permits zero.
    pub min: Replicas,
    /// At least 1 and at least `min`.
    pub max: Replicas,
}

/// What the forecast is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It counts towards the answer.
    Predictive,
    /// It is computed and published, but the answer is the reactive one.
    Shadow,
    /// It is not used.
    Reactive,
}

/// How much to insure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Insurance {
    /// This quantile of the peak of the lead window.
    Quantile(Quantile),
    /// The share of time that may be short of replicas; the insurance is found by replaying the history.
    Target(f64),
}

/// Time from a decision to a ready pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadTime {
    /// As given.
    Given(Span),
    /// The 90th percentile of the observed times.
    Auto,
}

/// When the workload may have no replicas at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZeroRule {
    /// How long there must be no load first.
    pub after: Span,
    /// How long before expected load to wake; the lead time if not given.
    pub wake_ahead: Option<Span>,
    /// How long a commanded zero waits for work in flight.
    pub drain_grace: Span,
}

/// How the load that one replica carries is learned, and how it is used.
#[derive(Debug, Clone, PartialEq)]
pub struct Learning {
    /// How it is used.
    pub mode: CapacityMode,
    /// How much of its CPU request a replica may use, 0 to 1.
    pub utilization: f64,
    /// PromQL of the CPU cores that all replicas use, in place of cAdvisor's.
    pub cpu: Option<String>,
    /// PromQL of the latency to which the objective applies, in seconds.
    pub latency: Option<String>,
    /// The highest acceptable latency in seconds; if not given, twice the latency of quiet times.
    pub objective: Option<f64>,
}

/// How the learned load per replica is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapacityMode {
    /// It is only published.
    Advise,
    /// It replaces the first signal's threshold, limited to between half and twice that threshold.
    Auto,
}

/// PromQL about the workload as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkloadQueries {
    /// The running replicas.
    pub replicas: Option<String>,
    /// Share of failing requests, 0 to 1: the sign of an outage.
    pub errors: Option<String>,
    /// Rejected load, in the unit of the load.
    pub rejected: Option<String>,
    /// Work in progress now.
    pub in_flight: Option<String>,
}

// === impl Policy ===

impl Policy {
    /// Whether only the schedule decides.
    pub fn is_schedule_only(&self) -> bool {
        self.signals.is_empty()
    }

    /// Whether the forecast of that signal is used. For a symptom of the present it is not, unless an error query is
    /// given, since errors may hide its load.
    pub fn learns(&self, signal: usize) -> bool {
        self.signals.get(signal).is_some_and(|signal| signal.is_forecast || self.queries.errors.is_some())
    }

    /// The time from a decision to a pod at full capacity, before any pod start was observed.
    pub fn lead(&self) -> Span {
        self.warm_up
            + match self.lead_time {
                LeadTime::Given(lead) => lead,
                LeadTime::Auto => LeadTime::DEFAULT,
            }
    }

    /// The override that applies at an instant.
    pub fn override_at(&self, at: Time) -> Option<&Override> {
        self.r#override.as_ref().filter(|word| word.holds_at(at))
    }
}

// === impl Learning ===

impl Learning {
    /// The default CPU utilization of a replica: the rest is room for a failing neighbour's load and for the next
    /// minutes.
    pub const UTILIZATION: f64 = 0.7;
}

// === impl CapacityMode ===

impl CapacityMode {
    /// Its name in keys.
    pub fn as_str(self) -> &'static str {
        match self {
            CapacityMode::Advise => "advise",
            CapacityMode::Auto => "auto",
        }
    }
}

// === impl Signal ===

impl Signal {
    /// The deadline that sizes it; `None` if its load alone does.
    pub fn drain(&self) -> Option<&Drain> {
        match &self.kind {
            SignalKind::Queue(drain) => drain.as_ref(),
            SignalKind::Rate => None,
        }
    }

    /// How long its query takes to refill.
    pub fn reach(&self) -> Reach {
        Reach::new(self.look_back, self.step)
    }

    /// The same for the query that is forecast: the arrivals if a deadline sizes the signal, otherwise its load.
    pub fn learned_reach(&self) -> Reach {
        Reach::new(self.drain().map_or(self.look_back, |drain| drain.look_back), self.step)
    }

    /// Every query it needs: its own, those of its deadline, and those about their counters.
    pub fn queries(&self) -> impl Iterator<Item = &str> {
        let drain = self.drain();
        let arrivals = drain.map(|drain| drain.arrivals.as_str());
        let loads =
            [Some(self.query.as_str()), arrivals, drain.and_then(Drain::completions)].into_iter().flatten();
        let counters = self.counters.iter().chain(drain.into_iter().flat_map(|drain| &drain.counters));
        loads.chain(counters.map(String::as_str))
    }
}

// === impl Drain ===

impl Drain {
    /// The query that measures the work of a replica, if the rate is not given.
    pub fn completions(&self) -> Option<&str> {
        match &self.service {
            ServiceRate::Measured(query) => Some(query),
            ServiceRate::Given(_) => None,
        }
    }
}

// === impl Insurance ===

impl Insurance {
    /// The default insurance: `objective: balanced`, the 0.95 quantile.
    pub fn balanced() -> Self {
        Insurance::Quantile(Quantile::BALANCED)
    }

    /// The quantile to start from. For a target it is the balanced one, since its insurance is found by replay later.
    pub fn quantile(self) -> Quantile {
        match self {
            Insurance::Quantile(q) => q,
            Insurance::Target(_) => Quantile::BALANCED,
        }
    }
}

// === impl LeadTime ===

impl LeadTime {
    /// The default before anything is given or learned: the image is on the node, and there is a readiness probe.
    pub const DEFAULT: Span = Span::minutes(2);
}
