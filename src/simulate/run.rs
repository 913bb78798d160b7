//! One strategy against one load through the twin, scored.
//!
//! The twin starts some time before the scored span, with the replicas that the load demands then, so that no
//! strategy is charged for a start it did not choose. A strategy is asked exactly when the controllers would call a
//! scaler, and sees only samples that could have been collected by then.

use std::ops::Range;

use super::score::{Measure, Run, score, scored_every};
use super::{
    Change, ConfigError, Curve, Load, Loss, Millis, Scaler, ScalerResponse, Seen, Service, Twin, TwinConfig,
    View,
};
use crate::history::Series;
use crate::units::{Replicas, Span, Threshold, Time};

/// Chooses replicas, asked at every poll and every HPA sync.
pub trait Strategy {
    /// The replicas wanted now, fractions allowed; above zero the workload is active. `None` is a call that fails.
    fn wants(&mut self, now: &Moment<'_>) -> Option<f64>;
}

/// What a strategy may know when it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The instant.
    pub at: Time,
    /// The known part of the load.
    pub seen: Seen<'a>,
    /// `spec.replicas`.
    pub desired: u32,
    /// Ready pods.
    pub ready: u32,
}

/// A workload to simulate: its cluster and its goals.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// ScaledObject, HPA, pods. The number of replicas at the start is replaced by the demand then.
    pub twin: TwinConfig,
    /// The load that one replica is meant to hold; strategies scale by it.
    pub threshold: Threshold,
    /// The load that one replica really holds; `None` is the threshold.
    pub truth: Option<Curve>,
    /// From the instant of a sample until a scaler can read it.
    pub metric_delay: Span,
    /// The time simulated before the score begins.
    pub warm_up: Span,
    /// Scored from here; `None` is the first sample.
    pub from: Option<Time>,
    /// Scored until here; `None` is the end of the load.
    pub until: Option<Time>,
    /// The pods behind the queue.
    pub service: Service,
    /// Money for one hour of one replica.
    pub price: f64,
    /// Shares of the ready pods that are lost, by instant.
    pub losses: Vec<(Time, f64)>,
}

/// A running simulation. It can be advanced in parts, so that several settings of one strategy can share expensive
/// computations.
pub(super) struct Session<'a> {
    load: &'a Load,
    measure: Measure,
    delay: Span,
    origin: Time,
    twin: Twin,
}

struct Driver<'a> {
    load: &'a Load,
    delay: Span,
    origin: Time,
    strategy: &'a mut dyn Strategy,
}

// === impl Target ===

impl Target {
    /// A workload with the defaults of the cluster, scored over its whole load.
    pub fn new(threshold: Threshold) -> Self {
        Target {
            twin: TwinConfig::default(),
            threshold,
            truth: None,
            // Half of a usual rate window of 1 min, and half a scrape interval of 1 min.
            metric_delay: Span::MINUTE,
            // The HPA's memory is 5 min and its first sync comes late: after half an hour the start no longer
            // matters.
            warm_up: Span::minutes(30),
            from: None,
            until: None,
            service: Service::default(),
            price: 0.0,
            losses: Vec::new(),
        }
    }

    /// The load that one replica really holds.
    pub fn curve(&self) -> Curve {
        self.truth.clone().unwrap_or_else(|| Curve::steady(self.threshold))
    }

    /// How the workload is scored.
    pub fn measure(&self, load: &Load) -> Measure {
        Measure {
            truth: self.curve(),
            min_replicas: self.twin.min_replicas,
            from: self.from.unwrap_or(load.start()).max(load.start()),
            until: self.until.unwrap_or(load.end()).min(load.end()),
            service: self.service,
            price: self.price,
        }
    }

    /// The total time from a want to ready pods, for 9 of 10 pods: a sync, the creation, the start of the pod.
    pub fn lead(&self) -> Span {
        let pods = &self.twin.pods;
        // 10 % of a normal distribution lie more than 1.2816 standard deviations above the median.
        let start = pods.ready.as_secs() * (1.281_6 * pods.spread).exp();
        let node = if pods.spare < self.twin.max_replicas { pods.node.as_secs() } else { 0.0 };
        let seconds = self.twin.hpa.sync_period.as_secs() + pods.creation.as_secs() + start + node;
        Span::seconds(seconds.ceil() as i64)
    }

