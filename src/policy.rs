//! What people ask for, as types that cannot be wrong.
//!
//! A [`Policy`] is made once, from the keys of a trigger (and of a named policy from the catalogue) by
//! [`Policy::from_keys`], which reports every fault of the text at once. Behind it nobody parses, defaults or
//! repairs anything. Nothing here reads a file or a clock.

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
pub use fault::{Fault, nearest, quoted};
pub use identity::WorkloadId;
pub use keys::{Faults, KNOWN_KEYS, Keys, is_label, latency, metric_name_or_default, read_keys};
pub use local::{ClockChange, clock_changes, instant_in, next_clock_time};
pub use override_::Override;
pub use reach::look_back;
pub use schedule::{Bounds, RawRule, Schedule};
pub use sizes::{Sizes, Spare};
pub use target::{Target, TargetKind};

use crate::history::{Calendar, Reach};
use crate::units::{Quantile, Replicas, Span, Step, Threshold, Time};

/// How one workload is to be scaled.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Name of the HPA metric, `[a-z0-9-]{1,63}`.
    pub metric_name: String,
    /// What its load is measured by; empty for a workload that follows its schedule alone. The largest need wins.
    pub signals: Vec<Signal>,
    /// Limits used in planning.
    pub limits: Limits,
    /// Floors, ceilings and factors by the clock, those of events among them.
    pub schedule: Schedule,
    /// What happens once and concerns this workload among others.
    pub events: Vec<Event>,
    /// Local time for seasonal patterns, with the dates that count as Sundays.
    pub calendar: Calendar,
    /// What the forecast may do.
    pub mode: Mode,
    /// How much to insure against the forecast being low.
    pub insurance: Insurance,
    /// Time from a decision to a ready pod; [`Policy::lead`] is the one to plan with.
    pub lead_time: LeadTime,
    /// When there may be no replicas at all.
    pub zero: ZeroRule,
    /// Age of the last sample from which a forecast is no longer followed.
    pub max_stale: Span,
    /// The HPA's tolerance to reckon with, as a share: within it the HPA ignores a change.
    pub tolerance: f64,
    /// The counts that there may be.
    pub sizes: Sizes,
    /// Replicas kept beyond the need.
    pub spare: Spare,
    /// How long a ready pod is not yet at full capacity.
    pub warm_up: Span,
    /// A person's word that stands above everything but `maxReplicas`.
    pub r#override: Option<Override>,
    /// What is scaled.
    pub target: Target,
    /// What is learned of the load that one replica carries; `None` where nothing is.
    pub capacity: Option<Learning>,
    /// Further queries about the workload as a whole.
    pub queries: WorkloadQueries,
    /// Spans `(from, to]` that are not learned from.
    pub masked: Vec<(Time, Time)>,
}

/// One measure of load and how it becomes replicas.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Where its queries are sent.
    pub source: SourceRef,
    /// PromQL that yields one series.
    pub query: String,
    /// Load per replica.
    pub threshold: Threshold,
    /// Wakes from zero strictly above this.
    pub activation: f64,
    /// How load becomes replicas.
    pub kind: SignalKind,
    /// History to learn from.
    pub window: Span,
    /// Grid of the history.
    pub step: Step,
    /// Grid of the instant values.
    pub poll_step: Step,
    /// Age at which a sample counts.
    pub settle: Span,
    /// Whether it is forecast. What is only a symptom of the present (CPU, memory, latency) follows the replicas as
    /// much as the load: insuring its forecast would ask for replicas, and those for more.
    pub is_forecast: bool,
    /// How far back the query looks.
    pub look_back: Span,
    /// What tells whether the counters under the query were there.
    pub counters: Vec<String>,
}

/// Where a query is sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceRef {
    /// A data source of the server configuration.
    Named(String),
    /// A Prometheus URL; served only where the server's allow-list admits it.
    Address(String),
}

/// How load becomes replicas.
#[derive(Debug, Clone, PartialEq)]
pub enum SignalKind {
    /// Load ÷ threshold.
    Rate,
    /// Depth ÷ threshold, or the deadline where one is given.
    Queue(Option<Drain>),
}

/// A backlog that must be worked off within a deadline.
#[derive(Debug, Clone, PartialEq)]
pub struct Drain {
    /// PromQL: arrivals per second.
    pub arrivals: String,
    /// How far back that looks.
    pub look_back: Span,
    /// What tells whether the counters under it were there.
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
    /// PromQL: completions per second of all replicas together; divided by the replicas that ran.
    Measured(String),
}

