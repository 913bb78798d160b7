//! Properties that must hold for every decision, whatever was observed.

use std::sync::Arc;

use forescale::decide::{
    Circumstances, Decision, Prepared, Recording, Session, SignalTraces, Traces, decide, prepare,
};
use forescale::forecast::FitError;
use forescale::history::{Observations, Sample, Series, SignalHistory};
use forescale::plan::Insured;
use forescale::policy::{Keys, Policy};
use forescale::units::{Quantile, Replicas, Span, Step, Time};
use proptest::prelude::*;

/// 2026-10-03T00:00:00Z, a Saturday.
const START: i64 = 1_790_985_600;

fn policy(pairs: &[(&str, &str)]) -> Policy {
    let values = [("query", "load"), ("threshold", "10")].iter().chain(pairs);
    let values = values.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Policy::from_keys(&Keys { values, ..Keys::default() }).expect("a valid policy")
}

fn minute(m: i64) -> Time {
    Time::from_epoch(START + m * 60)
}

/// Several days of a daily wave with seeded noise.
fn wave(days: i64, seed: u64) -> Series {
    let value = |m: i64| {
        let day = (std::f64::consts::TAU * (m % 1_440) as f64 / 1_440.0).sin().max(-0.5);
        let noise = (m.unsigned_abs().wrapping_mul(seed | 1).wrapping_mul(0x9E37_79B9) >> 7) % 13;
        60.0 + 50.0 * day + noise as f64
    };
    Series::from_values(minute(0), Step::MINUTE, (0..days * 1_440).map(value))
}

fn seen(load: Series, newest: Option<f64>) -> Observations {
    let at = load.end().unwrap_or(minute(0)) + Span::seconds(30);
    let newest = newest.map(|value| Sample { at, value });
    let signal = SignalHistory { load: Some(Arc::new(load)), newest, ..SignalHistory::default() };
    Observations { signals: vec![signal], ..Observations::none(1, minute(0)) }
}

/// Any number that a broken exporter could send, and many valid ones.
fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => 0.0..500.0f64,
        1 => Just(0.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(-5.0),
        1 => Just(1e300),
        1 => Just(f64::MIN_POSITIVE),
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let mode = prop_oneof![Just("predictive"), Just("shadow"), Just("reactive")];
    let kind = prop_oneof![Just("rate"), Just("queue")];
    (mode, kind, 0u32..6, 0u32..40, 1u32..5, 0u32..3).prop_map(|(mode, kind, min, more, step, overridden)| {
        let (low, high, step) = (min.to_string(), (min.max(1) + more).to_string(), step.to_string());
        let counts =
            if step == "4" { ("replicaTiers", "1,2,3,4,5,9,27") } else { ("replicaStep", step.as_str()) };
        let mut pairs = vec![
            ("mode", mode),
            ("signal", kind),
            ("minReplicas", low.as_str()),
            ("maxReplicas", high.as_str()),
            counts,
            ("spareReplicas", ["0", "2", "34%"][more as usize % 3]),
            ("errorQuery", "e"),
            ("rejectedQuery", "r"),
            ("replicasQuery", "n"),
            ("inFlightQuery", "i"),
            ("leadTime", "auto"),
        ];
        if overridden == 0 {
            pairs.push(("override", "replicas=77 until=2030-01-01T00:00:00Z reason=test"));
        }
        policy(&pairs)
    })
}

