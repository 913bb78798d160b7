//! Decides for a policy: `cargo run --release --example decide`.
//!
//! The same two functions answer KEDA in the server: `prepare` fits, `decide` answers; a `Session` calls both when they
//! are due.

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use std::collections::BTreeMap;
use std::sync::Arc;

use forescale::decide::Session;
use forescale::history::{Observations, Series, SignalHistory};
use forescale::policy::{Keys, Policy};
use forescale::units::{Span, Step, Time};

/// Prints the replicas around an opening, with their reasons.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    // What would stand in the trigger's metadata.
    let keys = [
        ("query", "sum(rate(http_requests_total[2m]))"),
        ("threshold", "50"),
        ("maxReplicas", "40"),
        ("leadTime", "5m"),
    ];
    let values: BTreeMap<_, _> =
        keys.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let policy = Policy::from_keys(&Keys { values, ..Keys::default() })?;

    // Three weeks in which a shop opens at eight: from 100 to 900 requests per second within a quarter of an hour.
    let start = Time::parse("2026-03-02T00:00:00Z")?;
    let open = |minute: i64| ((minute % 1_440 - 480) as f64 / 15.0).clamp(0.0, 1.0);
    let load = Series::from_values(start, Step::MINUTE, (0..21 * 1_440).map(|m| 100.0 + 800.0 * open(m)));

    // On the last of these days: four minutes before the shop opens nothing of it is in the load yet.
    let midnight = start + Span::days(20);
    let mut session = Session::new(&policy, Span::ZERO, start);
    for minute in [7 * 60, 7 * 60 + 56, 8 * 60, 8 * 60 + 8] {
        let now = midnight + Span::minutes(minute);
        let seen = load.window(start - Span::MINUTE, now);
        let signal = SignalHistory { load: Some(Arc::new(seen)), ..SignalHistory::default() };
        let observations = Observations { signals: vec![signal], ..Observations::none(0, start) };
        let decision = session.step(&observations, &policy, now)?;
        let load = decision.load.unwrap_or(0.0);
        println!(
            "{}: load {load:5.0}, {:2} replicas: {}",
            now.to_utc().format("%H:%M"),
            decision.replicas.get(),
            decision.reason
        );
    }
    Ok(())
}
