//! What is known of every query, asked once however many workloads share it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking::Locked;

use super::flight::Flight;
use crate::history::{Sample, Series};
use crate::http::Metrics;
use crate::source::{Backend, SourceError};
use crate::units::{Span, Step, Time};

mod parking {
    //! A mutex that a panic elsewhere does not poison: its maps hold no half-made states.
    use std::sync::{Mutex, MutexGuard, PoisonError};

    #[derive(Default)]
    pub(super) struct Locked<T>(Mutex<T>);

    impl<T> Locked<T> {
        pub(super) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

/// Every series and instant value in use.
pub(super) struct Hub {
    ranges: Locked<HashMap<RangeKey, Arc<Flight<Feed, Option<Arc<Series>>>>>>,
    instants: Locked<HashMap<InstantKey, Arc<Flight<(), Option<Sample>>>>>,
    metrics: Arc<Metrics>,
}

/// A series that is kept current.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RangeKey {
    /// The backend's label; one backend has one.
    pub source: String,
    pub query: String,
    pub step: Step,
    pub window: Span,
    pub settle: Span,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct InstantKey {
    source: String,
    query: String,
    grid: Step,
}

/// Where a feed stands; only its own refresh touches it.
struct Feed {
    /// Not asked again before this instant, after a failure.
    retry_at: Option<Time>,
    failures: u32,
    /// The grid point since which the last hour was read again.
    reread: Option<Time>,
}

/// How long a tick waits for an answer before it decides on what is there: well within KEDA's poll of 30 s, and
/// more than a healthy Prometheus takes for weeks of history.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest pause after failures.
const LONGEST_RETRY: Span = Span::seconds(60);
/// Late samples of the last hour are taken in at each grid point.
const REREAD: Span = Span::HOUR;

// === impl Hub ===

impl Hub {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Hub { ranges: Locked::default(), instants: Locked::default(), metrics }
    }

    /// The series of `key` with all samples settled at `now`, as far as it can be had; `None` before the first
    /// read. `grid_point` is the point whose passing makes the last hour be read again.
    pub(super) async fn series(
        &self,
        backend: &Arc<dyn Backend>,
        key: &RangeKey,
        now: Time,
        grid_point: Time,
    ) -> Option<Arc<Series>> {
        let flight = Arc::clone(self.ranges.lock().entry(key.clone()).or_insert_with(|| {
            Flight::new(Feed { retry_at: None, failures: 0, reread: None }, None)
        }));
        let (backend, key, metrics) = (Arc::clone(backend), key.clone(), Arc::clone(&self.metrics));
        let settled = (now - key.settle).floor_to(key.step.span(), Span::ZERO);
        let is_current = |series: &Arc<Series>| series.end().is_some_and(|end| end >= settled);
        if flight.newest().as_ref().is_some_and(is_current) && settled != grid_point {
            return flight.newest();
        }
        flight
            .at(now, PATIENCE, move |mut feed, old| {
                let (backend, key, metrics) = (Arc::clone(&backend), key.clone(), Arc::clone(&metrics));
                async move { feed.refresh(&*backend, &key, &metrics, old, now, settled, grid_point).await }
            })
            .await
    }

    /// The newest instant value of `query` on the grid of `grid`, asked for at `at`.
    pub(super) async fn instant(
        &self,
        backend: &Arc<dyn Backend>,
        query: &str,
        grid: Step,
        at: Time,
    ) -> Option<Sample> {
        let key = InstantKey { source: backend.label().to_owned(), query: query.to_owned(), grid };
        let flight =
            Arc::clone(self.instants.lock().entry(key.clone()).or_insert_with(|| Flight::new((), None)));
        let (backend, metrics) = (Arc::clone(backend), Arc::clone(&self.metrics));
        flight
            .at(at, PATIENCE, move |_, old| {
                let (backend, query, metrics) = (Arc::clone(&backend), key.query.clone(), Arc::clone(&metrics));
                async move {
                    let answer = metrics.timed(backend.label(), backend.instant(&query, at)).await;
                    match answer {
                        Ok(Some(value)) => Some(Sample { at, value }),
                        // A query that yields nothing, like one that fails, leaves what was known, with its age.
                        Ok(None) => old,
                        Err(error) => {
                            tracing::warn!(datasource = backend.label(), %error, "instant query failed");
                            old
                        }
                    }
                }
            })
            .await
    }

    /// Lets go of what no workload asks for any more.
    pub(super) fn retain(&self, is_used: impl Fn(&str) -> bool) {
        self.ranges.lock().retain(|key, _| is_used(&key.query));
        self.instants.lock().retain(|key, _| is_used(&key.query));
    }

    /// Series kept, and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        let ranges = self.ranges.lock();
        let bytes = ranges.values().filter_map(|f| f.newest()).map(|s| s.heap_bytes()).sum();
        (ranges.len(), bytes)
    }
}

// === impl Feed ===

impl Feed {
    #[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename the arguments")]
    async fn refresh(
        &mut self,
        backend: &dyn Backend,
        key: &RangeKey,
        metrics: &Metrics,
        old: Option<Arc<Series>>,
        now: Time,
        settled: Time,
        grid_point: Time,
    ) -> Option<Arc<Series>> {
        if self.retry_at.is_some_and(|at| now < at) {
            return old;
        }
        let first = (settled - key.window).floor_to(key.step.span(), Span::ZERO) + key.step.span();
        let reread = self.reread != Some(grid_point) && old.is_some();
        let known_end = old.as_ref().and_then(|s| s.end());
        let from = match known_end {
            Some(_) if reread => first.max(grid_point - REREAD),
            Some(end) => first.max(end + key.step.span()),
            None => first,
        };
        if from > settled {
            return old;
        }
        match metrics.timed(backend.label(), backend.range(&key.query, from, settled, key.step)).await {
            Ok(news) => {
                (self.failures, self.retry_at, self.reread) = (0, None, Some(grid_point));
                Some(joined(old, &news, first, settled))
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                self.retry_at = Some(now + pause(self.failures, &key.query, &error));
                tracing::warn!(datasource = backend.label(), failures = self.failures, %error, "history query failed");
                old
            }
        }
    }
}

/// The old series with the news written over it, from `first` to `until`, gaps where nothing is known.
fn joined(old: Option<Arc<Series>>, news: &Series, first: Time, until: Time) -> Arc<Series> {
    let mut series = old.unwrap_or_else(|| Arc::new(Series::new(first, news.step()).compact()));
    let whole = Arc::make_mut(&mut series);
    for i in 0..news.len() {
        whole.put(news.time(i), news.get(i).unwrap_or(f64::NAN));
    }
    // A slot that the source left out is a gap, and known to be one.
    if whole.end().is_none_or(|end| end < until) {
        whole.put(until, f64::NAN);
    }
    whole.forget_before(first);
    series
}

/// Doubling from 5 s to a minute, with a share that depends on the query, so that many do not ask at once again.
fn pause(failures: u32, query: &str, error: &SourceError) -> Span {
    let doubled = 5_i64 << failures.min(5);
    let share = query.bytes().fold(0_i64, |hash, b| (hash * 31 + i64::from(b)) % 1_009) * doubled / 4_036;
    let asked = error.retry_after().map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
    Span::seconds((doubled.min(LONGEST_RETRY.as_seconds()) + share).max(asked))
}
