//! What a decision uses besides the observations: a forecast per signal, and how much of it to insure.

use std::sync::Arc;

use super::cached_forecast::CachedForecast;
use super::carried::{CapacityView, Carried};
use super::deadline::drain_of;
use super::fits::follow;
use super::insured::trust;
use crate::forecast::{FitError, Rule, Trust};
use crate::history::Observations;
use crate::plan::{self, Backlog, Insured};
use crate::policy::Policy;
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

/// A foreseen ceiling is reported from this probability on.
pub const LIKELY: f64 = 0.2;

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
