//! Tests `forescale doctor` on a real server and a real Prometheus: a healthy setup is green, and each planted fault
//! is found by its own check.

mod manifests;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::IntoResponse;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::forescale::Forescale;
use crate::support::keda::Keda;
use crate::support::load;
use crate::support::prometheus::{Backfill, Prometheus, client};

const PATIENCE: Duration = Duration::from_secs(60);
/// What every workload asks for: more than its load needs, so that the answer is known in advance.
const ANSWER: f64 = 20.0;

/// One namespace of a cluster as kube-state-metrics reports it, by minute from two hours ago on.
struct Cluster {
    namespace: &'static str,
    desired: fn(i64) -> f64,
    ready: f64,
    has_metric: bool,
    pending: f64,
    answered: f64,
}

impl Cluster {
    fn healthy(namespace: &'static str) -> Self {
        Cluster {
            namespace,
            desired: |_| ANSWER,
            ready: ANSWER,
            has_metric: true,
            pending: 0.0,
            answered: ANSWER,
        }
    }

    fn series(&self) -> Vec<Backfill> {
        let Cluster { namespace, desired, ready, has_metric, pending, answered } = *self;
        let hpa = format!("namespace=\"{namespace}\",horizontalpodautoscaler=\"keda-hpa-web\"");
        let constant = |metric: String, value: f64| by_minute(metric, move |_| value);
        let of_hpa = |what: &str| format!("kube_horizontalpodautoscaler_{what}");
        let mut all = vec![
            constant(format!("{}{{{hpa}}}", of_hpa("status_current_replicas")), ready),
            by_minute(format!("{}{{{hpa}}}", of_hpa("status_desired_replicas")), desired),
            constant(format!("{}{{{hpa}}}", of_hpa("spec_max_replicas")), 40.0),
            constant(
                format!(
                    "{}{{{hpa},condition=\"ScalingActive\",status=\"true\"}}",
                    of_hpa("status_condition")
                ),
                1.0,
            ),
            constant(
                format!(
                    "kube_deployment_status_replicas_ready{{namespace=\"{namespace}\",deployment=\"web\"}}"
                ),
                ready,
            ),
            constant(
                format!(
                    "kube_pod_status_phase{{namespace=\"{namespace}\",pod=\"web-7f9c6d-x8k2p\",phase=\"Pending\"}}"
                ),
                pending,
            ),
        ];
        let own = format!("namespace=\"{namespace}\",name=\"web\",metric=\"forescale\"");
        all.push(constant(format!("forescale_desired_replicas{{{own}}}"), answered));
        let needed = format!("forescale_required_replicas{{{own},contributor=\"reactive\"}}");
        all.push(constant(needed, ANSWER - 4.0));
        // A neighbour whose name starts the same, with pending pods.
        let worker = "pod=\"web-worker-6d4cf56db6-abcde\",phase=\"Pending\"";
        all.push(constant(format!("kube_pod_status_phase{{namespace=\"{namespace}\",{worker}}}"), 1.0));
        if has_metric {
            let metric = format!("{}{{{hpa},metric_name=\"s0-forescale\"}}", of_hpa("spec_target_metric"));
            all.push(constant(metric, 1.0));
        }
        all
    }
}

fn by_minute(metric: String, value: impl Fn(i64) -> f64) -> Backfill {
    let now = load::now().div_euclid(60);
    let points = (now - 120..now + 30).map(|minute| (minute * 60, value(minute))).collect();
    Backfill { metric, points }
}

/// The wave, restricted to a range of minutes before now.
fn part(metric: &str, from: i64, until: i64) -> Backfill {
    let mut wave = load::going_on(metric);
    let now = load::now();
    wave.points.retain(|(at, _)| (now - from * 60..=now - until * 60).contains(at));
    wave
}

/// The output of the command: status and text of each check, and its exit code.
fn ask(arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_forescale"))
        .arg("doctor")
        .args(arguments)
        .args(["--format", "json"])
        .output()
        .expect("it runs");
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let checks = document["checks"].as_array().expect("checks").iter();
    let checks = checks.map(|c| (text(c, "check"), (text(c, "status"), text(c, "found"))));
    (checks.collect(), output.status.code().expect("it ended by itself"))
}

/// Relays Prometheus with a clock that is five minutes ahead.
async fn relay(prometheus: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let forward = async |State(to): State<String>, uri: Uri, body: Bytes| {
        let form = "application/x-www-form-urlencoded";
        let request = client().post(format!("{to}{uri}")).header(header::CONTENT_TYPE, form).body(body);
        let answer = request.send().await.expect("answered");
        let kind = answer.headers()[header::CONTENT_TYPE].clone();
        let ahead = forescale::units::Time::from_epoch(load::now() + 300).to_utc();
        let date = ahead.format("%a, %d %b %Y %H:%M:%S GMT").to_string().parse().expect("a header");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind), (header::DATE, date)]);
        (StatusCode::OK, headers, answer.bytes().await.expect("bytes")).into_response()
    };
    let router = Router::new().fallback(forward).with_state(prometheus);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

type Said = (BTreeMap<String, (String, String)>, i32);

/// A cluster with faults, and the server that scales it.
struct World {
    _prometheus: Prometheus,
    server: Forescale,
    url: String,
}

fn clusters() -> Vec<Cluster> {
    let flip = |minute: i64| if minute / 5 % 2 == 0 { ANSWER } else { ANSWER + 8.0 };
    let mut all = vec![
        Cluster { has_metric: false, ..Cluster::healthy("unseen") },
        Cluster { desired: |_| 5.0, ready: 5.0, ..Cluster::healthy("stuck") },
        Cluster { ready: 3.0, ..Cluster::healthy("lagging") },
        Cluster { pending: 2.0, ..Cluster::healthy("pending") },
        Cluster { desired: flip, ready: ANSWER + 8.0, ..Cluster::healthy("flapping") },
        Cluster { desired: |_| 60.0, ready: 60.0, ..Cluster::healthy("spare") },
        Cluster { answered: 80.0, ..Cluster::healthy("dear") },
    ];
    all.extend(["well", "ended", "young", "capped", "faulty"].map(Cluster::healthy));
    all
}

