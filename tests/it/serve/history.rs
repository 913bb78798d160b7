//! From weeks of history to an answer: how soon, based on what, and the same answer after a crash and from another
//! replica.

use std::time::{Duration, Instant};

use serde_json::Value;
use tonic::Code;

use super::configuration;
use crate::support::forescale::Forescale;
use crate::support::keda::Keda;
use crate::support::prometheus::{Backfill, Prometheus};
use crate::support::{load, until};

const METADATA: [(&str, &str); 4] =
    [("query", "sum(load)"), ("threshold", "10"), ("leadTime", "5m"), ("pollStep", "5s")];
/// A longer time is a fault, on an otherwise idle machine.
const AT_ONCE: Duration = Duration::from_millis(10);
const FIRST_NUMBER: Duration = Duration::from_secs(5);
/// From the start of a Prometheus until its samples count: one `queryStep`, and the time they take to settle.
const REFILLED: Duration = Duration::from_secs(120);
/// How long to wait on a machine that compiles in parallel.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn generated_history_is_answered_soon_and_the_same_after_a_crash() {
    answered_soon_and_the_same(load::going_on("load")).await;
}

#[tokio::test]
async fn a_recorded_site_is_answered_soon_and_the_same_after_a_crash() {
    match load::recorded("load", "web_nasa_http_1min.csv.gz") {
        Some(history) => answered_soon_and_the_same(history).await,
        None => println!("the folder of traces is not there: set FORESCALE_DATA"),
    }
}

async fn answered_soon_and_the_same(history: Backfill) {
    let prometheus = Prometheus::start(&[history]).await;
    let config = configuration(&prometheus.url());
    let (one, other) = (Forescale::start(&config).await, Forescale::start(&config).await);
    let mut keda = Keda::connect(one.grpc, "shop", "web", &METADATA).await;
    // Connecting takes its own time; what is measured is the first call for the workload.
    keda.spec().await.expect("a spec");

    let begun = Instant::now();
    let status = keda.replicas().await.expect_err("nothing is known yet");
    let at_once = begun.elapsed();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().starts_with("warming up: "), "{status}");
    let (number, after) = keda.first_number(PATIENCE).await;
    println!("first call: {at_once:?}; first number {number} after {after:?}");
    assert!(at_once < AT_ONCE * slack() && after < FIRST_NUMBER * slack(), "{at_once:?}, {after:?}");
    let decision = one.decision("shop", "web").await.expect("a decision");
    assert!(contributor(&decision, "forecast").is_some(), "the first number has a forecast: {decision}");
    assert_eq!(decision["rung"], "fresh", "{decision}");

    // Two replicas agree at each instant for which both have decided.
    let mut next_door = Keda::connect(other.grpc, "shop", "web", &METADATA).await;
    next_door.first_number(PATIENCE).await;
    let agreed = agreement(&one, &other, &mut keda, &mut next_door).await;
    println!("side by side: {agreed}");

    // One crashes and comes back; the other has run all the time.
    let before = keda.replicas().await.expect("a number");
    one.kill();
    let one = Forescale::start(&config).await;
    let mut keda = Keda::connect(one.grpc, "shop", "web", &METADATA).await;
    let (number, after) = keda.first_number(PATIENCE).await;
    println!("after a crash: {before} before, {number} first, after {after:?}");
    agreement(&one, &other, &mut keda, &mut next_door).await;
    let steady = next_door.replicas().await.expect("a number");
    assert!(number >= before.min(steady), "{number} after {before}, {steady} next door");
}

/// How much longer things may take here: load from other programs is not the server's fault.
fn slack() -> u32 {
    std::env::var("FORESCALE_SLACK").ok().and_then(|text| text.parse().ok()).unwrap_or(4)
}

/// What both decide for the next instants of the grid; asserts that everything the answer depends on is equal.
pub async fn agreement(a: &Forescale, b: &Forescale, keda: &mut Keda, next_door: &mut Keda) -> String {
    // Earlier decisions were made on what was known then: a server that has just started has read what came later.
    let begun = forescale::units::Time::from_epoch(load::now());
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let both = async || {
            // KEDA keeps calling, or the workloads would be forgotten.
            let (_, _) = (keda.replicas().await, next_door.replicas().await);
            let (x, y) = (a.decision("shop", "web").await?, b.decision("shop", "web").await?);
            // Until a minute after Prometheus has started, each holds its previous answer, which a server that has
            // just started does not know. After that, everything is a function of the history.
            let refills = [&x, &y].iter().any(|decision| contributor(decision, "refilling").is_some());
            let at = forescale::units::Time::parse(x["at"].as_str()?).ok()?;
            let is_new = at > begun && !seen.contains(&x["at"]);
            (x["at"] == y["at"] && is_new && !refills).then_some((x, y))
        };
        let ((x, y), _) = until(REFILLED + PATIENCE, "both decide for one instant", both).await;
        assert_eq!(x["replicas"], y["replicas"], "at {}:\n{x}\n{y}", x["at"]);
        assert_eq!(x["needs"], y["needs"], "at {}:\n{x}\n{y}", x["at"]);
        assert_eq!(x["forecast"], y["forecast"], "at {}:\n{x}\n{y}", x["at"]);
        seen.push(x["at"].clone());
    }
    format!("{seen:?}")
}

pub fn contributor(decision: &Value, name: &str) -> Option<u64> {
    let needs = decision["needs"].as_array()?;
    needs.iter().find(|need| need["contributor"] == name)?["replicas"].as_u64()
}

#[tokio::test]
async fn the_forecast_command_reads_a_live_server() {
    let prometheus = Prometheus::start(&[load::going_on("load")]).await;
    let url = prometheus.url();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_forescale"));
        command.arg("forecast").args(arguments).output().expect("it runs")
    };
    let begun = Instant::now();
    let output = run(&["--prometheus", &url, "--query", "sum(load)", "--horizons", "5m,1h"]);
    println!("28 days read and forecast in {:?}", begun.elapsed());
    let rows = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let values: Vec<f64> = rows
        .lines()
        .skip(1)
        .map(|row| row.rsplit(',').next().expect("a value").parse().expect("one"))
        .collect();
    assert_eq!(values.len(), 10, "{rows}");
    assert!(values.iter().all(|v| (20.0..250.0).contains(v)), "{rows}");
    let asked: Vec<&str> = rows.lines().skip(1).filter_map(|row| row.split(',').next()).collect();
    let origin = forescale::units::Time::parse(asked[0]).expect("an instant");
    assert!((load::now() - origin.epoch()) < 180, "the newest sample is the origin: {origin}");

    for (arguments, why) in [
        (&["--prometheus", &url][..], "--query"),
        (&["--query", "x"], "--prometheus"),
        (&["--prometheus", &url, "--query", "sum("], "parse error"),
        (&["--prometheus", &url, "--query", "absent_metric"], "there is no metric absent_metric"),
        (&["--prometheus", "http://u:hunter2@x", "--query", "x"], "--prometheus"),
    ] {
        let output = run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(why) && !text.contains("hunter2"), "{text}");
    }
}
