//! Decides past instants again: what was asked for, and by whom.
//!
//! `explain --at` does this for one instant and the page for many. Both use this module, so that a picture of the
//! past and an explanation of one of its instants never differ. Each instant sees only what was known by then. Real
//! past answers are not stored, so a server that has just started shows the same past as one that ran all along.

use std::borrow::Cow;

use super::decision::{Blind, Decision, Need};
use super::phase::Phase;
use super::reason::Reason;
use super::recording::{Circumstances, Recording, Traces};
use super::session::Session;
use crate::policy::Policy;
use crate::units::{Replicas, Span, Time};

/// One workload's past, decided again from instant to instant in ascending order.
#[derive(Debug)]
pub struct Retold<'a> {
    policy: &'a Policy,
    recording: Recording,
    begun: Time,
    session: Session,
}

/// What was asked for at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// When.
    pub at: Time,
    /// The answer and its reason; `None` if nothing could be decided.
    pub answer: Option<(Replicas, Reason)>,
    /// What every contributor asked for.
    pub needs: Vec<Need>,
}

/// Instants in a picture; more could not be told apart on a screen.
const MOST_MOMENTS: i64 = 180;
/// Spacings of instants that read well, finest first.
const DISTANCES: [Span; 7] = [
    Span::minutes(2),
    Span::minutes(5),
    Span::minutes(10),
    Span::minutes(30),
    Span::HOUR,
    Span::hours(2),
    Span::hours(6),
];

/// The policy for a decision at an instant that may be ahead of what is known: its forecast is followed as far as that. A
/// server that loses its source stops after `maxStale`; here nothing is lost, the samples are still to come. For any
/// other instant it is the policy itself.
pub fn looking_ahead(policy: &Policy, at: Time, known_until: Time) -> Cow<'_, Policy> {
    /// What the last sample may be older than `known_until`.
    const SETTLED: Span = Span::HOUR;
    if at <= known_until {
        return Cow::Borrowed(policy);
    }
    let needed = at.since(known_until) + SETTLED;
    Cow::Owned(Policy { max_stale: policy.max_stale.max(needed), ..policy.clone() })
}

// === impl Retold ===

impl<'a> Retold<'a> {
    /// The past from `first` on, as shown by these traces.
    pub fn new(policy: &'a Policy, traces: Traces, first: Time) -> Self {
        // It counts as having run all along; warming up is for servers that have just started.
        let begun = first - Span::days(1_000);
        Retold {
            policy,
            recording: Recording::new(policy, traces, Circumstances::default()),
            begun,
            session: Session::new(policy, Phase::OfSeries, begun),
        }
    }

    /// Skips everything that only describes a decision.
    #[must_use]
    pub fn untold(self) -> Self {
        Retold { session: self.session.untold(), ..self }
    }

    /// The decision for an instant.
    ///
    /// # Errors
    /// [`Blind`] if too little is known about it.
    pub fn at(&mut self, at: Time) -> Result<Decision, Blind> {
        let seen = self.recording.known_at(self.policy, Phase::OfSeries, self.begun, at);
        self.session.step(&seen, self.policy, at)
    }

    /// The session at the last instant.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

// === impl Moment ===

impl Moment {
    /// The spacing of the moments for a past of this length.
    pub fn distance(past: Span) -> Span {
        let fits = |every: &Span| past.as_seconds() <= MOST_MOMENTS * every.as_seconds();
        DISTANCES.into_iter().find(fits).unwrap_or(Span::DAY)
    }

    /// The moments of the past before `until`, oldest first.
    pub fn all(policy: &Policy, traces: Traces, past: Span, until: Time) -> Vec<Moment> {
        let every = Moment::distance(past);
        let last = until.floor_to(every, Span::ZERO);
        let count = past.as_seconds() / every.as_seconds();
        let first = last - Span::seconds(count * every.as_seconds());
        let mut retold = Retold::new(policy, traces, first).untold();
        let instants = (0..=count).map(|i| first + Span::seconds(i * every.as_seconds()));
        let blank = |at| Moment { at, answer: None, needs: Vec::new() };
        instants
            .map(|at| retold.at(at).map_or_else(|_| blank(at), |decision| Moment::of(&decision)))
            .collect()
    }

    /// The moment of a decision.
    pub fn of(decision: &Decision) -> Self {
        let answer = Some((decision.replicas, decision.reason));
        Moment { at: decision.at, answer, needs: decision.needs.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::SignalTraces;
    use crate::history::Series;
    use crate::policy::Keys;
    use crate::units::Step;

    fn policy() -> Policy {
        let values = [("query", "load"), ("threshold", "10"), ("minReplicas", "1"), ("maxReplicas", "60")];
        let values = values.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Policy::from_keys(&Keys { values, ..Keys::default() }).expect("valid")
    }

    #[test]
    fn only_an_instant_ahead_changes_how_long_a_forecast_is_followed() {
        let brief = Policy { max_stale: Span::minutes(10), ..policy() };
        let known_until = Time::from_epoch(86_400);
        let followed = |at: Time| looking_ahead(&brief, at, known_until).max_stale;
        for at in [known_until - Span::DAY, known_until - Span::minutes(5), known_until] {
            assert_eq!(followed(at), Span::minutes(10), "{at}");
        }
        assert!(followed(known_until + Span::hours(9)) > Span::hours(9));
    }

    /// A week of minutes that rise and fall once a day.
    fn traces() -> Traces {
        let wave = |m: i32| 300.0 - 200.0 * (f64::from(m) / 1_440.0 * std::f64::consts::TAU).cos();
        let load = Series::from_values(Time::from_epoch(0), Step::MINUTE, (0..7 * 1_440).map(wave));
        let signal = SignalTraces { load: Some(load), ..SignalTraces::default() };
        Traces { signals: vec![signal], ..Traces::default() }
    }

    #[test]
    fn a_moment_of_the_picture_is_what_that_instant_alone_explains() {
        let (policy, until) = (policy(), Time::from_epoch(7 * 86_400));
        let moments = Moment::all(&policy, traces(), Span::hours(24), until);
        assert_eq!(moments.len(), 145);
        assert_eq!(moments.last().map(|moment| moment.at), Some(until));
        for moment in moments.iter().step_by(29) {
            let alone = Retold::new(&policy, traces(), moment.at).at(moment.at).expect("decided");
            assert_eq!(moment.answer, Some((alone.replicas, alone.reason)), "at {}", moment.at);
            assert_eq!(moment.needs, alone.needs, "at {}", moment.at);
        }
        // The load now never needs more than the peak of the wave, and the forecast leads it on the way up.
        let asked = |moment: &Moment| moment.needs.iter().map(|need| need.replicas.get()).max();
        assert!(moments.iter().all(|moment| asked(moment).is_some_and(|most| (10..=60).contains(&most))));
    }

    #[test]
    fn what_was_not_known_yet_is_left_blank() {
        let moments = Moment::all(&policy(), traces(), Span::days(14), Time::from_epoch(7 * 86_400));
        assert_eq!(moments.len(), 169);
        assert!(moments[10].answer.is_none() && moments[160].answer.is_some());
    }

    #[test]
    fn every_range_has_about_as_many_moments() {
        for (hours, count) in [(6, 180), (24, 144), (72, 144), (168, 168), (336, 168)] {
            let past = Span::hours(hours);
            assert_eq!(past.as_seconds() / Moment::distance(past).as_seconds(), count, "{hours} h");
        }
    }
}
