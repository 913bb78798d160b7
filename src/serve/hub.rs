//! The data of every query, read once no matter how many workloads share it.
//!
//! Workloads get shared series and instant values from here, and wait for at most a given time. A failed query is
//! retried with increasing delays; until then the last known data stays, with its age. Nothing here decides what a
//! failure means.

mod counters;
mod kept;
mod trouble;

use std::collections::HashMap;
use std::sync::Arc;

pub(super) use counters::Asked;
use counters::{CountersFlight, CountersKey};
use kept::Kept;
use parking::Locked;
use tokio::time::Instant;
use trouble::{QueryFailure, QueryForm, QueryId, QueryOutcome, Troubles};

use super::single_flight::SingleFlight;
use super::store::Store;
use crate::history::{Interruption, Sample, Series};
use crate::http::Metrics;
use crate::policy::WorkloadId;
use crate::source::feed::{Feed, FeedKey, SET_BACK};
use crate::source::{Backend, Backoff, PublicFailure, SourceError};
use crate::units::{Span, Step, Time, stable_hash};

mod parking {
    //! A mutex that ignores poisoning by a panic elsewhere: its maps are never half updated.
    use std::sync::{Mutex, MutexGuard, PoisonError};

    #[derive(Default)]
    pub(super) struct Locked<T>(Mutex<T>);

    impl<T> Locked<T> {
        pub(super) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

/// All series and instant values in use.
pub(super) struct Hub {
    ranges: Locked<Ranges>,
    instants: Locked<HashMap<InstantKey, Arc<InstantFlight>>>,
    counters: Locked<HashMap<CountersKey, Arc<CountersFlight>>>,
    /// When each data source started.
    starts: Locked<HashMap<String, Arc<StartFlight>>>,
    troubles: Arc<Troubles>,
    metrics: Arc<Metrics>,
    store: Option<Arc<Store>>,
    /// The maximum number of points of all series together.
    most_points: usize,
}

/// All series in use, and how many points they may hold together.
#[derive(Default)]
struct Ranges {
    flights: HashMap<(FeedKey, Span), Arc<RangeSingleFlight>>,
    points: usize,
}

type StartFlight = SingleFlight<Option<Time>, Option<Time>>;
type InstantFlight = SingleFlight<Retries, Option<Sample>>;
type RangeSingleFlight = SingleFlight<SeriesReader, Option<Arc<Series>>>;

/// Keeps one series current.
struct SeriesReader {
    feed: Feed,
    retries: Retries,
    /// Everything up to this instant was read.
    until: Option<Time>,
    kept: Kept,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct InstantKey {
    source: String,
    query: String,
    grid: Step,
}

/// When a failed query may be retried.
struct Retries {
    backoff: Backoff,
    not_before: Option<Time>,
}

// === impl Hub ===

impl Hub {
    pub(super) fn new(metrics: Arc<Metrics>, store: Option<Arc<Store>>, most_points: usize) -> Self {
        let (ranges, instants, starts) = (Locked::default(), Locked::default(), Locked::default());
        let (counters, troubles) = (Locked::default(), Arc::default());
        Hub { ranges, instants, counters, starts, troubles, metrics, store, most_points }
    }

    /// The series of `key` with all samples settled at `now`, as far as available; `None` before the first read.
    /// Whatever is not available at `by` comes later.
    pub(super) async fn series(
        &self,
        who: &WorkloadId,
        backend: &Arc<dyn Backend>,
        key: &FeedKey,
        settle: Span,
        now: Time,
        by: Instant,
    ) -> Option<Arc<Series>> {
        let question = QueryId::new(backend.as_ref(), &key.query);
        self.troubles.asked_by(&question, who);
        let flight = self.flight(backend, key, settle, &question, now)?;
        let settled = (now - settle).floor_to(key.step.span(), Span::ZERO);
        let (metrics, label) = (Arc::clone(&self.metrics), backend.label().to_owned());
        let troubles = Arc::clone(&self.troubles);
        flight
            .at(now, by, move |mut state, old| {
                let (metrics, label) = (Arc::clone(&metrics), label.clone());
                async move {
                    let SeriesReader { feed, retries, until, kept } = &mut *state;
                    kept.take_up(feed, now).await;
                    // Nothing new can have settled within a step, unless the clock was set back.
                    let is_read = until.is_some_and(|until| until >= settled && until.since(now) <= SET_BACK);
                    if is_read || retries.must_wait(now) {
                        return old;
                    }
                    let refreshed = timed(&metrics, &label, feed.refresh(now)).await;
                    troubles.noted(&question, QueryForm::Series, outcome(&refreshed), *until, now);
                    match retries.noted(refreshed, now) {
                        Some(update) => {
                            if update.has_lost {
                                troubles.lost(&question, *until, now);
                            }
                            *until = Some(update.read_until);
                            kept.keep_in_turn(feed, update.read_until);
                            Some(update.series)
                        }
                        // What was read before the failure counts. A first read that was interrupted does not: a fit
                        // to part of the history would differ from the neighbours' fits.
                        None if until.is_some() || kept.until.is_some() => feed.series().or(old),
                        None => old,
                    }
                }
            })
            .await
    }

