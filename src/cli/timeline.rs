//! `forescale timeline`: what will happen in the next 14 days, or as many as asked for.
//!
//! It shows floors, ceilings, factors, calendar days, clock changes and, if a history is given, the forecast band
//! with the replicas it asks for. It reads files and never asks a cluster.

mod forecast;
mod outlook;
mod print;
mod svg;
mod workload;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{ArgGroup, Args};

use super::outcome::{Format, Outcome};
use crate::serve::{Clock, SystemClock};
use crate::units::{Span, Time};
use outlook::Outlook;

/// Shows schedules, calendars and the forecast of the coming days.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("history_from").args(["trace", "prometheus"])))]
pub(super) struct TimelineArgs {
    /// A file with a ScaledObject, or a policy.
    file: PathBuf,
    /// Which ScaledObject of the file, if it contains several.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The server's configuration: its policies and calendars may be named.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A calendar that rules may name. Repeatable.
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_named)]
    calendar: Vec<(String, PathBuf)>,
    /// How many days to show.
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=370))]
    days: u16,
    /// Where to start (RFC 3339); by default now, or the last sample of --trace.
    #[arg(long, value_name = "T", value_parser = Time::parse)]
    from: Option<Time>,
    /// A trace of the load to forecast from: CSV with timestamp,value, or a saved Prometheus range query.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// A Prometheus server to read the load from.
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// PromQL of the load; by default, the workload's own query.
    #[arg(long, value_name = "Q", requires = "prometheus")]
    query: Option<String>,
    /// A file for a drawing of the timeline, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Output format.
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub(super) fn run(args: &TimelineArgs) -> anyhow::Result<Outcome> {
    let now = SystemClock.now();
    let workload = workload::read(args, now)?;
    let history = forecast::history(args, &workload.policy, now)?;
    let last = history.as_ref().and_then(|series| series.last()).map(|(at, _)| at);
    let from = args.from.or_else(|| last.filter(|_| args.trace.is_some())).unwrap_or(now);
    let to = from + Span::days(i64::from(args.days));
    let mut outlook = Outlook::of(&workload, from, to);
    if let Some(series) = history {
        outlook.hours = forecast::hours(&series, &workload.policy, from, to)?;
    }
    if let Some(path) = &args.svg {
        std::fs::write(path, svg::draw(&outlook))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{}", print::json(&outlook))?,
        Format::Text => write!(out, "{}", print::text(&outlook))?,
    }
    out.flush()?;
    Ok(Outcome::Fine)
}

fn parse_named(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("expected NAME=FILE")?;
    Ok((name.trim().to_owned(), PathBuf::from(path)))
}
