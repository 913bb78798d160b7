//! How long to wait after a failure: the wait doubles, has jitter, and is never shorter than what the server asked
//! for.
//!
//! The jitter comes from a seed, so runs are reproducible and workloads do not all retry at the same instant. This
//! module computes waits; it never waits itself.

use std::time::Duration;

use crate::source::SourceError;
use crate::units::Dice;

/// The waits between the attempts of one caller.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    most: Duration,
    failures: u32,
    jitter: Dice,
}

// === impl Backoff ===

impl Backoff {
    /// The first wait: shorter than any poll step, so that a transient fault costs no sample.
    pub const BASE: Duration = Duration::from_secs(1);
    /// The longest wait of our own: we notice within one poll that a server is back. Until then its load is bounded
    /// by the limit on concurrent requests.
    pub const MOST: Duration = Duration::from_secs(15);
    /// The longest wait that a server may ask for: a wrong header must not stop our queries for days.
    pub const MOST_ASKED: Duration = Duration::from_secs(600);
    /// The longest possible wait: `MOST_ASKED` plus its jitter.
    pub const LONGEST: Duration = Duration::from_secs(Self::MOST_ASKED.as_secs() * 11 / 10);

    /// Waits of 1 s, 2 s, … 15 s, half of each jittered by the seed.
    pub fn new(seed: u64) -> Self {
        Self::between(Self::BASE, Self::MOST, seed)
    }

    /// Waits that begin at `base` and double up to `most`.
    pub fn between(base: Duration, most: Duration, seed: u64) -> Self {
        Backoff { base, most, failures: 0, jitter: Dice::new(seed) }
    }

    /// Counts one more failure and returns the wait before the next attempt.
    pub fn after(&mut self, error: &SourceError) -> Duration {
        let doubled = self.base.saturating_mul(1_u32 << self.failures.min(16)).min(self.most);
        self.failures = self.failures.saturating_add(1);
        let wait = doubled.mul_f64(0.5 + 0.5 * self.jitter.uniform());
        match error.retry_after() {
            // Spread over an extra tenth, since every client was told the same.
            Some(asked) => wait.max(asked.min(Self::MOST_ASKED).mul_f64(1.0 + 0.1 * self.jitter.uniform())),
            None => wait,
        }
    }

    /// The number of failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Starts afresh after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_begin_anew() {
        let fault = SourceError::ManySeries;
        let mut backoff = Backoff::new(1);
        for n in 0..20_u32 {
            let full = Duration::from_secs(1 << n.min(6)).min(Backoff::MOST);
            let wait = backoff.after(&fault);
            assert!((full / 2..=full).contains(&wait), "{wait:?} of {full:?}");
        }
        backoff.reset();
        assert!(backoff.after(&fault) <= Backoff::BASE);
        let (mut a, mut b, mut c) = (Backoff::new(2), Backoff::new(2), Backoff::new(3));
        let waits = (a.after(&fault), b.after(&fault), c.after(&fault));
        assert!(waits.0 == waits.1 && waits.1 != waits.2);
    }

    #[test]
    fn the_server_is_heard_within_reason() {
        let asked = |seconds| SourceError::Throttled {
            target: String::new(),
            status: 429,
            retry_after: Some(Duration::from_secs(seconds)),
        };
        let mut backoff = Backoff::new(1);
        assert!((17.0..19.0).contains(&backoff.after(&asked(17)).as_secs_f64()));
        assert!(backoff.after(&asked(1_000_000)) <= Backoff::MOST_ASKED.mul_f64(1.1));
    }
}
