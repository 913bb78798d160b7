//! `forescale explain` compared with the server that it explains, and a lead time learned from kube-state-metrics.

use std::process::Command;
use std::time::Duration;

use forescale::units::Time;
use serde_json::Value;

use super::configuration;
use crate::support::forescale::Forescale;
use crate::support::keda::Keda;
use crate::support::load::{self, now};
use crate::support::prometheus::{Backfill, Prometheus};
use crate::support::until;

const PATIENCE: Duration = Duration::from_secs(60);
const POLICY: &str = "query: sum(load)\nthreshold: 10\nleadTime: auto\nminReplicas: 2\nmaxReplicas: 40\n";

#[tokio::test]
async fn live_and_replayed_explanations_say_what_the_server_decides() {
    let mut series = pods();
    series.push(load::going_on("load"));
    let prometheus = Prometheus::start(&series).await;
    let server = Forescale::start(&configuration(&prometheus.url())).await;
    let metadata = [
        ("query", "sum(load)"),
        ("threshold", "10"),
        ("leadTime", "auto"),
        ("minReplicas", "2"),
        ("maxReplicas", "40"),
    ];
    let mut keda = Keda::connect(server.grpc, "shop", "web", &metadata).await;
    keda.first_number(PATIENCE).await;

    // The pods of this workload took a minute and a half; the default is two.
    let learned = async || {
        keda.replicas().await.ok();
        let decision = server.decision("shop", "web").await?;
        let notes = decision["notes"].to_string();
        notes.contains("learned").then_some((decision, notes))
    };
    let ((decision, notes), _) = until(PATIENCE, "a lead time is learned", learned).await;
    assert!(notes.contains("1m30s"), "{notes}");
    assert_eq!(decision["rung"], "fresh", "{decision}");

    let base = format!("http://{}", server.http);
    let live = explain(&["--server", &base, "shop/web", "--format", "json"]);
    assert_eq!(live["needs"].as_array().map(Vec::len), decision["needs"].as_array().map(Vec::len), "{live}");
    let words = run(&["--server", &base, "shop/web"]);
    for part in [" replicas at ", "reactive asks for ", "forecast asks for ", "1m30s"] {
        assert!(words.contains(part), "'{part}' is missing in:\n{words}");
    }

    // The verdict is the same everywhere: who predicts, against which baseline, for which quantile and window.
    let verdict = &decision["forecast"]["verdict"];
    let (_, told) =
        verdict["text"].as_str().and_then(|text| text.split_once(" times that of ")).expect("a verdict");
    assert!(told.contains("(quantile 0.95 of the 5m peak); "), "{verdict}");
    let (_, forecast) = server.get("/api/v1/workloads/shop/web/forecast").await;
    let (_, page) = server.get("/workloads/shop/web").await;
    for (place, text) in [("explain", &words), ("the API's forecast", &forecast), ("the page", &page)] {
        assert!(text.contains(told), "'{told}' is missing in {place}:\n{text}");
    }

    // In the past the demand of the wave is known, and so is what a trace of it would give. In the future the
    // forecast continues.
    let dir = tempfile::tempdir().expect("a directory");
    let policy = dir.path().join("policy.yaml");
    std::fs::write(&policy, POLICY).expect("written");
    let policy = policy.to_str().expect("UTF-8");
    let url = prometheus.url();
    for (hours, beyond) in [(-30, false), (5, true)] {
        let at = Time::from_epoch(now() + hours * 3_600);
        let args = ["--prometheus", &url, "--policy", policy, "--at", &at.to_string(), "--format", "json"];
        let told = explain(&args);
        let needs = told["needs"].as_array().expect("contributors");
        assert!(needs.iter().any(|n| n["contributor"] == "forecast"), "{told}");
        assert!(told["explanations"][0]["experts"].as_array().is_some_and(|e| e.len() > 5), "{told}");
        let replicas = told["replicas"].as_u64().expect("a number");
        assert!((4..=40).contains(&replicas), "the wave needs 4 to 17, {at}: {told}");
        assert_eq!(told["rung"] == "fresh", !beyond, "{at}: {told}");
    }
}

/// Pods of the last hours as kube-state-metrics reports them: one every ten minutes, ready ninety seconds after its
/// creation, and gone after four hours.
fn pods() -> Vec<Backfill> {
    const MINUTE: i64 = 60;
    let end = now() + 30 * MINUTE;
    let mut all = Vec::new();
    for k in 0..30 {
        let created = now() - (k + 1) * 10 * MINUTE - k % 3;
        let name = format!("namespace=\"shop\",pod=\"web-6d4cf56db6-p{k:04}\"");
        let lives: Vec<i64> = (created.div_euclid(MINUTE) + 2..=end / MINUTE)
            .map(|m| m * MINUTE)
            .filter(|t| t - created < 4 * 60 * MINUTE)
            .collect();
        // Start times vary by a second or two, as in practice.
        let took = 90 - k % 3;
        for (metric, value) in [
            (format!("kube_pod_created{{{name}}}"), created),
            (format!("kube_pod_status_ready_time{{{name}}}"), created + took),
            (format!("kube_pod_status_ready{{{name},condition=\"true\"}}"), 1),
        ] {
            all.push(Backfill { metric, points: lives.iter().map(|&t| (t, value as f64)).collect() });
        }
    }
    // The backfill format requires one metric after the other.
    all.sort_by(|a, b| a.metric.cmp(&b.metric));
    all
}

fn run(args: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_forescale")).arg("explain").args(args).output().expect("runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn explain(args: &[&str]) -> Value {
    serde_json::from_str(&run(args)).expect("JSON")
}
