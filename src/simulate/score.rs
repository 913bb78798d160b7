//! The scorecard: demand against ready pods over time, by the definitions of the literature (BUNGEE, SPEC RG).
//!
//! Time is divided into equal parts of at most a minute, in which the last values hold. Each scored part is one row,
//! so every share and every replica-hour can be recomputed from the rows. Gaps of the load are never scored.

use super::queue::{Queue, Service};
use super::{Change, Curve, Load, Millis};
use crate::units::{Span, Time};

/// One scored instant: the load and the replicas that served it. It stands for [`scored_every`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The instant.
    pub timestamp: Time,
    /// The load, in the unit of the query.
    pub load: f64,
    /// The fewest replicas, at least the minimum, that hold the load.
    pub demand: u32,
    /// `spec.replicas`.
    pub desired: u32,
    /// Ready pods.
    pub ready: u32,
}

/// The cost of a scaling, and how often it was short.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scorecard {
    /// Percent of the time with fewer pods ready than demanded.
    pub tau_u: f64,
    /// Percent of the time with more.
    pub tau_o: f64,
    /// Mean shortfall, percent of the demand; times without demand count as zero.
    pub theta_u: f64,
    /// Mean excess, percent of the demand; without demand, percent of one replica.
    pub theta_o: f64,
    /// Hours of ready replicas.
    pub replica_hours: f64,
    /// Hours of demanded replicas.
    pub demand_hours: f64,
    /// Ready replica-hours per demanded replica-hour; `None` if nothing was demanded.
    pub rh_ratio: Option<f64>,
    /// Changes of `spec.replicas` a day.
    pub events_per_day: f64,
    /// Replicas added, over the whole time.
    pub starts: u64,
    /// Changes in the opposite direction to the previous one, less than 10 minutes after it.
    pub reversals: u64,
    /// Percent of the requests that were bad: they waited too long, or more arrived than was served.
    pub slo_violations: f64,
    /// Requests: the load summed over time.
    pub requests: f64,
    /// Replica-hours times their price.
    pub cost: f64,
    /// Days that were scored.
    pub days: f64,
}

/// The scored span and its measures.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// The load that one replica holds.
    pub truth: Curve,
    /// Replicas that are always demanded.
    pub min_replicas: u32,
    /// Scored from here.
    pub from: Time,
    /// Scored until here, excluded.
    pub until: Time,
    /// The pods behind the queue.
    pub service: Service,
    /// Money for one hour of one replica.
    pub price: f64,
}

/// The rows of a simulation with their score.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// One row for each scored instant.
    pub steps: Vec<Step>,
    /// Every change of `spec.replicas` by the wall clock (milliseconds since 1970), starting with the initial state;
    /// changes before the scored time are included, because a reversal may undo them.
    pub changes: Vec<Change>,
    /// The score.
    pub scorecard: Scorecard,
}

/// Two changes closer than this that undo each other are flapping (a convention of the peers).
const REVERSAL: Millis = Millis(600_000);
/// The longest part that is scored as one, in seconds: pods start within minutes.
const COARSEST: i64 = 60;

/// The time that one row of the score stands for, given the step of the load: the longest whole number of seconds, at
/// most a minute, that divides the step. So all rows have the same weight.
pub fn scored_every(step: Span) -> Span {
    let step = step.as_seconds().max(1);
    Span::seconds((1..=COARSEST.min(step)).rev().find(|part| step % part == 0).unwrap_or(1))
}

