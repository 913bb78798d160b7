//! What a real Prometheus reports about its metrics, and how the commands use it: types, labels, retention.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::IntoResponse;
use forescale::source::config::ServerConfig;
use forescale::source::discovery::MetricKind;
use forescale::source::{Backend, DataSources, doubts};
use forescale::units::{Span, Time};
use tokio::net::TcpListener;

use crate::support::load;
use crate::support::prometheus::Prometheus;

/// Long enough for scrapes of one second on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
const EXPOSED: &str = "\
# TYPE http_requests_total counter
http_requests_total{service=\"checkout\"} 5
http_requests_total{service=\"cart\"} 7
# TYPE queue_depth gauge
queue_depth 12
";

/// Serves a router; returns its address.
async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn source(keys: &str) -> Arc<dyn Backend> {
    let text = format!("datasources: {{default: {{timeout: 20s, {keys}}}}}");
    let config = ServerConfig::parse(&text, &BTreeMap::new()).expect("valid");
    DataSources::new(&config).get("default", "any").expect("configured")
}

/// A Prometheus that has scraped the metrics above and knows their types.
async fn scraped() -> (Prometheus, Arc<dyn Backend>) {
    let exposed = || async { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], EXPOSED) };
    let target = serve(Router::new().fallback(exposed)).await;
    let configuration = format!(
        "scrape_configs:\n- {{job_name: t, scrape_interval: 1s, static_configs: [{{targets: ['{target}']}}]}}\n"
    );
    let server = Prometheus::start_with(&[], &configuration).await;
    let source = source(&format!("url: '{}'", server.url()));
    let begun = Instant::now();
    loop {
        let about = source.discovery().expect("a Prometheus");
        let kind = about.kind("queue_depth").await.expect("answered");
        let value = source.instant("queue_depth", now()).await.expect("answered");
        if (kind, value) == (Some(MetricKind::Gauge), Some(12.0)) {
            return (server, source);
        }
        assert!(begun.elapsed() < PATIENCE, "{kind:?} {value:?}");
        // This only spaces out the polling.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn now() -> Time {
    Time::from_epoch(load::now())
}

fn run(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_forescale")).args(arguments).output().expect("it runs");
    let text = [&output.stdout[..], &output.stderr].concat();
    (output, String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn types_and_labels_of_a_real_prometheus_tell_what_is_wrong_with_a_query() {
    let (server, source) = scraped().await;
    let about = source.discovery().expect("a Prometheus");
    assert_eq!(about.retention().await.expect("answered"), Some(Span::days(3_650)));
    assert_eq!(about.kind("http_requests_total").await.expect("answered"), Some(MetricKind::Counter));
    assert_eq!(about.kind("unheard_of").await.expect("answered"), None);
    let grows = "http_requests_total is a counter: its value only grows, but the query takes no rate of it";
    let table = [
        ("sum(rate(http_requests_total{service=\"cart\"}[2m]))", ""),
        ("sum(queue_depth) + sum(rate(http_requests_total{service=~'c.*', job!=\"x\"}[2m]))", ""),
        ("sum(http_requests_total)", grows),
        ("sum(rate(queue_depth[2m]))", "queue_depth is a gauge: rate() treats every decrease as a restart"),
        (
            "sum(rate(http_requests_total{service=\"chekout\"}[2m]))",
            "no series of http_requests_total has service=\"chekout\"; there are: cart, checkout",
        ),
        (
            "sum(rate(http_requests_total{job=\"t\", service=~\"che.ot\"}[2m]))",
            "no series of http_requests_total has service=~\"che.ot\"; there are: cart, checkout",
        ),
        (
            "sum(rate(http_request_total[2m]))",
            "there is no metric http_request_total; there is http_requests_total",
        ),
        ("sum(wholly_other)", "there is no metric wholly_other"),
    ];
    for (query, want) in table {
        let found = doubts(&*source, query, now() - Span::HOUR).await.expect("answered");
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(told.join("; "), want, "{query}");
    }

    let url = server.url();
    for command in ["forecast", "init", "backtest"] {
        let query = "sum(rate(http_requests_total{service=\"chekout\"}[2m]))";
        let arguments = [command, "--prometheus", &url, "--query", query];
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("o").to_string_lossy().into_owned();
        let more = if command == "backtest" { vec!["--threshold", "1", "--out", &out] } else { Vec::new() };
        let (output, told) = run(&[&arguments[..], &more].concat());
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("has service=\"chekout\"; there are: cart, checkout"), "{command}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lint_asks_prometheus_what_files_cannot_tell() {
    let (server, _source) = scraped().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("web.yaml");
    let text = "query: sum(http_requests_total)\nthreshold: 1\nhistoryTimeWindow: 28d\nleadTime: auto\nsignals:\n- \
                {query: 'sum(rate(queue_depth[2m]))', threshold: 1}\n- {query: sum(queue_dept), threshold: 1}\n- \
                {query: http_requests_total, threshold: 1}\n- {query: sum(rate(up)), threshold: 1}\n";
    std::fs::write(&file, text).expect("written");
    let path = file.to_string_lossy();
    let rules = |more: &[&str]| {
        let (output, told) = run(&[&["lint", &*path, "--format", "json"][..], more].concat());
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{told}")).iter();
        let mut rules: Vec<_> = findings.map(|f| f["rule"].as_str().unwrap_or_default().to_owned()).collect();
        rules.sort_unstable();
        rules
    };
    assert_eq!(rules(&[]), [""; 0]);
    let url = server.url();
    let found = rules(&["--prometheus", &url]);
    let certain = ["query-no-metric", "query-rejected", "query-yields-many"];
    let doubtful = ["counter-without-rate", "counter-without-rate", "lead-time-unseen"];
    assert_eq!(found, [&doubtful[..], &certain, &["rate-of-gauge"]].concat());
    let (output, told) = run(&["lint", &path, "--prometheus", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2), "silence is no answer: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_does_not_have_is_not_told() {
    let bare = Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found") });
    let source = source(&format!("url: 'http://{}'", serve(bare).await));
    let about = source.discovery().expect("asked all the same");
    assert_eq!(about.retention().await.expect("no fault"), None);
    assert_eq!(about.kind("up").await.expect("no fault"), None);
    assert_eq!(doubts(&*source, "sum(up)", now()).await.expect("no fault"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_carries_the_headers_of_the_data_source() {
    let answer = async |headers: HeaderMap, uri: Uri| {
        let is_known = headers.get("x-scope-orgid").is_some_and(|tenant| tenant == "shop");
        let is_admitted = headers.get(header::AUTHORIZATION).is_some_and(|token| token == "Bearer t0ken");
        let text = match uri.path() {
            "/api/v1/metadata" => r#"{"status":"success","data":{"a":[{"type":"counter"}]}}"#,
            "/api/v1/status/flags" => {
                r#"{"status":"success","data":{"storage.tsdb.retention.time":"0s","storage.tsdb.retention.size":"0B"}}"#
            }
            _ => r#"{"status":"success","data":["a"]}"#,
        };
        let status = if is_known && is_admitted { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
        (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
    };
    let address = serve(Router::new().fallback(answer)).await;
    let keys = "headers: {X-Scope-OrgID: shop}, bearerToken: t0ken";
    let with = |more: &str| source(&format!("url: 'http://{address}', {keys}{more}"));
    let source = with("");
    let about = source.discovery().expect("a Prometheus");
    assert_eq!(about.kind("a").await.expect("admitted"), Some(MetricKind::Counter));
    assert_eq!(about.retention().await.expect("admitted"), Some(Span::days(15)), "its default");
    let found = doubts(&*source, "sum(a)", now()).await.expect("admitted");
    assert_eq!(found.len(), 1, "{found:?}");
    // The client cannot send these parameters, so nothing is queried at all rather than without them.
    let source = with(", queryParameters: {dedup: 'true'}");
    assert_eq!(doubts(&*source, "sum(a)", now()).await.expect("not asked"), []);
}
