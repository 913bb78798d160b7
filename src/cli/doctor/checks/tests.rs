//! Findings that no short history of a real server brings about; all others are tested against real ones.

use serde_json::json;

use super::*;
use crate::cli::doctor::facts::Names;
use crate::units::Span;

fn facts(trust: &str) -> Facts {
    let decision = json!({ "replicas": 4, "rung": "fresh", "notes": [], "capped_in_seconds": null });
    Facts {
        names: Names { namespace: "shop".into(), hpa: "keda-hpa-web".into(), deployment: "web".into() },
        over: Span::HOUR,
        now: Time::from_epoch(1_000_000),
        row: Ok(Some(json!({ "last_asked": Time::from_epoch(999_990).to_string(), "decision": decision }))),
        forecast: Some(json!({ "trust": trust, "skill_ratio": 1.4 })),
        prometheus: Some(Ok(())),
        skew: Some(Span::ZERO),
        sees_cluster: true,
        load: None,
        hpa: Some(4.0),
        hpa_metric: Some(1.0),
        hpa_active: Some(1.0),
        desired: None,
        hpa_max: None,
        ready: None,
        pending: None,
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
    let verdict = json!({ "trust": "distrusted", "verdict": { "rule": "naive_week", "text": text } });
    let seen = Facts { forecast: Some(verdict), ..facts("") };
    let check = all(&seen).into_iter().find(|check| check.name == "forecast").expect("checked");
    assert_eq!((check.finding.as_str(), check.finding.found()), ("warn", &*format!("distrusted: {text}")));
    assert_eq!(status(&Facts { forecast: None, ..facts("trusted") }, "forecast"), "skipped");
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
