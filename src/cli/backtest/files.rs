//! The files that a backtest writes: `summary.json`, `steps.csv`, `changes.csv` and `frontier.csv`; one folder per
//! load.
//!
//! The rows of `steps.csv` have equal weight; every share and every replica-hour of the summary can be computed from
//! them. Events, starts and reversals can be computed from the changes, several of which may be between two rows.
//! Files are written under another name and then renamed, so that a reader never sees half a file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use super::doubts;
use super::entry::Entry;
use super::workload::Outcome;
use super::workload::Workload;
use crate::cli::rows::scorecard_json;
use crate::http::verdict_json;
use crate::simulate::MATCHED_TAU_U;

/// Where results are written, if anywhere.
pub(super) struct Files {
    folder: Option<PathBuf>,
    /// Whether each workload has its own folder.
    many: bool,
}

/// The version of the summary's format.
const SCHEMA: u32 = 1;

/// One strategy's row.
pub(super) fn entry_json(entry: &Entry) -> Value {
    let mut row =
        scorecard_json(entry.name, &entry.run.scorecard, Some((MATCHED_TAU_U, entry.frontier.matched)));
    if let (Some(distrust), Some(row)) = (entry.distrust, row.as_object_mut()) {
        row.insert("distrusted".to_owned(), json!(distrust.share));
    }
    row
}

/// The summary of everything: for one workload its strategies, for several the strategies of each and their means.
pub(super) fn summary(results: &[Outcome<'_>], many: bool) -> Value {
    let single =
        |outcome: &Outcome<'_>| workload_json(outcome.workload, &outcome.entries.iter().collect::<Vec<_>>());
    match results {
        [only] if !many => single(only),
        _ => {
            let traces: Vec<Value> = results
                .iter()
                .map(|outcome| {
                    let mut value = single(outcome);
                    if let Some(map) = value.as_object_mut() {
                        map.insert("trace".to_owned(), json!(outcome.workload.name));
                        map.insert("threshold".to_owned(), json!(outcome.workload.target.threshold.get()));
                    }
                    value
                })
                .collect();
            let strategies = means(&traces);
            json!({ "schema": SCHEMA, "strategies": strategies, "traces": traces })
        }
    }
}

fn workload_json(workload: &Workload, entries: &[&Entry]) -> Value {
    json!({
        "schema": SCHEMA,
        "verdict": entries.iter().find_map(|entry| entry.trust).as_ref().map(verdict_json),
        "notes": doubts::of(workload, entries.iter().copied()),
        "strategies": entries.iter().copied().map(entry_json).collect::<Vec<_>>(),
    })
}

/// The mean of every figure over the workloads, for each strategy. If some workload never reaches a matched ratio,
/// that ratio has no mean.
fn means(traces: &[Value]) -> Vec<Value> {
    let rows = |trace: &Value| trace["strategies"].as_array().cloned().unwrap_or_default();
    let Some(first) = traces.first() else { return Vec::new() };
    let mut out = Vec::new();
    for row in rows(first) {
        let name = row["name"].clone();
        let same: Vec<Value> = traces.iter().flat_map(&rows).filter(|r| r["name"] == name).collect();
        let mut mean = row.clone();
        if let Some(map) = mean.as_object_mut() {
            for (key, value) in map.iter_mut().filter(|(key, _)| *key != "name") {
                *value = if key == "matched" {
                    let ratio = average(&same, |r| r["matched"]["rh_ratio"].as_f64());
                    json!({ "tau_u": MATCHED_TAU_U, "rh_ratio": ratio })
                } else {
                    json!(average(&same, |r| r[&*key].as_f64()))
                };
            }
        }
        out.push(mean);
    }
    out
}

fn average(rows: &[Value], figure: impl Fn(&Value) -> Option<f64>) -> Option<f64> {
    let values: Option<Vec<f64>> = rows.iter().map(figure).collect();
    values.filter(|v| !v.is_empty()).map(|v| v.iter().sum::<f64>() / v.len() as f64)
}

// === impl Files ===

impl Files {
    pub(super) fn new(folder: Option<&Path>, many: bool) -> anyhow::Result<Self> {
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        Ok(Files { folder: folder.map(Path::to_owned), many })
    }

    /// Writes the results of a workload so far; the rows and the report only once it is complete.
    pub(super) fn write_workload(
        &self,
        workload: &Workload,
        entries: &[&Entry],
        is_complete: bool,
    ) -> anyhow::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let folder = if self.many { folder.join(safe(&workload.name)) } else { folder.clone() };
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let summary = workload_json(workload, entries);
        put(&folder.join("summary.json"), &format!("{summary:#}\n"))?;
        put(&folder.join("steps.csv"), &steps_csv(entries))?;
        put(&folder.join("changes.csv"), &changes_csv(entries))?;
        put(&folder.join("frontier.csv"), &frontier_csv(entries))?;
        if is_complete {
            put(&folder.join("report.html"), &super::report::page(workload, entries))?;
        }
        Ok(())
    }

    /// Writes the summary of everything.
    pub(super) fn write_summary(&self, summary: &Value) -> anyhow::Result<()> {
        match &self.folder {
            Some(folder) => put(&folder.join("summary.json"), &format!("{summary:#}\n")),
            None => Ok(()),
        }
    }
}

fn steps_csv(entries: &[&Entry]) -> String {
    let mut text = String::from("timestamp,strategy,load,demand,desired,ready\n");
    for entry in entries {
        for s in &entry.run.steps {
            let _ = writeln!(
                text,
                "{},{},{},{},{},{}",
                s.timestamp, entry.name, s.load, s.demand, s.desired, s.ready
            );
        }
    }
    text
}

/// Every change of `spec.replicas`, including those before the scored time, since a reversal may undo one of them.
fn changes_csv(entries: &[&Entry]) -> String {
    let mut text = String::from("timestamp,strategy,desired\n");
    for entry in entries {
        for change in &entry.run.changes {
            let at = DateTime::from_timestamp_millis(change.at.0).unwrap_or_default();
            let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
            let _ = writeln!(text, "{at},{},{}", entry.name, change.replicas);
        }
    }
    text
}

fn frontier_csv(entries: &[&Entry]) -> String {
    let mut text =
        String::from("strategy,insurance,tau_u,theta_u,rh_ratio,events_per_day,starts,reversals\n");
    for entry in entries {
        for point in &entry.frontier.points {
            let card = &point.scorecard;
            let ratio = card.rh_ratio.map_or_else(String::new, |r| r.to_string());
            let _ = writeln!(
                text,
                "{},{},{},{},{ratio},{},{},{}",
                entry.name,
                point.insurance,
                card.tau_u,
                card.theta_u,
                card.events_per_day,
                card.starts,
                card.reversals
            );
        }
    }
    text
}

fn put(path: &Path, text: &str) -> anyhow::Result<()> {
    let beside = path.with_extension("part");
    std::fs::write(&beside, text).with_context(|| beside.display().to_string())?;
    std::fs::rename(&beside, path).with_context(|| path.display().to_string())
}

/// A name as a folder name.
fn safe(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let text: String = name.chars().map(plain).take(100).collect();
    if text.trim_matches('.').is_empty() { "workload".to_owned() } else { text }
}
