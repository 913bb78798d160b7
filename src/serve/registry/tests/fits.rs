//! Fits that do not finish: nothing waits for them, and answers never use a decision that is too old.

use std::sync::Condvar;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::decide::{Decision, Note, forecast};

/// Lets fits pass, or blocks them on the threads that make them.
#[derive(Default)]
struct Barrier {
    is_closed: Mutex<bool>,
    opened: Condvar,
    held: AtomicUsize,
}

impl Barrier {
    fn fit(self: &Arc<Self>) -> Fit {
        let barrier = Arc::clone(self);
        Arc::new(move |observations, policy, signal, point| {
            barrier.held.fetch_add(1, Ordering::SeqCst);
            let closed = barrier.is_closed.lock().expect("no panic");
            drop(barrier.opened.wait_while(closed, |is_closed| *is_closed).expect("no panic"));
            barrier.held.fetch_sub(1, Ordering::SeqCst);
            forecast(observations, policy, signal, point)
        })
    }

    fn close(&self, is_closed: bool) {
        *self.is_closed.lock().expect("no panic") = is_closed;
        self.opened.notify_all();
    }
}

/// Without this, a failing test would leave the runtime's threads blocked by a closed barrier.
struct Opened(Arc<Barrier>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.close(false);
    }
}

const WORKLOADS: usize = 40;

