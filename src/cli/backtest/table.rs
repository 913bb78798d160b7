//! The results on the terminal: tables or one JSON document.

use std::io::Write;

use serde_json::Value;

use super::doubts;
use super::verdict::{meaning, verdict};
use super::workload::Outcome;
use crate::simulate::DEAREST;

/// Prints the summary as one JSON document.
pub(super) fn print_json(summary: &Value) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{summary:#}")?;
    Ok(())
}

/// Prints one table for each workload.
pub(super) fn print(results: &[Outcome<'_>], interrupted: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for result in results {
        let target = &result.workload.target;
        let span = target.measure(&result.workload.load);
        let (from, until) = (span.from, span.until);
        let truth = if target.truth.is_some() { ", judged by the capacity given" } else { "" };
        let per_replica = target.threshold.get();
        writeln!(out, "{}: {from} to {until}, {per_replica} per replica{truth}", result.workload.name)?;
        let doubts = doubts::of(result.workload, &result.entries).into_iter();
        let doubts = doubts.map(|doubt| format!("note: {doubt}"));
        verdict(&result.entries).into_iter().chain(doubts).try_for_each(|line| writeln!(out, "{line}"))?;
        if let Some(trust) = result.entries.iter().find_map(|entry| entry.trust) {
            writeln!(out, "at the end {trust}")?;
        }
        writeln!(
            out,
            "{:<20}{:>9}{:>10}{:>10}{:>9}{:>10}{:>9}{:>9}{:>12}{:>12}",
            "",
            "short %",
            "late %",
            "rep-hours",
            "x demand",
            "events/d",
            "starts",
            "flaps",
            "cost",
            "x at 1 %"
        )?;
        for entry in &result.entries {
            let card = &entry.run.scorecard;
            let ratio = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |r| format!("{r:.3}"));
            let matched = if entry.frontier.points.is_empty() { "" } else { &ratio(entry.frontier.matched) };
            writeln!(
                out,
                "{:<20}{:>9.2}{:>10.2}{:>10.1}{:>9}{:>10.1}{:>9}{:>9}{:>12.2}{matched:>12}",
                entry.name,
                card.tau_u,
                card.slo_violations,
                card.replica_hours,
                ratio(card.rh_ratio),
                card.events_per_day,
                card.starts,
                card.reversals,
                card.cost,
            )?;
        }
        writeln!(out)?;
    }
    strategies(results, &mut out)?;
    writeln!(out, "short: time with fewer pods ready than needed; late: requests that met a queue;")?;
    writeln!(
        out,
        "x demand: replica-hours relative to the fewest possible; x at 1 %: the same if short is 1 %, at the"
    )?;
    writeln!(
        out,
        "insurance that a sweep finds (underProvisionTarget: 1% finds it automatically), at most {DEAREST} x"
    )?;
    writeln!(out, "demand for every strategy; -: not that safe within that limit.")?;
    writeln!(
        out,
        "flaps: changes undone within 10 min. In JSON and --assert: short tau_u, late slo_violations,"
    )?;
    writeln!(out, "x demand rh_ratio, x at 1 % matched.rh_ratio, flaps reversals.")?;
    if interrupted {
        writeln!(out, "Interrupted: the results so far are shown and kept.")?;
    }
    Ok(())
}

/// Explains each strategy in the tables once.
fn strategies(results: &[Outcome<'_>], out: &mut impl Write) -> std::io::Result<()> {
    let mut told: Vec<&str> = Vec::new();
    for entry in results.iter().flat_map(|result| &result.entries) {
        if !told.contains(&entry.name) {
            told.push(entry.name);
            writeln!(out, "{:<20}{}", entry.name, meaning(entry.name))?;
        }
    }
    writeln!(out)
}
