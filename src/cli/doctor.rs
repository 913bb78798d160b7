//! `forescale doctor`: checks the chain of one workload from the query to the pods, and says where it breaks.
//!
//! It only reads: the JSON API of a running Forescale, Prometheus, and in Prometheus the series of
//! kube-state-metrics; and what `kubectl` printed of ScaledObjects and HPAs, of one workload or of all. What cannot
//! be seen is skipped with the reason, never taken for well.

mod checks;
mod facts;
mod finding;
mod printed;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::api::Api;
use super::outcome::{Format, Outcome};
use super::place::Place;
use super::{files, live, runtime};
use crate::serve::{Clock, SystemClock};
use crate::source::{Backend, open};
use crate::units::{Span, Time};
use finding::{Check, Finding};

/// Checks one workload from the query to the pods, or what kubectl prints of all, and says what is broken and what to do.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// The workload: NAMESPACE/NAME of its ScaledObject. May be left out with --manifests: all of them.
    #[arg(value_name = "NAMESPACE/NAME", required_unless_present = "manifests")]
    workload: Option<String>,
    /// The HTTP address of a running server, such as http://forescale:8080.
    #[arg(long, value_name = "URL", required_unless_present = "manifests", requires = "workload")]
    server: Option<String>,
    /// The Prometheus that holds the load and the series of kube-state-metrics.
    #[arg(long, value_name = "URL", requires = "server")]
    prometheus: Option<String>,
    /// The server's configuration, in place of --prometheus: queries its data source, with its credentials.
    #[arg(long, value_name = "FILE", conflicts_with = "prometheus", requires = "server")]
    config: Option<PathBuf>,
    /// Which data source of --config.
    #[arg(long, value_name = "NAME", default_value = "default", requires = "config")]
    datasource: String,
    /// PromQL of the workload's load, to check that it yields one series.
    #[arg(long, value_name = "Q", requires = "server")]
    query: Option<String>,
    /// Which metric of the workload, if it has several.
    #[arg(long, value_name = "M", requires = "server")]
    metric: Option<String>,
    /// The HorizontalPodAutoscaler; by default keda-hpa-NAME, as KEDA names it.
    #[arg(long, value_name = "NAME", requires = "server")]
    hpa: Option<String>,
    /// The Deployment that is scaled; by default, the name of the ScaledObject.
    #[arg(long, value_name = "NAME", requires = "server")]
    deployment: Option<String>,
    /// How far back to look for flapping, scaling lag and spare pods.
    #[arg(long, value_name = "D", default_value = "1h", value_parser = Span::parse)]
    over: Span,
    /// What `kubectl get scaledobject,hpa -A -o yaml` prints: checks its conditions, with or without a server. A file or
    /// a folder; `-` is standard input. Repeatable.
    #[arg(long, value_name = "PATH")]
    manifests: Vec<PathBuf>,
    /// When the manifests were printed (RFC 3339), if not just now.
    #[arg(long, value_name = "T", value_parser = Time::parse, requires = "manifests")]
    at: Option<Time>,
    /// Output format.
    #[arg(long, default_value = "text")]
    format: Format,
}

/// What was found of one workload.
struct Judged {
    workload: String,
    checks: Vec<Check>,
}

/// Runs the command.
pub(super) fn run(args: &DoctorArgs) -> anyhow::Result<Outcome> {
    let place = args.workload.as_deref().map(Place::parse);
    let place = place.transpose()?;
    let now = SystemClock.now();
    // What needs no server is read first, so that its faults are told at once.
    let printed = printed::read(&args.manifests, place.as_ref())?;
    let mut all = Vec::new();
    if let (Some(place), Some(server)) = (&place, &args.server) {
        let workload = place.to_string();
        all.push(Judged { workload, checks: chain(args, place, server, now)? });
    }
    all.extend(printed.iter().map(|scaled| Judged {
        workload: scaled.place.to_string(),
        checks: checks::of_printed(scaled, args.at.unwrap_or(now)),
    }));
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{}", document(args.workload.as_deref(), &all))?,
        Format::Text => write!(out, "{}", text(&title(args, printed.len()), &all))?,
    }
    out.flush()?;
    let mut checks = all.iter().flat_map(|judged| &judged.checks);
    let fails = checks.any(|check| matches!(check.finding, Finding::Fail(_)));
    Ok(if fails { Outcome::Failed } else { Outcome::Fine })
}

fn title(args: &DoctorArgs, printed: usize) -> String {
    match &args.workload {
        Some(workload) => workload.clone(),
        None if printed == 1 => "1 ScaledObject asks Forescale".to_owned(),
        None => format!("{printed} ScaledObjects ask Forescale"),
    }
}

/// The links of a workload's chain, as its server and Prometheus tell of them.
fn chain(args: &DoctorArgs, place: &Place, server: &str, now: Time) -> anyhow::Result<Vec<Check>> {
    let api = Api::new(server)?;
    let prometheus = prometheus(args)?;
    let names = facts::Names::of(place, args.hpa.as_deref(), args.deployment.as_deref())?;
    let runtime = runtime::here()?;
    let facts = runtime.block_on(facts::gather(&facts::Asked {
        api: &api,
        place,
        metric: args.metric.as_deref(),
        prometheus: prometheus.as_deref(),
        query: args.query.as_deref(),
        names: &names,
        over: args.over,
        now,
    }));
    Ok(checks::all(&facts))
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

fn document(workload: Option<&str>, all: &[Judged]) -> serde_json::Value {
    let each = all.iter().flat_map(|judged| judged.checks.iter().map(move |check| (judged, check)));
    let rows = each.map(|(judged, check)| {
        let trouble = check.finding.trouble();
        json!({
            "workload": judged.workload,
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

fn text(title: &str, all: &[Judged]) -> String {
    let mut out = format!("{title}\n\n");
    // What is well, or not seen, for one reason is said once.
    let is_same = |a: &Check, b: &Check| match (&a.finding, &b.finding) {
        (Finding::Skipped(a), Finding::Skipped(b)) | (Finding::Ok(a), Finding::Ok(b)) => a == b,
        _ => false,
    };
    for alike in all.iter().flat_map(|judged| judged.checks.chunk_by(is_same)) {
        let Some((check, others)) = alike.split_first() else { continue };
        let more = others.iter().map(|other| other.name).collect::<Vec<_>>().join(", ");
        let more = if more.is_empty() { more } else { format!("; the same of {more}") };
        out += &format!("{:<8} {:<17} {}{more}\n", check.finding.as_str(), check.name, check.finding.found());
        if let Some(trouble) = check.finding.trouble() {
            out += &format!("{:<8} {:<17} expected: {}\n", "", "", trouble.expected);
            out += &format!("{:<8} {:<17} do: {}\n", "", "", trouble.advice);
        }
    }
    let checks = || all.iter().flat_map(|judged| &judged.checks);
    let count = |status: &str| checks().filter(|check| check.finding.as_str() == status).count();
    out += &format!(
        "\n{} ok, {} to look at, {} broken, {} not seen\n",
        count("ok"),
        count("warn"),
        count("fail"),
        count("skipped")
    );
    out
}
