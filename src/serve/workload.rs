//! One workload's loop: observe, fit where a new grid point has come, follow, decide, publish.

mod observe;
mod publish;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use observe::{feed_key, forecast_key};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::forecasts::{Common, Forecasts};
use super::registry::Shared;
use crate::decide::{Blind, Decision, Prepared, Session, State, forecast};
use crate::history::Observations;
use crate::http::{Change, Story};
use crate::policy::{Insurance, Policy, WorkloadId};
use crate::simulate::Ledger;
use crate::source::Backend;
use crate::source::feed::grid_phase;
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
        let key = |(i, backend)| forecast_key(backend, i, &policy, phase);
        let forecasts = backends.iter().enumerate().filter_map(key).map(|k| forecasts.common(k)).collect();
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

    pub(super) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
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
