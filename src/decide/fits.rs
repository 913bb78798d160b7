//! When a fit is due, what it learns from, and how newer samples are folded into its forecast.
//!
//! A fit belongs to a point of a 6-hour grid and depends only on the window before it. So every replica of the
//! scaler, including a restarted one, has the same fits.

use std::sync::Arc;

use super::cached_forecast::CachedForecast;
use crate::forecast::{FitError, UNLIMITED, fit_within};
use crate::history::{Observations, Series, SignalHistory};
use crate::plan::{self, Doubts, LeadWindow};
use crate::policy::{LeadTime, Policy, Signal};
use crate::units::{Replicas, Span, Time};

/// The spacing of the fit grid.
pub const FIT_GRID: Span = Span::hours(6);
/// How long after its grid point a fit is put into use, so that every replica has it by then.
pub const FIT_DELAY: Span = Span::minutes(5);

/// Identifies a fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FitId {
    /// The grid point it was made for.
    pub point: Time,
    /// Whether the history had not been read up to the grid point yet.
    pub behind: bool,
}

/// A forecast as of a grid point. It is the same for all workloads with the same query, grid, window, calendar and
/// masks.
pub type Forecast = Result<Arc<CachedForecast>, FitError>;

/// The last grid point whose fit is in use at `now`; `phase` spreads the fits of many series over time.
pub fn grid_point(now: Time, phase: Span) -> Time {
    (now - FIT_DELAY).floor_to(FIT_GRID, phase)
}

/// From when on the fit of grid point `at` is used.
pub fn usable_from(at: Time) -> Time {
    at + FIT_DELAY
}

/// The first half of [`super::prepare`], for the signal with that index; `None` before its first read. The second half is
/// [`super::Terms`]: what a workload adds to a forecast that it may share.
pub fn forecast(observations: &Observations, policy: &Policy, signal: usize, at: Time) -> Option<Forecast> {
    forecast_within(observations, policy, signal, at, UNLIMITED)
}

/// The same for questions up to `reach` ahead.
pub(super) fn forecast_within(
    observations: &Observations,
    policy: &Policy,
    signal: usize,
    at: Time,
    reach: Span,
) -> Option<Forecast> {
    let after = at - policy.signals.get(signal)?.window;
    let learned = learned(observations, policy, signal, after, at)?;
    let signal = policy.signals.get(signal)?;
    let fitted = fit_within(&learned, &policy.calendar, at, signal.window, reach);
    Some(fitted.map(|fitted| Arc::new(CachedForecast::new(fitted.tracker()))))
}

/// How far ahead the decisions for a signal look at most; without a limit while the lead time is still to be learned.
pub(super) fn reach(policy: &Policy, signal: &Signal) -> Span {
    if policy.lead_time == LeadTime::Auto {
        return UNLIMITED;
    }
    let lead = policy.lead();
    let window = LeadWindow::new(lead).with_ramp(Replicas::ONE, Replicas::MAX);
    let drained = signal.drain().map_or(Span::ZERO, |drain| drain.within);
    let woken = policy.zero.wake_ahead.unwrap_or(lead);
    let farthest = window.restart().max(drained).max(woken);
    // A plan is followed until its history is `maxStale` old, and the newest slots are not settled.
    farthest + policy.max_stale + signal.settle + signal.step.times(2)
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
