//! `forescale init`: proposes a ScaledObject from the history of a query.
//!
//! It reports the load's pattern over time, what a replica may carry, how much to insure and what that would have
//! saved, each with the numbers behind it; then the whole manifest, which passes `forescale lint`. Nothing is
//! applied.

pub(super) mod manifest;
pub(super) mod survey;
mod trial;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use serde_json::json;

use super::backtest::level::Level;
use super::backtest::workload::read_live;
use super::live::{self, About};
use super::outcome::{Format, Outcome};
use super::scaler::Scaler;
use crate::history::{Calendar, Series};
use crate::lint::{self, Input, Severity};
use crate::serve::{Clock, SystemClock};
use crate::source::trace;
use crate::units::{Span, Threshold, counted, percentile};
use manifest::{Given, Proposal};
use survey::Survey;
use trial::Trial;

/// A ScaledObject proposed from the history of a query.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("history_from").required(true).args(["trace", "prometheus"])))]
pub(super) struct InitArgs {
    /// A Prometheus server to read the history from.
    #[arg(long, value_name = "URL", requires = "query")]
    prometheus: Option<String>,
    /// A trace, in place of --prometheus: CSV with timestamp,value, or a saved Prometheus range query; may be
    /// gzipped.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// PromQL of the load; must yield one series.
    #[arg(long, value_name = "PROMQL")]
    query: Option<String>,
    /// How much history to read from Prometheus.
    #[arg(long, value_name = "D", default_value = "28d", value_parser = Span::parse)]
    history: Span,
    /// Name of the ScaledObject, and of the Deployment that it scales.
    #[arg(long, value_name = "NAME", default_value = "web")]
    name: String,
    /// Its namespace.
    #[arg(long, value_name = "NAME", default_value = "default")]
    namespace: String,
    #[command(flatten)]
    scaler: Scaler,
    /// Load per replica: a number, or a percentile of the load divided by a number of replicas, such as p99.9/20. By
    /// default, what `forescale capacity` learns from Prometheus; else the load that replicas were seen to carry
    /// (--actual-replicas); else a guess.
    #[arg(long, value_name = "X", value_parser = Level::parse)]
    threshold: Option<Level>,
    /// The replicas that ran: a trace, or PromQL for --prometheus.
    #[arg(long, value_name = "FILE|PROMQL")]
    actual_replicas: Option<String>,
    /// Lead time, from a decision to a ready pod.
    #[arg(long, value_name = "D", default_value = "2m", value_parser = Span::parse)]
    lead: Span,
    /// Minimum number of replicas.
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_replicas: u32,
    /// Maximum number of replicas; by default, one and a half times the most that were ever needed.
    #[arg(long, value_name = "N")]
    max_replicas: Option<u32>,
    /// Percent of the time that the workload may be short of replicas.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    short: f64,
    /// Time zone of the people who cause the load.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: chrono_tz::Tz,
    /// Price of one replica-hour.
    #[arg(long, value_name = "MONEY", default_value_t = 0.0)]
    price: f64,
    /// A file for the manifest; by default, standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A report for people, or a document for programs.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// The load that one replica may carry, and where that number comes from.
struct Carried {
    threshold: Threshold,
    because: String,
}

/// Runs the command.
pub(super) fn run(args: &InitArgs) -> anyhow::Result<Outcome> {
    args.scaler.check()?;
    let series = history(args)?;
    let calendar = Calendar::new(args.timezone, std::collections::BTreeSet::new());
    let actual = args.actual_replicas.as_deref().map(|given| match &args.prometheus {
        Some(url) => read_live(url, given, args.history),
        None => Ok(trace::read(Path::new(given))?),
    });
    let actual = actual.transpose()?;
    let carried = carried(args, &series, actual.as_ref())?;
    let survey = Survey::of(&series, &calendar);
    let scaler = args.scaler.of(&args.namespace, &args.name)?;
    let shard = args.scaler.shard_of(&args.namespace, &args.name);
    let given = Given {
        name: &args.name,
        target: ("Deployment", &args.name),
        namespace: &args.namespace,
        scaler: &scaler,
        query: args.query.as_deref(),
        lead: args.lead,
        timezone: args.timezone,
        min_replicas: args.min_replicas,
        max_replicas: args.max_replicas,
    };
    let mut proposal = Proposal::new(&given, &survey, carried.threshold);
    let trial = Trial::run(&mut proposal, &series, actual.as_ref(), args)?;
    let text = proposal.manifest();
    let noticed = noticed(args, &series);
    let report = linted(args, &text);
    if let Some(path) = &args.out {
        std::fs::write(path, &text).with_context(|| path.display().to_string())?;
    }
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => {
            let document = json!({
                "schema": 1, "seasonality": survey.json(), "threshold": carried.threshold.get(),
                "threshold_because": carried.because, "proposal": proposal.json(), "backtest": trial.json(),
                "noticed": noticed, "lint": lint::json(&report)["findings"], "manifest": text,
                "scaler": scaler, "shard": shard.map(|shard| shard.index()),
            });
            writeln!(out, "{document:#}")?;
        }
        Format::Text => {
            let mut told = survey.told();
            told.extend(noticed);
            told.push(format!("threshold {:.4} per replica: {}", carried.threshold.get(), carried.because));
            told.extend(proposal.told());
            told.extend(shard.map(|shard| format!("scalerAddress {scaler}: {shard}.")));
            told.extend(trial.told(args.price));
            for line in &told {
                writeln!(out, "# {line}")?;
            }
            match &args.out {
                Some(path) => writeln!(out, "# Written to {}.", path.display())?,
                None => write!(out, "{text}")?,
            }
        }
    }
    out.flush()?;
    if report.findings.iter().any(|finding| finding.rule.severity != Severity::Info) {
        write!(std::io::stderr().lock(), "{}", lint::text(&report))?;
    }
    Ok(if report.has_errors() { Outcome::Failed } else { Outcome::Fine })
}

