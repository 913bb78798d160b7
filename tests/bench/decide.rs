//! What a decision on a prepared forecast costs beside preparing it.
//!
//! A decision is renewed every 15 s, a fit every 6 h; with `--check` the bench fails where a decision costs more than a
//! hundredth of a fit. Four decisions are made between two samples, as in the server: the first of them asks the forecast
//! anew, and the mean is what counts.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench reads the clock and reports")]

mod timing;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use forescale::decide::{decide, prepare};
use forescale::history::{Observations, Sample, Series, SignalHistory};
use forescale::policy::{Keys, Policy};
use forescale::units::{Span, Step, Time};
use timing::median;

/// 28 days of minutes.
const POINTS: i64 = 40_320;
/// The share of a fit that a decision may cost.
const BUDGET: f64 = 1.0 / 100.0;
const RUNS: usize = 15;

fn main() -> ExitCode {
    let values = [("query", "load"), ("threshold", "10")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let policy = Policy::from_keys(&Keys { values: values.into(), ..Keys::default() }).expect("valid");
    let start = Time::from_epoch(1_767_571_200);
    let wave = |m: i64| {
        let day = (std::f64::consts::TAU * (m % 1_440) as f64 / 1_440.0).sin();
        100.0 + 60.0 * day + (m * 7_919 % 23) as f64
    };
    let mut load = Series::from_values(start, Step::MINUTE, (0..POINTS + 30).map(wave));
    let point = start + Span::minutes(POINTS);
    let mut seen = observed(&load);
    let prepare_ms = median(RUNS, || {
        black_box(prepare(black_box(&seen), &policy, point));
    });
    let mut prepared = prepare(&seen, &policy, point).follow(&seen, &policy);
    let mut times = Vec::new();
    for minute in 0..200 {
        load.push(wave(POINTS + 30 + minute));
        seen = observed(&load);
        prepared = prepared.follow(&seen, &policy);
        let now = load.end().unwrap_or(point);
        let begun = Instant::now();
        for quarter in 0..4 {
            let at = now + Span::seconds(30 + 15 * quarter);
            black_box(decide(&prepared, &seen, &policy, at).is_ok());
        }
        times.push(begun.elapsed().as_secs_f64() * 1e3 / 4.0);
    }
    times.sort_by(f64::total_cmp);
    let decide_ms = times[times.len() / 2];
    let share = decide_ms / prepare_ms;
    println!("prepare {prepare_ms:9.4} ms");
    println!("decide  {decide_ms:9.4} ms   1/{:.0} of prepare", 1.0 / share);
    if share <= BUDGET {
        println!("all budgets kept");
        return ExitCode::SUCCESS;
    }
    println!("budget exceeded: a decision may cost 1/{:.0} of a fit", 1.0 / BUDGET);
    ExitCode::from(u8::from(std::env::args().any(|a| a == "--check")))
}

fn observed(load: &Series) -> Observations {
    let newest = load.last().map(|(at, value)| Sample { at, value });
    let signal = SignalHistory { load: Some(Arc::new(load.clone())), newest, ..SignalHistory::default() };
    Observations { signals: vec![signal], ..Observations::none(1, load.start()) }
}
