//! What a decision rests on beside the observations: a forecast for each signal, and how much of it is insured.
//!
//! A fit belongs to a point of a 6-hour grid and is a function of the window before it alone, so every replica of
//! the scaler, and one after a restart, holds the same.

use std::sync::Arc;

use super::cached_forecast::CachedForecast;
use super::carried::{CapacityView, Carried};
use super::deadline::drain_of;
use super::followed::FitId;
use super::insured::trust;
use super::terms::Terms;
use crate::forecast::{FitError, Rule, Trust, fit};
use crate::history::{Observations, Series, SignalHistory};
use crate::plan::{self, Backlog, Doubts, Insured};
use crate::policy::{Policy, Signal};
use crate::units::{Quantile, Replicas, Span, Time};

/// What a decision for one workload rests on.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The newest grid point that a fit was made for.
    pub at: Time,
    /// One entry for each signal, in the policy's order.
    pub signals: Vec<SignalPlan>,
    /// What one replica of the first signal carries, where that is learned.
    pub capacity: Option<Arc<Carried>>,
    /// The first instant, of those looked at, at which the limit on replicas is likely to bind.
    pub ceiling: Option<Ceiling>,
    /// What the load of each signal usually is at the time of day of its newest value, where that is known: for whoever
    /// tells of a decision.
    pub usual: Vec<Option<f64>>,
    /// Since when a newer fit, or its price, has been due without being there yet.
    pub late: Option<Time>,
}

/// What is known of one signal's future.
#[derive(Debug, Clone)]
pub enum SignalPlan {
    /// Not fitted yet.
    Pending,
    /// The history does not carry a forecast.
    Unfit(FitError),
    /// A forecast.
    Ready {
        /// The forecast, folded forward.
        tracker: Arc<CachedForecast>,
        /// How much to insure.
        insured: Insured,
    },
}

/// When the limit on replicas is expected to bind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceiling {
    /// The instant.
    pub at: Time,
    /// The probability that more is needed then than is allowed, at least one in five.
    pub probability: f64,
}

/// The distance of the grid that fits belong to.
pub const FIT_GRID: Span = Span::hours(6);
/// How long after its grid point a fit comes into use, so that every replica has it by then.
pub const FIT_DELAY: Span = Span::minutes(5);
/// The probability from which a foreseen ceiling is reported.
pub const LIKELY: f64 = 0.2;

/// The last grid point whose fit is in use at `now`; `phase` spreads the work of many series.
pub fn grid_point(now: Time, phase: Span) -> Time {
    (now - FIT_DELAY).floor_to(FIT_GRID, phase)
}

/// From when on the fit of grid point `at` is used.
pub fn usable_from(at: Time) -> Time {
    at + FIT_DELAY
}

/// Fits and calibrates every signal on what was observed up to the grid point `at`. Total: a signal without enough
/// history becomes [`SignalPlan::Unfit`], one without any [`SignalPlan::Pending`].
pub fn prepare(observations: &Observations, policy: &Policy, at: Time) -> Prepared {
    let (mut terms, fit) = (Terms::default(), FitId { point: at, behind: false });
    let forecasts: Vec<_> =
        (0..policy.signals.len()).map(|i| forecast(observations, policy, i, at)).collect();
    for (i, forecast) in forecasts.iter().enumerate() {
        if matches!(forecast, Some(Ok(_))) && terms.lacks(policy, i, fit) {
            terms.take(i, terms.price(observations, policy, i, fit));
        }
    }
    terms.prepared(at, forecasts, observations, policy)
}

/// A forecast as of a grid point; the same for every workload whose query, grid, window, calendar and masks agree.
pub type Forecast = Result<Arc<CachedForecast>, FitError>;

