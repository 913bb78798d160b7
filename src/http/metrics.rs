//! The server's metrics, with names and base units as in Prometheus. Labels are bounded: a workload's identity, and
//! names of enum variants.

mod labels;
mod names;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use labels::{
    Answered, Bounded, Called, Contributing, Counting, Decided, Held, InState, Predicting, Quantiled,
    Queried, Workload,
};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::capacity::Bound;
use crate::decide::{CapacityView, Contributor, Decision, Note, Reason};
use crate::forecast::{Accuracy, Rule, Trust, TrustState};
use crate::policy::WorkloadId;
use crate::simulate::Balance;
use crate::units::{Quantile, Span};

type FloatGauge = Gauge<f64, AtomicU64>;

/// Every metric of the server.
pub struct Metrics {
    registry: Registry,
    desired: Family<Workload, FloatGauge>,
    required: Family<Contributing, FloatGauge>,
    decisions: Family<Decided, Counter>,
    load: Family<Workload, FloatGauge>,
    forecast_load: Family<Quantiled, FloatGauge>,
    coverage: Family<Quantiled, FloatGauge>,
    skill: Family<Workload, FloatGauge>,
    trust: Family<Predicting, FloatGauge>,
    trust_ratio: Family<Held, FloatGauge>,
    history_age: Family<Workload, FloatGauge>,
    decision_age: Family<Workload, FloatGauge>,
    history_points: Family<Workload, FloatGauge>,
    ignored: Family<Workload, FloatGauge>,
    capped_in: Family<Workload, FloatGauge>,
    events: Family<Workload, FloatGauge>,
    states: Family<InState, Gauge>,
    /// The states that `states` currently contains.
    told_states: Mutex<BTreeMap<WorkloadId, &'static str>>,
    capacity: Family<Bounded, FloatGauge>,
    per_replica: Family<Counting, FloatGauge>,
    insurance: Family<Workload, FloatGauge>,
    scaling_lag: Family<Workload, FloatGauge>,
    replicas: Family<Answered, Counter<f64, AtomicU64>>,
    short: Family<Answered, Counter<f64, AtomicU64>>,
    workloads: Gauge,
    series: Gauge,
    series_bytes: Gauge,
    clock_skew: FloatGauge,
    prepare: Histogram,
    query: Family<Queried, Histogram, fn() -> Histogram>,
    grpc: Family<Called, Histogram, fn() -> Histogram>,
}

/// The direction of a decision.
const DIRECTIONS: [&str; 3] = ["up", "down", "none"];

/// Where a load per replica comes from: the policy, or what the decision used.
const ORIGINS: [&str; 2] = ["given", "used"];

/// The answers that are compared.
const ANSWERS: [&str; 2] = ["predictive", "reactive"];

