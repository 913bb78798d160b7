//! `forescale forecast`: quantile forecasts over a trace or a live server, as the running product would have made
//! them.
//!
//! At each origin only samples at or before it are seen, and only those within the requested history. The fit belongs
//! to the last point of the 6-hour grid before the origin and is then updated up to the origin, as in the server.

mod origins;
mod print;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::NaiveDate;
use clap::Args;

use origins::forecast_all;
pub(super) use print::explanation_json;
use print::{write_csv, write_explanations, write_json};

use super::outcome::Outcome;
use super::{files, live};
use crate::history::{Calendar, Series};
use crate::policy::{Faults, ical};
use crate::serve::{Clock, SystemClock};
use crate::source::trace;
use crate::units::{Quantile, Span, Step, Time, UnitError};

/// Forecasts quantiles of the load from a trace or a live Prometheus.
#[derive(Debug, Clone, Args)]
pub(super) struct ForecastArgs {
    /// A trace to read: CSV with timestamp,value, or a saved Prometheus range query; may be gzipped.
    #[arg(long, value_name = "FILE", required_unless_present = "prometheus", conflicts_with = "prometheus")]
    trace: Option<PathBuf>,
    /// A live Prometheus to read in place of a trace.
    #[arg(long, value_name = "URL", requires = "query")]
    prometheus: Option<String>,
    /// PromQL that yields one series.
    #[arg(long, value_name = "Q", requires = "prometheus")]
    query: Option<String>,
    /// Step between the samples requested from Prometheus.
    #[arg(long, value_name = "D", default_value = "1m", value_parser = parse_step)]
    step: Step,
    /// First origin (RFC 3339); by default, the last sample.
    #[arg(long, value_name = "T", value_parser = Time::parse)]
    from: Option<Time>,
    /// Step between origins.
    #[arg(long, value_name = "D", default_value = "1h", value_parser = Span::parse)]
    every: Span,
    /// Number of origins.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "to")]
    count: usize,
    /// Latest possible origin, in place of --count.
    #[arg(long, value_name = "T", value_parser = Time::parse)]
    to: Option<Time>,
    /// How far ahead to forecast, comma-separated; multiples of the step. By default, those of 5m,15m,30m,1h that are
    /// multiples, else one step.
    #[arg(long, value_delimiter = ',', value_parser = Span::parse)]
    horizons: Vec<Span>,
    /// Quantiles to forecast, as probabilities, comma-separated.
    #[arg(long, default_value = PUBLISHED, value_delimiter = ',', value_parser = parse_quantile)]
    quantiles: Vec<Quantile>,
    /// How much history each origin sees.
    #[arg(long, default_value = "28d", value_parser = Span::parse)]
    history: Span,
    /// Where to write; by default, or for '-', standard output.
    #[arg(long, value_name = "F")]
    out: Option<PathBuf>,
    /// Forecast the largest sample within each horizon, in place of the sample at its end.
    #[arg(long)]
    peak: bool,
    /// Time zone of the people who cause the load.
    #[arg(long, default_value = "UTC", value_parser = parse_zone)]
    timezone: chrono_tz::Tz,
    /// An iCalendar file whose days count as Sundays.
    #[arg(long, value_name = "FILE")]
    calendar: Option<PathBuf>,
    /// Explain how each forecast comes about, per origin and horizon, in place of the rows.
    #[arg(long)]
    explain: bool,
    /// The lead time for the verdict of --explain, like the policy's leadTime.
    #[arg(long, value_name = "D", default_value = "2m", value_parser = Span::parse)]
    lead: Span,
    /// The insured quantile for the verdict of --explain, like the policy's objective or quantile.
    #[arg(long, value_name = "Q", default_value = "0.95", value_parser = parse_quantile)]
    insured: Quantile,
    /// Output format.
    #[arg(long, default_value = "csv")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Csv,
    Json,
}

