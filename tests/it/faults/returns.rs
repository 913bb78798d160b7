//! A source that goes away and comes back: with ranges that must refill, with a counter that was reset, or as a
//! neighbour that knows nothing. No answer falls in any state, and the load counts again once it is complete.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpListener;

use super::{LOAD, NEED, PATIENCE, Seen};
use crate::support::keda::Keda;
use crate::support::prometheus::{self, Prometheus};
use crate::support::proxy::{Fault, Proxy};
use crate::support::{server, until};

/// Longer than the range of the queries, so that no earlier sample is left in it.
const AWAY: Duration = Duration::from_secs(27);
/// Shorter than the range, so that no query becomes empty.
const RESTARTS: Duration = Duration::from_secs(9);
const RATE: &str = "sum(rate(requests_total[20s]))";
type Keys = &'static [(&'static str, &'static str)];
/// Every kind of workload: its name, its keys in addition to the settings, and the fewest replicas it needs.
const WORKLOADS: &[(&str, Keys, u32)] = &[
    ("rate", &[("query", RATE)], NEED),
    ("reactive", &[("query", RATE), ("mode", "reactive")], NEED),
    // The returning value is at first below the load that wakes it.
    (
        "zero",
        &[("query", RATE), ("mode", "reactive"), ("minReplicas", "0"), ("activationThreshold", "60")],
        NEED,
    ),
    ("gauge", &[("query", "sum(in_use)")], NEED),
    ("queue", &[("query", "sum(in_use)"), ("signal", "queue")], NEED),
    (
        "deadline",
        &[
            ("query", "sum(waiting)"),
            ("signal", "queue"),
            ("arrivalQuery", RATE),
            ("serviceRate", "10"),
            ("drainWithin", "10m"),
        ],
        NEED,
    ),
    ("asleep", &[("query", "sum(rate(idle_total[20s]))"), ("minReplicas", "0")], 0),
];
const SETTINGS: [(&str, &str); 5] = [
    ("threshold", "10"),
    ("queryStep", "10s"),
    ("pollStep", "5s"),
    ("settle", "0s"),
    ("historyTimeWindow", "1h"),
];

/// What goes away, and how it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Return {
    /// Prometheus is killed and started again.
    Restarted,
    /// The same, and the counter was reset in the meantime.
    CounterRestarted,
    /// The target is away for less than the range, and its counter is reset; Prometheus answers all the time.
    TargetRestarted,
    /// After a while without any source, an empty neighbour answers.
    Neighbour,
    /// An empty neighbour answers at once.
    NeighbourAtOnce,
}

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// With this offset the target does not answer.
const GONE: i64 = i64::MIN;

