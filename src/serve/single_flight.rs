//! Runs one query at a time, once for everyone who waits for its answer.
//!
//! Thousands of workloads may share a query, and the data source must see it only once. A waiting caller gets the
//! newest value when its time is up; the running query is never cancelled for that.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::time::Instant;

use crate::source::feed::SET_BACK;
use crate::units::Time;

/// A value that is renewed for later and later instants, by at most one task at a time, with a state `S` that only
/// that task uses.
pub(super) struct SingleFlight<S, V> {
    state: Arc<Mutex<S>>,
    view: watch::Sender<View<V>>,
    /// Held from before the state is locked until the new value is published. Otherwise the next renewal could start
    /// from the old value and put it back.
    turn: Arc<Mutex<()>>,
}

struct View<V> {
    /// The last instant it was renewed for, successfully or not.
    tried: Option<Time>,
    value: V,
}

// === impl SingleFlight ===

impl<S: Send + 'static, V: Clone + Send + Sync + 'static> SingleFlight<S, V> {
    pub(super) fn new(state: S, value: V) -> Arc<Self> {
        Arc::new(SingleFlight {
            state: Arc::new(Mutex::new(state)),
            view: watch::Sender::new(View { tried: None, value }),
            turn: Arc::default(),
        })
    }

    /// The state, if no renewal is running.
    pub(super) fn idle(&self) -> Option<OwnedMutexGuard<S>> {
        Arc::clone(&self.state).try_lock_owned().ok()
    }

    /// Whether it was ever renewed.
    pub(super) fn is_tried(&self) -> bool {
        self.view.borrow().tried.is_some()
    }

    /// The newest value.
    pub(super) fn newest(&self) -> V {
        self.view.borrow().value.clone()
    }

    /// The value renewed for `at` by `renew`, or the newest one at `by`; a running renewal continues.
    pub(super) async fn at<F, R>(self: &Arc<Self>, at: Time, by: Instant, renew: R) -> V
    where
        R: FnOnce(OwnedMutexGuard<S>, V) -> F + Send + 'static,
        F: Future<Output = V> + Send + 'static,
    {
        let mut view = self.view.subscribe();
        // If the last renewal is far after `at`, the clock was set back.
        let is_there =
            |view: &View<V>| view.tried.is_some_and(|tried| tried >= at && tried.since(at) <= SET_BACK);
        let wait = async {
            tokio::select! {
                biased;
                () = async { drop(view.wait_for(is_there).await) } => {}
                // It waits for the turn instead of trying it. The turn is released after the value is published; a
                // task that arrived in between would otherwise wait for a change that never comes.
                turn = Arc::clone(&self.turn).lock_owned() => {
                    if is_there(&self.view.borrow()) {
                        return;
                    }
                    let flight = Arc::clone(self);
                    let renewal = tokio::spawn(async move {
                        let state = Arc::clone(&flight.state).lock_owned().await;
                        let old = flight.newest();
                        // A panic fails only this query; those who wait continue with the old value.
                        let value = tokio::spawn(renew(state, old.clone())).await.unwrap_or(old);
                        flight.view.send_replace(View { tried: Some(at), value });
                        drop(turn);
                    });
                    let _ = renewal.await;
                }
            }
        };
        // A timeout is not a failure: the newest value is used, and its age is known.
        let _ = tokio::time::timeout_at(by, wait).await;
        self.newest()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn many_wait_and_one_asks() {
        let asked = Arc::new(AtomicUsize::new(0));
        let flight = SingleFlight::new((), 0_i64);
        let at = Time::from_epoch(7);
        let ask = || {
            let (asked, flight) = (Arc::clone(&asked), Arc::clone(&flight));
            tokio::spawn(async move {
                flight
                    .at(at, soon(), move |_state, _old| {
                        let asked = Arc::clone(&asked);
                        async move {
                            asked.fetch_add(1, Ordering::SeqCst);
                            tokio::task::yield_now().await;
                            at.epoch()
                        }
                    })
                    .await
            })
        };
        let answers: Vec<_> = (0..20).map(|_| ask()).collect();
        for answer in answers {
            assert_eq!(answer.await.expect("no panic"), 7);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_value_is_put_back_by_who_comes_late() {
        // As the readers do: a value that was already renewed for an instant is not renewed again.
        let flight = SingleFlight::new(Time::MIN, Time::MIN);
        for second in 0..2_000 {
            let at = Time::from_epoch(second);
            let ask = |later: usize| {
                let flight = Arc::clone(&flight);
                tokio::spawn(async move {
                    for _ in 0..later {
                        tokio::task::yield_now().await;
                    }
                    let renew = move |mut until: OwnedMutexGuard<Time>, old| async move {
                        if *until >= at {
                            return old;
                        }
                        *until = at;
                        at
                    };
                    flight.at(at, soon(), renew).await
                })
            };
            let answers: Vec<_> = (0..24).map(ask).collect();
            for answer in answers {
                assert_eq!(answer.await.expect("no panic"), at);
            }
            assert_eq!(flight.newest(), at);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn who_comes_while_the_turn_is_given_back_is_served_at_once() {
        let flight = SingleFlight::new((), Time::MIN);
        for second in 0..50_000 {
            let at = Time::from_epoch(second);
            let value = flight.at(at, soon(), move |_state, _old| async move { at }).await;
            assert_eq!(value, at, "the value there is once patience has run out is the one before");
        }
    }

    #[tokio::test]
    async fn a_panic_is_the_failure_of_one_question() {
        let flight = SingleFlight::new((), 1_i64);
        let begun = Instant::now();
        let value =
            flight.at(Time::from_epoch(7), soon(), |_state, _old| async { panic!("on purpose") }).await;
        assert_eq!(value, 1, "what was known stands");
        assert!(begun.elapsed() < Duration::from_secs(4), "nobody waits for an answer that cannot come");
        assert_eq!(flight.at(Time::from_epoch(8), soon(), |_state, _old| async { 2 }).await, 2);
    }

    #[tokio::test]
    async fn a_question_that_hangs_is_asked_once_and_costs_no_more_than_the_patience() {
        let asked = Arc::new(AtomicUsize::new(0));
        let flight = SingleFlight::new((), 1_i64);
        let (release, held) = watch::channel(false);
        for second in 0..3 {
            let (asked, held) = (Arc::clone(&asked), held.clone());
            let by = Instant::now() + Duration::from_millis(20);
            let value = flight.at(Time::from_epoch(second), by, move |state, _old| {
                let (asked, mut held) = (Arc::clone(&asked), held.clone());
                async move {
                    let _state = state;
                    asked.fetch_add(1, Ordering::SeqCst);
                    let _ = held.wait_for(|released| *released).await;
                    2
                }
            });
            assert_eq!(value.await, 1, "the newest value there is");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        release.send_replace(true);
        let value = flight.at(Time::from_epoch(0), soon(), |_state, old| async move { old }).await;
        assert_eq!(value, 2, "the late answer counts");
    }
}
