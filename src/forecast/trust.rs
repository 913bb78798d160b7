//! Whether a forecast deserves to be acted on, and how accurate it has been.
//!
//! What decides is the loss that matters: the asymmetric (pinball) loss at the quantile that is insured, of
//! the peak of the lead window, over the trailing days, beside two plain rules: persistence and the seasonal
//! naive, both granted their own error quantiles. A change of mind needs more evidence than staying, so that
//! trust does not flap. It is not judged by percentage errors.

use std::fmt;

use crate::units::{Quantile, Span};

use super::pool::{LEVELS, MEDIAN, Standing};
use super::tracker::Tracker;

/// How far a forecast may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TrustState {
    /// Clearly worse than a plain rule: not to be acted on.
    Distrusted,
    /// Too little evidence, or about as good as a plain rule.
    #[default]
    Probation,
    /// At least as good as the plain rules.
    Trusted,
}

/// Trust with its evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trust {
    /// How far the forecast may be relied on.
    pub state: TrustState,
    /// The window whose peak was judged.
    pub window: Span,
    /// The quantile whose loss was judged.
    pub quantile: f64,
    /// Rolling loss of the forecast, in the unit of the load.
    pub forecast_loss: f64,
    /// Rolling loss of persistence (the last value and its usual errors).
    pub persistence_loss: f64,
    /// Rolling loss of the seasonal naive (the same time a week or a day ago and its usual errors).
    pub naive_loss: f64,
    /// Forecast loss over that of the better plain rule; below 1 the forecast is better.
    pub ratio: f64,
}

/// How accurate the forecasts up to an hour ahead have been over the trailing days.
#[derive(Debug, Clone, PartialEq)]
pub struct Accuracy {
    /// Pinball loss over that of the seasonal naive, mean over the published quantiles; below 1 is better.
    pub skill_ratio: f64,
    /// Share of truths at or below the forecast, for each published quantile.
    pub coverage: Vec<(Quantile, f64)>,
}

/// Ratio at which trust is won, lost to probation, and lost altogether; the distances are the hysteresis.
const WON: f32 = 1.0;
const LOST: f32 = 1.1;
const GONE: f32 = 1.3;
/// Less decayed evidence than this share of a full record is too little.
const EVIDENCE: f32 = 0.15;
/// Levels at which trust is kept: the objectives cost, balanced and availability.
pub(super) const JUDGED: [usize; 3] = [2, 4, 5];
/// Accuracy is told for horizons up to this.
const NEAR: i64 = 3_600;
/// The window that is judged unless another is asked for: the default lead time with its review.
const WINDOW: Span = Span::seconds(150);

impl TrustState {
    /// The name used for labels: `trusted`, `probation`, `distrusted`.
    pub fn as_str(self) -> &'static str {
        match self {
            TrustState::Distrusted => "distrusted",
            TrustState::Probation => "probation",
            TrustState::Trusted => "trusted",
        }
    }

    /// The state after new evidence.
    pub(super) fn next(self, ratio: f32, count: f32) -> Self {
        match self {
            _ if count < EVIDENCE => TrustState::Probation,
            _ if ratio <= WON => TrustState::Trusted,
            _ if ratio > GONE => TrustState::Distrusted,
            TrustState::Trusted if ratio > LOST => TrustState::Probation,
            TrustState::Distrusted if ratio <= LOST => TrustState::Probation,
            same => same,
        }
    }
}

impl fmt::Display for TrustState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: loss {:.4} at quantile {} of the {} peak, persistence {:.4}, naive {:.4} (ratio {:.2})",
            self.state,
            self.forecast_loss,
            self.quantile,
            self.window,
            self.persistence_loss,
            self.naive_loss,
            self.ratio
        )
    }
}

impl Tracker {
    /// Trust at quantile 0.95 of the peak of the default lead window.
    pub fn trust(&self) -> Trust {
        self.trust_in(WINDOW, Quantile::PUBLISHED[3])
    }

    /// Trust at a quantile (the nearest of 0.8, 0.95 and 0.99) of the peak of a window (the nearest modelled
    /// one that is not shorter).
    pub fn trust_in(&self, window: Span, quantile: Quantile) -> Trust {
        let wanted = window.as_seconds();
        let step = self.fit.plan.step;
        let mut peaks = self.fit.tasks.iter().zip(&self.state.standings).filter(|(t, _)| t.task.peak);
        let chosen = peaks
            .clone()
            .find(|(t, _)| t.task.steps as i64 * step >= wanted)
            .or_else(|| peaks.next_back())
            .or_else(|| self.fit.tasks.iter().zip(&self.state.standings).next());
        let distance = |l: usize| (LEVELS[l] - quantile.get()).abs();
        let place = (0..JUDGED.len()).min_by(|&a, &b| distance(JUDGED[a]).total_cmp(&distance(JUDGED[b])));
        let (Some((learnt, standing)), Some(place)) = (chosen, place) else {
            return Trust {
                state: TrustState::Probation,
                window,
                quantile: quantile.get(),
                forecast_loss: 0.0,
                persistence_loss: 0.0,
                naive_loss: 0.0,
                ratio: 1.0,
            };
        };
        let level = JUDGED[place];
        let full = f64::from(standing.count.max(f32::MIN_POSITIVE));
        let loss = |k: usize| self.fit.transform.load(f64::from(standing.record[k][level]) / full);
        Trust {
            state: standing.trust[place],
            window: Span::seconds(learnt.task.steps as i64 * step),
            quantile: LEVELS[level],
            forecast_loss: loss(0),
            persistence_loss: loss(1),
            naive_loss: loss(2),
            ratio: f64::from(standing.ratio(level)),
        }
    }

    /// Accuracy up to an hour ahead over the trailing days.
    pub fn accuracy(&self) -> Accuracy {
        let step = self.fit.plan.step;
        let first = self.fit.tasks.first().map_or(1, |t| t.task.steps);
        let near: Vec<&Standing> = self
            .fit
            .tasks
            .iter()
            .zip(&self.state.standings)
            .filter(|(t, _)| !t.task.peak && (t.task.steps as i64 * step <= NEAR || t.task.steps == first))
            .map(|(_, s)| s)
            .collect();
        let published = || Quantile::PUBLISHED.into_iter().zip(MEDIAN..LEVELS.len());
        let total = |k: usize| -> f64 {
            near.iter().flat_map(|s| published().map(move |(_, l)| f64::from(s.record[k][l]))).sum()
        };
        let count: f64 = near.iter().map(|s| f64::from(s.count)).sum();
        let coverage = published().map(|(q, l)| {
            let covered: f64 = near.iter().map(|s| f64::from(s.cover[l])).sum();
            (q, if count > 0.0 { (covered / count).min(1.0) } else { q.get() })
        });
        // A series that stands still has no loss on either side.
        let trifle = 1e-9 * count;
        Accuracy {
            skill_ratio: (total(0) + trifle) / (total(2) + trifle).max(f64::MIN_POSITIVE),
            coverage: coverage.collect(),
        }
    }
}
