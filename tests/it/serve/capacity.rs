//! A running server learns the load that one replica carries from the exporters' series, publishes it and uses it.

use std::time::Duration;

use serde_json::Value;

use super::configuration;
use crate::support::forescale::Forescale;
use crate::support::keda::Keda;
use crate::support::load;
use crate::support::prometheus::{Backfill, Prometheus};
use crate::support::until;

const PATIENCE: Duration = Duration::from_secs(60);
/// Ten days of minutes; the series also extend as far into the future as the tests run.
const MINUTES: i64 = 10 * 1_440;
const AHEAD: i64 = 30;

/// Four replicas of `web`: 0.05 cores at rest and 0.02 for each request per second; each requests 0.5 cores. At 70 %,
/// one replica carries 15 requests per second.
fn series() -> Vec<Backfill> {
    let last = load::now().div_euclid(60) + AHEAD;
    let each = |minute: i64| 13.0 - 11.0 * (minute as f64 / 1_440.0 * std::f64::consts::TAU).cos();
    let points = |value: &dyn Fn(i64) -> f64| -> Vec<(i64, f64)> {
        (last - MINUTES..last).map(|minute| (60 * minute, value(minute))).collect()
    };
    let mut used = 0.0;
    let counter = (last - MINUTES..last)
        .map(|minute| {
            used += 60.0 * 4.0 * (0.05 + 0.02 * each(minute));
            (60 * minute, used)
        })
        .collect();
    let of = |metric: &str, labels: &str| format!("{metric}{{namespace=\"shop\",{labels}}}");
    let (pod, set) = ("pod=\"web-5d9f-abcde\",container=\"web\"", "replicaset=\"web-5d9f\"");
    vec![
        Backfill { metric: of("container_cpu_usage_seconds_total", pod), points: counter },
        Backfill {
            metric: of("kube_deployment_status_replicas_ready", "deployment=\"web\""),
            points: points(&|_| 4.0),
        },
        Backfill {
            metric: of("kube_pod_container_resource_requests", &format!("{pod},resource=\"cpu\"")),
            points: points(&|_| 0.5),
        },
        Backfill { metric: of("kube_replicaset_created", set), points: points(&|_| 1_700_000_000.0) },
        Backfill { metric: of("kube_replicaset_status_ready_replicas", set), points: points(&|_| 4.0) },
        Backfill { metric: "load".to_owned(), points: points(&|minute| 4.0 * each(minute)) },
    ]
}

async fn capacity(server: &Forescale, name: &str) -> Value {
    until(PATIENCE, "a capacity", async || {
        let decision = server.decision("shop", name).await?;
        Some(decision["capacity"].clone()).filter(|view| !view.is_null())
    })
    .await
    .0
}

#[tokio::test]
async fn it_is_published_by_default_and_used_where_that_is_said() {
    let prometheus = Prometheus::start(&series()).await;
    let server = Forescale::start(&configuration(&prometheus.url())).await;
    let usual = [("query", "load"), ("threshold", "20")];
    let mut advised = Keda::connect(server.grpc, "shop", "web", &usual).await;
    advised.first_number(PATIENCE).await;
    let view = capacity(&server, "web").await;
    let carried = view["per_replica"].as_f64().expect("known");
    assert!((carried - 15.0).abs() < 0.6, "{view:#}");
    assert_eq!(
        (&view["mode"], &view["bound"], &view["used"]),
        (&"advise".into(), &"cpu".into(), &20.0.into())
    );
    let (_, metrics) = server.get("/metrics").await;
    for line in [
        "forescale_replica_capacity{namespace=\"shop\",name=\"web\",metric=\"forescale\",bound=\"cpu\"} 1",
        "forescale_replica_load{namespace=\"shop\",name=\"web\",metric=\"forescale\",origin=\"given\"} 20",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }

    // A ScaledObject with a name other than that of its target.
    let named = [("targetKind", "Deployment"), ("targetName", "web")];
    advised.like("front", &[&usual[..], &named].concat()).first_number(PATIENCE).await;
    let view = capacity(&server, "front").await;
    let carried = view["per_replica"].as_f64().expect("known");
    assert!((carried - 15.0).abs() < 0.6, "{view:#}");

    // Another metric of the same workload uses it.
    let auto = [("query", "load"), ("threshold", "20"), ("capacity", "auto"), ("metricName", "auto")];
    let mut auto = Keda::connect(server.grpc, "shop", "web", &auto).await;
    auto.first_number(PATIENCE).await;
    let (view, _) = until(PATIENCE, "a capacity that counts", async || {
        let (status, text) = server.get("/api/v1/workloads/shop/web/decision?metric=auto").await;
        let decision: Value = serde_json::from_str(&text).ok().filter(|_| status == 200)?;
        Some(decision["capacity"].clone()).filter(|view| !view.is_null())
    })
    .await;
    let used = view["used"].as_f64().expect("a number");
    assert!((used - 15.0).abs() < 0.6 && view["mode"] == "auto", "{view:#}");

    // A replayed decision learns the same from the same exporters.
    let policy = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    std::fs::write(policy.path(), "query: load\nthreshold: \"20\"\ncapacity: auto\n").expect("written");
    let file = policy.path().display().to_string();
    let url = prometheus.url();
    let replay = ["explain", "shop/web", "--prometheus", &url, "--policy", &file, "--format", "json"];
    let binary = env!("CARGO_BIN_EXE_forescale");
    let output = std::process::Command::new(binary).args(replay).output().expect("the binary runs");
    let told: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(told["capacity"]["used"], view["used"], "{}", told["capacity"]);
}

#[tokio::test]
async fn where_the_exporters_have_nothing_it_is_said_once_and_costs_nothing() {
    let prometheus = Prometheus::start(&[load::going_on("load")]).await;
    let server = Forescale::start(&configuration(&prometheus.url())).await;
    let keys = [("query", "load"), ("threshold", "20")];
    Keda::connect(server.grpc, "shop", "web", &keys).await.first_number(PATIENCE).await;
    let view = capacity(&server, "web").await;
    assert_eq!((&view["verdict"], &view["used"]), (&"cannot_tell".into(), &20.0.into()), "{view:#}");
    assert!(view["missing"].to_string().contains("kube-state-metrics"), "{view:#}");
    let (_, metrics) = server.get("/metrics").await;
    assert!(!metrics.contains("forescale_replica_capacity{"), "{metrics}");
}
