//! Formats the timeline as a table, or as one JSON document.

use std::fmt::Write;

use serde_json::{Value, json};

use super::outlook::{Outlook, Stretch};
use crate::decide::Stretch as Hour;
use crate::policy::schedule::Bound;
use crate::units::{Replicas, Span, Time, measured};

/// A run of hours in which the same limit binds: start, end, most needed, most allowed.
type Capped = (Time, Time, Replicas, Replicas);

/// The table.
pub(super) fn text(outlook: &Outlook) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut out, outlook);
    out
}

fn write_all(out: &mut String, outlook: &Outlook) -> std::fmt::Result {
    let days = outlook.to.since(outlook.from).as_seconds() / 86_400;
    writeln!(
        out,
        "{}, {} from {} ({}), {} to {} replicas\n",
        outlook.title,
        measured(&days.to_string(), "day"),
        outlook.shown(outlook.from),
        outlook.zone,
        outlook.limits.min,
        outlook.limits.max
    )?;
    if let Some(threshold) = &outlook.threshold {
        writeln!(out, "Threshold: {threshold}\n")?;
    }
    write_stretches(out, outlook)?;
    if !outlook.events.is_empty() {
        writeln!(out, "\nEvents")?;
        for event in &outlook.events {
            writeln!(out, "  {:<22} {}", outlook.shown(event.at), event.text)?;
        }
    }
    if !outlook.hours.is_empty() {
        write_days(out, outlook)?;
        for (from, to, needed, allowed) in capped(&outlook.hours, outlook) {
            let (from, to) = (outlook.shown(from), outlook.shown(to));
            writeln!(out, "Capped from {from} to {to}: {needed} needed, {allowed} allowed")?;
        }
    }
    Ok(())
}

fn write_stretches(out: &mut String, outlook: &Outlook) -> std::fmt::Result {
    if outlook.rules.is_empty() {
        return writeln!(out, "No schedule.");
    }
    writeln!(
        out,
        "{:<22} {:<22} {:>9} {:>6} {:>8} {:>7}  rules",
        "from", "to", "replicas", "floor", "ceiling", "factor"
    )?;
    for stretch in &outlook.stretches {
        let bound = |bound: Option<Bound>| bound.map_or("-".to_owned(), |b| b.replicas.to_string());
        let Stretch { from, to, bounds } = stretch;
        let factor = if bounds.factor == 1.0 { "-".to_owned() } else { format!("×{}", bounds.factor) };
        let mut line = format!(
            "{:<22} {:<22} {:>9} {:>6} {:>8} {factor:>7}  {}",
            outlook.shown(*from),
            outlook.shown(*to),
            outlook.replicas(stretch),
            bound(bounds.floor),
            bound(bounds.ceiling),
            rules(outlook, stretch)
        );
        if bounds.commands_zero() {
            line.push_str(" (commanded zero)");
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// The labels of the rules that bind.
fn rules(outlook: &Outlook, stretch: &Stretch) -> String {
    let mut places: Vec<usize> =
        [stretch.bounds.floor, stretch.bounds.ceiling].into_iter().flatten().map(|b| b.rule).collect();
    places.dedup();
    let labels: Vec<&str> = places.iter().filter_map(|&i| outlook.rules.get(i).map(String::as_str)).collect();
    labels.join(" and ")
}

fn write_days(out: &mut String, outlook: &Outlook) -> std::fmt::Result {
    let quantile = outlook.hours.first().map_or(0.0, |h| h.quantile.get());
    writeln!(out, "\nForecast")?;
    writeln!(
        out,
        "{:<12} {:>12} {:>12}  {:>12}  highest at",
        "day",
        "median load",
        format!("at most ({quantile})"),
        "replicas"
    )?;
    let day = |hour: &Hour| {
        let shown = outlook.shown(hour.from);
        shown.rsplit_once(' ').map_or(shown.clone(), |(date, _)| date.to_owned())
    };
    for group in outlook.hours.chunk_by(|a, b| day(a) == day(b)) {
        let Some(first) = group.first() else { continue };
        let highest = group.iter().max_by(|a, b| a.load[2].total_cmp(&b.load[2])).unwrap_or(first);
        let least = group.iter().map(|h| h.replicas).min().unwrap_or_default();
        let most = group.iter().map(|h| h.replicas).max().unwrap_or_default();
        let median = group.iter().map(|h| h.load[1]).fold(0.0, f64::max);
        let at = outlook.shown(highest.from);
        writeln!(
            out,
            "{:<12} {median:>12.4} {:>12.4}  {:>12}  {}",
            day(first),
            highest.load[2],
            format!("{least} to {most}"),
            at.rsplit_once(' ').map_or(at.as_str(), |(_, time)| time)
        )?;
    }
    Ok(())
}

/// Hours in which more is needed than allowed; adjacent hours are merged.
pub(super) fn capped(hours: &[Hour], outlook: &Outlook) -> Vec<Capped> {
    let mut found: Vec<Capped> = Vec::new();
    for hour in hours {
        let Some(needed) = hour.capped else { continue };
        let (_, allowed) = outlook.range_at(hour.from + Span::minutes(30));
        match found.last_mut() {
            Some(last) if last.1 == hour.from && last.3 == allowed => {
                last.1 = hour.from + Span::HOUR;
                last.2 = last.2.max(needed);
            }
            _ => found.push((hour.from, hour.from + Span::HOUR, needed, allowed)),
        }
    }
    found
}

/// The document.
pub(super) fn json(outlook: &Outlook) -> Value {
    let count = |bound: Option<Bound>| bound.map(|b| b.replicas.get());
    let label = |bound: Option<Bound>| bound.and_then(|b| outlook.rules.get(b.rule));
    let stretches = outlook.stretches.iter().map(|Stretch { from, to, bounds }| {
        json!({
            "from": from.to_string(), "to": to.to_string(), "floor": count(bounds.floor),
            "floor_rule": label(bounds.floor), "ceiling": count(bounds.ceiling),
            "ceiling_rule": label(bounds.ceiling), "factor": bounds.factor,
            "commanded_zero": bounds.commands_zero(), "crossed": bounds.crossed,
        })
    });
    let events =
        outlook.events.iter().map(|e| json!({ "at": e.at.to_string(), "kind": e.kind, "text": e.text }));
    let hours = outlook.hours.iter().map(|hour| {
        json!({
            "from": hour.from.to_string(), "load_low": hour.load[0], "load_median": hour.load[1],
            "load_insured": hour.load[2], "quantile": hour.quantile.get(), "replicas_median": hour.likely.get(),
            "replicas": hour.replicas.get(), "capped_from": hour.capped.map(Replicas::get),
        })
    });
    let capped = capped(&outlook.hours, outlook).into_iter().map(|(from, to, needed, allowed)| {
        json!({
            "from": from.to_string(), "to": to.to_string(), "needed": needed.get(), "allowed": allowed.get(),
        })
    });
    json!({
        "schema": 1, "workload": outlook.title, "timezone": outlook.zone.name(),
        "from": outlook.from.to_string(), "to": outlook.to.to_string(),
        "min_replicas": outlook.limits.min.get(), "max_replicas": outlook.limits.max.get(),
        "threshold": outlook.threshold, "override": outlook.r#override.as_ref().map(ToString::to_string),
        "stretches": stretches.collect::<Vec<_>>(), "events": events.collect::<Vec<_>>(),
        "hours": hours.collect::<Vec<_>>(), "capped": capped.collect::<Vec<_>>(),
    })
}
