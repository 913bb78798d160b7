//! Our own clock jumps an hour forward or back, and later becomes right again: no answer falls, and all is fresh
//! soon.
//!
//! The source has its own correct clock and no samples from its future; only the server sees the wrong clock.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use forescale::decide::{Decision, DegradationLevel};
use forescale::keda::DecisionProvider;
use forescale::policy::WorkloadId;
use forescale::serve::{self, Clock, Registry, SteppedClock};
use forescale::source::{Backend, RangeQuery, Reading, SourceError};
use forescale::units::{Span, Time};
use tokio_util::sync::CancellationToken;

use crate::support::server::parts;
use crate::support::until;

/// A Tuesday at noon, UTC.
const NOON: Time = Time::from_epoch(1_792_497_600);
const JUMP: Span = Span::HOUR;
const POLL: Span = Span::seconds(15);
/// A loaded machine is slow, but the simulated time stands still until it has caught up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The load: worth ten replicas since an hour before noon, half of that earlier.
fn load(at: Time) -> f64 {
    if at < NOON - Span::minutes(55) { 45.0 } else { 95.0 }
}

struct Truth(Arc<SteppedClock>);

impl Truth {
    fn value(&self, at: Time) -> Option<f64> {
        (at <= self.0.now()).then(|| load(at))
    }
}

#[tonic::async_trait]
impl Backend for Truth {
    async fn range(&self, query: &RangeQuery) -> Result<Reading, SourceError> {
        Ok(query.answer(|at| self.value(at)))
    }

    async fn instant(&self, _query: &str, at: Time) -> Result<Option<f64>, SourceError> {
        Ok(self.value(at))
    }

    fn clock_skew(&self, now: Time) -> Option<Span> {
        let truth = self.0.now();
        Some(truth.since(now).max(now.since(truth)))
    }

    fn label(&self) -> &str {
        "truth"
    }
}

/// A server, the true time, and the time that the server sees.
struct Bench {
    registry: Arc<Registry>,
    truth: Arc<SteppedClock>,
    believed: Arc<SteppedClock>,
    offset: i64,
}

impl Bench {
    fn new(shutdown: &CancellationToken) -> Self {
        let (truth, believed) = (Arc::new(SteppedClock::new(NOON)), Arc::new(SteppedClock::new(NOON)));
        let source = Arc::new(Arc::new(Truth(Arc::clone(&truth))));
        let parts = parts(source, believed.clone(), shutdown);
        Bench { registry: serve::registry(&parts), truth, believed, offset: 0 }
    }

    /// The decision of the current poll, once it exists.
    async fn decision(&self) -> Arc<Decision> {
        let id = WorkloadId::new("shop", "web", "forescale").expect("names");
        let keys = [("query", "load"), ("threshold", "10"), ("leadTime", "1m"), ("historyTimeWindow", "1d")];
        let keys: HashMap<_, _> = keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let now = self.believed.now();
        let ask = async || {
            let Ok(served) = self.registry.state(&id, &keys) else { panic!("good keys are refused") };
            let decision = served.state.borrow().clone().ok();
            decision.filter(|decision| decision.at == now)
        };
        until(PATIENCE, &format!("a decision for {now}"), ask).await.0
    }

    /// Advances by one poll.
    async fn next(&mut self) -> Arc<Decision> {
        let truth = self.truth.now() + POLL;
        self.truth.set(truth);
        self.believed.set(truth + Span::seconds(self.offset));
        self.decision().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_and_comes_right_lowers_nothing() {
    for offset in [JUMP.as_seconds(), -JUMP.as_seconds()] {
        let shutdown = CancellationToken::new();
        let mut bench = Bench::new(&shutdown);
        let before = bench.decision().await;
        assert!(before.replicas.get() >= 10 && before.rung == DegradationLevel::Fresh, "{before}");
        for _ in 0..8 {
            bench.next().await;
        }
        bench.offset = offset;
        for poll in 0..12 {
            let decision = bench.next().await;
            assert!(decision.replicas >= before.replicas, "{offset} s, poll {poll}: {decision}");
        }
        bench.offset = 0;
        for poll in 0..12 {
            let decision = bench.next().await;
            assert!(decision.replicas >= before.replicas, "right again, poll {poll}: {decision}");
            let age = decision.history_age.expect("known");
            let is_well = decision.rung == DegradationLevel::Fresh && age <= Span::MINUTE;
            assert!(is_well, "{offset} s, right again, poll {poll}: {decision}, {age} old");
        }
        shutdown.cancel();
    }
}
