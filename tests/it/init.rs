//! Tests `forescale init` as its users call it: its output passes `forescale lint`, and it has found what exists.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::prometheus::{Backfill, Prometheus};

fn forescale(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forescale")).args(args).output().expect("the binary runs")
}

/// Eighteen days of ten minutes up to `until`: 20 at night, 200 in the office hours of weekdays, and some noise.
fn points(until: i64) -> Vec<(i64, f64)> {
    let end = until.div_euclid(600) * 600;
    let at = |k: i64| {
        let t = end - 600 * k;
        // 1970-01-01 was a Thursday.
        let (weekday, hour) = ((t.div_euclid(86_400) + 3) % 7, t.rem_euclid(86_400) / 3_600);
        let busy = weekday < 5 && (8..18).contains(&hour);
        (t, if busy { 200.0 } else { 20.0 } + (t / 600 * 37 % 11) as f64)
    };
    (0..18 * 144).rev().map(at).collect()
}

fn trace(folder: &Path) -> String {
    let mut text = String::from("timestamp,value\n");
    for (at, value) in points(1_772_409_600) {
        text += &format!("{},{value}\n", forescale::units::Time::from_epoch(at));
    }
    let path = folder.join("office.csv");
    std::fs::write(&path, text).expect("written");
    path.to_string_lossy().into_owned()
}

#[test]
fn the_manifest_passes_lint_and_follows_the_office() {
    let folder = tempfile::tempdir().expect("a folder");
    let (trace, manifest) = (trace(folder.path()), folder.path().join("web.yaml"));
    let manifest = manifest.to_string_lossy();
    // A query with all characters that could end a YAML string.
    let query = "sum(rate(http_requests_total{job=\"we'b\", path=~\"/a: #.*\"}[2m]))";
    let told = forescale(&[
        "init",
        "--trace",
        &trace,
        "--query",
        query,
        "--name",
        "web",
        "--namespace",
        "shop",
        "--price",
        "0.1",
        "--out",
        &manifest,
    ]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8_lossy(&told.stdout);
    for word in ["Seasonality", "threshold", "quantile", "08:00 to 18:00 every weekday", "saves", "a month"] {
        assert!(text.contains(word), "{word} in {text}");
    }
    let linted = forescale(&["lint", &manifest, "--format", "json"]);
    assert_eq!(linted.status.code(), Some(0), "{}", String::from_utf8_lossy(&linted.stdout));
    let linted: Value = serde_json::from_slice(&linted.stdout).expect("JSON");
    assert_eq!(linted["judged"], 1);
    let severe = linted["findings"].as_array().expect("findings").iter().filter(|f| f["severity"] != "info");
    assert_eq!(severe.count(), 0, "{linted:#}");
    let json = forescale(&["init", "--trace", &trace, "--query", query, "--format", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["proposal"]["query"], query);
    assert_eq!(json["seasonality"]["busy"]["start_hour"], 8);
    assert!(json["seasonality"]["weekly"].as_f64() > json["seasonality"]["daily"].as_f64());
    let (short, fixed) = (&json["backtest"]["forescale"]["tau_u"], &json["backtest"]["saving"]["fixed"]);
    assert!(short.as_f64().is_some_and(|tau_u| tau_u <= 1.0), "{json:#}");
    // Full capacity is needed for 50 of 168 hours only.
    assert!(fixed.as_f64().is_some_and(|saved| (0.4..0.7).contains(&saved)), "{json:#}");
}

#[test]
fn what_cannot_be_proposed_from_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let short = folder.path().join("short.csv");
    std::fs::write(&short, "timestamp,value\n2026-01-01T00:00:00Z,1\n2026-01-01T00:01:00Z,1\n")
        .expect("written");
    let short = short.to_string_lossy();
    for (args, says) in [
        (&["init"][..], "--trace"),
        (&["init", "--prometheus", "http://localhost:1"], "--query"),
        (&["init", "--trace", &short], "found 2 samples"),
        (&["init", "--trace", &short, "--threshold", "0"], "above 0"),
    ] {
        let done = forescale(args);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(says), "{args:?}: {told}");
    }
}

