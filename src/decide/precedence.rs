//! The decision: override, needs, floors, ceilings and zero, in the documented order of precedence.
//!
//! This is the only place that combines the needs of the signals with what people configured. It never turns an error
//! or a doubt into fewer replicas: it keeps the previous need or answers [`Blind`].

use super::decision::{Blind, Decision, DegradationLevel, Need};
use super::evaluate::{SignalInputs, SignalNeed, evaluate};
use super::prepared::{Prepared, SignalPlan};
use super::reason::{Contributor, Note, Reason};
use super::rules::{beyond_tolerance, in_sizes, with_spare};
use crate::history::{Observations, Sample, Series};
use crate::plan;
use crate::policy::{Bounds, CapacityMode, LeadTime, Mode, Policy};
use crate::units::{Replicas, Span, Time};

/// If the clocks differ by more than this, load must not lower an answer.
const MOST_SKEW: Span = Span::seconds(60);

/// How many replicas at `now`, and why. An override in force wins, then a schedule that commands zero. Otherwise the
/// largest need counts, raised to the floor of the schedule and `minReplicas`, and capped by the schedule's ceiling
/// and `maxReplicas`.
///
/// # Errors
/// [`Blind`] if nothing is known that a number could be based on; KEDA then keeps what runs.
pub fn decide(
    prepared: &Prepared,
    observations: &Observations,
    policy: &Policy,
    now: Time,
) -> Result<Decision, Blind> {
    let bounds = policy.schedule.at(now);
    let ceiling = policy.limits.max.min(bounds.ceiling.map_or(Replicas::MAX, |b| b.replicas));
    if let Some(word) = policy.override_at(now) {
        return Ok(by_override(word.replicas, policy, now));
    }
    if bounds.commands_zero() {
        return Ok(commanded_zero(observations, policy, now));
    }
    let capacity = prepared.capacity_at(observations, policy, now);
    if now < observations.warm_by
        && capacity.is_none()
        && policy.capacity.as_ref().is_some_and(|c| c.mode == CapacityMode::Auto)
    {
        // With the configured threshold, a restart might answer fewer replicas than before.
        return Err(Blind::Warming { missing: "what one replica carries".to_owned() });
    }
    let (lead, lead_notes) = lead_time(observations, policy);
    let mut signals = Vec::with_capacity(policy.signals.len());
    let mut absent = Vec::new();
    for (i, signal) in policy.signals.iter().enumerate() {
        let missing = || Blind::Warming { missing: "observations".to_owned() };
        let question = SignalInputs {
            observations,
            policy,
            history: observations.signals.get(i).ok_or_else(missing)?,
            signal,
            threshold: capacity.as_ref().filter(|_| i == 0).map_or(signal.threshold, |view| view.used),
            usual: prepared.usual.get(i).copied().flatten(),
            number: i,
            factor: bounds.factor,
            lead: lead.now,
            wake_lead: lead.from_zero,
            now,
        };
        if question.is_absent() {
            absent.push(Note::SignalAbsent { number: i + 1 });
            continue;
        }
        signals.push(evaluate(&question, prepared.signals.get(i).unwrap_or(&SignalPlan::Pending))?);
    }
    let mut decision = gather(&signals, &bounds, observations, policy, now);
    decision.notes.extend(lead_notes);
    decision.notes.extend(absent);
    let open = policy.events.iter().filter(|event| event.is_open(now));
    decision.notes.extend(open.map(|event| Note::Event { name: event.name().to_owned() }));
    decision.capacity = capacity;
    let late = prepared.late.filter(|_| policy.mode != Mode::Reactive);
    decision.notes.extend(late.map(|since| Note::FitLate { since }));
    decision.capped_in = prepared.ceiling.filter(|c| c.at > now).map(|c| (c.at.since(now), c.probability));
    let rest =
        Rest { is_idle: signals.iter().all(|s| s.idle), awaits_load: signals.iter().any(|s| s.awaits) };
    settle(&mut decision, observations, policy, ceiling, rest);
    Ok(decision)
}

