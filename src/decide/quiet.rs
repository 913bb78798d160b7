//! Tells low samples that are not the real load (outages) from low samples that are (idleness).
//!
//! Both err on the safe side: if errors or missing answers leave any doubt, capacity is kept.

use super::evaluate::SignalInputs;
use super::prepared::SignalPlan;
use crate::forecast::Rule;
use crate::history::{Sample, Series};
use crate::plan::OUTAGE_ERROR_SHARE;
use crate::units::{Quantile, Replicas, Span, Time, exceeds};

/// With errors, a load below this share of the earlier or expected load is an outage.
const COLLAPSED: f64 = 0.5;
/// How far back to look for the load before an outage.
const BEFORE_OUTAGE: Span = Span::minutes(30);
/// A longer outage is the new normal.
const LONGEST_OUTAGE: Span = Span::hours(6);

impl SignalInputs<'_> {
    /// Capacity to hold while errors indicate that the load is low because requests fail, not because there are few.
    pub(super) fn outage(&self, load: f64, present: Sample, plan: &SignalPlan) -> Replicas {
        let Some(began) = self.outage_began(present.at) else { return Replicas::ZERO };
        let before = self.history.load.as_deref().map_or(0.0, |load| {
            load.window(began - BEFORE_OUTAGE, self.now).values().into_iter().fold(0.0, f64::max)
        });
        let expected = match plan {
            SignalPlan::Ready { tracker, .. } if self.signal.drain().is_none() => {
                tracker.load(Rule::Forecast, self.signal.step.span()).at(Quantile::MEDIAN)
            }
            _ => before,
        };
        if load >= COLLAPSED * expected.max(before) {
            return Replicas::ZERO;
        }
        self.replicas_for(expected.max(before))
    }

    /// The start of the latest run of samples that indicate an outage; `None` if the last known sample does not. The
    /// last known sample counts for `maxStale`: if nothing is served, there is no share of failures.
    fn outage_began(&self, at: Time) -> Option<Time> {
        let errors = self.observations.errors.as_deref()?;
        let recent = errors.window(at - LONGEST_OUTAGE, at);
        let is_outage = |i: usize| recent.get(i).map(|share| !exceeds(OUTAGE_ERROR_SHARE, share));
        let last = (0..recent.len()).rev().find(|&i| is_outage(i).is_some())?;
        if is_outage(last) == Some(false) || recent.time(last) + self.policy.max_stale < at {
            return None;
        }
        let first = (0..last).rev().take_while(|&i| is_outage(i) != Some(false)).last().unwrap_or(last);
        Some(recent.time(first))
    }

    /// No load now, none during the idle time, no arrivals, and nothing in flight.
    pub(super) fn is_idle_now(&self, load: f64, present: Sample) -> bool {
        let arrivals = self.history.arrivals.as_deref().and_then(Series::last).map_or(0.0, |(_, v)| v);
        self.is_quiet(load) && arrivals == 0.0 && !self.may_be_busy() && self.was_quiet(present)
    }

    fn is_quiet(&self, value: f64) -> bool {
        !exceeds(value * self.factor, self.signal.activation)
    }

    /// Whether there is work in flight, or the query for it has no answer.
    fn may_be_busy(&self) -> bool {
        let answer = self.observations.in_flight.filter(Sample::is_load);
        match answer.filter(|s| self.now.since(s.at) <= self.policy.max_stale) {
            Some(sample) => sample.value > 0.0,
            None => self.policy.queries.in_flight.is_some(),
        }
    }

    /// Whether the history shows no load during the idle time before `present`. A sample applies for one step. Gaps
    /// count as no load, but a history that does not reach back far enough proves nothing.
    fn was_quiet(&self, present: Sample) -> bool {
        let since = present.at - self.policy.zero.after;
        if since == present.at {
            return true;
        }
        let Some(series) = self.history.load.as_deref() else { return false };
        let Some(last) = series.slot_before(present.at) else { return false };
        let refill = series.step().cover(self.signal.reach().refill()).max(1);
        let is_whole = |i: usize| (i.saturating_sub(refill)..i).all(|j| series.get(j).is_some());
        for i in (0..=last).rev() {
            let at = series.time(i);
            match series.get(i) {
                Some(value) if !self.is_quiet(value) => {
                    let holds_until = at + series.step().span();
                    return holds_until <= since && series.get(i + 1).is_some();
                }
                // A low value after a gap may be only part of the load.
                Some(_) if at <= since && is_whole(i) => return true,
                _ => {}
            }
        }
        false
    }
}
