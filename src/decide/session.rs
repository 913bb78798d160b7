//! One workload followed from instant to instant: fit where a new grid point has come, follow, decide.
//!
//! The server, `explain`, the replays and the scenario suite all go through here, so that what is tested is what is
//! served. A session remembers a fit, which is a function of the history alone, and the answer before, which is
//! looked at only while clocks differ; a session begun later therefore answers the same.

use super::decision::{Blind, Decision};
use super::ladder::decide;
use super::prepared::{Prepared, SignalPlan, Via, grid_point};
use crate::history::Observations;
use crate::policy::Policy;
use crate::units::{Replicas, Span, Time};

/// What is carried from one decision of a workload to the next.
#[derive(Debug, Clone)]
pub struct Session {
    phase: Span,
    prepared: Prepared,
    /// Whether the fit was made before its history was read up to its grid point.
    behind: bool,
    previous: Option<Replicas>,
}

// === impl Session ===

impl Session {
    /// A session that has fitted nothing yet; `phase` moves the grid that its fits belong to.
    pub fn new(policy: &Policy, phase: Span, now: Time) -> Self {
        let prepared = Prepared::pending(policy, grid_point(now, phase));
        Session { phase, prepared, behind: false, previous: None }
    }

    /// The same, knowing the answer before: that of a session which was given up.
    pub fn after(self, previous: Option<Replicas>) -> Self {
        Session { previous, ..self }
    }

    /// The grid point that has to be prepared before an answer for `at`; `None` where the fit at hand is the right
    /// one. A history that ended more than `maxStale` ago is not fitted again: its plan is held as it was. One that
    /// ended before the grid point is fitted again once it has been read up to there, as a neighbour's was.
    pub fn due(&self, observations: &Observations, policy: &Policy, at: Time) -> Option<Time> {
        let known = observations.signals.iter().filter_map(|signal| signal.present()).map(|s| s.at).max();
        let until = known.map_or(at, |last| at.min(last + policy.max_stale));
        let point = grid_point(until, self.phase);
        let is_unread = |(i, plan): (usize, &SignalPlan)| {
            let read = observations.signals.get(i).is_some_and(|history| history.load.is_some());
            matches!(plan, SignalPlan::Pending) && read
        };
        let waits = self.prepared.signals.iter().enumerate().any(is_unread);
        let caught_up = self.behind && !is_behind(observations, policy, point);
        (self.prepared.at != point || waits || caught_up).then_some(point)
    }

    /// Takes a fit into use, and the observations that it was made from.
    pub fn adopt(&mut self, prepared: Prepared, observations: &Observations, policy: &Policy) {
        self.behind = is_behind(observations, policy, prepared.at);
        self.prepared = prepared;
    }

    /// Prepares where that is due, and follows the samples since.
    pub fn follow(&mut self, observations: &Observations, policy: &Policy, at: Time) {
        if let Some(point) = self.due(observations, policy, at) {
            self.adopt(self.prepared.renewed(observations, policy, point), observations, policy);
        }
        self.follow_via(observations, policy, &mut |_, tracker, _, follow| follow(tracker));
    }

    /// Follows the samples since the fit, forecasts through `via` as in [`Prepared::follow_via`].
    pub fn follow_via(&mut self, observations: &Observations, policy: &Policy, via: &mut Via<'_>) {
        let pending = Prepared::pending(policy, self.prepared.at);
        self.prepared = std::mem::replace(&mut self.prepared, pending).follow_via(observations, policy, via);
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

    /// The fit in use.
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// The replicas answered last.
    pub fn previous(&self) -> Option<Replicas> {
        self.previous
    }
}

/// Whether a history that was read at all ends before the grid point.
fn is_behind(observations: &Observations, policy: &Policy, point: Time) -> bool {
    policy.signals.iter().zip(&observations.signals).any(|(signal, history)| {
        let point = point.floor_to(signal.step.span(), Span::ZERO);
        let ends = [&history.load, &history.arrivals].into_iter().flatten().map(|series| series.end());
        ends.min().is_some_and(|end| end.is_none_or(|end| end < point))
    })
}
