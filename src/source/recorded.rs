//! The smallest backend: one series that is known in advance.
//!
//! The demo and tests use it in place of a server. It never returns a sample from after the instant of a query.

use std::sync::Arc;

use super::{Backend, RangeQuery, Reading, SourceError};
use crate::history::Series;
use crate::units::{Span, Time};

/// A known series that answers every query as if it were still being recorded: nothing after the instant of the
/// query.
pub struct Recorded {
    label: String,
    series: Series,
}

// === impl Recorded ===

impl Recorded {
    /// A backend that returns `series`, with `label` as its name.
    pub fn new(label: &str, series: Series) -> Arc<Self> {
        Arc::new(Recorded { label: label.to_owned(), series })
    }

    fn value(&self, at: Time) -> Option<f64> {
        self.series.get(self.series.slot_before(at)?)
    }
}

#[tonic::async_trait]
impl Backend for Recorded {
    async fn range(&self, query: &RangeQuery) -> Result<Reading, SourceError> {
        Ok(query.answer(|at| self.value(at)))
    }

    async fn instant(&self, _query: &str, at: Time) -> Result<Option<f64>, SourceError> {
        Ok(self.value(at))
    }

    fn clock_skew(&self, _now: Time) -> Option<Span> {
        None
    }

    fn label(&self) -> &str {
        &self.label
    }
}
