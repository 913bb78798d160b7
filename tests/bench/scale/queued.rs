//! Fits that are queued on purpose: two thousand workloads of a query each, whose fits take 200 ms. The age of every
//! decision that is answered, and the calls that are refused once the grace of the start has passed.
//! `QUEUED_WORKLOADS`, `QUEUED_MILLIS` and `QUEUED_SECONDS` shorten it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use forescale::decide::forecast;
use forescale::serve::{self, Parts, SystemClock};
use forescale::source::{Catalogue, DataSources, ServerConfig};
use forescale::units::Time;
use tokio_util::sync::CancellationToken;

use super::child::Process;
use super::{count, fake, rpc};

/// `--slow URL GRPC HTTP MILLIS`: the server, with fits that take as long.
pub async fn serve(arguments: &[String]) {
    let [url, grpc, http, millis] = arguments else { panic!("--slow URL GRPC HTTP MILLIS") };
    let config = format!("datasources: {{default: {{url: '{url}', maxConcurrent: 16, maxPerSecond: 2000}}}}");
    let config = ServerConfig::parse(&config, &BTreeMap::new()).expect("a configuration");
    let least = Duration::from_millis(millis.parse().expect("milliseconds"));
    let parts = Parts {
        catalogue: Catalogue::default(),
        backends: Arc::new(DataSources::new(&config)),
        config,
        fit: Arc::new(move |observations, policy, signal, point| {
            let begun = Instant::now();
            let made = forecast(observations, policy, signal, point);
            std::thread::sleep(least.saturating_sub(begun.elapsed()));
            made
        }),
        clock: Arc::new(SystemClock),
        workers: tokio::runtime::Handle::current(),
        shutdown: CancellationToken::new(),
    };
    let registry = serve::registry(&parts);
    let grpc = tokio::net::TcpListener::bind(grpc).await.expect("a port");
    let http = tokio::net::TcpListener::bind(http).await.expect("a port");
    serve::run(parts, registry, grpc, http).await.expect("served");
}

pub async fn run() {
    let (workloads, millis) = (count("QUEUED_WORKLOADS", 2_000), count("QUEUED_MILLIS", 200));
    let length = Duration::from_secs(count("QUEUED_SECONDS", 180) as u64);
    let server = Process::slow(&format!("http://{}", fake::serve().await), millis);
    server.open().await;
    let begun = Instant::now();
    // Everybody is asked for once, then the grace of the start has to pass.
    rpc::run(server.grpc, 1_000, Duration::from_secs(45), workloads, workloads).await;
    let (mut ages, mut forecasts, mut calls, mut missing) = (Vec::new(), 0, 0, 0);
    // What was refused, with the texts and when.
    let mut refused: Vec<(Duration, tonic::Status)> = Vec::new();
    while begun.elapsed() < length {
        let run = rpc::run(server.grpc, 500, Duration::from_secs(5), workloads, workloads).await;
        refused.extend(run.errors.into_iter().map(|error| (begun.elapsed(), error)));
        calls += run.micros.len();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
        let page: serde_json::Value =
            serde_json::from_str(&server.get("/api/v1/workloads").await).expect("JSON");
        let all = page["workloads"].as_array().expect("a list");
        forecasts = 0;
        let undecided: Vec<_> = all.iter().filter(|w| w["decision"].is_null()).collect();
        if let Some(first) = undecided.first() {
            println!("  {:.0?}: {} without a decision, such as {first}", begun.elapsed(), undecided.len());
        }
        missing = missing.max(undecided.len());
        for decision in all.iter().map(|w| &w["decision"]).filter(|decision| !decision.is_null()) {
            let at = Time::parse(decision["at"].as_str().expect("a text")).expect("an instant");
            ages.push(now - at.epoch());
            forecasts += usize::from(!decision["forecast"].is_null());
        }
    }
    ages.sort_unstable();
    let p99 = ages[ages.len() * 99 / 100];
    println!(
        "queued: {workloads} workloads, fits of {millis} ms, {forecasts} with a forecast after {:.0?}; age of {} \
         decisions p50 {} s, p99 {p99} s, oldest {} s; {} of {calls} calls refused",
        begun.elapsed(),
        ages.len(),
        ages[ages.len() / 2],
        ages[ages.len() - 1],
        refused.len()
    );
    for (when, error) in refused.iter().step_by(refused.len() / 8 + 1) {
        println!("  refused in the 5 s until {when:.0?}: {error}");
    }
    assert_eq!(missing, 0, "workloads without a decision after the grace of the start");
    assert!(p99 <= 20, "a decision {p99} s old");
    assert!(refused.is_empty(), "calls were refused");
}