/// The quantiles that are published with each forecast.
const PUBLISHED: &str = "0.5,0.8,0.9,0.95,0.99";
/// More origins than this are a typing mistake.
const MOST_ORIGINS: usize = 1_000_000;

/// Runs the command.
pub(super) fn run(args: &ForecastArgs) -> anyhow::Result<Outcome> {
    let series = load(args)?;
    let step = series.step().as_seconds();
    let args = &ForecastArgs { horizons: horizons(args, step), ..args.clone() };
    for horizon in &args.horizons {
        if horizon.as_seconds() < step || horizon.as_seconds() % step != 0 {
            bail!("horizon {horizon}: expected a multiple of the samples' step {}", series.step());
        }
    }
    let origins = origins(args, &series)?;
    let calendar = Calendar::new(args.timezone, sundays(args, &series)?);
    let forecasts = forecast_all(&series, &calendar, args, &origins)?;
    let mut out: Box<dyn Write> = match args.out.as_deref() {
        Some(path) if path != Path::new("-") => Box::new(std::io::BufWriter::new(
            std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?,
        )),
        _ => Box::new(std::io::stdout().lock()),
    };
    match args.format {
        Format::Csv if args.explain => write_explanations(&mut out, &forecasts)?,
        Format::Csv => write_csv(&mut out, args, &forecasts)?,
        Format::Json => write_json(&mut out, args, &forecasts)?,
    }
    out.flush()?;
    Ok(Outcome::Fine)
}

/// The calendar's dates within the range of the series, and a year around it.
fn sundays(args: &ForecastArgs, series: &Series) -> anyhow::Result<BTreeSet<NaiveDate>> {
    let Some(path) = &args.calendar else { return Ok(BTreeSet::new()) };
    let text = files::text(path)?;
    let date = |at: Time| at.to_utc().date_naive();
    let within = date(series.start() - Span::days(366))
        ..=date(series.end().unwrap_or(series.start()) + Span::days(366));
    ical::days(&text, args.timezone, &within).map_err(Faults).with_context(|| path.display().to_string())
}

/// The horizons asked for, or those of the usual ones that fit the step.
fn horizons(args: &ForecastArgs, step: i64) -> Vec<Span> {
    if !args.horizons.is_empty() {
        return args.horizons.clone();
    }
    let usual = [5, 15, 30, 60].map(Span::minutes).into_iter().filter(|h| h.as_seconds() % step == 0);
    let usual: Vec<Span> = usual.collect();
    if usual.is_empty() { vec![Span::seconds(step)] } else { usual }
}

fn load(args: &ForecastArgs) -> anyhow::Result<Series> {
    match (&args.trace, &args.prometheus, &args.query) {
        (Some(path), ..) => Ok(trace::read(path)?),
        (None, Some(url), Some(query)) => {
            let now = SystemClock.now();
            let first = args.from.unwrap_or(now).min(now);
            // The fit at the grid point before an origin sees no more than the history before the origin.
            live::read_load(url, query, args.step, first - args.history, now)
        }
        _ => bail!("expected --trace, or --prometheus with --query"),
    }
}

fn origins(args: &ForecastArgs, series: &Series) -> anyhow::Result<Vec<Time>> {
    let (last, _) = series.last().context("there is no sample")?;
    let from = args.from.unwrap_or(last);
    if (from.epoch() - series.start().epoch()) % series.step().as_seconds() != 0 {
        bail!("--from {from}: expected an instant on the grid of the samples (step {})", series.step());
    }
    let count = match args.to {
        None => args.count,
        Some(to) if to >= from && args.every > Span::ZERO => {
            usize::try_from(to.since(from).as_seconds() / args.every.as_seconds() + 1)?
        }
        Some(to) => bail!("--to {to}: expected an instant at or after --from {from}"),
    };
    if count == 0 || count > MOST_ORIGINS {
        bail!("{count} origins: expected 1 to {MOST_ORIGINS}");
    }
    if count > 1 && (args.every == Span::ZERO || args.every.as_seconds() % series.step().as_seconds() != 0) {
        bail!("--every {}: expected a multiple of the trace's step {}", args.every, series.step());
    }
    Ok((0..count).map(|k| from + Span::seconds(args.every.as_seconds() * k as i64)).collect())
}

