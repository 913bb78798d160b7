//! Tests against scores computed by hand.

use proptest::prelude::*;

use super::*;
use crate::history::Series;
use crate::units;
use crate::units::Threshold;

fn minute(n: i64) -> Time {
    Time::from_epoch(n * 60)
}

fn changes(rows: &[(i64, u32)]) -> Vec<Change> {
    rows.iter().map(|&(seconds, replicas)| Change { at: Millis(seconds * 1_000), replicas }).collect()
}

fn measure(until: i64) -> Measure {
    Measure {
        truth: Curve::steady(Threshold::new(10.0).expect("above zero")),
        min_replicas: 1,
        from: minute(0),
        until: minute(until),
        service: Service { capacity: 1.0, patience: 1.0 },
        price: 0.5,
    }
}

fn near(found: f64, want: f64) -> bool {
    (found - want).abs() < 1e-9
}

#[test]
fn a_shortage_and_an_excess_by_hand() {
    // Demand 2, 4, 4, 1 (the minimum), ready 2, 2, 4, 4 at the instants of the samples.
    let series = Series::from_values(minute(0), units::Step::MINUTE, [20.0, 40.0, 31.0, 0.0]);
    let ready = changes(&[(0, 2), (90, 4)]);
    let desired = changes(&[(0, 2), (75, 4)]);
    let run = score(&Load::of(&series), &measure(4), minute(0), &desired, &ready);
    let rows: Vec<_> = run.steps.iter().map(|s| (s.demand, s.desired, s.ready)).collect();
    assert_eq!(rows, [(2, 2, 2), (4, 2, 2), (4, 4, 4), (1, 4, 4)]);
    let card = run.scorecard;
    assert!(near(card.tau_u, 25.0) && near(card.tau_o, 25.0), "{card:?}");
    // Short by 2 of 4 for a quarter of the time; over by 3 of 1 for another.
    assert!(near(card.theta_u, 12.5) && near(card.theta_o, 75.0), "{card:?}");
    assert!(near(card.replica_hours, 12.0 / 60.0) && near(card.demand_hours, 11.0 / 60.0), "{card:?}");
    assert!(near(card.rh_ratio.expect("demand"), 12.0 / 11.0) && near(card.cost, 0.1), "{card:?}");
    // Minute 1 leaves 1,200 requests waiting; at minute 2 the wait is 30 s; minute 3 has no requests.
    assert!(near(card.requests, 91.0 * 60.0) && near(card.slo_violations, 100.0 * 71.0 / 91.0), "{card:?}");
    assert_eq!((card.starts, card.reversals), (2, 0));
}

#[test]
fn steps_longer_than_a_minute_are_scored_by_the_minute() {
    let step = units::Step::new(Span::minutes(5)).expect("a step");
    let series = Series::from_values(minute(0), step, [10.0, 30.0]);
    // The third pod is ready 2 minutes and 10 seconds into the second sample.
    let ready = changes(&[(0, 1), (430, 3)]);
    let run = score(&Load::of(&series), &measure(10), minute(0), &ready, &ready);
    assert!(near(run.scorecard.tau_u, 30.0), "{:?}", run.scorecard);
    let short: Vec<bool> = run.steps.iter().map(|s| s.ready < s.demand).collect();
    assert_eq!(short, [vec![false; 5], vec![true; 3], vec![false; 2]].concat());
    assert_eq!(
        run.steps.iter().map(|s| s.timestamp).collect::<Vec<_>>(),
        (0..10).map(minute).collect::<Vec<_>>()
    );
}

#[test]
fn rows_are_of_equal_length_whatever_the_step() {
    for (step, row) in [(15, 15), (60, 60), (57, 57), (90, 45), (100, 50), (300, 60), (3_600, 60), (61, 1)] {
        assert_eq!(scored_every(Span::seconds(step)), Span::seconds(row), "{step} s");
    }
}

