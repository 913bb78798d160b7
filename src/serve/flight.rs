//! One question at a time, asked once for everybody who waits for its answer.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use crate::units::Time;

/// A value that is renewed for ever later instants, by at most one task at a time, from a state `S` that only
/// that task touches.
pub(super) struct Flight<S, V> {
    state: Arc<Mutex<S>>,
    view: watch::Sender<View<V>>,
}

struct View<V> {
    /// The last instant it was renewed for, whether that worked or not.
    tried: Option<Time>,
    value: V,
}

// === impl Flight ===

impl<S: Send + 'static, V: Clone + Send + Sync + 'static> Flight<S, V> {
    pub(super) fn new(state: S, value: V) -> Arc<Self> {
        Arc::new(Flight {
            state: Arc::new(Mutex::new(state)),
            view: watch::Sender::new(View { tried: None, value }),
        })
    }

    /// The newest value.
    pub(super) fn newest(&self) -> V {
        self.view.borrow().value.clone()
    }

    /// The value renewed for `at` by `renew`, or the newest there is after `patience`; a renewal under way goes on.
    pub(super) async fn at<F, R>(self: &Arc<Self>, at: Time, patience: Duration, renew: R) -> V
    where
        R: Fn(tokio::sync::OwnedMutexGuard<S>, V) -> F + Send + Sync + 'static,
        F: Future<Output = V> + Send + 'static,
    {
        let wait = async {
            let renew = Arc::new(renew);
            let mut view = self.view.subscribe();
            while view.borrow_and_update().tried.is_none_or(|tried| tried < at) {
                if let Ok(state) = Arc::clone(&self.state).try_lock_owned() {
                    let (flight, renew) = (Arc::clone(self), Arc::clone(&renew));
                    tokio::spawn(async move {
                        let value = renew(state, flight.newest()).await;
                        flight.view.send_replace(View { tried: Some(at), value });
                    });
                }
                if view.changed().await.is_err() {
                    return;
                }
            }
        };
        // Running out of patience is no failure: the newest value counts, and its age is known.
        let _ = tokio::time::timeout(patience, wait).await;
        self.newest()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_wait_and_one_asks() {
        let asked = Arc::new(AtomicUsize::new(0));
        let flight = Flight::new((), 0_i64);
        let at = Time::from_epoch(7);
        let ask = || {
            let (asked, flight) = (Arc::clone(&asked), Arc::clone(&flight));
            tokio::spawn(async move {
                flight
                    .at(at, Duration::from_secs(5), move |_state, _old| {
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
}
