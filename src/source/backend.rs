//! Who answers questions about load: a Prometheus server, or a generated workload that stands in for one.

use std::sync::Arc;

use super::SourceError;
use crate::history::Series;
use crate::policy::SourceRef;
use crate::units::{Span, Step, Time};

/// Answers queries. Implementations bound their own time, bytes and concurrency.
#[tonic::async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The one series of `query` at the multiples of `step` (since the epoch) in `from..=to`; missing ones are gaps.
    async fn range(&self, query: &str, from: Time, to: Time, step: Step) -> Result<Series, SourceError>;
    /// The one value of `query` at `at`; `None` where it yields no series.
    async fn instant(&self, query: &str, at: Time) -> Result<Option<f64>, SourceError>;
    /// How far its clock and `now` differed when it last answered.
    fn clock_skew(&self, now: Time) -> Span;
    /// Its name in metrics and logs; never an address with credentials.
    fn label(&self) -> &str;
}

/// Finds the backend that a policy names.
pub trait Backends: Send + Sync + 'static {
    /// The backend, if `namespace` may use it.
    ///
    /// # Errors
    /// Where there is none of that name, or it is not admitted.
    fn resolve(&self, source: &SourceRef, namespace: &str) -> Result<Arc<dyn Backend>, SourceError>;
}
