//! Forecasts of 5-minute means, as common models make them, in place of last week's load.
//!
//! A model's forecast from each bin on does not depend on the insurance, so it is computed once for a whole sweep. A
//! forecast from the first `n` bins depends only on those.

use std::sync::Arc;

use crate::simulate::{Load, Moment, Strategy, Target};
use crate::units::{Span, Threshold, Time};

/// A model of a series of means: it forecasts the next bins from the known ones.
pub(super) trait Model {
    /// The forecast of the `ahead` bins after the first `known`; `None` if too few are known. Called with ascending
    /// `known`.
    fn expects(&mut self, bins: &Bins, known: usize, ahead: usize) -> Option<Vec<f64>>;
}

/// Means of the load on a coarse grid that starts at its first sample.
pub(super) struct Bins {
    pub means: Vec<f64>,
    start: Time,
    length: Span,
}

/// The forecasts of a model over a whole simulation.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    /// One row per origin: the bins from the first unknown one on.
    rows: Arc<Vec<Vec<f64>>>,
    /// The number of bins known at the first row.
    first: usize,
    start: Time,
    length: Span,
    delay: Span,
    window: Span,
}

/// Asks for what is forecast, and never for less than the present load.
pub(super) struct Means {
    pub threshold: Threshold,
    pub insurance: f64,
    pub expected: Expected,
}

/// The usual grid for such models: fine enough for pods, coarse enough for the cost of a fit.
const BIN: Span = Span::minutes(5);
/// The most bins that a fit may use, the newest ones: 28 days of five minutes.
pub(super) const MOST: usize = 8_064;

// === impl Bins ===

impl Bins {
    /// Only whole bins. A bin is never shorter than the load's step, since it would be empty.
    fn of(load: &Load) -> Self {
        let length = if load.step() > BIN { load.step() } else { BIN };
        let count = load.end().since(load.start()).as_seconds() / length.as_seconds();
        let means = (0..count).map(|i| {
            let from = load.start() + Span::seconds(i * length.as_seconds());
            let (mut sum, mut samples, mut at) = (0.0, 0.0, from);
            while at < from + length {
                sum += load.at(at);
                samples += 1.0;
                at = at + load.step();
            }
            sum / samples
        });
        Bins { means: means.collect(), start: load.start(), length }
    }

    /// The number of bins in a day, rounded.
    pub(super) fn of_a_day(&self) -> usize {
        let (day, length) = (Span::DAY.as_seconds(), self.length.as_seconds());
        usize::try_from((day + length / 2) / length).unwrap_or(0)
    }

    /// The newest of the first `known` bins, at most `MOST`.
    pub(super) fn newest(&self, known: usize) -> &[f64] {
        self.means.get(known.saturating_sub(MOST)..known).unwrap_or_default()
    }

    fn known(&self, at: Time) -> usize {
        usize::try_from(at.since(self.start).as_seconds() / self.length.as_seconds()).unwrap_or(0)
    }
}

// === impl Expected ===

impl Expected {
    /// Runs a model at every bin of the simulation, as far ahead as an answer has to last.
    pub(super) fn by(model: &mut dyn Model, load: &Load, target: &Target, window: Span) -> Self {
        let bins = Bins::of(load);
        let (measure, delay) = (target.measure(load), target.metric_delay);
        let (first, last) =
            (bins.known(measure.from - target.warm_up - delay), bins.known(measure.until - delay));
        let reach = (delay.as_seconds() + window.as_seconds()) / bins.length.as_seconds();
        let ahead = usize::try_from(reach).unwrap_or(0) + 2;
        let rows = (first..=last).map(|known| model.expects(&bins, known, ahead).unwrap_or_default());
        let rows = Arc::new(rows.collect());
        Expected { rows, first, start: bins.start, length: bins.length, delay, window }
    }

    /// The largest mean forecast in the coming window; zero if there is none.
    fn peak(&self, now: Time) -> f64 {
        let bin = |at: Time| at.since(self.start).as_seconds().div_euclid(self.length.as_seconds());
        let known = bin(now - self.delay);
        let row = usize::try_from(known).ok().and_then(|known| self.rows.get(known.checked_sub(self.first)?));
        let (from, until) = (bin(now) - known, bin(now + self.window) - known);
        let part = row.and_then(|row| row.get(usize::try_from(from).ok()?..=usize::try_from(until).ok()?));
        part.unwrap_or_default().iter().copied().fold(0.0, f64::max)
    }
}

impl Strategy for Means {
    fn wants(&mut self, now: &Moment<'_>) -> Option<f64> {
        let newest = now.seen.newest()?;
        Some(newest.max(self.expected.peak(now.at)) / self.threshold.get() * self.insurance)
    }
}
