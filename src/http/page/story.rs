//! One workload: what was, what is and why, what will be, and what people said about it.

use std::fmt::Write;

use chrono::TimeZone;
use chrono_tz::Tz;

use super::super::overview::{Known, SILENT, Standing, Story};
use super::{FOOT, figures, head, mark};
use crate::decide::{Decision, Prepared, SignalPlan, Stretch, ahead};
use crate::draw::{escaped, number};
use crate::policy::schedule::Bound;
use crate::policy::{Insurance, LeadTime, Policy};
use crate::units::{Span, Time};

/// Distance of the points of the band.
const FINE: Span = Span::minutes(15);
/// How far the schedule is told.
const SCHEDULE_AHEAD: Span = Span::days(3);

pub(super) fn write(
    out: &mut String,
    known: &Known,
    story: Option<&Story>,
    now: Time,
    exposes: bool,
) -> std::fmt::Result {
    let title = format!("{}/{}", known.id.namespace, known.id.name);
    out.push_str(&head(&title, "../../", Some(now)));
    let state = mark(known, now);
    writeln!(
        out,
        "<h1>{}</h1>\n<p><span class=\"mark {}\">{}</span> metric <code>{}</code>, KEDA asked {} ago</p>",
        escaped(&title),
        state.class,
        state.word,
        escaped(&known.id.metric),
        now.since(known.last_asked)
    )?;
    if now.since(known.last_asked) > SILENT {
        out.push_str(
            "<section class=\"notice calm\"><p>KEDA asks every polling interval, 30 seconds unless told otherwise. It \
             is silent where the ScaledObject is paused or gone, or where it asks another replica of this server.\
             </p></section>\n",
        );
    }
    trouble(out, known, exposes)?;
    if let Some(story) = story {
        let tracker = story.prepared.as_ref().and_then(tracker);
        let look = |every: Span| {
            let from = now.floor_to(every, Span::ZERO);
            tracker.map_or_else(Vec::new, |t| ahead(t, &story.policy, from, now + figures::AHEAD, every))
        };
        let (fine, hours) = (look(FINE), look(Span::HOUR));
        if let Some(decision) = known.standing.decision() {
            tiles(out, story, decision, now)?;
        }
        out.push_str("<section class=\"charts\" aria-label=\"Pictures\">\n");
        if let Some(figure) = figures::load(story, known.standing.decision().and_then(|d| d.load), &fine, now)
        {
            figure.write(out)?;
        }
        if let Some(decision) = known.standing.decision() {
            figures::replicas(story, decision, &fine, now).write(out)?;
        }
        out.push_str("</section>\n<div class=\"two\">\n");
        if let Some(decision) = known.standing.decision() {
            why(out, decision)?;
        }
        next_hours(out, story, &hours, now)?;
        said(out, &story.policy, now)?;
        changes(out, story)?;
        quality(out, story)?;
        settings(out, story, exposes)?;
        out.push_str("</div>\n");
    }
    out.push_str(FOOT);
    Ok(())
}

fn tracker(prepared: &Prepared) -> Option<&crate::decide::Outlook> {
    match prepared.signals.first() {
        Some(SignalPlan::Ready { tracker, .. }) => Some(tracker),
        _ => None,
    }
}

fn trouble(out: &mut String, known: &Known, exposes: bool) -> std::fmt::Result {
    let Some(text) = known.standing.trouble(exposes) else { return Ok(()) };
    let told = match &known.standing {
        Standing::Faulty(_) => {
            "The trigger's metadata is refused, and KEDA holds what runs. The whole text stands in \
                                the events of the ScaledObject; <code>forescale lint</code> finds it before \
             it is applied."
        }
        Standing::Blind(crate::decide::Blind::Warming { .. }) => {
            "KEDA is told to hold what runs until the history was read."
        }
        _ => {
            "Neither a load nor the last need is known. KEDA is told to hold what runs; its fallback stands."
        }
    };
    writeln!(
        out,
        "<section class=\"notice\" aria-label=\"Trouble\"><p><strong>{}</strong></p><p>{told}</p></section>",
        escaped(&text)
    )
}

