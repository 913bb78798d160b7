//! What the coming hours are expected to bring: the range of the load, and the replicas needed for it within all
//! limits.
//!
//! This is for pages and timelines, which look further ahead than a decision does. No decision is made from it.

use super::insured::trust;
use crate::forecast::{Rule, Tracker};
use crate::plan::{Insured, replicas_for};
use crate::policy::{Bounds, Limits, Override, Policy};
use crate::units::{Quantile, Replicas, Span, Time};

/// A stretch of time and what it is expected to bring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// When it starts.
    pub from: Time,
    /// Loads at its midpoint that are not exceeded with probability 0.25, 0.5 and `quantile`.
    pub load: [f64; 3],
    /// The insured quantile.
    pub quantile: Quantile,
    /// Replicas for the median load, within all limits.
    pub likely: Replicas,
    /// Replicas that will be requested, within all limits.
    pub replicas: Replicas,
    /// The least and the most replicas allowed.
    pub allowed: (Replicas, Replicas),
    /// Replicas that the insured load needs, if that is more than allowed.
    pub capped: Option<Replicas>,
}

/// The stretches of length `every` between two instants, by the forecast of the policy's first signal; empty without
/// a signal. A queue with a deadline is sized by its backlog, which is not known in advance, so its replicas are only
/// bounded by the limits.
pub fn ahead(tracker: &Tracker, policy: &Policy, from: Time, to: Time, every: Span) -> Vec<Stretch> {
    let Some(signal) = policy.signals.first() else { return Vec::new() };
    let insured = policy.insurance.quantile();
    let has_deadline = signal.drain().is_some();
    let need = |load: f64, factor: f64| {
        if has_deadline {
            return Replicas::ZERO;
        }
        replicas_for(load, factor, signal.threshold, signal.activation)
    };
    // Where no rule predicts, the forecast's range is still the best information about later hours.
    let rule = match trust(tracker, policy.lead(), Insured::Quantile(insured)).rule {
        Rule::Reactive => Rule::Forecast,
        rule => rule,
    };
    let mut stretches = Vec::new();
    let mut at = from;
    while at < to {
        let middle = at + Span::seconds(every.as_seconds() / 2);
        let horizon = signal.step.times(signal.step.cover(middle.since(tracker.at())).max(1));
        let load = tracker.quantiles_by(rule, horizon, &[Quantile::LIKELY, Quantile::MEDIAN, insured]);
        let [low, median, high] = *load.as_slice() else { return stretches };
        let bounds = policy.schedule.at(middle);
        let word = policy.override_at(middle);
        let (least, most) = allowed(&bounds, &policy.limits, word);
        let wanted = need(high, bounds.factor);
        stretches.push(Stretch {
            from: at,
            load: [low, median, high],
            quantile: insured,
            likely: need(median, bounds.factor).clamp(least, most),
            replicas: wanted.clamp(least, most),
            allowed: (least, most),
            capped: (wanted > most && word.is_none() && !bounds.commands_zero()).then_some(wanted),
        });
        at = at + every;
    }
    stretches
}

/// The least and the most replicas allowed by schedule, limits and override together.
pub fn allowed(bounds: &Bounds, limits: &Limits, word: Option<&Override>) -> (Replicas, Replicas) {
    if let Some(word) = word {
        let replicas = word.replicas.min(limits.max);
        return (replicas, replicas);
    }
    if bounds.commands_zero() {
        return (Replicas::ZERO, Replicas::ZERO);
    }
    let floor = bounds.floor.map_or(Replicas::ZERO, |b| b.replicas);
    let ceiling = bounds.ceiling.map_or(Replicas::MAX, |b| b.replicas).min(limits.max);
    let ceiling = ceiling.max(floor.min(limits.max));
    (floor.max(limits.min).min(ceiling), ceiling)
}