/// Scores what ran: changes of `spec.replicas` and of the ready pods, both counted from `origin`.
pub fn score(load: &Load, measure: &Measure, origin: Time, desired: &[Change], ready: &[Change]) -> Run {
    let mut sums = Sums::default();
    let begun = Millis(origin.epoch() * 1_000);
    let on_the_clock = |change: &Change| Change { at: begun + change.at, ..*change };
    let mut run = Run { changes: desired.iter().map(on_the_clock).collect(), ..Run::default() };
    let (mut wanted, mut serving) = (Cursor::new(desired), Cursor::new(ready));
    let step = load.step().as_seconds();
    let length = scored_every(load.step());
    let first = (measure.from.epoch() - load.start().epoch()).div_euclid(step).max(0);
    let until = measure.until.min(load.end());
    let slots = (first..).map(|slot| Time::from_epoch(load.start().epoch() + slot * step));
    for slot in slots.take_while(|&slot| slot < until) {
        let rate = load.at(slot);
        let holds = measure.truth.at(slot);
        let demand = holds.replicas_for(rate).get().max(measure.min_replicas);
        let observed = load.is_observed(slot) && slot >= measure.from;
        for part in 0..step / length.as_seconds() {
            let timestamp = slot + Span::seconds(part * length.as_seconds());
            let since = Millis(timestamp.epoch() * 1_000) - begun;
            let (desired, ready) = (wanted.at(since), serving.at(since));
            if observed {
                run.steps.push(Step { timestamp, load: rate, demand, desired, ready });
            }
            let seconds = length.as_seconds() as f64;
            let service = holds.get() * measure.service.capacity * f64::from(ready);
            sums.queue.pass(seconds, rate, service, measure.service, observed);
            if observed {
                sums.add(seconds, demand, ready);
            }
        }
    }
    let start = Millis((measure.from.epoch() - origin.epoch()) * 1_000);
    let end = Millis((until.epoch() - origin.epoch()) * 1_000);
    run.scorecard = sums.scorecard(measure, until.since(measure.from));
    events(&mut run.scorecard, desired, start, end);
    run
}

fn events(card: &mut Scorecard, desired: &[Change], start: Millis, end: Millis) {
    let mut before: Option<(Millis, bool)> = None;
    let mut count = 0_u64;
    for pair in desired.windows(2) {
        let [old, new] = pair else { continue };
        if old.replicas == new.replicas {
            continue;
        }
        let up = new.replicas > old.replicas;
        if new.at >= start && new.at < end {
            count += 1;
            card.starts += u64::from(new.replicas.saturating_sub(old.replicas));
            card.reversals += u64::from(before.is_some_and(|(at, was)| was != up && new.at - at < REVERSAL));
        }
        before = Some((new.at, up));
    }
    let days = (end - start).as_secs() / 86_400.0;
    card.events_per_day = if days > 0.0 { count as f64 / days } else { 0.0 };
}

/// Reads changes at ascending instants.
struct Cursor<'a> {
    changes: &'a [Change],
    next: usize,
}

impl<'a> Cursor<'a> {
    fn new(changes: &'a [Change]) -> Self {
        Cursor { changes, next: 0 }
    }

    /// The replicas at an instant; none before the first change.
    fn at(&mut self, at: Millis) -> u32 {
        while self.changes.get(self.next).is_some_and(|change| change.at <= at) {
            self.next += 1;
        }
        self.next.checked_sub(1).and_then(|i| self.changes.get(i)).map_or(0, |change| change.replicas)
    }
}

#[derive(Debug, Default)]
struct Sums {
    seconds: f64,
    short: f64,
    over: f64,
    shortfall: f64,
    excess: f64,
    demanded: f64,
    ready: f64,
    queue: Queue,
}

impl Sums {
    fn add(&mut self, seconds: f64, demand: u32, ready: u32) {
        let (d, s) = (f64::from(demand), f64::from(ready));
        self.seconds += seconds;
        self.demanded += d * seconds;
        self.ready += s * seconds;
        if s < d {
            self.short += seconds;
            self.shortfall += (d - s) / d * seconds;
        } else if s > d {
            self.over += seconds;
            self.excess += (s - d) / d.max(1.0) * seconds;
        }
    }

    fn scorecard(&self, measure: &Measure, span: Span) -> Scorecard {
        let percent = |part: f64| if self.seconds > 0.0 { 100.0 * part / self.seconds } else { 0.0 };
        let replica_hours = self.ready / 3_600.0;
        Scorecard {
            tau_u: percent(self.short),
            tau_o: percent(self.over),
            theta_u: percent(self.shortfall),
            theta_o: percent(self.excess),
            replica_hours,
            demand_hours: self.demanded / 3_600.0,
            rh_ratio: (self.demanded > 0.0).then(|| self.ready / self.demanded),
            slo_violations: 100.0 * self.queue.bad_share(),
            requests: self.queue.offered(),
            cost: replica_hours * measure.price,
            days: span.as_hours() / 24.0,
            ..Scorecard::default()
        }
    }
}

#[cfg(test)]
mod tests;
