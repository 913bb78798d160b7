//! A source that comes back with part of the load lowers nothing until its query's range has refilled.

use std::sync::Arc;

use crate::decide::{Blind, Contributor, Decision, Prepared, Session, decide};
use crate::history::{Counters, Interruption, Observations, Sample, Series, SignalHistory};
use crate::policy::{Keys, Policy};
use crate::units::{Replicas, Span, Step, Time};

const GAP: f64 = f64::NAN;

fn at(minute: i64) -> Time {
    Time::from_epoch(1_790_985_600 + minute * 60)
}

fn policy(more: &[(&str, &str)]) -> Policy {
    let base = [("query", "sum(rate(requests_total[2m]))"), ("threshold", "34"), ("mode", "reactive")];
    let mut values = std::collections::BTreeMap::new();
    for (key, value) in base.iter().chain(more) {
        values.insert((*key).to_owned(), (*value).to_owned());
    }
    Policy::from_keys(&Keys { values, ..Keys::default() }).expect("valid")
}

fn seen(values: &[f64], newest: (Time, f64)) -> Observations {
    let load = Series::from_values(at(0), Step::MINUTE, values.iter().copied());
    let newest = Some(Sample { at: newest.0, value: newest.1 });
    let signal = SignalHistory { load: Some(Arc::new(load)), newest, ..SignalHistory::default() };
    Observations { signals: vec![signal], ..Observations::none(0, at(-60)) }
}

fn answer(seen: &Observations, policy: &Policy, now: Time) -> Result<Decision, Blind> {
    decide(&Prepared::pending(policy, at(0)), seen, policy, now)
}

fn replicas(seen: &Observations, policy: &Policy, now: Time) -> u32 {
    answer(seen, policy, now).expect("a decision").replicas.get()
}

/// What was recorded: 545 a second, four minutes without Prometheus, then 45 and 297.
fn returned() -> [f64; 9] {
    [545.0, 545.0, 272.0, GAP, GAP, GAP, 45.0, 297.0, 545.0]
}

#[test]
fn a_rate_that_refills_lowers_nothing() {
    for (more, lowest) in [
        (&[][..], 1),
        (&[("mode", "predictive")], 1),
        (&[("minReplicas", "0"), ("activationThreshold", "100")], 0),
        // A sample that was low while the range refilled does not count as an idle minute.
        (&[("minReplicas", "0"), ("scaleToZeroAfter", "1m"), ("activationThreshold", "300")], 1),
    ] {
        let policy = policy(more);
        for minute in [6, 7] {
            let values = &returned()[..=minute];
            let seen = seen(values, (at(minute as i64), values[minute]));
            let decision = answer(&seen, &policy, at(minute as i64)).expect("a decision");
            assert_eq!(decision.replicas.get(), 17, "{more:?}, minute {minute}: {decision}");
            assert!(decision.active() && decision.need(Contributor::Refilling).is_some());
        }
        let after = seen(&returned(), (at(8), 20.0));
        assert_eq!(replicas(&after, &policy, at(8)), lowest, "{more:?}: refilled, the load counts again");
    }
}

#[test]
fn more_load_counts_at_once() {
    let seen = seen(&[545.0, GAP, GAP, 700.0], (at(3), 700.0));
    assert_eq!(replicas(&seen, &policy(&[]), at(3)), 21);
}

#[test]
fn the_values_that_decayed_before_a_gap_are_not_held() {
    let seen = seen(&[545.0, 545.0, 272.0, GAP], (at(2), 272.0));
    assert_eq!(replicas(&seen, &policy(&[]), at(5)), 17, "while the metric is away");
}

#[test]
fn questions_that_failed_and_a_start_of_the_source_hold_what_was_needed() {
    // The outage was shorter than the range, so no slot is missing.
    let values = [545.0, 545.0, 300.0, 100.0];
    let mut seen = seen(&values, (at(3), 100.0));
    assert_eq!(replicas(&seen, &policy(&[]), at(3)), 3);
    seen.signals[0].source_began = Some(at(2));
    assert_eq!(replicas(&seen, &policy(&[]), at(3)), 17);
    seen.signals[0].source_began = None;
    let gap = Interruption { from: Some(at(1)), returned: Some(at(3)), until: Some(at(3)) };
    seen.signals[0].interrupted = Some(gap);
    assert_eq!(replicas(&seen, &policy(&[]), at(3)), 17);
    // A previous answer made by a forecast or a schedule counts as well.
    seen.previous = Replicas::new(25).ok();
    assert_eq!(replicas(&seen, &policy(&[]), at(3)), 25);
    seen.signals[0].interrupted = Some(Interruption { until: None, returned: None, ..gap });
    assert_eq!(replicas(&seen, &policy(&[]), at(3)), 17, "while it is away the schedule goes on");
    seen.signals[0].interrupted = Some(Interruption { until: None, ..gap });
    assert_eq!(replicas(&seen, &policy(&[]), at(3)), 25, "gone again before it had refilled");
}

