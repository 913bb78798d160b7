//! One workload's loop: observe, fit where a new grid point has come, follow, decide, publish.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::forecasts::{Common, ForecastKey, Forecasts};
use super::registry::Shared;
use super::starts::start_queries;
use crate::decide::{Blind, CONTEXT_WINDOW, Decision, Session, SignalPlan, State, forecast, insure};
use crate::history::{Observations, Sample, Series, SignalHistory};
use crate::plan;
use crate::policy::{Insurance, LeadTime, Policy, ServiceRate, Signal, SignalKind, WorkloadId};
use crate::source::Backend;
use crate::source::feed::{FeedKey, grid_phase};
use crate::units::{Replicas, Span, Step, Time};

/// A workload that is served.
pub(super) struct Workload {
    id: WorkloadId,
    policy: Arc<Policy>,
    backends: Vec<Arc<dyn Backend>>,
    /// One for each signal.
    forecasts: Vec<Arc<Common>>,
    warm_by: Time,
    phase: Span,
    asked: AtomicI64,
    state: watch::Sender<State>,
    ticked: watch::Sender<Option<Time>>,
}

/// What one loop carries from tick to tick.
struct Carried {
    session: Session,
    short_since: Option<Time>,
}

/// A workload that was asked for within so long is waited for: KEDA polls each 30 s.
const URGENT: Span = Span::seconds(90);

/// How long a tick waits for all its answers together before it decides on what is there: well within KEDA's poll of
/// 30 s, and more than a healthy Prometheus takes for weeks of history.
const PATIENCE: Duration = Duration::from_secs(10);

// === impl Workload ===

impl Workload {
    pub(super) fn new(
        id: WorkloadId,
        policy: Policy,
        backends: Vec<Arc<dyn Backend>>,
        forecasts: &Forecasts,
        state: State,
        warm_by: Time,
    ) -> Arc<Self> {
        let first = policy.signals.first().zip(backends.first());
        let identity = first.map_or_else(String::new, |(s, b)| feed_key(b, s, &s.query, s.window).identity());
        let phase = grid_phase(&identity);
        let keys = policy.signals.iter().zip(&backends).map(|(s, b)| forecast_key(b, s, &policy, phase));
        let forecasts = keys.map(|key| forecasts.common(key)).collect();
        Arc::new(Workload {
            id,
            policy: Arc::new(policy),
            backends,
            forecasts,
            warm_by,
            phase,
            asked: AtomicI64::new(i64::MIN),
            state: watch::Sender::new(state),
            ticked: watch::Sender::new(None),
        })
    }

    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Somebody asked for it.
    pub(super) fn ask(&self, now: Time) {
        self.asked.store(now.epoch(), Ordering::Relaxed);
    }

    /// The last instant decided for.
    pub(super) fn ticked(&self) -> watch::Receiver<Option<Time>> {
        self.ticked.subscribe()
    }

    /// Every query it asks.
    pub(super) fn queries(&self) -> HashSet<String> {
        let q = &self.policy.queries;
        let context = [&q.replicas, &q.errors, &q.rejected, &q.in_flight].into_iter().flatten().cloned();
        let signals = self.policy.signals.iter().flat_map(|signal| {
            let drain = match &signal.kind {
                SignalKind::Queue(Some(drain)) => {
                    let measured = match &drain.service {
                        ServiceRate::Measured(query) => Some(query.clone()),
                        ServiceRate::Given(_) => None,
                    };
                    vec![Some(drain.arrivals.clone()), measured]
                }
                _ => Vec::new(),
            };
            std::iter::once(signal.query.clone()).chain(drain.into_iter().flatten())
        });
        context.chain(signals).chain(self.start_queries().into_iter().flatten()).collect()
    }

    /// What `leadTime: auto` asks.
    fn start_queries(&self) -> Option<[String; 2]> {
        (self.policy.lead_time == LeadTime::Auto).then(|| start_queries(&self.id.namespace, &self.id.name))?
    }

