//! The forecast band of the coming hours, and the replicas it asks for within floors and ceilings.

use anyhow::{Context, bail};

use super::TimelineArgs;
use crate::cli::live;
use crate::decide::{Stretch, ahead};
use crate::forecast::{Tracker, fit};
use crate::history::Series;
use crate::policy::Policy;
use crate::source::trace;
use crate::units::{Span, Step, Time};

/// The past load, if the arguments give one.
pub(super) fn history(args: &TimelineArgs, policy: &Policy, now: Time) -> anyhow::Result<Option<Series>> {
    if let Some(path) = &args.trace {
        return Ok(Some(trace::read(path)?));
    }
    let Some(address) = &args.prometheus else { return Ok(None) };
    let signal = policy.signals.first();
    let query = args.query.as_ref().or(signal.map(|s| &s.query));
    let query = query.context("--query: the workload has none; expected PromQL that yields one series")?;
    let window = signal.map_or(Span::days(28), |s| s.window);
    let step = signal.map_or(Step::MINUTE, |s| s.step);
    live::read(address, query, step, now - window, now).map(Some)
}

/// The band of every whole hour from `from` on.
pub(super) fn hours(series: &Series, policy: &Policy, from: Time, to: Time) -> anyhow::Result<Vec<Stretch>> {
    let signal = policy.signals.first().context("the workload has no query: nothing to forecast")?;
    if signal.drain().is_some() {
        bail!(
            "a queue with a deadline is sized by its arrivals; expected a rate or a queue without drainWithin"
        );
    }
    let tracker = follow(series, policy, from, signal.window)?;
    Ok(ahead(&tracker, policy, from, to, Span::HOUR))
}

/// The fit at the last point of the 6-hour grid, updated up to `from`, as the server would have it.
fn follow(series: &Series, policy: &Policy, from: Time, window: Span) -> anyhow::Result<Tracker> {
    let grid = from.floor_to(Span::hours(6), Span::ZERO);
    let fitted = fit(series, &policy.calendar, grid, window)
        .or_else(|_| fit(series, &policy.calendar, from, window))
        .with_context(|| format!("no forecast from {from} on"))?;
    let mut tracker = fitted.tracker();
    tracker.follow(series, from.min(series.end().unwrap_or(from)));
    Ok(tracker)
}
