//! Ten thousand workloads on one server: memory, processor, age of decisions, KEDA's calls beside them; twelve thousand
//! on three shards; and cold starts from a real Prometheus. Asserts the bars that do not depend on the machine, prints
//! all figures.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench reads the clock and tells what it measured"
)]

#[path = "scale/child.rs"]
mod child;
#[path = "scale/fake.rs"]
mod fake;
#[path = "scale/page.rs"]
mod page;
#[allow(dead_code, reason = "shared with the integration tests")]
#[path = "../it/support/prometheus.rs"]
mod prometheus;
#[path = "scale/queued.rs"]
mod queued;
#[path = "scale/rpc.rs"]
mod rpc;
#[path = "scale/shards.rs"]
mod shards;
#[path = "scale/soak.rs"]
mod soak;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use forescale::keda::wire::external_scaler_server::{ExternalScaler, ExternalScalerServer};
use forescale::keda::wire::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, MetricSpec, MetricValue,
    ScaledObjectRef,
};
use tonic::{Request, Response, Status};

use child::Process;

/// The handler that does nothing.
struct Empty;

type Never<T> = tokio_stream::wrappers::ReceiverStream<Result<T, Status>>;

#[tonic::async_trait]
impl ExternalScaler for Empty {
    type StreamIsActiveStream = Never<IsActiveResponse>;
    type StreamMetricSpecStream = Never<GetMetricSpecResponse>;
    async fn is_active(&self, _: Request<ScaledObjectRef>) -> Result<Response<IsActiveResponse>, Status> {
        Ok(Response::new(IsActiveResponse { result: true }))
    }
    async fn stream_is_active(
        &self,
        _: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamIsActiveStream>, Status> {
        Err(Status::unimplemented("empty"))
    }
    async fn get_metric_spec(
        &self,
        _: Request<ScaledObjectRef>,
    ) -> Result<Response<GetMetricSpecResponse>, Status> {
        let spec = MetricSpec { metric_name: "forescale".to_owned(), target_size: 1, target_size_float: 1.0 };
        Ok(Response::new(GetMetricSpecResponse { metric_specs: vec![spec] }))
    }
    async fn get_metrics(
        &self,
        _: Request<GetMetricsRequest>,
    ) -> Result<Response<GetMetricsResponse>, Status> {
        let name = "forescale".to_owned();
        let value = MetricValue { metric_name: name, metric_value: 3, metric_value_float: 3.0 };
        Ok(Response::new(GetMetricsResponse { metric_values: vec![value] }))
    }
    async fn stream_metric_spec(
        &self,
        _: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamMetricSpecStream>, Status> {
        Err(Status::unimplemented("empty"))
    }
}

fn count(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|a| a == "--empty") {
        let address = arguments[at + 1].parse().expect("an address");
        let server = tonic::transport::Server::builder().add_service(ExternalScalerServer::new(Empty));
        return server.serve(address).await.expect("served");
    }
    let part = std::env::var("SCALE_PART").unwrap_or_default();
    if let Some(at) = arguments.iter().position(|a| a == "--slow") {
        return queued::serve(&arguments[at + 1..]).await;
    }
    if part == "queued" {
        return queued::run().await;
    }
    if part == "page" {
        return page::run().await;
    }
    if part == "soak" {
        return soak::run().await;
    }
    let is_run = |name: &str| part.is_empty() || part == name;
    if is_run("steady") {
        steady().await;
    }
    if is_run("shards") {
        shards::run().await;
    }
    if is_run("cold") {
        cold().await;
    }
}

/// Calls until every workload has a forecast; how long that took.
async fn warm(server: &Process, workloads: usize, queries: usize) -> Duration {
    server.open().await;
    let begun = Instant::now();
    loop {
        // KEDA's own pace: each workload every few seconds.
        rpc::run(
            server.grpc,
            1_500,
            Duration::from_secs(2 * workloads.div_ceil(1_000) as u64),
            workloads,
            queries,
        )
        .await;
        let (fresh, _) = ages(server).await;
        if fresh == workloads {
            return begun.elapsed();
        }
        println!("  {fresh} of {workloads} with a forecast after {:.0?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(900), "it does not get warm");
    }
}

/// Workloads with a fresh decision, and the age of the oldest one in seconds.
async fn ages(server: &Process) -> (usize, i64) {
    let page: serde_json::Value = serde_json::from_str(&server.get("/api/v1/workloads").await).expect("JSON");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let decisions = page["workloads"].as_array().expect("a list").iter().map(|w| &w["decision"]);
    let mut fresh = 0;
    let mut oldest = 0;
    for decision in decisions.filter(|d| !d.is_null()) {
        fresh += usize::from(decision["rung"] == "fresh" && !decision["forecast"].is_null());
        let at = forescale::units::Time::parse(decision["at"].as_str().expect("an instant")).expect("one");
        oldest = oldest.max(now - at.epoch());
    }
    (fresh, oldest)
}

async fn steady() {
    let (workloads, queries) = (count("SCALE_WORKLOADS", 10_000), count("SCALE_QUERIES", 2_000));
    let length = Duration::from_secs(count("SCALE_SECONDS", 120) as u64);
    let source = fake::serve().await;
    let (server, empty) = (Process::serve(&format!("http://{source}"), None, ""), Process::empty());
    let warm = warm(&server, workloads, queries).await;
    println!("{workloads} workloads on {queries} queries: all with a forecast after {warm:.1?}");

    let cores = |a: &child::Usage, b: &child::Usage, span: Duration| {
        (b.cpu_seconds - a.cpu_seconds) / span.as_secs_f64()
    };
    let (before, begun) = (server.usage(), Instant::now());
    let mut oldest = 0;
    let mut parts = Vec::new();
    while begun.elapsed() < length {
        let (before, begun) = (server.usage(), Instant::now());
        tokio::time::sleep(Duration::from_secs(20)).await;
        parts.push(cores(&before, &server.usage(), begun.elapsed()));
        let (fresh, age) = ages(&server).await;
        oldest = oldest.max(age);
        assert_eq!(fresh, workloads);
    }
    let after = server.usage();
    println!(
        "steady: {:.0} MiB resident, {:.2} cores, oldest decision {oldest} s, {} files, {} threads",
        after.resident_mib,
        cores(&before, &after, begun.elapsed()),
        after.files,
        after.threads
    );
    // At first the capacity of every workload is learned in the background; then not for six hours. And this bench
    // reads the list of all workloads every 20 s, which the parts leave out.
    println!("  cores in parts of 20 s: {parts:.2?}");
    empty.open().await;
    let rate = count("SCALE_RATE", 3_000);
    for round in 1..=2 {
        let idle = rpc::run(empty.grpc, rate, length / 2, workloads, queries).await;
        let (before, begun) = (server.usage(), Instant::now());
        let busy = rpc::run(server.grpc, rate, length / 2, workloads, queries).await;
        let after = server.usage();
        for (name, run) in [("empty handler", &idle), ("forescale", &busy)] {
            println!("round {round}, {name}: {run}");
        }
        println!(
            "round {round}: p99 {:.2} times that of the empty handler; {:.2} cores with the calls, {:.0} MiB",
            busy.at(0.99) / idle.at(0.99),
            cores(&before, &after, begun.elapsed()),
            after.resident_mib
        );
        assert!(busy.errors.is_empty(), "{:?}", busy.errors.first());
    }
    let series = server.get("/metrics").await;
    for line in series
        .lines()
        .filter(|l| l.starts_with("forescale_series") || l.contains("prepare_duration_seconds_"))
    {
        println!("  {line}");
    }
    println!("  /metrics has {:.1} MB; ended within {:.1?}", series.len() as f64 / 1e6, server.terminate());
    assert!(oldest < 60, "a decision {oldest} s old");
    assert!(after.resident_mib <= 1_536.0, "{} MiB", after.resident_mib);
}

/// Calls of all workloads until some while after `is_warm`: of each round when it began, its calls and its errors.
async fn called(
    server: &Process,
    begun: Instant,
    is_warm: &AtomicBool,
    (workloads, queries): (usize, usize),
) -> Vec<(Duration, usize, usize)> {
    // Each workload every 15 s, as KEDA and the HPA ask together; a second at least.
    let rate = (3 * workloads / 15).max(1_000);
    let length = Duration::from_secs((3 * workloads).div_ceil(rate) as u64);
    let mut rounds = Vec::new();
    loop {
        let (is_last, from) = (is_warm.load(Ordering::Relaxed), begun.elapsed());
        let run = rpc::run(server.grpc, rate, length, workloads, queries).await;
        rounds.push((from, run.micros.len(), run.errors.len()));
        if is_last {
            return rounds;
        }
    }
}

/// Waits until all workloads have a number, and until all have a forecast.
async fn warmed(server: &Process, begun: Instant, is_warm: &AtomicBool, workloads: usize) -> [Duration; 2] {
    let mut numbered = None;
    loop {
        let page: serde_json::Value =
            serde_json::from_str(&server.get("/api/v1/workloads").await).expect("JSON");
        let all = page["workloads"].as_array().expect("a list");
        let count = |is: fn(&serde_json::Value) -> bool| all.iter().filter(|w| is(&w["decision"])).count();
        let known = count(|decision| decision["replicas"].is_u64());
        let fresh = count(|decision| decision["rung"] == "fresh" && !decision["forecast"].is_null());
        let now = begun.elapsed();
        if known == workloads {
            numbered = numbered.or(Some(now));
        }
        if let (Some(numbered), true) = (numbered, fresh == workloads) {
            is_warm.store(true, Ordering::Relaxed);
            return [numbered, now];
        }
        assert!(
            now < Duration::from_secs(900),
            "{known} with a number, {fresh} with a forecast of {workloads}"
        );
        // The list of thousands is some work for the server itself.
        tokio::time::sleep(Duration::from_millis(200 + workloads as u64 / 10)).await;
    }
}

/// A thousand workloads on two hundred queries of a real Prometheus: from nothing, and from a state directory.
async fn cold() {
    let (workloads, queries) = (count("COLD_WORKLOADS", 1_000), count("COLD_QUERIES", 200));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64 / 60;
    let series: Vec<_> = (0..queries)
        .map(|q| {
            let value =
                |m: i64| 100.0 + 60.0 * ((m % 1_440) as f64 / 229.0).sin() + (m * 7 % 13) as f64 + q as f64;
            let metric = format!("http_requests_total{{app=\"app-{q}\"}}");
            // A counter, so that the queries of the mix mean something.
            let mut total = 0.0;
            let points = (now - 28 * 1_440 - 400..=now + 30).map(|m| {
                total += value(m) * 60.0;
                (m * 60, total)
            });
            prometheus::Backfill { metric, points: points.collect() }
        })
        .collect();
    let prometheus = prometheus::Prometheus::start(&series).await;
    drop(series);
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path().join("state");
    for (name, kept) in
        [("without state", None), ("with state, empty", Some(&state)), ("with state", Some(&state))]
    {
        let begun = Instant::now();
        let server = Process::serve(&prometheus.url(), kept.map(std::path::PathBuf::as_path), "");
        server.open().await;
        println!("cold start {name}: gRPC open after {:.1?}", begun.elapsed());
        // KEDA asks from the first moment on, and has its answers beside the count of them.
        let is_warm = AtomicBool::new(false);
        let (rounds, [numbered, took]) = tokio::join!(
            called(&server, begun, &is_warm, (workloads, queries)),
            warmed(&server, begun, &is_warm, workloads)
        );
        let of = |is_after: bool| {
            let rounds = rounds.iter().filter(|(from, ..)| (*from >= numbered) == is_after);
            rounds.fold((0, 0), |sum, (_, calls, errors)| (sum.0 + calls, sum.1 + errors))
        };
        let ((calls, unavailable), (later, errors)) = (of(false), of(true));
        let page = server.get("/metrics").await;
        let sum = page.lines().filter(|l| l.starts_with("forescale_query_duration_seconds_sum"));
        let sum: f64 = sum.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum();
        println!(
            "cold start {name}: {workloads} workloads on {queries} queries with a number after {numbered:.1?}, with a \
             forecast after {took:.1?}; {unavailable} of {calls} calls UNAVAILABLE until then, {errors} of {later} \
             errors later; {sum:.1} s of queries, their queue included; \
             {:.1} s of processor, {:.0} MiB",
            server.usage().cpu_seconds,
            server.usage().resident_mib
        );
        println!("  ended within {:.1?}", server.terminate());
        assert!(later > 0 && errors == 0, "{errors} of {later} calls failed after warming up");
    }
}