/// Observations with gaps and invalid values in every series.
fn any_observations() -> impl Strategy<Value = Observations> {
    let tail = || proptest::collection::vec(any_value(), 0..120);
    (tail(), tail(), tail(), tail(), any_value(), any_value(), any::<bool>(), 0i64..200).prop_map(
        |(load, errors, rejected, running, newest, in_flight, long, skew)| {
            let mut series = if long { wave(3, 5) } else { Series::new(minute(0), Step::MINUTE) };
            load.into_iter().for_each(|v| series.push(v));
            let end = series.end().unwrap_or(minute(0));
            let context = |values: Vec<f64>| {
                let from = end - Span::minutes(values.len() as i64);
                (!values.is_empty()).then(|| Arc::new(Series::from_values(from, Step::MINUTE, values)))
            };
            let mut all = seen(series, Some(newest));
            all.errors = context(errors.into_iter().map(|v| v / 500.0).collect());
            all.rejected = context(rejected);
            all.replicas = context(running);
            all.in_flight = Some(Sample { at: end, value: in_flight });
            all.clock_skew = Span::seconds(skew);
            all.previous = Some(Replicas::covering(3.0));
            all
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn decisions_are_total_pure_and_within_the_limits(policy in any_policy(), seen in any_observations()) {
        let now = seen.signals[0].load.as_ref().and_then(|l| l.end()).unwrap_or(minute(0)) + Span::seconds(45);
        let prepared = prepare(&seen, &policy, now - Span::HOUR).follow(&seen, &policy);
        let answer = decide(&prepared, &seen, &policy, now);
        let again = prepare(&seen, &policy, now - Span::HOUR).follow(&seen, &policy);
        prop_assert_eq!(&answer, &decide(&again, &seen, &policy, now));
        if let Ok(decision) = answer {
            prop_assert!(decision.replicas <= policy.limits.max && decision.predictive <= policy.limits.max);
            let floor = if policy.r#override.is_some() { Replicas::ZERO } else { policy.limits.min };
            prop_assert!(decision.replicas >= floor);
            prop_assert_eq!(decision.active(), decision.replicas >= Replicas::ONE);
        }
    }

    #[test]
    fn the_answer_never_falls_with_more_load_now(a in 0.0..2_000.0f64, b in 0.0..2_000.0f64, skew in 1.0..9.0f64) {
        let policy = policy(&[("replicasQuery", "n"), ("replicaStep", "3"), ("minReplicas", "0")]);
        let load = wave(4, 11);
        let running = Series::from_values(minute(0), Step::MINUTE, [skew.floor() * 5.0]);
        let ask = |value: f64| {
            let mut seen = seen(load.clone(), Some(value));
            seen.replicas = Some(Arc::new(running.clone()));
            let prepared = prepare(&seen, &policy, minute(4 * 1_440 - 60)).follow(&seen, &policy);
            decide(&prepared, &seen, &policy, minute(4 * 1_440)).map(|d| d.replicas)
        };
        prop_assert!(ask(a.min(b))? <= ask(a.max(b))?);
    }

    #[test]
    fn the_answer_never_falls_with_more_insurance(a in 0.5..0.999f64, b in 0.5..0.999f64, at in 2_000i64..5_600) {
        let policy = policy(&[]);
        let seen = seen(wave(4, 3).window(minute(-1), minute(at)), None);
        let prepared = prepare(&seen, &policy, minute(at - 100)).follow(&seen, &policy);
        let insured = |q: f64| prepared.insured(Insured::Quantile(Quantile::new(q).expect("valid")));
        let ask = |q: f64| decide(&insured(q), &seen, &policy, minute(at));
        let (low, high) = (ask(a.min(b))?, ask(a.max(b))?);
        let reactive = forescale::decide::Contributor::Reactive;
        prop_assert_eq!(low.need(reactive), high.need(reactive));
        // The rule that predicts is chosen by the nearest level with evidence, which two quantiles need not share.
        let rule = |d: &Decision| d.forecast.as_ref().map(|view| view.trust.rule);
        prop_assume!(rule(&low) == rule(&high));
        prop_assert!(low.replicas <= high.replicas);
    }

    #[test]
    fn errors_only_hold_more(
        share in 0.0..1.0f64,
        now in 0.0..200.0f64,
        mode in prop_oneof![Just("reactive"), Just("predictive")],
    ) {
        let policy = policy(&[("errorQuery", "e"), ("mode", mode)]);
        let load = wave(3, 7);
        let mut seen = seen(load.clone(), Some(now));
        let prepared = prepare(&seen, &policy, minute(3 * 1_440 - 60)).follow(&seen, &policy);
        let ask = |seen: &Observations| decide(&prepared, seen, &policy, minute(3 * 1_440)).map(|d| d.replicas);
        let calm = ask(&seen)?;
        let at = load.end().expect("samples");
        seen.errors = Some(Arc::new(Series::from_values(at, Step::MINUTE, [share])));
        prop_assert!(calm <= ask(&seen)?);
    }

    #[test]
    fn nothing_that_is_no_load_makes_it_inactive(
        value in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-1.0)],
        n in 1usize..200,
    ) {
        // Busy so far; then the exporter, or every other query, returns invalid values.
        let policy = policy(&[("minReplicas", "0"), ("inFlightQuery", "i"), ("errorQuery", "e")]);
        let mut load = Series::from_values(minute(0), Step::MINUTE, [80.0; 300]);
        (0..n).for_each(|_| load.push(value));
        let mut seen = seen(load, Some(value));
        seen.in_flight = Some(Sample { at: minute(300), value });
        let now = minute(300 + n as i64);
        let answer = decide(&prepare(&seen, &policy, minute(300)), &seen, &policy, now);
        prop_assert!(answer.is_err() || answer.is_ok_and(|d| d.active()));
        // Without any history there is no answer at all.
        let mut none = Observations::none(1, minute(0));
        none.signals[0].newest = Some(Sample { at: now, value });
        prop_assert!(decide(&prepare(&none, &policy, minute(0)), &none, &policy, now).is_err());
    }
}

