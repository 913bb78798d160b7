//! `forescale doctor`: checks the chain of one workload from the query to the pods, and says where it breaks.
//!
//! It only reads: the JSON API of a running Forescale, Prometheus, and in Prometheus the series of
//! kube-state-metrics. What cannot be seen is skipped with the reason, and never reported as healthy.

mod checks;
mod facts;
mod finding;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::api::{Api, WorkloadRef};
use super::{Format, Outcome, files, live};
use crate::serve::{Clock, SystemClock};
use crate::source::{Backend, open};
use crate::units::Span;
use finding::{Check, Finding};

/// Walks from the query to the pods of one workload and says where it breaks and what to do.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// The workload: NAMESPACE/NAME of its ScaledObject.
    #[arg(value_name = "NAMESPACE/NAME")]
    workload: String,
    /// The HTTP address of a running server, such as http://forescale:8080.
    #[arg(long, value_name = "URL")]
    server: String,
    /// The Prometheus that holds the load and the series of kube-state-metrics.
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// The server's configuration, whose data source is asked in place of --prometheus, with its credentials.
    #[arg(long, value_name = "FILE", conflicts_with = "prometheus")]
    config: Option<PathBuf>,
    /// Which data source of --config.
    #[arg(long, value_name = "NAME", default_value = "default", requires = "config")]
    datasource: String,
    /// PromQL of the workload's load, to see that it yields one series.
    #[arg(long, value_name = "Q")]
    query: Option<String>,
    /// Which metric of the workload, where it has several.
    #[arg(long, value_name = "M")]
    metric: Option<String>,
    /// The HorizontalPodAutoscaler; KEDA names it keda-hpa-NAME.
    #[arg(long, value_name = "NAME")]
    hpa: Option<String>,
    /// The Deployment that is scaled; named as the ScaledObject unless given.
    #[arg(long, value_name = "NAME")]
    deployment: Option<String>,
    /// How far back to look for flapping, lag and spare pods.
    #[arg(long, value_name = "D", default_value = "1h", value_parser = Span::parse)]
    over: Span,
    /// Form of the output.
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub(super) fn run(args: &DoctorArgs) -> anyhow::Result<Outcome> {
    let place = WorkloadRef::parse(&args.workload, args.metric.as_deref())?;
    let api = Api::new(&args.server)?;
    let prometheus = prometheus(args)?;
    let names = facts::Names::of(&place, args.hpa.as_deref(), args.deployment.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let facts = runtime.block_on(facts::gather(&facts::Asked {
        api: &api,
        place: &place,
        prometheus: prometheus.as_deref(),
        query: args.query.as_deref(),
        names: &names,
        over: args.over,
        now: SystemClock.now(),
    }));
    let checks = checks::all(&facts);
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{}", document(&args.workload, &checks))?,
        Format::Text => write!(out, "{}", text(&args.workload, &checks))?,
    }
    out.flush()?;
    let fails = checks.iter().any(|check| matches!(check.finding, Finding::Fail(_)));
    Ok(if fails { Outcome::Failed } else { Outcome::Fine })
}

fn prometheus(args: &DoctorArgs) -> anyhow::Result<Option<Arc<dyn Backend>>> {
    if let Some(path) = &args.config {
        let config = files::config(path)?;
        let source = config.datasources.get(&args.datasource).with_context(|| {
            let known: Vec<_> = config.datasources.keys().map(String::as_str).collect();
            format!("--datasource: found '{}', expected one of {}", args.datasource, known.join(", "))
        })?;
        return Ok(Some(open(&args.datasource, source.clone(), &config.limits)));
    }
    args.prometheus.as_deref().map(live::open).transpose()
}

fn document(workload: &str, checks: &[Check]) -> serde_json::Value {
    let rows = checks.iter().map(|check| {
        let trouble = check.finding.trouble();
        json!({
            "check": check.name,
            "asks": check.asks,
            "status": check.finding.as_str(),
            "found": check.finding.found(),
            "expected": trouble.map(|t| &t.expected),
            "do": trouble.map(|t| &t.advice),
        })
    });
    json!({ "schema": 1, "workload": workload, "checks": rows.collect::<Vec<_>>() })
}

fn text(workload: &str, checks: &[Check]) -> String {
    let mut out = format!("{workload}\n\n");
    let is_same = |a: &Check, b: &Check| match (&a.finding, &b.finding) {
        // Links that cannot be seen for the same reason are reported once.
        (Finding::Skipped(a), Finding::Skipped(b)) => a == b,
        _ => false,
    };
    for alike in checks.chunk_by(is_same) {
        let Some((check, others)) = alike.split_first() else { continue };
        let more = others.iter().map(|other| other.name).collect::<Vec<_>>().join(", ");
        let more = if more.is_empty() { more } else { format!("; the same of {more}") };
        out += &format!("{:<8} {:<17} {}{more}\n", check.finding.as_str(), check.name, check.finding.found());
        if let Some(trouble) = check.finding.trouble() {
            out += &format!("{:<8} {:<17} expected: {}\n", "", "", trouble.expected);
            out += &format!("{:<8} {:<17} do: {}\n", "", "", trouble.advice);
        }
    }
    let count = |status: &str| checks.iter().filter(|check| check.finding.as_str() == status).count();
    out += &format!(
        "\n{} ok, {} to look at, {} broken, {} not seen\n",
        count("ok"),
        count("warn"),
        count("fail"),
        count("skipped")
    );
    out
}
