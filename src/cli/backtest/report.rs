//! `report.html`: the report that an engineer sends to their manager.
//!
//! It is a single file with its style and pictures; it makes no request from the reader's machine. All content is
//! there without JavaScript, which only shows the numbers under the pointer. It never claims more than the twin
//! knows: settings and caveats are part of it.

mod charts;
mod heat;
mod words;

use std::fmt::Write;

use chrono_tz::Tz;

use super::doubts;
use super::entry::Entry;
use super::verdict::{meaning, verdict};
use super::workload::Workload;
use crate::draw::{STYLE, day, escaped, number, scroller};

const SCRIPT: &str = include_str!("report/hover.js");

/// The page of one workload.
pub(in crate::cli) fn page(workload: &Workload, entries: &[&Entry]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut out, workload, entries);
    out
}

fn write_page(out: &mut String, workload: &Workload, entries: &[&Entry]) -> std::fmt::Result {
    let measure = workload.target.measure(&workload.load);
    let name = escaped(&workload.name);
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{name} - Forescale backtest</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{name}</h1>\n\
         <p>What each way of scaling would have done from <b>{}</b> to <b>{}</b>.</p>\n</header>\n",
        day(Tz::UTC, measure.from),
        day(Tz::UTC, measure.until),
    )?;
    if let Some(verdict) = verdict(entries.iter().copied()) {
        writeln!(out, "<p><strong>{}</strong></p>", escaped(&verdict))?;
    }
    for doubt in doubts::of(workload, entries.iter().copied()) {
        writeln!(out, "<section class=\"notice\"><p>{}</p></section>", escaped(&doubt))?;
    }
    if let Some(trust) = entries.iter().find_map(|entry| entry.trust) {
        writeln!(
            out,
            "<section class=\"plain\"><p>At the end {}.</p></section>",
            escaped(&trust.to_string())
        )?;
    }
    tiles(out, workload, entries)?;
    out.push_str("<section class=\"charts\">\n");
    for figure in charts::all(workload, entries) {
        figure.write(out)?;
    }
    for figure in heat::all(entries) {
        figure.write(out)?;
    }
    out.push_str("</section>\n");
    table(out, entries)?;
    words::settings(out, workload)?;
    out.push_str(words::CAVEATS);
    write!(out, "</main>\n<div id=\"tip\" hidden></div>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n")
}

/// The four most important numbers, compared with the reactive scaler if it took part.
fn tiles(out: &mut String, workload: &Workload, entries: &[&Entry]) -> std::fmt::Result {
    let named = |name: &str| entries.iter().find(|entry| entry.name == name).map(|entry| entry.run.scorecard);
    let Some(mine) = named("predictive").or_else(|| entries.first().map(|e| e.run.scorecard)) else {
        return Ok(());
    };
    let other = named("actual").map(|card| ("what ran", card));
    let other = other.or_else(|| named("reactive").map(|card| ("reactive", card)));
    let beside = |value: fn(&crate::simulate::Scorecard) -> f64, unit: &str| {
        other.map_or_else(String::new, |(name, card)| format!("{name}: {}{unit}", number(value(&card))))
    };
    let mut tile = |title: &str, value: String, note: String| {
        writeln!(
            out,
            "<div class=\"tile\"><span>{title}</span><strong>{value}</strong><small>{note}</small></div>"
        )
    };
    tile("time short of replicas", format!("{} %", number(mine.tau_u)), beside(|c| c.tau_u, " %"))?;
    tile(
        "requests that waited",
        format!("{} %", number(mine.slo_violations)),
        beside(|c| c.slo_violations, " %"),
    )?;
    tile("replica-hours", number(mine.replica_hours), beside(|c| c.replica_hours, ""))?;
    let saved = saving(entries);
    let days = mine.days.max(1e-9);
    match saved {
        Some((share, hours)) => {
            let money = hours / days * 30.0 * workload.target.price;
            let worth = if workload.target.price > 0.0 {
                format!("{} a month at {} an hour", number(money), workload.target.price)
            } else {
                format!("{} replica-hours a month", number(hours / days * 30.0))
            };
            tile(
                "saved at equal safety",
                format!("{} %", number(share)),
                format!("against reactive: {worth}"),
            )
        }
        None => tile("saved at equal safety", "-".to_owned(), "1 % is not reached by both".to_owned()),
    }
    .map(|()| {
        let at = out.find("<div class=\"tile\">").unwrap_or(out.len());
        out.insert_str(at, "<section class=\"tiles\">\n");
        out.push_str("</section>\n");
    })
}

/// The share and the number of replica-hours saved when both are short for 1 % of the time.
fn saving(entries: &[&Entry]) -> Option<(f64, f64)> {
    let find = |name: &str| entries.iter().find(|entry| entry.name == name);
    let (mine, reactive) = (find("predictive")?, find("reactive")?);
    let (a, b) = (mine.frontier.matched?, reactive.frontier.matched?);
    Some((100.0 * (1.0 - a / b), (b - a) * mine.run.scorecard.demand_hours))
}

fn table(out: &mut String, entries: &[&Entry]) -> std::fmt::Result {
    out.push_str("<section><h2>All strategies</h2>\n");
    out.push_str(&scroller("All strategies"));
    out.push_str(
        "<table>\n<thead><tr><th>strategy</th>\
         <th>short, % of time</th><th>mean shortfall, %</th><th>requests late, %</th><th>replica-hours</th>\
         <th>by demand</th><th>by demand at 1 % short</th><th>events a day</th><th>starts</th>\
         <th>flaps</th><th>cost</th></tr></thead>\n<tbody>\n",
    );
    for entry in entries {
        let card = &entry.run.scorecard;
        let ratio = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |r| format!("{r:.3}"));
        writeln!(
            out,
            "<tr><th>{}<small>{}</small></th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            entry.name,
            escaped(meaning(entry.name)),
            number(card.tau_u),
            number(card.theta_u),
            number(card.slo_violations),
            number(card.replica_hours),
            ratio(card.rh_ratio),
            ratio(entry.frontier.matched),
            number(card.events_per_day),
            card.starts,
            card.reversals,
            number(card.cost),
        )?;
    }
    out.push_str("</tbody></table></div></section>\n");
    Ok(())
}
