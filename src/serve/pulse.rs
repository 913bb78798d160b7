//! Whether any loop still turns: what a probe of liveness asks.
//!
//! It is measured by a clock that nobody can set: a machine whose time was corrected is not restarted for it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When a loop turned last.
pub(super) struct Pulse(Mutex<Instant>);

// === impl Pulse ===

impl Pulse {
    pub(super) fn new() -> Self {
        Pulse(Mutex::new(Instant::now()))
    }

    /// A loop has turned, or there was none that could.
    pub(super) fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long none has turned until `now`.
    pub(super) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