/// How long a started pod takes until it carries its full load: beside running pods, and from zero.
struct Lead {
    now: Span,
    from_zero: Span,
}

/// The lead time in use; learned if the policy asks for it and enough pod starts were seen.
fn lead_time(observations: &Observations, policy: &Policy) -> (Lead, Vec<Note>) {
    let learned = match policy.lead_time {
        LeadTime::Given(lead) => {
            let lead = lead + policy.warm_up;
            return (Lead { now: lead, from_zero: lead }, Vec::new());
        }
        LeadTime::Auto => plan::learned_lead(&observations.lead_samples),
    };
    let lead = learned.map_or(LeadTime::DEFAULT, |l| l.lead);
    let from_zero = learned.and_then(|l| l.from_zero).unwrap_or(lead);
    let runs_none = observations.replicas.as_deref().and_then(Series::last).is_some_and(|(_, r)| r < 1.0);
    let now = if runs_none { from_zero } else { lead };
    let learnt = learned.map(|_| Note::LearnedLead { lead: now });
    let grown = learned.and_then(|l| l.grown_from).map(|before| Note::LeadGrown { before, lead });
    let lead = Lead { now: now + policy.warm_up, from_zero: from_zero + policy.warm_up };
    (lead, learnt.into_iter().chain(grown).collect())
}

fn blank(now: Time, rung: DegradationLevel) -> Decision {
    Decision {
        at: now,
        replicas: Replicas::ZERO,
        predictive: Replicas::ZERO,
        rung,
        // Room for every contributor of a typical decision.
        needs: Vec::with_capacity(6),
        reason: Reason::Idle,
        notes: Vec::new(),
        load: None,
        history_age: None,
        forecast: None,
        capacity: None,
        capped_in: None,
    }
}

fn by_override(wanted: Replicas, policy: &Policy, now: Time) -> Decision {
    let replicas = wanted.min(policy.limits.max);
    let mut decision = blank(now, DegradationLevel::ScheduleOnly);
    decision.needs.push(Need { contributor: Contributor::Override, replicas: wanted, counts: true });
    if replicas < wanted {
        decision.notes.push(Note::Capped { needed: wanted });
    }
    Decision { replicas, predictive: replicas, reason: Reason::Need(Contributor::Override), ..decision }
}

/// The schedule commands zero: no idle time and no forecast, only the grace period for work in flight.
fn commanded_zero(observations: &Observations, policy: &Policy, now: Time) -> Decision {
    let mut decision = blank(now, DegradationLevel::ScheduleOnly);
    // The grace period also applies between two windows that command zero.
    let lately = policy.schedule.changes(now - policy.zero.drain_grace, now + Span::seconds(1));
    let began_lately = lately.iter().any(|(_, bounds)| !bounds.commands_zero());
    let replicas = if began_lately { draining(observations, policy) } else { Replicas::ZERO };
    let reason = if replicas > Replicas::ZERO {
        decision.needs.push(Need { contributor: Contributor::Drain, replicas, counts: true });
        Reason::Need(Contributor::Drain)
    } else {
        Reason::CommandedZero
    };
    Decision { replicas, predictive: replicas, reason, ..decision }
}

/// Replicas kept busy by work in flight: at most those that run, and at most one per item of work. If the query has
/// no answer, all running replicas are kept; the grace period ends anyway.
fn draining(observations: &Observations, policy: &Policy) -> Replicas {
    if policy.queries.in_flight.is_none() {
        return Replicas::ZERO;
    }
    let running = observations.replicas.as_deref().and_then(Series::last).map_or(1.0, |(_, r)| r.max(1.0));
    let work = observations.in_flight.filter(Sample::is_load).map_or(running, |s| s.value);
    Replicas::covering(work.min(running)).min(policy.limits.max)
}

