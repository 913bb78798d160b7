//! What a workload observes at an instant, and the keys under which it shares its queries with others.
//!
//! Every turn goes through here. All queries of a turn have one common deadline; what has not arrived by then is
//! taken as last read.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::Workload;
use crate::decide::CONTEXT_WINDOW;
use crate::history::{Counters, Observations, Sample, Series, SignalHistory};
use crate::plan;
use crate::policy::{LeadTime, Policy, Signal, WorkloadId};
use crate::serve::forecasts::ForecastKey;
use crate::serve::hub::Asked;
use crate::serve::shared::Shared;
use crate::serve::starts::start_queries;
use crate::source::Backend;
use crate::source::feed::FeedKey;
use crate::units::{Span, Step, Time};

/// How the queries of a turn are answered.
#[derive(Clone, Copy)]
pub(super) enum Ask<'a> {
    /// By the sources, waiting until then.
    By(Instant),
    /// From memory only; sets the flag if anything is missing.
    Memory(&'a AtomicBool),
}

impl Workload {
    /// Every query it uses.
    pub(in crate::serve) fn queries(&self) -> HashSet<String> {
        let q = &self.policy.queries;
        let context = [&q.replicas, &q.errors, &q.rejected, &q.in_flight].into_iter().flatten().cloned();
        let signals = self.policy.signals.iter().flat_map(Signal::queries).map(str::to_owned);
        let starts = self.start_queries().into_iter().flatten();
        context.chain(signals).chain(starts).chain(self.template_query()).collect()
    }

    /// The queries of `leadTime: auto`.
    pub(super) fn start_queries(&self) -> Option<[String; 2]> {
        (self.policy.lead_time == LeadTime::Auto).then(|| start_queries(&self.id, &self.policy.target))
    }

    /// Everything already read for others; `None` if anything is missing.
    pub(super) fn observe_remembered(&self, shared: &Shared, at: Time) -> Option<Observations> {
        let is_missing = AtomicBool::new(false);
        let observed = pin!(self.observe(shared, at, Ask::Memory(&is_missing)));
        // A look-up in memory is ready at once.
        match observed.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(observations) => (!is_missing.load(Ordering::Relaxed)).then_some(observations),
            Poll::Pending => None,
        }
    }

    /// When the grace of the start ends for a decision as of `at`. It ends by the clock: the instant of a poll may lie
    /// before the end when the clock is past it.
    fn warm_until(&self, shared: &Shared, at: Time) -> Time {
        if shared.clock.now() < self.warm_by { self.warm_by } else { self.warm_by.min(at) }
    }

    /// Everything known at `at`.
    pub(super) async fn observe(&self, shared: &Shared, at: Time, ask: Ask<'_>) -> Observations {
        let mut observations = Observations::none(0, self.warm_until(shared, at));
        for (signal, backend) in self.policy.signals.iter().zip(&self.backends) {
            observations.signals.push(self.observe_signal(shared, signal, backend, at, ask).await);
        }
        let (Some(signal), Some(backend)) = (self.policy.signals.first(), self.backends.first()) else {
            return observations;
        };
        let context = |query: &Option<String>| {
            let key = query.as_ref().map(|q| feed_key(backend, signal, q, CONTEXT_WINDOW));
            async move { ask.series(&self.id, shared, backend, &key?, signal.settle, at).await }
        };
        let q = &self.policy.queries;
        observations.replicas = context(&q.replicas).await;
        observations.errors = context(&q.errors).await;
        observations.rejected = context(&q.rejected).await;
        if let Some(query) = &q.in_flight {
            observations.in_flight =
                ask.instant(&self.id, shared, backend, query, signal.poll_step, at).await;
        }
        if let Some([lately, ready]) = self.start_queries() {
            let (lately, ready) = (context(&Some(lately)).await, context(&Some(ready)).await);
            let starts = lately.map(|lately| plan::starts(&lately, ready.as_deref()));
            observations.lead_samples = Arc::new(starts.unwrap_or_default());
        }
        if let Some(query) = self.template_query() {
            // A rollout takes minutes, so once a minute is enough.
            let at = at.floor_to(Span::MINUTE, Span::ZERO);
            let template = ask.instant(&self.id, shared, backend, &query, Step::MINUTE, at).await;
            observations.template = template.map(|sample| sample.value);
        }
        let skews = self.backends.iter().filter_map(|b| b.clock_skew(shared.clock.now()));
        observations.clock_skew = skews.max().unwrap_or(Span::ZERO);
        shared.metrics.skewed(observations.clock_skew.as_seconds() as f64);
        observations
    }

    async fn observe_signal(
        &self,
        shared: &Shared,
        signal: &Signal,
        backend: &Arc<dyn Backend>,
        at: Time,
        ask: Ask<'_>,
    ) -> SignalHistory {
        let series = |query: &str| {
            let key = feed_key(backend, signal, query, signal.window);
            async move { ask.series(&self.id, shared, backend, &key, signal.settle, at).await }
        };
        let counters = |questions, look_back| {
            let (keep, grid) = (self.policy.max_stale, signal.poll_step);
            ask.counters(shared, backend, Asked { questions, look_back, keep, grid }, at)
        };
        let (load, newest, source_began, counted) = tokio::join!(
            series(&signal.query),
            ask.instant(&self.id, shared, backend, &signal.query, signal.poll_step, at),
            ask.began(shared, backend, at),
            counters(&signal.counters, signal.look_back)
        );
        let mut history = SignalHistory {
            load,
            newest: newest.filter(Sample::is_load),
            interrupted: shared.hub.interrupted(backend.as_ref(), &signal.query),
            source_began,
            counters: counted,
            ..SignalHistory::default()
        };
        if let Some(drain) = signal.drain() {
            history.arrivals = series(&drain.arrivals).await;
            history.arrival_counters = counters(&drain.counters, drain.look_back).await;
            if let Some(query) = drain.completions() {
                history.completions = series(query).await;
            }
        }
        history
    }
}

