//! Forecasts of 5-minute means, as the usual models make them, in the place of last week's load.
//!
//! What a model expects from each bin on is the same whatever its insurance, so it is worked out once for a whole
//! sweep. A forecast made from the first `n` bins is a function of those alone.

use std::sync::Arc;

use crate::simulate::{Load, Moment, Strategy, Target};
use crate::units::{Span, Threshold, Time};

/// A model of a series of means: from so many known ones, what it expects of the next.
pub(super) trait Model {
    /// Expectations of the `ahead` bins that follow the first `known`; `None` where too little is known. Asked with
    /// `known` ascending.
    fn expects(&mut self, bins: &Bins, known: usize, ahead: usize) -> Option<Vec<f64>>;
}

/// Means of the load on a coarse grid from its first sample on.
pub(super) struct Bins {
    pub means: Vec<f64>,
    start: Time,
    length: Span,
}

/// What a model expects over a whole simulation.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    /// Row by row: the bins from the first unknown one on.
    rows: Arc<Vec<Vec<f64>>>,
    /// Bins known at the first row.
    first: usize,
    start: Time,
    length: Span,
    delay: Span,
    window: Span,
}

/// Asks for what is expected, and never for less than the load now.
pub(super) struct Means {
    pub threshold: Threshold,
    pub insurance: f64,
    pub expected: Expected,
}

/// What such models are usually fitted to: fine enough for pods, coarse enough for their cost.
const BIN: Span = Span::minutes(5);
/// The newest bins that a fit may use: 28 days of five minutes.
pub(super) const MOST: usize = 8_064;

// === impl Bins ===

impl Bins {
    /// Whole bins only; those shorter than the load's step would hold nothing.
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

    /// Bins of a day, the nearest whole number.
    pub(super) fn of_a_day(&self) -> usize {
        let (day, length) = (Span::DAY.as_seconds(), self.length.as_seconds());
        usize::try_from((day + length / 2) / length).unwrap_or(0)
    }

    /// The newest of the first `known`.
    pub(super) fn newest(&self, known: usize) -> &[f64] {
        self.means.get(known.saturating_sub(MOST)..known).unwrap_or_default()
    }

    fn known(&self, at: Time) -> usize {
        usize::try_from(at.since(self.start).as_seconds() / self.length.as_seconds()).unwrap_or(0)
    }
}

// === impl Expected ===

impl Expected {
    /// Lets a model expect from every bin of the simulation on, as far ahead as a want has to stand.
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

    /// The largest mean expected of the coming window; zero where nothing is.
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
