//! One forecast over time: when a fit is due, the fit in use, and the samples folded in since.
//!
//! A session holds one per signal; the server holds one for all workloads that learn from the same data. When a fit
//! is due depends on the signal alone, so that everyone who shares a forecast agrees. Nothing here makes a fit.

use super::fits::{FIT_DELAY, FitId, Forecast, follow, grid_point, lesson, usable_from};
use crate::history::{Observations, SignalHistory};
use crate::policy::{Policy, Signal};
use crate::units::{Span, Time};

/// A forecast that is kept current.
#[derive(Debug, Clone)]
pub struct Followed {
    phase: Span,
    fit: Option<Fit>,
}

#[derive(Debug, Clone)]
struct Fit {
    id: FitId,
    forecast: Forecast,
}

// === impl Followed ===

impl Followed {
    /// Nothing fitted yet; `phase` shifts the grid of its fits.
    pub fn new(phase: Span) -> Self {
        Followed { phase, fit: None }
    }

    /// The grid point that must be fitted before answering for `at`; `None` if the fit in use is the right one, or
    /// nothing was read yet. A history that ended more than `maxStale` ago is not fitted again: its plan stays as it
    /// was. A fit whose history ended before the grid point is repeated once the history has been read up to there,
    /// so that it matches a neighbour's. A fit that is ahead of the clock, because the clock was set back, is
    /// repeated too.
    pub fn due(&self, observations: &Observations, policy: &Policy, signal: usize, at: Time) -> Option<Time> {
        let (history, signal) = (observations.signals.get(signal)?, policy.signals.get(signal)?);
        lesson(history, signal)?;
        let until = history.present().map_or(at, |last| at.min(last.at + policy.max_stale));
        let point = grid_point(until, self.phase);
        let Some(Fit { id, forecast }) = &self.fit else { return Some(point) };
        let is_ahead = |reached: Time| reached > at + FIT_DELAY;
        let is_set_back =
            is_ahead(usable_from(id.point)) || forecast.as_ref().is_ok_and(|outlook| is_ahead(outlook.at()));
        let has_caught_up = id.behind && !ends_before(history, signal, point);
        // A workload that is a moment behind the others does not want the fit before theirs.
        (point > id.point || is_set_back || has_caught_up).then_some(point)
    }

    /// Puts the fit of a grid point into use; it was made from these observations.
    pub fn adopt(
        &mut self,
        point: Time,
        forecast: Forecast,
        observations: &Observations,
        policy: &Policy,
        signal: usize,
    ) {
        let read = observations.signals.get(signal).zip(policy.signals.get(signal));
        let behind = read.is_some_and(|(history, signal)| ends_before(history, signal, point));
        self.fit = Some(Fit { id: FitId { point, behind }, forecast });
    }

    /// Folds in the samples observed since.
    pub fn follow(&mut self, observations: &Observations, policy: &Policy, signal: usize) {
        // Taken out first: if folding panics, the half-updated forecast is dropped and fitted again.
        if let Some(Fit { id, forecast: Ok(mut outlook) }) = self.fit.take_if(|fit| fit.forecast.is_ok()) {
            follow(&mut outlook, observations, policy, signal);
            self.fit = Some(Fit { id, forecast: Ok(outlook) });
        }
    }

    /// The forecast; `None` before the first fit.
    pub fn forecast(&self) -> Option<Forecast> {
        self.fit.as_ref().map(|fit| fit.forecast.clone())
    }

    /// Which fit is in use; `None` before the first.
    pub fn id(&self) -> Option<FitId> {
        self.fit.as_ref().map(|fit| fit.id)
    }

    /// The phase of its fit grid.
    pub fn phase(&self) -> Span {
        self.phase
    }
}

/// Whether a history of which something was read ends before the grid point.
fn ends_before(history: &SignalHistory, signal: &Signal, point: Time) -> bool {
    let point = point.floor_to(signal.step.span(), Span::ZERO);
    let ends = [&history.load, &history.arrivals].into_iter().flatten().map(|series| series.end());
    ends.min().is_some_and(|end| end.is_none_or(|end| end < point))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::fits::forecast;
    use super::*;
    use crate::history::Series;
    use crate::policy::Keys;
    use crate::units::Step;

    fn policy() -> Policy {
        let values = [("query", "load"), ("threshold", "10")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        Policy::from_keys(&Keys { values: values.into(), ..Keys::default() }).expect("valid")
    }

    fn minute(m: i64) -> Time {
        Time::from_epoch(m * 60)
    }

    fn seen(minutes: i64) -> Observations {
        let load = (0..=minutes).map(|m| 50.0 + (m % 60) as f64);
        let mut seen = Observations::none(1, minute(0));
        seen.signals[0].load = Some(Arc::new(Series::from_values(minute(0), Step::MINUTE, load)));
        seen
    }

    #[test]
    fn a_fit_is_due_at_its_point_once_and_when_the_history_has_caught_up() {
        let (policy, mut followed) = (policy(), Followed::new(Span::ZERO));
        assert_eq!(followed.due(&Observations::none(1, minute(0)), &policy, 0, minute(700)), None);
        let adopt = |followed: &mut Followed, known: i64, point: Time| {
            let seen = seen(known);
            let fit = forecast(&seen, &policy, 0, point).expect("read");
            followed.adopt(point, fit, &seen, &policy, 0);
            followed.follow(&seen, &policy, 0);
        };
        let point = minute(720);
        // The history had not been read up to the grid point when the fit was put into use.
        assert_eq!(followed.due(&seen(710), &policy, 0, minute(725)), Some(point));
        adopt(&mut followed, 710, point);
        assert_eq!(followed.id(), Some(FitId { point, behind: true }));
        assert_eq!(followed.due(&seen(711), &policy, 0, minute(726)), None);
        assert_eq!(followed.due(&seen(726), &policy, 0, minute(727)), Some(point), "it has caught up");
        adopt(&mut followed, 726, point);
        assert_eq!(followed.due(&seen(727), &policy, 0, minute(728)), None);
        let next = point + Span::hours(6);
        assert_eq!(followed.due(&seen(1_085), &policy, 0, minute(1_085)), Some(next));
        adopt(&mut followed, 1_085, next);
        // A neighbour asks for an instant shortly before the others.
        assert_eq!(followed.due(&seen(1_084), &policy, 0, minute(1_085) - Span::seconds(15)), None);
        assert_eq!(followed.due(&seen(800), &policy, 0, minute(800)), Some(point), "the clock was set back");
    }

    #[test]
    fn what_nobody_else_holds_is_followed_in_place() {
        let (policy, mut followed) = (policy(), Followed::new(Span::ZERO));
        let begin = seen(730);
        let fit = forecast(&begin, &policy, 0, minute(720)).expect("read");
        followed.adopt(minute(720), fit, &begin, &policy, 0);
        let place =
            |followed: &Followed| Arc::as_ptr(&followed.forecast().expect("fitted").expect("long enough"));
        let before = place(&followed);
        followed.follow(&begin, &policy, 0);
        assert_eq!(place(&followed), before);
        let held = followed.forecast().expect("fitted").expect("long enough");
        followed.follow(&seen(740), &policy, 0);
        assert_eq!(
            (held.at(), place(&followed) == before),
            (minute(730), false),
            "a reader keeps what it has"
        );
    }
}
