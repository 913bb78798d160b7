//! Histories of the fleet, read once for each distinct query, however many workloads share it.
//!
//! The source's own limits (pieces, bytes, requests a second) hold; a query that fails is told to everybody who
//! needs it and is not asked again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::runtime::Handle;

use crate::history::Series;
use crate::source::{Backend, RangeQuery};
use crate::units::{Span, Step, Time};

/// Reads histories of one length that end at one instant.
pub(super) struct Reader<'a> {
    pub source: &'a dyn Backend,
    pub runtime: Handle,
    pub until: Time,
    pub length: Span,
    /// By query; only those that more than one workload asks are kept.
    read: Mutex<HashMap<String, Arc<Once>>>,
    shared: Vec<String>,
}

type Once = OnceLock<Result<Arc<Series>, String>>;

// === impl Reader ===

impl<'a> Reader<'a> {
    /// `queries` are those of all workloads, with repetitions.
    pub(super) fn new(
        source: &'a dyn Backend,
        runtime: Handle,
        until: Time,
        length: Span,
        queries: impl Iterator<Item = String>,
    ) -> Self {
        let mut all: Vec<String> = queries.collect();
        all.sort_unstable();
        let mut shared: Vec<String> =
            all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
        shared.dedup();
        Reader { source, runtime, until, length, read: Mutex::default(), shared }
    }

    /// The series of a query from its first sample on.
    pub(super) fn series(&self, query: &str) -> Result<Arc<Series>, String> {
        if self.shared.binary_search_by(|known| known.as_str().cmp(query)).is_err() {
            return self.ask(query);
        }
        let once = {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(read.entry(query.to_owned()).or_default())
        };
        once.get_or_init(|| self.ask(query)).clone()
    }

    fn ask(&self, query: &str) -> Result<Arc<Series>, String> {
        let question = RangeQuery {
            query: query.to_owned(),
            from: self.until - self.length,
            to: self.until,
            step: Step::MINUTE,
        };
        let reading =
            self.runtime.block_on(self.source.range(&question)).map_err(|error| error.to_string())?;
        let series = reading.series;
        let first = (0..series.len()).find(|&slot| series.get(slot).is_some());
        Ok(Arc::new(match (first, series.last()) {
            (Some(first), Some((last, _))) => series.window(series.time(first) - Span::seconds(1), last),
            _ => Series::new(series.start(), series.step()),
        }))
    }
}
