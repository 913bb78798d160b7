//! The Prometheus that `--prometheus` names, asked live by commands that end after one answer.

use std::sync::Arc;

use anyhow::{Context, anyhow};

use crate::history::Series;
use crate::policy::quoted;
use crate::source::config::{DataSourceConfig, Limits};
use crate::source::{self, Backend, RangeQuery, base_url};
use crate::units::{Span, Step, Time};

/// The series of a query from its first sample on; the range is read in as many pieces as the server allows.
pub(super) fn read(url: &str, query: &str, step: Step, from: Time, to: Time) -> anyhow::Result<Series> {
    let source = open(url)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let question = RangeQuery { query: query.to_owned(), from, to, step };
    let reading = runtime.block_on(source.range(&question));
    let series = reading.with_context(|| format!("query {}", quoted(query)))?.series;
    let first = (0..series.len()).find(|&slot| series.get(slot).is_some());
    Ok(match (first, series.last()) {
        (Some(first), Some((last, _))) => series.window(series.time(first) - Span::seconds(1), last),
        _ => series,
    })
}

/// The Prometheus at the address that `--prometheus` names.
pub(super) fn open(url: &str) -> anyhow::Result<Arc<dyn Backend>> {
    // What does not parse is not echoed: it may hold a password.
    let url =
        base_url(url).map_err(|reason| anyhow!("--prometheus: found {reason}, expected an http URL"))?;
    Ok(source::open("default", DataSourceConfig::at(url), &Limits::default()))
}