#[test]
fn without_a_question_in_flight_or_not_an_unread_answer_is_no_zero() {
    let policy = policy(&[("minReplicas", "0"), ("inFlightQuery", "i"), ("mode", "reactive")]);
    let idle = seen(Series::from_values(minute(0), Step::MINUTE, [0.0; 300]), Some(0.0));
    let none = Prepared::pending(&policy, minute(0));
    let decision = decide(&none, &idle, &policy, minute(300)).expect("a decision");
    assert!(decision.active(), "{decision}");
    assert!(FitError::TooShort { have: 0, need: 10 }.to_string().contains("expected at least"));
}

#[test]
fn a_restart_or_a_second_replica_gives_the_identical_week() {
    let policy = policy(&[("historyTimeWindow", "7d"), ("errorQuery", "e")]);
    let mut load = wave(15, 9).values();
    // A gap, a level shift and a burst, so that the adaptive state has something to remember.
    load[12 * 1_440..12 * 1_440 + 40].fill(f64::NAN);
    load[13 * 1_440..].iter_mut().for_each(|v| *v *= 1.6);
    load[10 * 1_440 + 600..10 * 1_440 + 620].fill(700.0);
    let load = Series::from_values(minute(0), Step::MINUTE, load);
    let traces = Traces {
        signals: vec![SignalTraces { load: Some(load), ..SignalTraces::default() }],
        ..Traces::default()
    };
    let down = vec![(minute(11 * 1_440 + 500), minute(11 * 1_440 + 530))];
    let recording = Recording::new(&policy, traces, Circumstances { down, ..Circumstances::default() });
    let phase = Span::minutes(137);
    let (from, to) = (minute(8 * 1_440), minute(15 * 1_440));
    let mut first = Session::new(&policy, phase, from);
    let mut second = Session::new(&policy, phase, from);
    let (mut at, mut compared, mut begun) = (from, 0, from);
    while at < to {
        // The second process restarts every 7 h 13 min, even while nothing can be read.
        if at.since(begun).as_seconds() >= 25_980 {
            (second, begun) = (Session::new(&policy, phase, at), at);
        }
        let one = first.step(&recording.known_at(&policy, phase, from, at), &policy, at);
        let two = second.step(&recording.known_at(&policy, phase, begun, at), &policy, at);
        if two.is_ok() {
            assert_eq!(one, two, "at {at}, restarted at {begun}");
            compared += 1;
        }
        at = at + Span::minutes(2);
    }
    assert!(compared > 5_000, "{compared} decisions compared");
}
