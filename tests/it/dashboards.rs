//! Dashboards and rules: every expression returns data from a real Prometheus that scrapes a running server, and
//! every alert passes its unit tests.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use axum::routing::get;
use forescale::keda::wire::external_scaler_client::ExternalScalerClient;
use forescale::keda::wire::{GetMetricsRequest, ScaledObjectRef};
use forescale::source::yaml;
use serde_json::Value;
use tokio::net::TcpListener;
use tonic::transport::Channel;

use crate::support::prometheus::{Backfill, Prometheus};
use crate::support::server;

/// The last series to appear is the scaling lag: one step of the replica history after the pods are ready.
const WITHIN: Duration = Duration::from_secs(240);
const HISTORY: i64 = 7 * 86_400;
const STEP: i64 = 30;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Writes the rule files contained in the manifests, and returns their paths.
fn rule_files(dir: &Path) -> Vec<PathBuf> {
    ["forescale-rules", "octollm-rules"]
        .into_iter()
        .map(|name| {
            let path = root("deploy/prometheus").join(name).with_extension("yaml");
            let manifest: Value =
                yaml::from_str(&fs::read_to_string(path).expect("a manifest")).expect("YAML");
            let file = dir.join(name).with_extension("yaml");
            fs::write(&file, manifest["spec"].to_string()).expect("written");
            file
        })
        .collect()
}

#[test]
fn alerts_pass_their_unit_tests() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let files = rule_files(dir.path());
    let tests = dir.path().join("alerts.test.yaml");
    fs::copy(root("tests/deploy/alerts.test.yaml"), &tests).expect("copied");
    let check = Command::new("promtool").args(["check", "rules"]).args(&files).output().expect("promtool");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    let test = Command::new("promtool").args(["test", "rules"]).arg(&tests).output().expect("promtool");
    let said = [test.stdout, test.stderr].concat();
    assert!(test.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_expression_returns_data() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let begun = unix_now();
    let exporter = exporter(begun).await;
    let http = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let grpc = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let rules: Vec<_> = rule_files(dir.path()).iter().map(|f| f.display().to_string()).collect();
    let config = serde_json::json!({
        "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
        "rule_files": rules,
        "scrape_configs": [
            { "job_name": "cluster", "honor_labels": true, "static_configs": [{ "targets": [exporter] }] },
            { "job_name": "forescale", "honor_labels": true,
              "static_configs": [{ "targets": [http.local_addr().expect("bound").to_string()] }] },
        ],
    });
    let points = (0..HISTORY / STEP).map(|i| begun - HISTORY + i * STEP).map(|t| (t, demand(t, begun)));
    let backfill = Backfill { metric: "demand".to_owned(), points: points.collect() };
    let prometheus = Prometheus::start_with(&[backfill], &config.to_string()).await;
    let _server = serve(&prometheus, grpc, http).await;
    let mut open: Vec<(String, String)> = expressions();
    assert!(open.len() > 50, "only {} expressions", open.len());
    open.extend(recorded().into_iter().map(|name| ("rules".to_owned(), name)));
    let total = open.len();
    while !open.is_empty() && unix_now() - begun < WITHIN.as_secs().cast_signed() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut waiting = Vec::new();
        for (place, expression) in open {
            if !returns_data(&prometheus, &expression).await {
                waiting.push((place, expression));
            }
        }
        open = waiting;
    }
    assert!(open.is_empty(), "{} of {total} without data: {open:#?}", open.len());
    println!("{total} expressions returned data after {} s", unix_now() - begun);
    healthy_rules(&prometheus).await;
}

