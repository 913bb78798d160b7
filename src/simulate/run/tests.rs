//! Tests of strategies in the twin: properties common to all, and what each is known for.

use std::sync::LazyLock;
use std::time::Instant;

use super::*;
use crate::history::{Calendar, Series};
use crate::simulate::{MATCHED_TAU_U, PodTiming, SWEEP, Simple, matched};
use crate::units::{Dice, Step};

/// A Monday.
const MONDAY: Time = Time::from_epoch(1_767_571_200);

/// Several days of a load with a daily wave between `low` and `high` and seeded noise of 3 %.
fn waves(days: usize, low: f64, high: f64) -> Load {
    let mut dice = Dice::new(11);
    let values = (0..days * 1_440).map(|minute| {
        let phase = minute as f64 / 1_440.0 * std::f64::consts::TAU;
        let wave = low + (high - low) * (0.5 - 0.5 * phase.cos());
        (wave * (1.0 + 0.03 * dice.normal())).max(0.0)
    });
    Load::of(&Series::from_values(MONDAY, Step::MINUTE, values))
}

fn target() -> Target {
    let mut target = Target::new(Threshold::new(10.0).expect("above zero"));
    target.twin.pods = PodTiming { ready: Millis(90_000), spread: 0.3, ..PodTiming::default() };
    target
}

fn built<'a>(simple: Simple, load: &'a Load, target: &'a Target, insurance: f64) -> Box<dyn Strategy + 'a> {
    static UTC: LazyLock<Calendar> = LazyLock::new(Calendar::utc);
    simple.study(load, target, &UTC).insured(insurance)
}

#[test]
fn a_constant_load_is_held_exactly() {
    let load = Load::of(&Series::from_values(MONDAY, Step::MINUTE, vec![55.0; 3 * 1_440]));
    let target = Target { from: Some(MONDAY + Span::days(2)), ..target() };
    for simple in Simple::ALL.into_iter().filter(|&s| s != Simple::Headroom) {
        let card = run(&load, &target, &mut *built(simple, &load, &target, 1.0)).expect("valid").scorecard;
        assert_eq!((card.tau_u, card.rh_ratio, card.starts), (0.0, Some(1.0), 0), "{}", simple.name());
        assert_eq!(card.slo_violations, 0.0);
    }
}

#[test]
fn foresight_is_never_short_and_costs_the_least_at_equal_shortage() {
    let load = waves(9, 20.0, 200.0);
    let target = Target { from: Some(MONDAY + Span::days(8)), ..target() };
    let oracle = run(&load, &target, &mut *built(Simple::Oracle, &load, &target, 1.0)).expect("valid");
    assert!(oracle.scorecard.tau_u < 0.2, "{:?}", oracle.scorecard);
    let reactive = run(&load, &target, &mut *built(Simple::Reactive, &load, &target, 1.0)).expect("valid");
    assert!(reactive.scorecard.tau_u > 5.0, "{:?}", reactive.scorecard);
    let cost = |simple| {
        let build = |insurance| built(simple, &load, &target, insurance);
        matched(&load, &target, &SWEEP, build).expect("valid").matched
    };
    let bound = cost(Simple::Oracle).expect("foresight reaches the level");
    for simple in Simple::ALL {
        let cost = cost(simple).expect("a regular load is within reach of all");
        assert!(cost >= bound, "{}: {cost} below {bound} at {MATCHED_TAU_U} %", simple.name());
    }
}

#[test]
fn more_insurance_is_never_shorter_of_replicas_by_much() {
    let load = waves(9, 20.0, 200.0);
    let target = Target { from: Some(MONDAY + Span::days(8)), ..target() };
    for simple in Simple::ALL {
        let build = |insurance| built(simple, &load, &target, insurance);
        let frontier = matched(&load, &target, &[0.8, 1.0, 1.25, 1.6, 2.0], build).expect("valid");
        for pair in frontier.points.windows(2) {
            let (less, more) = (pair[0].scorecard, pair[1].scorecard);
            assert!(more.tau_u <= less.tau_u + 0.2, "{}: {less:?} {more:?}", simple.name());
            assert!(more.replica_hours >= less.replica_hours - 0.5, "{}", simple.name());
        }
    }
}

#[test]
fn an_idle_workload_goes_to_zero_and_comes_back() {
    let values = (0..2 * 1_440).map(|m| if m % 1_440 < 720 { 30.0 } else { 0.0 });
    let load = Load::of(&Series::from_values(MONDAY, Step::MINUTE, values));
    let mut target = Target { from: Some(MONDAY + Span::DAY), ..target() };
    target.twin.min_replicas = 0;
    target.twin.pods.from_zero = Millis(30_000);
    let reactive = run(&load, &target, &mut *built(Simple::Reactive, &load, &target, 1.0)).expect("valid");
    let last = reactive.steps.last().expect("steps");
    assert_eq!((last.demand, last.desired, last.ready), (0, 0, 0));
    assert!(reactive.scorecard.slo_violations > 0.0);
    // With perfect foresight it is woken before the load arrives.
    let oracle = run(&load, &target, &mut *built(Simple::Oracle, &load, &target, 1.0)).expect("valid");
    assert!(oracle.scorecard.tau_u < 0.1, "{:?}", oracle.scorecard);
}

