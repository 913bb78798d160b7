//! A daily ramp is met in time whatever rule predicts: neither the noise of one history nor a plain rule that beats
//! the forecast makes the answer reactive.

use forescale::decide::{Retold, SignalTraces, Traces};
use forescale::forecast::Rule;
use forescale::history::Series;
use forescale::policy::{Keys, Policy};
use forescale::simulate::{Load, Target, TwinConfig, run_forescale};
use forescale::units::{Span, Step, Threshold, Time};

/// A Monday.
const START: Time = Time::from_epoch(1_767_571_200);
const DAYS: i64 = 30;
/// The minute of the day at which the ramp starts, which is not the start of a bin.
const RAMP: i64 = 9 * 60 + 7;
/// Days that are scored.
const SCORED: i64 = 3;

/// The load of every day: 150/s, rising at its ramp within eight minutes to 850/s, four hours there, four hours down.
fn shape(minutes_from_ramp: f64) -> f64 {
    match minutes_from_ramp.rem_euclid(1_440.0) {
        m if m < 8.0 => m / 8.0,
        m if m < 248.0 => 1.0,
        m if m < 488.0 => 1.0 - (m - 248.0) / 240.0,
        _ => 0.0,
    }
}

/// How a history repeats.
#[derive(Debug, Clone, Copy)]
enum Repeats {
    /// Each minute has its own noise; only the shape repeats.
    InShape(u32),
    /// Every day is a copy of the previous day, including the noise.
    EveryDay(u32),
    /// Every week is a copy of the previous one; its days differ in height.
    EveryWeek(u32),
}

/// A number from -1 to 1 that depends only on seed and minute.
fn noise(seed: u32, minute: i64) -> f64 {
    let mut k = (minute as u32).wrapping_mul(7_919).wrapping_add(seed.wrapping_mul(104_729));
    for (shift, factor) in [(16, 0x27D4_EB2D_u32), (15, 0x85EB_CA6B), (13, 1)] {
        k = (k ^ (k >> shift)).wrapping_mul(factor);
    }
    f64::from(k) / f64::from(0x7FFF_FFFF_u32) - 1.0
}

fn load(repeats: Repeats) -> Series {
    let value = |i: i64| {
        let above = shape((i - RAMP) as f64);
        let (height, noise) = match repeats {
            Repeats::InShape(seed) => (700.0, noise(seed, i)),
            Repeats::EveryDay(seed) => (700.0, noise(seed, i % 1_440)),
            Repeats::EveryWeek(seed) => (550.0 + 50.0 * (i / 1_440 % 7) as f64, noise(seed, i % (7 * 1_440))),
        };
        (150.0 + height * above) * (1.0 + 0.03 * noise)
    };
    Series::from_values(START, Step::MINUTE, (0..DAYS * 1_440).map(value))
}

/// Seconds with fewer pods ready than needed, in the ten minutes after each scored ramp starts, and which rule
/// predicted.
fn short_at_ramps(repeats: Repeats, more: &[(&str, &str)]) -> (f64, Vec<Rule>) {
    let keys = [("query", "q"), ("threshold", "50"), ("leadTime", "90s"), ("maxReplicas", "60")];
    let values = keys.iter().chain(more).map(|(k, v)| (String::from(*k), String::from(*v))).collect();
    let policy = Policy::from_keys(&Keys { values, ..Keys::default() }).expect("valid");
    let load = Load::of(&load(repeats));
    let threshold = Threshold::new(50.0).expect("above zero");
    let mut target = Target { twin: TwinConfig::of(&policy), ..Target::new(threshold) };
    let from = START + Span::days(DAYS - SCORED);
    target.from = Some(from);
    let seen = run_forescale(&load, &target, &policy, &[None]).expect("runs").remove(0);
    let mut short = 0.0;
    for rows in seen.run.steps.windows(2) {
        let minute =
            (rows[0].timestamp.since(from).as_seconds() as f64 / 60.0 - RAMP as f64).rem_euclid(1_440.0);
        if minute < 10.0 && rows[0].ready < rows[0].demand {
            short += rows[1].timestamp.since(rows[0].timestamp).as_seconds() as f64;
        }
    }
    let mut rules: Vec<Rule> = seen.views.iter().map(|(_, view)| view.trust.rule).collect();
    rules.dedup();
    (short / SCORED as f64, rules)
}

