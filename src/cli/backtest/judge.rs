//! Judges a backtest by its conditions.

use std::io::Write;

use anyhow::bail;

use super::files::entry_json;
use super::gate::Gate;
use super::workload::Outcome;
use crate::cli::rows::scorecard_json;
use crate::simulate::{MATCHED_TAU_U, Scorecard};

/// Checks, before anything is run, that every condition names a strategy that takes part and an existing figure.
pub(super) fn check(gates: &[Gate], strategies: &[&str]) -> anyhow::Result<()> {
    let mut row = scorecard_json("", &Scorecard::default(), Some((MATCHED_TAU_U, None)));
    // Only strategies with a forecast have this figure.
    row["distrusted"] = serde_json::Value::Null;
    for gate in gates {
        if !strategies.contains(&gate.strategy.as_str()) {
            let known = strategies.join(", ");
            bail!(
                "--assert '{}': no strategy '{}' was run, expected one of {known}",
                gate.text,
                gate.strategy
            );
        }
        if !has_figure(&row, &gate.figure) {
            let keys = row.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
            let known: Vec<_> = keys.filter(|key| *key != "name" && *key != "matched").collect();
            let (figure, known) = (gate.figure.join("."), known.join(", "));
            bail!(
                "--assert '{}': there is no figure '{figure}', expected {known} or matched.rh_ratio",
                gate.text
            );
        }
    }
    Ok(())
}

/// Whether any condition fails on any workload; the values found are printed to standard error.
pub(super) fn judge(gates: &[Gate], results: &[Outcome<'_>]) -> anyhow::Result<bool> {
    let mut failed = false;
    let mut err = std::io::stderr().lock();
    for gate in gates {
        for result in results {
            let Some(entry) = result.entries.iter().find(|entry| entry.name == gate.strategy) else {
                continue;
            };
            let row = entry_json(entry);
            let mut value = &row;
            for part in &gate.figure {
                value = &value[part];
            }
            let found = value.as_f64();
            if !found.is_some_and(|found| gate.holds(found)) {
                failed = true;
                let found = found.map_or_else(|| "none".to_owned(), |found| found.to_string());
                writeln!(err, "assertion failed: {}: found {found} on {}", gate.text, result.workload.name)?;
            }
        }
    }
    Ok(failed)
}

fn has_figure(row: &serde_json::Value, path: &[String]) -> bool {
    let mut value = row;
    for part in path {
        match value.get(part) {
            Some(inner) => value = inner,
            None => return false,
        }
    }
    true
}
