//! One workload: its past, its present and the reasons, its forecast, and what people configured.

mod coming;
mod settled;

use std::fmt::Write;

use chrono_tz::Tz;

use super::super::overview::{KnownWorkload, Past, Snapshot, Story};
use super::{FOOT, Look, Shown, actions, asked, class, figures, head};
use crate::decide::{
    self, Coming, Condition, Decision, Moment, Prepared, Severity, SignalPlan, ahead, wall_clock,
};
use crate::draw::{escaped, number, scroller};
use crate::forecast::Rule;
use crate::units::{Span, Time};

pub(super) fn write(
    out: &mut String,
    snapshot: &Snapshot,
    past: &Past,
    look: &Look,
    shown: Shown<'_>,
) -> std::fmt::Result {
    let moments = asked::moments(past, snapshot.known.status.decision());
    header(out, snapshot, &moments, shown.exposes)?;
    if let Some(story) = &snapshot.story {
        body(out, snapshot, story, (past, &moments), look, shown)?;
    }
    out.push_str(FOOT);
    Ok(())
}

/// The name, the states, and the queries that fail.
fn header(out: &mut String, snapshot: &Snapshot, moments: &[Moment], exposes: bool) -> std::fmt::Result {
    let Snapshot { known, now, story } = snapshot;
    let title = format!("{}/{}", known.id.namespace(), known.id.name());
    let zone = known.policy.as_ref().map_or(Tz::UTC, |policy| policy.schedule.zone());
    out.push_str(&head(&title, "../../", Some((*now, zone))));
    let states = known.conditions(*now);
    let marks: String = states
        .iter()
        .map(|state| format!("<span class=\"mark {}\">{}</span> ", class(state), state.title()))
        .collect();
    writeln!(
        out,
        "<h1>{}</h1>\n<p>{marks}metric <code>{}</code>, KEDA asked {} ago</p>",
        escaped(&title),
        escaped(known.id.metric()),
        now.since(known.last_asked)
    )?;
    for state in &states {
        let since = story.as_ref().and_then(|story| at_limit_since(state, story, moments, *now));
        trouble(out, state, known, exposes, &since.unwrap_or_default())?;
    }
    for query in known.failing.iter() {
        notice(out, " calm", "A query fails", &query.to_string(), query.advice)?;
    }
    Ok(())
}

/// What is known of a workload with valid keys: figures, pictures, reasons, and what people configured.
fn body(
    out: &mut String,
    Snapshot { known, now, .. }: &Snapshot,
    story: &Story,
    (past, moments): (&Past, &[Moment]),
    look: &Look,
    Shown { settings, exposes }: Shown<'_>,
) -> std::fmt::Result {
    let now = *now;
    let tracker = story.prepared.as_ref().and_then(tracker);
    let coming = |every: Span| {
        let from = now.floor_to(every, Span::ZERO);
        tracker.map_or_else(Vec::new, |t| ahead(t, &story.policy, from, now + figures::AHEAD, every))
    };
    let (fine, hours) = (coming(figures::FINE), coming(Span::HOUR));
    let change = decide::coming(&story.policy, now);
    let decision = known.status.decision();
    if let Some(decision) = decision {
        tiles(out, story, decision, change.as_ref(), now)?;
    }
    look.write(out, known.id.metric())?;
    out.push_str("<section class=\"charts\" aria-label=\"Charts\">\n");
    if let Some(figure) = figures::load(story, decision, &fine, look.back(), now) {
        figure.write(out)?;
    }
    match past {
        Past::Told(_) => asked::write(out, story, moments, look.back(), now)?,
        Past::Busy => asked::busy(out)?,
        Past::Unknown => {}
    }
    if let Some(decision) = decision {
        figures::replicas(story, decision, &fine, look.back(), now).write(out)?;
    }
    out.push_str("</section>\n<div class=\"two\">\n");
    if let Some(decision) = decision {
        why(out, decision, change.as_ref())?;
    }
    if !story.policy.is_schedule_only() {
        coming::next_hours(out, story, &hours, now)?;
    }
    coming::said(out, &story.policy, now)?;
    settled::changes(out, story)?;
    settled::quality(out, story, known.trust(story))?;
    actions::write(out, known, story, settings, look.back(), now)?;
    settled::settings(out, story, exposes)?;
    out.push_str("</div>\n");
    Ok(())
}

fn tracker(prepared: &Prepared) -> Option<&crate::decide::CachedForecast> {
    match prepared.signals.first() {
        Some(SignalPlan::Ready { tracker, .. }) => Some(tracker),
        _ => None,
    }
}

/// Since when the limit has been reached without a break, as far back as the pictures reach: to the second if this server
/// saw it happen.
fn at_limit_since(state: &Condition, story: &Story, moments: &[Moment], now: Time) -> Option<String> {
    let Condition::AtLimit { limit, .. } = state else { return None };
    let below = story.changes.iter().rposition(|change| change.replicas < *limit);
    let seen = below.and_then(|below| story.changes.get(below + 1)).map(|change| change.at);
    let is_reached = |moment: &&Moment| moment.answer.is_some_and(|(replicas, _)| replicas >= *limit);
    let told = moments.iter().rev().take_while(is_reached).last().map(|moment| moment.at);
    let first = seen.or(told)?;
    let is_longer = seen.is_none() && moments.first().is_some_and(|moment| moment.at == first);
    let more = if is_longer { ", or longer" } else { "" };
    Some(format!("; at the limit since {}{more}", wall_clock(story.policy.schedule.zone(), first, now)))
}