fn tiles(out: &mut String, story: &Story, decision: &Decision, now: Time) -> std::fmt::Result {
    out.push_str("<section class=\"tiles\" aria-label=\"Now\">\n");
    let mut tile = |title: &str, value: String, note: String| {
        let note = escaped(&note);
        writeln!(
            out,
            "<div class=\"tile\"><span>{title}</span><strong>{value}</strong><small>{note}</small></div>"
        )
    };
    tile("replicas", decision.replicas.to_string(), decision.reason.to_string())?;
    // Where a person's word decides, the load was not looked at; it is known all the same.
    let last = story.load.as_deref().and_then(|series| series.last());
    let load = decision.load.or(last.map(|(_, load)| load));
    let age = decision.history_age.or(last.map(|(at, _)| now.since(at)));
    let age = age.map_or_else(|| "not measured".to_owned(), |age| format!("{age} old"));
    tile("load", load.map_or_else(|| "-".to_owned(), number), age)?;
    if let Some(view) = &decision.forecast {
        let note = format!("at most, with probability {}, in the coming {}", view.quantile, view.window);
        tile("peak to come", number(view.load), note)?;
        tile("forecast", view.trust.to_owned(), format!("fitted {}", crate::draw::moment(view.fitted_at)))?;
    }
    if let Some((span, probability)) = decision.capped_in {
        tile("capped in", span.to_string(), format!("probability {}", number(probability)))?;
    }
    out.push_str("</section>\n");
    Ok(())
}

fn why(out: &mut String, decision: &Decision) -> std::fmt::Result {
    write!(
        out,
        "<section><h2>Why {}</h2>\n<div class=\"scroll\"><table>\n<caption>The largest that counts wins, within floors \
         and ceilings.</caption>\n<thead><tr><th scope=\"col\">who asks</th><th scope=\"col\">for</th>\
         <th scope=\"col\" class=\"words\">counts</th></tr></thead>\n<tbody>\n",
        decision.replicas
    )?;
    for need in &decision.needs {
        let (class, counts) = if need.counts { ("", "yes") } else { (" class=\"aside\"", "no") };
        writeln!(
            out,
            "<tr{class}><th scope=\"row\">{}</th><td>{}</td><td class=\"words\">{counts}</td></tr>",
            need.contributor.as_str(),
            need.replicas
        )?;
    }
    out.push_str("</tbody></table></div>\n");
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

fn next_hours(out: &mut String, story: &Story, hours: &[Stretch], now: Time) -> std::fmt::Result {
    let zone = story.policy.schedule.zone();
    out.push_str("<section><h2>The next hours</h2>\n");
    let Some(first) = hours.first() else {
        return writeln!(out, "<p>There is no forecast{}.</p></section>", no_forecast(story));
    };
    write!(
        out,
        "<div class=\"scroll\"><table>\n<caption>Times in {zone}; the load in the middle of each hour.</caption>\n\
         <thead><tr><th scope=\"col\">from</th><th scope=\"col\">median load</th><th scope=\"col\">at most ({})</th>\
         <th scope=\"col\">replicas</th></tr></thead>\n<tbody>\n",
        first.quantile
    )?;
    for hour in hours {
        let capped = hour.capped.map_or_else(String::new, |needed| format!(" (capped, {needed} needed)"));
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}{capped}</td></tr>",
            local(zone, hour.from, now),
            number(hour.load[1]),
            number(hour.load[2]),
            hour.replicas
        )?;
    }
    out.push_str("</tbody></table></div></section>\n");
    Ok(())
}

fn no_forecast(story: &Story) -> String {
    match story.prepared.as_ref().and_then(|p| p.signals.first()) {
        Some(SignalPlan::Unfit(why)) => format!(": {}", escaped(&why.to_string())),
        Some(_) => ": the history is being read".to_owned(),
        None => String::new(),
    }
}

/// What people said: the override and the schedule.
fn said(out: &mut String, policy: &Policy, now: Time) -> std::fmt::Result {
    let zone = policy.schedule.zone();
    out.push_str("<section><h2>Override and schedule</h2>\n");
    match policy.r#override.as_ref().filter(|word| word.holds_at(now)) {
        Some(word) => writeln!(
            out,
            "<p class=\"notice calm\">Override: <strong>{} replicas</strong> until {}{}</p>",
            word.replicas,
            local(zone, word.until, now),
            if word.reason.is_empty() { ".".to_owned() } else { format!(": {}", escaped(&word.reason)) }
        )?,
        None => out.push_str("<p>No override.</p>\n"),
    }
    if policy.schedule.rules().is_empty() {
        writeln!(
            out,
            "<p>No schedule: {} to {} replicas at all times.</p>",
            policy.limits.min, policy.limits.max
        )?;
        out.push_str("</section>\n");
        return Ok(());
    }
    write!(
        out,
        "<div class=\"scroll\"><table>\n<caption>The coming three days, times in {zone}; \
         within {} to {} replicas.</caption>\n\
         <thead><tr><th scope=\"col\">from</th><th scope=\"col\">floor</th><th scope=\"col\">ceiling</th>\
         <th scope=\"col\" class=\"words\">rules</th></tr></thead>\n<tbody>\n",
        policy.limits.min, policy.limits.max
    )?;
    for (at, bounds) in policy.schedule.changes(now, now + SCHEDULE_AHEAD) {
        let count = |bound: Option<Bound>| bound.map_or("-".to_owned(), |b| b.replicas.to_string());
        let mut rules: Vec<&str> = [bounds.floor, bounds.ceiling]
            .into_iter()
            .flatten()
            .filter_map(|b| policy.schedule.rules().get(b.rule).map(|rule| rule.label()))
            .collect();
        rules.dedup();
        let factor =
            if bounds.factor == 1.0 { String::new() } else { format!(" load × {}", number(bounds.factor)) };
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"words\">{}{factor}</td></tr>",
            if at == now { "now".to_owned() } else { local(zone, at, now) },
            count(bounds.floor),
            count(bounds.ceiling),
            escaped(&rules.join(" and "))
        )?;
    }
    out.push_str("</tbody></table></div></section>\n");
    Ok(())
}

