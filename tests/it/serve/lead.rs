//! `leadTime: auto` next to a workload whose name starts the same, and whose pods take longer to start.

use std::time::Duration;

use super::configuration;
use crate::support::forescale::Forescale;
use crate::support::keda::Keda;
use crate::support::load;
use crate::support::prometheus::{Backfill, Prometheus};

const PATIENCE: Duration = Duration::from_secs(60);
/// Starts an hour apart: each is a separate value in what is learned.
const STARTS: i64 = 24;
/// How many minutes a pod lives and kube-state-metrics reports it.
const LIFE: i64 = 45;

/// What kube-state-metrics reports about pods that were started each hour, `offset` minutes after it; `owner` is the
/// kind and name of their owner, if it is reported.
fn pods(pod: impl Fn(i64) -> String, offset: i64, took: i64, owner: Option<(&str, &str)>) -> Vec<Backfill> {
    let hour = load::now().div_euclid(3_600) * 60;
    let mut all = Vec::new();
    for start in 1..=STARTS {
        let created = hour - start * 60 + offset;
        let mut tell = |metric: &str, more: &str, value: i64| {
            let metric = format!("{metric}{{namespace=\"shop\",pod=\"{}\"{more}}}", pod(start));
            // From its readiness on: before that there is nothing to learn from it.
            let minutes = created + took.div_euclid(60) + 1..=created + LIFE;
            all.push(Backfill { metric, points: minutes.map(|m| (m * 60, value as f64)).collect() });
        };
        tell("kube_pod_created", "", created * 60);
        tell("kube_pod_status_ready_time", "", created * 60 + took);
        tell("kube_pod_status_ready", ",condition=\"true\"", 1);
        if let Some((kind, name)) = owner {
            tell("kube_pod_owner", &format!(",owner_kind=\"{kind}\",owner_name=\"{name}\""), 1);
        }
    }
    all
}

/// The owner of a ReplicaSet, for as long as its pods are reported.
fn set_of(set: &str, deployment: &str) -> Backfill {
    let owner = format!("owner_kind=\"Deployment\",owner_name=\"{deployment}\"");
    let metric = format!("kube_replicaset_owner{{namespace=\"shop\",replicaset=\"{set}\",{owner}}}");
    let last = load::now().div_euclid(60);
    let points = (last - (STARTS + 2) * 60..last + 30).map(|minute| (minute * 60, 1.0)).collect();
    Backfill { metric, points }
}

/// The lead time learned for `web` from these series, in words.
async fn learned(mut series: Vec<Backfill>) -> String {
    series.push(load::going_on("load"));
    // Some replica of the workload has always been running: no start is from zero.
    let last = load::now().div_euclid(60);
    let points = (last - 9 * 1_440..last + 30).map(|minute| (minute * 60, 1.0)).collect();
    let metric = "kube_pod_status_ready{namespace=\"shop\",pod=\"web-7f9c6d5b8-zzzzz\",condition=\"true\"}";
    series.push(Backfill { metric: metric.to_owned(), points });
    // promtool requires the samples of one metric to be adjacent.
    series.sort_by(|a, b| a.metric.cmp(&b.metric));
    let prometheus = Prometheus::start(&series).await;
    let server = Forescale::start(&configuration(&prometheus.url())).await;
    let keys = [("query", "load"), ("threshold", "20"), ("leadTime", "auto"), ("mode", "reactive")];
    Keda::connect(server.grpc, "shop", "web", &keys).await.first_number(PATIENCE).await;
    let decision = server.decision("shop", "web").await.expect("one");
    let notes = decision["notes"].as_array().expect("notes");
    let note = notes.iter().find(|note| note["note"] == "learned_lead");
    note.map_or_else(|| format!("nothing: {notes:?}"), |note| note["text"].to_string())
}

#[tokio::test]
async fn a_lead_time_is_learned_from_the_workloads_own_pods() {
    let web = |owner| pods(|i| format!("web-7f9c6d5b8-{i:05}"), 0, 40, owner);
    let worker = |owner| pods(|i| format!("web-worker-6d4cf56db6-{i:05}"), 5, 300, owner);

    // By their names, if owners are not reported.
    let by_name = [web(None), worker(None)].concat();
    assert_eq!(learned(by_name).await, "\"lead time learned: 40s\"");

    // A DaemonSet web-agent names its pods as a Deployment web would: the owner makes the difference.
    let agent = pods(|i| format!("web-agent-{i:05}"), 10, 600, Some(("DaemonSet", "web-agent")));
    // So does a Deployment of another name whose ReplicaSet name ends in a plain word.
    let next = pods(|i| format!("web-next-{i:05}"), 15, 900, Some(("ReplicaSet", "web-next")));
    let sets = [("web-7f9c6d5b8", "web"), ("web-worker-6d4cf56db6", "web-worker"), ("web-next", "another")];
    let by_owner = [
        web(Some(("ReplicaSet", "web-7f9c6d5b8"))),
        worker(Some(("ReplicaSet", "web-worker-6d4cf56db6"))),
        agent,
        next,
        sets.map(|(set, deployment)| set_of(set, deployment)).into(),
    ];
    assert_eq!(learned(by_owner.concat()).await, "\"lead time learned: 40s\"");

    // A StatefulSet numbers its pods.
    let numbered = pods(|i| format!("web-{i}"), 0, 70, Some(("StatefulSet", "web")));
    assert_eq!(learned([numbered, worker(None)].concat()).await, "\"lead time learned: 1m10s\"");
}