#[test]
fn a_day_of_minutes_is_a_day() {
    let folder = tempfile::tempdir().expect("a folder");
    // A day of minutes lasts 23h59m from its first sample to its last; the newest may not be there yet.
    for (minutes, is_enough) in [(1_441, true), (1_440, true), (1_439, true), (1_430, false)] {
        let sample = |m: i64| {
            let at = forescale::units::Time::from_epoch(1_772_409_600 + 60 * m);
            format!("{at},{}\n", 100 + m * 37 % 11 + m / 10)
        };
        let text: String = (0..minutes).map(sample).collect();
        let trace = folder.path().join(format!("{minutes}.csv"));
        std::fs::write(&trace, format!("timestamp,value\n{text}")).expect("written");
        let done = forescale(&["init", "--trace", &trace.to_string_lossy(), "--threshold", "10"]);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.success(), is_enough, "{minutes}: {told}");
        assert!(is_enough || told.contains("found 1430 samples over 23h50m, expected a day"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_is_read() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let load = points(i64::try_from(now.as_secs()).expect("small") - 600);
    let replicas = load.iter().map(|(at, value)| (*at, (value / 18.0).ceil())).collect();
    let series = [("load", load), ("replicas", replicas)];
    let series = series.map(|(metric, points)| Backfill { metric: metric.to_owned(), points });
    let prometheus = Prometheus::start(&series).await;
    let url = prometheus.url();
    // `last_over_time` holds each sample over its ten minutes; Prometheus' look-back alone would not.
    let (load, replicas) = ("last_over_time(load[10m])", "last_over_time(replicas[10m])");
    let args =
        ["init", "--prometheus", &url, "--query", load, "--actual-replicas", replicas, "--format", "json"];
    let done = forescale(&args);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let json: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let threshold = json["threshold"].as_f64().expect("a threshold");
    assert!((16.0..=18.0).contains(&threshold), "what a replica was seen to carry: {threshold}");
    assert!(json["backtest"]["actual"]["replica_hours"].as_f64() > Some(0.0), "{json:#}");
    let out = tempfile::tempdir().expect("a folder");
    let folder = out.path().to_string_lossy();
    let done = forescale(&[
        "backtest",
        "--prometheus",
        &url,
        "--query",
        load,
        "--actual-replicas",
        replicas,
        "--threshold",
        "18",
        "--last",
        "1d",
        "--strategies",
        "reactive,predictive",
        "--no-sweep",
        "--out",
        &folder,
        "--format",
        "json",
    ]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let json: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let names: Vec<_> = json["strategies"].as_array().expect("rows").iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["reactive", "predictive", "actual"]);
    assert_eq!(json["strategies"][2]["tau_u"], 0.0, "what ran was made to be enough");
    the_policys_own_query_is_asked(&url, load);
}

/// A backtest of a policy that has a query, as the page of a workload prints the command, needs no second one.
fn the_policys_own_query_is_asked(url: &str, query: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_string_lossy().into_owned()
    };
    let policy = file("web.yaml", &format!("query: '{query}'\nthreshold: 18\nmaxReplicas: 40\n"));
    let object = file(
        "object.yaml",
        &format!(
            "kind: ScaledObject\nmetadata: {{name: web, namespace: shop}}\nspec: {{triggers: [{{type: external, \
             metadata: {{scalerAddress: 'forescale:6000', query: '{query}', threshold: '18'}}}}]}}\n"
        ),
    );
    let none = file("none.yaml", "threshold: 18\n");
    let run = |more: &[&str]| {
        let plain =
            ["backtest", "--prometheus", url, "--last", "1d", "--strategies", "reactive", "--no-sweep"];
        forescale(&[&plain[..], more].concat())
    };
    for file in [&policy, &object] {
        let done = run(&["--policy", file, "--format", "json"]);
        assert!(done.status.success(), "{file}: {}", String::from_utf8_lossy(&done.stderr));
        let json: Value = serde_json::from_slice(&done.stdout).expect("JSON");
        assert_eq!(json["strategies"][0]["name"], "reactive", "{json}");
    }
    for (more, says) in [
        (&["--policy", none.as_str()][..], "found no query in it, give one with --query"),
        (&["--threshold", "18"], "expected --query, or --policy"),
    ] {
        let done = run(more);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.code() == Some(2) && told.contains(says), "{more:?}: {told}");
    }
}
