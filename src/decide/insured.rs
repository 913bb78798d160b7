//! What a forecast asks for under an insurance, and which forecast that is.
//!
//! A decision and the replay that finds a promise's price ask here, so that what was replayed is what is done.

use super::cached_forecast::CachedForecast;
use super::load_distribution::LoadDistribution;
use crate::forecast::{Rule, Tracker, Trust};
use crate::plan::{self, Insured, LeadWindow, Odds};
use crate::units::{Quantile, Replicas, Span, Step, Threshold, Time};

/// How load becomes replicas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    pub factor: f64,
    pub threshold: Threshold,
    pub activation: f64,
}

/// A forecast looked at from an instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub tracker: &'a CachedForecast,
    pub step: Step,
    pub until: Time,
    /// Who predicts.
    pub rule: Rule,
}

/// A forecast of less than this share of one replica's load is the rounding of a model that never says exactly none;
/// it neither starts a replica nor keeps one awake.
const NEGLIGIBLE: f64 = 0.01;
/// Replicas beyond this quantile never pay for themselves.
const FARTHEST: f64 = 0.999_99;

/// Who predicts a load at this lead time and insurance, with the evidence. The only place that asks: decisions, replays,
/// pages and commands say the same of one workload.
pub fn trust(tracker: &Tracker, lead: Span, insured: Insured) -> Trust {
    tracker.trust_in(LeadWindow::new(lead).length(), insured.quantile())
}

// === impl Need ===

impl Need {
    /// The fewest replicas that carry a load.
    pub(super) fn replicas(self, load: f64) -> Replicas {
        plan::replicas_for(load, self.factor, self.threshold, self.activation)
    }

    /// The same for a load that is only expected.
    pub(super) fn expected(self, load: f64) -> Replicas {
        let least = NEGLIGIBLE * self.threshold.get();
        if load * self.factor <= least { Replicas::ZERO } else { self.replicas(load) }
    }

    /// How likely so many replicas do not carry a load.
    pub(super) fn odds(self, spread: &LoadDistribution) -> Odds {
        let (likely, most) = self.range(spread);
        Odds::new(likely, most, self.above(spread))
    }

    /// The replicas that cost least together with the time they leave short, for one penalty.
    pub(super) fn cheapest_at(self, spread: &LoadDistribution, penalty: f64) -> Replicas {
        let (likely, most) = self.range(spread);
        plan::cheapest_at(likely, most, self.above(spread), penalty)
    }

    /// From the likely replicas to those that are nearly never too few.
    fn range(self, spread: &LoadDistribution) -> (Replicas, Replicas) {
        let likely = self.expected(spread.at(Quantile::LIKELY));
        (likely, Quantile::new(FARTHEST).map_or(likely, |q| self.expected(spread.at(q))))
    }

    /// The probability that so many are too few.
    fn above(self, spread: &LoadDistribution) -> impl Fn(Replicas) -> f64 {
        let per_replica = self.threshold.get() / self.factor.max(f64::MIN_POSITIVE);
        move |count| spread.above(f64::from(count.get()) * per_replica)
    }
}

// === impl View ===

impl View<'_> {
    /// What the forecast asks for so far ahead. A quantile insures the largest load until then. A penalty insures the
    /// load then: what comes before was ordered before, and the HPA holds it.
    pub(super) fn need(&self, length: Span, insured: Insured, need: Need) -> Replicas {
        match insured {
            Insured::Quantile(quantile) => need.expected(self.peak(length).at(quantile)),
            Insured::Penalty(penalty) => need.cheapest_at(&self.load(length), penalty),
        }
    }

    /// The largest load of the coming `length`.
    pub(super) fn peak(&self, length: Span) -> LoadDistribution {
        self.tracker.peak(self.rule, self.ahead(length))
    }

    /// The load at the end of the coming `length`.
    pub(super) fn load(&self, length: Span) -> LoadDistribution {
        self.tracker.load(self.rule, self.ahead(length))
    }

    /// What arrives per second until a deadline, on average.
    pub(super) fn arrivals(&self, within: Span, quantile: Quantile) -> f64 {
        /// Points of the deadline at which the forecast is read.
        const POINTS: usize = 4;
        let steps = self.step.cover(within).max(1);
        let span = |k: usize| self.step.times((steps * k).div_ceil(POINTS));
        let at = |k: usize| self.tracker.load(self.rule, span(k)).at(quantile);
        (1..=POINTS).map(at).sum::<f64>() / POINTS as f64
    }

    /// In whole steps from the last sample that was followed.
    pub(super) fn ahead(&self, length: Span) -> Span {
        self.step.times(self.step.cover((self.until + length).since(self.tracker.at())).max(1))
    }
}

#[cfg(test)]
mod tests;
