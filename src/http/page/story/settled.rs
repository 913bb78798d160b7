//! Past answers, the accuracy of the forecast, and the policy.

use std::fmt::Write;

use chrono::TimeZone;

use super::{Story, tracker};
use crate::draw::{escaped, number, scroller};
use crate::forecast::Trust;
use crate::policy::{Insurance, LeadTime};

pub(super) fn changes(out: &mut String, story: &Story) -> std::fmt::Result {
    let zone = story.policy.schedule.zone();
    write!(
        out,
        "<section><h2>Last changes</h2>\n\
         {}<table>\n<caption>The newest first, times in {zone}, since this server started.</caption>\n\
         <thead><tr><th scope=\"col\">at</th><th scope=\"col\">replicas</th>\
         <th scope=\"col\" class=\"words\">reason</th></tr></thead>\n<tbody>\n",
        scroller("Last changes")
    )?;
    for change in story.changes.iter().rev().take(12) {
        let rung = if change.rung == "fresh" { String::new() } else { format!(" ({})", change.rung) };
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"words\">{}{rung}</td></tr>",
            zone.from_utc_datetime(&change.at.to_utc().naive_utc()).format("%a %-d %b %H:%M:%S"),
            change.replicas,
            change.reason
        )?;
    }
    out.push_str("</tbody></table></div></section>\n");
    Ok(())
}

pub(super) fn quality(out: &mut String, story: &Story, trust: Option<Trust>) -> std::fmt::Result {
    let Some(tracker) = story.prepared.as_ref().and_then(tracker) else { return Ok(()) };
    let accuracy = tracker.accuracy();
    out.push_str("<section class=\"plain\"><h2>Accuracy of the forecast</h2>");
    if let Some(trust) = trust {
        writeln!(out, "<p>{}: {}.</p>", trust.state(), escaped(&trust.to_string()))?;
    }
    writeln!(
        out,
        "<dl>\n<dt>loss divided by that of the seasonal naive, up to an hour ahead, all quantiles</dt><dd>{} (below 1 \
         is better)</dd>",
        number(accuracy.skill_ratio),
    )?;
    for (quantile, share) in &accuracy.coverage {
        writeln!(
            out,
            "<dt>samples at or below quantile {quantile}</dt><dd>{} %</dd>",
            number(share * 100.0)
        )?;
    }
    out.push_str("</dl></section>\n");
    Ok(())
}

pub(super) fn settings(out: &mut String, story: &Story, exposes: bool) -> std::fmt::Result {
    let policy = &story.policy;
    let insured = match policy.insurance {
        Insurance::Quantile(q) => format!("quantile {q}"),
        Insurance::Target(share) => {
            format!("short of replicas for at most {} % of the time", number(share * 100.0))
        }
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
        rows.push(("history", format!("{} in steps of {}", signal.window, signal.step)));
    }
    if let Some(carried) = story.prepared.as_ref().and_then(|prepared| prepared.capacity.as_ref()) {
        let mode = policy.capacity.as_ref().map_or("off", |learning| learning.mode.as_str());
        rows.push(("what one replica carries", format!("{carried} (capacity: {mode})")));
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
            "<p class=\"soft\">Queries and metadata are shown only if the server runs with <code>--expose-queries\
             </code>.</p>\n",
        );
    }
    out.push_str("</section>\n");
    Ok(())
}
