//! Decisions replayed over the last week of open traces, next to the simple rules, with one fixed delay.
//!
//! There is no KEDA and no HPA here: replicas asked for at an instant are ready three minutes later and are kept for
//! the five minutes of the HPA's stabilization window. The twin is the thorough test; this is a quick check that is
//! small and exact. `FORESCALE_FULL=1` uses the traces in `FORESCALE_DATA` (`../shared/data`), which takes long.
//! Otherwise, and if none of the traces is there, it uses a generated load.

use std::path::PathBuf;

use forescale::decide::{
    Circumstances, Contributor, Decision, Prepared, Recording, Session, SignalTraces, Traces, decide,
};
use forescale::history::Series;
use forescale::plan::Insured;
use forescale::policy::{Keys, Policy};
use forescale::source::trace;
use forescale::units::{Quantile, Span, Step, Time};

/// Open traces with steps of one or five minutes and an autocorrelation at one day of at least 0.45.
const TRACES: [&str; 5] = [
    "web_ms_mongo_app01_1min",
    "web_ms_mongo_app02_1min",
    "queue_ms_ingress01_1min",
    "queue_azure_vm_batches_5min",
    "gen_azure_v2_cpu_5min",
];
/// The time from asking for replicas until they are ready.
const DELAY: Span = Span::minutes(3);
/// How long the HPA keeps replicas that are no longer asked for.
const HOLD: Span = Span::minutes(5);
/// Replicas at the 99th percentile of the load: enough that one replica more or less is a small step.
const PEAK_REPLICAS: f64 = 40.0;
/// The insurances tried, ascending: quantiles for Forescale, factors for the others.
const QUANTILES: [f64; 9] = [0.3, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.99, 0.998];
const FACTORS: [f64; 10] = [1.0, 1.05, 1.1, 1.15, 1.2, 1.3, 1.45, 1.6, 1.9, 2.4];

/// Share of time short of replicas, and replica-hours relative to the demand's.
#[derive(Clone, Copy)]
struct Score {
    short: f64,
    ratio: f64,
}

#[test]
fn a_week_replayed_on_open_traces() {
    let is_full = std::env::var("FORESCALE_FULL").is_ok();
    let data = PathBuf::from(std::env::var("FORESCALE_DATA").unwrap_or("../shared/data".to_owned()));
    println!("{:34} {:22} {:>9} {:>9} {:>12}", "trace", "strategy", "short %", "hours", "at 1 % short");
    let mut wins = 0;
    let mut played = 0;
    // Other traces can be selected by name.
    let others = std::env::var("FORESCALE_ONLY").ok();
    let names = others.as_ref().map_or(TRACES.to_vec(), |names| names.split(',').collect());
    for name in names.into_iter().filter(|_| is_full) {
        let path = data.join(format!("{name}.csv.gz"));
        let Ok(load) = trace::read(&path) else {
            println!("{name}: skipped, no file {}", path.display());
            continue;
        };
        let rows = replay(&load);
        let at_one = |curve: &[Score]| matched(curve, 1.0);
        for (strategy, plain, curve) in &rows {
            let matched = at_one(curve).map_or("-".to_owned(), |r| format!("{r:.3}"));
            println!("{name:34} {strategy:22} {:9.2} {:9.3} {matched:>12}", plain.short, plain.ratio);
        }
        let ours = rows.first().and_then(|r| at_one(&r.2));
        let others = rows[1..].iter().filter_map(|r| at_one(&r.2)).fold(f64::INFINITY, f64::min);
        wins += usize::from(ours.is_some_and(|ours| ours <= others));
        played += 1;
    }
    println!("cheapest at 1 % short on {wins} of {played} traces");
    if played == 0 {
        generated();
    }
}

/// Two weeks of five-minute samples that repeat daily, with noise: the forecast is short for less than half as long
/// as the reactive rule, and hardly ever with enough insurance.
fn generated() {
    let value = |slot: i64| {
        let day = (slot as f64 / 288.0 * std::f64::consts::TAU).sin();
        let noise = (slot.wrapping_mul(2_654_435_761) >> 8 & 0xFF) as f64 / 25.6;
        100.0 * (1.2 + day) + noise
    };
    let step = Step::new(Span::minutes(5)).expect("a step");
    let load = Series::from_values(Time::from_epoch(1_764_028_800), step, (0..14 * 288).map(value));
    let rows = replay(&load);
    let least = |curve: &[Score]| curve.iter().map(|score| score.short).fold(f64::INFINITY, f64::min);
    let (ours, reactive) = (&rows[0], &rows[1]);
    println!("generated: {:.2} % short, reactive {:.2} %", ours.1.short, reactive.1.short);
    assert!(ours.1.short < reactive.1.short / 2.0, "{} and {}", ours.1.short, reactive.1.short);
    assert!(least(&ours.2) <= 1.0 && ours.2.iter().all(|score| score.ratio.is_finite() && score.ratio > 0.9));
}