    /// The one reader of that series; `None` if all readers together would hold too many points.
    fn flight(
        &self,
        backend: &Arc<dyn Backend>,
        key: &FeedKey,
        settle: Span,
        question: &QueryId,
        now: Time,
    ) -> Option<Arc<RangeSingleFlight>> {
        let mut ranges = self.ranges.lock();
        let place = (key.clone(), settle);
        if let Some(flight) = ranges.flights.get(&place) {
            return Some(Arc::clone(flight));
        }
        let (held, own) = (ranges.points, key.points());
        if held + own > self.most_points {
            let why = format!(
                "{own} points of history are beyond limits.historyPoints: {held} of {} are taken",
                self.most_points
            );
            let what =
                format!("is not asked: the history would be beyond the {} points of all", self.most_points);
            let public =
                PublicFailure { what, advice: "Raise limits.historyPoints in the server's configuration." };
            let failed = QueryOutcome::Failed(QueryFailure { why, public });
            self.troubles.noted(question, QueryForm::Series, failed, None, now);
            return None;
        }
        let feed = Feed::new(Arc::clone(backend), key.clone(), settle);
        let kept = Kept::new(self.store.clone(), key, settle, &backend.origin());
        let reader = SeriesReader { feed, retries: Retries::new(&key.query), until: None, kept };
        let flight = SingleFlight::new(reader, None);
        ranges.flights.insert(place, Arc::clone(&flight));
        ranges.points += own;
        Some(flight)
    }

    /// The series of `key` as last read; nothing is queried.
    pub(super) fn newest(&self, key: &FeedKey, settle: Span) -> Option<Arc<Series>> {
        self.ranges.lock().flights.get(&(key.clone(), settle))?.newest()
    }

    /// The instant value of `query` as last read, if it was read at all; nothing is queried.
    pub(super) fn newest_instant(
        &self,
        backend: &dyn Backend,
        query: &str,
        grid: Step,
    ) -> Option<Option<Sample>> {
        let key = InstantKey { source: backend.identity(), query: query.to_owned(), grid };
        self.instants.lock().get(&key).filter(|flight| flight.is_tried()).map(|flight| flight.newest())
    }

    /// The newest instant value of `query` on the grid of `grid`, requested for `at`.
    pub(super) async fn instant(
        &self,
        who: &WorkloadId,
        backend: &Arc<dyn Backend>,
        query: &str,
        grid: Step,
        at: Time,
        by: Instant,
    ) -> Option<Sample> {
        let question = QueryId::new(backend.as_ref(), query);
        self.troubles.asked_by(&question, who);
        let key = InstantKey { source: backend.identity(), query: query.to_owned(), grid };
        let fresh = || SingleFlight::new(Retries::new(query), None);
        let flight = Arc::clone(self.instants.lock().entry(key.clone()).or_insert_with(fresh));
        let (backend, metrics) = (Arc::clone(backend), Arc::clone(&self.metrics));
        let troubles = Arc::clone(&self.troubles);
        flight
            .at(at, by, move |mut retries, old| {
                let query = key.query;
                async move {
                    if retries.must_wait(at) {
                        return old;
                    }
                    let answer = timed(&metrics, backend.label(), backend.instant(&query, at)).await;
                    let outcome = match &answer {
                        Ok(None) if old.is_some() => QueryOutcome::Vanished,
                        answer => outcome(answer),
                    };
                    troubles.noted(&question, QueryForm::Instant, outcome, old.map(|sample| sample.at), at);
                    // If a query yields nothing or fails, the known value stays, with its age.
                    let value = retries.noted(answer, at).flatten();
                    value.map(|value| Sample { at, value }).or(old)
                }
            })
            .await
    }

    /// When the server behind `backend` started, if it reports that. If several servers answer under this name, the
    /// latest start.
    pub(super) async fn began(&self, backend: &Arc<dyn Backend>, at: Time, by: Instant) -> Option<Time> {
        let fresh = || SingleFlight::new(None, None);
        let flight = Arc::clone(self.starts.lock().entry(backend.identity()).or_insert_with(fresh));
        let backend = Arc::clone(backend);
        flight
            .at(at, by, move |mut not_before, old: Option<Time>| async move {
                if not_before.is_some_and(|not_before| at < not_before) {
                    return old;
                }
                let told = backend.began().await;
                // A source that does not report it is not asked at every poll.
                *not_before = matches!(told, Ok(None)).then(|| at + SILENT);
                // A start in the future indicates a wrong clock, which is handled separately.
                told.ok().flatten().filter(|began| *began <= at).max(old.filter(|began| *began <= at))
            })
            .await
    }