// === impl Ask ===

impl Ask<'_> {
    async fn series(
        self,
        who: &WorkloadId,
        shared: &Shared,
        backend: &Arc<dyn Backend>,
        key: &FeedKey,
        settle: Span,
        at: Time,
    ) -> Option<Arc<Series>> {
        match self {
            Ask::By(by) => shared.hub.series(who, backend, key, settle, at, by).await,
            Ask::Memory(is_missing) => {
                let known = shared.hub.newest(key, settle);
                is_missing.fetch_or(known.is_none(), Ordering::Relaxed);
                known
            }
        }
    }

    async fn instant(
        self,
        who: &WorkloadId,
        shared: &Shared,
        backend: &Arc<dyn Backend>,
        query: &str,
        grid: Step,
        at: Time,
    ) -> Option<Sample> {
        match self {
            Ask::By(by) => shared.hub.instant(who, backend, query, grid, at, by).await,
            Ask::Memory(is_missing) => {
                let known = shared.hub.newest_instant(backend.as_ref(), query, grid);
                is_missing.fetch_or(known.is_none(), Ordering::Relaxed);
                known.flatten()
            }
        }
    }

    async fn counters(
        self,
        shared: &Shared,
        backend: &Arc<dyn Backend>,
        asked: Asked<'_>,
        at: Time,
    ) -> Option<Arc<Counters>> {
        match self {
            Ask::By(by) => shared.hub.counters(backend, asked, at, by).await,
            // Queried whenever the load is queried.
            Ask::Memory(_) => shared.hub.newest_counters(backend.as_ref(), asked),
        }
    }

    /// When the source started, if it reports that.
    async fn began(self, shared: &Shared, backend: &Arc<dyn Backend>, at: Time) -> Option<Time> {
        match self {
            Ask::By(by) => shared.hub.began(backend, at, by).await,
            // Queried whenever the load is queried.
            Ask::Memory(_) => shared.hub.newest_began(backend.as_ref()),
        }
    }
}

/// Everything that the forecast of a signal depends on; `first` is the data source of the queries about the workload.
pub(super) fn forecast_key(
    policy: &Policy,
    signal: usize,
    backend: &Arc<dyn Backend>,
    first: &Arc<dyn Backend>,
) -> Option<ForecastKey> {
    let (of, leader) = (policy.signals.get(signal)?, policy.signals.first()?);
    let arrivals = of.drain().map(|drain| drain.arrivals.clone());
    let context = |query: &Option<String>| {
        Some((feed_key(first, leader, query.as_ref()?, CONTEXT_WINDOW), leader.settle))
    };
    Some(ForecastKey {
        series: (feed_key(backend, of, &of.query, of.window), arrivals),
        settle: of.settle,
        fresh: (of.poll_step, policy.max_stale),
        // Load turned away belongs to the first signal.
        rejected: context(&policy.queries.rejected).filter(|_| signal == 0),
        errors: context(&policy.queries.errors),
        masked: policy.masked.clone(),
        calendar: policy.calendar.clone(),
    })
}

pub(super) fn feed_key(backend: &Arc<dyn Backend>, signal: &Signal, query: &str, window: Span) -> FeedKey {
    FeedKey { datasource: backend.identity(), query: query.to_owned(), step: signal.step, window }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Keys;
    use crate::source::Recorded;

    #[test]
    fn forecasts_are_shared_only_where_all_they_learn_from_is_the_same() {
        let empty = || Series::new(Time::from_epoch(0), Step::MINUTE);
        let named = |name: &str| Recorded::new(name, empty()) as Arc<dyn Backend>;
        let (one, other) = (named("one"), named("other"));
        let policy = |context: &[(&str, &str)]| {
            let keys = [("query", "load"), ("threshold", "10")].iter().chain(context);
            let values = keys.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let signal = [("query", "depth"), ("threshold", "10")].map(|(k, v)| (k.to_owned(), v.to_owned()));
            let keys = Keys { values, signals: vec![signal.into()], ..Keys::default() };
            Policy::from_keys(&keys).expect("valid")
        };
        let key = |context: &[(&str, &str)], signal, first| {
            forecast_key(&policy(context), signal, &one, first).expect("a signal")
        };
        assert_eq!(key(&[], 1, &one), key(&[], 1, &other), "nothing is asked of the first one's source");
        // Load turned away belongs to the first signal; errors affect what every signal learns from.
        for (context, signal) in [([("rejectedQuery", "r")], 0), ([("errorQuery", "e")], 1)] {
            assert_eq!(key(&context, signal, &one), key(&context, signal, &one));
            assert_ne!(key(&context, signal, &one), key(&context, signal, &other), "{context:?}");
        }
        assert_eq!(key(&[("rejectedQuery", "r")], 1, &one), key(&[], 1, &one));
    }
}