/// Starts the server, and calls it as KEDA does until the test ends.
async fn serve(prometheus: &Prometheus, grpc: TcpListener, http: TcpListener) -> impl Drop {
    let text = format!("datasources: {{default: {{url: '{}'}}}}", prometheus.url());
    let address = grpc.local_addr().expect("bound");
    let ends = server::start(&text, grpc, http);
    // The counters must be scraped at zero first.
    let begun = Instant::now();
    while !returns_data(prometheus, "forescale_workloads + 1").await {
        assert!(begun.elapsed() < WITHIN, "the server is not scraped");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let channel = Channel::from_shared(format!("http://{address}")).expect("an address");
    let mut client = ExternalScalerClient::new(channel.connect().await.expect("connected"));
    tokio::spawn(async move {
        loop {
            for (namespace, name) in [("shop", "web"), ("octollm", "coder-arm")] {
                let request = GetMetricsRequest {
                    scaled_object_ref: Some(object(namespace, name)),
                    metric_name: "forescale".to_owned(),
                };
                // It fails at first, while warming up; the metrics show it.
                let _ = client.get_metrics(request).await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    ends
}

fn object(namespace: &str, name: &str) -> ScaledObjectRef {
    let keys = [
        ("query", "max(demand)"),
        ("threshold", "50"),
        ("maxReplicas", "20"),
        ("historyTimeWindow", "7d"),
        ("queryStep", "30s"),
        ("pollStep", "5s"),
        ("settle", "0s"),
        ("replicasQuery", "max(running)"),
    ];
    let scaler_metadata: HashMap<_, _> =
        keys.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    ScaledObjectRef { name: name.to_owned(), namespace: namespace.to_owned(), scaler_metadata }
}

/// A day that is at its minimum now: 12 replicas, with 28 needed later where 20 are allowed.
fn demand(at: i64, lowest: i64) -> f64 {
    let phase = (at - lowest).rem_euclid(86_400) as f64 / 86_400.0;
    1000.0 - 400.0 * (std::f64::consts::TAU * phase).cos()
}

fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    since.as_secs().cast_signed()
}

/// What other exporters of a cluster publish: kube-state-metrics, cAdvisor, the scheduler, OctoLLM.
async fn exporter(begun: i64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let page = move || async move { cluster(unix_now() - begun, begun) };
    let router = axum::Router::new().route("/metrics", get(page));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn cluster(age: i64, begun: i64) -> String {
    let mut text = String::new();
    let mut put = |series: &str, value: f64| writeln!(text, "{series} {value}").expect("written");
    // A rise after a while causes a change, and its pods come later: a scaling lag.
    put("demand", demand(begun + age, begun) + if age > 40 { 100.0 } else { 0.0 });
    put("running", if age > 60 { 30.0 } else { 1.0 });
    let seconds = age as f64;
    let hpa = r#"namespace="shop",horizontalpodautoscaler="keda-hpa-web""#;
    put(&format!("kube_horizontalpodautoscaler_status_current_replicas{{{hpa}}}"), 12.0);
    put(&format!("kube_horizontalpodautoscaler_status_desired_replicas{{{hpa}}}"), 14.0);
    put(&format!("kube_horizontalpodautoscaler_spec_max_replicas{{{hpa}}}"), 20.0);
    put(&format!(r#"kube_horizontalpodautoscaler_spec_target_metric{{{hpa},metric_name="cpu"}}"#), 70.0);
    put(r#"kube_node_info{node="n1"}"#, 1.0);
    put(r#"kube_pod_status_phase{namespace="shop",pod="w",phase="Pending"}"#, 0.0);
    put(r#"kube_deployment_status_replicas_ready{namespace="octollm",deployment="coder-arm"}"#, 3.0);
    let pod = r#"namespace="shop",pod="w",container="web""#;
    put(&format!("container_cpu_usage_seconds_total{{{pod}}}"), 0.5 * seconds);
    put(&format!(r#"kube_pod_container_resource_requests{{{pod},resource="cpu"}}"#), 1.0);
    for (le, share) in [("0.1", 0.5), ("1", 0.9), ("+Inf", 1.0)] {
        let name = "scheduler_pod_scheduling_sli_duration_seconds_bucket";
        put(&format!(r#"{name}{{le="{le}"}}"#), (share * 10.0 * seconds).floor());
    }
    let octollm = r#"{namespace="octollm",pod="p"}"#;
    put(&format!("octollm_reflex_http_requests_total{octollm}"), 300.0 * seconds);
    for gauge in ["task_queue_depth", "planner_queue_depth", "executor_queue_depth", "coder_queue_depth"] {
        put(&format!("octollm_{gauge}{octollm}"), 5.0);
    }
    for gauge in ["api_latency_p95_seconds", "retriever_latency_p95_seconds"] {
        put(&format!("octollm_{gauge}{octollm}"), 0.15);
    }
    text
}

/// Every expression of every dashboard, with its variables filled in.
fn expressions() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for name in ["fleet", "workload", "cluster"] {
        let path = root("deploy/grafana").join(name).with_extension("json");
        let board: Value = serde_json::from_str(&fs::read_to_string(path).expect("a board")).expect("JSON");
        let namespace = if name == "workload" { "shop" } else { ".*" };
        for panel in board["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let expression = target["expr"].as_str().expect("an expression");
                let filled = expression
                    .replace("$__rate_interval", "3m")
                    .replace("$__range", "3m")
                    .replace("$price", "0.05")
                    .replace("$namespace", namespace)
                    .replace("$name", "web")
                    .replace("$metric", "forescale");
                assert!(!filled.contains('$'), "{filled}");
                all.push((format!("{name}: {}", panel["title"].as_str().expect("a title")), filled));
            }
        }
    }
    all
}

/// The names of the recording rules.
fn recorded() -> Vec<String> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut names = Vec::new();
    for file in rule_files(dir.path()) {
        let rules: Value = yaml::from_str(&fs::read_to_string(file).expect("rules")).expect("JSON");
        for rule in
            rules["groups"].as_array().expect("groups").iter().flat_map(|g| g["rules"].as_array()).flatten()
        {
            names.extend(rule["record"].as_str().map(str::to_owned));
        }
    }
    assert!(!names.is_empty(), "no recording rules");
    names
}

async fn returns_data(prometheus: &Prometheus, expression: &str) -> bool {
    let answer = ask(prometheus, &format!("/api/v1/query?query={}", encoded(expression))).await;
    assert_eq!(answer["status"], "success", "{expression}: {answer}");
    let rows = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    rows.iter().any(|row| row["value"][1].as_str().is_some_and(|v| v != "NaN"))
}

async fn healthy_rules(prometheus: &Prometheus) {
    let answer = ask(prometheus, "/api/v1/rules").await;
    for group in answer["data"]["groups"].as_array().expect("groups") {
        for rule in group["rules"].as_array().expect("rules") {
            assert_eq!(rule["health"], "ok", "{rule}");
        }
    }
}

async fn ask(prometheus: &Prometheus, path: &str) -> Value {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().expect("a client");
    let answer = client.get(format!("{}{path}", prometheus.url())).send().await.expect("an answer");
    serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "%{byte:02X}").expect("written");
        out
    })
}
