//! Tests of findings that the short history of a real server cannot cause; all others are tested against real
//! servers.

use serde_json::json;

use super::*;
use crate::cli::doctor::facts::Names;
use crate::history::Series;
use crate::source::Doubt;
use crate::units::{Span, Step};

fn facts(trust: &str) -> Facts {
    let decision = json!({ "replicas": 4, "rung": "fresh", "notes": [], "capped_in_seconds": null });
    Facts {
        names: Names {
            namespace: "shop".into(),
            object: "web".into(),
            hpa: "keda-hpa-web".into(),
            deployment: "web".into(),
        },
        over: Span::HOUR,
        now: Time::from_epoch(1_000_000),
        row: Ok(Some(json!({ "last_asked": Time::from_epoch(999_990).to_string(), "decision": decision }))),
        forecast: Some(json!({ "trust": trust, "skill_ratio": 1.4 })),
        prometheus: Some(Ok(())),
        skew: Some(Span::ZERO),
        doubts: Some(Vec::new()),
        retention: None,
        sees_cluster: true,
        load: None,
        hpa: Some(4.0),
        hpa_metrics: Some(1.0),
        hpa_others: None,
        hpa_active: Some(1.0),
        desired: None,
        hpa_max: None,
        ready: None,
        pending: None,
        needed: None,
        cost: None,
    }
}

fn status(facts: &Facts, name: &str) -> &'static str {
    all(facts).into_iter().find(|check| check.name == name).map_or("none", |check| check.finding.as_str())
}

#[test]
fn trust_is_told_as_the_server_tells_it() {
    for (trust, want) in [("trusted", "ok"), ("probation", "warn"), ("distrusted", "fail")] {
        assert_eq!(status(&facts(trust), "forecast"), want, "{trust}");
    }
    let text = "the seasonal naive of a week predicts: ...";
    let verdict = json!({ "trust": "probation", "verdict": { "rule": "naive_week", "text": text } });
    let seen = Facts { forecast: Some(verdict), ..facts("") };
    let check = all(&seen).into_iter().find(|check| check.name == "forecast").expect("checked");
    assert_eq!((check.finding.as_str(), check.finding.found()), ("ok", &*format!("probation: {text}")));
    assert_eq!(status(&Facts { forecast: None, ..facts("trusted") }, "forecast"), "skipped");
}

#[test]
fn a_threshold_is_held_against_what_a_replica_carries() {
    let with = |mode: &str, carried: Option<f64>| {
        let capacity = json!({
            "mode": mode, "per_replica": carried, "given": 100.0, "text": "one replica carries",
            "would_tell": "a squeeze",
        });
        let row = json!({ "last_asked": "", "decision": { "capacity": capacity } });
        Facts { row: Ok(Some(row)), ..facts("trusted") }
    };
    for (mode, carried, want) in [
        ("advise", Some(110.0), "ok"),
        ("advise", Some(80.0), "warn"),
        ("auto", Some(80.0), "ok"),
        ("advise", None, "skipped"),
    ] {
        assert_eq!(status(&with(mode, carried), "capacity"), want, "{mode} {carried:?}");
    }
    let told =
        all(&with("advise", None)).into_iter().find(|check| check.name == "capacity").expect("checked");
    assert!(told.finding.found().ends_with("What would tell: a squeeze"), "{}", told.finding.found());
    assert_eq!(status(&facts("trusted"), "capacity"), "skipped", "nothing was learned");
}

#[test]
fn what_prometheus_tells_of_its_metrics_explains_what_is_wrong() {
    let metric = || "a".to_owned();
    let with = |doubt: Doubt| Facts { doubts: Some(vec![doubt]), ..facts("trusted") };
    assert_eq!(status(&facts("trusted"), "metric_type"), "ok");
    assert_eq!(status(&Facts { doubts: None, ..facts("trusted") }, "metric_type"), "skipped");
    assert_eq!(status(&with(Doubt::CounterWithoutRate { metric: metric() }), "metric_type"), "fail");
    let gauge = with(Doubt::RateOfGauge { metric: metric(), function: "rate".to_owned() });
    assert_eq!(status(&gauge, "metric_type"), "warn");
    let missing = with(Doubt::NoMetric { metric: metric(), nearest: None });
    assert_eq!(status(&missing, "metric_type"), "ok");
    let missing = Facts { load: Some(Ok(None)), ..missing };
    let found = |seen: &Facts, name: &str| {
        let check = all(seen).into_iter().find(|check| check.name == name).expect("the check");
        check.finding.found().to_owned()
    };
    assert_eq!(found(&missing, "one_series"), "there is no metric a");
    let mut short = Facts { retention: Some(Span::days(15)), ..facts("trusted") };
    let mut noted = |name: &str, text: &str| {
        if let Ok(Some(row)) = &mut short.row {
            row["decision"]["notes"] = json!([{ "note": name, "text": text }]);
        }
        found(&short, "history")
    };
    assert_eq!(
        noted("history_short", "15d of the 28d asked for"),
        "15d of the 28d asked for; Prometheus keeps samples for 15d"
    );
    assert_eq!(noted("ignored", "1 sample ignored"), "as much as was asked for; 1 sample ignored");
}

#[test]
fn keda_is_silent_after_two_minutes() {
    let seen = facts("trusted");
    assert_eq!(status(&seen, "keda_calls"), "ok");
    assert_eq!(status(&Facts { now: seen.now + Span::minutes(3), ..seen }, "keda_calls"), "fail");
}