/// The first half of [`prepare`], for the signal of that number; `None` before its first read. The second half is
/// [`Terms`]: what a workload of its own adds to a forecast that it may share.
pub fn forecast(observations: &Observations, policy: &Policy, signal: usize, at: Time) -> Option<Forecast> {
    let after = at - policy.signals.get(signal)?.window;
    let learned = learned(observations, policy, signal, after, at)?;
    let signal = policy.signals.get(signal)?;
    let fitted = fit(&learned, &policy.calendar, at, signal.window);
    Some(fitted.map(|fitted| Arc::new(CachedForecast::new(fitted.tracker()))))
}

/// The series a signal's forecast is made of: its load, or its arrivals where a deadline sizes the queue; after
/// `after`, cleaned of what is not the load, gaps known of up to `known`. `None` before the first read.
pub(super) fn learned(
    observations: &Observations,
    policy: &Policy,
    i: usize,
    after: Time,
    known: Time,
) -> Option<Series> {
    let (history, signal) = (observations.signals.get(i)?, policy.signals.get(i)?);
    let doubts = Doubts {
        rejected: observations.rejected_of(i),
        errors: observations.errors.as_deref(),
        masked: &policy.masked,
        reach: signal.learned_reach(),
        source_began: history.source_began,
        known,
    };
    Some(plan::learnable(lesson(history, signal)?, after, &doubts))
}

/// The same as it was read.
pub(super) fn lesson<'a>(history: &'a SignalHistory, signal: &Signal) -> Option<&'a Series> {
    if signal.drain().is_some() { history.arrivals.as_deref() } else { history.load.as_deref() }
}

/// Folds the samples observed since into a signal's forecast; in place where nobody else holds it.
pub(super) fn follow(
    tracker: &mut Arc<CachedForecast>,
    observations: &Observations,
    policy: &Policy,
    i: usize,
) {
    let (Some(signal), Some(history)) = (policy.signals.get(i), observations.signals.get(i)) else {
        return;
    };
    if lesson(history, signal).and_then(Series::end).is_none_or(|end| end <= tracker.at()) {
        return;
    }
    let Some(news) = learned(observations, policy, i, tracker.at(), Time::MIN) else { return };
    // To its last sample: what is missing after it may still come, and a longer horizon errs to the safe side.
    // What is not taken for the load while samples do come is followed as a gap once it is `maxStale` old.
    let known = history.present().map_or(Time::MIN, |sample| sample.at - policy.max_stale);
    let last = news.last().map_or(Time::MIN, |(at, _)| at);
    let end = news.end().map(|end| end.min(known).max(last));
    if let Some(end) = end.filter(|end| *end > tracker.at()) {
        Arc::make_mut(tracker).follow_to(&news, end);
    }
}

// === impl Prepared ===

impl Prepared {
    /// Nothing fitted yet, for every signal of the policy.
    pub fn pending(policy: &Policy, at: Time) -> Self {
        let signals = vec![SignalPlan::Pending; policy.signals.len()];
        Prepared { at, signals, capacity: None, ceiling: None, usual: Vec::new(), late: None }
    }

    /// The same folded forward over the samples observed since; what was folded before is not read again.
    pub fn follow(mut self, observations: &Observations, policy: &Policy) -> Prepared {
        let before = self.hour();
        for (i, plan) in self.signals.iter_mut().enumerate() {
            if let SignalPlan::Ready { tracker, .. } = plan {
                follow(tracker, observations, policy, i);
            }
        }
        if self.hour() != before {
            self.ceiling = self.foresee_ceiling(observations, policy);
        }
        self
    }

    /// The same with another insurance for every signal.
    pub fn insured(&self, insurance: Insured) -> Prepared {
        let mut other = self.clone();
        for plan in &mut other.signals {
            if let SignalPlan::Ready { insured, .. } = plan {
                *insured = insurance;
            }
        }
        other
    }

