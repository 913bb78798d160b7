//! Tests `forescale capacity` as its users call it: on tables of services whose true capacity is known by
//! construction, on measured services if their data is available, and on invalid input.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::prometheus::{Backfill, Prometheus};
use crate::support::root;

fn forescale(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forescale"))
        .arg("capacity")
        .args(args)
        .output()
        .expect("the binary runs")
}

fn judged(table: &Path, more: &[&str]) -> Value {
    let table = table.to_string_lossy();
    let done = forescale(&[&["--csv", &table, "--format", "json"], more].concat());
    assert!(done.status.success(), "{more:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("JSON")
}

/// Five hours of minutes of four replicas: 0.05 cores at rest and 0.02 for each request per second; the latency is
/// 0.1 s divided by the free share of 30 requests per second.
fn table(folder: &Path) -> PathBuf {
    let mut text = String::from("timestamp,load,replicas,cpu,latency_p95,errors\n");
    for minute in 0..300 {
        let noise = f64::from(minute * 37 % 41) / 41.0 - 0.5;
        let each = 15.0 - 13.0 * (f64::from(minute) / 48.0).cos();
        let (cpu, latency) = (4.0 * (0.05 + 0.02 * each), 0.1 / (1.0 - each / 30.0) * (1.0 + 0.1 * noise));
        writeln!(text, "{},{},4,{cpu},{latency},0", 1_767_571_200 + 60 * minute, 4.0 * each)
            .expect("written");
    }
    let path = folder.join("service.csv");
    std::fs::write(&path, text).expect("written");
    path
}

fn number(found: &Value) -> f64 {
    found.as_f64().unwrap_or(f64::NAN)
}

#[test]
fn cpu_and_latency_are_told_by_their_rules() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = table(folder.path());
    let cpu = judged(&table, &["--request", "500m", "--utilization", "70"]);
    assert_eq!((&cpu["schema"], &cpu["verdict"], &cpu["bound"]), (&1.into(), &"known".into(), &"cpu".into()));
    // 0.05 + 0.02 x = 0.35.
    assert!((number(&cpu["per_replica"]) - 15.0).abs() < 0.15, "{cpu:#}");
    let latency = judged(&table, &["--objective", "p95<300ms"]);
    // 0.1 / (1 - x / 30) = 0.3.
    assert_eq!(latency["bound"], "latency");
    assert!((number(&latency["per_replica"]) - 20.0).abs() < 1.0, "{latency:#}");
    assert!(number(&latency["low"]) < 20.0 && number(&latency["high"]) > 19.0, "{latency:#}");
    let far = judged(&table, &["--request", "1.5", "--utilization", "70%"]);
    assert!(
        number(&far["beyond_seen"]) > 1.5
            && far["why"].as_str().expect("a reason").contains("beyond what was seen")
    );
    let easy = judged(&table, &["--objective", "p95<60s"]);
    assert_eq!((&easy["verdict"], &easy["reasons"][0]), (&"cannot_tell".into(), &"never_missed".into()));
    assert!(
        easy["per_replica"].is_null() && easy["would_tell"].as_str().expect("advice").contains("squeeze")
    );
    let missing = judged(&table, &["--objective", "p99<1s"]);
    assert!(missing["missing"][0].as_str().expect("named").contains("latency_p99"), "{missing:#}");
}

#[test]
fn the_report_says_it_in_a_sentence_and_asks_for_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (table, report) = (table(folder.path()), folder.path().join("report.html"));
    let (table, page) = (table.to_string_lossy(), report.to_string_lossy());
    let done = forescale(&["--csv", &table, "--request", "0.5", "--out", &page]);
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && told.contains("One replica carries 15"), "{told}");
    let html = std::fs::read_to_string(report).expect("a report");
    for word in ["One replica carries 15", "<svg", "CPU of a replica", "Latency, p95", "</html>"] {
        assert!(html.contains(word), "{word}");
    }
    assert!(!html.contains("<script") && !html.contains("src="), "it is self-contained");
}

