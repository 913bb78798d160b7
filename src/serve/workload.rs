//! One workload's loop: observe, update the forecasts, decide, publish. It never waits for a fit.
//!
//! Forecasts belong to [`SharedForecast`], which all workloads that learn from the same data share. A workload adds
//! its own terms, of which the price of a target is computed in the background too. A turn takes what is published,
//! decides and releases it. When something is published later, the loop decides again at once, for the same instant.

mod failing;
mod learning;
mod observe;
mod pricing;
mod publish;
mod retelling;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use learning::Looks;
use observe::{Ask, feed_key, forecast_key};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fitter::Errand;
use super::forecasts::{FitInput, Forecasts, Late, Published, SharedForecast};
use super::shared::Shared;
use crate::decide::{Blind, Decision, FitId, Forecast, Phase, Prepared, State, Terms, decide, grid_point};
use crate::history::{Observations, Series};
use crate::http::{Change, FailingQuery, Story, Worth};
use crate::policy::{Policy, Signal, WorkloadId};
use crate::simulate::Ledger;
use crate::source::Backend;
use crate::units::{Replicas, Span, Step, Time};

/// A workload that is served.
pub(super) struct Workload {
    id: WorkloadId,
    policy: Arc<Policy>,
    backends: Vec<Arc<dyn Backend>>,
    /// One for each signal.
    forecasts: Vec<Arc<SharedForecast>>,
    /// How the forecasts are insured.
    terms: watch::Sender<Terms>,
    pricing: Errand<(FitInput, FitId)>,
    looks: Looks,
    warm_by: Time,
    state: watch::Sender<State>,
    ticked: watch::Sender<Option<Ticked>>,
    /// The metadata, if it may be shown.
    keys: BTreeMap<String, String>,
    /// Answers that differed from the previous one, for the page.
    changes: Mutex<VecDeque<Change>>,
    /// What its forecast has been worth.
    worth: watch::Sender<Option<Worth>>,
    /// Its queries that fail.
    failing: watch::Sender<Arc<[FailingQuery]>>,
    /// Held while a turn changes what is told, and while it is read: a reader sees a turn whole or not at all.
    telling: Mutex<()>,
}

/// What is told about a workload, all from one turn.
pub(super) struct Told {
    pub state: State,
    pub worth: Option<Worth>,
    pub failing: Arc<[FailingQuery]>,
    pub story: Story,
}

/// The progress of a loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticked {
    /// The last instant a decision was made for.
    pub at: Time,
    /// Whether all fits that were due by then were used.
    pub is_complete: bool,
}

/// What one loop carries from turn to turn.
struct Carried {
    previous: Option<Replicas>,
    short_since: Option<Time>,
    ledger: Option<Ledger>,
    /// What is being computed and has not been used in a decision yet.
    awaited: Vec<Published>,
}

/// What a turn decides on.
struct Basis {
    prepared: Prepared,
    awaited: Vec<Published>,
}

/// Changes kept for the page: one day of a volatile workload.
const MOST_CHANGES: usize = 64;
/// How long the first turn waits for all its queries together before it decides with what it has: well within KEDA's
/// polling interval of 30 s, and more than a healthy Prometheus needs for weeks of history.
const PATIENCE: Duration = Duration::from_secs(10);
/// A turn that renews a decision waits for this part of the poll interval: what comes later is there for the next turn,
/// and a decision stays younger than a poll and a third.
const RENEWAL: u32 = 3;
/// A decision is renewed at each poll; one that missed this many renewals is no longer used in an answer.
const MOST_MISSED: i64 = 4;
/// The minimum age at which a decision is too old: two of KEDA's polling intervals.
const LEAST_AGE: Span = Span::MINUTE;

// === impl Workload ===

impl Workload {
    pub(super) fn new(
        id: WorkloadId,
        policy: Arc<Policy>,
        backends: Vec<Arc<dyn Backend>>,
        forecasts: &Forecasts,
        state: State,
        warm_by: Time,
        keys: BTreeMap<String, String>,
    ) -> Arc<Self> {
        let common = |(i, (signal, backend)): (usize, (&Signal, _))| {
            let key = forecast_key(&policy, i, backend, backends.first()?)?;
            Some(forecasts.common(key, Phase::OfSeries.of(signal)))
        };
        let signals = policy.signals.iter().zip(&backends).enumerate();
        let forecasts = signals.filter_map(common).collect();
        Arc::new(Workload {
            id,
            policy,
            backends,
            forecasts,
            terms: watch::Sender::new(Terms::default()),
            pricing: Errand::default(),
            looks: Looks::default(),
            warm_by,
            state: watch::Sender::new(state),
            ticked: watch::Sender::new(None),
            keys,
            changes: Mutex::default(),
            worth: watch::Sender::new(None),
            failing: watch::Sender::default(),
            telling: Mutex::default(),
        })
    }

