//! `forescale demo`: the whole loop on a built-in workload, with nothing to install.
//!
//! The real server runs on loopback over weeks of generated history. The twin of KEDA and the HPA calls it over the
//! socket exactly when the real ones would, while a stepped clock makes a day pass in half a minute. For comparison,
//! a purely reactive trigger serves the same load. Everything shown was answered by the server or simulated.

mod client;
mod cluster;
mod screen;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::client::{Caller, Pace};
use self::cluster::Cluster;
use self::screen::{Row, Screen};
use super::outcome::{Format, Outcome};
use super::rows::{scorecard_json, step_json};
use super::runtime;
use crate::history::{Calendar, Series};
use crate::serve::{self, Parts, SteppedClock};
use crate::simulate::{Load, Run, Simple, Target, run as simulate};
use crate::source::synthetic::{Profile, Recipe};
use crate::source::{Catalogue, Recorded, ServerConfig};
use crate::units::{Span, Threshold, Time, counted};

/// The whole loop on a built-in workload: server, calls, twin; nothing to install.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How long the demo runs; half a minute is one day of the workload.
    #[arg(long = "for", value_name = "D", default_value = "30s", value_parser = Span::parse)]
    duration: Span,
    /// Run `forescale assess` on a generated fleet in place of one workload: which workloads benefit, and by how
    /// much.
    #[arg(long, conflicts_with = "duration")]
    fleet: bool,
    /// The folder for the fleet's report.
    #[arg(long, value_name = "DIR", default_value = "fleet-demo", requires = "fleet")]
    out: PathBuf,
    /// Print the address of the server's page, which is available while the demo runs.
    #[arg(long, conflicts_with = "fleet")]
    open: bool,
    /// A chart or lines for people, or one JSON document at the end.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Simulated seconds per real second: half a minute is a day.
const SPEED: i64 = 2_880;
/// The longest useful demo; it shows a week of the workload in three and a half minutes.
const LONGEST: Span = Span::minutes(10);
/// The history before the day shown.
const HISTORY: Span = Span::days(28);
/// The load of the daily peak, and the load that one replica carries: about twenty replicas at noon.
const PEAK: f64 = 1_000.0;
const PER_REPLICA: f64 = 50.0;
/// Where the part shown starts: a Tuesday, two hours before the morning's rise.
const BEGIN: Time = Time::from_epoch(1_773_124_200);

/// What to do next: who would profit, what the forecast would have saved, how to set it up.
const NEXT: [&str; 3] = [
    "forescale assess --prometheus http://PROMETHEUS:9090",
    "forescale backtest --prometheus http://PROMETHEUS:9090 --query 'sum(rate(http_requests_total[2m]))' --threshold 50",
    "forescale init --prometheus http://PROMETHEUS:9090 --query 'sum(rate(http_requests_total[2m]))'",
];

/// The final state of the demo.
struct Shown {
    predictive: Run,
    reactive: Run,
    rows: Vec<Row>,
}

/// Runs the demo and prints what it showed.
pub fn run(args: &DemoArgs) -> anyhow::Result<Outcome> {
    if args.fleet {
        return super::assess::demo::run(&args.out, args.format);
    }
    anyhow::ensure!(
        args.duration >= Span::seconds(1) && args.duration <= LONGEST,
        "--for: found {}, expected 1s to {LONGEST}",
        args.duration
    );
    let runtime = runtime::beside(2)?;
    let shown = runtime.block_on(show(args))?;
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{}", document(&shown))?,
        Format::Text => summary(&shown, &mut out)?,
    }
    Ok(Outcome::Fine)
}

