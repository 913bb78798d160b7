//! What SECURITY.md claims about a hostile caller: nothing grows without bound, and other callers are still served.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

use crate::support::keda::Keda;
use crate::support::prometheus::Prometheus;
use crate::support::{load, server, until};

const PATIENCE: Duration = Duration::from_secs(60);
/// Needs no data source.
const OFFICE: [(&str, &str); 4] =
    [("start", "0 0 * * *"), ("end", "59 23 * * *"), ("timezone", "UTC"), ("desiredReplicas", "2")];

struct Bench {
    _server: tokio_util::sync::DropGuard,
    grpc: std::net::SocketAddr,
    http: std::net::SocketAddr,
}

async fn bench(config: &str) -> Bench {
    let grpc = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let http = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (at, page) = (grpc.local_addr().expect("bound"), http.local_addr().expect("bound"));
    Bench { _server: server::start(config, grpc, http), grpc: at, http: page }
}

impl Bench {
    async fn keda(&self) -> Keda {
        Keda::connect(self.grpc, "shop", "web", &OFFICE).await
    }

    async fn page(&self, path: &str) -> String {
        let client = crate::support::prometheus::client();
        let answer = client.get(format!("http://{}{path}", self.http)).send().await.expect("answered");
        answer.text().await.expect("a text")
    }
}

#[tokio::test]
async fn streams_are_bounded_and_their_places_come_back() {
    let bench = bench("limits: {streams: 2}").await;
    let keda = bench.keda().await;
    let (mut a, mut b, mut c) = (keda.clone(), keda.clone(), keda.clone());
    let (first, _second) = (a.stream().await.expect("open"), b.stream().await.expect("open"));
    assert_eq!(c.stream().await.expect_err("a third").code(), Code::ResourceExhausted);
    assert!(c.replicas().await.is_ok(), "calls go on");
    drop(first);
    until(PATIENCE, "the place is free", async || c.stream().await.ok()).await;
}

#[tokio::test]
async fn workloads_are_bounded_and_what_is_no_name_is_none() {
    let bench = bench("limits: {workloads: 30}").await;
    let keda = bench.keda().await;
    let long = "w".repeat(254);
    for name in
        ["a\"} 1\nforescale_up{x=\"", "\\", "\n# EOF\n", "{}", "é\u{202e}", "../../etc/passwd", "", &long]
    {
        let status = keda.like(name, &OFFICE).replicas().await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().starts_with("name: found ") && status.message().len() < 400, "{status}");
    }
    let (mut served, mut refused) = (0, 0);
    for n in 0..100 {
        match keda.like(&format!("w-{n}"), &OFFICE).replicas().await {
            Ok(_) => served += 1,
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
                refused += 1;
            }
        }
    }
    assert_eq!((served, refused), (30, 70));
    assert!(keda.like("w-10", &OFFICE).replicas().await.is_ok(), "what is served goes on");
    // The loops publish decisions, a moment later.
    let counted = async || {
        let text = bench.page("/metrics").await;
        let rows = text.lines().filter(|l| l.starts_with("forescale_desired_replicas{")).count();
        (rows == 30).then_some(text)
    };
    let (text, _) = until(PATIENCE, "thirty rows", counted).await;
    assert!(text.lines().all(|line| !line.contains("EOF") || line == "# EOF"), "no other name is shown");
    let page: serde_json::Value = serde_json::from_str(&bench.page("/api/v1/workloads").await).expect("JSON");
    assert_eq!(page["workloads"].as_array().map(Vec::len), Some(30));
}

#[tokio::test]
async fn connections_are_bounded_and_slow_ones_block_nobody_on_the_other_port() {
    let bench = bench("limits: {connections: 2}").await;
    let mut keda = bench.keda().await;
    assert!(keda.replicas().await.is_ok());
    // One place is left on this port: the next caller waits, and is let in when the first one leaves.
    let mut silent = TcpStream::connect(bench.grpc).await.expect("taken by the kernel");
    silent.write_all(b"PRI * HTTP/2.0\r\n").await.expect("written");
    let waiting = TcpStream::connect(bench.grpc).await.expect("taken by the kernel");
    assert!(keda.replicas().await.is_ok(), "who is connected is served");
    assert_eq!(bench.page("/healthz").await, "ok\n", "the other port has places of its own");
    drop((silent, waiting));
    let mut next = bench.keda().await;
    assert!(next.replicas().await.is_ok());
}