    fn initial(&self, load: &Load, at: Time) -> u32 {
        let demand = self.threshold.replicas_for(load.at(at)).get();
        demand.clamp(self.twin.min_replicas, self.twin.max_replicas.max(self.twin.min_replicas))
    }
}

/// Simulates a strategy and scores it.
pub fn run(load: &Load, target: &Target, strategy: &mut dyn Strategy) -> Result<Run, ConfigError> {
    let mut session = Session::new(load, target)?;
    let until = session.scored().end;
    session.advance(strategy, until);
    Ok(session.finish())
}

/// Scores what really ran: the observed replicas, assumed to be ready. A gap holds the last sample.
pub fn ran(load: &Load, target: &Target, replicas: &Series) -> Run {
    let measure = target.measure(load);
    let mut changes: Vec<Change> = Vec::new();
    for slot in 0..replicas.len() {
        let Some(count) = replicas.get(slot) else { continue };
        let count = Replicas::covering(count.round()).get();
        if changes.last().is_none_or(|last| last.replicas != count) {
            let at = Millis((replicas.time(slot).epoch() - measure.from.epoch()) * 1_000);
            changes.push(Change { at, replicas: count });
        }
    }
    score(load, &measure, measure.from, &changes, &changes)
}

// === impl Session ===

impl<'a> Session<'a> {
    pub(super) fn new(load: &'a Load, target: &Target) -> Result<Self, ConfigError> {
        let measure = target.measure(load);
        let origin = (measure.from - target.warm_up).max(load.start());
        let initial_replicas = target.initial(load, origin);
        let created_at = Millis(origin.epoch() * 1_000).max(Millis::ZERO);
        let mut losses: Vec<_> = target.losses.clone();
        losses.sort_by_key(|(at, _)| *at);
        let losses = losses.into_iter().filter(|(at, _)| *at >= origin);
        let losses = losses.map(|(at, share)| Loss { at: Millis::from(at.since(origin)), share }).collect();
        let twin = Twin::new(TwinConfig { initial_replicas, created_at, losses, ..target.twin.clone() })?;
        Ok(Session { load, measure, delay: target.metric_delay, origin, twin })
    }

    /// The start of the simulation, before the scored span.
    pub(super) fn origin(&self) -> Time {
        self.origin
    }

    /// The scored span. The simulation ends with it.
    pub(super) fn scored(&self) -> Range<Time> {
        self.measure.from..self.measure.until
    }

    /// The time short in a part of the scored span that has been simulated.
    pub(super) fn short(&self, from: Time, until: Time) -> Span {
        let measure = Measure { from, until, ..self.measure.clone() };
        let part = score(self.load, &measure, self.origin, self.twin.desired(), self.twin.ready());
        let short = part.steps.iter().filter(|step| step.ready < step.demand).count();
        Span::seconds(scored_every(self.load.step()).as_seconds() * short as i64)
    }

    /// Lets the controllers act until `until`, inclusive.
    pub(super) fn advance(&mut self, strategy: &mut dyn Strategy, until: Time) {
        self.advance_millis(strategy, Millis::from(until.since(self.origin)));
    }

    /// Lets the controllers act until just before `until`.
    pub(super) fn advance_before(&mut self, strategy: &mut dyn Strategy, until: Time) {
        self.advance_millis(strategy, Millis::from(until.since(self.origin)) - Millis(1));
    }

    fn advance_millis(&mut self, strategy: &mut dyn Strategy, until: Millis) {
        let mut driver = Driver { load: self.load, delay: self.delay, origin: self.origin, strategy };
        self.twin.advance(&mut driver, until);
    }

    /// The score of the run.
    pub(super) fn finish(self) -> Run {
        score(self.load, &self.measure, self.origin, self.twin.desired(), self.twin.ready())
    }
}

impl Scaler for Driver<'_> {
    fn answer(&mut self, view: View, _trigger: usize) -> ScalerResponse {
        let at = self.origin + Span::seconds(view.at.0.div_euclid(1_000));
        let seen = self.load.seen_at(at, self.delay);
        let moment = Moment { at, seen, desired: view.desired, ready: view.ready };
        let value = self.strategy.wants(&moment);
        ScalerResponse { value, active: value.map(|replicas| replicas > 0.0), target: Some(1.0) }
    }
}

#[cfg(test)]
mod tests;
