//! What a workload sees at an instant, and by which keys it shares the questions with others.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Workload;
use crate::decide::CONTEXT_WINDOW;
use crate::history::{Observations, Sample, SignalHistory};
use crate::plan;
use crate::policy::{LeadTime, Policy, Signal};
use crate::serve::forecasts::ForecastKey;
use crate::serve::registry::Shared;
use crate::serve::starts::start_queries;
use crate::source::Backend;
use crate::source::feed::FeedKey;
use crate::units::{Span, Time};

/// How long a tick waits for all its answers together before it decides on what is there: well within KEDA's poll of
/// 30 s, and more than a healthy Prometheus takes for weeks of history.
const PATIENCE: Duration = Duration::from_secs(10);

impl Workload {
    /// Every query it asks.
    pub(in crate::serve) fn queries(&self) -> HashSet<String> {
        let q = &self.policy.queries;
        let context = [&q.replicas, &q.errors, &q.rejected, &q.in_flight].into_iter().flatten().cloned();
        let signals = self.policy.signals.iter().flat_map(Signal::queries).map(str::to_owned);
        context.chain(signals).chain(self.start_queries().into_iter().flatten()).collect()
    }

    /// What `leadTime: auto` asks.
    fn start_queries(&self) -> Option<[String; 2]> {
        (self.policy.lead_time == LeadTime::Auto).then(|| start_queries(&self.id))
    }

    /// Everything that is known at `at`.
    pub(super) async fn observe(&self, shared: &Shared, at: Time) -> Observations {
        let by = Instant::now() + PATIENCE;
        let mut observations = Observations::none(0, self.warm_by);
        for (signal, backend) in self.policy.signals.iter().zip(&self.backends) {
            observations.signals.push(self.observe_signal(shared, signal, backend, at, by).await);
        }
        let (Some(signal), Some(backend)) = (self.policy.signals.first(), self.backends.first()) else {
            return observations;
        };
        let context = |query: &Option<String>| {
            let key = query.as_ref().map(|q| feed_key(backend, signal, q, CONTEXT_WINDOW));
            async move { shared.hub.series(&self.id, backend, &key?, signal.settle, at, by).await }
        };
        let q = &self.policy.queries;
        observations.replicas = context(&q.replicas).await;
        observations.errors = context(&q.errors).await;
        observations.rejected = context(&q.rejected).await;
        if let Some(query) = &q.in_flight {
            observations.in_flight =
                shared.hub.instant(&self.id, backend, query, signal.poll_step, at, by).await;
        }
        if let Some([lately, ready]) = self.start_queries() {
            let (lately, ready) = (context(&Some(lately)).await, context(&Some(ready)).await);
            let starts = lately.map(|lately| plan::starts(&lately, ready.as_deref()));
            observations.lead_samples = Arc::new(starts.unwrap_or_default());
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
        by: Instant,
    ) -> SignalHistory {
        let series = |query: &str| {
            let key = feed_key(backend, signal, query, signal.window);
            async move { shared.hub.series(&self.id, backend, &key, signal.settle, at, by).await }
        };
        let (load, newest, source_began) = tokio::join!(
            series(&signal.query),
            shared.hub.instant(&self.id, backend, &signal.query, signal.poll_step, at, by),
            shared.hub.began(backend, at, by)
        );
        let mut history = SignalHistory {
            load,
            newest: newest.filter(Sample::is_load),
            interrupted: shared.hub.interrupted(backend.as_ref(), &signal.query),
            source_began,
            ..SignalHistory::default()
        };
        if let Some(drain) = signal.drain() {
            history.arrivals = series(&drain.arrivals).await;
            if let Some(query) = drain.completions() {
                history.completions = series(query).await;
            }
        }
        history
    }
}

pub(super) fn forecast_key(
    backend: &Arc<dyn Backend>,
    number: usize,
    policy: &Policy,
    phase: Span,
) -> Option<ForecastKey> {
    let signal = policy.signals.get(number)?;
    let arrivals = signal.drain().map(|drain| drain.arrivals.clone());
    Some(ForecastKey {
        series: (feed_key(backend, signal, &signal.query, signal.window), arrivals),
        settle: signal.settle,
        phase,
        fresh: (signal.poll_step, policy.max_stale),
        // Load turned away belongs to the first signal.
        rejected: policy.queries.rejected.clone().filter(|_| number == 0),
        errors: policy.queries.errors.clone(),
        masked: policy.masked.clone(),
        calendar: policy.calendar.clone(),
    })
}

pub(super) fn feed_key(backend: &Arc<dyn Backend>, signal: &Signal, query: &str, window: Span) -> FeedKey {
    FeedKey { datasource: backend.identity(), query: query.to_owned(), step: signal.step, window }
}
