//! Queries the Prometheus given by `--prometheus`, for commands that end after one answer.
//!
//! A query without a single sample is an error that names the series that exist instead.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};

use crate::cli::runtime;
use crate::history::Series;
use crate::policy::quoted;
use crate::serve::{Clock, SystemClock};
use crate::source::config::{DataSourceConfig, Limits};
use crate::source::{self, Backend, Doubt, RangeQuery, base_url, doubts};
use crate::units::{Span, Step, Time};

/// The series of a query from its first sample on; the range is split into as many pieces as the server requires.
pub(super) fn read(url: &str, query: &str, step: Step, from: Time, to: Time) -> anyhow::Result<Series> {
    let source = open(url)?;
    let runtime = runtime::here()?;
    let question = RangeQuery { query: query.to_owned(), from, to, step };
    let reading = runtime.block_on(source.range(&question));
    let series = reading.with_context(|| format!("query {}", quoted(query)))?.series;
    let first = (0..series.len()).find(|&slot| series.get(slot).is_some());
    Ok(match (first, series.last()) {
        (Some(first), Some((last, _))) => series.window(series.time(first) - Span::seconds(1), last),
        _ => series,
    })
}

/// The same for a load that must exist.
///
/// # Errors
/// If it cannot be read, or has no sample; the error then names the series that exist instead.
pub(super) fn read_load(url: &str, query: &str, step: Step, from: Time, to: Time) -> anyhow::Result<Series> {
    let series = read(url, query, step, from, to)?;
    if series.last().is_some() {
        return Ok(series);
    }
    let doubt = about(url, query).doubts.into_iter().find(Doubt::is_empty);
    match doubt {
        Some(doubt) => bail!("query {}: {doubt}; {}", quoted(query), doubt.advice()),
        None => bail!("query {}: found no sample from {from} to {to}", quoted(query)),
    }
}

/// What a server reports about itself and about the metrics of a query.
#[derive(Debug, Default)]
pub(super) struct About {
    /// How long it keeps samples, if it reports this.
    pub retention: Option<Span>,
    /// What is suspicious about the query.
    pub doubts: Vec<Doubt>,
}

/// Series without a sample for this long are gone.
pub(super) const LATELY: Span = Span::DAY;

/// Asks a server about a query; what it does not report is left out.
pub(super) fn about(url: &str, query: &str) -> About {
    let asked = async |source: &dyn Backend| {
        let retention = match source.discovery() {
            Some(server) => server.retention().await.unwrap_or_default(),
            None => None,
        };
        let doubts = doubts(source, query, SystemClock.now() - LATELY).await.unwrap_or_default();
        About { retention, doubts }
    };
    let runtime = runtime::here();
    let (Ok(source), Ok(runtime)) = (open(url), runtime) else { return About::default() };
    runtime.block_on(asked(source.as_ref()))
}

/// The Prometheus at the address that `--prometheus` names.
pub(super) fn open(url: &str) -> anyhow::Result<Arc<dyn Backend>> {
    // What does not parse is not echoed: it may hold a password.
    let url = base_url(url).map_err(|reason| anyhow!("--prometheus: {reason}; write http://HOST:PORT"))?;
    Ok(source::open("default", DataSourceConfig::at(url), &Limits::default()))
}