async fn world() -> World {
    let clusters = clusters();
    let mut series: Vec<Backfill> = clusters.iter().flat_map(Cluster::series).collect();
    series.extend([load::going_on("load{pod=\"a\"}"), load::going_on("load{pod=\"b\"}")]);
    // Younger than ten samples: whatever the hour, no grid point has enough samples before it.
    series.extend([part("ended", 30 * 1_440, 20), part("young", 9, -30)]);
    // promtool requires the samples of one metric to be adjacent.
    series.sort_by(|a, b| a.metric.cmp(&b.metric));
    let prometheus = Prometheus::start(&series).await;
    let url = prometheus.url();
    let server = Forescale::start(&format!("datasources: {{default: {{url: '{url}'}}}}")).await;

    let keys = |query| [("query", query), ("threshold", "20"), ("minReplicas", "20"), ("maxReplicas", "40")];
    let keda = Keda::connect(server.grpc, "well", "web", &keys("sum(load)")).await;
    for namespace in ["well", "unseen", "stuck", "lagging", "pending", "flapping", "spare", "dear"] {
        keda.like("web", &keys("sum(load)")).in_namespace(namespace).first_number(PATIENCE).await;
    }
    keda.like("web", &keys("ended")).in_namespace("ended").first_number(PATIENCE).await;
    keda.like("web", &keys("young")).in_namespace("young").first_number(PATIENCE).await;
    let few = [("query", "sum(load)"), ("threshold", "1"), ("minReplicas", "20"), ("maxReplicas", "20")];
    keda.like("web", &few).in_namespace("capped").first_number(PATIENCE).await;
    let bad = [("query", "sum(load)"), ("treshold", "1")];
    keda.like("web", &bad).in_namespace("faulty").replicas().await.expect_err("faulty");
    World { _prometheus: prometheus, server, url }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_chain_is_green_and_each_planted_fault_is_found_by_its_own_check() {
    let World { server, url, .. } = &world().await;
    let api = format!("http://{}", server.http);
    let nowhere = "http://127.0.0.1:1";
    let query = ["--query", "sum(load)"];
    let of = |place: &str, more: &[&str]| {
        ask(&[&[place, "--server", &api, "--prometheus", url][..], more].concat())
    };
    let (checks, code) = of("well/web", &query);
    // No exporter here reports the CPU of its pods.
    let is_well = |(name, (status, _)): (&String, &(String, _))| {
        status == "ok" || name == "capacity" && status == "skipped"
    };
    assert!(checks.iter().all(is_well), "{checks:#?}");
    assert_eq!((code, checks.len()), (0, 19));

    let skewed = relay(url.clone()).await;
    let unserved = ask(&["well/web", "--server", nowhere, "--prometheus", url]);
    let sourceless = ask(&["well/web", "--server", &api, "--prometheus", nowhere]);
    let ahead = ask(&["well/web", "--server", &api, "--prometheus", &skewed]);
    for (name, status, words, said) in [
        ("server", "fail", "", unserved),
        ("keda_calls", "fail", "never asked", of("nowhere/web", &query)),
        ("metadata", "fail", "treshold", of("faulty/web", &query)),
        ("data_source", "fail", "127.0.0.1:1", sourceless),
        ("one_series", "fail", "more than one series", of("well/web", &["--query", "load"])),
        (
            "one_series",
            "fail",
            "there is no metric absent_metric",
            of("well/web", &["--query", "absent_metric"]),
        ),
        ("clock_skew", "fail", "differs", ahead),
        ("fresh", "fail", "held", of("ended/web", &[])),
        ("history", "fail", "no forecast", of("young/web", &[])),
        ("hpa_metric", "fail", "no metric of ours", of("unseen/web", &query)),
        ("hpa_scales", "fail", "wants 5", of("stuck/web", &query)),
        ("replicas_follow", "fail", "fewer pods ready", of("lagging/web", &query)),
        ("pending_pods", "fail", "2 pods", of("pending/web", &query)),
        ("flapping", "fail", "reversals", of("flapping/web", &query)),
        ("over_scaling", "warn", "at least 60", of("spare/web", &query)),
        ("capped", "fail", "capped:", of("capped/web", &query)),
        ("cost", "fail", "5 times", of("dear/web", &query)),
    ] {
        alone(name, status, words, &said);
    }

    for bad in [["well", "--server", &api], ["a/b\"}", "--server", &api], ["a/b", "--server", "x"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_forescale")).arg("doctor").args(bad).output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Asserts that the check found what was planted, and that no other check failed.
fn alone(name: &str, status: &str, words: &str, (checks, code): &Said) {
    let (found, text) = &checks[name];
    let is_right = found == status && text.contains(words);
    assert!(is_right, "{name}: {found} '{text}', expected {status} '{words}'");
    let broken = checks.iter().filter(|(_, (status, _))| status == "fail").map(|(name, _)| name.as_str());
    // A refused workload has no fresh decision either.
    let broken: Vec<&str> = broken.filter(|other| *other != "fresh" || name != "metadata").collect();
    let own: &[&str] = if status == "fail" { &[name] } else { &[] };
    assert_eq!(broken, own, "{name}: {checks:#?}");
    assert_eq!(*code, i32::from(status == "fail"), "{name}");
    println!("{name}: {status}: {text}");
}