/// Bounds on replicas that always hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// 0 permits zero.
    pub min: Replicas,
    /// At least 1 and at least `min`.
    pub max: Replicas,
}

/// What the forecast may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It counts.
    Predictive,
    /// It is decided and published, and the answer is the reactive one.
    Shadow,
    /// It is not asked.
    Reactive,
}

/// How much to insure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Insurance {
    /// This quantile of the peak of the lead window.
    Quantile(Quantile),
    /// The quantile that keeps the share of time short of replicas at this, found by replaying the history.
    Target(f64),
}

/// Time from a decision to a ready pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadTime {
    /// As given.
    Given(Span),
    /// The 90th percentile of what was observed.
    Auto,
}

/// When there may be no replicas at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZeroRule {
    /// How long there must have been no load.
    pub after: Span,
    /// How long before expected load to wake; the lead time where not given.
    pub wake_ahead: Option<Span>,
    /// How long a commanded zero waits for work in flight.
    pub drain_grace: Span,
}

/// How the load that one replica carries is learned, and what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Learning {
    /// What becomes of it.
    pub mode: CapacityMode,
    /// How much of its CPU request a replica may use, 0 to 1.
    pub utilization: f64,
    /// PromQL of the CPU cores that all replicas use, in place of cAdvisor's.
    pub cpu: Option<String>,
    /// PromQL of the latency that the objective speaks of, in seconds.
    pub latency: Option<String>,
    /// Latency that users still accept, in seconds; twice that of quiet times where there is none.
    pub objective: Option<f64>,
}

/// What becomes of the load that one replica was seen to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapacityMode {
    /// It is published.
    Advise,
    /// It counts in place of the first signal's threshold, within half and twice that.
    Auto,
}

/// PromQL about the workload as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkloadQueries {
    /// Replicas that run.
    pub replicas: Option<String>,
    /// Share of requests that fail, 0 to 1: the sign of an outage.
    pub errors: Option<String>,
    /// Demand turned away, in the unit of the load.
    pub rejected: Option<String>,
    /// Work being done now.
    pub in_flight: Option<String>,
}

// === impl Policy ===

impl Policy {
    /// Whether the schedule alone decides.
    pub fn is_schedule_only(&self) -> bool {
        self.signals.is_empty()
    }

    /// Whether anything looks at the forecast of that signal: of a symptom of the present nothing does, unless errors are
    /// asked for, since they may hide its load.
    pub fn learns(&self, signal: usize) -> bool {
        self.signals.get(signal).is_some_and(|signal| signal.is_forecast || self.queries.errors.is_some())
    }

    /// From a decision to a pod that carries its whole load, before any pod was observed.
    pub fn lead(&self) -> Span {
        self.warm_up
            + match self.lead_time {
                LeadTime::Given(lead) => lead,
                LeadTime::Auto => LeadTime::DEFAULT,
            }
    }

    /// The word of a person that holds at an instant.
    pub fn override_at(&self, at: Time) -> Option<&Override> {
        self.r#override.as_ref().filter(|word| word.holds_at(at))
    }
}

// === impl Learning ===

impl Learning {
    /// How full a replica may be where nobody says: what is left carries a failing neighbour's load and the next minutes.
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
    /// The deadline that sizes it; `None` for whatever is sized by its load alone.
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

    /// The same of what its forecast is made of: the arrivals where a deadline sizes it, its load otherwise.
    pub fn learned_reach(&self) -> Reach {
        Reach::new(self.drain().map_or(self.look_back, |drain| drain.look_back), self.step)
    }

    /// Every query that it takes: its own, those of its deadline, and those about their counters.
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
    /// What is asked to measure the work of a replica, where it is not given.
    pub fn completions(&self) -> Option<&str> {
        match &self.service {
            ServiceRate::Measured(query) => Some(query),
            ServiceRate::Given(_) => None,
        }
    }
}

// === impl Insurance ===

impl Insurance {
    /// What is insured where nothing is said: `objective: balanced`, the 0.95 quantile.
    pub fn balanced() -> Self {
        Insurance::Quantile(Quantile::BALANCED)
    }

    /// The quantile to start from; a target's own is found by replay and until then is the balanced one.
    pub fn quantile(self) -> Quantile {
        match self {
            Insurance::Quantile(q) => q,
            Insurance::Target(_) => Quantile::BALANCED,
        }
    }
}

// === impl LeadTime ===

impl LeadTime {
    /// What is assumed where nothing is given or learned yet: an image on the node and a readiness probe.
    pub const DEFAULT: Span = Span::minutes(2);
}
