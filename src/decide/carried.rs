//! What one replica of a workload carries, learned at a point of the fit grid, and the load per replica that counts.
//!
//! Like a fit it is a function of the window before its point alone: the fits of five days are made again each time and
//! their steps replayed (`capacity::pace`), so that every replica of the scaler counts on the same load and a restarted
//! one too. Where nothing can be told the threshold counts as it was given.

use std::fmt;
use std::sync::Arc;

use super::prepared::{FIT_GRID, usable_from};
use crate::capacity::{
    Column, Estimate, Evidence, Known, Limit, Pace, Question, REPLAYED, STEP, Said, Verdict, Why, learn, pace,
};
use crate::history::{Observations, Series, ServiceHistory};
use crate::policy::{CapacityMode, Learning, Policy, Signal};
use crate::units::{Span, Threshold, Time};

/// What was learned at a point of the grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// The point.
    pub at: Time,
    /// What one replica carries.
    pub verdict: Verdict,
    /// What could not be had to learn from, and who has it.
    pub missing: Vec<String>,
    given: Threshold,
    pace: Pace,
    /// The template that ran at the point.
    template: Option<f64>,
}

/// What a decision made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityView {
    /// Whether it counts.
    pub mode: CapacityMode,
    /// What was learned.
    pub carried: Arc<Carried>,
    /// The load per replica that the decision counted on.
    pub used: Threshold,
}

/// The grid of what is learned from: a month of it is read in one piece, and minutes tell no more of a month.
pub const SERVICE_STEP: Span = Span::minutes(5);
/// More than this is not looked at: a service of two months ago is another service.
pub const SERVICE_WINDOW: Span = Span::days(28);
/// A rollout this long before a fit holds its step back.
const SETTLED: Span = Span::HOUR;

/// How far back the series of a service are looked at.
pub fn service_window(signal: &Signal) -> Span {
    signal.window.min(SERVICE_WINDOW)
}

/// What one replica carries as of a grid point; `None` where nobody asks or nothing was read yet.
pub fn carried(observations: &Observations, policy: &Policy, at: Time) -> Option<Carried> {
    let (learning, signal) = (policy.capacity.as_ref()?, policy.signals.first()?);
    let service = observations.service.as_deref()?;
    let load = observations.signals.first()?.load.as_deref()?;
    let window = service_window(signal);
    let replayed = match learning.mode {
        CapacityMode::Advise => 1,
        CapacityMode::Auto => REPLAYED,
    };
    // All fits learn from as much, so that none looks further back than the window.
    let steps = i64::try_from(REPLAYED).unwrap_or(0).min(window.as_seconds() / 2 / FIT_GRID.as_seconds());
    let learns = Span::seconds(window.as_seconds() - steps * FIT_GRID.as_seconds());
    let lesson = Lesson { load, service, learning, learns };
    let mut said = Vec::with_capacity(replayed);
    let mut verdict = Verdict::CannotTell(vec![Why::NothingToLearnFrom]);
    for back in (0..i64::try_from(replayed).unwrap_or(1).min(steps.max(1))).rev() {
        let point = at - Span::seconds(back * FIT_GRID.as_seconds());
        verdict = lesson.verdict(point);
        let until = if back == 0 { point } else { point + FIT_GRID };
        said.push(Said::of(&verdict, lesson.rolled(point - SETTLED, until), service.template.is_some()));
    }
    let given = signal.threshold;
    let template = service.template.as_ref().and_then(|series| newest(series, at));
    let missing = service.missing.clone();
    Some(Carried { at, verdict, missing, given, pace: pace(given.get(), &said), template })
}

/// What is learned from.
struct Lesson<'a> {
    load: &'a Series,
    service: &'a ServiceHistory,
    learning: &'a Learning,
    learns: Span,
}

// === impl Lesson ===