#[test]
fn bad_input_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let bad = folder.path().join("bad.csv");
    std::fs::write(&bad, "timestamp,load,replicas\nnow,1,1\n0,x,1\n").expect("written");
    let bad = bad.to_string_lossy();
    for (args, says) in [
        (&[][..], "--csv"),
        (&["--prometheus", "http://localhost:1"], "--query"),
        (&["--csv", &bad], "line 3: found 'x'"),
        (&["--csv", "/none.csv"], "cannot read"),
        (&["--csv", &bad, "--objective", "p95<soon"], "p95<500ms"),
        (&["--csv", &bad, "--request", "lots"], "500m"),
        (&["--csv", &bad, "--utilization", "150%"], "70%"),
    ] {
        let done = forescale(args);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(says), "{args:?}: {told}");
    }
}

/// Thirty hours of minutes: `init` needs a day.
const LONG: i64 = 1_800;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_is_read_by_the_exporters_names() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let end = i64::try_from(now.as_secs()).expect("small").div_euclid(60) * 60 - 120;
    let each = |i: i64| 15.0 - 13.0 * (i as f64 / 48.0).cos();
    let points = |value: &dyn Fn(i64) -> f64| {
        (0..LONG).map(|i| (end - 60 * (LONG - 1 - i), value(i))).collect::<Vec<_>>()
    };
    // A counter of one pod: two replicas are ready, and the other pod belongs to another workload.
    let mut used = 0.0;
    let counter = (0..LONG)
        .map(|i| {
            used += 60.0 * 2.0 * (0.05 + 0.02 * each(i));
            (end - 60 * (LONG - 1 - i), used)
        })
        .collect();
    let of = |metric: &str, labels: &str| format!("{metric}{{namespace=\"shop\",{labels}}}");
    let pod = "pod=\"web-5d9f-abcde\",container=\"web\"";
    let series = [
        ("load".to_owned(), points(&|i| 2.0 * each(i))),
        (of("kube_deployment_status_replicas_ready", "deployment=\"web\""), points(&|_| 2.0)),
        (of("container_cpu_usage_seconds_total", pod), counter),
        (
            of("container_cpu_usage_seconds_total", "pod=\"web-next-1-2\",container=\"a\""),
            points(&|i| 900.0 * i as f64),
        ),
        (of("kube_pod_container_resource_requests", &format!("{pod},resource=\"cpu\"")), points(&|_| 0.5)),
    ];
    let series = series.map(|(metric, points)| Backfill { metric, points });
    let prometheus = Prometheus::start(&series).await;
    let url = prometheus.url();
    let args = [
        "--prometheus",
        &url,
        "--query",
        "load",
        "--namespace",
        "shop",
        "--workload",
        "web",
        "--format",
        "json",
    ];
    let done = forescale(&[&args[..], &["--history", "6h"]].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let found: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(found["bound"], "cpu", "{found:#}");
    // The counter covers the two minutes before: within a few percent of 15.
    assert!((number(&found["per_replica"]) - 15.0).abs() < 0.6, "{found:#}");
    assert!(found["missing"].to_string().contains("the pod template: kube-state-metrics"), "{found:#}");
    let init = Command::new(env!("CARGO_BIN_EXE_forescale"))
        .args(["init", "--prometheus", &url, "--query", "load", "--namespace", "shop", "--name", "web"])
        .args(["--history", "2d", "--format", "json"])
        .output()
        .expect("the binary runs");
    let proposed: Value = serde_json::from_slice(&init.stdout).expect("JSON");
    assert!((number(&proposed["threshold"]) - 15.0).abs() < 0.6, "{proposed:#}");
    assert!(proposed["threshold_because"].as_str().expect("words").contains("CPU binds"), "{proposed:#}");
    let done = forescale(&["--prometheus", &url, "--query", "load", "--workload", "none"]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.code() == Some(2) && told.contains("kube-state-metrics"), "{told}");
}

/// Measured services: file, arguments, and what the answer must satisfy.
struct Measured {
    file: &'static str,
    args: &'static [&'static str],
    /// The range in which the answer must be; `None` if there must be no answer.
    within: Option<(f64, f64)>,
    /// The bound, or a word of the reason.
    says: &'static str,
}

