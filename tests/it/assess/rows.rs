//! A problem with one workload is reported in its row; the other workloads are still judged.

use serde_json::Value;

use super::{assess, read};
use crate::support::load::now;
use crate::support::prometheus::{Backfill, Prometheus};

const DAYS: i64 = 5;

/// Name, query, and what the reason in its row must contain.
const ROWS: [(&str, &str, &str); 8] = [
    ("fine", "sum(load{app=\"fine\"})", ""),
    ("no-such-function", "foo(load)", "unknown function"),
    ("two-series", "load", "more than one series"),
    ("nan", "load{app=\"nan\"}", "yields no samples"),
    ("infinite", "load{app=\"fine\"} / 0", "yields no samples"),
    ("young", "load{app=\"young\"}", "of history, expected 3d at least"),
    ("text", "\"text\"", "string"),
    ("gone", "load{app=\"fine\"}", "no replica of it was ready in the whole history"),
];

fn history() -> Vec<Backfill> {
    let end = now().div_euclid(3_600) * 3_600;
    let points = |days: i64, value: fn(i64) -> f64| {
        (0..days * 1_440).map(|k| (end - (days * 1_440 - k) * 60, value(k))).collect::<Vec<_>>()
    };
    let load = |app: &str, days, value| Backfill {
        metric: format!("load{{app=\"{app}\"}}"),
        points: points(days, value),
    };
    vec![
        load("fine", DAYS, |k| 50.0 + (k % 7) as f64),
        load("nan", DAYS, |_| f64::NAN),
        load("young", 1, |_| 50.0),
        Backfill {
            metric: "kube_deployment_status_replicas_ready{namespace=\"shop\",deployment=\"gone\"}"
                .to_owned(),
            points: points(DAYS, |_| 0.0),
        },
    ]
}

fn object(name: &str, query: &str) -> String {
    format!(
        "kind: ScaledObject\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  scaleTargetRef: {{name: {name}}}\n  \
         minReplicaCount: 1\n  triggers:\n  - {{type: prometheus, metadata: {{serverAddress: 'http://p', query: \
         '{query}', threshold: '10'}}}}\n---\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_told_in_its_row_and_the_others_are_judged() {
    let mut prometheus = Prometheus::start(&history()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (manifests, out) = (folder.path().join("fleet.yaml"), folder.path().join("out"));
    std::fs::write(&manifests, ROWS.map(|(name, query, _)| object(name, query)).concat()).expect("written");
    let (url, until) = (prometheus.url(), (now().div_euclid(3_600) * 3_600).to_string());
    let until = chrono::DateTime::from_timestamp(until.parse().expect("seconds"), 0).expect("in range");
    let until = until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let (manifests, out) = (manifests.to_string_lossy(), out.to_string_lossy());
    let mut args =
        vec!["--prometheus", &url, "--manifests", &manifests, "--until", &until, "--history", "5d"];
    args.extend(["--out", &out, "--format", "json", "--max-per-second", "100"]);
    let told = assess(&args);
    assert_eq!(told.status.code(), Some(0), "{}", String::from_utf8_lossy(&told.stderr));
    let fleet: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let rows = fleet["workloads"].as_array().expect("rows");
    assert_eq!(rows.len(), ROWS.len());
    for (name, _, why) in ROWS {
        let row = rows.iter().find(|row| row["name"] == name).expect("a row");
        let reason = row["reason"].as_str().expect("a reason");
        assert_eq!(row["verdict"] == "cannot_tell", !why.is_empty(), "{row:#}");
        assert!(reason.contains(why) && !reason.contains("panicked"), "{row:#}");
        assert_eq!(row["saving_percent"], Value::Null, "what ran is not known: {row:#}");
    }

    // What failed is retried, what is finished is not; if no workload is left to judge, there is a single error.
    prometheus.stop();
    let told = assess(&args);
    let why = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.code() == Some(2) && why.contains("Prometheus does not answer"), "{why}");
    prometheus.restart().await;
    let before = read(&folder.path().join("out/fleet.json"));
    assert_eq!(assess(&args).status.code(), Some(0));
    assert_eq!(read(&folder.path().join("out/fleet.json")), before);
    std::fs::write(manifests.as_ref(), object("young", "load{app=\"young\"}")).expect("written");
    let alone = assess(&["--prometheus", &url, "--manifests", &manifests, "--until", &until]);
    let why = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert!(
        alone.status.code() == Some(2) && why.contains("no workload could be judged; the first"),
        "{why}"
    );
}
