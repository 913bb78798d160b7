//! `forescale assess`: which workloads of a fleet profit, by how much, and what to commit; from Prometheus alone.
//!
//! It installs and changes nothing. The workloads come from manifests, or from kube-state-metrics and KEDA's metrics;
//! their loads and replicas come from the existing history; and the strategies are compared in the twin. A fault of
//! one workload appears only in its row.

mod capacity;
pub(super) mod demo;
mod discovery;
mod folder;
mod gate;
mod history;
mod inventory;
mod merge;
mod page;
mod prices;
mod proposal;
mod questions;
mod report;
mod report_page;
mod row;
mod shard;
mod trial;
mod work;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};

use self::folder::{Folder, Run, whole_hour};
use self::gate::Gate;
use self::history::Reader;
use self::inventory::{Candidate, Chosen};
use self::prices::Prices;
use self::row::Kept;
use self::work::Keeping;
use super::outcome::{Format, Outcome};
use super::scaler::Scaler;
use super::{files, runtime};
use crate::serve::{Clock, SystemClock};
use crate::simulate::Verdict;
use crate::source::config::{DataSourceConfig, Limits};
use crate::source::prometheus::Prometheus;
use crate::source::{Backend, base_url};
use crate::units::{Shard, Span, Time};

/// Which workloads of a fleet profit from prediction, a schedule, or neither.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct AssessArgs {
    #[command(subcommand)]
    merge: Option<Part>,
    /// The Prometheus that holds the history.
    #[arg(long, value_name = "URL", required_unless_present = "datasource_config")]
    prometheus: Option<String>,
    /// A server's configuration, in place of --prometheus: queries its data source `default`, with its credentials.
    #[arg(long, value_name = "FILE", conflicts_with = "prometheus")]
    datasource_config: Option<PathBuf>,
    /// Files or folders with ScaledObjects, HPAs, Deployments and StatefulSets; `-` is standard input. By default,
    /// the workloads that kube-state-metrics and KEDA's operator report to Prometheus.
    #[arg(long, value_name = "PATH", num_args = 1..)]
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
    /// Lead time, from a decision to a ready pod, of workloads that do not set it.
    #[arg(long, value_name = "D", default_value = "2m", value_parser = Span::parse)]
    lead: Span,
    /// Time zone of the people who cause the load.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: chrono_tz::Tz,
    #[command(flatten)]
    prices: Prices,
    /// Send Prometheus at most this many requests per second.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    max_per_second: u32,
    /// How many workloads to judge at a time; by default, the number of processors.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: Option<u32>,
    /// Only every Nth workload, by a hash of its name: I/N, or job/N in a pod of an Indexed Job. Shards may share
    /// --out: its report covers all shards that have finished.
    #[arg(long, value_name = "I/N", value_parser = shard::parse, default_value = "1/1")]
    shard: Shard,
    #[command(flatten)]
    scaler: Scaler,
    /// Folder for fleet.json, fleet.csv, fleet.html, reports/, manifests/ and the finished part of an interrupted
    /// run.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A condition to check, such as 'at_risk == 0' or 'saving_percent >= 10'. Repeatable; exit code 1 if one fails.
    #[arg(long = "assert", value_name = "CONDITION")]
    gates: Vec<String>,
    /// A table for people, or the content of fleet.json for programs.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

type Labels = BTreeMap<String, String>;

