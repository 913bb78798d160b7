//! What a forecast asks for under an insurance, and how a promised share of time finds its price.
//!
//! The price is found by replaying the days before with a fit from before them, through the very function that
//! later decides. A replay knows each sample only once it counts.

use super::outlook::Outlook;
use super::spread::Spread;
use crate::forecast::fit;
use crate::history::Series;
use crate::plan::{self, BALANCED_WORTH, Insured, LeadWindow, Replay, WORTHS};
use crate::policy::{LeadTime, Policy, Signal};
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
    pub tracker: &'a Outlook,
    pub step: Step,
    pub until: Time,
}

/// A forecast of less than this share of one replica's load is the rounding of a model that never says exactly none;
/// it neither starts a replica nor keeps one awake.
const NEGLIGIBLE: f64 = 0.01;
/// Replicas beyond this quantile are never worth their cost.
const FARTHEST: f64 = 0.999_99;

/// What the forecast asks for so far ahead. A quantile insures the largest load until then. A worth insures the
/// load then: what comes before was ordered before, and the HPA holds it.
pub(super) fn insured_need(view: &View<'_>, length: Span, insured: Insured, need: Need) -> Replicas {
    match insured {
        Insured::Quantile(quantile) => need.expected(view.peak(length).at(quantile)),
        Insured::Worth(worth) => need.worthwhile(&view.load(length), worth),
    }
}

/// The worth that would have kept the target over the days before `at`, by a fit from before them.
pub(super) fn worth_of(learned: &Series, policy: &Policy, signal: &Signal, at: Time, share: f64) -> f64 {
    /// A week shows every weekday; replayed with a fit that is a week old it errs to the safe side.
    const MOST: Span = Span::days(7);
    /// Instants of the replay: as fine as the HPA's decisions matter to pods that take minutes.
    const TICK: Span = Span::MINUTE;
    /// The HPA keeps replicas this long after they are last wanted.
    const HOLD: Span = Span::minutes(5);
    let span = at.since(learned.start());
    let from = at - Span::seconds(span.as_seconds() / 3).min(MOST);
    let Ok(earlier) = fit(learned, &policy.calendar, from, signal.window) else { return BALANCED_WORTH };
    let need = Need { factor: 1.0, threshold: signal.threshold, activation: signal.activation };
    let length = LeadWindow::new(lead_given(policy)).length();
    let mut outlook = Outlook::new(earlier.tracker());
    let mut replay = Vec::new();
    let mut now = from;
    while now < at {
        if let Some(known) = learned.slot_before(now - signal.settle) {
            outlook.follow_to(learned, learned.time(known));
        }
        let value =
            |at: Time| learned.slot_before(at).and_then(|slot| learned.get(slot)).map(|v| need.replicas(v));
        let present = value(now - signal.settle).unwrap_or_default();
        let ahead = View { tracker: &outlook, step: signal.step, until: now }.load(length);
        let wanted = WORTHS.iter().map(|&worth| need.worthwhile(&ahead, worth).max(present)).collect();
        replay.push(Replay { demand: value(now), wanted });
        now = now + TICK;
    }
    let ticks = |span: Span| usize::try_from(span.as_seconds() / TICK.as_seconds()).unwrap_or(0);
    plan::worth_for_target(&replay, ticks(length), ticks(HOLD), share)
}

fn lead_given(policy: &Policy) -> Span {
    match policy.lead_time {
        LeadTime::Given(lead) => lead,
        LeadTime::Auto => LeadTime::DEFAULT,
    }
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

    fn worthwhile(self, spread: &Spread, worth: f64) -> Replicas {
        let likely = self.expected(spread.at(Quantile::LIKELY));
        let most = Quantile::new(FARTHEST).map_or(likely, |q| self.expected(spread.at(q)));
        let per_replica = self.threshold.get() / self.factor.max(f64::MIN_POSITIVE);
        plan::worthwhile(likely, most, worth, |count| spread.above(f64::from(count.get()) * per_replica))
    }
}

// === impl View ===

impl View<'_> {
    /// The largest load of the coming `length`.
    pub(super) fn peak(&self, length: Span) -> Spread {
        self.tracker.peak(self.ahead(length))
    }

    /// The load at the end of the coming `length`.
    pub(super) fn load(&self, length: Span) -> Spread {
        self.tracker.load(self.ahead(length))
    }

    /// In whole steps from the last sample that was followed.
    fn ahead(&self, length: Span) -> Span {
        self.step.times(self.step.cover((self.until + length).since(self.tracker.at())).max(1))
    }
}

#[cfg(test)]
mod tests;