#[test]
fn a_source_of_which_nothing_is_known_from_before_is_no_evidence() {
    let mut seen = seen(&[GAP, 40.0], (at(1), 40.0));
    seen.signals[0].source_began = Some(at(0));
    assert!(matches!(answer(&seen, &policy(&[]), at(1)), Err(Blind::NoData { .. })));
    seen.previous = Replicas::new(9).ok();
    assert_eq!(replicas(&seen, &policy(&[]), at(1)), 9);
    seen.previous = None;
    let values = [GAP, 40.0, 300.0, 545.0];
    let full = seen_at(&seen, &values, at(3));
    assert_eq!(replicas(&full, &policy(&[]), at(3)), 17, "once it has refilled");
}

fn seen_at(before: &Observations, values: &[f64], now: Time) -> Observations {
    let mut seen = seen(values, (now, values[values.len() - 1]));
    seen.signals[0].source_began = before.signals[0].source_began;
    seen
}

/// A second signal next to a load of 545, which needs 17 replicas.
fn with_second(history: SignalHistory) -> (Observations, Policy) {
    let mut policy = policy(&[]);
    policy.signals.push(policy.signals[0].clone());
    let mut seen = seen(&[545.0; 4], (at(3), 545.0));
    seen.signals.push(history);
    (seen, policy)
}

fn empty() -> SignalHistory {
    SignalHistory { load: Some(Arc::new(Series::new(at(0), Step::MINUTE))), ..SignalHistory::default() }
}

#[test]
fn a_further_signal_that_never_had_data_stops_nobody() {
    let (seen, policy) = with_second(empty());
    let decision = answer(&seen, &policy, at(3)).expect("the first signal decides");
    assert_eq!(decision.replicas.get(), 17);
    let told: Vec<_> = decision.notes.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|note| note.contains("signal 2 of the policy never had a value")), "{told:?}");
    // Nor does it keep a workload awake: it cannot have reported any work.
    let (mut asleep, mut zero) = with_second(empty());
    zero.limits.min = Replicas::ZERO;
    asleep.signals[0] = self::seen(&[0.0; 4], (at(3), 0.0)).signals[0].clone();
    assert_eq!(replicas(&asleep, &zero, at(3)), 0);
}

#[test]
fn a_further_signal_that_is_unknown_is_not_absent() {
    // It was not read, because its source fails.
    let (seen, policy) = with_second(SignalHistory::default());
    assert!(answer(&seen, &policy, at(3)).is_err());
    // Its source has just started, and may have had values before.
    let (seen, policy) = with_second(SignalHistory { source_began: Some(at(2)), ..empty() });
    assert!(answer(&seen, &policy, at(3)).is_err());
    // Its last need is kept, however long ago that was.
    let lost = SignalHistory {
        load: Some(Arc::new(Series::from_values(at(-300), Step::MINUTE, [900.0; 2]))),
        ..SignalHistory::default()
    };
    let (seen, policy) = with_second(lost);
    assert_eq!(replicas(&seen, &policy, at(3)), 27);
    // The workload's own query is not an additional signal.
    let (mut seen, policy) = with_second(empty());
    seen.signals.swap(0, 1);
    assert!(answer(&seen, &policy, at(3)).is_err());
}

#[test]
fn a_target_that_is_away_for_less_than_the_range_lowers_nothing() {
    // 45 seconds without a sample, then a counter that restarts from zero: the query is never empty.
    let decayed = [(6, 420.0), (8, 300.0), (9, 270.0), (16, 500.0)];
    let policy = policy(&[]);
    let begun = at(0) + Span::minutes(3);
    let quarter = |slot: i64| begun + Span::seconds(15 * slot);
    let counters = |until: i64| {
        let mut counters = Counters::new(begun, Step::QUARTER_MINUTE);
        let there = |slot: i64| if (6..9).contains(&slot) { GAP } else { 0.0 };
        let answers = (0..=until).map(there);
        counters.absorb(&Series::from_values(begun, Step::QUARTER_MINUTE, answers));
        Some(Arc::new(counters))
    };
    for (slot, load) in decayed {
        let mut seen = seen(&[545.0; 5], (quarter(slot), load));
        seen.previous = Replicas::new(17).ok();
        assert!(replicas(&seen, &policy, quarter(slot)) < 17, "the query alone does not tell");
        seen.signals[0].counters = counters(slot);
        let decision = answer(&seen, &policy, quarter(slot)).expect("a decision");
        assert_eq!(decision.replicas.get(), 17, "{slot}: {decision}");
        // A server that has just started knows the history.
        seen.previous = None;
        assert_eq!(replicas(&seen, &policy, quarter(slot)), 17, "{slot}");
    }
    let mut full = seen(&[545.0; 5], (quarter(17), 300.0));
    full.signals[0].counters = counters(17);
    full.previous = Replicas::new(17).ok();
    assert_eq!(replicas(&full, &policy, quarter(17)), 9, "refilled: the load counts again");
}

#[test]
fn a_metric_that_comes_and_goes_for_hours_is_held_no_longer_than_max_stale() {
    let mut values = vec![545.0; 10];
    values.extend((0..100).map(|i| if i % 2 == 0 { GAP } else { 60.0 }));
    let mut seen = seen(&values, (at(109), 60.0));
    seen.previous = Replicas::new(17).ok();
    assert_eq!(replicas(&seen, &policy(&[]), at(109)), 2);
}