    /// The same as last reported; nothing is queried.
    pub(super) fn newest_began(&self, backend: &dyn Backend) -> Option<Time> {
        self.starts.lock().get(&backend.identity()).and_then(|flight| flight.newest())
    }

    /// Why the series of `query` could not be read from `backend` the last time.
    pub(super) fn trouble(&self, backend: &dyn Backend, query: &str) -> Option<String> {
        self.troubles.why(&QueryId::new(backend, query))
    }

    /// The same, also of its newest value, in words that everyone may read.
    pub(super) fn public_trouble(&self, backend: &dyn Backend, query: &str) -> Option<PublicFailure> {
        self.troubles.public(&QueryId::new(backend, query))
    }

    /// Whether any query may be failing; if none is, there is nothing to look up for each workload.
    pub(super) fn has_troubles(&self) -> bool {
        !self.troubles.is_empty()
    }

    /// When the newest value of `query` was last missing.
    pub(super) fn interrupted(&self, backend: &dyn Backend, query: &str) -> Option<Interruption> {
        self.troubles.interrupted(&QueryId::new(backend, query))
    }

    /// Drops everything that no workload uses any more.
    pub(super) fn retain(&self, is_used: impl Fn(&str) -> bool) {
        let mut ranges = self.ranges.lock();
        ranges.flights.retain(|(key, _), _| is_used(&key.query));
        ranges.points = ranges.flights.keys().map(|(key, _)| key.points()).sum();
        drop(ranges);
        self.instants.lock().retain(|key, _| is_used(&key.query));
        self.counters.lock().retain(|key, _| is_used(&key.question));
        self.troubles.retain(is_used);
    }

    /// Writes every series that has grown since it was last written. Series that are being read now are skipped.
    pub(super) async fn keep_all(&self) {
        let flights: Vec<_> = self.ranges.lock().flights.values().cloned().collect();
        for flight in flights {
            let Some(mut state) = flight.idle() else { continue };
            let SeriesReader { feed, until, kept, .. } = &mut *state;
            if let Some(until) = until.filter(|until| kept.until.is_none_or(|written| written < *until)) {
                kept.keep(feed, until).await;
            }
        }
    }

    /// The number of series kept, and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        let ranges = self.ranges.lock();
        let bytes = ranges.flights.values().filter_map(|f| f.newest()).map(|s| s.heap_bytes()).sum();
        (ranges.flights.len(), bytes)
    }
}

fn outcome<T>(answer: &Result<T, SourceError>) -> QueryOutcome {
    let failed = |error: &SourceError| {
        QueryOutcome::Failed(QueryFailure { why: error.to_string(), public: error.in_public() })
    };
    answer.as_ref().map_or_else(failed, |_| QueryOutcome::Answered)
}

/// How long a source that does not report its start is not asked for it again.
const SILENT: Span = Span::minutes(10);

/// Runs a query of a data source and records its duration and outcome.
async fn timed<T>(
    metrics: &Metrics,
    datasource: &str,
    query: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    let begun = Instant::now();
    let result = query.await;
    let outcome = result.as_ref().map_or_else(SourceError::kind, |_| "ok");
    metrics.queried(datasource, outcome, begun.elapsed().as_secs_f64());
    result
}

// === impl Retries ===

impl Retries {
    fn new(query: &str) -> Self {
        Retries { backoff: Backoff::new(stable_hash(query)), not_before: None }
    }

    fn must_wait(&self, now: Time) -> bool {
        // No wait is longer than this, unless the clock was set back since.
        let longest = i64::try_from(Backoff::LONGEST.as_secs()).unwrap_or(i64::MAX);
        self.not_before.is_some_and(|at| now < at && at.since(now) <= Span::seconds(longest))
    }

    /// The answer; a failure determines when to retry.
    fn noted<T>(&mut self, answer: Result<T, SourceError>, now: Time) -> Option<T> {
        match answer {
            Ok(value) => {
                self.backoff.reset();
                self.not_before = None;
                Some(value)
            }
            Err(error) => {
                let wait = self.backoff.after(&error).as_secs();
                self.not_before = Some(now + Span::seconds(i64::try_from(wait).unwrap_or(60)));
                None
            }
        }
    }
}
