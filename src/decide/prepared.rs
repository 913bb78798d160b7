//! What is kept between decisions: a fit for each signal, folded forward over the samples since.
//!
//! A fit belongs to a point of a 6-hour grid and is a function of the window before it alone, so every replica of
//! the scaler, and one after a restart, holds the same.

use std::sync::Arc;

use super::outlook::Outlook;
use super::promise::worth_of;
use crate::forecast::{FitError, TrustState, fit};
use crate::history::{Observations, Series, SignalHistory};
use crate::plan::{self, BALANCED_WORTH, Insured};
use crate::policy::{Insurance, Policy, Signal, SignalKind};
use crate::units::{Quantile, Replicas, Span, Time};

/// What is kept for one workload.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The grid point it belongs to.
    pub at: Time,
    /// One entry for each signal, in the policy's order.
    pub signals: Vec<SignalPlan>,
    /// The first instant, of those looked at, at which the limit on replicas is likely to bind.
    pub ceiling: Option<Ceiling>,
}

/// What is kept for one signal.
#[derive(Debug, Clone)]
pub enum SignalPlan {
    /// Not fitted yet.
    Pending,
    /// The history does not carry a forecast.
    Unfit(FitError),
    /// A forecast.
    Ready {
        /// The forecast, folded forward.
        tracker: Arc<Outlook>,
        /// How much to insure.
        insured: Insured,
    },
}

/// How a signal's forecast is followed: the signal's number, the forecast, until when, and what follows it.
pub type Via<'a> = dyn FnMut(usize, &mut Arc<Outlook>, Time, &dyn Fn(&mut Arc<Outlook>)) + 'a;

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
    let forecasts = (0..policy.signals.len()).map(|i| forecast(observations, policy, i, at)).collect();
    insure(forecasts, observations, policy, at)
}

/// A forecast as of a grid point; the same for every workload whose query, grid, window, calendar and masks agree.
pub type Forecast = Result<Arc<Outlook>, FitError>;

/// The first half of [`prepare`], for the signal of that number; `None` before its first read.
pub fn forecast(observations: &Observations, policy: &Policy, signal: usize, at: Time) -> Option<Forecast> {
    let (history, signal) = (observations.signals.get(signal)?, policy.signals.get(signal)?);
    let learned = learned(observations, history, policy, signal, at - signal.window)?;
    let fitted = fit(&learned, &policy.calendar, at, signal.window);
    Some(fitted.map(|fitted| Arc::new(Outlook::new(fitted.tracker()))))
}

/// The second half: what a workload of its own adds to forecasts that it may share.
pub fn insure(
    forecasts: Vec<Option<Forecast>>,
    observations: &Observations,
    policy: &Policy,
    at: Time,
) -> Prepared {
    let insured = |i: usize, signal: &Signal| match policy.insurance {
        Insurance::Quantile(q) => Insured::Quantile(q),
        Insurance::Target(share) => {
            let history = observations.signals.get(i);
            let learned = history.and_then(|h| learned(observations, h, policy, signal, at - signal.window));
            let worth = learned.map_or(BALANCED_WORTH, |l| worth_of(&l, policy, signal, at, share));
            Insured::Worth(worth)
        }
    };
    let plans = policy.signals.iter().zip(forecasts).enumerate();
    let signals = plans.map(|(i, (signal, forecast))| match forecast {
        None => SignalPlan::Pending,
        Some(Err(error)) => SignalPlan::Unfit(error),
        Some(Ok(tracker)) => SignalPlan::Ready { tracker, insured: insured(i, signal) },
    });
    let mut prepared = Prepared { at, signals: signals.collect(), ceiling: None };
    prepared.ceiling = prepared.foresee_ceiling(policy, at);
    prepared
}

/// The series a signal's forecast is made of: its load, or its arrivals where a deadline sizes the queue; after
/// `after`, cleaned of what is no demand. `None` before the first read.
fn learned(
    observations: &Observations,
    history: &SignalHistory,
    policy: &Policy,
    signal: &Signal,
    after: Time,
) -> Option<Series> {
    let series = match &signal.kind {
        SignalKind::Queue(Some(_)) => history.arrivals.as_deref()?,
        SignalKind::Rate | SignalKind::Queue(None) => history.load.as_deref()?,
    };
    let (rejected, errors) = (observations.rejected.as_deref(), observations.errors.as_deref());
    Some(plan::learnable(series, after, rejected, errors, &policy.masked))
}

