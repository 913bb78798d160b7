//! Who answers questions about load: a Prometheus server, or a recorded series that stands in for one.

use std::sync::Arc;

use super::SourceError;
use super::prometheus::{DataSources, Prometheus, RangeQuery, RangeSource, Reading};
use crate::history::Series;
use crate::policy::SourceRef;
use crate::units::{Span, Time};

/// Answers queries. Implementations bound their own time, bytes and concurrency.
#[tonic::async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The one series of a query over a range; missing samples are gaps.
    async fn range(&self, query: &RangeQuery) -> Result<Reading, SourceError>;
    /// The one value of a query at an instant; `None` where it yields no series.
    async fn instant(&self, query: &str, at: Time) -> Result<Option<f64>, SourceError>;
    /// How far its clock and `now` differed when it last answered; zero where that is not known.
    fn clock_skew(&self, now: Time) -> Span;
    /// Its name in metrics and logs; never an address with credentials.
    fn label(&self) -> &str;
    /// Where its answers come from, without credentials: a name may be given to another server between two runs.
    fn origin(&self) -> String {
        self.identity()
    }
    /// What tells its answers from those of another backend: equal for equal ones on every replica.
    fn identity(&self) -> String {
        self.label().to_owned()
    }
}

/// Finds the backend that a policy names.
pub trait Backends: Send + Sync + 'static {
    /// The backend, if `namespace` may use it.
    ///
    /// # Errors
    /// Where there is none of that name, or it is not admitted.
    fn resolve(&self, source: &SourceRef, namespace: &str) -> Result<Arc<dyn Backend>, SourceError>;
}

/// A backend shared by many feeds.
#[derive(Clone)]
pub struct Shared(pub Arc<dyn Backend>);

/// A known series that answers every query as if it were being recorded: nothing after the instant asked at.
pub struct Recorded {
    label: String,
    series: Series,
}

impl RangeSource for Shared {
    async fn read(&self, query: &RangeQuery) -> Result<Reading, SourceError> {
        self.0.range(query).await
    }
}

#[tonic::async_trait]
impl Backend for Prometheus {
    async fn range(&self, query: &RangeQuery) -> Result<Reading, SourceError> {
        RangeSource::read(self, query).await
    }

    async fn instant(&self, query: &str, at: Time) -> Result<Option<f64>, SourceError> {
        Prometheus::instant(self, query, at).await
    }

    fn clock_skew(&self, now: Time) -> Span {
        Span::seconds(Prometheus::clock_skew(self, now).map_or(0, i64::abs))
    }

    fn label(&self) -> &str {
        self.name()
    }

    fn origin(&self) -> String {
        self.target().to_owned()
    }

    fn identity(&self) -> String {
        // Sources that workloads name by address share one label, which bounds the metrics, and nothing else.
        if self.name() == DataSources::BY_ADDRESS {
            format!("{} {}", self.name(), self.target())
        } else {
            self.name().to_owned()
        }
    }
}

impl Backends for DataSources {
    fn resolve(&self, source: &SourceRef, namespace: &str) -> Result<Arc<dyn Backend>, SourceError> {
        Ok(match source {
            SourceRef::Named(name) => self.get(name, namespace)?,
            SourceRef::Address(address) => self.for_address(address)?,
        })
    }
}

// === impl Recorded ===

impl Recorded {
    /// A backend that knows `series`; the name is its label.
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

    fn clock_skew(&self, _now: Time) -> Span {
        Span::ZERO
    }

    fn label(&self) -> &str {
        &self.label
    }
}

/// One for everybody.
impl<B: Backend> Backends for Arc<B> {
    fn resolve(&self, _source: &SourceRef, _namespace: &str) -> Result<Arc<dyn Backend>, SourceError> {
        Ok(Arc::clone(self) as Arc<dyn Backend>)
    }
}
