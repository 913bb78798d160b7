//! One workload followed from instant to instant: fit where a new grid point has come, follow, decide.
//!
//! `explain`, the twin, the replays and the scenario suite go through here; the server does the same with forecasts
//! that it shares and fits in the background. A session remembers fits, which are functions of the history alone, and
//! the answer before, which is looked at only while clocks differ; one begun later therefore answers the same.

use super::carried::carried;
use super::decision::{Blind, Decision};
use super::followed::Followed;
use super::phase::Phase;
use super::precedence::decide;
use super::prepared::{Prepared, forecast, grid_point};
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
    /// Whether it looks for what is told with a decision and changes none.
    is_told: bool,
}

// === impl Session ===

impl Session {
    /// A session that has fitted nothing yet; `phase` moves the grid that its fits belong to.
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

    /// The same for answers that nobody reads: without looking for what is told with a decision and changes none, such as
    /// the instant at which the limit on replicas will bind.
    pub fn untold(self) -> Self {
        Session { is_told: false, ..self }
    }

    /// Prepares where that is due, and follows the samples since.
    pub fn follow(&mut self, observations: &Observations, policy: &Policy, at: Time) {
        // Let go of first, so that the forecasts are followed in place.
        self.prepared = Prepared::pending(policy, self.prepared.at);
        for (i, followed) in self.followed.iter_mut().enumerate() {
            if let Some(point) = followed.due(observations, policy, i, at)
                && let Some(forecast) = forecast(observations, policy, i, point)
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

    /// Decides on what is prepared and followed.
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

    /// Prepares where that is due, follows and answers.
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
