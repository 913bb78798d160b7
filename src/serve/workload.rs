//! One workload's loop: observe, fit where a new grid point has come, follow, decide, publish.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::forecasts::{Common, ForecastKey, Forecasts};
use super::registry::Shared;
use super::starts::start_queries;
use crate::decide::{
    Blind, CONTEXT_WINDOW, Contributor, Decision, Need, Prepared, Session, SignalPlan, State, forecast,
};
use crate::history::{Observations, Sample, Series, SignalHistory};
use crate::http::{Change, Story};
use crate::plan;
use crate::policy::{
    Insurance, LeadTime, Mode, Policy, ServiceRate, Signal, SignalKind, WorkloadId, may_be_secret,
};
use crate::simulate::{Ledger, TwinConfig};
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
    /// The metadata, where it may be shown.
    keys: BTreeMap<String, String>,
    told: Mutex<Told>,
}

/// What the page tells beside the state.
#[derive(Default)]
struct Told {
    /// The fit in use; let go while it is followed, so that nothing is copied.
    prepared: Option<Prepared>,
    changes: VecDeque<Change>,
}

/// What one loop carries from tick to tick.
struct Carried {
    session: Session,
    short_since: Option<Time>,
    ledger: Option<Ledger>,
}

/// Changes kept for the page: a day of a restless workload.
const MOST_CHANGES: usize = 64;
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
        keys: BTreeMap<String, String>,
    ) -> Arc<Self> {
        let first = policy.signals.first().zip(backends.first());
        let identity = first.map_or_else(String::new, |(s, b)| feed_key(b, s, &s.query, s.window).identity());
        let phase = grid_phase(&identity);
        let common = |(s, b): (&Signal, _)| forecasts.common(forecast_key(b, s, &policy, phase));
        let forecasts = policy.signals.iter().zip(&backends).map(common).collect();
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
            keys,
            told: Mutex::default(),
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

    /// Everything known of it.
    pub(super) fn story(&self, shared: &Shared) -> Story {
        let first = self.policy.signals.first().zip(self.backends.first());
        let load = first.and_then(|(s, b)| shared.hub.newest(&feed_key(b, s, &s.query, s.window), s.settle));
        let told = self.told();
        Story {
            policy: Arc::clone(&self.policy),
            keys: self.keys.clone(),
            prepared: told.prepared.clone(),
            load,
            changes: told.changes.iter().copied().collect(),
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
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
        let session = Session::new(&self.policy, self.phase, now).after(previous);
        Carried { session, short_since: None, ledger: None }
    }

    async fn turn(self: Arc<Self>, shared: Arc<Shared>, mut carried: Carried, at: Time) -> Carried {
        let observations = self.observe(&shared, at).await;
        if let Some(point) = carried.session.due(&observations, &self.policy, at) {
            self.prepare(&shared, &mut carried, &observations, point).await;
        }
        let before = carried.session.previous();
        let shared_follow =
            &mut |i: usize, mine: &mut _, end, follow: &dyn Fn(&mut _)| match self.forecasts.get(i) {
                Some(common) => common.follow(mine, end, follow),
                None => follow(mine),
            };
        let answer = {
            let mut told = self.told();
            told.prepared = None;
            carried.session.follow_via(&observations, &self.policy, shared_follow);
            let answer = carried.session.answer(&observations, &self.policy, at);
            told.prepared = Some(carried.session.prepared().clone());
            if let Ok(decision) = &answer {
                told.note(decision);
            }
            answer
        };
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
        let before = carried.session.prepared().clone();
        let insure = move |seen: &_, policy: &_| before.with_forecasts(forecasts, seen, policy, point);
        let insured = match self.policy.insurance {
            // Replays a day, at the start a week: as much work as a fit.
            Insurance::Target(_) => self.fitted(shared, observations, insure).await,
            Insurance::Quantile(_) => Some(insure(observations, &self.policy)),
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

    /// Forecast quality, the ledger and scaling lag.
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
        let running = observations.replicas.as_deref().and_then(Series::last).map(|(_, running)| running);
        self.enter(shared, &mut carried.ledger, running, decision, at);
        let Some(running) = running else { return };
        if running < f64::from(decision.replicas.get()) {
            carried.short_since.get_or_insert(at);
        } else if let Some(since) = carried.short_since.take() {
            shared.metrics.lagged(&self.id, at.since(since).as_seconds() as f64);
        }
    }

    /// Enters a decision into the ledger: what the answer with the forecast, and what the reactive one, would have
    /// come to. After a long silence it is begun anew.
    fn enter(
        &self,
        shared: &Shared,
        ledger: &mut Option<Ledger>,
        running: Option<f64>,
        decision: &Decision,
        at: Time,
    ) {
        const SILENCE: Span = Span::HOUR;
        if self.policy.signals.is_empty() {
            return;
        }
        let counts = |need: &&Need| need.contributor.is_reactive();
        let reactive = match self.policy.mode {
            Mode::Predictive => decision.needs.iter().filter(counts).map(|n| n.replicas).max(),
            Mode::Shadow | Mode::Reactive => None,
        };
        // No more than is answered: the ceilings are the same for both.
        let reactive = reactive.map_or(decision.replicas, |need| need.min(decision.replicas));
        if ledger.as_ref().is_none_or(|ledger| ledger.at() + SILENCE < at) {
            let running = running.map_or(decision.replicas.get(), |r| Replicas::covering(r).get());
            *ledger = Ledger::new(&TwinConfig::of(&self.policy), running, at).ok();
        }
        if let Some(ledger) = ledger {
            let demand = decision.need(Contributor::Reactive).map_or(0, Replicas::get);
            let balance = ledger.decided(at, decision.predictive.get(), reactive.get(), demand);
            shared.metrics.entered(&self.id, &balance);
        }
    }
}

// === impl Told ===

impl Told {
    /// Remembers an answer that differs from the one before.
    fn note(&mut self, decision: &Decision) {
        if self.changes.back().is_some_and(|last| last.replicas == decision.replicas) {
            return;
        }
        if self.changes.len() == MOST_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(Change {
            at: decision.at,
            replicas: decision.replicas,
            reason: decision.reason.as_str(),
            rung: decision.rung.as_str(),
        });
    }
}

/// Keys of metadata as they may be shown.
pub(super) fn shown_keys(metadata: &HashMap<String, String>) -> BTreeMap<String, String> {
    let shown = |(key, value): (&String, &String)| {
        (key.clone(), if may_be_secret(key) { "***".to_owned() } else { value.clone() })
    };
    metadata.iter().map(shown).collect()
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
