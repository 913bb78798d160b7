//! The fleet's results as documents: `fleet.json`, `fleet.csv`, and a table for the terminal.
//!
//! The largest saving comes first; the order does not depend on which workload was finished first. Nothing is judged
//! here.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;

use super::row::{Kept, LEVELS, Row, rounded};
use crate::simulate::Verdict;
use crate::units::counted;

/// `fleet.json`.
#[derive(Debug, Serialize)]
pub(super) struct Fleet<'a> {
    schema: u32,
    until: &'a str,
    workloads: Vec<&'a Row>,
    totals: Totals,
}

/// Totals of the whole fleet; hours and money are for a month of 30 days.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Totals {
    pub workloads: usize,
    pub verdicts: BTreeMap<&'static str, usize>,
    /// Only of workloads whose replicas are known.
    pub replica_hours_a_month: f64,
    pub saved_hours_a_month: f64,
    pub saving_percent: Option<f64>,
    /// `None` without a price.
    pub saved_money_a_month: Option<f64>,
    /// Hours per month in which a workload was short of replicas, as it ran.
    pub short_hours_a_month: f64,
    /// The same for these workloads, each scaled according to its verdict.
    pub short_hours_a_month_then: f64,
}

/// The columns of `fleet.csv` before those of [`LEVELS`]; hours are replica-hours over `days`.
const COLUMNS: [&str; 23] = [
    "namespace",
    "name",
    "verdict",
    "reason",
    "saving_percent",
    "saved_hours_a_month",
    "price",
    "days",
    "short_ran",
    "short_reactive",
    "short_schedule",
    "short_predictive",
    "hours_ran",
    "hours_reactive",
    "hours_schedule",
    "hours_predictive",
    "threshold",
    "threshold_source",
    "capacity",
    "level_percent",
    "clock_percent",
    "manifest",
    "report",
];
/// The order of the figures within a level.
const STRATEGIES: [&str; 3] = ["reactive", "schedule", "predictive"];

/// A month of 30 days, in hours.
const MONTH: f64 = 720.0;

/// Sorts by the possible saving, then by verdict and name.
pub(super) fn sort(all: &mut [Kept]) {
    all.sort_by(|a, b| {
        let won = |kept: &Kept| kept.saved_a_month().unwrap_or(0.0).max(0.0);
        won(b)
            .total_cmp(&won(a))
            .then_with(|| a.verdict().cmp(&b.verdict()))
            .then_with(|| (&a.row.namespace, &a.row.name).cmp(&(&b.row.namespace, &b.row.name)))
    });
}

/// The JSON document.
pub(super) fn json(all: &[Kept], until: &str) -> anyhow::Result<String> {
    let workloads = all.iter().map(|kept| &kept.row).collect();
    let fleet = Fleet { schema: 1, until, workloads, totals: totals(all) };
    Ok(serde_json::to_string_pretty(&fleet)? + "\n")
}

/// One line per workload, for a spreadsheet or a notebook.
pub(super) fn csv(all: &[Kept]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let at_levels = LEVELS.iter().flat_map(|level| STRATEGIES.map(|name| format!("hours_{name}_at_{level}")));
    writer.write_record(COLUMNS.iter().map(|name| (*name).to_owned()).chain(at_levels))?;
    for kept in all {
        let row = &kept.row;
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let (short, hours) = (&row.short_percent, &row.replica_hours);
        let known = [
            row.namespace.clone(),
            row.name.clone(),
            row.verdict.clone(),
            row.reason.clone(),
            number(row.saving_percent),
            number(kept.saved_a_month().map(rounded)),
            number(kept.price),
            kept.days.to_string(),
            number(short.ran),
            number(short.reactive),
            number(short.schedule),
            number(short.predictive),
            number(hours.ran),
            number(hours.reactive),
            number(hours.schedule),
            number(hours.predictive),
            number(row.threshold.used),
            row.threshold.source.clone(),
            number(row.capacity),
            number(row.level_percent),
            number(row.clock_percent),
            row.manifest.clone().unwrap_or_default(),
            kept.report.clone().unwrap_or_default(),
        ];
        let at = |level: usize| kept.hours_at.get(level).copied().unwrap_or_default();
        let at_levels = (0..LEVELS.len()).flat_map(at).map(number);
        writer.write_record(known.into_iter().chain(at_levels))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

pub(super) fn totals(all: &[Kept]) -> Totals {
    let mut verdicts: BTreeMap<&'static str, usize> = Verdict::ALL.map(|v| (v.as_str(), 0)).into();
    let (mut ran, mut saved, mut money, mut priced) = (0.0, 0.0, 0.0, false);
    let (mut short, mut then) = (0.0, 0.0);
    for kept in all {
        *verdicts.entry(kept.verdict().as_str()).or_default() += 1;
        let Some(hours) = kept.row.replica_hours.ran.filter(|_| kept.days > 0.0) else { continue };
        ran += hours / kept.days * 30.0;
        // A change that would cost more is not made.
        let won = kept.saved_a_month().unwrap_or(0.0).max(0.0);
        saved += won;
        money += won * kept.price.unwrap_or(0.0);
        priced |= kept.price.is_some();
        let now = kept.row.short_percent.ran.unwrap_or(0.0);
        short += now / 100.0 * MONTH;
        then += kept.short_then().unwrap_or(now).min(now) / 100.0 * MONTH;
    }
    Totals {
        workloads: all.len(),
        verdicts,
        replica_hours_a_month: rounded(ran),
        saved_hours_a_month: rounded(saved),
        saving_percent: (ran > 0.0).then(|| rounded(100.0 * saved / ran)),
        saved_money_a_month: priced.then(|| rounded(money)),
        short_hours_a_month: rounded(short),
        short_hours_a_month_then: rounded(then),
    }
}

/// The table for people.
pub(super) fn print(out: &mut impl Write, all: &[Kept]) -> std::io::Result<()> {
    let percent = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.1} %"));
    let names: Vec<String> =
        all.iter().map(|kept| format!("{}/{}", kept.row.namespace, kept.row.name)).collect();
    let wide = names.iter().map(String::len).max().unwrap_or(8).max(8);
    writeln!(
        out,
        "{:wide$}  {:16}  {:>8}  {:>9}  {:>9}  reason",
        "workload", "verdict", "saving", "short now", "then"
    )?;
    for (kept, name) in all.iter().zip(&names) {
        let row = &kept.row;
        writeln!(
            out,
            "{name:wide$}  {:16}  {:>8}  {:>9}  {:>9}  {}",
            row.verdict,
            percent(row.saving_percent),
            percent(row.short_percent.ran),
            percent(kept.short_then()),
            row.reason
        )?;
    }
    let totals = totals(all);
    let counts: Vec<String> =
        totals.verdicts.iter().filter(|count| *count.1 > 0).map(|(name, n)| format!("{n} {name}")).collect();
    writeln!(out, "\n{}: {}", counted(totals.workloads, "workload"), counts.join(", "))?;
    if let Some(share) = totals.saving_percent {
        let money = totals.saved_money_a_month.map_or_else(String::new, |m| format!(", {m:.2} in money"));
        writeln!(
            out,
            "saved at equal or better safety: {:.0} of {:.0} replica-hours a month ({share:.1} %){money}",
            totals.saved_hours_a_month, totals.replica_hours_a_month
        )?;
    }
    Ok(())
}