#[test]
fn a_daily_ramp_is_met_whatever_predicts_it() {
    let mut fallen = Vec::new();
    // Before a plain rule could predict, one in three of such histories was answered reactively.
    for seed in 0..3 {
        for repeats in [Repeats::InShape(seed), Repeats::EveryDay(seed), Repeats::EveryWeek(seed)] {
            // A target of one percent allows 864 s per day, of which the ramp may take half; insurance by quantile
            // must cover every ramp.
            for (more, most) in [(&[][..], 15.0), (&[("underProvisionTarget", "1%")], 432.0)] {
                if seed > 0 && most > 15.0 {
                    continue;
                }
                let (short, rules) = short_at_ramps(repeats, more);
                println!("{repeats:?} {more:?}: {short} s short of 600 a ramp, {rules:?}");
                if short > most || rules.contains(&Rule::Reactive) {
                    fallen.push((repeats, more, short, rules));
                }
            }
        }
    }
    assert!(fallen.is_empty(), "short at the ramp: {fallen:?}");
}

/// Answers by seconds before the last ramp, and the rule that predicted then. Days differ by up to 30 % as a whole,
/// and the ramp starts `phase` seconds after nine o'clock.
fn before_the_ramp(seed: u32, phase: i64) -> Vec<(i64, u32, Rule)> {
    let keys = [("query", "q"), ("threshold", "100"), ("leadTime", "90s"), ("objective", "availability")];
    let values = keys.iter().map(|(k, v)| (String::from(*k), String::from(*v))).collect();
    let policy = Policy::from_keys(&Keys { values, ..Keys::default() }).expect("valid");
    let begins = 9 * 3_600 + phase;
    let value = |minute: i64| {
        let from_ramp = (minute * 60 - begins) as f64 / 60.0;
        let day = ((from_ramp + 720.0) / 1_440.0).floor() as i64;
        let height = if day == DAYS { 1.0 } else { 1.0 + 0.3 * noise(seed, day) };
        height * (150.0 + 700.0 * shape(from_ramp)) * (1.0 + 0.03 * noise(seed + 100, minute))
    };
    let load = Series::from_values(START, Step::MINUTE, (0..DAYS * 1_440 + begins / 60).map(value));
    let ramp = START + Span::seconds(DAYS * 86_400 + begins);
    let signals = vec![SignalTraces { load: Some(load), ..SignalTraces::default() }];
    let first = ramp - Span::seconds(900);
    let mut retold = Retold::new(&policy, Traces { signals, ..Traces::default() }, first);
    let mut told = Vec::new();
    for before in (0..=900).rev().step_by(30) {
        let decision = retold.at(ramp - Span::seconds(before)).expect("a decision");
        let view = decision.forecast.as_ref().expect("a forecast");
        told.push((before, decision.replicas.get(), view.trust.rule));
    }
    told
}

#[test]
fn where_in_the_hour_a_ramp_begins_changes_nothing() {
    let mut fallen = Vec::new();
    for (seed, phase) in (0..3).flat_map(|seed| [30, 90, 150, 210, 270].map(|phase| (seed, phase))) {
        let told = before_the_ramp(seed, phase);
        let most = |from: i64, to: i64| {
            let within = told.iter().filter(|(before, ..)| (to..=from).contains(before));
            within.map(|(_, replicas, _)| *replicas).max().unwrap_or(0)
        };
        let (early, late) = (most(900, 780), most(180, 0));
        // The HPA holds replicas for five minutes: an answer that falls and rises again within them removes no pod.
        let held: Vec<u32> = (0..=600).rev().step_by(30).map(|to| most(to + 300, to)).collect();
        let falls = held.windows(2).map(|two| two[0].saturating_sub(two[1])).max().unwrap_or(0);
        let predicts = told.iter().all(|(.., rule)| *rule == Rule::Forecast);
        println!("seed {seed}, {phase} s: {early} then {late}, falls by {falls}, forecast {predicts}");
        // No window sees the ramp from 13 minutes away; its top needs 9.
        if early > 5 || late < 7 || falls > 1 || !predicts {
            fallen.push((seed, phase, early, late, falls, predicts));
        }
    }
    assert!(fallen.is_empty(), "seed, phase, early, late, falls, forecast: {fallen:?}");
}