fn parse_step(text: &str) -> Result<Step, UnitError> {
    Span::parse(text).and_then(Step::new)
}

fn parse_quantile(text: &str) -> Result<Quantile, String> {
    let value: f64 = text.trim().parse().map_err(|_| format!("found '{text}', expected a number"))?;
    Quantile::new(value).map_err(|e| e.to_string())
}

fn parse_zone(text: &str) -> Result<chrono_tz::Tz, String> {
    text.parse().map_err(|_| format!("found '{text}', expected a zone such as Europe/Berlin"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ForecastArgs,
    }

    /// Runs over a generated trace; returns the output.
    fn run_with(extra: &[&str]) -> anyhow::Result<String> {
        let dir = tempfile::tempdir()?;
        let (trace, out) = (dir.path().join("t.csv"), dir.path().join("o.csv"));
        let mut text = String::from("timestamp,value\n");
        for i in 0..1_440i64 {
            let at = Time::from_epoch(1_767_571_200 + 600 * i);
            text += &format!("{at},{}\n", 50 + (i % 144) / 4 + i % 7);
        }
        std::fs::write(&trace, text)?;
        let paths = [trace.to_string_lossy().into_owned(), out.to_string_lossy().into_owned()];
        let mut line = vec!["forecast", "--trace", &paths[0], "--out", &paths[1]];
        line.extend(extra);
        run(&Line::try_parse_from(line)?.args)?;
        Ok(std::fs::read_to_string(out)?)
    }

    #[test]
    fn rows_are_those_asked_for_also_beyond_the_trace() {
        let some = ["--from", "2026-01-13T20:00:00Z", "--every", "70m", "--count", "4", "--history", "7d"];
        let rows = run_with(&[&some[..], &["--horizons", "10m,1h", "--quantiles", "0.5,0.95"]].concat());
        let rows = rows.expect("forecasts");
        assert_eq!(rows.lines().count(), 1 + 4 * 2 * 2);
        assert!(rows.contains("\n2026-01-13T23:30:00Z,3600,0.95,"), "{rows}");
    }

    #[test]
    fn an_origin_does_not_depend_on_its_companions() {
        let rows = |count: &str, from: &str| {
            run_with(&["--from", from, "--every", "5h", "--count", count, "--horizons", "1h"])
                .expect("forecasts")
        };
        let many = rows("6", "2026-01-11T00:00:00Z");
        let one = rows("1", "2026-01-11T20:00:00Z");
        assert!(one.lines().skip(1).all(|row| many.contains(row)), "{one} is not in {many}");
    }

    #[test]
    fn what_does_not_fit_the_grid_is_refused() {
        let error = |extra: &[&str]| format!("{:#}", run_with(extra).expect_err("refused"));
        assert!(error(&["--horizons", "15m"]).contains("expected a multiple of the samples' step 10m"));
        assert!(error(&["--from", "2026-01-13T20:05:00Z"]).contains("on the grid of the samples"));
        assert!(error(&["--quantiles", "1.5"]).contains("strictly between 0 and 1"));
        assert!(
            error(&["--from", "2026-01-05T00:00:00Z", "--horizons", "10m"]).contains("expected at least 10")
        );
    }

    #[test]
    fn explanations_and_json_are_written() {
        let text = run_with(&["--horizons", "30m", "--explain"]).expect("explained");
        assert!(text.contains("expert") && text.contains("last week"), "{text}");
        let json = run_with(&["--horizons", "30m", "--format", "json", "--peak"]).expect("written");
        let json: serde_json::Value = serde_json::from_str(&json).expect("valid");
        assert_eq!(json["forecasts"].as_array().map(Vec::len), Some(5));
    }
}
