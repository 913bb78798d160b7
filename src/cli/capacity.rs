//! `forescale capacity`: the load that one replica carries, with its uncertainty, or why it cannot be determined.
//!
//! It reads a table of observations or a live Prometheus. It judges and prints, and never applies anything. That the
//! capacity cannot be determined is a valid answer: only bad input gives an error exit code.

mod asked;
mod live;
mod picture;
mod table;
mod words;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{ArgGroup, Args};
use serde_json::{Value, json};

use super::outcome::{Format, Outcome};
use crate::capacity::{Column, Evidence, Findings, Limit, Question, Verdict, learn};
use crate::policy::Learning;
use crate::units::{Span, Threshold};
use asked::{Kind, Objective, Quantity};

/// Estimates what one replica carries, with its uncertainty, or says why it cannot.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("seen_in").required(true).args(["csv", "prometheus"])))]
pub(super) struct CapacityArgs {
    /// A table: timestamp,load,replicas and any of cpu, latency_mean, latency_p50, latency_p95, latency_p99, errors,
    /// demand, backlog, throttled, generation. Totals over all replicas; may be gzipped.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// A Prometheus server to read the history from.
    #[arg(long, value_name = "URL", requires = "query")]
    prometheus: Option<String>,
    /// PromQL of the load; must yield one series.
    #[arg(long, value_name = "PROMQL")]
    query: Option<String>,
    /// Namespace of the workload.
    #[arg(long, value_name = "NAME", default_value = "default")]
    namespace: String,
    /// Name of the workload.
    #[arg(long, value_name = "NAME", default_value = "")]
    workload: String,
    /// The kind of the workload.
    #[arg(long, value_enum, default_value = "deployment")]
    kind: Kind,
    /// How much history to read from Prometheus.
    #[arg(long, value_name = "D", default_value = "28d", value_parser = Span::parse)]
    history: Span,
    #[command(flatten)]
    queries: live::Queries,
    /// The share of its CPU request that a replica may use: 70, 70% or 0.7.
    #[arg(long, value_name = "SHARE", default_value = "70%", value_parser = asked::share)]
    utilization: f64,
    /// CPU that one replica requests: 0.5 or 500m; by default, read from Prometheus.
    #[arg(long, value_name = "CORES", value_parser = asked::cores)]
    request: Option<f64>,
    /// The objective that must hold: p95<500ms, mean<, p50<, p99<, or errors<1%. If neither this nor a request is
    /// known, twice the latency of quiet times.
    #[arg(long, value_name = "OBJECTIVE", value_parser = Objective::parse)]
    objective: Option<Objective>,
    /// A file for the report, as self-contained HTML.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Text for people, or a document for programs.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// The observations, and what is missing from them.
struct Seen {
    evidence: Evidence,
    /// CPU that one replica requests, if it could be read.
    request: Option<f64>,
    /// Which latency was read.
    latency: Option<Quantity>,
    /// What is missing, and which exporter has it.
    missing: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &CapacityArgs) -> anyhow::Result<Outcome> {
    let quantity = args.objective.map(|objective| objective.quantity);
    let seen = match &args.csv {
        Some(path) => table::read(path, quantity)?,
        None => live::read(args, quantity)?,
    };
    let question = Question {
        request: args.request.or(seen.request).filter(|_| seen.evidence.has(Column::Cpu)),
        utilization: args.utilization,
        objective: args.objective.map(Objective::limit),
    };
    let findings = learn(&seen.evidence, &question);
    if let Some(path) = &args.out {
        let page = picture::page(args, &seen, &question, &findings);
        std::fs::write(path, page).with_context(|| path.display().to_string())?;
    }
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{:#}", document(&seen, &question, &findings))?,
        Format::Text => {
            for line in words::told(&seen, &question, &findings) {
                writeln!(out, "{line}")?;
            }
        }
    }
    out.flush()?;
    Ok(Outcome::Fine)
}

/// A threshold from the live history of a Deployment, and a description of it; `None` if it cannot be determined.
pub(super) fn learned(
    url: &str,
    query: &str,
    namespace: &str,
    workload: &str,
    history: Span,
) -> Option<(Threshold, String)> {
    let args = CapacityArgs {
        csv: None,
        prometheus: Some(url.to_owned()),
        query: Some(query.to_owned()),
        namespace: namespace.to_owned(),
        workload: workload.to_owned(),
        kind: Kind::Deployment,
        history,
        queries: live::Queries::default(),
        utilization: Learning::UTILIZATION,
        request: None,
        objective: None,
        out: None,
        format: Format::Json,
    };
    let seen = live::read(&args, None).ok()?;
    let question = Question { request: seen.request, utilization: Learning::UTILIZATION, objective: None };
    let findings = learn(&seen.evidence, &question);
    let threshold = Threshold::new(findings.verdict.known()?.carried.value).ok()?;
    Some((threshold, format!("{} {}", words::sentence(&findings), words::why(&question, &findings))))
}

/// The JSON document. Unknown numbers are null.
fn document(seen: &Seen, question: &Question, findings: &Findings) -> Value {
    let known = findings.verdict.known();
    let whys = match &findings.verdict {
        Verdict::CannotTell(whys) => whys.as_slice(),
        Verdict::Known(_) => &[],
    };
    let by: Vec<Value> = findings
        .by_replicas
        .iter()
        .map(|at| {
            json!({
                "replicas": at.replicas, "per_replica": at.carried.value, "low": at.carried.low, "high": at.carried.high,
            })
        })
        .collect();
    let out = findings.left_out;
    json!({
        "schema": 1,
        "verdict": if known.is_some() { "known" } else { "cannot_tell" },
        "per_replica": known.map(|k| k.carried.value),
        "low": known.map(|k| k.carried.low),
        "high": known.map(|k| k.carried.high),
        "bound": known.map(|k| k.bound.as_str()),
        "by_replicas": by,
        "why": words::why(question, findings),
        "would_tell": words::would_tell(findings),
        "reasons": whys.iter().map(crate::capacity::Why::as_str).collect::<Vec<_>>(),
        "beyond_seen": known.map(|k| k.beyond).filter(|beyond| *beyond > words::BEYOND),
        "seen": findings.answers.seen,
        "demonstrated": findings.answers.demonstrated,
        "depends_on_replicas": findings.depends_on_replicas,
        "ceiling": findings.ceiling,
        "cpu": findings.answers.cpu.and_then(Result::ok).map(|fit| json!({
            "base": fit.base, "slope": fit.slope, "correlation": fit.correlation, "per_replica": fit.carried.value,
            "low": fit.carried.low, "high": fit.carried.high,
        })),
        "objective_seconds": match findings.objective {
            Some(Limit::Latency(seconds)) => Some(seconds),
            _ => None,
        },
        "cells": findings.cells,
        "left_out": {
            "gaps": out.gaps, "idle": out.idle, "starts": out.starts, "rollouts": out.rollouts, "storms": out.storms,
            "other_templates": out.other_templates,
        },
        "missing": seen.missing,
    })
}