#[test]
fn a_strategy_that_fails_leaves_the_replicas_alone() {
    struct Fails;
    impl Strategy for Fails {
        fn wants(&mut self, _: &Moment<'_>) -> Option<f64> {
            None
        }
    }
    let load = waves(2, 20.0, 200.0);
    let run = run(&load, &target(), &mut Fails).expect("valid");
    assert_eq!(run.scorecard.events_per_day, 0.0);
    assert_eq!(run.steps.len(), 2 * 1_440);
}

#[test]
fn what_really_ran_is_scored_by_the_same_measure() {
    let load = Load::of(&Series::from_values(MONDAY, Step::MINUTE, vec![20.0; 6]));
    let replicas =
        Series::from_values(MONDAY - Span::MINUTE, Step::MINUTE, [1.0, 1.0, f64::NAN, 2.0, 2.0, 3.0]);
    let run = ran(&load, &target(), &replicas);
    assert_eq!(run.steps.iter().map(|s| s.ready).collect::<Vec<_>>(), [1, 1, 2, 2, 3, 3]);
    assert_eq!((run.scorecard.starts, run.scorecard.rh_ratio), (2, Some(1.0)));
}

#[test]
fn only_foresight_sees_ahead() {
    let series = |then: f64| {
        let known = (0..16 * 1_440).map(|i| if i % 1_440 < 720 { 30.0 } else { 90.0 });
        Load::of(&Series::from_values(MONDAY, Step::MINUTE, known.chain([then; 720])))
    };
    let (one, other) = (series(300.0), series(10.0));
    let target = Target { from: Some(MONDAY + Span::days(15)), ..target() };
    for simple in Simple::ALL.into_iter().filter(|&simple| simple != Simple::Oracle) {
        let desired = |load| {
            let run = run(load, &target, &mut *built(simple, load, &target, 1.0)).expect("valid");
            run.steps.into_iter().take(1_440).map(|step| step.desired).collect::<Vec<_>>()
        };
        assert_eq!(desired(&one), desired(&other), "{}", simple.name());
    }
}

#[test]
fn models_are_ahead_of_a_daily_rise() {
    // Flat by night and by day, with a rise within an hour: a strategy that knows the season is ready before it.
    let rise = |minute: usize| 40.0 + 4.0 * (minute as f64 - 480.0).clamp(0.0, 60.0);
    let values = (0..10 * 1_440).map(|i| if i % 1_440 < 1_080 { rise(i % 1_440) } else { 40.0 });
    let load = Load::of(&Series::from_values(MONDAY, Step::MINUTE, values));
    let mut target = Target { from: Some(MONDAY + Span::days(9)), ..target() };
    // Otherwise the last replicas of the rise are within the tolerance and are never added.
    target.twin.hpa.tolerance = 0.0;
    let short = |simple| {
        run(&load, &target, &mut *built(simple, &load, &target, 1.0)).expect("valid").scorecard.tau_u
    };
    let reactive = short(Simple::Reactive);
    for simple in [Simple::HoltWinters, Simple::Mstl] {
        let tau_u = short(simple);
        assert!(tau_u < 0.5 * reactive, "{}: {tau_u}, reactive {reactive}", simple.name());
    }
}

#[test]
fn the_same_twice() {
    let load = waves(3, 20.0, 200.0);
    let once = || run(&load, &target(), &mut *built(Simple::Naive, &load, &target(), 1.0)).expect("valid");
    assert_eq!(once(), once());
}

#[test]
#[allow(clippy::disallowed_methods, reason = "measures the simulation, which itself has no clock")]
fn four_weeks_of_minutes_are_quick() {
    let load = waves(36, 20.0, 200.0);
    let target = Target { from: Some(MONDAY + Span::days(8)), ..target() };
    for simple in Simple::ALL {
        let mut strategy = built(simple, &load, &target, 1.0);
        let begin = Instant::now();
        let run = run(&load, &target, &mut *strategy).expect("valid");
        let took = begin.elapsed();
        assert_eq!(run.steps.len(), 28 * 1_440);
        // The budget is 200 ms; a shared machine may be busy, so the test only catches a different order of
        // magnitude.
        assert!(took.as_millis() < 2_000, "{}: {took:?}", simple.name());
        #[expect(clippy::print_stdout, reason = "the figure is what the test is read for")]
        {
            println!("{}: {took:?} {:?}", simple.name(), run.scorecard);
        }
    }
}