/// Collects what every contributor asks for; of several signals the largest need counts.
fn gather(
    signals: &[SignalNeed],
    bounds: &Bounds,
    observations: &Observations,
    policy: &Policy,
    now: Time,
) -> Decision {
    let worst = [
        DegradationLevel::Stale,
        DegradationLevel::Held,
        DegradationLevel::ReactiveOnly,
        DegradationLevel::Fresh,
    ]
    .into_iter()
    .find(|r| signals.iter().any(|s| s.rung == *r));
    let mut decision = blank(now, worst.unwrap_or(DegradationLevel::ScheduleOnly));
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
    let refills = signals.iter().any(|s| s.refills);
    // The newest values are not in any series yet, so the answer given for them counts too. This also holds for a
    // replica of the server that KEDA has not queried as long as its neighbour.
    let before = observations.previous.filter(|_| refills);
    // While a source is away its last value is used. Where that value had already decayed, the need before the gap
    // counts.
    let held = signals.iter().filter(|s| s.refills || s.before_gap > s.reactive).map(|s| s.before_gap);
    ask(Contributor::Refilling, held.chain(before).max(), true);
    let skewed = observations.clock_skew > MOST_SKEW && !signals.is_empty();
    ask(Contributor::ClockSkew, observations.previous.filter(|_| skewed), true);
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

/// Whether there may be no replicas at all.
struct Rest {
    /// According to the load now, the idle time and the work in flight.
    is_idle: bool,
    /// A forecast expects load too soon.
    awaits_load: bool,
}

/// Picks the winner; applies zero, tolerance, steps and ceilings.
fn settle(
    decision: &mut Decision,
    observations: &Observations,
    policy: &Policy,
    ceiling: Replicas,
    rest: Rest,
) {
    let largest = |all: bool| {
        let asked = decision.needs.iter().filter(|n| all || n.counts);
        asked.max_by(|a, b| a.replicas.cmp(&b.replicas).then(b.contributor.cmp(&a.contributor))).copied()
    };
    // If floor and ceiling cross, the floor wins, up to `maxReplicas`.
    let floor = decision.need(Contributor::Schedule).unwrap_or(Replicas::ZERO).min(policy.limits.max);
    let is_scheduled = ceiling.max(floor) < policy.limits.max;
    let ceiling = policy.sizes.within(ceiling.max(floor));
    let running = observations.replicas.as_deref().and_then(Series::last).map(|(_, v)| v);
    let shaped = |wanted: Replicas, notes: &mut Vec<Note>| {
        let wanted = with_spare(wanted, policy.spare, ceiling, notes);
        let wanted = beyond_tolerance(wanted, running, policy.tolerance, ceiling, notes);
        in_sizes(wanted, &policy.sizes, ceiling, notes).min(ceiling)
    };
    // Nothing needs a replica, but it may be too soon for zero: idle time, work in flight, expected load.
    let least = |forecast_counts: bool| {
        let awake = !rest.is_idle || forecast_counts && rest.awaits_load;
        if awake { Replicas::ONE } else { Replicas::ZERO }
    };
    let is_shadow = policy.mode == Mode::Shadow;
    let winner = largest(false);
    let mut needed = winner.map_or(Replicas::ZERO, |n| n.replicas);
    let mut reason =
        winner.filter(|n| n.replicas > Replicas::ZERO).map_or(Reason::Idle, |n| Reason::Need(n.contributor));
    if needed < least(!is_shadow) {
        needed = least(!is_shadow);
        reason = Reason::Need(if rest.is_idle { Contributor::Forecast } else { Contributor::Minimum });
    }
    let full = largest(is_shadow).map_or(Replicas::ZERO, |n| n.replicas).max(needed).max(least(true));
    let mut notes = Vec::new();
    let replicas = shaped(needed, &mut notes);
    if needed > ceiling {
        notes.push(Note::Capped { needed });
        reason = if is_scheduled { Reason::Ceiling } else { Reason::MaxReplicas };
    }
    let kept = policy.spare.on(needed);
    if kept > needed {
        decision.needs.push(Need { contributor: Contributor::Spare, replicas: kept, counts: true });
    }
    let predictive = shaped(full, &mut Vec::new());
    if is_shadow && predictive != replicas {
        notes.push(Note::Shadow { predictive });
    }
    decision.replicas = replicas;
    decision.predictive = predictive;
    decision.reason = reason;
    decision.notes.extend(notes);
}

#[cfg(test)]
mod tests;
