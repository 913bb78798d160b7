//! How many replicas a forecast needs under an insurance setting, and which rule predicts.
//!
//! Decisions and the replay that prices a target both use these functions, so that the replay does what a decision
//! does.

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

/// A forecast seen from an instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub tracker: &'a CachedForecast,
    pub step: Step,
    pub until: Time,
    /// The rule that predicts.
    pub rule: Rule,
}

/// A forecast of less than this share of one replica's load is rounding by a model that never predicts exactly zero.
/// It neither starts a replica nor keeps one running.
const NEGLIGIBLE: f64 = 0.01;
/// Replicas beyond this quantile never pay off.
const FARTHEST: f64 = 0.999_99;

/// Which rule predicts a load at this lead time and insurance, with the evidence. This is the only function that
/// determines it, so decisions, replays, pages and commands agree about a workload.
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

    /// The probability that a number of replicas does not carry the load.
    pub(super) fn odds(self, spread: &LoadDistribution) -> Odds {
        let (likely, most) = self.range(spread);
        Odds::new(likely, most, self.above(spread))
    }

    /// For one penalty, the number of replicas with the lowest cost, including the time it leaves short.
    pub(super) fn cheapest_at(self, spread: &LoadDistribution, penalty: f64) -> Replicas {
        let (likely, most) = self.range(spread);
        plan::cheapest_at(likely, most, self.above(spread), penalty)
    }

    /// From the likely number of replicas to one that is hardly ever too few.
    fn range(self, spread: &LoadDistribution) -> (Replicas, Replicas) {
        let likely = self.expected(spread.at(Quantile::LIKELY));
        (likely, Quantile::new(FARTHEST).map_or(likely, |q| self.expected(spread.at(q))))
    }

    /// The probability that a number of replicas is too few.
    fn above(self, spread: &LoadDistribution) -> impl Fn(Replicas) -> f64 {
        let per_replica = self.threshold.get() / self.factor.max(f64::MIN_POSITIVE);
        move |count| spread.above(f64::from(count.get()) * per_replica)
    }
}

// === impl View ===

impl View<'_> {
    /// Replicas needed for the forecast over the next `length`. A quantile insures the largest load until then. A
    /// penalty insures only the load at its end: replicas for earlier loads were requested earlier, and the HPA holds
    /// them.
    pub(super) fn need(&self, length: Span, insured: Insured, need: Need) -> Replicas {
        match insured {
            Insured::Quantile(quantile) => need.expected(self.peak(length).at(quantile)),
            Insured::Penalty(penalty) => need.cheapest_at(&self.load(length), penalty),
        }
    }

    /// The largest load within the next `length`.
    pub(super) fn peak(&self, length: Span) -> LoadDistribution {
        self.tracker.peak(self.rule, self.ahead(length))
    }

    /// The load at the end of the next `length`.
    pub(super) fn load(&self, length: Span) -> LoadDistribution {
        self.tracker.load(self.rule, self.ahead(length))
    }

    /// The average arrivals per second until a deadline.
    pub(super) fn arrivals(&self, within: Span, quantile: Quantile) -> f64 {
        /// Points before the deadline at which the forecast is read.
        const POINTS: usize = 4;
        let steps = self.step.cover(within).max(1);
        let span = |k: usize| self.step.times((steps * k).div_ceil(POINTS));
        let at = |k: usize| self.tracker.load(self.rule, span(k)).at(quantile);
        (1..=POINTS).map(at).sum::<f64>() / POINTS as f64
    }

    /// The span from the last folded sample, in whole steps.
    pub(super) fn ahead(&self, length: Span) -> Span {
        self.step.times(self.step.cover((self.until + length).since(self.tracker.at())).max(1))
    }
}

#[cfg(test)]
mod tests;
