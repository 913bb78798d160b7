//! Runs a policy and a reactive trigger through the twin of KEDA, the HPA and the pods:
//! `cargo run --release --example twin`.
//!
//! The twin is deterministic: the same load and the same answers give the same day.

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use std::collections::BTreeMap;

use forescale::history::{Calendar, Series};
use forescale::policy::{Keys, Policy};
use forescale::simulate::{Load, Simple, Target, TwinConfig, run, run_forescale};
use forescale::units::{Span, Step, Threshold, Time};

/// Prints how short each was, and what it cost.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = [("query", "q"), ("threshold", "50"), ("maxReplicas", "60"), ("leadTime", "90s")];
    let values: BTreeMap<_, _> =
        keys.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let policy = Policy::from_keys(&Keys { values, ..Keys::default() })?;

    // Nine days that all jump at noon, within eight minutes.
    let start = Time::parse("2026-03-02T00:00:00Z")?;
    let noon = |minute: i64| ((minute % 1_440 - 720) as f64 / 8.0).clamp(0.0, 1.0);
    let evening = |minute: i64| ((1_200 - minute % 1_440) as f64 / 120.0).clamp(0.0, 1.0);
    let value = |minute: i64| 200.0 + 1_000.0 * noon(minute).min(evening(minute));
    let load = Load::of(&Series::from_values(start, Step::MINUTE, (0..9 * 1_440).map(value)));

    // The last day counts; the pods, the HPA and KEDA are those of the policy's object.
    let from = Some(start + Span::days(8));
    let target = Target { twin: TwinConfig::of(&policy), from, ..Target::new(Threshold::new(50.0)?) };
    let calendar = Calendar::utc();
    let reactive = run(&load, &target, &mut *Simple::Reactive.study(&load, &target, &calendar).insured(1.0))?;
    let predictive = run_forescale(&load, &target, &policy, &[None])?.remove(0).run;
    println!("{:<12}{:>24}{:>16}", "", "short, % of the time", "replica-hours");
    for (name, run) in [("reactive", reactive), ("predictive", predictive)] {
        let card = run.scorecard;
        println!("{name:<12}{:>24.2}{:>16.1}", card.tau_u, card.replica_hours);
    }
    Ok(())
}