/// What is wrong, since when, and what to do about it.
fn trouble(
    out: &mut String,
    state: &Condition,
    known: &KnownWorkload,
    exposes: bool,
    since: &str,
) -> std::fmt::Result {
    let calm = match state.severity() {
        Severity::Good => return Ok(()),
        Severity::Warning => " calm",
        Severity::Bad => "",
    };
    let text = match state {
        Condition::Faulty | Condition::NoData | Condition::WarmingUp => known.status.trouble(exposes),
        _ => None,
    };
    let text = text.unwrap_or_else(|| state.to_string()) + since;
    notice(out, calm, state.title(), &text, state.advice())
}

fn notice(out: &mut String, calm: &str, title: &str, text: &str, advice: &str) -> std::fmt::Result {
    let advice: String = escaped(advice)
        .split('`')
        .enumerate()
        .map(|(i, part)| if i % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect();
    writeln!(
        out,
        "<section class=\"notice{calm}\" aria-label=\"{}\"><p><strong>{}</strong></p><p>{advice}</p></section>",
        escaped(title),
        escaped(text)
    )
}

fn tiles(
    out: &mut String,
    story: &Story,
    decision: &Decision,
    change: Option<&Coming>,
    now: Time,
) -> std::fmt::Result {
    out.push_str("<section class=\"tiles\" aria-label=\"Now\">\n");
    let mut tile = |title: &str, value: String, note: String| {
        let note = escaped(&note);
        writeln!(
            out,
            "<div class=\"tile\"><span>{title}</span><strong>{value}</strong><small>{note}</small></div>"
        )
    };
    tile("replicas", decision.replicas.to_string(), decision.reason.to_string())?;
    // Under an override the load is not evaluated, but it is known anyway.
    let last = story.load.as_deref().and_then(|series| series.last());
    let load = decision.load.or(last.map(|(_, load)| load));
    let age = decision.history_age.or(last.map(|(at, _)| now.since(at)));
    let age = age.map_or_else(|| "not measured".to_owned(), |age| format!("{age} old"));
    tile("load", load.map_or_else(|| "-".to_owned(), number), age)?;
    if let Some(view) = &decision.forecast {
        // What was forecast is not repeated where the present contradicts it.
        let note = if decision.load.is_some_and(|load| load > view.load) {
            format!("in the next {}: below the load now", view.window)
        } else {
            format!("at most, with probability {}, in the next {}", view.quantile, view.window)
        };
        tile("expected peak", number(view.load), note)?;
        let fitted = wall_clock(story.policy.schedule.zone(), view.fitted_at, now);
        let fitted = match view.trust.rule {
            Rule::Forecast => format!("fitted {fitted}"),
            Rule::Reactive => format!("the load now decides; fitted {fitted}"),
            rule => format!("{rule} predicts; fitted {fitted}"),
        };
        tile("forecast", view.trust.state().to_string(), fitted)?;
    }
    if let Some(Coming { local, to, .. }) = change {
        tile("next change", local.clone(), to.clone())?;
    }
    let states = Condition::of(decision, &story.policy);
    if let Some(Condition::NearLimit { within, probability }) =
        states.iter().find(|state| matches!(state, Condition::NearLimit { .. }))
    {
        tile("capped in", within.to_string(), format!("probability {}", number(*probability)))?;
    }
    out.push_str("</section>\n");
    Ok(())
}

fn why(out: &mut String, decision: &Decision, change: Option<&Coming>) -> std::fmt::Result {
    writeln!(out, "<section><h2>Why {}</h2>", decision.replicas)?;
    if decision.needs.is_empty() {
        writeln!(out, "<p>{}</p>", asleep(decision, change))?;
    } else {
        needs(out, decision)?;
    }
    if !decision.notes.is_empty() {
        out.push_str("<h3>Notes</h3>\n<ul class=\"plain\">\n");
        for note in &decision.notes {
            writeln!(out, "<li>{}</li>", escaped(&note.to_string()))?;
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</section>\n");
    Ok(())
}

fn needs(out: &mut String, decision: &Decision) -> std::fmt::Result {
    out.push_str(&scroller("Who asks for how many"));
    out.push_str(
        "<table>\n<caption>The largest number that counts wins, within floors and ceilings.</caption>\n\
         <thead><tr><th scope=\"col\">who asks</th><th scope=\"col\">for</th>\
         <th scope=\"col\" class=\"words\">counts</th></tr></thead>\n<tbody>\n",
    );
    for need in &decision.needs {
        let (class, counts) = if need.counts { ("", "yes") } else { (" class=\"aside\"", "no") };
        writeln!(
            out,
            "<tr{class}><th scope=\"row\">{}<small>{}</small></th><td>{}</td><td class=\"words\">{counts}</td></tr>",
            need.contributor.title(),
            escaped(need.contributor.meaning()),
            need.replicas
        )?;
    }
    out.push_str("</tbody></table></div>\n");
    Ok(())
}

/// Why there are no replicas, and when that will change.
fn asleep(decision: &Decision, change: Option<&Coming>) -> String {
    let reason = escaped(&decision.reason.to_string());
    match change {
        Some(coming) => format!("For now, {reason}. {}.", escaped(&coming.to_string())),
        None => format!("For now, {reason}."),
    }
}
