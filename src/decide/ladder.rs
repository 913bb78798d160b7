//! The decision: override, needs, floors, ceilings, zero, in the order of precedence that users are told.

use super::decision::{Blind, Contributor, Decision, Need, Note, Reason, Rung};
use super::evaluate::{Question, SignalNeed, evaluate};
use super::prepared::{Prepared, SignalPlan};
use super::rules::{beyond_tolerance, in_steps};
use crate::history::{Observations, Series};
use crate::plan;
use crate::policy::{Bounds, LeadTime, Mode, Policy};
use crate::units::{Replicas, Span, Time};

/// From this difference of clocks on, load is not allowed to lower an answer.
const MOST_SKEW: Span = Span::seconds(60);

/// How many replicas at `now`, and why. An unexpired override wins; otherwise the largest need, floored by the
/// schedule and `minReplicas`, capped by the schedule's ceiling and `maxReplicas`.
///
/// # Errors
/// [`Blind`] where nothing is known that a number could rest on; KEDA then holds.
pub fn decide(
    prepared: &Prepared,
    observations: &Observations,
    policy: &Policy,
    now: Time,
) -> Result<Decision, Blind> {
    let bounds = policy.schedule.at(now);
    let ceiling = policy.limits.max.min(bounds.ceiling.map_or(Replicas::MAX, |b| b.replicas));
    if let Some(word) = policy.r#override.as_ref().filter(|o| now < o.until) {
        return Ok(by_override(word.replicas, policy, now));
    }
    if bounds.commands_zero() {
        return Ok(commanded_zero(observations, policy, now));
    }
    let (lead, lead_notes) = lead_time(observations, policy);
    let mut signals = Vec::with_capacity(policy.signals.len());
    for (i, signal) in policy.signals.iter().enumerate() {
        let missing = || Blind::Warming { missing: "observations".to_owned() };
        let question = Question {
            observations,
            policy,
            history: observations.signals.get(i).ok_or_else(missing)?,
            signal,
            is_first: i == 0,
            factor: bounds.factor,
            lead: lead.now,
            wake_lead: lead.from_zero,
            now,
        };
        signals.push(evaluate(&question, prepared.signals.get(i).unwrap_or(&SignalPlan::Pending))?);
    }
    let mut decision = gather(&signals, &bounds, observations, policy, now);
    decision.notes.extend(lead_notes);
    decision.capped_in = prepared.ceiling.filter(|c| c.at > now).map(|c| (c.at.since(now), c.probability));
    settle(&mut decision, observations, policy, ceiling, signals.iter().all(|s| s.idle));
    Ok(decision)
}

/// How long a started pod takes: beside running ones, and from zero.
struct Lead {
    now: Span,
    from_zero: Span,
}

/// The lead time in use; learned where the policy asks for it and enough pods were seen.
fn lead_time(observations: &Observations, policy: &Policy) -> (Lead, Vec<Note>) {
    let learned = match policy.lead_time {
        LeadTime::Given(lead) => return (Lead { now: lead, from_zero: lead }, Vec::new()),
        LeadTime::Auto => plan::learned_lead(&observations.lead_samples),
    };
    let lead = learned.map_or(LeadTime::DEFAULT, |l| l.lead);
    let from_zero = learned.and_then(|l| l.from_zero).unwrap_or(lead);
    let runs_none = observations.replicas.as_deref().and_then(Series::last).is_some_and(|(_, r)| r < 1.0);
    let now = if runs_none { from_zero } else { lead };
    let learnt = learned.map(|_| Note::LearnedLead { lead: now });
    let grown = learned.and_then(|l| l.grown_from).map(|before| Note::LeadGrown { before, lead });
    (Lead { now, from_zero }, learnt.into_iter().chain(grown).collect())
}

fn blank(now: Time, rung: Rung) -> Decision {
    Decision {
        at: now,
        replicas: Replicas::ZERO,
        predictive: Replicas::ZERO,
        rung,
        needs: Vec::new(),
        reason: Reason::Idle,
        notes: Vec::new(),
        load: None,
        history_age: None,
        forecast: None,
        capped_in: None,
    }
}

fn by_override(wanted: Replicas, policy: &Policy, now: Time) -> Decision {
    let replicas = wanted.min(policy.limits.max);
    let mut decision = blank(now, Rung::ScheduleOnly);
    decision.needs.push(Need { contributor: Contributor::Override, replicas: wanted, counts: true });
    if replicas < wanted {
        decision.notes.push(Note::Capped { needed: wanted });
    }
    Decision { replicas, predictive: replicas, reason: Reason::Override, ..decision }
}