    /// What a decision at `now` makes of what one replica carries.
    pub(super) fn capacity_at(
        &self,
        observations: &Observations,
        policy: &Policy,
        now: Time,
    ) -> Option<CapacityView> {
        let mode = policy.capacity.as_ref()?.mode;
        Some(CapacityView::of(self.capacity.as_ref()?, mode, observations.template, now))
    }

    /// Who predicts the first signal's load, before pods were observed; `None` without a fit. A decision carries its own.
    pub fn trust(&self, policy: &Policy) -> Option<Trust> {
        match self.signals.first() {
            Some(SignalPlan::Ready { tracker, insured, .. }) => Some(trust(tracker, policy.lead(), *insured)),
            _ => None,
        }
    }

    /// The hour of the last sample folded, of the signal that is furthest behind.
    pub(super) fn hour(&self) -> Option<Time> {
        let reached = self.signals.iter().filter_map(|plan| match plan {
            SignalPlan::Ready { tracker, .. } => Some(tracker.at()),
            _ => None,
        });
        reached.min().map(|at| at.floor_to(Span::HOUR, Span::ZERO))
    }

    /// Looks hour by hour over two days, then by six hours over the week; whole hours, so that replicas agree
    /// whenever they look.
    pub(super) fn foresee_ceiling(&self, observations: &Observations, policy: &Policy) -> Option<Ceiling> {
        let from = self.hour()?;
        let carried = self.capacity_at(observations, policy, from).map(|view| view.used);
        let ahead = (1..=48).chain((54..=168).step_by(6)).map(Span::hours);
        let services: Vec<_> = (0..policy.signals.len())
            .map(|i| drain_of(observations, observations.signals.get(i)?, policy.signals.get(i)?, from))
            .collect();
        ahead.into_iter().find_map(|span| {
            let bounds = policy.schedule.at(from + span);
            let allowed = policy.limits.max.min(bounds.ceiling.map_or(Replicas::MAX, |b| b.replicas));
            let chances = policy.signals.iter().zip(&self.signals).zip(&services).enumerate();
            let probability = chances.filter_map(|(i, ((signal, plan), drain))| {
                let SignalPlan::Ready { tracker, insured, .. } = plan else { return None };
                if !signal.is_forecast {
                    return None;
                }
                let is_deadline = signal.drain().is_some();
                let rule = trust(tracker, policy.lead(), *insured).rule;
                if rule == Rule::Reactive || is_deadline && drain.is_none() {
                    return None;
                }
                let threshold = carried.filter(|_| i == 0).unwrap_or(signal.threshold);
                let needed = |load: f64| match *drain {
                    // The queue of then is not known now: at the least, what arrives has to be worked off.
                    Some((drain, service)) => {
                        let arriving = Backlog { depth: 0.0, arrivals: load * bounds.factor };
                        arriving.replicas(service, drain.within)
                    }
                    None => plan::replicas_for(load, bounds.factor, threshold, signal.activation),
                };
                let ahead = signal.step.times(signal.step.cover((from + span).since(tracker.at())));
                let loads = |chances: &[Quantile]| tracker.quantiles_by(rule, ahead, chances);
                chance_above(allowed, loads, needed)
            });
            let probability = probability.fold(0.0, f64::max);
            let is_likely = probability >= LIKELY - 1e-9 && allowed > Replicas::ZERO;
            is_likely.then_some(Ceiling { at: from + span, probability })
        })
    }
}

/// The probability that more than `allowed` is needed: one minus the lowest quantile that needs more.
fn chance_above(
    allowed: Replicas,
    loads: impl Fn(&[Quantile]) -> Vec<f64>,
    needed: impl Fn(f64) -> Replicas,
) -> Option<f64> {
    let chances: Vec<Quantile> =
        [0.5, 0.65, 0.8, 0.9, 0.95].into_iter().filter_map(|q| Quantile::new(q).ok()).collect();
    let over = loads(&chances).iter().position(|&load| needed(load) > allowed)?;
    chances.get(over).map(|q| 1.0 - q.get())
}