    /// Decides at every instant of the poll grid until `stop` fires.
    pub(super) async fn run(self: Arc<Self>, shared: Arc<Shared>, stop: CancellationToken) {
        let grid =
            self.policy.signals.iter().map(|s| s.poll_step).min().unwrap_or(Step::QUARTER_MINUTE).span();
        let now = shared.clock.now();
        let mut carried = self.blank(now, None);
        loop {
            let at = shared.clock.now().floor_to(grid, Span::ZERO);
            let previous = carried.session.previous();
            // A task of its own, so that a panic ends one turn of one workload and nothing else.
            let mut turn = tokio::spawn(Arc::clone(&self).turn(Arc::clone(&shared), carried, at));
            carried = tokio::select! {
                done = &mut turn => done.unwrap_or_else(|error| {
                    tracing::error!(workload = %self.id, %error, "an internal error; it is tried again");
                    let blind = Blind::NoData { why: "internal error".to_owned() };
                    drop(self.state.send_replace(Err(blind)));
                    self.blank(at, previous)
                }),
                () = stop.cancelled() => {
                    turn.abort();
                    return;
                }
            };
            self.ticked.send_replace(Some(at));
            // Who still has no answer does not wait for the next point to hear what has come in meanwhile.
            let is_warming = matches!(*self.state.borrow(), Err(Blind::Warming { .. }));
            let soon = if is_warming { shared.clock.now() + Span::seconds(1) } else { at + grid };
            tokio::select! {
                () = shared.clock.wait_until(soon.min(at + grid)) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn blank(&self, now: Time, previous: Option<Replicas>) -> Carried {
        Carried { session: Session::new(&self.policy, self.phase, now).after(previous), short_since: None }
    }

    async fn turn(self: Arc<Self>, shared: Arc<Shared>, mut carried: Carried, at: Time) -> Carried {
        let observations = self.observe(&shared, at).await;
        if let Some(point) = carried.session.due(&observations, &self.policy, at) {
            self.prepare(&shared, &mut carried, &observations, point).await;
        }
        let before = carried.session.previous();
        let answer = carried.session.answer_via(
            &observations,
            &self.policy,
            at,
            &mut |i, mine, end, follow| match self.forecasts.get(i) {
                Some(common) => common.follow(mine, end, follow),
                None => follow(mine),
            },
        );
        self.publish(&shared, &mut carried, &observations, before, answer, at);
        carried
    }

    /// Fits at a new grid point, away from the threads that answer.
    async fn prepare(
        &self,
        shared: &Shared,
        carried: &mut Carried,
        observations: &Observations,
        point: Time,
    ) {
        let mut forecasts = Vec::with_capacity(self.forecasts.len());
        for (i, common) in self.forecasts.iter().enumerate() {
            let learnt = observations.signals.get(i).and_then(|h| h.arrivals.as_ref().or(h.load.as_ref()));
            let reached = learnt.and_then(|series| series.end()).unwrap_or(Time::MIN);
            let fit = self.fitted(shared, observations, move |seen, policy| forecast(seen, policy, i, point));
            forecasts.push(common.at(point, reached, async { fit.await.flatten() }).await);
        }
        let insured = match self.policy.insurance {
            // Replays a week: as much work as a fit.
            Insurance::Target(_) => {
                let insure = move |seen: &_, policy: &_| insure(forecasts, seen, policy, point);
                self.fitted(shared, observations, insure).await
            }
            Insurance::Quantile(_) => Some(insure(forecasts, observations, &self.policy, point)),
        };
        if let Some(prepared) = insured {
            carried.session.adopt(prepared, observations, &self.policy);
        }
    }

    /// Runs heavy work away from the threads that answer, so much at a time as there are cores, workloads that are
    /// being asked about first.
    async fn fitted<T: Send + 'static>(
        &self,
        shared: &Shared,
        observations: &Observations,
        work: impl FnOnce(&Observations, &Policy) -> T + Send + 'static,
    ) -> Option<T> {
        let asked = Time::from_epoch(self.asked.load(Ordering::Relaxed));
        let place = shared.fits.enter(shared.clock.now().since(asked) < URGENT).await;
        let (policy, seen) = (Arc::clone(&self.policy), observations.clone());
        let begun = Instant::now();
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&seen, &policy);
            drop(place);
            done
        });
        // A panic in a fit is one workload's error: the fit before goes on to be followed.
        let done =
            done.await.inspect_err(|error| tracing::error!(workload = %self.id, %error, "a fit failed"));
        shared.metrics.prepared(begun.elapsed().as_secs_f64());
        done.ok()
    }

    async fn observe(&self, shared: &Shared, at: Time) -> Observations {
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
            async move { shared.hub.series(backend, &key?, signal.settle, at, by).await }
        };
        let q = &self.policy.queries;
        observations.replicas = context(&q.replicas).await;
        observations.errors = context(&q.errors).await;
        observations.rejected = context(&q.rejected).await;
        if let Some(query) = &q.in_flight {
            observations.in_flight = shared.hub.instant(backend, query, signal.poll_step, at, by).await;
        }
        if let Some([lately, ready]) = self.start_queries() {
            let (lately, ready) = (context(&Some(lately)).await, context(&Some(ready)).await);
            let starts = lately.map(|lately| plan::starts(&lately, ready.as_deref()));
            observations.lead_samples = Arc::new(starts.unwrap_or_default());
        }
        let skews = self.backends.iter().map(|b| b.clock_skew(shared.clock.now()));
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
            async move { shared.hub.series(backend, &key, signal.settle, at, by).await }
        };
        let (load, newest) = tokio::join!(
            series(&signal.query),
            shared.hub.instant(backend, &signal.query, signal.poll_step, at, by)
        );
        let mut history =
            SignalHistory { load, newest: newest.filter(Sample::is_load), ..SignalHistory::default() };
        if let SignalKind::Queue(Some(drain)) = &signal.kind {
            history.arrivals = series(&drain.arrivals).await;
            if let ServiceRate::Measured(query) = &drain.service {
                history.completions = series(query).await;
            }
        }
        history
    }

    fn publish(
        &self,
        shared: &Shared,
        carried: &mut Carried,
        observations: &Observations,
        before: Option<Replicas>,
        answer: Result<Decision, Blind>,
        at: Time,
    ) {
        match answer {
            Ok(decision) => {
                shared.metrics.decided(&self.id, &decision, before.map(Replicas::get));
                self.judge(shared, carried, observations, &decision, at);
                if before != Some(decision.replicas) {
                    let (replicas, reason) = (decision.replicas.get(), decision.reason.as_str());
                    tracing::info!(workload = %self.id, replicas, reason, "decided");
                }
                drop(self.state.send_replace(Ok(Arc::new(decision))));
            }
            Err(blind) => {
                // What was decided once is not taken back by warming up again.
                let keeps = |state: &State| state.is_ok() && matches!(blind, Blind::Warming { .. });
                self.state.send_if_modified(|state| {
                    if keeps(state) || *state == Err(blind.clone()) {
                        return false;
                    }
                    match &blind {
                        // Every workload begins so.
                        Blind::Warming { .. } => tracing::debug!(workload = %self.id, %blind, "no decision"),
                        Blind::NoData { .. } => tracing::warn!(workload = %self.id, %blind, "no decision"),
                    }
                    *state = Err(blind.clone());
                    true
                });
            }
        }
    }

    /// Forecast quality, scaling lag and the ledger against the reactive shadow.
    fn judge(
        &self,
        shared: &Shared,
        carried: &mut Carried,
        observations: &Observations,
        decision: &Decision,
        at: Time,
    ) {
        let plans = carried.session.prepared().signals.iter().zip(&observations.signals);
        for (plan, history) in plans.take(1) {
            if let SignalPlan::Ready { tracker, .. } = plan {
                let points = history.load.as_deref().map_or(0, Series::observed);
                shared.metrics.judged(&self.id, &tracker.trust(), &tracker.accuracy(), points);
            }
        }
        let Some((_, running)) = observations.replicas.as_deref().and_then(Series::last) else { return };
        let wanted = f64::from(decision.replicas.get());
        if running < wanted {
            carried.short_since.get_or_insert(at);
        } else if let Some(since) = carried.short_since.take() {
            shared.metrics.lagged(&self.id, at.since(since).as_seconds() as f64);
        }
        let reactive =
            decision.needs.iter().filter(|n| n.contributor.is_reactive()).map(|n| n.replicas.get()).max();
        let seconds = self.policy.signals.first().map_or(15, |s| s.poll_step.as_seconds());
        shared.metrics.saved(&self.id, (f64::from(reactive.unwrap_or(0)) - running) * seconds as f64);
    }
}

fn forecast_key(backend: &Arc<dyn Backend>, signal: &Signal, policy: &Policy, phase: Span) -> ForecastKey {
    let arrivals = match &signal.kind {
        SignalKind::Queue(Some(drain)) => Some(drain.arrivals.clone()),
        SignalKind::Rate | SignalKind::Queue(None) => None,
    };
    ForecastKey {
        series: (feed_key(backend, signal, &signal.query, signal.window), arrivals),
        settle: signal.settle,
        phase,
        fresh: (signal.poll_step, policy.max_stale),
        rejected: policy.queries.rejected.clone(),
        errors: policy.queries.errors.clone(),
        masked: policy.masked.clone(),
        calendar: policy.calendar.clone(),
    }
}

fn feed_key(backend: &Arc<dyn Backend>, signal: &Signal, query: &str, window: Span) -> FeedKey {
    FeedKey { datasource: backend.identity(), query: query.to_owned(), step: signal.step, window }
}