/// A target whose counter grows by the load; it restarts from zero at the offset, in milliseconds.
async fn target(offset: Arc<AtomicI64>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    LazyLock::force(&EPOCH);
    let page = move || async move {
        let offset = offset.load(Ordering::SeqCst);
        if offset == GONE {
            return Err(axum::http::StatusCode::SERVICE_UNAVAILABLE);
        }
        let millis = EPOCH.elapsed().as_millis() as f64 - offset as f64;
        let count = LOAD * millis / 1_000.0;
        Ok(format!("requests_total {count}\nidle_total 7\nin_use {LOAD}\nwaiting 0\n"))
    };
    let app = axum::Router::new().fallback(page);
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn gathering(target: SocketAddr) -> Prometheus {
    let configuration = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs: [{{job_name: shop, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    Prometheus::start_with(&[], &configuration).await
}

/// Waits until the range of the queries is full of samples.
async fn filled(prometheus: &Prometheus) {
    let url = format!("{}/api/v1/query?query=count_over_time(requests_total[20s])", prometheus.url());
    let is_filled = async || {
        let answer = prometheus::client().get(&url).send().await.ok()?.text().await.ok()?;
        let answer: Value = serde_json::from_str(&answer).ok()?;
        let count: f64 = answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()?;
        (count >= 19.0).then_some(())
    };
    until(PATIENCE, "the range is full", is_filled).await;
}

/// One Forescale server with every workload.
struct Served {
    _server: tokio_util::sync::DropGuard,
    workloads: Vec<(&'static str, Keda, u32, Seen)>,
    may_be_unknown: bool,
}

impl Served {
    async fn start(source: SocketAddr, may_be_unknown: bool) -> Self {
        let config =
            format!("datasources: {{default: {{url: 'http://{source}', timeout: 2s}}}}\nstartupGrace: 5s");
        let grpc = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let http = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = grpc.local_addr().expect("bound");
        let _server = server::start(&config, grpc, http);
        let keys = |more: &'static [(&str, &str)]| SETTINGS.iter().chain(more).copied().collect::<Vec<_>>();
        let first = Keda::connect(address, "shop", "first", &keys(WORKLOADS[0].1)).await;
        let mut workloads = Vec::new();
        for &(name, more, need) in WORKLOADS {
            workloads.push((name, first.like(name, &keys(more)), need, Seen::default()));
        }
        Served { _server, workloads, may_be_unknown }
    }

    /// Calls for every workload once.
    async fn ask(&mut self, place: &str) {
        for (name, keda, need, seen) in &mut self.workloads {
            seen.ask(keda, *need, self.may_be_unknown, &format!("{place}, {name}")).await;
            assert!(*need > 0 || seen.numbers.iter().all(|n| *n == 0), "{place}, {name}: woken");
        }
    }

    /// Waits until every answer is what the load needs.
    async fn settled(&mut self, place: &str) {
        let may_be_unknown = std::mem::replace(&mut self.may_be_unknown, true);
        for (name, keda, need, _) in &mut self.workloads {
            let what = format!("{place}, {name}: {need}");
            until(PATIENCE, &what, async || keda.replicas().await.ok().filter(|n| n == need)).await;
        }
        self.may_be_unknown = may_be_unknown;
    }

    fn shown(&self) -> String {
        let row = |(name, _, _, seen): &(&str, Keda, u32, Seen)| format!("{name} {}", seen.shown());
        self.workloads.iter().map(row).collect::<Vec<_>>().join("; ")
    }
}

fn begin_anew(offset: &AtomicI64) {
    let now = i64::try_from(EPOCH.elapsed().as_millis()).expect("short");
    offset.store(now, Ordering::SeqCst);
}

async fn one(kind: Return) {
    let offset = Arc::new(AtomicI64::new(-3_600_000));
    let target = target(Arc::clone(&offset)).await;
    let mut prometheus = gathering(target).await;
    let mut proxy = Proxy::start(&prometheus.url()).await;
    filled(&prometheus).await;
    let mut running = Served::start(proxy.address, false).await;
    running.settled(&format!("{kind:?}, before")).await;

    let mut neighbour = None;
    match kind {
        Return::Restarted | Return::CounterRestarted => prometheus.stop(),
        Return::TargetRestarted => offset.store(GONE, Ordering::SeqCst),
        Return::Neighbour => proxy.set(Fault::Refused).await,
        Return::NeighbourAtOnce => {}
    }
    // Another server starts while the source is away, as if the first one had been restarted.
    let mut restarted = None;
    let begun = Instant::now();
    let away = if kind == Return::TargetRestarted { RESTARTS } else { AWAY };
    while begun.elapsed() < away && kind != Return::NeighbourAtOnce {
        running.ask(&format!("{kind:?}, away")).await;
        if begun.elapsed() > away / 2 && restarted.is_none() {
            restarted = Some(Served::start(proxy.address, true).await);
        }
        if let Some(restarted) = &mut restarted {
            restarted.ask(&format!("{kind:?}, restarted while away")).await;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    match kind {
        Return::Restarted => prometheus.restart().await,
        Return::CounterRestarted => {
            begin_anew(&offset);
            prometheus.restart().await;
        }
        Return::TargetRestarted => begin_anew(&offset),
        Return::Neighbour | Return::NeighbourAtOnce => {
            let other = gathering(target).await;
            proxy.turn_to(&other.url());
            proxy.set(Fault::None).await;
            neighbour = Some(other);
        }
    }
    let mut restarted = match restarted {
        Some(restarted) => restarted,
        None => Served::start(proxy.address, true).await,
    };
    let back = neighbour.as_ref().unwrap_or(&prometheus);
    let full = filled(back);
    tokio::pin!(full);
    loop {
        running.ask(&format!("{kind:?}, back")).await;
        restarted.ask(&format!("{kind:?}, back, restarted")).await;
        tokio::select! {
            () = &mut full => break,
            () = tokio::time::sleep(Duration::from_millis(250)) => {}
        }
    }
    running.settled(&format!("{kind:?}, refilled")).await;
    restarted.settled(&format!("{kind:?}, refilled, restarted")).await;
    println!("{kind:?}\n  running:   {}\n  restarted: {}", running.shown(), restarted.shown());
}

#[test]
fn a_source_that_returns_lowers_nothing() {
    let kinds = [
        Return::Restarted,
        Return::CounterRestarted,
        Return::TargetRestarted,
        Return::Neighbour,
        Return::NeighbourAtOnce,
    ];
    let alone = |kind| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(one(kind));
    };
    let runs = kinds.map(|kind| std::thread::spawn(move || alone(kind)));
    let failures: Vec<_> = runs.into_iter().filter_map(|run| run.join().err()).collect();
    let told: Vec<_> = failures.iter().map(|why| why.downcast_ref::<String>()).collect();
    assert!(told.is_empty(), "{told:#?}");
}
