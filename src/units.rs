//! The basic quantities: instants, spans, steps, quantiles, replicas.
//!
//! Each type has one checked constructor, so that a value that exists is a value that is right; code behind it
//! does not check again. Beside them stand what is chance and must be the same everywhere: a seeded stream, a hash,
//! the shard of a name. Nothing here reads a clock: instants come in from outside.

mod dice;
mod hash;
mod quantities;
mod shard;
mod time;

pub use dice::Dice;
pub use hash::stable_hash;
pub use quantities::{Quantile, Replicas, Threshold, exceeds};
pub use shard::{Shard, Shards};
pub use time::{Span, Step, Time};

/// A count with its noun: `1 replica`, `3 replicas`.
pub fn counted(count: usize, noun: &str) -> String {
    measured(&count.to_string(), noun)
}

/// The same with a number as it is shown: `1 core`, `0.5 cores`.
pub fn measured(number: &str, noun: &str) -> String {
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The value at a share (0 to 1) of the values in ascending order, at the nearest index; `None` if there are none.
pub fn percentile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    percentile_of(&mut values, share)
}

/// The same of values whose order may change.
pub(crate) fn percentile_of(values: &mut [f64], share: f64) -> Option<f64> {
    let rank = (share * values.len().saturating_sub(1) as f64).round() as usize;
    (rank < values.len()).then(|| *values.select_nth_unstable_by(rank, f64::total_cmp).1)
}

/// A text or number that is not a valid quantity.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UnitError {
    /// The text is not a duration as Prometheus and Kubernetes write it.
    #[error("found '{0}', expected a duration such as 30s, 5m, 1h30m or 28d")]
    Span(String),
    /// The text is not an instant.
    #[error("found '{0}', expected an instant such as 2026-12-01T18:00:00Z")]
    Time(String),
    /// The number is outside the allowed range.
    #[error("found {found}, expected {expected}")]
    Range {
        /// What was given.
        found: String,
        /// What is allowed, in words.
        expected: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        assert_eq!((counted(1, "flap"), counted(0, "flap")), ("1 flap".to_owned(), "0 flaps".to_owned()));
        assert_eq!(
            (measured("1", "core"), measured("0.5", "core")),
            ("1 core".to_owned(), "0.5 cores".to_owned())
        );
    }

    #[test]
    fn a_percentile_is_the_nearest_of_the_values() {
        let hundred: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        for (share, want) in [(0.0, 0.0), (0.25, 25.0), (0.954, 95.0), (1.0, 100.0)] {
            assert_eq!(percentile(hundred.clone(), share), Some(want), "{share}");
        }
        assert_eq!(percentile(vec![3.0], 0.5), Some(3.0));
        assert_eq!(percentile(Vec::new(), 0.5), None);
    }
}