#[test]
fn an_hpa_that_cannot_compute_is_broken_though_it_knows_the_metric() {
    assert_eq!(status(&Facts { hpa_active: Some(0.0), ..facts("trusted") }, "hpa_metric"), "fail");
    assert_eq!(status(&Facts { hpa: None, ..facts("trusted") }, "hpa_metric"), "skipped");
}

#[test]
fn a_signal_that_never_had_a_value_is_told() {
    let mut seen = facts("trusted");
    assert_eq!(status(&seen, "fresh"), "ok");
    if let Ok(Some(row)) = &mut seen.row {
        row["decision"]["notes"] = json!([{ "note": "signal_absent", "text": "signal 2 never had a value" }]);
    }
    assert_eq!(status(&seen, "fresh"), "warn");
}

/// A load for which it sleeps: no pods for an hour, and a disabled HPA, as KEDA leaves it.
fn asleep(answer: u32) -> Facts {
    let mut seen = facts("trusted");
    if let Ok(Some(row)) = &mut seen.row {
        row["decision"]["replicas"] = json!(answer);
    }
    let none = Series::from_values(seen.now - Span::HOUR, Step::MINUTE, [0.0; 61]);
    let (desired, ready) = (Some(none.clone()), Some(none));
    Facts { hpa: Some(0.0), hpa_active: Some(0.0), desired, ready, ..seen }
}

#[test]
fn an_hpa_that_is_switched_off_at_zero_is_as_it_should_be() {
    for check in all(&asleep(0)) {
        assert!(
            matches!(check.finding.as_str(), "ok" | "skipped"),
            "{}: {}",
            check.name,
            check.finding.found()
        );
    }
    assert_eq!(status(&asleep(0), "hpa_metric"), "ok");
    assert_eq!(status(&asleep(3), "hpa_metric"), "fail", "KEDA should have woken it");
    let waking = Facts { ready: None, ..asleep(3) };
    assert_eq!(
        status(&Facts { hpa: Some(1.0), ..waking }, "hpa_metric"),
        "fail",
        "at one the HPA has to work"
    );
}

#[test]
fn a_lost_metric_comes_with_its_cure_and_a_double_one_with_its_cause() {
    let advice = |facts: Facts| {
        let check = all(&facts).into_iter().find(|check| check.name == "hpa_metric").expect("the check");
        assert_eq!(check.finding.as_str(), "fail");
        check.finding.trouble().map(|t| format!("{}; {}", t.expected, t.advice)).expect("trouble")
    };
    let lost = advice(Facts { hpa_metrics: None, ..facts("trusted") });
    let cure =
        "kubectl patch scaledobject web -n shop --type merge -p '{\"spec\":{\"initialCooldownPeriod\":41}}'";
    assert!(lost.contains(cure), "{lost}");
    let double = advice(Facts { hpa_metrics: Some(2.0), ..facts("trusted") });
    assert!(double.contains("metricName"), "{double}");
    assert_eq!(status(&Facts { hpa_others: Some(1.0), ..facts("trusted") }, "hpa_metric"), "warn");
}

#[test]
fn pods_are_spare_beside_what_was_needed_and_not_beside_the_answer_of_this_instant() {
    let ran = |count: f64, needed: Option<f64>| {
        let seen = facts("trusted");
        let ready = Series::from_values(seen.now - Span::HOUR, Step::MINUTE, [count; 61]);
        status(&Facts { ready: Some(ready), needed, ..seen }, "over_scaling")
    };
    assert_eq!(ran(20.0, None), "warn", "four are answered");
    assert_eq!(ran(20.0, Some(19.0)), "ok", "a peak within the hour, which the HPA lets go slowly");
    assert_eq!(ran(20.0, Some(5.0)), "warn");
    let capped = |count: f64| {
        let mut seen = facts("trusted");
        if let Ok(Some(row)) = &mut seen.row {
            row["decision"]["needs"] = json!([
                { "contributor": "reactive", "replicas": 18, "counts": true },
                { "contributor": "forecast", "replicas": 40, "counts": false },
            ]);
        }
        let ready = Series::from_values(seen.now - Span::HOUR, Step::MINUTE, [count; 61]);
        status(&Facts { ready: Some(ready), ..seen }, "over_scaling")
    };
    assert_eq!(capped(20.0), "ok", "a limit holds the answer below the need");
    assert_eq!(capped(30.0), "warn", "what does not count is not needed");
}

#[test]
fn a_capped_day_ahead_and_a_dear_day_are_worth_a_look() {
    let mut seen = facts("trusted");
    if let Ok(Some(row)) = &mut seen.row {
        row["decision"]["capped_in_seconds"] = json!(7_200);
    }
    assert_eq!(status(&seen, "capped"), "warn");
    assert_eq!(status(&Facts { cost: Some(2.0), ..facts("trusted") }, "cost"), "warn");
    assert_eq!(status(&Facts { cost: Some(f64::NAN), ..facts("trusted") }, "cost"), "skipped");
}

#[test]
fn without_prometheus_nothing_is_said_of_the_cluster() {
    let seen = Facts { prometheus: Some(Err("refused".into())), cost: Some(9.0), ..facts("trusted") };
    assert_eq!(status(&seen, "data_source"), "fail");
    for (name, ..) in LINKS.iter().filter(|link| link.2 != Anyhow) {
        assert_eq!(status(&seen, name), "skipped", "{name}");
        assert_eq!(status(&Facts { prometheus: None, ..facts("trusted") }, name), "skipped", "{name}");
    }
    let blind = Facts { sees_cluster: false, ..facts("trusted") };
    let why: Vec<_> = all(&blind).into_iter().filter(|check| check.finding.found() == NO_CLUSTER).collect();
    assert_eq!(why.len(), LINKS.iter().filter(|link| link.2 == InCluster).count());
}
