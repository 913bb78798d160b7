//! Tests of the whole twin: properties that hold for any answers, and rules that the recordings do not cover.

use proptest::prelude::*;

use super::*;
use crate::simulate::{
    Amount, Behavior, Fallback, FallbackBehavior, MetricType, Pause, PodTiming, Policy, Row, Rules,
    ScalerResponse, Select, Timeline, Trigger,
};

const HOUR: Millis = Millis(3_600_000);

fn row(seconds: f64, value: Option<f64>, active: bool, target: Option<f64>) -> Row {
    let answer = ScalerResponse { value, active: value.map(|_| active), target };
    Row { from: Millis::from_secs(seconds), answer }
}

fn steps(rows: &[(f64, f64)]) -> Timeline {
    Timeline::new(vec![rows.iter().map(|&(t, v)| row(t, Some(v), true, Some(1.0))).collect()])
}

fn desired(config: TwinConfig, mut scaler: Timeline, until: Millis) -> Vec<(i64, u32)> {
    let mut twin = Twin::new(config).expect("a valid configuration");
    twin.advance(&mut scaler, until);
    twin.desired().iter().map(|change| (change.at.0, change.replicas)).collect()
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let policy = (any::<bool>(), 0..200_u32, 1..1_800_i64).prop_map(|(pods, n, s)| Policy {
        amount: if pods { Amount::Pods(n) } else { Amount::Percent(n) },
        period: Millis(s * 1_000),
    });
    let select = prop_oneof![Just(Select::Max), Just(Select::Min), Just(Select::Disabled)];
    (
        proptest::option::of(0..3_600_i64),
        proptest::option::of(select),
        proptest::option::of(proptest::collection::vec(policy, 1..4)),
        proptest::option::of(0.0..1.0),
    )
        .prop_map(|(window, select, policies, tolerance)| Rules {
            stabilization: window.map(|s| Millis(s * 1_000)),
            select,
            policies,
            tolerance,
        })
}

fn any_config() -> impl Strategy<Value = TwinConfig> {
    let behavior = (any_rules(), any_rules());
    let behavior = behavior.prop_map(|(scale_up, scale_down)| Behavior { scale_up, scale_down });
    let fallback = (0..4_u32, 0..40_u32).prop_map(|(failure_threshold, replicas)| Fallback {
        failure_threshold,
        replicas,
        behavior: FallbackBehavior::CurrentReplicasIfHigher,
    });
    let limits = (0..5_u32, 5..60_u32, 0..80_u32, any::<bool>(), any::<bool>());
    let rest = (proptest::option::of(behavior), proptest::option::of(fallback), 0..60_000_i64, any::<u64>());
    (limits, rest).prop_map(|((min, max, initial, value, idle), (behavior, fallback, ready, seed))| {
        TwinConfig {
            min_replicas: min,
            max_replicas: max,
            idle_replicas: (idle && min > 0).then_some(0),
            initial_replicas: initial,
            cooldown: Millis(60_000),
            behavior,
            fallback,
            triggers: vec![Trigger {
                metric_type: if value { MetricType::Value } else { MetricType::AverageValue },
                push: true,
                cached: false,
            }],
            pods: PodTiming { ready: Millis(ready), spread: 0.4, ..PodTiming::default() },
            seed,
            ..TwinConfig::default()
        }
    })
}

fn any_answers() -> impl Strategy<Value = Timeline> {
    let value = prop_oneof![4 => (0.0..70.0).prop_map(Some), 1 => Just(None), 1 => Just(Some(f64::NAN)),
        1 => Just(Some(1e300)), 1 => Just(Some(-5.0))];
    let target = prop_oneof![8 => Just(Some(1.0)), 1 => Just(None), 1 => Just(Some(0.0))];
    let rows = proptest::collection::vec((0.0..3_000.0, value, any::<bool>(), target), 1..30);
    rows.prop_map(|rows| {
        Timeline::new(vec![
            rows.into_iter().map(|(t, v, active, target)| row(t, v, active, target)).collect(),
        ])
    })
}

proptest! {
    #[test]
    fn replicas_stay_within_the_limits(config in any_config(), answers in any_answers()) {
        let (min, max) = (config.min_replicas, config.max_replicas);
        let zero = min == 0 || config.idle_replicas == Some(0);
        for (at, replicas) in desired(config, answers, HOUR).into_iter().skip(1) {
            let within = (min.max(1)..=max).contains(&replicas) || (zero && replicas == 0);
            prop_assert!(within, "{replicas} at {at}");
        }
    }

    #[test]
    fn the_same_again_and_in_pieces(config in any_config(), answers in any_answers()) {
        let mut pieces = Twin::new(config.clone()).expect("a valid configuration");
        for minute in 1..=60 {
            pieces.advance(&mut answers.clone(), Millis(minute * 60_000));
        }
        let mut whole = Twin::new(config).expect("a valid configuration");
        whole.advance(&mut answers.clone(), HOUR);
        prop_assert_eq!(whole.desired(), pieces.desired());
        prop_assert_eq!(whole.ready(), pieces.ready());
    }

    /// Without a tolerance and without stabilization windows, more load at every instant never means fewer replicas.
    #[test]
    fn more_load_never_means_fewer_replicas(
        loads in proptest::collection::vec((1.0..50.0, 1.0..3.0), 1..40),
    ) {
        let none = Rules { stabilization: Some(Millis::ZERO), tolerance: Some(0.0), ..Rules::default() };
        let behavior = Behavior { scale_up: none.clone(), scale_down: none };
        let config = TwinConfig { behavior: Some(behavior), ..TwinConfig::default() };
        let rows = |more: bool| {
            let each = loads.iter().enumerate();
            let each = each.map(|(i, &(v, f))| (i as f64 * 40.0, if more { v * f } else { v }));
            steps(&each.collect::<Vec<_>>())
        };
        let (less, more) = (desired(config.clone(), rows(false), HOUR), desired(config, rows(true), HOUR));
        let at = |log: &[(i64, u32)], t: i64| log[log.partition_point(|c| c.0 <= t) - 1].1;
        for t in (0..3_600_000).step_by(5_000) {
            prop_assert!(at(&less, t) <= at(&more, t), "at {}", t);
        }
    }
}

