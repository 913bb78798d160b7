//! `forescale lint`: checks files before they are applied. It reads the files, and asks a Prometheus if one is given;
//! the rules themselves are in `crate::lint`.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::catalogue::{load_catalogue, policy_files};
use super::outcome::Outcome;
use super::{files, live, runtime};
use crate::lint::{self, Answer, Input, Report, Settings};
use crate::serve::{Clock, SystemClock};
use crate::source::{Catalogue, Doubt, SourceError, doubts};
use crate::units::{Shards, Span, Time};

/// Checks ScaledObjects, policies and the server's configuration before you apply them.
#[derive(Debug, Args)]
pub(super) struct LintArgs {
    /// Files, or folders with .yaml and .yml files; '-' is standard input.
    #[arg(value_name = "FILES", required = true)]
    files: Vec<PathBuf>,
    /// The server's configuration: only its policies and calendars may be named.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A folder of policies that may be named.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// How often Prometheus scrapes.
    #[arg(long, value_name = "D", default_value = "15s", value_parser = Span::parse)]
    scrape_interval: Span,
    /// How long Prometheus keeps samples; by default, what --prometheus reports.
    #[arg(long, value_name = "D", value_parser = Span::parse)]
    retention: Option<Span>,
    /// A Prometheus in which to check the queries: whether they match, and whether rates are of counters only.
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// How many shards the chart runs (its value `shards`): each scalerAddress must be that of its workload's shard.
    #[arg(long, value_name = "N", default_value = "1", value_parser = Shards::parse)]
    shards: Shards,
    /// Judge as of this instant (RFC 3339); by default, now.
    #[arg(long, value_name = "T", value_parser = Time::parse)]
    at: Option<Time>,
    /// Output format.
    #[arg(long, default_value = "text")]
    format: LintFormat,
}

/// What `capacity` learns from.
const CPU: &str = "container_cpu_usage_seconds_total";
/// What `leadTime: auto` learns from.
const STARTS: &str = "kube_pod_status_ready_time";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LintFormat {
    /// For people.
    Text,
    /// One document for programs.
    Json,
    /// SARIF 2.1.0, for code scanners.
    Sarif,
    /// Annotations of a GitHub workflow.
    Github,
}

/// Runs the command.
pub(super) fn run(args: &LintArgs) -> anyhow::Result<Outcome> {
    let mut settings = settings(args)?;
    let inputs = inputs(&args.files)?;
    let mut report = lint::lint(&inputs, &settings);
    if let Some(url) = &args.prometheus {
        ask(url, &report.queries, &mut settings)?;
        report = lint::lint(&inputs, &settings);
    }
    write(&report, args.format)?;
    if !report.unreadable.is_empty() {
        anyhow::bail!("{} of {} files cannot be read as YAML", report.unreadable.len(), inputs.len());
    }
    // Without this error, no findings in files of another kind would look like a pass.
    if report.judged == 0 {
        anyhow::bail!("nothing to judge: expected whole ScaledObjects, policies or a server's configuration");
    }
    Ok(if report.has_errors() { Outcome::Failed } else { Outcome::Fine })
}

/// Asks a Prometheus what files cannot show. What it does not report is not judged.
fn ask(url: &str, queries: &BTreeSet<String>, settings: &mut Settings) -> anyhow::Result<()> {
    let source = live::open(url)?;
    let runtime = runtime::here()?;
    runtime.block_on(async {
        // Check that it answers at all, before an empty answer is taken as meaningful.
        source.instant("vector(1)", settings.now).await.context("--prometheus")?;
        let Some(server) = source.discovery() else { return Ok(()) };
        if settings.retention.is_none() {
            settings.retention = server.retention().await.unwrap_or_default();
        }
        let since = settings.now - live::LATELY;
        for query in queries {
            let doubts = doubts(source.as_ref(), query, since).await.unwrap_or_default();
            settings.told.doubts.insert(query.clone(), doubts);
            if let Some(answer) = answer(source.instant(query, settings.now).await) {
                settings.told.answers.insert(query.clone(), answer);
            }
        }
        let pods = doubts(source.as_ref(), STARTS, since).await;
        let is_seen = |doubts: Vec<Doubt>| !doubts.iter().any(Doubt::is_empty);
        settings.told.sees_pods = pods.ok().map(is_seen);
        settings.told.sees_cpu = doubts(source.as_ref(), CPU, since).await.ok().map(is_seen);
        Ok(())
    })
}

/// What is certain about a query; `None` if the server could not answer just now.
fn answer(answered: Result<Option<f64>, SourceError>) -> Option<Answer> {
    match answered {
        Ok(Some(_)) => Some(Answer::One),
        Ok(None) => Some(Answer::Nothing),
        Err(SourceError::ManySeries) => Some(Answer::Many),
        Err(SourceError::Api { error_type, message, .. }) if error_type == "bad_data" => {
            Some(Answer::Rejected(message))
        }
        Err(error @ SourceError::NotNumeric { .. }) => Some(Answer::Rejected(error.to_string())),
        Err(_) => None,
    }
}

fn write(report: &Report, format: LintFormat) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        LintFormat::Text => write!(out, "{}", lint::text(report))?,
        LintFormat::Json => writeln!(out, "{}", lint::json(report))?,
        LintFormat::Sarif => writeln!(out, "{}", lint::sarif(report))?,
        LintFormat::Github => write!(out, "{}", lint::github(report))?,
    }
    out.flush()?;
    Ok(())
}

fn settings(args: &LintArgs) -> anyhow::Result<Settings> {
    let now = args.at.unwrap_or_else(|| SystemClock.now());
    let env = std::env::vars().collect();
    let mut catalogue = match &args.config {
        Some(path) => Some(load_catalogue(&files::config(path)?)?),
        None => None,
    };
    if let Some(folder) = &args.policies {
        let catalogue = catalogue.get_or_insert_with(|| Catalogue::new(now));
        for (name, path) in policy_files(folder) {
            catalogue.add(&name, &files::text(&path)?).with_context(|| path.display().to_string())?;
        }
    }
    Ok(Settings {
        now,
        scrape_interval: args.scrape_interval,
        retention: args.retention,
        catalogue,
        shards: args.shards,
        env,
        told: lint::Told::default(),
    })
}

fn inputs(files: &[PathBuf]) -> anyhow::Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in files {
        let paths = if path.is_dir() {
            policy_files(path).into_iter().map(|(_, path)| path).collect()
        } else {
            vec![path.clone()]
        };
        for path in paths {
            let name = path.display().to_string();
            let text = read(&path)?;
            inputs.push(Input { name, text });
        }
    }
    Ok(inputs)
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    files::text(path)
}
