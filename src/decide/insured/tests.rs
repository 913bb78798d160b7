//! A larger forecast never needs fewer replicas, and every path uses the rule that predicts.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::decide::{Contributor, Decision, Note, SignalPlan, decide, prepare};
use crate::history::{Observations, Series};
use crate::policy::{Keys, Policy};

/// Two weeks and a bit of minutes: `low`, rising every day from 09:07 to 200 within ten minutes, until 17:07.
fn ramps(low: f64, until: usize) -> Arc<Series> {
    let at = |i: usize| {
        let minute = (i + 1_440 - 547) % 1_440;
        let share = if minute < 480 { (minute as f64 / 10.0).min(1.0) } else { 0.0 };
        low + (200.0 - low) * share
    };
    Arc::new(Series::from_values(Time::from_epoch(0), Step::MINUTE, (0..=until).map(at)))
}

/// Two minutes before the fifteenth ramp, with `rule` predicting.
fn before_the_ramp(rule: Rule, low: f64, keys: &[(&str, &str)]) -> Decision {
    let base = [("query", "load"), ("leadTime", "5m"), ("maxReplicas", "50")];
    let values = base.iter().chain(keys).map(|(k, v)| (String::from(*k), String::from(*v))).collect();
    let policy = Policy::from_keys(&Keys { values, ..Keys::default() }).expect("valid");
    let load = ramps(low, 14 * 1_440 + 545);
    let at = load.end().expect("samples");
    let mut seen = Observations::none(1, at - Span::DAY);
    if policy.signals[0].drain().is_some() {
        seen.signals[0].load =
            Some(Arc::new(Series::from_values(at - Span::MINUTE, Step::MINUTE, [0.0, 0.0])));
        seen.signals[0].arrivals = Some(load);
    } else {
        seen.signals[0].load = Some(load);
    }
    let mut prepared = prepare(&seen, &policy, at - Span::HOUR).follow(&seen, &policy);
    let SignalPlan::Ready { tracker, .. } = &mut prepared.signals[0] else { panic!("no forecast") };
    Arc::make_mut(tracker).led_by(rule);
    decide(&prepared, &seen, &policy, at).expect("decided")
}

/// Regression: if a seasonal naive beat the forecast, the answer was reactive although the naive saw the ramp.
#[test]
fn whoever_predicts_sees_the_ramp_on_every_path() {
    let drain = [("signal", "queue"), ("arrivalQuery", "in"), ("serviceRate", "10"), ("drainWithin", "10m")];
    type Keys = Vec<(&'static str, &'static str)>;
    let paths: [(&str, f64, Keys); 4] = [
        ("quantile", 20.0, vec![("threshold", "10"), ("quantile", "0.9")]),
        ("promise", 20.0, vec![("threshold", "10"), ("underProvisionTarget", "1%")]),
        ("deadline", 20.0, [&[("threshold", "100")][..], &drain].concat()),
        ("zero", 0.0, vec![("threshold", "10"), ("minReplicas", "0")]),
    ];
    for (path, low, keys) in paths {
        for rule in [Rule::Forecast, Rule::NaiveDay, Rule::NaiveWeek, Rule::Reactive] {
            let decision = before_the_ramp(rule, low, &keys);
            let told = decision.to_string();
            let reactive = decision.need(Contributor::Reactive).expect("asked").get();
            if rule == Rule::Reactive {
                let counts = path == "promise";
                let forecast = decision.needs.iter().find(|n| n.contributor == Contributor::Forecast);
                assert!(forecast.is_some_and(|n| n.counts == counts), "{path}: {told}");
                assert!(decision.replicas.get() <= reactive.max(1) + u32::from(counts), "{path}: {told}");
            } else {
                assert!(decision.replicas.get() >= reactive + 3, "{path} by {rule}: {told}");
                assert!(decision.active(), "{path} by {rule}: {told}");
            }
            let note = decision.notes.iter().find_map(|note| match note {
                Note::PlainRule { rule, .. } => Some(*rule),
                Note::Distrusted { .. } => Some(Rule::Reactive),
                _ => None,
            });
            assert_eq!(note.unwrap_or(Rule::Forecast), rule, "{path}: {told}");
            assert_eq!(decision.forecast.as_ref().map(|view| view.trust.rule), Some(rule), "{path}");
        }
    }
}

fn need(threshold: f64, factor: f64) -> Need {
    Need { factor, threshold: Threshold::new(threshold).expect("positive"), activation: 0.0 }
}

/// Loads at the levels of a distribution, ascending, and the same with some of them raised.
fn raised() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    let levels = LoadDistribution::levels().len();
    (
        proptest::collection::vec(0.0..300.0f64, levels),
        proptest::collection::vec(prop_oneof![Just(0.0), 0.0..200.0f64], levels),
    )
        .prop_map(|(mut loads, more)| {
            loads.sort_by(f64::total_cmp);
            let high = loads.iter().zip(&more).map(|(a, b)| a + b).collect();
            (loads, high)
        })
}

proptest! {
    /// Up to the highest calibrated level. Beyond it the tail is extrapolated by its slope, and the slope falls when
    /// its lower end rises.
    #[test]
    fn a_quantile_asks_for_no_fewer_when_any_value_of_the_forecast_rises(
        (low, high) in raised(),
        level in 0.5..0.99f64,
        (threshold, factor) in (0.5..50.0f64, 0.2..4.0f64),
    ) {
        let (need, level) = (need(threshold, factor), Quantile::new(level).expect("valid"));
        let asked = |loads: &[f64]| need.expected(LoadDistribution::new(loads).at(level));
        prop_assert!(asked(&low) <= asked(&high));
    }

    /// A penalty weighs how likely each replica is to be needed, so a wider tail may make the last one not worth its
    /// cost. What must hold is the order of the penalties, and that a forecast that rises as a whole never needs
    /// fewer.
    #[test]
    fn a_penalty_asks_for_more_the_higher_it_is_and_the_higher_all_of_the_forecast_lies(
        (loads, _) in raised(),
        (a, b) in (0.5..1e4f64, 0.5..1e4f64),
        (threshold, whole) in (4.0..50.0f64, 1u32..20),
    ) {
        let need = need(threshold, 1.0);
        let spread = LoadDistribution::new(&loads);
        prop_assert!(need.odds(&spread).cheapest_at(a.min(b)) <= need.odds(&spread).cheapest_at(a.max(b)));
        let moved: Vec<f64> = loads.iter().map(|l| l + f64::from(whole) * threshold).collect();
        prop_assert!(need.odds(&spread).cheapest_at(a) <= need.odds(&LoadDistribution::new(&moved)).cheapest_at(a));
    }
}