/// What `forescale lint` says of the manifest.
fn linted(args: &InitArgs, text: &str) -> lint::Report {
    let settings = lint::Settings {
        now: SystemClock.now(),
        scrape_interval: Span::seconds(15),
        retention: None,
        catalogue: None,
        shards: args.scaler.shards(),
        env: std::env::vars().collect(),
        told: lint::Told::default(),
    };
    let input = Input { name: format!("{}.yaml", args.name), text: text.to_owned() };
    lint::lint(&[input], &settings)
}

/// What the server tells of the query and of how long it keeps samples, in sentences; nothing of a trace.
fn noticed(args: &InitArgs, series: &Series) -> Vec<String> {
    let (Some(url), Some(query)) = (&args.prometheus, &args.query) else { return Vec::new() };
    let About { retention, doubts } = live::about(url, query);
    let mut noticed: Vec<_> =
        doubts.iter().map(|doubt| format!("Query: {doubt}; {}.", doubt.advice())).collect();
    let covers = series.covers();
    if let Some(kept) = retention.filter(|kept| *kept < args.history && covers + Span::DAY < args.history) {
        noticed.push(format!(
            "History: {covers} of the {} asked for; Prometheus keeps samples for {kept} (--storage.tsdb.retention.time).",
            args.history
        ));
    }
    noticed
}

fn history(args: &InitArgs) -> anyhow::Result<Series> {
    let series = match (&args.trace, &args.prometheus, &args.query) {
        (Some(path), ..) => trace::read(path)?,
        (None, Some(url), Some(query)) => read_live(url, query, args.history)?,
        _ => bail!("expected --trace, or --prometheus with --query"),
    };
    let covers = series.covers();
    // The newest sample may not be there yet.
    if series.observed() < 100 || covers + series.step().span() < Span::DAY {
        let found = counted(series.observed(), "sample");
        bail!("found {found} over {covers}, expected a day and 100 at least");
    }
    Ok(series)
}

fn carried(args: &InitArgs, series: &Series, actual: Option<&Series>) -> anyhow::Result<Carried> {
    /// The percentile of the load per replica that counts: replicas carried more only for a tenth of the time.
    const OFTEN: f64 = 0.9;
    if let Some(level) = args.threshold {
        return Ok(Carried { threshold: level.threshold(series)?, because: "as given".to_owned() });
    }
    if let (Some(url), Some(query)) = (&args.prometheus, &args.query)
        && let Some((threshold, because)) =
            super::capacity::learned(url, query, &args.namespace, &args.name, args.history)
    {
        let because = format!("{because} With capacity: auto it is learned again as the workload changes.");
        return Ok(Carried { threshold, because });
    }
    if let Some(actual) = actual {
        let carried = (0..series.len()).filter_map(|slot| {
            let ran = actual.slot_before(series.time(slot)).and_then(|i| actual.get(i)).filter(|r| *r >= 1.0);
            Some(series.get(slot)? / ran?)
        });
        let carried = percentile(carried.collect(), OFTEN).unwrap_or_default();
        let threshold = Threshold::new(carried).context("--actual-replicas: no replica carried any load")?;
        return Ok(Carried {
            threshold,
            because: "the load that a replica did not exceed for nine tenths of the time".into(),
        });
    }
    let level = Level::parse("p99.9/20").map_err(anyhow::Error::msg)?;
    let because = "a guess, a twentieth of the highest load: measure what one replica carries";
    Ok(Carried { threshold: level.threshold(series)?, because: because.to_owned() })
}