async fn show(args: &DemoArgs) -> anyhow::Result<Shown> {
    let length = Span::seconds(args.duration.as_seconds() * SPEED);
    let recipe = Recipe {
        length: HISTORY + length + Span::DAY,
        ..Recipe::of(Profile::BusinessHours, BEGIN - HISTORY, PEAK, 7)
    };
    let series = recipe.series();
    let load = Load::of(&series);
    let mut target = Target::new(Threshold::new(PER_REPLICA)?);
    target.from = Some(BEGIN);
    target.until = Some(BEGIN + length);
    // The server reads what a scraper would have had by then, as does the twin's reactive trigger.
    let delayed = Series::from_values(series.start() + target.metric_delay, series.step(), series.values());
    let cluster = Cluster::new(Recorded::new("demo", delayed));
    let clock = Arc::new(SteppedClock::new(BEGIN - target.warm_up));
    let shutdown = CancellationToken::new();
    let parts = Parts {
        config: ServerConfig::parse("", &BTreeMap::new())?,
        catalogue: Catalogue::default(),
        backends: Arc::new(Arc::clone(&cluster)),
        fit: crate::serve::fit(),
        clock: clock.clone(),
        workers: tokio::runtime::Handle::current(),
        shutdown: shutdown.clone(),
    };
    let registry = serve::registry(&parts);
    let (grpc, http) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    let address = grpc.local_addr()?;
    if args.open {
        writeln!(std::io::stderr(), "the page, while the demo runs: http://{}/", http.local_addr()?)?;
    }
    let server = tokio::spawn(serve::run(parts, Arc::clone(&registry), grpc, http));
    let screen = Screen::new(args.format == Format::Text, BEGIN, length);
    let wall = Duration::from_secs(u64::try_from(args.duration.as_seconds())?);
    let pace = Pace { wall, begin: BEGIN, length };
    let reactive = simulate(
        &load,
        &target,
        &mut *Simple::Reactive.study(&load, &target, &Calendar::utc()).insured(1.0),
    )?;
    let mut caller = Caller::connect(address, clock, registry, cluster, screen, pace, &reactive).await?;
    let (load, target) = (Arc::new(load), Arc::new(target));
    // The twin is synchronous, to be reproducible; its calls wait for the socket on a separate thread.
    let (predictive, rows) = tokio::task::spawn_blocking(move || {
        let run = simulate(&load, &target, &mut caller);
        (run, caller.into_rows())
    })
    .await
    .context("the twin failed")?;
    shutdown.cancel();
    server.await.context("the server failed")??;
    Ok(Shown { predictive: predictive?, reactive, rows: rows? })
}

fn document(shown: &Shown) -> serde_json::Value {
    let steps = shown.predictive.steps.iter().map(|s| step_json("predictive", s));
    let reactive = shown.reactive.steps.iter().map(|s| step_json("reactive", s));
    json!({
        "schema": 1,
        "strategies": [
            scorecard_json("reactive", &shown.reactive.scorecard, None),
            scorecard_json("predictive", &shown.predictive.scorecard, None),
        ],
        "steps": steps.chain(reactive).collect::<Vec<_>>(),
        "calls": shown.rows.len(),
    })
}

fn summary(shown: &Shown, out: &mut impl Write) -> std::io::Result<()> {
    let (reactive, predictive) = (&shown.reactive.scorecard, &shown.predictive.scorecard);
    writeln!(out)?;
    writeln!(out, "{:<28}{:>12}{:>12}", "", "reactive", "predictive")?;
    for (name, a, b) in [
        ("short of replicas, % of time", reactive.tau_u, predictive.tau_u),
        ("requests that waited, %", reactive.slo_violations, predictive.slo_violations),
        ("replica-hours", reactive.replica_hours, predictive.replica_hours),
        ("scale events a day", reactive.events_per_day, predictive.events_per_day),
    ] {
        writeln!(out, "{name:<28}{a:>12.2}{b:>12.2}")?;
    }
    writeln!(
        out,
        "\n{} over gRPC, all answered. Next, on your own load:\n",
        counted(shown.rows.len(), "call")
    )?;
    NEXT.iter().try_for_each(|line| writeln!(out, "  {line}"))
}