/// What is done beside the assessment itself.
#[derive(Debug, Subcommand)]
enum Part {
    /// Joins the folders of several shards into one report.
    Merge {
        /// The --out folders of the shards.
        #[arg(value_name = "DIR", required = true)]
        parts: Vec<PathBuf>,
        /// The folder for the joined report.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// A table for people, or the content of fleet.json for programs.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

/// The settings for the assessment of all workloads.
struct Settings {
    pub lead: Span,
    pub timezone: chrono_tz::Tz,
    pub scaler: Scaler,
    pub prices: Prices,
}

/// Runs the command.
pub(super) fn run(args: &AssessArgs) -> anyhow::Result<Outcome> {
    if let Some(Part::Merge { parts, out, format }) = &args.merge {
        return merge::merge(parts, out, *format);
    }
    args.scaler.check()?;
    let gates = args.gates.iter().map(|text| Gate::parse(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let chosen =
        Chosen { namespace: args.namespace.clone(), labels: args.selector.clone().unwrap_or_default() };
    // Read first what needs no server, so that its faults are reported at once.
    let given = args.manifests.first().map(|_| inventory::read(&args.manifests, &chosen)).transpose()?;
    let source = source_of(args)?;
    let folder = args.out.as_deref().map(Folder::new);
    let mut run = this_run(args);
    if let Some(folder) = &folder {
        run = folder.begin(run, args.until.is_some())?;
    }
    let mut all = assessed(args, source, given, &chosen, folder.as_ref(), &run)?;
    report::sort(&mut all);
    match folder.as_ref().filter(|_| args.shard != Shard::WHOLE) {
        Some(folder) => finish_together(folder, &run.until, args.format)?,
        None => finish(&all, folder.as_ref(), &run.until, args.format)?,
    }
    let failed = gates.iter().filter(|gate| !gate.holds(&all)).count();
    for gate in gates.iter().filter(|gate| !gate.holds(&all)) {
        writeln!(std::io::stderr(), "assertion failed: {}", gate.text)?;
    }
    // A single shard may have no workload to judge; the merged fleet must have one.
    if args.shard == Shard::WHOLE {
        some_are_judged(&all)?;
    }
    Ok(if failed > 0 { Outcome::Failed } else { Outcome::Fine })
}

/// An error if no workload could be judged.
fn some_are_judged(all: &[Kept]) -> anyhow::Result<()> {
    if !all.is_empty() && all.iter().all(|kept| kept.verdict() == Verdict::CannotTell) {
        let why = all.first().map_or("", |kept| kept.row.reason.as_str());
        bail!("no workload could be judged; the first: {why}");
    }
    Ok(())
}

fn this_run(args: &AssessArgs) -> Run {
    let mut settings = BTreeMap::from([
        ("history", args.history.to_string()),
        ("lead", args.lead.to_string()),
        ("timezone", args.timezone.name().to_owned()),
        ("scaler", args.scaler.whole().to_owned()),
        ("shards", args.scaler.shards().to_string()),
    ]);
    settings.extend(args.prices.given());
    Run {
        schema: 1,
        until: args.until.unwrap_or_else(|| whole_hour(SystemClock.now())).to_string(),
        settings: settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Finds the workloads, unless manifests gave them, and judges those of this shard.
fn assessed(
    args: &AssessArgs,
    source: Arc<Prometheus>,
    given: Option<Vec<Candidate>>,
    chosen: &Chosen,
    folder: Option<&Folder>,
    run: &Run,
) -> anyhow::Result<Vec<Kept>> {
    let until = Time::parse(&run.until).map_err(|error| anyhow!("run.json: {error}"))?;
    let runtime = runtime::beside(1)?;
    let answers = runtime.block_on(source.instant("vector(1)", until));
    answers.with_context(|| "Prometheus does not answer".to_owned())?;
    let mut candidates = match given {
        Some(given) => given,
        None => runtime.block_on(discovery::find(&source, until, chosen))?,
    };
    candidates.retain(|candidate| args.shard.takes(&candidate.place.namespace, &candidate.place.name));
    let settings = Settings {
        lead: args.lead,
        timezone: args.timezone,
        scaler: args.scaler.clone(),
        prices: args.prices,
    };
    let reader = Reader::new(source, (until, args.history), args.prices.are_by_request(), &candidates);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = args.jobs.map_or(cores, |jobs| jobs as usize);
    let keeping = folder.map_or(Keeping::Nothing, Keeping::Everything);
    work::judge_all(candidates, reader, &runtime, &settings, keeping, jobs)
}

fn source_of(args: &AssessArgs) -> anyhow::Result<Arc<Prometheus>> {
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
            let url =
                base_url(url).map_err(|reason| anyhow!("--prometheus: {reason}; write http://HOST:PORT"))?;
            (DataSourceConfig::at(url), Limits::default())
        }
        (None, None) => bail!("expected --prometheus or --datasource-config"),
    };
    let config = DataSourceConfig { max_per_second: args.max_per_second as usize, ..config };
    Ok(Arc::new(Prometheus::new("default", config, &limits)))
}

/// The report of all results in the folder so far, of this shard and of others that share it: the last one to end
/// writes the complete report. Results stored in the meantime are read again.
fn finish_together(folder: &Folder, until: &str, format: Format) -> anyhow::Result<()> {
    let mut all = folder.all()?;
    report::sort(&mut all);
    loop {
        write_report(&all, folder, until)?;
        let mut now = folder.all()?;
        report::sort(&mut now);
        if now == all {
            return print(&all, until, format);
        }
        all = now;
    }
}

/// Writes the report, and prints the result.
fn finish(all: &[Kept], folder: Option<&Folder>, until: &str, format: Format) -> anyhow::Result<()> {
    if let Some(folder) = folder {
        write_report(all, folder, until)?;
    }
    print(all, until, format)
}

fn write_report(all: &[Kept], folder: &Folder, until: &str) -> anyhow::Result<()> {
    for kept in all {
        if let (Some(place), Some(text)) = (&kept.row.manifest, &kept.manifest_text) {
            folder.write(place, text)?;
        }
    }
    folder.write("fleet.csv", &report::csv(all)?)?;
    folder.write("fleet.html", &page::page(all, until))?;
    folder.write("fleet.json", &report::json(all, until)?)
}

fn print(all: &[Kept], until: &str, format: Format) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        Format::Json => out.write_all(report::json(all, until)?.as_bytes())?,
        Format::Text => report::print(&mut out, all)?,
    }
    out.flush()?;
    Ok(())
}
