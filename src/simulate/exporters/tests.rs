//! A week with a rollout that halves the load one replica carries: tests what learning it is worth, and that no
//! replica is removed around the rollout.

use crate::policy::{Keys, Policy};
use crate::simulate::{Curve, Load, Scorecard, Target, TwinConfig, run_forescale};
use crate::units::{Span, Step, Threshold, Time};

/// A Monday.
const BEGIN: Time = Time::from_epoch(1_772_409_600);

fn threshold(load: f64) -> Threshold {
    Threshold::new(load).expect("above zero")
}

fn policy(capacity: &str) -> Policy {
    let keys = [
        ("query", "load"),
        ("threshold", "100"),
        ("minReplicas", "3"),
        ("leadTime", "1m"),
        ("capacity", capacity),
    ];
    let values = keys.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    Policy::from_keys(&Keys { values, ..Keys::default() }).expect("valid")
}

/// Three weeks of minutes: 40 by night and 1 500 by day, with some noise.
fn load() -> Load {
    let minute = |m: i64| {
        let day = 0.5 - 0.5 * (m as f64 / 1_440.0 * std::f64::consts::TAU).cos();
        (40.0 + 1_460.0 * day) * (1.0 + 0.05 * ((m * 7_919 % 101) as f64 / 101.0 - 0.5))
    };
    let series = crate::history::Series::from_values(BEGIN, Step::MINUTE, (0..21 * 1_440).map(minute));
    Load::of(&series)
}

/// Runs the last week; returns the score and every change of the load per replica that was used.
fn week(policy: &Policy, truth: Curve) -> (Scorecard, Vec<(Time, f64)>) {
    let load = load();
    let week = Span::days(7);
    let target = Target {
        twin: TwinConfig::of(policy),
        truth: Some(truth),
        from: Some(load.end() - week),
        // It learns from the replicas of the two weeks before.
        warm_up: Span::days(14),
        ..Target::new(threshold(100.0))
    };
    let found = run_forescale(&load, &target, policy, &[None]).expect("a good configuration").remove(0);
    (found.run.scorecard, found.used.iter().map(|(at, used)| (*at, used.get())).collect())
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what the test is read for")]
fn learning_a_halved_capacity_halves_the_time_short() {
    // On the second day of the week, at ten.
    let rollout = BEGIN + Span::days(15) + Span::hours(10);
    let truth =
        || Curve::new(vec![(Time::MIN, threshold(100.0)), (rollout, threshold(50.0))]).expect("two parts");
    let (fixed, _) = week(&policy("off"), truth());
    let (learned, used) = week(&policy("auto"), truth());
    println!(
        "short {:.2} % with the threshold as given, {:.2} % learned; {used:?}",
        fixed.tau_u, learned.tau_u
    );
    assert!(fixed.tau_u > 20.0, "{fixed:?}");
    assert!(learned.tau_u <= fixed.tau_u / 2.0, "{} {}", learned.tau_u, fixed.tau_u);
    let last = used.last().expect("learned").1;
    assert!((last - 50.0).abs() < 2.5, "{used:?}");
    assert!(used.iter().all(|(_, load)| (50.0 - 1e-9..=200.0).contains(load)), "{used:?}");
    let hour = used.windows(2).filter(|pair| pair[1].0 >= rollout && pair[1].0 < rollout + Span::HOUR);
    for pair in hour {
        assert!(pair[1].1 <= pair[0].1, "a step towards fewer replicas around the rollout: {pair:?}");
    }
}

#[test]
fn a_doubled_capacity_is_used_step_by_step_and_not_around_the_rollout() {
    // Just before a fit: its step would be used within the hour.
    let rollout = BEGIN + Span::days(15) + Span::hours(11) + Span::minutes(40);
    let parts = vec![(Time::MIN, threshold(100.0)), (rollout, threshold(160.0))];
    let (card, used) = week(&policy("auto"), Curve::new(parts).expect("two parts"));
    for pair in used.windows(2) {
        let [(_, before), (at, now)] = pair else { continue };
        assert!(*now <= 1.1 * before * 1.01, "{used:?}");
        let around = *at >= rollout && *at < rollout + Span::HOUR;
        assert!(!around || now <= before, "{used:?}");
    }
    let last = used.last().expect("learned").1;
    assert!((last - 160.0).abs() < 4.0, "{used:?}");
    assert!(card.tau_u < 2.0, "{card:?}");
}
