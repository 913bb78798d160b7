//! What is kept between decisions: a fit for each signal, folded forward over the samples since.
//!
//! A fit belongs to a point of a 6-hour grid and is a function of the window before it alone, so every replica of
//! the scaler, and one after a restart, holds the same.

use std::sync::Arc;

use super::deadline::drain_of;
use super::outlook::Outlook;
use super::promise::{lead_given, trust};
use super::replay::{Day, Queue, Replay};
use crate::forecast::{FitError, Rule, Trust, fit};
use crate::history::{Observations, Series};
use crate::plan::{self, BALANCED_WORTH, Backlog, Doubts, Insured};
use crate::policy::{Insurance, Policy};
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
        /// What the days before told about a promised share of time.
        days: Arc<[Day]>,
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
    Prepared::pending(policy, at).renewed(observations, policy, at)
}

/// A forecast as of a grid point; the same for every workload whose query, grid, window, calendar and masks agree.
pub type Forecast = Result<Arc<Outlook>, FitError>;

/// The first half of [`prepare`], for the signal of that number; `None` before its first read.
pub fn forecast(observations: &Observations, policy: &Policy, signal: usize, at: Time) -> Option<Forecast> {
    let after = at - policy.signals.get(signal)?.window;
    let learned = learned(observations, policy, signal, after, at)?;
    let signal = policy.signals.get(signal)?;
    let fitted = fit(&learned, &policy.calendar, at, signal.window);
    Some(fitted.map(|fitted| Arc::new(Outlook::new(fitted.tracker()))))
}

/// How much to insure a signal, and what the days before told about it; `known` are days told before.
fn insure(
    observations: &Observations,
    policy: &Policy,
    i: usize,
    at: Time,
    known: &[Day],
) -> (Insured, Arc<[Day]>) {
    let share = match policy.insurance {
        Insurance::Quantile(quantile) => return (Insured::Quantile(quantile), Arc::default()),
        Insurance::Target(share) => share,
    };
    let unknown = (Insured::Worth(BALANCED_WORTH), Arc::default());
    let (Some(signal), Some(history)) = (policy.signals.get(i), observations.signals.get(i)) else {
        return unknown;
    };
    let queue = drain_of(observations, history, signal, at).map(|(drain, service)| Queue {
        depth: history.load.as_deref(),
        service,
        within: drain.within,
    });
    let learned = learned(observations, policy, i, at - signal.window, at);
    match (signal.drain(), queue, learned) {
        // Nothing can be replayed before the speed of a replica is known.
        (Some(_), None, _) | (_, _, None) => unknown,
        (_, queue, Some(learned)) => {
            let (worth, days) = Replay { policy, signal, learned: &learned, queue }.worth(at, share, known);
            (Insured::Worth(worth), days)
        }
    }
}

/// The series a signal's forecast is made of: its load, or its arrivals where a deadline sizes the queue; after
/// `after`, cleaned of what is not the load, gaps known of up to `known`. `None` before the first read.
fn learned(
    observations: &Observations,
    policy: &Policy,
    i: usize,
    after: Time,
    known: Time,
) -> Option<Series> {
    let (history, signal) = (observations.signals.get(i)?, policy.signals.get(i)?);
    let series = if signal.drain().is_some() { &history.arrivals } else { &history.load };
    let doubts = Doubts {
        rejected: observations.rejected_of(i),
        errors: observations.errors.as_deref(),
        masked: &policy.masked,
        reach: signal.learned_reach(),
        source_began: history.source_began,
        known,
    };
    Some(plan::learnable(series.as_deref()?, after, &doubts))
}

// === impl Prepared ===

impl Prepared {
    /// Nothing fitted yet, for every signal of the policy.
    pub fn pending(policy: &Policy, at: Time) -> Self {
        Prepared { at, signals: vec![SignalPlan::Pending; policy.signals.len()], ceiling: None }
    }

    /// The same as [`prepare`]; what was replayed for this one and still holds is not replayed again.
    pub fn renewed(&self, observations: &Observations, policy: &Policy, at: Time) -> Prepared {
        let forecasts = (0..policy.signals.len()).map(|i| forecast(observations, policy, i, at)).collect();
        self.with_forecasts(forecasts, observations, policy, at)
    }