#[test]
fn gaps_and_what_lies_outside_are_not_scored() {
    let series = Series::from_values(minute(0), units::Step::MINUTE, [90.0, 10.0, f64::NAN, 10.0, 90.0]);
    let one = changes(&[(0, 1)]);
    let inner = Measure { from: minute(1), until: minute(4), ..measure(0) };
    let run = score(&Load::of(&series), &inner, minute(0), &one, &one);
    assert_eq!(run.steps.len(), 2);
    assert!(near(run.scorecard.tau_u, 0.0) && near(run.scorecard.replica_hours, 2.0 / 60.0));
}

#[test]
fn zero_demand_counts_idle_replicas_whole() {
    let series = Series::from_values(minute(0), units::Step::MINUTE, [0.0, 0.0]);
    let zero = Measure { min_replicas: 0, ..measure(2) };
    let run = score(&Load::of(&series), &zero, minute(0), &changes(&[(0, 2)]), &changes(&[(0, 2)]));
    assert!(near(run.scorecard.theta_o, 200.0) && run.scorecard.rh_ratio.is_none());
}

#[test]
fn events_starts_and_reversals() {
    let series = Series::from_values(minute(0), units::Step::MINUTE, vec![10.0; 1_440]);
    // Up, up, down within 10 min (a reversal), up later than that, and a change after the end.
    let desired = changes(&[(0, 1), (60, 3), (90, 5), (660, 2), (1_500, 3), (90_000, 9)]);
    let card = score(&Load::of(&series), &measure(1_440), minute(0), &desired, &desired).scorecard;
    assert!(near(card.events_per_day, 4.0), "{card:?}");
    assert_eq!((card.starts, card.reversals), (5, 1));
}

#[test]
fn an_empty_load_has_an_empty_score() {
    let series = Series::new(minute(0), units::Step::MINUTE);
    let run = score(&Load::of(&series), &measure(10), minute(0), &[], &[]);
    assert!(run.steps.is_empty() && run.scorecard.tau_u == 0.0 && run.scorecard.events_per_day == 0.0);
}

proptest! {
    #[test]
    fn shares_are_shares_and_sums_agree(
        loads in proptest::collection::vec(0.0..200.0, 1..60),
        ready in proptest::collection::vec((0..12_000_i64, 0..30_u32), 0..60),
        step in proptest::sample::select(vec![15, 57, 60, 90, 300, 420, 600, 3_600]),
    ) {
        let minutes = loads.len() as i64 * step / 60 + 1;
        let step = units::Step::new(Span::seconds(step)).expect("a step");
        let series = Series::from_values(minute(0), step, loads);
        let mut rows = ready;
        rows.sort_unstable();
        let run = score(&Load::of(&series), &measure(minutes), minute(0), &changes(&rows), &changes(&rows));
        let card = run.scorecard;
        prop_assert!(card.tau_u >= 0.0 && card.tau_o >= 0.0 && card.tau_u + card.tau_o <= 100.0 + 1e-9);
        prop_assert!((0.0..=100.0).contains(&card.theta_u) && card.theta_u <= card.tau_u + 1e-9);
        prop_assert!((0.0..=100.0 + 1e-9).contains(&card.slo_violations));
        // The mean over the rows gives the score again, since all have the same weight.
        let mean = |of: fn(f64, f64) -> f64| {
            let each = run.steps.iter().map(|s| of(f64::from(s.demand), f64::from(s.ready)));
            each.sum::<f64>() / run.steps.len() as f64
        };
        let hours = (run.steps.len() as i64 * scored_every(step.span()).as_seconds()) as f64 / 3_600.0;
        for (found, want) in [
            (100.0 * mean(|d, s| f64::from(u8::from(s < d))), card.tau_u),
            (100.0 * mean(|d, s| f64::from(u8::from(s > d))), card.tau_o),
            (100.0 * mean(|d, s| (d - s).max(0.0) / d.max(1.0)), card.theta_u),
            (100.0 * mean(|d, s| (s - d).max(0.0) / d.max(1.0)), card.theta_o),
            (hours * mean(|_, s| s), card.replica_hours),
            (hours * mean(|d, _| d), card.demand_hours),
        ] {
            prop_assert!((found - want).abs() < 1e-6, "{found} and {want}: {card:?}");
        }
    }
}
