//! Conditions of decisions, and their texts.

use super::*;
use crate::decide::{Need, Prepared, decide};
use crate::history::Observations;
use crate::policy::Keys;

fn policy(pairs: &[(&str, &str)]) -> Policy {
    let values = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Policy::from_keys(&Keys { values, ..Keys::default() }).expect("valid")
}

fn measured(pairs: &[(&str, &str)]) -> Policy {
    policy(&[&[("query", "load"), ("threshold", "10")], pairs].concat())
}

/// A decision based on the load now.
fn by_load(replicas: u32, notes: Vec<Note>) -> Decision {
    let replicas = Replicas::new(replicas).expect("small");
    let needs = vec![Need { contributor: Contributor::Reactive, replicas, counts: true }];
    Decision {
        at: Time::from_epoch(1_790_985_600),
        replicas,
        predictive: replicas,
        rung: DegradationLevel::Fresh,
        needs,
        reason: Reason::Need(Contributor::Reactive),
        notes,
        load: Some(f64::from(replicas.get()) * 10.0),
        history_age: Some(Span::seconds(45)),
        forecast: None,
        capped_in: None,
        capacity: None,
    }
}

fn names(decision: &Decision, policy: &Policy) -> Vec<&'static str> {
    Condition::of(decision, policy).iter().map(Condition::as_str).collect()
}

#[test]
fn the_limit_is_told_when_it_is_reached_and_not_only_when_it_is_passed() {
    let policy = measured(&[("maxReplicas", "40")]);
    let needed = Replicas::new(52).expect("small");
    let capped = Decision { reason: Reason::MaxReplicas, ..by_load(40, vec![Note::Capped { needed }]) };
    let told = &Condition::of(&capped, &policy)[0];
    assert_eq!(told.to_string(), "52 replicas are needed, and maxReplicas allows 40");
    assert_eq!((told.severity(), told.title()), (Severity::Bad, "at its limit"));
    let full = &Condition::of(&by_load(40, Vec::new()), &policy)[0];
    assert_eq!(full.to_string(), "all 40 replicas that maxReplicas allows are needed");
    let one = measured(&[("minReplicas", "0"), ("maxReplicas", "1")]);
    let full = &Condition::of(&by_load(1, Vec::new()), &one)[0];
    assert_eq!(full.to_string(), "the one replica that maxReplicas allows is needed");
    assert_eq!(names(&by_load(39, Vec::new()), &policy), ["healthy"]);
    // A workload with a fixed size is always at its limit; that is not worth reporting.
    let fixed = measured(&[("minReplicas", "3"), ("maxReplicas", "3")]);
    assert_eq!(names(&by_load(3, Vec::new()), &fixed), ["healthy"]);
}

#[test]
fn what_is_at_its_limit_is_not_said_to_be_near_it() {
    let policy = measured(&[("maxReplicas", "40")]);
    let near = Decision { capped_in: Some((Span::HOUR, 0.5)), ..by_load(20, Vec::new()) };
    assert_eq!(names(&near, &policy), ["near_limit"]);
    let at = Decision { capped_in: Some((Span::HOUR, 0.5)), ..by_load(40, Vec::new()) };
    assert_eq!(names(&at, &policy), ["at_limit"]);
}

#[test]
fn the_worst_stands_first() {
    let policy = measured(&[]);
    let notes = vec![
        Note::Distrusted { ratio: 1.5 },
        Note::Unusual { load: 80.0, usual: 20.0 },
        Note::Refilling { until: Time::from_epoch(1_790_985_700) },
    ];
    assert_eq!(names(&by_load(9, notes), &policy), ["unusual_load", "refilling", "forecast_unused"]);
    let stale = Decision {
        rung: DegradationLevel::Stale,
        ..by_load(9, vec![Note::Unusual { load: 80.0, usual: 20.0 }])
    };
    assert_eq!(names(&stale, &policy), ["stale", "unusual_load"]);
}

#[test]
fn what_people_said_is_no_trouble() {
    let override_ = policy(&[
        ("override", "replicas=3 until=2030-01-01T00:00:00Z reason=launch"),
        ("query", "load"),
        ("threshold", "10"),
    ]);
    let now = Time::from_epoch(1_790_985_600);
    let seen = Observations::none(1, now);
    let decision = decide(&Prepared::pending(&override_, now), &seen, &override_, now).expect("decided");
    assert_eq!(names(&decision, &override_), ["overridden"]);
    assert_eq!(Condition::of(&decision, &override_)[0].severity(), Severity::Good);
    let asleep = Decision { reason: Reason::CommandedZero, ..by_load(0, Vec::new()) };
    assert_eq!(names(&asleep, &measured(&[("minReplicas", "0")])), ["asleep"]);
}

#[test]
fn every_name_is_told_once_and_every_trouble_says_what_to_do() {
    let at = Time::from_epoch(1_790_985_600);
    let one = Replicas::ONE;
    let all = [
        Condition::Faulty,
        Condition::NoData,
        Condition::Outdated { age: Span::HOUR },
        Condition::Stale { age: Span::HOUR },
        Condition::AtLimit { limit: one, is_max: true, needed: one },
        Condition::UnusualLoad { load: 3.0, usual: 1.0 },
        Condition::Held { age: Span::HOUR },
        Condition::Refilling { until: at },
        Condition::ClocksDiffer { skew: Span::HOUR },
        Condition::SignalAbsent { number: 2 },
        Condition::Silent { since: at },
        Condition::NearLimit { within: Span::HOUR, probability: 0.5 },
        Condition::ForecastUnused { ratio: 1.2 },
        Condition::Learning { why: "too short".to_owned() },
        Condition::WarmingUp,
        Condition::Overridden { until: at },
        Condition::Asleep,
        Condition::Healthy,
    ];
    assert_eq!(all.iter().map(Condition::as_str).collect::<Vec<_>>(), Condition::NAMES);
    let title = |name: &str| all.iter().find(|one| one.as_str() == name).map(Condition::title);
    assert_eq!(title("near_limit"), Some("limit ahead"));
    assert_eq!((title("faulty"), title("healthy")), (Some("faulty keys"), Some("healthy")));
    for condition in &all {
        assert!(!condition.title().is_empty() && !condition.to_string().is_empty());
        assert!(condition.severity() == Severity::Good || !condition.advice().is_empty(), "{condition:?}");
    }
}
