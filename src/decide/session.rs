//! Follows one workload from instant to instant: fits at each new grid point, folds in samples, decides.
//!
//! `explain`, the simulation, the replays and the scenario suite use it. The server does the same with forecasts that
//! it shares and fits in the background. A session remembers fits, which depend on the history alone, and the
//! previous answer, which is used only while clocks differ or a source refills. So a session that starts later gives
//! the same answers otherwise.

use std::sync::Arc;

use super::carried::carried;
use super::decision::{Blind, Decision};
use super::fits::{Forecast, forecast, forecast_within, grid_point, reach};
use super::followed::Followed;
use super::phase::Phase;
use super::precedence::decide;
use super::prepared::Prepared;
use super::terms::Terms;
use crate::history::Observations;
use crate::policy::Policy;
use crate::units::{Replicas, Span, Time};

/// What is carried from one decision of a workload to the next.
#[derive(Debug, Clone)]
pub struct Session {
    /// One for each signal.
    followed: Vec<Followed>,
    terms: Terms,
    prepared: Prepared,
    previous: Option<Replicas>,
    /// Whether to compute what only describes a decision.
    is_told: bool,
}

/// The forecast as of a grid point; unless it is told, only as far as decisions look, and quick to ask.
fn fitted(
    observations: &Observations,
    policy: &Policy,
    signal: usize,
    point: Time,
    is_told: bool,
) -> Option<Forecast> {
    if is_told {
        return forecast(observations, policy, signal, point);
    }
    let reach = reach(policy, policy.signals.get(signal)?);
    let mut forecast = forecast_within(observations, policy, signal, point, reach);
    if let Some(Ok(forecast)) = &mut forecast {
        Arc::make_mut(forecast).remember();
    }
    forecast
}

// === impl Session ===

impl Session {
    /// A session that has fitted nothing yet; `phase` shifts the grid of its fits.
    pub fn new(policy: &Policy, phase: impl Into<Phase>, now: Time) -> Self {
        let phase = phase.into();
        let followed: Vec<_> = policy.signals.iter().map(|s| Followed::new(phase.of(s))).collect();
        let first = followed.first().map_or(Span::ZERO, Followed::phase);
        Session {
            followed,
            terms: Terms::default(),
            prepared: Prepared::pending(policy, grid_point(now, first)),
            previous: None,
            is_told: true,
        }
    }

    /// For answers that nobody reads, and that follow each other quickly: skips what only describes a decision, such as
    /// the instant at which the limit on replicas will be reached and the forecast beyond what decisions look at, and
    /// spends memory on speed.
    pub fn untold(self) -> Self {
        Session { is_told: false, ..self }
    }

    /// Fits what is due and folds in the samples since.
    pub fn follow(&mut self, observations: &Observations, policy: &Policy, at: Time) {
        // Dropped first, so that the forecasts are updated in place.
        self.prepared = Prepared::pending(policy, self.prepared.at);
        for (i, followed) in self.followed.iter_mut().enumerate() {
            if let Some(point) = followed.due(observations, policy, i, at)
                && let Some(forecast) = fitted(observations, policy, i, point, self.is_told)
            {
                followed.adopt(point, forecast, observations, policy, i);
            }
            followed.follow(observations, policy, i);
            if let (Some(Ok(_)), Some(fit)) = (followed.forecast(), followed.id())
                && self.terms.lacks(policy, i, fit)
            {
                self.terms.take(i, self.terms.price(observations, policy, i, fit));
            }
        }
        let none = self.followed.first().map_or(self.prepared.at, |first| grid_point(at, first.phase()));
        let point = self.followed.iter().filter_map(|f| f.id()).map(|fit| fit.point).max().unwrap_or(none);
        if let Some(first) = self.followed.first()
            && observations.service.is_some()
        {
            let point = grid_point(at, first.phase());
            if self.terms.lacks_capacity(policy, point)
                && let Some(carried) = carried(observations, policy, point)
            {
                self.terms.carry(carried);
            }
        }
        let forecasts = self.followed.iter().map(Followed::forecast).collect();
        self.prepared = if self.is_told {
            self.terms.prepared(point, forecasts, observations, policy)
        } else {
            Prepared { at: point, ..self.terms.known(forecasts, policy) }
        };
    }

    /// Decides with the current fits.
    ///
    /// # Errors
    /// [`Blind`], as [`decide`].
    pub fn answer(
        &mut self,
        observations: &Observations,
        policy: &Policy,
        at: Time,
    ) -> Result<Decision, Blind> {
        let observations = Observations { previous: self.previous, ..observations.clone() };
        let answer = decide(&self.prepared, &observations, policy, at);
        self.previous = answer.as_ref().map_or(self.previous, |decision| Some(decision.replicas));
        answer
    }

    /// Fits what is due, folds in the samples and decides.
    ///
    /// # Errors
    /// [`Blind`], as [`decide`].
    pub fn step(
        &mut self,
        observations: &Observations,
        policy: &Policy,
        at: Time,
    ) -> Result<Decision, Blind> {
        self.follow(observations, policy, at);
        self.answer(observations, policy, at)
    }

    /// The fits in use.
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// The replicas answered last.
    pub fn previous(&self) -> Option<Replicas> {
        self.previous
    }
}