/// Each strategy with its default score, and its scores over all insurances.
fn replay(load: &Series) -> Vec<(&'static str, Score, Vec<Score>)> {
    let policy = policy(load);
    let until = load.end().expect("a trace has samples");
    let from = until - Span::days(7);
    let slots: Vec<usize> = (0..load.len()).filter(|&i| load.time(i) > from).collect();
    let threshold = policy.signals[0].threshold.get();
    let need = |value: f64| (value / threshold).ceil().max(1.0);
    let demand: Vec<f64> = slots.iter().map(|&i| load.get(i).map_or(f64::NAN, need)).collect();
    let step = load.step().as_seconds();
    let judge = |wanted: &[f64]| score(&demand, wanted, step);
    let day = (86_400 / step) as usize;
    let lead = (2 * DELAY.as_seconds() / step).max(1) as usize;
    let last = |i: usize| (0..=i).rev().find_map(|k| load.get(k)).unwrap_or(0.0);
    let naive = |i: usize| (i - day..=i - day + lead).filter_map(|k| load.get(k)).fold(0.0, f64::max);
    let mean = |i: usize| {
        let days: Vec<f64> = (1..=7)
            .filter(|d| i >= d * day)
            .filter_map(|d| {
                (i - d * day..=i - d * day + lead).filter_map(|k| load.get(k)).max_by(f64::total_cmp)
            })
            .collect();
        days.iter().sum::<f64>() / days.len().max(1) as f64
    };
    let simple = |wish: &dyn Fn(usize) -> f64| -> Vec<Score> {
        let by = |factor: f64| -> Vec<f64> { slots.iter().map(|&i| need(wish(i) * factor)).collect() };
        FACTORS.iter().map(|&factor| judge(&by(factor))).collect()
    };
    let ours: Vec<Score> = ours(load, &policy, &slots).iter().map(|wanted| judge(wanted)).collect();
    // Balanced is the default insurance.
    let balanced = ours[QUANTILES.iter().position(|q| *q == 0.95).unwrap_or(0)];
    let mut rows = vec![("forescale", balanced, ours)];
    for (name, curve) in [
        ("reactive", simple(&last)),
        ("naive + reactive", simple(&|i| naive(i).max(last(i)))),
        ("7-day mean + reactive", simple(&|i| mean(i).max(last(i)))),
    ] {
        rows.push((name, curve[0], curve));
    }
    rows
}

/// What is asked for at each slot, for each quantile; the sessions share one forecast.
fn ours(load: &Series, policy: &Policy, slots: &[usize]) -> Vec<Vec<f64>> {
    let signal = SignalTraces { load: Some(load.clone()), ..SignalTraces::default() };
    let traces = Traces { signals: vec![signal], ..Traces::default() };
    let recording = Recording::new(policy, traces, Circumstances::default());
    let quantiles: Vec<Quantile> = QUANTILES.iter().map(|&q| Quantile::new(q).expect("valid")).collect();
    let long_ago = load.start() - Span::days(1);
    let mut session = Session::new(policy, Span::ZERO, long_ago);
    let mut wanted = vec![Vec::with_capacity(slots.len()); quantiles.len()];
    for &i in slots {
        let at: Time = load.time(i);
        let seen = recording.known_at(policy, Span::ZERO, long_ago, at);
        session.step(&seen, policy, at).expect("a history, so a decision");
        let prepared: Prepared = session.prepared().clone();
        for (column, &quantile) in wanted.iter_mut().zip(&quantiles) {
            let decision =
                decide(&prepared.insured(Insured::Quantile(quantile)), &seen, policy, at).expect("as before");
            column.push(asked(&decision));
        }
    }
    wanted
}

fn asked(decision: &Decision) -> f64 {
    debug_assert!(decision.need(Contributor::Reactive).is_some());
    f64::from(decision.replicas.get())
}

fn policy(load: &Series) -> Policy {
    let mut values: Vec<f64> = load.values().into_iter().filter(|v| v.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let threshold = values[values.len() * 99 / 100] / PEAK_REPLICAS;
    let step = format!("{}s", load.step().as_seconds());
    // The three minutes until replicas are ready consist of the lead time and the control loop.
    let lead = format!("{}s", (DELAY.as_seconds() - 45).max(0));
    let pairs = [
        ("query", "load".to_owned()),
        ("threshold", threshold.to_string()),
        ("queryStep", step),
        ("leadTime", lead),
        ("maxReplicas", "100000".to_owned()),
        ("settle", "0s".to_owned()),
    ];
    let values = pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    Policy::from_keys(&Keys { values, ..Keys::default() }).expect("valid")
}

/// The ready replicas are the most asked for between `DELAY + HOLD` ago and `DELAY` ago.
fn score(demand: &[f64], wanted: &[f64], step: i64) -> Score {
    let slots = |span: Span| (span.as_seconds() as usize).div_ceil(step as usize);
    let (delay, hold) = (slots(DELAY), slots(HOLD));
    let (mut short, mut hours, mut needed, mut count) = (0.0, 0.0, 0.0, 0.0);
    for i in delay + hold..demand.len() {
        if demand[i].is_nan() {
            continue;
        }
        let ready = wanted[i - delay - hold..=i - delay].iter().copied().fold(0.0, f64::max);
        short += f64::from(u8::from(ready < demand[i]));
        hours += ready;
        needed += demand[i];
        count += 1.0;
    }
    Score { short: 100.0 * short / count, ratio: hours / needed }
}

/// The cost ratio at which a curve is short for this share of time, interpolated; `None` if the curve does not reach
/// it.
fn matched(curve: &[Score], short: f64) -> Option<f64> {
    let mut sorted = curve.to_vec();
    sorted.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    let place = sorted.iter().position(|s| s.short <= short)?;
    let Some(before) = place.checked_sub(1).map(|i| sorted[i]) else { return Some(sorted[0].ratio) };
    let after = sorted[place];
    let share = (before.short - short) / (before.short - after.short).max(1e-9);
    Some(before.ratio + share * (after.ratio - before.ratio))
}
