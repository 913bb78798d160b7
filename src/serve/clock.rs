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

impl SystemClock {
    /// The time since the epoch, with its fraction of a second.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    fn since_epoch() -> Duration {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time::from_epoch(i64::try_from(Self::since_epoch().as_secs()).unwrap_or(i64::MAX))
    }

    fn wait_until(&self, until: Time) -> Wait<'_> {
        let begun = self.now();
        Box::pin(async move {
            loop {
                let rest = rest(Self::since_epoch(), until);
                if rest.is_zero() || self.now() < begun {
                    return;
                }
                tokio::time::sleep(rest.min(LONGEST_SLEEP)).await;
            }
        })
    }
}

/// How long it is until then. Without the fraction of the present second every poll, and every wake-up that it finds,
/// would be late by as much.
fn rest(since_epoch: Duration, until: Time) -> Duration {
    Duration::from_secs(u64::try_from(until.epoch()).unwrap_or(0)).saturating_sub(since_epoch)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_the_instant_and_not_a_part_of_a_second_later() {
        let until = Time::from_epoch(15);
        for (now, waits) in [(10_000, 5_000), (10_900, 4_100), (14_999, 1), (15_000, 0), (15_900, 0)] {
            assert_eq!(rest(Duration::from_millis(now), until), Duration::from_millis(waits), "{now} ms");
        }
    }
}
