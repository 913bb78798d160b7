//! `forescale assess`: which workloads of a fleet profit, by how much, and what to commit; from Prometheus alone.
//!
//! Nothing is installed and nothing is changed: the workloads come from manifests, their loads and replicas from the
//! history that is there, and the strategies are compared in the twin. One workload's fault is its own row.

mod folder;
mod history;
mod inventory;
mod page;
mod proposal;
mod questions;
mod report;
mod row;
mod shard;
mod trial;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};

use self::folder::{Folder, Run, whole_hour};
use self::history::Reader;
use self::inventory::{Candidate, Chosen};
use self::row::Kept;
use self::shard::Shard;
use super::backtest::progress::Progress;
use super::{Format, Outcome, files};
use crate::serve::{Clock, SystemClock};
use crate::simulate::Verdict;
use crate::source::config::{DataSourceConfig, Limits};
use crate::source::{self, Backend, base_url};
use crate::units::{Span, Time};

/// Which workloads of a fleet profit from prediction, a schedule, or neither.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct AssessArgs {
    #[command(subcommand)]
    merge: Option<Part>,
    /// The Prometheus that holds the history.
    #[arg(long, value_name = "URL", required_unless_present = "datasource_config")]
    prometheus: Option<String>,
    /// A server's configuration: its data source `default` is asked, with its credentials.
    #[arg(long, value_name = "FILE", conflicts_with = "prometheus")]
    datasource_config: Option<PathBuf>,
    /// Files or folders with ScaledObjects, HPAs, Deployments and StatefulSets; `-` is standard input.
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    manifests: Vec<PathBuf>,
    /// Only this namespace.
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Only objects with these labels, such as team=shop.
    #[arg(long, value_name = "LABELS", value_parser = Chosen::parse_labels)]
    selector: Option<Labels>,
    /// How much history to read.
    #[arg(long, value_name = "D", default_value = "28d", value_parser = Span::parse)]
    history: Span,
    /// The end of the history (RFC 3339); the last full hour by default.
    #[arg(long, value_name = "T", value_parser = Time::parse)]
    until: Option<Time>,
    /// From a decision to a ready pod, where a workload does not say it.
    #[arg(long, value_name = "D", default_value = "2m", value_parser = Span::parse)]
    lead: Span,
    /// Time zone of the people who make the load.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: chrono_tz::Tz,
    /// Money for one hour of one replica.
    #[arg(long, value_name = "MONEY", default_value_t = 0.0)]
    price: f64,
    /// Requests a second that Prometheus is asked at most.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    max_per_second: u32,
    /// Workloads judged at a time; as many as there are processors by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: Option<u32>,
    /// Only every Nth workload by a hash of its name: I/N.
    #[arg(long, value_name = "I/N", value_parser = Shard::parse, default_value = "1/1")]
    shard: Shard,
    /// Where the scaler will listen in the cluster, for the manifests.
    #[arg(long, value_name = "HOST:PORT", default_value = "forescale.forescale:6000")]
    scaler: String,
    /// Folder for fleet.json, fleet.csv, fleet.html, manifests/ and what an interrupted run has finished.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What must hold, such as 'at_risk == 0' or 'saving_percent >= 10'. Repeatable; exit code 1 where it does not.
    #[arg(long = "assert", value_name = "CONDITION")]
    gates: Vec<String>,
    /// A table for people, or fleet.json for programs.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

type Labels = BTreeMap<String, String>;