/// Zero by the schedule: no idle time and no forecast, only the grace for work in flight.
fn commanded_zero(observations: &Observations, policy: &Policy, now: Time) -> Decision {
    let mut decision = blank(now, Rung::ScheduleOnly);
    let began_lately = !policy.schedule.at(now - policy.zero.drain_grace).commands_zero();
    let busy = observations.in_flight.is_some_and(|s| s.value > 0.0);
    let replicas = if began_lately && busy { Replicas::ONE } else { Replicas::ZERO };
    let reason = if replicas > Replicas::ZERO {
        decision.needs.push(Need { contributor: Contributor::Drain, replicas, counts: true });
        Reason::Drain
    } else {
        Reason::CommandedZero
    };
    Decision { replicas, predictive: replicas, reason, ..decision }
}

/// Lists what every contributor asks for; of several signals the largest need stands.
fn gather(
    signals: &[SignalNeed],
    bounds: &Bounds,
    observations: &Observations,
    policy: &Policy,
    now: Time,
) -> Decision {
    let worst = [Rung::Stale, Rung::Held, Rung::ReactiveOnly, Rung::Fresh]
        .into_iter()
        .find(|r| signals.iter().any(|s| s.rung == *r));
    let mut decision = blank(now, worst.unwrap_or(Rung::ScheduleOnly));
    let predictive = policy.mode == Mode::Predictive;
    let mut ask = |contributor, replicas: Option<Replicas>, counts| {
        if let Some(replicas) =
            replicas.filter(|r| *r > Replicas::ZERO || contributor == Contributor::Reactive)
        {
            decision.needs.push(Need { contributor, replicas, counts });
        }
    };
    ask(Contributor::Reactive, signals.iter().map(|s| s.reactive).max(), true);
    let trusted = signals.iter().filter_map(|s| s.forecast.filter(|f| f.1)).map(|f| f.0).max();
    let distrusted = signals.iter().filter_map(|s| s.forecast.filter(|f| !f.1)).map(|f| f.0).max();
    ask(Contributor::Forecast, trusted, predictive);
    if trusted.is_none() {
        ask(Contributor::Forecast, distrusted, false);
    }
    ask(Contributor::Plan, signals.iter().map(|s| s.plan).max(), predictive);
    ask(Contributor::Outage, signals.iter().map(|s| s.outage).max(), true);
    ask(Contributor::Schedule, bounds.floor.map(|b| b.replicas), true);
    ask(Contributor::Minimum, Some(policy.limits.min), true);
    let skewed = observations.clock_skew > MOST_SKEW && !signals.is_empty();
    ask(Contributor::Previous, observations.previous.filter(|_| skewed), true);
    if skewed {
        decision.notes.push(Note::ClockSkew { skew: observations.clock_skew });
    }
    if bounds.crossed {
        decision.notes.push(Note::CrossingRules);
    }
    if let Some(first) = signals.first() {
        decision.load = Some(first.load);
        decision.history_age = Some(first.age);
        decision.forecast.clone_from(&first.view);
    }
    decision.notes.extend(signals.iter().flat_map(|s| s.notes.iter().cloned()));
    decision
}

/// Picks the winner, applies zero, steps, tolerance and ceilings.
fn settle(
    decision: &mut Decision,
    observations: &Observations,
    policy: &Policy,
    ceiling: Replicas,
    all_idle: bool,
) {
    let largest = |needs: &[Need], all: bool| {
        let asked = needs.iter().filter(|n| all || n.counts);
        asked.max_by(|a, b| a.replicas.cmp(&b.replicas).then(b.contributor.cmp(&a.contributor))).copied()
    };
    let winner = largest(&decision.needs, false);
    let mut wanted = winner.map_or(Replicas::ZERO, |n| n.replicas);
    let mut reason =
        winner.filter(|n| n.replicas > Replicas::ZERO).map_or(Reason::Idle, |n| n.contributor.reason());
    if wanted == Replicas::ZERO && !all_idle {
        // Nothing asks for a replica, but it is too soon to have none: idle time, work in flight, load expected.
        wanted = Replicas::ONE;
        reason = Reason::Minimum;
    }
    let needed = wanted;
    wanted = in_steps(wanted, policy.replica_step, ceiling, &mut decision.notes);
    let running = observations.replicas.as_deref().and_then(Series::last).map(|(_, v)| v);
    wanted = beyond_tolerance(wanted, running, policy.tolerance, ceiling, &mut decision.notes);
    // Where floor and ceiling cross, the floor wins, within maxReplicas.
    let floor = decision.need(Contributor::Schedule).unwrap_or(Replicas::ZERO).min(policy.limits.max);
    let ceiling = ceiling.max(floor);
    if needed > ceiling {
        decision.notes.push(Note::Capped { needed });
        reason = if ceiling < policy.limits.max { Reason::Ceiling } else { Reason::MaxReplicas };
    }
    decision.replicas = wanted.min(ceiling);
    decision.reason = reason;
    let full = largest(&decision.needs, policy.mode == Mode::Shadow).map_or(Replicas::ZERO, |n| n.replicas);
    decision.predictive = full.max(wanted).min(ceiling);
    if policy.mode == Mode::Shadow && decision.predictive != decision.replicas {
        decision.notes.push(Note::Shadow { predictive: decision.predictive });
    }
}
