//! The server's clock. This is the only file that reads the system clock for decisions.
//!
//! Everything else gets the time from it, so that the demo and the tests can move time themselves.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;

use crate::units::Time;

/// A future that completes at an instant.
pub type Wait<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The present instant, and waiting for an instant.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Time;
    /// Completes when the present has reached `until`, or when the clock was set back to before the call; the caller
    /// then looks at the clock again.
    fn wait_until(&self, until: Time) -> Wait<'_>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// A clock that stands still until it is moved, for the demo and for tests.
#[derive(Debug)]
pub struct SteppedClock {
    now: watch::Sender<Time>,
}

/// The longest single sleep. A change of the clock is noticed within this time.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

// === impl SystemClock ===

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    fn now(&self) -> Time {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Time::from_epoch(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }

    fn wait_until(&self, until: Time) -> Wait<'_> {
        let begun = self.now();
        Box::pin(async move {
            loop {
                let now = self.now();
                let rest = until.since(now).as_seconds();
                if rest == 0 || now < begun {
                    return;
                }
                let rest = Duration::from_secs(u64::try_from(rest).unwrap_or(0));
                tokio::time::sleep(rest.min(LONGEST_SLEEP)).await;
            }
        })
    }
}

// === impl SteppedClock ===

impl SteppedClock {
    /// A clock that shows `now`.
    pub fn new(now: Time) -> Self {
        SteppedClock { now: watch::Sender::new(now) }
    }

    /// Moves it; everyone who waits for an instant up to `now` continues.
    pub fn set(&self, now: Time) {
        self.now.send_replace(now);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Time {
        *self.now.borrow()
    }

    fn wait_until(&self, until: Time) -> Wait<'_> {
        let mut now = self.now.subscribe();
        let begun = *now.borrow_and_update();
        Box::pin(async move {
            // The sender lives as long as the clock, which this future borrows.
            let _ = now.wait_for(|now| *now >= until || *now < begun).await;
        })
    }
}
