//! The quantities everything else is written in: instants, spans, steps, quantiles, replicas.
//!
//! Each type has one checked constructor, so that a value that exists is a value that is right; code behind it
//! does not check again. Nothing here reads a clock: instants come in from outside.

mod quantities;
mod time;

pub use quantities::{Quantile, Replicas, Threshold, exceeds};
pub use time::{Span, Step, Time};

/// A count with its noun: `1 replica`, `3 replicas`.
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A text or number that is no such quantity.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UnitError {
    /// The text is no duration in the form Prometheus and Kubernetes write.
    #[error("found '{0}', expected a duration such as 30s, 5m, 1h30m or 28d")]
    Span(String),
    /// The text is no instant.
    #[error("found '{0}', expected an instant such as 2026-12-01T18:00:00Z")]
    Time(String),
    /// The number lies outside what the quantity allows.
    #[error("found {found}, expected {expected}")]
    Range {
        /// What was given.
        found: String,
        /// What is allowed, in words.
        expected: &'static str,
    },
}
