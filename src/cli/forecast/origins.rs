//! Forecasts from many origins: origins after the same grid point share a fit, and none sees a later sample.

use anyhow::{Context, bail};

use super::ForecastArgs;
use crate::decide::{FIT_GRID, trust};
use crate::forecast::{Explanation, FitError, Tracker, fit};
use crate::history::{Calendar, Series};
use crate::plan::Insured;
use crate::units::{Span, Time};

/// One origin with its forecasts: by horizon, then by quantile.
pub(super) struct Origin {
    pub at: Time,
    pub values: Vec<Vec<f64>>,
    pub explanations: Vec<Explanation>,
}

/// The most threads used.
const THREADS: usize = 2;

/// All origins in order. Those after the same grid point share a fit; grid points are distributed over the threads.
pub(super) fn forecast_all(
    series: &Series,
    calendar: &Calendar,
    args: &ForecastArgs,
    origins: &[Time],
) -> anyhow::Result<Vec<Origin>> {
    let groups: Vec<&[Time]> = origins
        .chunk_by(|a, b| a.floor_to(FIT_GRID, Span::ZERO) == b.floor_to(FIT_GRID, Span::ZERO))
        .collect();
    let work = |first: usize| -> anyhow::Result<Vec<(usize, Vec<Origin>)>> {
        let mine = groups.iter().enumerate().skip(first).step_by(THREADS);
        mine.map(|(i, group)| Ok((i, forecast_group(series, calendar, args, group)?))).collect()
    };
    let work = &work;
    let parts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|t| scope.spawn(move || work(t))).collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(|_| bail!("a worker failed"))).collect::<Vec<_>>()
    });
    let mut all = Vec::new();
    for part in parts {
        all.extend(part?);
    }
    all.sort_by_key(|(i, _)| *i);
    Ok(all.into_iter().flat_map(|(_, group)| group).collect())
}

/// Origins after one grid point, ascending.
fn forecast_group(
    series: &Series,
    calendar: &Calendar,
    args: &ForecastArgs,
    group: &[Time],
) -> anyhow::Result<Vec<Origin>> {
    let mut tracker: Option<Tracker> = None;
    let mut out = Vec::new();
    for &at in group {
        if tracker.is_none() {
            tracker =
                Some(start(series, calendar, at, args.history).with_context(|| format!("origin {at}"))?);
        }
        let Some(tracker) = tracker.as_mut() else { continue };
        tracker.follow(series, at);
        // A trace may end before the origin: the horizon is then longer.
        let late = at.since(tracker.at());
        let values = args.horizons.iter().map(|&h| {
            if args.peak {
                tracker.peak(h + late, &args.quantiles)
            } else {
                tracker.quantiles(h + late, &args.quantiles)
            }
        });
        let explanations = args.horizons.iter().filter(|_| args.explain).map(|&h| {
            let insured = Insured::Quantile(args.insured);
            tracker.explain(h + late, trust(tracker, args.lead, insured))
        });
        out.push(Origin { at, values: values.collect(), explanations: explanations.collect() });
    }
    Ok(out)
}

/// The fit at the grid point before an origin, or at the origin itself if too little was known at the grid point.
fn start(series: &Series, calendar: &Calendar, origin: Time, history: Span) -> Result<Tracker, FitError> {
    let grid = origin.floor_to(FIT_GRID, Span::ZERO);
    // Only samples newer than origin − history may be seen, by the fit as well.
    let window = grid.since(origin - history);
    match fit(series, calendar, grid, window) {
        Ok(fitted) => Ok(fitted.tracker()),
        Err(_) => fit(series, calendar, origin, history).map(|f| f.tracker()),
    }
}
