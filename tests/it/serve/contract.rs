//! The exact contract with KEDA, what is refused, and what is never shown.

use std::collections::BTreeSet;
use std::time::Duration;

use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::support::forescale::Forescale;
use crate::support::keda::Keda;
use crate::support::load;
use crate::support::prometheus::Prometheus;
use crate::support::until;

const PATIENCE: Duration = Duration::from_secs(60);
const METADATA: [(&str, &str); 4] =
    [("query", "sum(load)"), ("threshold", "10"), ("metricName", "web-load"), ("scalerAddress", "x:6000")];

#[tokio::test]
async fn the_contract_is_kept_to_the_letter() {
    let prometheus = Prometheus::start(&[load::going_on("load")]).await;
    let config = format!(
        "datasources:\n  default: {{url: '{url}', bearerToken: '${{TOKEN}}'}}\n  \
         private: {{url: '{url}', namespaces: [finance]}}\nserverAddressAllow: ['{url}']\n\
         limits: {{metadataBytes: 4096}}",
        url = prometheus.url()
    );
    let server = Forescale::start_with(&config, &[("TOKEN", "hunter2-token")]).await;
    let mut keda = Keda::connect(server.grpc, "shop", "web", &METADATA).await;
    assert_eq!(keda.spec().await.expect("a spec"), ("web-load".to_owned(), 1.0));
    assert_eq!(keda.spec_stream().await.expect("specs"), "web-load");
    let (number, _) = keda.first_number(PATIENCE).await;
    assert!(number > 0 && keda.active().await.expect("known"));
    let mut stream = keda.stream().await.expect("open");
    assert!(stream.message().await.expect("a state").expect("on open").result);

    nameless_and_empty(&keda).await;
    sources_are_guarded(&keda, &prometheus.url()).await;
    a_query_that_cannot_work_is_told_with_its_cause(&keda).await;
    faults_come_all_at_once(&keda, &server).await;
    too_large(&keda).await;
    let said = nothing_secret_is_said(&keda).await;
    health_and_reflection(&server).await;
    pages(&server).await;

    let (status, after, log) = server.terminate(PATIENCE).await;
    println!("ended {after:?} after SIGTERM");
    assert_eq!(status.code(), Some(0));
    assert!(stream.message().await.expect("ends with OK").is_none());
    for text in [log, said] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

async fn nameless_and_empty(keda: &Keda) {
    let status = keda.like("", &METADATA).replicas().await.expect_err("no name");
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let mut empty = keda.like("empty", &[]);
    assert_eq!(empty.spec().await.expect("a spec"), ("forescale".to_owned(), 1.0));
    let status = empty.active().await.expect_err("no query");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with("query: found nothing, expected PromQL"), "{status}");
    let status = empty.stream().await.expect_err("no query");
    assert_eq!(status.code(), Code::InvalidArgument);
}

async fn a_query_that_cannot_work_is_told_with_its_cause(keda: &Keda) {
    let typo = keda.like("typo", &[("query", "sum(load"), ("threshold", "10")]);
    let told = async || {
        let status = typo.clone().replicas().await.expect_err("nothing is known");
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        status.message().contains("parse error").then(|| status.message().to_owned())
    };
    let (text, _) = until(PATIENCE, "the cause", told).await;
    assert!(text.starts_with("warming up: history of 'sum(load': "), "{text}");
}

async fn sources_are_guarded(keda: &Keda, url: &str) {
    let of = |key, value| [("query", "sum(load)"), ("threshold", "10"), (key, value)];
    let status = keda.like("p", &of("datasource", "private")).replicas().await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("namespace 'shop' may not use datasource 'private'"), "{status}");
    let mut finance = keda.like("p", &of("datasource", "private")).in_namespace("finance");
    finance.first_number(PATIENCE).await;
    let status = keda.like("d", &of("datasource", "defualt")).replicas().await.expect_err("unknown");
    assert!(status.message().contains("default") && !status.message().contains("private"), "{status}");
    let elsewhere = of("serverAddress", "http://169.254.169.254");
    let status = keda.like("e", &elsewhere).replicas().await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("not admitted"), "{status}");
    keda.like("a", &of("serverAddress", url)).first_number(PATIENCE).await;
}

