//! Prometheus fails in every possible way; no answer falls, and none becomes zero.

use std::time::Duration;

use tonic::Code;

use super::configuration;
use super::history::contributor;
use crate::support::forescale::Forescale;
use crate::support::keda::Keda;
use crate::support::prometheus::Prometheus;
use crate::support::{load, until};

const PATIENCE: Duration = Duration::from_secs(90);
const METADATA: [(&str, &str); 6] = [
    ("query", "sum(load)"),
    ("threshold", "10"),
    ("leadTime", "1m"),
    ("pollStep", "5s"),
    ("settle", "5s"),
    ("minReplicas", "0"),
];

#[tokio::test]
async fn a_prometheus_that_dies_and_comes_back_lowers_no_answer() {
    let mut prometheus = Prometheus::start(&[load::going_on("load")]).await;
    let server = Forescale::start(&configuration(&prometheus.url())).await;
    let mut keda = Keda::connect(server.grpc, "shop", "web", &METADATA).await;
    keda.first_number(PATIENCE).await;
    let reactive = contributor(&server.decision("shop", "web").await.expect("one"), "reactive");
    let reactive = u32::try_from(reactive.expect("a load")).expect("few");

    // While it is down, the answer stays at or above what the last load needs.
    prometheus.stop();
    let mut answers = Vec::new();
    let held = async || {
        let (number, active) = (keda.replicas().await.expect("a number"), keda.active().await);
        assert!(number >= reactive && number > 0, "{number} of {reactive} after {answers:?}");
        assert!(active.expect("an answer"), "never inactive");
        if answers.last() != Some(&number) {
            answers.push(number);
        }
        let decision = server.decision("shop", "web").await?;
        (decision["rung"] == "held").then_some(())
    };
    let (_, after) = until(PATIENCE, "the history is held", held).await;
    println!("down: held after {after:?}; answers {answers:?}");
    prometheus.restart().await;
    let fresh = async || {
        let number = keda.replicas().await.expect("a number");
        assert!(number >= reactive, "{number} of {reactive}");
        (server.decision("shop", "web").await?["rung"] == "fresh").then_some(())
    };
    let (_, after) = until(PATIENCE, "it is fresh again", fresh).await;
    println!("up again: fresh after {after:?}");
    assert!(server.log().contains("a query fails"));
}

#[tokio::test]
async fn a_metric_that_vanished_is_held_and_then_no_lower_than_the_last_need() {
    // Ten minutes ago: further back than instant queries look.
    let prometheus = Prometheus::start(&[load::wave("load", load::now() - 600)]).await;
    let server = Forescale::start(&configuration(&prometheus.url())).await;
    for (name, max_stale, rung) in [("held", "1h", "held"), ("stale", "1m", "stale")] {
        let metadata: Vec<_> = METADATA.into_iter().chain([("maxStale", max_stale)]).collect();
        let mut keda = Keda::connect(server.grpc, "shop", name, &metadata).await;
        let (number, _) = keda.first_number(PATIENCE).await;
        let decision = server.decision("shop", name).await.expect("one");
        assert_eq!(decision["rung"], rung, "{decision}");
        let last = contributor(&decision, "reactive").expect("the last need");
        assert!(u64::from(number) >= last && number > 0, "{decision}");
    }
}

#[tokio::test]
async fn without_any_history_there_is_no_answer_even_with_a_floor() {
    let mut prometheus = Prometheus::start(&[load::going_on("load")]).await;
    prometheus.stop();
    let config = format!("{}\nstartupGrace: 1s", configuration(&prometheus.url()));
    let server = Forescale::start(&config).await;
    let floor = [("minReplicas", "2"), ("schedule", "- {start: '00:00', end: '24:00', min: 3}")];
    let metadata: Vec<_> = METADATA.into_iter().filter(|(k, _)| *k != "minReplicas").chain(floor).collect();
    let mut keda = Keda::connect(server.grpc, "shop", "web", &metadata).await;
    let blind = async || {
        let status = keda.replicas().await.expect_err("no number");
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert_eq!(keda.active().await.expect_err("no state").code(), Code::Unavailable);
        status.message().starts_with("no data: ").then_some(())
    };
    let (_, after) = until(PATIENCE, "the grace is over", blind).await;
    println!("no data after {after:?}");
    assert_eq!(keda.spec().await.expect("a spec").1, 1.0, "the spec never fails");

    prometheus.restart().await;
    let (number, after) = keda.first_number(PATIENCE).await;
    println!("first number {number}, {after:?} after Prometheus was there");
    assert!(number >= 3);
}

#[tokio::test]
async fn a_source_that_never_answers_costs_no_call_its_time() {
    // The kernel accepts the connections, but nobody reads them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("bound"));
    let server = Forescale::start(&configuration(&url)).await;
    let mut keda = Keda::connect(server.grpc, "shop", "web", &METADATA).await;
    for _ in 0..50 {
        let begun = std::time::Instant::now();
        assert_eq!(keda.replicas().await.expect_err("nothing").code(), Code::Unavailable);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
    let (status, after, _) = server.terminate(PATIENCE).await;
    println!("ended after {after:?} with a question open");
    assert!(status.success(), "{status}");
}