    pub(super) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    /// Uses a state from elsewhere until the loop has its own.
    pub(super) fn stand_by(&self, state: State) {
        drop(self.state.send_replace(state));
    }

    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The progress of its loop.
    pub(super) fn ticked(&self) -> watch::Receiver<Option<Ticked>> {
        self.ticked.subscribe()
    }

    /// The spacing of the instants it decides for.
    pub(super) fn grid(&self) -> Span {
        self.policy.signals.iter().map(|s| s.poll_step).min().unwrap_or(Step::QUARTER_MINUTE).span()
    }

    /// The maximum age of a decision in an answer.
    pub(super) fn most_age(&self) -> Span {
        Span::seconds(MOST_MISSED * self.grid().as_seconds()).max(LEAST_AGE)
    }

    /// The load of the first signal, as far as it has been read.
    pub(super) fn load(&self, shared: &Shared) -> Option<Arc<Series>> {
        let (s, b) = self.policy.signals.first().zip(self.backends.first())?;
        shared.hub.newest(&feed_key(b, s, &s.query, s.window), s.settle)
    }

    /// What its forecast has been worth since this server started.
    pub(super) fn worth(&self) -> Option<Worth> {
        *self.worth.borrow()
    }

    /// Its queries that fail.
    pub(super) fn failing(&self) -> Arc<[FailingQuery]> {
        Arc::clone(&self.failing.borrow())
    }

    /// Everything known about it. It waits for a turn that is being decided, so KEDA's calls do not use it.
    pub(super) fn told(&self, shared: &Shared) -> Told {
        let _whole = self.whole();
        let (state, worth, failing) = (self.state.borrow().clone(), self.worth(), self.failing());
        Told { state, worth, failing, story: self.story(shared) }
    }

    fn story(&self, shared: &Shared) -> Story {
        let has_turned = self.ticked.borrow().is_some();
        let forecasts = self.forecasts.iter().map(|common| common.newest().forecast).collect();
        let changes = self.changes().iter().copied().collect();
        Story {
            policy: Arc::clone(&self.policy),
            keys: self.keys.clone(),
            prepared: has_turned.then(|| self.terms.borrow().known(forecasts, &self.policy)),
            load: self.load(shared),
            running: self.traced(shared, self.policy.queries.replicas.as_ref()),
            changes,
        }
    }

    /// A decision without any query, if everything it needs is in memory because other workloads use the same
    /// queries.
    pub(super) fn remembered(&self, shared: &Shared) -> Option<Decision> {
        let at = shared.clock.now().floor_to(self.grid(), Span::ZERO);
        let observations = self.observe_remembered(shared, at)?;
        let forecasts = self.forecasts.iter().map(|common| common.newest().forecast).collect();
        let prepared = self.terms.borrow().known(forecasts, &self.policy);
        let is_unpriced = |i| self.terms.borrow().never_had(&self.policy, i);
        if (0..self.policy.signals.len()).any(is_unpriced) || self.terms.borrow().never_learned(&self.policy)
        {
            return None;
        }
        let decision = decide(&prepared, &observations, &self.policy, at).ok()?;
        // Old data is queried again before it is used for an answer.
        decision.rung.is_current().then_some(decision)
    }