const fn known(
    file: &'static str,
    args: &'static [&'static str],
    within: (f64, f64),
    says: &'static str,
) -> Measured {
    Measured { file, args, within: Some(within), says }
}

const fn none(file: &'static str, args: &'static [&'static str], says: &'static str) -> Measured {
    Measured { file, args, within: None, says }
}

/// True capacities as measured by others, from the provenance of the data.
const MEASURED: [Measured; 19] = [
    known("hpa_steps_4pods", &["--objective", "p95<560ms"], (10.8, 14.9), "latency"),
    known("hpa_steps_4pods", &["--request", "1"], (14.0, 17.1), "cpu"),
    known("laravel_0923", &["--request", "150m", "--utilization", "60"], (4.7, 5.5), "cpu"),
    known("genai_sd_gpu", &["--request", "1", "--utilization", "60"], (0.0414, 0.0444), "cpu"),
    known("nsfw_classifier", &["--objective", "mean<280ms"], (5.0, 6.3), "latency"),
    known("nsfw_classifier", &["--request", "4.5"], (6.5, 7.3), "throughput"),
    none("laravel_0923", &["--objective", "p95<100ms"], "lower bound"),
    none("boutique_frontend_burst", &[], "bottleneck"),
    none("boutique_frontend_burst", &["--objective", "mean<100ms"], "bottleneck"),
    none("boutique_frontend_burst", &["--request", "100m", "--utilization", "50"], "CPU does not follow"),
    none("boutique_frontend_ramp", &["--objective", "mean<500ms"], "total load"),
    none("boutique_frontend_ramp", &["--request", "100m"], "CPU does not follow"),
    none("hotel_frontend_mssile", &["--objective", "p99<500ms"], "falls under overload"),
    none("hotel_frontend_propfair", &["--objective", "p99<3s"], "spans a factor of"),
    none("nezha_boutique_frontend_0822", &["--objective", "p95<1s"], "spans a factor of"),
    none("nezha_boutique_frontend_0822", &["--request", "100m"], "CPU does not follow"),
    none("oris_queue_exponential", &["--objective", "errors<1%"], "do not come with"),
    none("sha_capacity_cloud", &["--objective", "p99<300ms"], "one load only"),
    none("sha_capacity_cloud", &["--request", "0.5", "--utilization", "90"], "one load only"),
];

#[test]
fn measured_services_are_told_by_their_truths() {
    let data = std::env::var("FORESCALE_DATA").map_or_else(|_| root("../shared/data"), PathBuf::from);
    let folder = data.with_file_name("capacity");
    if !folder.is_dir() {
        println!("no measured services at hand: the generated ones of the unit tests stand alone");
        return;
    }
    for Measured { file, args, within, says } in &MEASURED {
        let found = judged(&folder.join(format!("{file}.csv.gz")), args);
        let why = found["why"].as_str().unwrap_or_default();
        match within {
            Some((low, high)) => {
                let value = number(&found["per_replica"]);
                assert!((*low..=*high).contains(&value), "{file} {args:?}: {found:#}");
                assert_eq!(found["bound"], *says, "{file} {args:?}: {found:#}");
            }
            None => {
                assert_eq!(found["verdict"], "cannot_tell", "{file} {args:?}: {found:#}");
                assert!(why.contains(says), "{file} {args:?}: {why}");
            }
        }
    }
    let gpu = judged(&folder.join("genai_sd_gpu.csv.gz"), &["--request", "1", "--utilization", "60"]);
    assert!(gpu["why"].as_str().is_some_and(|why| why.contains("beyond what was seen")), "{gpu:#}");
    let by = judged(&folder.join("nsfw_classifier.csv.gz"), &["--objective", "mean<280ms"]);
    let by: Vec<f64> =
        by["by_replicas"].as_array().expect("rows").iter().map(|at| number(&at["per_replica"])).collect();
    // The knee for each number of replicas, to a tenth.
    for (found, truth) in by.iter().zip([6.3, 5.3, 5.6]) {
        assert!((found / truth - 1.0).abs() < 0.1, "{by:?}");
    }
    assert_eq!(by.len(), 3);
}
