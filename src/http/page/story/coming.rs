//! What comes next: the forecast for the coming hours, and the override and schedule for the coming days.

use std::fmt::Write;

use super::Story;
use crate::decide::{SignalPlan, Stretch, wall_clock};
use crate::draw::{escaped, number, scroller};
use crate::policy::Policy;
use crate::policy::schedule::Bound;
use crate::units::{Span, Time};

/// How far ahead the schedule is shown.
const SCHEDULE_AHEAD: Span = Span::days(3);

pub(super) fn next_hours(out: &mut String, story: &Story, hours: &[Stretch], now: Time) -> std::fmt::Result {
    let zone = story.policy.schedule.zone();
    out.push_str("<section><h2>The next hours</h2>\n");
    let Some(first) = hours.first() else {
        return writeln!(out, "<p>There is no forecast{}.</p></section>", no_forecast(story));
    };
    write!(
        out,
        "{}<table>\n<caption>Times in {zone}; the load in the middle of each hour.</caption>\n\
         <thead><tr><th scope=\"col\">from</th><th scope=\"col\">median load</th><th scope=\"col\">load, quantile {}</th>\
         <th scope=\"col\">replicas</th></tr></thead>\n<tbody>\n",
        scroller("The next hours"),
        first.quantile
    )?;
    for hour in hours {
        let capped = hour.capped.map_or_else(String::new, |needed| format!(" (capped, {needed} needed)"));
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}{capped}</td></tr>",
            if hour.from <= now { "now".to_owned() } else { wall_clock(zone, hour.from, now) },
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

/// The override and the schedule.
pub(super) fn said(out: &mut String, policy: &Policy, now: Time) -> std::fmt::Result {
    let zone = policy.schedule.zone();
    out.push_str("<section><h2>Override and schedule</h2>\n");
    match policy.override_at(now) {
        Some(word) => writeln!(
            out,
            "<p class=\"notice calm\">Override: <strong>{}</strong> until {}{}</p>",
            word.replicas.in_words(),
            wall_clock(zone, word.until, now),
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
        "{}<table>\n<caption>The next three days, times in {zone}; \
         within {} to {} replicas.</caption>\n\
         <thead><tr><th scope=\"col\">from</th><th scope=\"col\">floor</th><th scope=\"col\">ceiling</th>\
         <th scope=\"col\" class=\"words\">rules</th></tr></thead>\n<tbody>\n",
        scroller("The schedule"),
        policy.limits.min,
        policy.limits.max
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
            if at == now { "now".to_owned() } else { wall_clock(zone, at, now) },
            count(bounds.floor),
            count(bounds.ceiling),
            escaped(&rules.join(" and "))
        )?;
    }
    out.push_str("</tbody></table></div></section>\n");
    Ok(())
}