#[test]
fn a_load_below_its_activation_was_no_need() {
    let policy = policy(&[("minReplicas", "0"), ("activationThreshold", "100")]);
    let seen = seen(&[60.0, 60.0, GAP, GAP, 20.0], (at(4), 20.0));
    assert_eq!(replicas(&seen, &policy, at(4)), 0);
}

#[test]
fn a_queue_with_a_deadline_holds_by_its_arrivals() {
    let policy = policy(&[
        ("signal", "queue"),
        ("query", "depth"),
        ("arrivalQuery", "sum(rate(in[2m]))"),
        ("serviceRate", "10"),
        ("drainWithin", "10m"),
    ]);
    let mut seen = seen(&[0.0; 5], (at(4), 0.0));
    let arrivals = Series::from_values(at(0), Step::MINUTE, [100.0, 100.0, GAP, GAP, 8.0]);
    seen.signals[0].arrivals = Some(Arc::new(arrivals));
    assert_eq!(replicas(&seen, &policy, at(4)), 10);
    // The series of arrivals ends before the newest depth, when its last values are not whole yet.
    seen.signals[0].load = Some(Arc::new(Series::from_values(at(0), Step::MINUTE, [0.0; 7])));
    seen.signals[0].newest = Some(Sample { at: at(6), value: 0.0 });
    let arrivals = Series::from_values(at(0), Step::MINUTE, [100.0, 100.0, GAP, GAP, 8.0]);
    seen.signals[0].arrivals = Some(Arc::new(arrivals));
    assert_eq!(replicas(&seen, &policy, at(6)), 10);
}

#[test]
fn a_deadline_whose_arrivals_are_not_read_again_yet_is_unknown() {
    let policy = policy(&[
        ("signal", "queue"),
        ("query", "depth"),
        ("arrivalQuery", "sum(rate(in[2m]))"),
        ("serviceRate", "10"),
        ("drainWithin", "10m"),
    ]);
    let mut seen = seen(&[0.0; 5], (at(4), 0.0));
    let gap = Interruption { from: None, returned: Some(at(2)), until: Some(at(2)) };
    seen.signals[0].interrupted = Some(gap);
    assert!(matches!(answer(&seen, &policy, at(4)), Err(Blind::NoData { .. })));
    seen.previous = Replicas::new(9).ok();
    assert_eq!(replicas(&seen, &policy, at(4)), 9);
}

#[test]
fn a_load_of_exactly_its_activation_is_quiet_in_stored_precision() {
    let policy = policy(&[
        ("minReplicas", "0"),
        ("activationThreshold", "0.1"),
        ("threshold", "0.1"),
        ("scaleToZeroAfter", "3m"),
    ]);
    let mut seen = seen(&[0.1; 10], (at(9), 0.1));
    let compact = seen.signals[0].load.take().map(|load| Arc::new((*load).clone().compact()));
    seen.signals[0].load = compact;
    assert_eq!(replicas(&seen, &policy, at(9)), 0);
    // Only the stored sample is known.
    seen.signals[0].newest = None;
    assert_eq!(replicas(&seen, &policy, at(9)), 0);
    let three = seen_stored(&[0.3; 10]);
    assert_eq!(replicas(&three, &policy, at(9)), 3);
}

fn seen_stored(values: &[f64]) -> Observations {
    let mut seen = seen(values, (at(9), 0.0));
    seen.signals[0].newest = None;
    let compact = seen.signals[0].load.take().map(|load| Arc::new((*load).clone().compact()));
    seen.signals[0].load = compact;
    seen
}

#[test]
fn load_turned_away_belongs_to_the_first_signal_in_what_is_learned_too() {
    let mut policy = policy(&[("rejectedQuery", "rejected"), ("mode", "predictive")]);
    policy.signals.push(policy.signals[0].clone());
    let days = 8 * 1_440;
    let wave = |i: i64| 200.0 + 100.0 * (i as f64 * std::f64::consts::TAU / 1_440.0).sin();
    let load = Arc::new(Series::from_values(at(0), Step::MINUTE, (0..days).map(wave)));
    let end = load.end().expect("samples");
    let signal = SignalHistory { load: Some(Arc::clone(&load)), ..SignalHistory::default() };
    let mut seen = Observations { signals: vec![signal; 2], ..Observations::none(0, at(0)) };
    let rejected = Series::from_values(at(0), Step::MINUTE, (0..days).map(|_| 1_000.0));
    seen.rejected = Some(Arc::new(rejected));
    let mut session = Session::new(&policy, Span::ZERO, end);
    session.follow(&seen, &policy, end);
    let expected: Vec<f64> = (0..2)
        .map(|i| match &session.prepared().signals[i] {
            crate::decide::SignalPlan::Ready { tracker, .. } => {
                tracker.load(crate::forecast::Rule::Forecast, Span::MINUTE).at(crate::units::Quantile::MEDIAN)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(expected[0] > 1_000.0 && expected[1] < 400.0, "{expected:?}");
}
