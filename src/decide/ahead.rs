//! What the coming hours are expected to bring: the band of the load, and the replicas it asks for within all bounds.
//!
//! For pages and timelines, which look further than a decision does. A decision is never made from it.

use super::insured::trust;
use crate::forecast::{Rule, Tracker};
use crate::plan::{Insured, replicas_for};
use crate::policy::{Bounds, Limits, Override, Policy};
use crate::units::{Quantile, Replicas, Span, Time};

/// What a stretch of time is expected to bring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Where it begins.
    pub from: Time,
    /// Loads in its middle that are not exceeded with probability 0.25, 0.5 and the insured one.
    pub load: [f64; 3],
    /// The insured probability.
    pub quantile: Quantile,
    /// Replicas at the median load, within all bounds.
    pub likely: Replicas,
    /// Replicas that will be asked for, within all bounds.
    pub replicas: Replicas,
    /// The least and the most that the bounds allow.
    pub allowed: (Replicas, Replicas),
    /// What the insured load needs, where that is more than the bounds allow.
    pub capped: Option<Replicas>,
}

/// The stretches of length `every` between two instants, by the forecast of the policy's first signal; empty without
/// a signal. A queue with a deadline is sized by its backlog, which nobody knows ahead: its replicas are the bounds'.
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
    // Where nothing predicts, the forecast's band is what is known of later hours.
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

/// The least and the most replicas that bounds, limits and an override allow together.
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
