//! Expensive work off the threads that answer: as many jobs at a time as there are cores, in the order of the
//! requests.
//!
//! Nobody waits for it. Callers pass in the input and read the published result later.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::decide::Forecast;
use crate::history::Observations;
use crate::http::Metrics;
use crate::policy::Policy;
use crate::source::feed::SET_BACK;
use crate::units::Time;

/// Makes the forecast of one signal as of a grid point: [`crate::decide::forecast`], or a test's replacement.
pub type Fit = Arc<dyn Fn(&Observations, &Policy, usize, Time) -> Option<Forecast> + Send + Sync>;

/// Runs expensive work.
pub(super) struct Fitter {
    pub fit: Fit,
    places: Semaphore,
    workers: Handle,
    metrics: Arc<Metrics>,
}

/// One kind of work for one owner. It runs at most once at a time, on the newest input passed in, so that a long wait
/// in the queue does not keep old histories in memory.
#[derive(Debug)]
pub(super) struct Errand<I>(Mutex<Slip<I>>);

#[derive(Debug)]
struct Slip<I> {
    newest: Option<(Time, I)>,
    under_way: bool,
    /// The instant being worked for.
    at: Option<Time>,
    /// The instant for which it last failed; it is not retried for that instant.
    failed: Option<Time>,
}

// === impl Fitter ===

impl Fitter {
    pub(super) fn new(fit: Fit, workers: Handle, metrics: Arc<Metrics>) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Arc::new(Fitter { fit, places: Semaphore::new(cores), workers, metrics })
    }

    /// Runs `work` once a permit is free, then `after`, which gets `None` if the work panicked.
    pub(super) fn start<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> Option<T> + Send + 'static,
        after: impl FnOnce(Option<T>) + Send + 'static,
    ) {
        let fitter = Arc::clone(self);
        self.workers.spawn(async move {
            // The semaphore is never closed.
            let _place = fitter.places.acquire().await;
            let begun = Instant::now();
            let done = tokio::task::spawn_blocking(work).await;
            fitter.metrics.prepared(begun.elapsed().as_secs_f64());
            after(done.inspect_err(|error| tracing::error!(%error, "a fit failed")).ok().flatten());
        });
    }
}

// === impl Errand ===

impl<I> Default for Errand<I> {
    fn default() -> Self {
        Errand(Mutex::new(Slip { newest: None, under_way: false, at: None, failed: None }))
    }
}

impl<I> Errand<I> {
    /// Passes in the input of the work for `at`. Returns whether the work is in progress; if it was not, `start`
    /// starts it.
    pub(super) fn hand_in(&self, at: Time, input: I, start: impl FnOnce()) -> bool {
        let mut slip = self.lock();
        if slip.failed.is_some_and(|failed| at <= failed && failed.since(at) <= SET_BACK) {
            return false;
        }
        slip.newest = Some((at, input));
        let is_new = !std::mem::replace(&mut slip.under_way, true);
        drop(slip);
        if is_new {
            start();
        }
        true
    }

    /// The newest input, for the work that starts now.
    pub(super) fn take(&self) -> Option<I> {
        let mut slip = self.lock();
        let (at, input) = slip.newest.take()?;
        slip.at = Some(at);
        Some(input)
    }

    /// Marks the work as ended, successfully or not.
    pub(super) fn end(&self, is_done: bool) {
        let mut slip = self.lock();
        let failed = slip.at.take().filter(|_| !is_done);
        *slip = Slip { newest: None, under_way: false, at: None, failed };
    }

    fn lock(&self) -> MutexGuard<'_, Slip<I>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errand_runs_once_on_the_newest_and_not_again_for_an_instant_it_failed_for() {
        let errand = Errand::default();
        let (at, starts) = (Time::from_epoch, std::cell::Cell::new(0));
        let hand_in = |when: i64| errand.hand_in(at(when), when, || starts.set(starts.get() + 1));
        assert!(hand_in(15) && hand_in(30));
        assert_eq!((starts.get(), errand.take(), errand.take()), (1, Some(30), None));
        errand.end(false);
        assert!(!hand_in(30), "it would fail again");
        assert!(hand_in(45));
        assert_eq!(starts.get(), 2);
        errand.take();
        errand.end(true);
        assert!(hand_in(45), "a new reason for the same instant");
    }
}