// === impl Metrics ===

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics, at zero.
    pub fn new() -> Self {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("forescale"),
            desired: Family::default(),
            required: Family::default(),
            decisions: Family::default(),
            load: Family::default(),
            forecast_load: Family::default(),
            coverage: Family::default(),
            skill: Family::default(),
            trust: Family::default(),
            trust_ratio: Family::default(),
            history_age: Family::default(),
            decision_age: Family::default(),
            history_points: Family::default(),
            ignored: Family::default(),
            capped_in: Family::default(),
            events: Family::default(),
            states: Family::default(),
            told_states: Mutex::default(),
            capacity: Family::default(),
            per_replica: Family::default(),
            insurance: Family::default(),
            scaling_lag: Family::default(),
            replicas: Family::default(),
            short: Family::default(),
            workloads: Gauge::default(),
            series: Gauge::default(),
            series_bytes: Gauge::default(),
            clock_skew: FloatGauge::default(),
            prepare: Histogram::new([0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0]),
            query: Family::new_with_constructor(query_histogram),
            grpc: Family::new_with_constructor(grpc_histogram),
        };
        metrics.register_workloads();
        metrics.register_server();
        metrics
    }

    /// The metrics in the OpenMetrics text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// Publishes a decision; its direction is relative to `before`.
    pub fn decided(&self, id: &WorkloadId, decision: &Decision, before: Option<u32>) {
        let workload = Workload::of(id);
        self.desired.get_or_create(&workload).set(f64::from(decision.replicas.get()));
        for contributor in Contributor::ALL {
            let labels = Contributing::of(id, contributor);
            match decision.need(contributor) {
                Some(need) => drop(self.required.get_or_create(&labels).set(f64::from(need.get()))),
                None => drop(self.required.remove(&labels)),
            }
        }
        let direction = match before.unwrap_or(decision.replicas.get()).cmp(&decision.replicas.get()) {
            std::cmp::Ordering::Less => "up",
            std::cmp::Ordering::Greater => "down",
            std::cmp::Ordering::Equal => "none",
        };
        self.decisions.get_or_create(&Decided::of(id, direction, decision.reason.as_str())).inc();
        if let Some(view) = &decision.forecast {
            self.insurance.get_or_create(&workload).set(view.quantile.get());
            for (quantile, load) in Quantile::PUBLISHED.iter().zip(view.published) {
                self.forecast_load.get_or_create(&Quantiled::of(id, *quantile)).set(load);
            }
        }
        if let Some(load) = decision.load {
            self.load.get_or_create(&workload).set(load);
        }
        if let Some(age) = decision.history_age {
            self.history_age.get_or_create(&workload).set(age.as_seconds() as f64);
        }
        let events = decision.notes.iter().filter(|note| matches!(note, Note::Event { .. })).count();
        self.events.get_or_create(&workload).set(events as f64);
        self.carries(id, decision.capacity.as_ref());
        match decision.capped_in {
            Some((span, _)) => drop(self.capped_in.get_or_create(&workload).set(span.as_seconds() as f64)),
            None => drop(self.capped_in.remove(&workload)),
        }
    }

    /// Publishes the worst condition of every workload. A workload that is not in the map has no state.
    pub fn in_states(&self, states: BTreeMap<WorkloadId, &'static str>) {
        let mut before = self.told_states.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, state) in &states {
            self.states.get_or_create(&InState::of(id, state)).set(1);
        }
        for (id, state) in before.iter().filter(|(id, state)| states.get(*id) != Some(*state)) {
            self.states.remove(&InState::of(id, state));
        }
        *before = states;
    }

    /// Publishes what one replica carries; nothing if that is not known.
    fn carries(&self, id: &WorkloadId, view: Option<&CapacityView>) {
        let known = view.and_then(|view| view.carried.verdict.known());
        for bound in Bound::ALL {
            let labels = Bounded::of(id, bound);
            match known.filter(|known| known.bound == bound) {
                Some(known) => drop(self.capacity.get_or_create(&labels).set(known.carried.value)),
                None => drop(self.capacity.remove(&labels)),
            }
        }
        for (origin, load) in ORIGINS.into_iter().zip([view.map(|v| v.carried.given()), view.map(|v| v.used)])
        {
            let labels = Counting::of(id, origin);
            match load.filter(|_| known.is_some()) {
                Some(load) => drop(self.per_replica.get_or_create(&labels).set(load.get())),
                None => drop(self.per_replica.remove(&labels)),
            }
        }
    }

    /// Publishes the age of a workload's newest decision; `None` if it has none.
    pub fn aged(&self, id: &WorkloadId, age: Option<Span>) {
        let workload = Workload::of(id);
        match age {
            Some(age) => drop(self.decision_age.get_or_create(&workload).set(age.as_seconds() as f64)),
            None => drop(self.decision_age.remove(&workload)),
        }
    }

    /// Publishes the forecast's recent accuracy for a workload, the number of samples behind it, and how many samples
    /// of the last day it did not learn from.
    pub fn judged(
        &self,
        id: &WorkloadId,
        trust: Option<&Trust>,
        accuracy: &Accuracy,
        points: usize,
        ignored: usize,
    ) {
        let workload = Workload::of(id);
        self.distrust(id);
        if let Some(trust) = trust {
            self.trust_ratio.get_or_create(&Held::of(id, trust.baseline)).set(trust.ratio);
            self.trust.get_or_create(&Predicting::of(id, trust.rule)).set(match trust.state() {
                TrustState::Trusted => 1.0,
                TrustState::Probation => 0.5,
                TrustState::Distrusted => 0.0,
            });
        }
        self.skill.get_or_create(&workload).set(accuracy.skill_ratio);
        self.history_points.get_or_create(&workload).set(points as f64);
        self.ignored.get_or_create(&workload).set(ignored as f64);
        for (quantile, share) in &accuracy.coverage {
            self.coverage.get_or_create(&Quantiled::of(id, *quantile)).set(*share);
        }
    }

    /// Removes what was published about which rule predicts: only one rule may be labelled at a time.
    fn distrust(&self, id: &WorkloadId) {
        for rule in [Rule::Forecast].into_iter().chain(Rule::PLAIN) {
            self.trust.remove(&Predicting::of(id, rule));
            self.trust_ratio.remove(&Held::of(id, rule));
        }
    }

    /// Publishes how long a workload took from needing more replicas to having them.
    pub fn lagged(&self, id: &WorkloadId, seconds: f64) {
        self.scaling_lag.get_or_create(&Workload::of(id)).set(seconds);
    }

    /// Adds to the ledger: the replicas that each answer ran, and the time it left short. A counter must not fall, so
    /// the saving, which may be negative, is the difference of two counters.
    pub fn entered(&self, id: &WorkloadId, balance: &Balance) {
        for (answer, side) in ANSWERS.into_iter().zip([balance.predictive, balance.reactive]) {
            let labels = Answered::of(id, answer);
            self.replicas.get_or_create(&labels).inc_by(side.replica_seconds);
            self.short.get_or_create(&labels).inc_by(side.short);
        }
    }

    /// Removes all metrics of a workload that is gone.
    pub fn forget(&self, id: &WorkloadId) {
        let workload = Workload::of(id);
        for family in [
            &self.desired,
            &self.load,
            &self.skill,
            &self.history_age,
            &self.decision_age,
            &self.history_points,
            &self.ignored,
            &self.capped_in,
            &self.events,
            &self.insurance,
            &self.scaling_lag,
        ] {
            family.remove(&workload);
        }
        self.distrust(id);
        self.carries(id, None);
        for answer in ANSWERS {
            self.replicas.remove(&Answered::of(id, answer));
            self.short.remove(&Answered::of(id, answer));
        }
        for direction in DIRECTIONS {
            for reason in Reason::all() {
                self.decisions.remove(&Decided::of(id, direction, reason.as_str()));
            }
        }
        for contributor in Contributor::ALL {
            self.required.remove(&Contributing::of(id, contributor));
        }
        for quantile in Quantile::PUBLISHED {
            self.forecast_load.remove(&Quantiled::of(id, quantile));
            self.coverage.remove(&Quantiled::of(id, quantile));
        }
    }

    /// Publishes the numbers of workloads and series.
    pub fn sized(&self, workloads: usize, series: usize, series_bytes: usize) {
        let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.workloads.set(whole(workloads));
        self.series.set(whole(series));
        self.series_bytes.set(whole(series_bytes));
    }

    /// Publishes the largest clock difference, in seconds.
    pub fn skewed(&self, seconds: f64) {
        self.clock_skew.set(seconds);
    }

    /// Records how long one fit took, in seconds.
    pub fn prepared(&self, seconds: f64) {
        self.prepare.observe(seconds);
    }

    /// Records one answered gRPC call.
    pub fn called(&self, method: &'static str, code: String, seconds: f64) {
        self.grpc.get_or_create(&Called { method, code }).observe(seconds);
    }

    /// Records one query of a data source: its outcome and its duration in seconds.
    pub fn queried(&self, datasource: &str, outcome: &'static str, seconds: f64) {
        let labels = Queried { datasource: datasource.to_owned(), outcome };
        self.query.get_or_create(&labels).observe(seconds);
    }
}

fn query_histogram() -> Histogram {
    Histogram::new([0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0])
}

fn grpc_histogram() -> Histogram {
    Histogram::new([0.0001, 0.001, 0.01, 0.1, 1.0])
}