    /// Decides at every instant of the poll grid until `stop` fires.
    pub(super) async fn run(self: Arc<Self>, shared: Arc<Shared>, stop: CancellationToken) {
        let grid = self.grid();
        let mut carried = Carried::blank(None);
        loop {
            let at = shared.clock.now().floor_to(grid, Span::ZERO);
            let previous = carried.previous;
            // A separate task, so that a panic ends only one turn of one workload.
            let mut turn = tokio::spawn(Arc::clone(&self).turn(Arc::clone(&shared), carried, at));
            carried = tokio::select! {
                done = &mut turn => done.unwrap_or_else(|error| {
                    tracing::error!(workload = %self.id, %error, "an internal error; it is tried again");
                    let blind = Blind::NoData { why: "internal error".to_owned() };
                    drop(self.state.send_replace(Err(blind)));
                    Carried::blank(previous)
                }),
                () = stop.cancelled() => {
                    turn.abort();
                    return;
                }
            };
            shared.pulse.beat();
            let awaited = std::mem::take(&mut carried.awaited);
            let is_complete = awaited.is_empty();
            // Before anyone learns of the turn, and may move a stepped clock.
            let next = self.next(&shared, at, is_complete);
            self.ticked.send_replace(Some(Ticked { at, is_complete }));
            tokio::select! {
                () = shared.clock.wait_until(next) => {}
                () = any(awaited) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// When to decide again, unless something is published before.
    fn next(&self, shared: &Shared, at: Time, is_complete: bool) -> Time {
        let (now, next) = (shared.clock.now(), at + self.grid());
        if !matches!(*self.state.borrow(), Err(Blind::Warming { .. })) {
            return next;
        }
        // A workload without an answer does not wait for the next grid point if new data has arrived, nor longer for
        // a fit than it has to.
        let soon =
            if is_complete { now + Span::seconds(1) } else { self.warm_by.max(now + Span::seconds(1)) };
        soon.min(next)
    }

    async fn turn(self: Arc<Self>, shared: Arc<Shared>, mut carried: Carried, at: Time) -> Carried {
        let ask = Ask::By(Instant::now() + self.patience());
        let observations =
            Observations { previous: carried.previous, ..self.observe(&shared, at, ask).await };
        let _whole = self.whole();
        self.note_failing(&shared);
        self.learn(&shared, &observations, at);
        let Basis { prepared, awaited } = self.basis(&shared, &observations, at);
        let answer = decide(&prepared, &observations, &self.policy, at);
        if let Ok(decision) = &answer {
            self.note(decision);
        }
        carried.awaited = awaited;
        self.publish(&shared, &mut carried, &prepared, &observations, answer, at);
        carried
    }

    /// How long a turn waits for its queries.
    fn patience(&self) -> Duration {
        let poll = Duration::from_secs(self.grid().as_seconds().unsigned_abs());
        if self.state.borrow().is_ok() { PATIENCE.min(poll / RENEWAL) } else { PATIENCE }
    }

    /// The forecasts with the observations folded in, under the current terms. Starts the fits and prices that are
    /// due.
    fn basis(self: &Arc<Self>, shared: &Shared, observations: &Observations, at: Time) -> Basis {
        let mut late: Vec<Late> = Vec::new();
        let mut forecasts: Vec<Option<Forecast>> = Vec::with_capacity(self.forecasts.len());
        let mut point = None;
        for (signal, common) in self.forecasts.iter().enumerate() {
            if !self.policy.learns(signal) {
                forecasts.push(None);
                continue;
            }
            let policy = Arc::clone(&self.policy);
            let seen = FitInput { observations: observations.clone(), policy, signal, at };
            let standing = common.follow(&seen, &shared.fitter);
            late.extend(standing.late);
            let mut forecast = standing.forecast;
            if let (Some(Ok(_)), Some(fit)) = (&forecast, standing.fit) {
                point = point.max(Some(fit.point));
                late.extend(self.price(shared, seen, fit));
                // During warm-up a target gets no default price: the forecast is used once its price is known.
                let is_warming = at < observations.warm_by;
                let is_unpriced = is_warming && self.terms.borrow().never_had(&self.policy, signal);
                forecast = forecast.filter(|_| !is_unpriced);
            }
            forecasts.push(forecast);
        }
        let at = point.unwrap_or_else(|| grid_point(at, Span::ZERO));
        let mut prepared = None;
        self.terms.send_if_modified(|terms| {
            prepared = Some(terms.prepared(at, forecasts, observations, &self.policy));
            false
        });
        let mut prepared = prepared.unwrap_or_else(|| Prepared::pending(&self.policy, at));
        prepared.late = late.iter().map(|late| late.since).min();
        Basis { prepared, awaited: late.into_iter().filter_map(|late| late.published).collect() }
    }

    /// Until it is dropped, nobody else changes or reads what is told.
    fn whole(&self) -> MutexGuard<'_, ()> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changes(&self) -> MutexGuard<'_, VecDeque<Change>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an answer that differs from the previous one.
    fn note(&self, decision: &Decision) {
        let mut changes = self.changes();
        if changes.back().is_some_and(|last| last.replicas == decision.replicas) {
            return;
        }
        if changes.len() == MOST_CHANGES {
            changes.pop_front();
        }
        changes.push_back(Change {
            at: decision.at,
            replicas: decision.replicas,
            reason: decision.reason,
            rung: decision.rung.as_str(),
        });
    }
}

// === impl Carried ===

impl Carried {
    fn blank(previous: Option<Replicas>) -> Self {
        Carried { previous, short_since: None, ledger: None, awaited: Vec::new() }
    }
}

/// Completes with the first of them; never if there are none.
async fn any(mut awaited: Vec<Published>) {
    std::future::poll_fn(|context| {
        if awaited.iter_mut().any(|published| published.as_mut().poll(context).is_ready()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}
