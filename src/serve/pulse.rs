//! Whether any loop is still running; used by the liveness probe.
//!
//! It uses a monotonic clock, so that correcting a machine's time does not cause a restart.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When a loop last completed a turn.
pub(super) struct Pulse(Mutex<Instant>);

// === impl Pulse ===

impl Pulse {
    pub(super) fn new() -> Self {
        Pulse(Mutex::new(Instant::now()))
    }

    /// A loop has completed a turn, or there was no loop.
    pub(super) fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long before `now` the last turn was.
    pub(super) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