/// A connection that asks for every workload but reads little of the answers.
async fn slow_reader(address: std::net::SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("set");
    let mut stream = socket.connect(address).await.expect("taken");
    stream.write_all(b"GET /api/v1/workloads HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
    assert_eq!(stream.read_u8().await.expect("an answer"), b'H');
    stream
}

#[tokio::test]
async fn answers_that_nobody_reads_are_few_and_stop_nobody() {
    /// How much of an unread answer the kernel buffers, by Linux defaults.
    const KERNEL: usize = 4 * 1_024 * 1_024;
    let workloads = 20_000;
    let bench = bench("limits: {workloads: 20001}").await;
    let mut keda = bench.keda().await;
    for n in 0..workloads {
        keda.like(&format!("w-{n}"), &OFFICE).replicas().await.expect("decided");
    }
    let counted = async || {
        let text = bench.page("/metrics").await;
        (text.lines().filter(|l| l.starts_with("forescale_desired_replicas{")).count() >= workloads)
            .then_some(())
    };
    until(PATIENCE, "a row for each workload", counted).await;
    let answer = bench.page("/api/v1/workloads").await.len();
    assert!(answer > 2 * KERNEL, "{answer} bytes are no large answer");
    let mut readers = Vec::new();
    for _ in 0..4 {
        readers.push(slow_reader(bench.http).await);
    }
    assert!(bench.page("/metrics").await.contains("too many answers are being read"), "a fifth is not made");
    assert!(bench.page("/api/v1/workloads/shop/w-7/decision").await.contains("replicas"), "a small one is");
    assert_eq!(bench.page("/healthz").await, "ok\n");
    assert!(keda.replicas().await.is_ok());
    drop(readers);
    until(PATIENCE, "the places are free", counted).await;
}

#[tokio::test]
async fn bytes_that_are_no_http_harm_nobody() {
    let bench = bench("").await;
    let mut keda = bench.keda().await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xFF; 70_000],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\xff\xff",
    ] {
        for address in [bench.grpc, bench.http] {
            let mut stream = TcpStream::connect(address).await.expect("taken");
            // The server may close before everything is written.
            let _ = stream.write_all(garbage).await;
            let _ = stream.shutdown().await;
            let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
            assert!(ended.is_ok(), "the connection ends");
        }
        assert!(keda.replicas().await.is_ok());
    }
    let long = format!("/{}", "a".repeat(60_000));
    assert!(!bench.page(&long).await.starts_with("ok"));
    assert_eq!(bench.page("/healthz").await, "ok\n");
}

#[tokio::test]
async fn addresses_of_workloads_reach_nothing_that_is_not_allowed() {
    // A connection here would mean that the target was reached.
    let target = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = target.local_addr().expect("bound").port();
    let bench = bench(&format!("serverAddressAllow: ['http://prometheus.example:{port}/tenant']")).await;
    let keda = bench.keda().await;
    let addresses = [
        format!("http://127.0.0.1:{port}"),
        format!("http://2130706433:{port}/tenant"),
        format!("http://0x7f.1:{port}/tenant"),
        format!("http://[::ffff:127.0.0.1]:{port}/tenant"),
        format!("http://prometheus.example:{port}@127.0.0.1:{port}/tenant"),
        format!("http://127.0.0.1:{port}#@prometheus.example:{port}/tenant"),
        format!("http://prometheus.example.:{port}/tenant"),
        format!("http://prometheus.example:{port}/tenant/../admin"),
        format!("http://prometheus.example:{port}/tenant%2f..%2fadmin"),
        format!("https://prometheus.example:{port}/tenant"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://metadata.google.internal/".to_owned(),
        format!("gopher://127.0.0.1:{port}/"),
        "file:///etc/passwd".to_owned(),
    ];
    for (n, address) in addresses.iter().enumerate() {
        let metadata = [("query", "up"), ("threshold", "1"), ("serverAddress", address.as_str())];
        let status = keda.like(&format!("probe-{n}"), &metadata).replicas().await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument, "{address}: {status}");
        assert!(status.message().contains("serverAddress"), "{address}: {status}");
    }
    let reached = tokio::time::timeout(Duration::from_millis(200), target.accept()).await;
    assert!(reached.is_err(), "nothing was contacted");
}

#[tokio::test]
async fn histories_are_bounded_together_and_without_one_the_load_now_counts() {
    let prometheus = Prometheus::start(&[load::going_on("load")]).await;
    // Room for one history of 28 days by the minute, but not for two.
    let config = format!(
        "datasources: {{default: {{url: '{}'}}}}\nlimits: {{historyPoints: 50000}}\nstartupGrace: 1s",
        prometheus.url()
    );
    let bench = bench(&config).await;
    let keys = |query: &'static str| [("query", query), ("threshold", "10"), ("pollStep", "5s")];
    let mut first = Keda::connect(bench.grpc, "shop", "first", &keys("sum(load)")).await;
    let (replicas, _) = first.first_number(PATIENCE).await;
    // On a grid of 10 s its source has refilled 10 s after its start; it has as many points as the first.
    let small = [("queryStep", "10s"), ("historyTimeWindow", "5d")];
    let second = first.like("second", &[&keys("sum(load) + 0")[..], &small].concat());
    let rung = async |name: &str| {
        second.clone().replicas().await.ok();
        let text = bench.page(&format!("/api/v1/workloads/shop/{name}/decision")).await;
        let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        Some((told["rung"].as_str()?.to_owned(), told))
    };
    // Without a history nothing shows what was there before the source started, until it has collected samples of its
    // own.
    let ((second_rung, told), _) = until(PATIENCE, "a number", async || rung("second").await).await;
    assert_eq!(second_rung, "reactive_only");
    let load = told["load"].as_f64().expect("a load");
    assert!(
        load > 0.0 && told["replicas"].as_f64() == Some((load / 10.0).ceil()),
        "the load now alone: {told}"
    );
    assert!(replicas >= 1, "{replicas} with the forecast");
    assert_eq!(rung("first").await.map(|told| told.0).as_deref(), Some("fresh"), "what is served goes on");
}
