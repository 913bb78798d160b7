//! Questions about load and who answers them: a Prometheus server, or a recorded series that stands in for one.

use std::sync::Arc;

use super::{Discovery, SourceError};
use crate::history::Series;
use crate::policy::SourceRef;
use crate::units::{Span, Step, Time};

/// Instants that are asked for in one piece of a long range: Prometheus refuses more than 11,000 per series, and some of
/// its kin count both ends of the range once more.
pub(super) const PIECE: usize = 10_000;

/// A question for a series on a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeQuery {
    /// PromQL that yields one series.
    pub query: String,
    /// The first instant; moved up to the next multiple of the step since the epoch.
    pub from: Time,
    /// The last instant; moved down to a multiple of the step since the epoch.
    pub to: Time,
    /// The distance of instants.
    pub step: Step,
}

/// What a question yielded.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// One slot for each instant of the grid, gaps where there is no sample.
    pub series: Series,
    /// What the server warned of, such as a partial answer.
    pub warnings: Vec<String>,
}

/// Answers queries. Implementations bound their own time, bytes and concurrency.
#[tonic::async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The one series of a query over a range; missing samples are gaps. The value of an instant is the newest sample at
    /// it or shortly before it, never one after it: a store that stamps the begin of an interval moves its samples to the
    /// end. A gap is asked for again only at the next fit, so a store that is late wants a longer `settle`.
    async fn range(&self, query: &RangeQuery) -> Result<Reading, SourceError>;
    /// The one value of a query at an instant; `None` where it yields no series.
    async fn instant(&self, query: &str, at: Time) -> Result<Option<f64>, SourceError>;
    /// How far its clock and `now` differed when it last answered, either way; `None` where it told no time.
    fn clock_skew(&self, now: Time) -> Option<Span>;
    /// When its server started, as it tells now; `None` of one that does not tell.
    async fn began(&self) -> Result<Option<Time>, SourceError> {
        Ok(None)
    }
    /// What a question about counters yields over a range; `None` of one that cannot tell.
    async fn counters(&self, _question: &RangeQuery) -> Result<Option<Reading>, SourceError> {
        Ok(None)
    }
    /// Whether it may know what exporters tell of the cluster beside the load; a recording answers every question alike.
    fn knows_exporters(&self) -> bool {
        false
    }
    /// What tells of its metrics and of itself, where something does.
    fn discovery(&self) -> Option<&dyn Discovery> {
        None
    }
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

// === impl Reading ===

impl Reading {
    /// The part of it from `begin` on.
    pub(super) fn from(self, begin: Time) -> Reading {
        let end = self.series.end().unwrap_or(begin);
        Reading { series: self.series.window(begin - Span::seconds(1), end), ..self }
    }
}

// === impl RangeQuery ===

impl RangeQuery {
    /// The first instant of the grid, and how many there are.
    pub fn grid(&self) -> (Time, usize) {
        let width = self.step.span();
        let floor = self.from.floor_to(width, Span::ZERO);
        let from = if floor < self.from { floor + width } else { floor };
        (from, if self.to < from { 0 } else { self.step.count_in(self.to.since(from)) + 1 })
    }

    /// The answer of a source that knows the value at every instant, or that there is none.
    pub fn answer(&self, value: impl Fn(Time) -> Option<f64>) -> Reading {
        let (from, points) = self.grid();
        let values = (0..points).map(|i| value(from + self.step.times(i)).unwrap_or(f64::NAN));
        Reading { series: Series::from_values(from, self.step, values), warnings: Vec::new() }
    }
}

/// One for everybody.
impl<B: Backend> Backends for Arc<B> {
    fn resolve(&self, _source: &SourceRef, _namespace: &str) -> Result<Arc<dyn Backend>, SourceError> {
        Ok(Arc::clone(self) as Arc<dyn Backend>)
    }
}
