//! What a workload adds to forecasts that it may share: how much to insure, and when its limit is reached.
//!
//! A target for time under-provisioned has a price, which is found by replaying days and takes as long as a fit. It
//! is computed separately and used once it is available; until then the previous price is used, or that of
//! `balanced`.

use std::sync::Arc;

use super::carried::Carried;
use super::deadline::drain_of;
use super::fits::{FitId, Forecast, forecast, learned};
use super::prepared::{Ceiling, Prepared, SignalPlan};
use super::replay::{Day, Queue, Replay};
use super::usual::usual_load;
use crate::history::Observations;
use crate::plan::{BALANCED_PENALTY, Insured};
use crate::policy::{CapacityMode, Insurance, Policy};
use crate::units::Time;

/// What a workload's decisions use besides the shared forecasts.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    prices: Vec<Option<Price>>,
    /// What one replica carries, as learned last.
    capacity: Option<Arc<Carried>>,
    /// The foreseen ceiling, with the fit's grid point and the hour it was computed for.
    ceiling: Option<(Time, Option<Time>, Option<Ceiling>)>,
}

/// The price of a target under one fit.
#[derive(Debug, Clone)]
pub struct Price {
    fit: FitId,
    insured: Insured,
    /// The results of past days; those that still count are not replayed again.
    days: Arc<[Day]>,
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

// === impl Terms ===

impl Terms {
    /// Whether the price of this signal's target under this fit is still missing.
    pub fn lacks(&self, policy: &Policy, signal: usize, fit: FitId) -> bool {
        let known = self.prices.get(signal).and_then(Option::as_ref);
        matches!(policy.insurance, Insurance::Target(_)) && known.is_none_or(|price| price.fit != fit)
    }

    /// Whether no price was ever found for this signal's target.
    pub fn never_had(&self, policy: &Policy, signal: usize) -> bool {
        let known = self.prices.get(signal).and_then(Option::as_ref);
        matches!(policy.insurance, Insurance::Target(_)) && known.is_none()
    }

    /// Finds that price; expensive.
    pub fn price(&self, observations: &Observations, policy: &Policy, signal: usize, fit: FitId) -> Price {
        let known = self.prices.get(signal).and_then(Option::as_ref).map_or(&[][..], |price| &price.days);
        let (insured, days) = replayed(observations, policy, signal, fit.point, known)
            .unwrap_or((Insured::Penalty(BALANCED_PENALTY), Arc::default()));
        Price { fit, insured, days }
    }

    /// Puts a price into use.
    pub fn take(&mut self, signal: usize, price: Price) {
        if self.prices.len() <= signal {
            self.prices.resize(signal + 1, None);
        }
        self.prices[signal] = Some(price);
    }

    /// Whether what one replica carries is still to be learned as of a grid point.
    pub fn lacks_capacity(&self, policy: &Policy, at: Time) -> bool {
        policy.capacity.is_some() && self.capacity.as_ref().is_none_or(|known| known.at != at)
    }

    /// Whether decisions depend on what one replica carries, and nothing was learned about it yet.
    pub fn never_learned(&self, policy: &Policy) -> bool {
        let counts = policy.capacity.as_ref().is_some_and(|c| c.mode == CapacityMode::Auto);
        counts && self.capacity.is_none()
    }

    /// Puts what one replica carries into use.
    pub fn carry(&mut self, carried: Carried) {
        let carried = match &self.capacity {
            Some(before) => carried.after(before),
            None => carried,
        };
        self.capacity = Some(Arc::new(carried));
    }

    /// What one replica carries, as learned last.
    pub fn capacity(&self) -> Option<&Arc<Carried>> {
        self.capacity.as_ref()
    }

    /// These forecasts under these terms, with the ceiling as it was last foreseen.
    pub fn known(&self, forecasts: Vec<Option<Forecast>>, policy: &Policy) -> Prepared {
        let (at, _, ceiling) = self.ceiling.unwrap_or((Time::MIN, None, None));
        let signals = forecasts.into_iter().enumerate().map(|(i, forecast)| match forecast {
            None => SignalPlan::Pending,
            Some(Err(error)) => SignalPlan::Unfit(error),
            Some(Ok(tracker)) => SignalPlan::Ready { tracker, insured: self.insured(policy, i) },
        });
        let capacity = self.capacity.clone();
        Prepared { at, signals: signals.collect(), capacity, ceiling, usual: Vec::new(), late: None }
    }

    /// What a decision is based on: these forecasts, made for `at`, under these terms.
    pub fn prepared(
        &mut self,
        at: Time,
        forecasts: Vec<Option<Forecast>>,
        observations: &Observations,
        policy: &Policy,
    ) -> Prepared {
        let mut prepared = Prepared { at, ..self.known(forecasts, policy) };
        let hour = prepared.hour();
        prepared.ceiling = match self.ceiling {
            Some((of, looked, ceiling)) if (of, looked) == (at, hour) => ceiling,
            _ => prepared.foresee_ceiling(observations, policy),
        };
        self.ceiling = Some((at, hour, prepared.ceiling));
        prepared.usual = observations.signals.iter().map(usual_load).collect();
        prepared
    }

    fn insured(&self, policy: &Policy, signal: usize) -> Insured {
        match policy.insurance {
            Insurance::Quantile(quantile) => Insured::Quantile(quantile),
            Insurance::Target(_) => {
                let price = self.prices.get(signal).and_then(Option::as_ref);
                price.map_or(Insured::Penalty(BALANCED_PENALTY), |price| price.insured)
            }
        }
    }
}

/// The price found by replaying the days before, and those days; `None` if they cannot be replayed.
fn replayed(
    observations: &Observations,
    policy: &Policy,
    i: usize,
    at: Time,
    known: &[Day],
) -> Option<(Insured, Arc<[Day]>)> {
    let Insurance::Target(share) = policy.insurance else { return None };
    let (signal, history) = (policy.signals.get(i)?, observations.signals.get(i)?);
    let queue = drain_of(observations, history, signal, at).map(|(drain, service)| Queue {
        depth: history.load.as_deref(),
        service,
        within: drain.within,
    });
    if signal.drain().is_some() && queue.is_none() {
        // Nothing can be replayed before the service rate of a replica is known.
        return None;
    }
    let learned = learned(observations, policy, i, at - signal.window, at)?;
    let (penalty, days) = Replay { policy, signal, learned: &learned, queue }.penalty(at, share, known);
    Some((Insured::Penalty(penalty), days))
}