/// What is done beside the assessment itself.
#[derive(Debug, Subcommand)]
enum Part {
    /// Joins the folders of several shards into one report.
    Merge {
        /// The folders, each the --out of one shard.
        #[arg(value_name = "DIR", required = true)]
        parts: Vec<PathBuf>,
        /// The folder for the joined report.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// A table for people, or fleet.json for programs.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

/// What all workloads are judged by.
pub(super) struct Settings {
    pub lead: Span,
    pub timezone: chrono_tz::Tz,
    pub scaler: String,
    /// Money for one hour of one replica.
    pub price: f64,
}

/// Runs the command.
pub(super) fn run(args: &AssessArgs) -> anyhow::Result<Outcome> {
    if let Some(Part::Merge { parts, out, format }) = &args.merge {
        return merge(parts, out, *format);
    }
    let chosen =
        Chosen { namespace: args.namespace.clone(), labels: args.selector.clone().unwrap_or_default() };
    let mut candidates = inventory::read(&args.manifests, &chosen)?;
    candidates.retain(|candidate| args.shard.takes(candidate));
    let gates = args.gates.iter().map(|text| Gate::parse(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let folder = args.out.as_deref().map(Folder::new);
    let run = this_run(args, folder.as_ref())?;
    if let Some(folder) = &folder {
        folder.begin(&run)?;
    }
    let mut all = assessed(args, &candidates, folder.as_ref(), &run)?;
    report::sort(&mut all);
    finish(&all, folder.as_ref(), &run.until, args.format)?;
    let failed = gates.iter().filter(|gate| !gate.holds(&all)).count();
    for gate in gates.iter().filter(|gate| !gate.holds(&all)) {
        writeln!(std::io::stderr(), "assertion failed: {}", gate.text)?;
    }
    if !all.is_empty() && all.iter().all(|kept| kept.verdict() == Verdict::CannotTell) {
        let why = all.first().map_or("", |kept| kept.row.reason.as_str());
        bail!("no workload could be judged; the first: {why}");
    }
    Ok(if failed > 0 { Outcome::Failed } else { Outcome::Fine })
}

fn this_run(args: &AssessArgs, folder: Option<&Folder>) -> anyhow::Result<Run> {
    // A run that was interrupted goes on with its own end.
    let there = folder.map(Folder::run).transpose()?.flatten().map(|run| run.until);
    let given = args.until.map(|until| until.to_string());
    Ok(Run {
        schema: 1,
        until: given.or(there).unwrap_or_else(|| whole_hour(SystemClock.now()).to_string()),
        history: args.history.to_string(),
        lead: args.lead.to_string(),
        timezone: args.timezone.name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Judges all candidates, several at a time; what a folder holds already is not judged again.
fn assessed(
    args: &AssessArgs,
    candidates: &[Candidate],
    folder: Option<&Folder>,
    run: &Run,
) -> anyhow::Result<Vec<Kept>> {
    let until = Time::parse(&run.until).map_err(|error| anyhow!("run.json: {error}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let source = source_of(args)?;
    runtime
        .block_on(source.instant("vector(1)", until))
        .with_context(|| "Prometheus does not answer".to_owned())?;
    let queries = candidates.iter().flat_map(|candidate| {
        let target = &candidate.target;
        let ready = questions::ready(&candidate.namespace, &target.kind, &target.name);
        candidate.load.as_ref().ok().map(|load| load.query.clone()).into_iter().chain(ready)
    });
    let reader = Reader::new(source.as_ref(), runtime.handle().clone(), until, args.history, queries);
    let settings =
        Settings { lead: args.lead, timezone: args.timezone, scaler: args.scaler.clone(), price: args.price };
    let progress = Progress::new(candidates.len());
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Kept>> = Mutex::default();
    let work = || -> anyhow::Result<()> {
        while let Some(candidate) = candidates.get(next.fetch_add(1, Ordering::Relaxed)) {
            let known = folder.and_then(|folder| folder.kept(&candidate.namespace, &candidate.name));
            let kept = match known {
                Some(kept) => kept,
                None => {
                    let kept = trial::judge(candidate, &reader, &settings);
                    if let Some(folder) = folder {
                        folder.keep(&kept)?;
                    }
                    kept
                }
            };
            progress.finished(&candidate.name);
            done.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
        }
        Ok(())
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = args.jobs.map_or(cores, |jobs| jobs as usize).min(candidates.len().max(1));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => Err(anyhow!("a worker failed")),
        })
    })?;
    progress.end();
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn source_of(args: &AssessArgs) -> anyhow::Result<Arc<dyn Backend>> {
    let (config, limits) = match (&args.datasource_config, &args.prometheus) {
        (Some(path), _) => {
            let server = files::config(path)?;
            let config = server.datasources.get("default").cloned();
            let config = config.with_context(|| {
                format!("{}: found no data source 'default', expected one", path.display())
            })?;
            (config, server.limits)
        }
        (None, Some(url)) => {
            // What does not parse is not echoed: it may hold a password.
            let url = base_url(url)
                .map_err(|reason| anyhow!("--prometheus: found {reason}, expected an http URL"))?;
            (DataSourceConfig::at(url), Limits::default())
        }
        (None, None) => bail!("expected --prometheus or --datasource-config"),
    };
    let config = DataSourceConfig { max_per_second: args.max_per_second as usize, ..config };
    Ok(source::open("default", config, &limits))
}

fn merge(parts: &[PathBuf], out: &Path, format: Format) -> anyhow::Result<Outcome> {
    let mut run: Option<Run> = None;
    let mut all: BTreeMap<(String, String), Kept> = BTreeMap::new();
    for part in parts {
        let folder = Folder::new(part);
        let theirs = folder.run()?.with_context(|| {
            format!("{}: found no run.json, expected the --out folder of `forescale assess`", part.display())
        })?;
        if let Some(run) = run.as_ref().filter(|run| **run != theirs) {
            bail!(
                "{}: is of another run (until {}), expected one until {} with the same settings; give every shard the \
                 same --until",
                part.display(),
                theirs.until,
                run.until
            );
        }
        run = Some(theirs);
        for kept in folder.all()? {
            all.insert((kept.row.namespace.clone(), kept.row.name.clone()), kept);
        }
    }
    let run = run.context("expected at least one folder")?;
    let mut all: Vec<Kept> = all.into_values().collect();
    report::sort(&mut all);
    finish(&all, Some(&Folder::new(out)), &run.until, format)?;
    Ok(Outcome::Fine)
}

/// Writes the report, and prints the result.
fn finish(all: &[Kept], folder: Option<&Folder>, until: &str, format: Format) -> anyhow::Result<()> {
    let json = report::json(all, until)?;
    if let Some(folder) = folder {
        folder.write("fleet.json", &json)?;
        folder.write("fleet.csv", &report::csv(all)?)?;
        folder.write("fleet.html", &page::page(all, until))?;
        for kept in all {
            if let (Some(place), Some(text)) = (&kept.row.manifest, &kept.manifest_text) {
                folder.write(place, text)?;
            }
        }
    }
    let mut out = std::io::stdout().lock();
    match format {
        Format::Json => out.write_all(json.as_bytes())?,
        Format::Text => report::print(&mut out, all)?,
    }
    out.flush()?;
    Ok(())
}

/// A condition on the fleet.
struct Gate {
    text: String,
    figure: String,
    sign: &'static str,
    bound: f64,
}

// === impl Gate ===

impl Gate {
    fn parse(text: &str) -> anyhow::Result<Self> {
        const SIGNS: [&str; 5] = ["<=", ">=", "==", "<", ">"];
        const TOTALS: [&str; 3] = ["saving_percent", "saved_hours_a_month", "short_hours_a_month"];
        let figures = || Verdict::ALL.iter().map(|v| v.as_str()).chain(TOTALS);
        let read = || {
            let sign = SIGNS.into_iter().find(|sign| text.contains(sign))?;
            let (figure, bound) = text.split_once(sign)?;
            let figure = figures().find(|known| *known == figure.trim())?;
            Some(Gate {
                text: text.trim().to_owned(),
                figure: figure.to_owned(),
                sign,
                bound: bound.trim().parse().ok()?,
            })
        };
        read().with_context(|| {
            let known: Vec<&str> = figures().collect();
            format!(
                "--assert: found '{text}', expected FIGURE <= NUMBER (or >=, <, >, ==) with FIGURE one of {}",
                known.join(", ")
            )
        })
    }

    fn holds(&self, all: &[Kept]) -> bool {
        let totals = report::totals(all);
        let found = match self.figure.as_str() {
            "saving_percent" => totals.saving_percent.unwrap_or(0.0),
            "saved_hours_a_month" => totals.saved_hours_a_month,
            "short_hours_a_month" => totals.short_hours_a_month,
            verdict => totals.verdicts.get(verdict).copied().unwrap_or(0) as f64,
        };
        match self.sign {
            "<=" => found <= self.bound,
            ">=" => found >= self.bound,
            "==" => found == self.bound,
            "<" => found < self.bound,
            _ => found > self.bound,
        }
    }
}
