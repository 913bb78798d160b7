//! What one replica of a workload carries, learned at a point of the fit grid, and the load per replica in use.
//!
//! Like a fit, it depends only on the window before its point. In `auto` mode the fits of up to five days are
//! therefore repeated each time and their steps replayed (`capacity::pace`), so that every replica of the scaler,
//! including a restarted one, uses the same load per replica. If nothing can be learned, the configured threshold is
//! used.

use std::fmt;
use std::sync::Arc;

use super::fits::{FIT_GRID, usable_from};
use crate::capacity::{
    Column, Estimate, Evidence, Known, Limit, Pace, Question, REPLAYED, STEP, Said, Verdict, Why, learn, pace,
};
use crate::history::{Observations, Series, ServiceHistory};
use crate::policy::{CapacityMode, Learning, Policy, Signal};
use crate::units::{Span, Threshold, Time};

/// What was learned at a point of the fit grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// The grid point.
    pub at: Time,
    /// What one replica carries.
    pub verdict: Verdict,
    /// What was missing to learn from, and where it would come from.
    pub missing: Vec<String>,
    given: Threshold,
    pace: Pace,
    /// The pod template that ran at the grid point.
    template: Option<f64>,
}

/// How a decision uses it.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityView {
    /// Whether the learned value is used or only published.
    pub mode: CapacityMode,
    /// What was learned.
    pub carried: Arc<Carried>,
    /// The load per replica that the decision used.
    pub used: Threshold,
}

/// The grid of the learning data. A month of it is read in one query, and a finer grid would add nothing.
pub const SERVICE_STEP: Span = Span::minutes(5);
/// Older data is not used: two months ago the service was a different one.
pub const SERVICE_WINDOW: Span = Span::days(28);
/// A rollout this long before a fit delays that fit's step.
const SETTLED: Span = Span::HOUR;

/// How far back the series of a service are read.
pub fn service_window(signal: &Signal) -> Span {
    signal.window.min(SERVICE_WINDOW)
}

/// What one replica carries as of a grid point; `None` if the policy does not ask for it or nothing was read yet.
pub fn carried(observations: &Observations, policy: &Policy, at: Time) -> Option<Carried> {
    let (learning, signal) = (policy.capacity.as_ref()?, policy.signals.first()?);
    let service = observations.service.as_deref()?;
    let load = observations.signals.first()?.load.as_deref()?;
    let window = service_window(signal);
    let replayed = match learning.mode {
        CapacityMode::Advise => 1,
        CapacityMode::Auto => REPLAYED,
    };
    // All fits learn from the same length of history, so that none looks further back than the window.
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
    let template = service.template.as_ref().and_then(|series| series.latest(at));
    let missing = service.missing.clone();
    Some(Carried { at, verdict, missing, given, pace: pace(given.get(), &said), template })
}

/// The data to learn from.
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
        let request = self.service.request.as_ref().and_then(|series| series.latest(point));
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

    /// Whether the pod template changed within `(from, to]`.
    fn rolled(&self, from: Time, to: Time) -> bool {
        let Some(series) = &self.service.template else { return false };
        let mut before = series.latest(from);
        let part = series.window(from, to);
        (0..part.len()).filter_map(|i| part.get(i)).any(|template| {
            let is_other = before.is_some_and(|before| before != template);
            before = Some(template);
            is_other
        })
    }
}

/// Rounds a load per replica down to three digits, that is towards more replicas: a smaller change is no reason to
/// scale.
fn rounded(load: f64) -> f64 {
    let digit = 10_f64.powi(load.log10().floor() as i32 - 2);
    // The factor absorbs rounding errors in a load that already has three digits.
    (load / digit * (1.0 + 1e-9)).floor() * digit
}

// === impl Carried ===

impl Carried {
    /// The load per replica to use at an instant. If the pod template changed after the fit, or can no longer be
    /// seen, a step towards fewer replicas is taken back.
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

    /// The configured threshold.
    pub fn given(&self) -> Threshold {
        self.given
    }

    /// Limits the load per replica to one step above the previous one. A source that has lost its history can no
    /// longer justify a higher value, and must not lower an answer that way. While the source has its history, this
    /// changes nothing.
    pub(super) fn after(mut self, before: &Carried) -> Carried {
        if before.given == self.given && before.at <= self.at {
            self.pace.now = self.pace.now.min(STEP * before.pace.now);
        }
        self
    }
}

// === impl CapacityView ===

impl CapacityView {
    /// What a decision at `now` uses, given that `template` runs.
    pub(super) fn of(carried: &Arc<Carried>, mode: CapacityMode, template: Option<f64>, now: Time) -> Self {
        let used = match mode {
            CapacityMode::Auto => carried.threshold(template, now),
            CapacityMode::Advise => carried.given,
        };
        CapacityView { mode, carried: Arc::clone(carried), used }
    }

    /// Whether it is worth showing: a value that is only published and cannot be learned is left out.
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
                write!(f, "what one replica carries is unknown at {at}")?;
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
        write!(f, "{}; {used:.4} is used ({counts}, the configured threshold is {given:.4})", self.carried)
    }
}

#[cfg(test)]
mod tests;