#[test]
fn a_spec_that_fails_at_creation_is_tried_again_with_doubling_waits() {
    let rows = vec![vec![row(0.0, Some(5.0), true, None), row(300.0, Some(5.0), true, Some(1.0))]];
    let config = TwinConfig { initial_replicas: 2, ..TwinConfig::default() };
    let log = desired(config, Timeline::new(rows), HOUR);
    let [(_, 2), (first, 4), (second, 5)] = log[..] else { panic!("{log:?}") };
    // Recorded: 343.1 s and 358.1 s.
    assert!((first - 343_100).abs() < 100 && (second - 358_100).abs() < 200, "{log:?}");
}

#[test]
fn each_fallback_behavior_joins_the_present_replicas_in_its_way() {
    use FallbackBehavior::{CurrentReplicas, CurrentReplicasIfHigher, CurrentReplicasIfLower, Static};
    let failing = row(60.0, None, true, Some(2.5));
    for (behavior, replicas, want) in [
        (Static, 6, 6),
        (Static, 3, 3),
        (CurrentReplicas, 6, 4),
        (CurrentReplicasIfHigher, 6, 6),
        (CurrentReplicasIfHigher, 3, 4),
        (CurrentReplicasIfLower, 6, 4),
        (CurrentReplicasIfLower, 3, 3),
    ] {
        for metric_type in [MetricType::AverageValue, MetricType::Value] {
            let config = TwinConfig {
                initial_replicas: 4,
                fallback: Some(Fallback { failure_threshold: 3, replicas, behavior }),
                triggers: vec![Trigger { metric_type, ..Trigger::default() }],
                ..TwinConfig::default()
            };
            // A value that asks for the present four replicas, with either metric type.
            let value = if metric_type == MetricType::Value { 2.5 } else { 10.0 };
            let first = row(0.0, Some(value), true, Some(2.5));
            let log = desired(config, Timeline::new(vec![vec![first, failing]]), HOUR);
            assert_eq!(log.last().map(|c| c.1), Some(want), "{behavior:?} {replicas} {metric_type:?}");
        }
    }
}

#[test]
fn an_error_without_fallback_never_scales_to_zero() {
    let rows = vec![vec![row(0.0, Some(3.0), true, Some(1.0)), row(60.0, None, false, Some(1.0))]];
    let config = TwinConfig { min_replicas: 0, initial_replicas: 3, ..TwinConfig::default() };
    assert_eq!(desired(config, Timeline::new(rows), HOUR), [(0, 3)]);
}

#[test]
fn cached_metrics_are_those_of_the_last_poll() {
    let trigger = |cached| vec![Trigger { cached, ..Trigger::default() }];
    let rows = [(0.0, 4.0), (61.0, 8.0)];
    // The sync at 75.1 s sees the new value only if it queries by itself.
    for (cached, at) in [(false, 75_110), (true, 90_125)] {
        let config = TwinConfig { initial_replicas: 4, triggers: trigger(cached), ..TwinConfig::default() };
        assert_eq!(desired(config, steps(&rows), HOUR), [(0, 4), (at, 8)]);
    }
}

#[test]
fn a_pause_forgets_the_old_recommendations() {
    let pauses = vec![Pause { from: Millis(100_000), until: Millis(400_000), replicas: None }];
    let config = TwinConfig { initial_replicas: 9, pauses, ..TwinConfig::default() };
    let log = desired(config, steps(&[(0.0, 9.0), (90.0, 4.0)]), HOUR);
    // Without the pause it would be 390 s; the first sync after it takes the nine as a recommendation again.
    assert_eq!(log, [(0, 9), (400_000 + 15_050 + 20 * 15_015, 4)]);
}

#[test]
fn what_the_cluster_would_refuse_is_refused() {
    let refused = |config: TwinConfig| Twin::new(config).is_err();
    let base = TwinConfig::default;
    assert!(refused(TwinConfig { min_replicas: 9, max_replicas: 5, ..base() }));
    assert!(refused(TwinConfig { max_replicas: 0, min_replicas: 0, ..base() }));
    assert!(refused(TwinConfig { triggers: Vec::new(), ..base() }));
    assert!(refused(TwinConfig { idle_replicas: Some(1), ..base() }));
    assert!(refused(TwinConfig { polling_interval: Millis::ZERO, ..base() }));
    assert!(refused(TwinConfig { cooldown: Millis(-1), ..base() }));
    assert!(refused(TwinConfig { initial_replicas: u32::MAX, ..base() }));
    let tolerance = Rules { tolerance: Some(f64::NAN), ..Rules::default() };
    let behavior = Behavior { scale_up: tolerance, ..Behavior::default() };
    assert!(refused(TwinConfig { behavior: Some(behavior), ..base() }));
}