fn changes(out: &mut String, story: &Story) -> std::fmt::Result {
    let zone = story.policy.schedule.zone();
    write!(
        out,
        "<section><h2>Last changes</h2>\n<div class=\"scroll\"><table>\n<caption>The newest first, times in \
         {zone}, since this server began.</caption>\n<thead><tr><th scope=\"col\">at</th><th scope=\"col\">replicas</th>\
         <th scope=\"col\" class=\"words\">reason</th></tr></thead>\n<tbody>\n",
    )?;
    for change in story.changes.iter().rev().take(12) {
        let rung = if change.rung == "fresh" { String::new() } else { format!(" ({})", change.rung) };
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"words\">{}{rung}</td></tr>",
            shown(zone, change.at, "%a %-d %b %H:%M:%S"),
            change.replicas,
            change.reason
        )?;
    }
    out.push_str("</tbody></table></div></section>\n");
    Ok(())
}

fn quality(out: &mut String, story: &Story) -> std::fmt::Result {
    let Some(tracker) = story.prepared.as_ref().and_then(tracker) else { return Ok(()) };
    let (accuracy, trust) = (tracker.accuracy(), tracker.trust());
    writeln!(
        out,
        "<section class=\"plain\"><h2>How good the forecast is</h2><dl>\n<dt>loss by that of the same time a week ago\
         </dt><dd>{} (below 1 is better)</dd>\n<dt>loss that matters, by that of the better plain rule</dt><dd>{} ({})\
         </dd>",
        number(accuracy.skill_ratio),
        number(trust.ratio),
        trust.state
    )?;
    for (quantile, share) in &accuracy.coverage {
        writeln!(out, "<dt>samples below quantile {quantile}</dt><dd>{} %</dd>", number(share * 100.0))?;
    }
    out.push_str("</dl></section>\n");
    Ok(())
}

fn settings(out: &mut String, story: &Story, exposes: bool) -> std::fmt::Result {
    let policy = &story.policy;
    let insured = match policy.insurance {
        Insurance::Quantile(q) => format!("quantile {q}"),
        Insurance::Target(share) => format!("at most {} % of the time short", number(share * 100.0)),
    };
    let lead = match policy.lead_time {
        LeadTime::Given(span) => span.to_string(),
        LeadTime::Auto => "learned".to_owned(),
    };
    let mut rows = vec![
        ("mode", format!("{:?}", policy.mode).to_lowercase()),
        ("replicas", format!("{} to {}", policy.limits.min, policy.limits.max)),
        ("insured", insured),
        ("lead time", lead),
        ("time zone", policy.schedule.zone().to_string()),
    ];
    for signal in &policy.signals {
        rows.push(("load per replica", number(signal.threshold.get())));
        rows.push(("history learned from", format!("{} in steps of {}", signal.window, signal.step)));
    }
    out.push_str("<section class=\"plain\"><h2>Settings</h2><dl>\n");
    for (name, value) in rows {
        writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escaped(&value))?;
    }
    out.push_str("</dl>\n");
    if exposes {
        out.push_str("<h3>Metadata of the trigger</h3>\n<pre tabindex=\"0\" aria-label=\"Metadata\">");
        for (key, value) in &story.keys {
            writeln!(out, "{}: {}", escaped(key), escaped(value))?;
        }
        out.push_str("</pre>\n");
    } else {
        out.push_str(
            "<p class=\"soft\">Queries and metadata are shown only where the server runs with <code>--expose-queries\
             </code>.</p>\n",
        );
    }
    out.push_str("</section>\n");
    Ok(())
}

/// An instant as the wall clock of a zone shows it, with the day where it is another one.
fn local(zone: Tz, at: Time, now: Time) -> String {
    let day = |at: Time| shown(zone, at, "%a %-d %b");
    if day(at) == day(now) { shown(zone, at, "%H:%M") } else { shown(zone, at, "%a %-d %b %H:%M") }
}

fn shown(zone: Tz, at: Time, form: &str) -> String {
    zone.from_utc_datetime(&at.to_utc().naive_utc()).format(form).to_string()
}