impl Lesson<'_> {
    fn verdict(&self, point: Time) -> Verdict {
        let Some(evidence) = self.evidence(point) else {
            return Verdict::CannotTell(vec![Why::NothingToLearnFrom]);
        };
        let request = self.service.request.as_ref().and_then(|series| newest(series, point));
        let question = Question {
            request: request.filter(|cores| *cores > 0.0 && evidence.has(Column::Cpu)),
            utilization: self.learning.utilization,
            objective: evidence
                .has(Column::Latency)
                .then(|| self.learning.objective.map_or(Limit::TwiceQuiet, Limit::Latency)),
        };
        learn(&evidence, &question).verdict
    }

    /// The rows before a point, on the grid of the replicas.
    fn evidence(&self, point: Time) -> Option<Evidence> {
        let ready = self.service.ready.as_ref()?.window(point - self.learns, point);
        let fresh = |at: Time| {
            let slot = self.load.slot_before(at)?;
            self.load.get(slot).filter(|_| at.since(self.load.time(slot)) < self.load.step().span())
        };
        let loads = (0..ready.len()).map(|i| fresh(ready.time(i)).unwrap_or(f64::NAN));
        let load = Series::from_values(ready.start(), ready.step(), loads);
        let ServiceHistory { cpu, throttled, template, latency, .. } = self.service;
        let others = [
            (Column::Cpu, cpu),
            (Column::Throttled, throttled),
            (Column::Generation, template),
            (Column::Latency, latency),
        ];
        let mut known: Vec<(Column, &Series)> = vec![(Column::Replicas, &ready)];
        known.extend(others.iter().filter_map(|(column, series)| Some((*column, series.as_ref()?))));
        Some(Evidence::of_series(&load, &known))
    }

    /// Whether another template came within `(from, to]`.
    fn rolled(&self, from: Time, to: Time) -> bool {
        let Some(series) = &self.service.template else { return false };
        let mut before = newest(series, from);
        let part = series.window(from, to);
        (0..part.len()).filter_map(|i| part.get(i)).any(|template| {
            let is_other = before.is_some_and(|before| before != template);
            before = Some(template);
            is_other
        })
    }
}

/// Three digits of a load per replica, towards more replicas: what changes by less is no reason to scale.
fn rounded(load: f64) -> f64 {
    let digit = 10_f64.powi(load.log10().floor() as i32 - 2);
    // The factor forgives the rounding of a load that is a whole number of digits.
    (load / digit * (1.0 + 1e-9)).floor() * digit
}

/// The last value at or before an instant.
fn newest(series: &Series, at: Time) -> Option<f64> {
    let last = series.slot_before(at)?;
    (0..=last).rev().find_map(|i| series.get(i))
}

// === impl Carried ===

impl Carried {
    /// The load per replica that counts at an instant. A template that came after the fit takes back a step towards
    /// fewer replicas, and so does one that cannot be seen any more.
    fn threshold(&self, template: Option<f64>, now: Time) -> Threshold {
        let Pace { now: new, before } = self.pace;
        let rolled = self.template.is_some() && template != self.template;
        let load = if now < usable_from(self.at) {
            before
        } else if rolled {
            new.min(before)
        } else {
            new
        };
        Threshold::new(rounded(load)).unwrap_or(self.given)
    }

    /// The threshold that was given.
    pub fn given(&self) -> Threshold {
        self.given
    }

    /// The same, counting on no more than a step above what counted before: a source that has lost its history tells
    /// nothing any more, and must not lower an answer by that. While it has its history this changes nothing.
    pub(super) fn after(mut self, before: &Carried) -> Carried {
        if before.given == self.given && before.at <= self.at {
            self.pace.now = self.pace.now.min(STEP * before.pace.now);
        }
        self
    }
}

// === impl CapacityView ===

impl CapacityView {
    /// What a decision at `now` makes of it, where `template` runs.
    pub(super) fn of(carried: &Arc<Carried>, mode: CapacityMode, template: Option<f64>, now: Time) -> Self {
        let used = match mode {
            CapacityMode::Auto => carried.threshold(template, now),
            CapacityMode::Advise => carried.given,
        };
        CapacityView { mode, carried: Arc::clone(carried), used }
    }

    /// Whether a reader should see it: where it is only published and cannot be told, nobody is bothered.
    pub fn is_told(&self) -> bool {
        self.mode == CapacityMode::Auto || self.carried.verdict.known().is_some()
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match &self.verdict {
            Verdict::Known(Known { carried: Estimate { value, low, high }, bound, .. }) => write!(
                f,
                "one replica carries {value:.4} ({low:.4} to {high:.4}), bound by {}, learned at {at}",
                bound.in_words()
            ),
            Verdict::CannotTell(whys) => {
                write!(f, "what one replica carries cannot be told at {at}")?;
                whys.first().map_or(Ok(()), |why| write!(f, ": {why}"))?;
                self.missing.iter().try_for_each(|missing| write!(f, "; missing {missing}"))
            }
        }
    }
}

impl fmt::Display for CapacityView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, given) = (self.used.get(), self.carried.given.get());
        let counts = if self.mode == CapacityMode::Auto { "capacity: auto" } else { "capacity: advise" };
        write!(f, "{}; {used:.4} counts ({counts}, the threshold given is {given:.4})", self.carried)
    }
}

#[cfg(test)]
mod tests;