// === impl Prepared ===

impl Prepared {
    /// Nothing fitted yet, for every signal of the policy.
    pub fn pending(policy: &Policy, at: Time) -> Self {
        Prepared { at, signals: vec![SignalPlan::Pending; policy.signals.len()], ceiling: None }
    }

    /// The same folded forward over the samples observed since; what was folded before is not read again.
    pub fn follow(self, observations: &Observations, policy: &Policy) -> Prepared {
        self.follow_via(observations, policy, &mut |_, tracker, _, follow| follow(tracker))
    }

    /// The same, where following a signal's forecast is done through `via`: it may put a neighbour's in its place,
    /// followed further, before it lets it be followed.
    pub fn follow_via(mut self, observations: &Observations, policy: &Policy, via: &mut Via<'_>) -> Prepared {
        let hour = |reached: Option<Time>| reached.map(|t| t.floor_to(Span::HOUR, Span::ZERO));
        let before = hour(self.reached());
        for (i, plan) in self.signals.iter_mut().enumerate() {
            let (Some(signal), Some(history)) = (policy.signals.get(i), observations.signals.get(i)) else {
                continue;
            };
            let SignalPlan::Ready { tracker, .. } = plan else { continue };
            let Some(news) = learned(observations, history, policy, signal, tracker.at()) else { continue };
            // A history that ended is followed for `maxStale`; from then on the plan is held as it was.
            let known = history.present().map_or(Time::MIN, |sample| sample.at + policy.max_stale);
            if let Some(end) = news.end().map(|end| end.min(known)).filter(|end| *end > tracker.at()) {
                via(i, tracker, end, &|tracker| {
                    if tracker.at() < end {
                        Arc::make_mut(tracker).follow_to(&news, end);
                    }
                });
            }
        }
        if hour(self.reached()) != before {
            self.ceiling = self.foresee_ceiling(policy, self.reached().unwrap_or(self.at));
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

    /// The last sample folded, of the signal that is furthest behind.
    fn reached(&self) -> Option<Time> {
        self.signals
            .iter()
            .filter_map(|plan| match plan {
                SignalPlan::Ready { tracker, .. } => Some(tracker.at()),
                _ => None,
            })
            .min()
    }

    /// Looks hour by hour over two days, then by six hours over the week.
    fn foresee_ceiling(&self, policy: &Policy, from: Time) -> Option<Ceiling> {
        let ahead = (1..=48).chain((54..=168).step_by(6)).map(Span::hours);
        let chances: Vec<Quantile> =
            [0.5, 0.65, 0.8, 0.9, 0.95].into_iter().filter_map(|q| Quantile::new(q).ok()).collect();
        ahead.into_iter().find_map(|span| {
            let at = from + span;
            let bounds = policy.schedule.at(at);
            let allowed = policy.limits.max.min(bounds.ceiling.map_or(Replicas::MAX, |b| b.replicas));
            let probability = policy.signals.iter().zip(&self.signals).filter_map(|(signal, plan)| {
                let SignalPlan::Ready { tracker, .. } = plan else { return None };
                let distrusted = tracker.trust().state == TrustState::Distrusted;
                if !matches!(signal.kind, SignalKind::Rate) || distrusted {
                    return None;
                }
                // The lowest quantile that needs more than is allowed: more is needed with one minus its probability.
                let loads = tracker.quantiles(signal.step.times(signal.step.cover(span)), &chances);
                let over = loads.iter().position(|&load| {
                    plan::replicas_for(load, bounds.factor, signal.threshold, signal.activation) > allowed
                })?;
                chances.get(over).map(|q| 1.0 - q.get())
            });
            let probability = probability.fold(0.0, f64::max);
            (probability >= LIKELY - 1e-9 && allowed > Replicas::ZERO).then_some(Ceiling { at, probability })
        })
    }
}