fn keys(of: usize) -> [(&'static str, String); 2] {
    [("mode", "predictive".to_owned()), ("query", format!("load * {}", 1 + of / 2))]
}

impl Bench {
    fn states(&self) -> Vec<State> {
        let state = |of: usize| {
            let keys = keys(of);
            let pairs: Vec<(&str, &str)> = keys.iter().map(|(k, v)| (*k, v.as_str())).collect();
            self.ask(&format!("web-{of}"), &pairs).expect("served")
        };
        (0..WORKLOADS).map(state).collect()
    }

    fn decisions(&self) -> Vec<Arc<Decision>> {
        self.states().into_iter().map(|state| state.expect("decided")).collect()
    }

    fn workloads(&self) -> Vec<Arc<Workload>> {
        self.registry.lock().values().flatten().filter_map(Set::workload).collect()
    }

    /// Completes when every loop has reached the present, whatever it waits for.
    async fn turned(&self) {
        let at = self.registry.shared.clock.now().floor_to(Span::seconds(15), Span::ZERO);
        for workload in self.workloads() {
            let mut progress = workload.ticked();
            let turned = progress.wait_for(|ticked| ticked.is_some_and(|ticked| ticked.at >= at));
            let _ = tokio::time::timeout(PATIENCE, turned).await.expect("no loop waits");
        }
    }
}

fn is_late(decision: &Decision) -> bool {
    decision.notes.iter().any(|note| matches!(note, Note::FitLate { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_renewed_while_fits_are_queued() {
    let barrier = Arc::new(Barrier::default());
    let _opened = Opened(Arc::clone(&barrier));
    barrier.close(true);
    let bench = bench_fitting(Catalogue::default(), "", barrier.fit());
    bench.states();
    bench.turned().await;
    let is_warming = |state: &State| matches!(state, Err(Blind::Warming { .. }));
    assert!(bench.states().iter().all(is_warming), "the forecast may still come within the grace");
    for _ in 0..6 {
        bench.pass(Span::seconds(15));
        bench.turned().await;
    }
    let now = bench.registry.shared.clock.now();
    for decision in bench.decisions() {
        assert_eq!(decision.at, now, "{decision}");
        assert!(is_late(&decision) && decision.forecast.is_none(), "{decision}");
        assert_eq!(decision.replicas.get(), 5, "the load now counts");
    }
    let cores = std::thread::available_parallelism().expect("known").get();
    assert!(barrier.held.load(Ordering::SeqCst) <= cores, "no more fits at a time than cores");
    barrier.close(false);
    bench.settled().await;
    let first: Vec<_> = bench.decisions().iter().map(|d| d.forecast.clone().expect("a forecast")).collect();
    assert!(bench.decisions().iter().all(|decision| !is_late(decision)));
    // At the next grid point the previous fit stays in use and is kept current.
    barrier.close(true);
    for _ in 0..12 {
        bench.pass(Span::minutes(30) + Span::seconds(15));
        bench.states();
        bench.turned().await;
    }
    let now = bench.registry.shared.clock.now().floor_to(Span::seconds(15), Span::ZERO);
    for (decision, first) in bench.decisions().iter().zip(&first) {
        let view = decision.forecast.as_ref().expect("the forecast before");
        assert_eq!((decision.at, view.fitted_at), (now, first.fitted_at), "{decision}");
        assert!(is_late(decision), "{decision}");
    }
    barrier.close(false);
    bench.settled().await;
    for (decision, first) in bench.decisions().iter().zip(&first) {
        assert!(
            decision.forecast.as_ref().expect("fitted").fitted_at > first.fitted_at && !is_late(decision)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_grace_of_the_start_ends_between_two_polls() {
    let barrier = Arc::new(Barrier::default());
    let _opened = Opened(Arc::clone(&barrier));
    barrier.close(true);
    let bench = bench_fitting(Catalogue::default(), "", barrier.fit());
    // Asked 7 s after a poll: the 30 s of grace end 8 s before a poll, and 7 s after the one before that.
    bench.pass(Span::seconds(7));
    bench.states();
    bench.pass(Span::seconds(29));
    bench.turned().await;
    assert!(bench.states().iter().all(|state| matches!(state, Err(Blind::Warming { .. }))));
    bench.pass(Span::seconds(1));
    for workload in bench.workloads() {
        let mut state = workload.state();
        let decided = state.wait_for(Result::is_ok);
        let _ = tokio::time::timeout(PATIENCE, decided).await.expect("the grace is over");
    }
}

#[tokio::test]
async fn a_fit_that_panics_is_tried_again_and_nobody_goes_without_an_answer() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let fit: Fit = Arc::new(move |observations, policy, signal, point| {
        assert!(counted.fetch_add(1, Ordering::SeqCst) > 1, "on purpose");
        forecast(observations, policy, signal, point)
    });
    let bench = bench_fitting(Catalogue::default(), "startupGrace: 0s", fit);
    let predictive = [("mode", "predictive")];
    for tried in 1..=2 {
        assert_eq!(bench.number("web", &predictive).await, 5);
        assert_eq!(tries.load(Ordering::SeqCst), tried, "once for each instant");
        bench.pass(Span::seconds(15));
    }
    bench.settled().await;
    let decision = bench.ask("web", &predictive).expect("served").expect("decided");
    assert!(decision.forecast.is_some() && !is_late(&decision), "{decision}");
}

#[tokio::test]
async fn a_promise_is_priced_in_the_background() {
    let bench = bench(Catalogue::default(), "");
    let promise = [("mode", "predictive"), ("underProvisionTarget", "1%")];
    assert_eq!(bench.number("web", &promise).await, 5);
    let decision = bench.ask("web", &promise).expect("served").expect("decided");
    assert!(decision.forecast.is_some() && !is_late(&decision), "{decision}");
}

#[tokio::test]
async fn a_server_whose_loops_stand_still_is_not_alive() {
    let bench = bench(Catalogue::default(), "");
    let in_seconds = |seconds| tokio::time::Instant::now() + Duration::from_secs(seconds);
    assert_eq!(bench.registry.silence_until(in_seconds(600)), None, "nobody could turn");
    bench.number("web", &[]).await;
    assert_eq!(bench.registry.silence_until(in_seconds(100)), None);
    let silence = bench.registry.silence_until(in_seconds(130));
    assert!(silence.is_some_and(|silence| silence >= Duration::from_secs(120)), "{silence:?}");
    assert_eq!(bench.registry.silence(), None);
    let slow = super::bench(Catalogue::default(), "");
    slow.number("slow", &[("pollStep", "5m")]).await;
    assert_eq!(slow.registry.silence_until(in_seconds(600)), None, "it turns each five minutes");
    assert!(slow.registry.silence_until(in_seconds(1_300)).is_some());
}

#[tokio::test]
async fn the_age_of_a_decision_is_published_and_bounded() {
    let bench = bench(Catalogue::default(), "");
    bench.number("web", &[]).await;
    let served = bench.registry.state(&id("web"), &metadata(&[])).expect("served");
    assert_eq!(served.most_age, Span::MINUTE);
    let slow = [("pollStep", "5m")];
    let served = bench.registry.state(&id("slow"), &metadata(&slow)).expect("served");
    assert_eq!(served.most_age, Span::minutes(20), "four of its polls");
    // No loop has run since: the age is as of now, not as of the last turn.
    bench.pass(Span::seconds(75));
    let text = bench.registry.metrics().encode();
    let line = text.lines().find(|l| l.starts_with("forescale_decision_age_seconds{") && l.contains("web\""));
    assert!(line.is_some_and(|line| line.ends_with(" 75.0")), "{text}");
}
