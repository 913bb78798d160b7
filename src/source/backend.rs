//! The interface to a data source: a Prometheus server, or a recorded series that stands in for one.
//!
//! All callers use the traits [`Backend`] and [`Backends`], so a simulation or a test can replace the server. Nothing
//! here opens a connection.

use std::sync::Arc;

use super::{Discovery, SourceError};
use crate::history::Series;
use crate::policy::SourceRef;
use crate::units::{Span, Step, Time};

/// The most instants in one request; a longer range is split. Prometheus refuses more than 11,000 per series, and
/// some compatible servers count both ends of the range twice.
pub(super) const PIECE: usize = 10_000;

/// A range query on a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeQuery {
    /// PromQL that returns one series.
    pub query: String,
    /// The first instant, rounded up to the next multiple of the step since the epoch.
    pub from: Time,
    /// The last instant, rounded down to a multiple of the step since the epoch.
    pub to: Time,
    /// The distance between instants.
    pub step: Step,
}

/// The result of a range query.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// One slot for each instant of the grid; a gap where there is no sample.
    pub series: Series,
    /// Warnings from the server, such as a partial answer.
    pub warnings: Vec<String>,
}

/// Answers queries. Implementations limit their own time, bytes and concurrency.
#[tonic::async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The one series of a query over a range; missing samples are gaps. The value at an instant is the newest sample
    /// at or shortly before it, never one after it: if a store stamps samples with the start of their interval, they
    /// move to its end. A gap is queried again only at the next fit, so a slow store needs a longer `settle`.
    async fn range(&self, query: &RangeQuery) -> Result<Reading, SourceError>;
    /// The single value of a query at an instant; `None` if it returns no series.
    async fn instant(&self, query: &str, at: Time) -> Result<Option<f64>, SourceError>;
    /// The absolute difference between the server's clock and `now` at its last answer; `None` if it sent no time.
    fn clock_skew(&self, now: Time) -> Option<Span>;
    /// When the server started, as it reports now; `None` if it does not report it.
    async fn began(&self) -> Result<Option<Time>, SourceError> {
        Ok(None)
    }
    /// The result of a query about counters over a range; `None` if this backend cannot answer it.
    async fn counters(&self, _question: &RangeQuery) -> Result<Option<Reading>, SourceError> {
        Ok(None)
    }
    /// Whether it may have exporter metrics of the cluster as well as the load. A recording gives every query the
    /// same answer.
    fn knows_exporters(&self) -> bool {
        false
    }
    /// Access to metadata about its metrics and the server, if it has any.
    fn discovery(&self) -> Option<&dyn Discovery> {
        None
    }
    /// Its name in metrics and logs; never an address with credentials.
    fn label(&self) -> &str;
    /// Where its answers come from, without credentials. A name may refer to another server after a restart.
    fn origin(&self) -> String {
        self.identity()
    }
    /// Identifies the backend: equal on every replica for backends with equal answers.
    fn identity(&self) -> String {
        self.label().to_owned()
    }
}

/// Finds the backend that a policy names.
pub trait Backends: Send + Sync + 'static {
    /// The backend, if `namespace` may use it.
    ///
    /// # Errors
    /// If no source has that name, or the namespace may not use it.
    fn resolve(&self, source: &SourceRef, namespace: &str) -> Result<Arc<dyn Backend>, SourceError>;
}

// === impl Reading ===

impl Reading {
    /// The part from `begin` on.
    pub(super) fn from(self, begin: Time) -> Reading {
        let end = self.series.end().unwrap_or(begin);
        Reading { series: self.series.window(begin - Span::seconds(1), end), ..self }
    }
}

// === impl RangeQuery ===

impl RangeQuery {
    /// The first instant of the grid, and the number of instants.
    pub fn grid(&self) -> (Time, usize) {
        let width = self.step.span();
        let floor = self.from.floor_to(width, Span::ZERO);
        let from = if floor < self.from { floor + width } else { floor };
        (from, if self.to < from { 0 } else { self.step.count_in(self.to.since(from)) + 1 })
    }

    /// The answer of a source that knows, for every instant, the value or that there is none.
    pub fn answer(&self, value: impl Fn(Time) -> Option<f64>) -> Reading {
        let (from, points) = self.grid();
        let values = (0..points).map(|i| value(from + self.step.times(i)).unwrap_or(f64::NAN));
        Reading { series: Series::from_values(from, self.step, values), warnings: Vec::new() }
    }
}

/// The same backend for every workload.
impl<B: Backend> Backends for Arc<B> {
    fn resolve(&self, _source: &SourceRef, _namespace: &str) -> Result<Arc<dyn Backend>, SourceError> {
        Ok(Arc::clone(self) as Arc<dyn Backend>)
    }
}