    /// The second half: what a workload of its own adds to forecasts that it may share.
    pub fn with_forecasts(
        &self,
        forecasts: Vec<Option<Forecast>>,
        observations: &Observations,
        policy: &Policy,
        at: Time,
    ) -> Prepared {
        let signals = forecasts.into_iter().enumerate().map(|(i, forecast)| match forecast {
            None => SignalPlan::Pending,
            Some(Err(error)) => SignalPlan::Unfit(error),
            Some(Ok(tracker)) => {
                let known = match self.signals.get(i) {
                    Some(SignalPlan::Ready { days, .. }) => &days[..],
                    _ => &[],
                };
                let (insured, days) = insure(observations, policy, i, at, known);
                SignalPlan::Ready { tracker, insured, days }
            }
        });
        let mut prepared = Prepared { at, signals: signals.collect(), ceiling: None };
        prepared.ceiling = prepared.foresee_ceiling(observations, policy, at);
        prepared
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
            let Some(history) = observations.signals.get(i) else { continue };
            let SignalPlan::Ready { tracker, .. } = plan else { continue };
            let Some(news) = learned(observations, policy, i, tracker.at(), Time::MIN) else { continue };
            // To its last sample: what is missing after it may still come, and a longer horizon errs to the safe side.
            // What is not taken for the load while samples do come is followed as a gap once it is `maxStale` old.
            let known = history.present().map_or(Time::MIN, |sample| sample.at - policy.max_stale);
            let last = news.last().map_or(Time::MIN, |(at, _)| at);
            let end = news.end().map(|end| end.min(known).max(last));
            if let Some(end) = end.filter(|end| *end > tracker.at()) {
                via(i, tracker, end, &|tracker| {
                    if tracker.at() < end {
                        Arc::make_mut(tracker).follow_to(&news, end);
                    }
                });
            }
        }
        if hour(self.reached()) != before {
            self.ceiling = self.foresee_ceiling(observations, policy, self.reached().unwrap_or(self.at));
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

    /// Who predicts the first signal's load, before pods were observed; `None` without a fit. A decision carries its own.
    pub fn trust(&self, policy: &Policy) -> Option<Trust> {
        match self.signals.first() {
            Some(SignalPlan::Ready { tracker, insured, .. }) => {
                Some(trust(tracker, lead_given(policy), *insured))
            }
            _ => None,
        }
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
    fn foresee_ceiling(&self, observations: &Observations, policy: &Policy, from: Time) -> Option<Ceiling> {
        let ahead = (1..=48).chain((54..=168).step_by(6)).map(Span::hours);
        let services: Vec<_> = (0..policy.signals.len())
            .map(|i| drain_of(observations, observations.signals.get(i)?, policy.signals.get(i)?, from))
            .collect();
        ahead.into_iter().find_map(|span| {
            let bounds = policy.schedule.at(from + span);
            let allowed = policy.limits.max.min(bounds.ceiling.map_or(Replicas::MAX, |b| b.replicas));
            let chances = policy.signals.iter().zip(&self.signals).zip(&services);
            let probability = chances.filter_map(|((signal, plan), drain)| {
                let SignalPlan::Ready { tracker, insured, .. } = plan else { return None };
                if !signal.is_forecast {
                    return None;
                }
                let is_deadline = signal.drain().is_some();
                let rule = trust(tracker, lead_given(policy), *insured).rule;
                if rule == Rule::Reactive || is_deadline && drain.is_none() {
                    return None;
                }
                let needed = |load: f64| match *drain {
                    // The queue of then is not known now: at the least, what arrives has to be worked off.
                    Some((drain, service)) => {
                        let arriving = Backlog { depth: 0.0, arrivals: load * bounds.factor };
                        arriving.replicas(service, drain.within)
                    }
                    None => plan::replicas_for(load, bounds.factor, signal.threshold, signal.activation),
                };
                let loads = |chances: &[Quantile]| {
                    tracker.quantiles_by(rule, signal.step.times(signal.step.cover(span)), chances)
                };
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
