//! What a decision uses besides the observations: a forecast per signal, and how much of it to insure.
//!
//! A fit belongs to a point of a 6-hour grid and depends only on the window before it. So every replica of the
//! scaler, including a restarted one, has the same fits.

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

/// What a decision for one workload is based on.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The newest grid point for which a fit was made.
    pub at: Time,
    /// One entry for each signal, in the policy's order.
    pub signals: Vec<SignalPlan>,
    /// What one replica of the first signal carries, if that is learned.
    pub capacity: Option<Arc<Carried>>,
    /// The first of the checked instants at which the limit on replicas is likely to be reached.
    pub ceiling: Option<Ceiling>,
    /// What the load of each signal usually is at the time of day of its newest value, if known; only for
    /// descriptions of a decision.
    pub usual: Vec<Option<f64>>,
    /// Since when a newer fit, or its price, has been due but missing.
    pub late: Option<Time>,
}

/// What is known about one signal's future.
#[derive(Debug, Clone)]
pub enum SignalPlan {
    /// Not fitted yet.
    Pending,
    /// There is too little history, or it is unsuitable for a forecast.
    Unfit(FitError),
    /// A forecast.
    Ready {
        /// The forecast, with the newest samples folded in.
        tracker: Arc<CachedForecast>,
        /// How much to insure.
        insured: Insured,
    },
}

/// When the limit on replicas is expected to be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceiling {
    /// The instant.
    pub at: Time,
    /// The probability that more replicas are needed then than allowed; at least 0.2.
    pub probability: f64,
}

/// The spacing of the fit grid.
pub const FIT_GRID: Span = Span::hours(6);
/// How long after its grid point a fit is put into use, so that every replica has it by then.
pub const FIT_DELAY: Span = Span::minutes(5);
/// A foreseen ceiling is reported from this probability on.
pub const LIKELY: f64 = 0.2;

/// The last grid point whose fit is in use at `now`; `phase` spreads the fits of many series over time.
pub fn grid_point(now: Time, phase: Span) -> Time {
    (now - FIT_DELAY).floor_to(FIT_GRID, phase)
}

/// From when on the fit of grid point `at` is used.
pub fn usable_from(at: Time) -> Time {
    at + FIT_DELAY
}

/// Fits and calibrates every signal on the observations up to the grid point `at`. It always succeeds: a signal
/// without enough history becomes [`SignalPlan::Unfit`], one that has not been read [`SignalPlan::Pending`].
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

/// A forecast as of a grid point. It is the same for all workloads with the same query, grid, window, calendar and
/// masks.
pub type Forecast = Result<Arc<CachedForecast>, FitError>;

/// The first half of [`prepare`], for the signal with that index; `None` before its first read. The second half is
/// [`Terms`]: what a workload adds to a forecast that it may share.
pub fn forecast(observations: &Observations, policy: &Policy, signal: usize, at: Time) -> Option<Forecast> {
    let after = at - policy.signals.get(signal)?.window;
    let learned = learned(observations, policy, signal, after, at)?;
    let signal = policy.signals.get(signal)?;
    let fitted = fit(&learned, &policy.calendar, at, signal.window);
    Some(fitted.map(|fitted| Arc::new(CachedForecast::new(fitted.tracker()))))
}

/// The series that a signal's forecast learns from, after `after`: its load, or its arrivals if a deadline sizes the
/// queue. Samples that are not the load are removed. A gap that starts after `known` is not foreseen: the values
/// that decay before it still count. `None` before the first read.
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

/// The same series as it was read.
pub(super) fn lesson<'a>(history: &'a SignalHistory, signal: &Signal) -> Option<&'a Series> {
    if signal.drain().is_some() { history.arrivals.as_deref() } else { history.load.as_deref() }
}

/// Folds the samples observed since into a signal's forecast; in place if nobody else holds it.
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
    // Up to its last sample: later ones may still arrive, and a longer horizon errs on the safe side. Samples that
    // were removed although the source delivers are followed as a gap once they are `maxStale` old.
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

    /// Folds in the samples observed since; those folded in before are not read again.
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

    /// A copy with another insurance for every signal.
    pub fn insured(&self, insurance: Insured) -> Prepared {
        let mut other = self.clone();
        for plan in &mut other.signals {
            if let SignalPlan::Ready { insured, .. } = plan {
                *insured = insurance;
            }
        }
        other
    }

    /// What one replica carries, as used by a decision at `now`.
    pub(super) fn capacity_at(
        &self,
        observations: &Observations,
        policy: &Policy,
        now: Time,
    ) -> Option<CapacityView> {
        let mode = policy.capacity.as_ref()?.mode;
        Some(CapacityView::of(self.capacity.as_ref()?, mode, observations.template, now))
    }

    /// Which rule predicts the first signal's load, at the policy's own lead time and not a learned one; `None`
    /// without a fit. A decision carries its own.
    pub fn trust(&self, policy: &Policy) -> Option<Trust> {
        match self.signals.first() {
            Some(SignalPlan::Ready { tracker, insured, .. }) => Some(trust(tracker, policy.lead(), *insured)),
            _ => None,
        }
    }

    /// The hour of the last folded sample, of the signal that is furthest behind.
    pub(super) fn hour(&self) -> Option<Time> {
        let reached = self.signals.iter().filter_map(|plan| match plan {
            SignalPlan::Ready { tracker, .. } => Some(tracker.at()),
            _ => None,
        });
        reached.min().map(|at| at.floor_to(Span::HOUR, Span::ZERO))
    }

    /// Checks every hour over two days, then every six hours up to a week. It uses whole hours, so that replicas
    /// agree no matter when they check.
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
                    // The backlog at that time is unknown; at least the arrivals must be processed.
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
