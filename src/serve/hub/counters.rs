//! Whether the counters under a query were there: queried at each poll, for the time since the previous poll.
//!
//! One short range query for each distinct query and poll, with a single point if the previous poll was answered.
//! That is as much work for Prometheus as the instant query next to it, on the same samples. A failed query says
//! nothing: the main query shows that the source fails.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::single_flight::SingleFlight;
use super::{Hub, Retries, timed};
use crate::history::Counters;
use crate::source::feed::SET_BACK;
use crate::source::{Backend, RangeQuery};
use crate::units::{Span, Step, Time};

/// One query for counters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CountersKey {
    source: String,
    pub question: String,
    grid: Step,
    keep: Span,
}

/// The counter queries of one query.
#[derive(Clone, Copy)]
pub(in crate::serve) struct Asked<'a> {
    pub questions: &'a [String],
    /// How far back the query looks.
    pub look_back: Span,
    /// How long the result is needed.
    pub keep: Span,
    /// The poll grid.
    pub grid: Step,
}

pub(super) type CountersFlight = SingleFlight<Counting, Option<Arc<Counters>>>;

/// What is known, and when a failed query may be retried.
pub(super) struct Counting {
    retries: Retries,
    /// Until then a source that cannot answer is not queried again.
    silent_until: Option<Time>,
}

/// Nothing older is kept: 5,760 points of 15 seconds.
const MOST_KEPT: Span = Span::DAY;

impl Asked<'_> {
    fn key(&self, backend: &dyn Backend, question: &str) -> CountersKey {
        let keep = (self.keep + self.look_back).min(MOST_KEPT);
        CountersKey { source: backend.identity(), question: question.to_owned(), grid: self.grid, keep }
    }
}

impl Hub {
    /// What was seen of the counters under a query up to `at`, as far as it is available at `by`.
    pub(in crate::serve) async fn counters(
        &self,
        backend: &Arc<dyn Backend>,
        asked: Asked<'_>,
        at: Time,
        by: Instant,
    ) -> Option<Arc<Counters>> {
        let mut seen = None;
        for question in asked.questions {
            let key = asked.key(backend.as_ref(), question);
            seen = both(seen, self.one(backend, key, asked.look_back, at, by).await);
        }
        seen
    }

    /// The same as it was last seen; nothing is queried.
    pub(in crate::serve) fn newest_counters(
        &self,
        backend: &dyn Backend,
        asked: Asked<'_>,
    ) -> Option<Arc<Counters>> {
        let flights = self.counters.lock();
        let newest = |question: &String| flights.get(&asked.key(backend, question))?.newest();
        asked.questions.iter().filter_map(newest).fold(None, |seen, one| both(seen, Some(one)))
    }

    async fn one(
        &self,
        backend: &Arc<dyn Backend>,
        key: CountersKey,
        look_back: Span,
        at: Time,
        by: Instant,
    ) -> Option<Arc<Counters>> {
        let fresh = || Counting { retries: Retries::new(&key.question), silent_until: None };
        let flight = {
            let mut counters = self.counters.lock();
            Arc::clone(counters.entry(key.clone()).or_insert_with(|| SingleFlight::new(fresh(), None)))
        };
        let (backend, metrics) = (Arc::clone(backend), Arc::clone(&self.metrics));
        flight
            .at(at, by, move |mut state, old: Option<Arc<Counters>>| async move {
                let is_silent = state.silent_until.is_some_and(|until| at < until);
                if is_silent || state.retries.must_wait(at) {
                    return old;
                }
                let usable =
                    |seen: &Arc<Counters>| at - key.keep <= seen.next() && seen.next().since(at) <= SET_BACK;
                let mut seen = old.clone().filter(usable).unwrap_or_else(|| {
                    // Far enough back to see an absence that still affects the query, and what was there before.
                    let from = at - look_back - look_back - Span::MINUTE;
                    Arc::new(Counters::new(from.floor_to(key.grid.span(), Span::ZERO), key.grid))
                });
                let query =
                    RangeQuery { query: key.question.clone(), from: seen.next(), to: at, step: key.grid };
                if query.from > query.to {
                    return old;
                }
                let answer = timed(&metrics, backend.label(), backend.counters(&query)).await;
                match state.retries.noted(answer, at) {
                    Some(Some(reading)) => {
                        let seen_now = Arc::make_mut(&mut seen);
                        seen_now.absorb(&reading.series);
                        // If they were away, the query's last value may still date from when they disappeared.
                        let from = at - key.keep;
                        let keep = if seen_now.are_whole_from(from) { key.keep } else { MOST_KEPT };
                        seen_now.forget_before(at - keep);
                        Some(seen)
                    }
                    Some(None) => {
                        state.silent_until = Some(at + super::SILENT);
                        None
                    }
                    None => old,
                }
            })
            .await
    }
}

fn both(one: Option<Arc<Counters>>, other: Option<Arc<Counters>>) -> Option<Arc<Counters>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Arc::new(one.with(&other))),
        (one, other) => one.or(other),
    }
}