async fn faults_come_all_at_once(keda: &Keda, server: &Forescale) {
    let mut faulty = keda.like(
        "faulty",
        &[
            ("query", "sum(load)"),
            ("treshold", "10"),
            ("leadTime", "soon"),
            ("minReplicas", "-1"),
            ("quantile", "95"),
            ("datasource", "nowhere"),
            ("policy", "octollm/executer"),
        ],
    );
    assert_eq!(faulty.spec().await.expect("the spec never fails"), ("forescale".to_owned(), 1.0));
    let status = faulty.replicas().await.expect_err("six faults");
    assert_eq!(status.code(), Code::InvalidArgument);
    println!("six faults: {}", status.message());
    for part in [
        "treshold: found 'treshold', expected a known key, the nearest is 'threshold'",
        "leadTime: found 'soon', expected auto, or a duration",
        "minReplicas: found '-1', expected a whole number",
        "quantile: found '95', expected a number from 0.5",
        "datasource: found 'nowhere', expected a source that may be used",
        "policy: found 'octollm/executer', expected a policy",
    ] {
        assert!(status.message().contains(part), "{part} is not in {status}");
    }
    // KEDA calls several times a minute; the log tells it once.
    for _ in 0..3 {
        faulty.replicas().await.expect_err("six faults");
    }
    let log = server.log();
    let told = log.lines().filter(|line| line.contains("its metadata is refused") && line.contains("faulty"));
    assert_eq!(told.count(), 1, "{log}");
}

async fn too_large(keda: &Keda) {
    let long = "x".repeat(5_000);
    let mut large = keda.like("large", &[("query", long.as_str()), ("threshold", "10")]);
    large.spec().await.expect("the spec never fails");
    let status = large.replicas().await.expect_err("too large");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("metadata: found"), "{status}");
    let huge = "x".repeat(50_000);
    let status = keda.like("huge", &[("query", huge.as_str())]).replicas().await.expect_err("refused unread");
    assert!([Code::OutOfRange, Code::ResourceExhausted].contains(&status.code()), "{status}");
    // More faults than fit in a header still arrive as one message.
    let names: Vec<String> = (0..300).map(|i| format!("k{i}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
    let status = keda.like("many", &many).replicas().await.expect_err("faults");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains(" more"), "{status}");
}

/// Everything that is reported about a workload whose metadata is full of secrets.
async fn nothing_secret_is_said(keda: &Keda) -> String {
    let mut leaky = keda.like(
        "leaky",
        &[
            ("query", "sum(load)"),
            ("threshold", "ten"),
            ("serverAddress", "http://user:hunter2-password@prometheus:9090/?token=hunter2-query"),
            ("passwordFromEnv", "hunter2-env"),
            ("tlsClientKey", "hunter2-key"),
            ("passwrod", "hunter2-typo"),
        ],
    );
    let status = leaky.replicas().await.expect_err("faults");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("serverAddress") && status.message().contains("passwrod"), "{status}");
    format!("{status:?}")
}

async fn health_and_reflection(server: &Forescale) {
    let url = format!("http://{}", server.grpc);
    let channel = Channel::from_shared(url).expect("a URL").connect().await.expect("connected");
    let mut health = HealthClient::new(channel.clone());
    for service in ["", "externalscaler.ExternalScaler"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        assert_eq!(health.check(request).await.expect("answered").into_inner().status, 1, "{service}");
    }
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let answer = reflection.server_reflection_info(tokio_stream::once(question)).await.expect("answered");
    let answer = answer.into_inner().message().await.expect("one").expect("one").message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = list.service.into_iter().map(|s| s.name).collect();
    assert!(names.contains(&"externalscaler.ExternalScaler".to_owned()), "{names:?}");
}

async fn pages(server: &Forescale) {
    for path in ["/healthz", "/readyz", "/metrics", "/api/v1/workloads"] {
        assert_eq!(server.get(path).await.0, 200, "{path}");
        assert_eq!(server.post(path).await, 405, "{path} is read-only");
    }
    assert_eq!(server.get("/api/v1/workloads/shop/nobody/decision").await.0, 404);
    assert_eq!(server.get("/nowhere").await.0, 404);
    let (_, api) = server.get("/api/v1/workloads").await;
    let (_, text) = server.get("/metrics").await;
    for shown in [&api, &text] {
        assert!(!shown.contains("hunter2") && !shown.contains("sum(load)"), "{shown}");
    }
    let families = families(&text);
    for family in [
        "desired_replicas",
        "required_replicas",
        "decisions",
        "forecast_load",
        "forecast_skill_ratio",
        "forecast_coverage_ratio",
        "trust",
        "trust_ratio",
        "replica_seconds",
        "history_age_seconds",
        "history_points",
        "prepare_duration_seconds",
        "query_duration_seconds",
        "grpc_duration_seconds",
        "workloads",
    ] {
        assert!(families.contains(&format!("forescale_{family}")), "{family} of {families:?}");
    }
}

/// The metric families of an OpenMetrics page; asserts that every line is valid.
fn families(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    assert!(text.ends_with("# EOF\n"));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            found.extend(rest.split(' ').next().map(str::to_owned));
        } else if !line.starts_with("# ") {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = series.split('{').next().unwrap_or_default();
            assert!(found.iter().any(|family| name.starts_with(family.as_str())), "{line}");
            assert!(!series.contains('{') || series.ends_with('}'), "{line}");
        }
    }
    found
}
