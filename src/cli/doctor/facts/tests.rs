//! Tests of what is reported about a source that hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use tokio::net::TcpListener;

use super::*;
use crate::cli::doctor::checks;
use crate::source::config::{DataSourceConfig, Limits};

/// A Prometheus that gives this many answers and then hangs; also returns the count of its queries.
async fn hanging_after(answers: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let router = Router::new().fallback(move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        async move {
            if number >= answers {
                std::future::pending::<()>().await;
            }
            let body = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
            (StatusCode::OK, [("content-type", "application/json")], body)
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, asked)
}

#[tokio::test]
async fn a_source_that_hangs_is_asked_nothing_more_and_what_it_hides_is_told() {
    for answers in [0, 1, 3] {
        let (address, asked) = hanging_after(answers).await;
        let url = crate::source::base_url(&address).expect("a URL");
        let config = DataSourceConfig { timeout: Span::seconds(1), ..DataSourceConfig::at(url) };
        let source = crate::source::open("default", config, &Limits::default());
        // Nobody listens at the API address, but the source is still queried.
        let api = Api::new("http://127.0.0.1:9").expect("an address");
        let place = Place::parse("shop/web").expect("a workload");
        let names = Names::of(&place, None, None).expect("names");
        let facts = gather(&Asked {
            api: &api,
            place: &place,
            metric: None,
            prometheus: Some(source.as_ref()),
            query: Some("sum(load)"),
            names: &names,
            over: Span::HOUR,
            now: Time::from_epoch(1_790_000_000),
        })
        .await;
        let count = asked.load(Ordering::SeqCst);
        assert_eq!(count, answers + 1, "asked {count} times after {answers} answers");
        let told = checks::all(&facts);
        let of = |name: &str| told.iter().find(|check| check.name == name).expect("a check");
        let source = &of("data_source").finding;
        assert_eq!(source.as_str(), "fail");
        assert!(source.found().contains("no complete answer within 1s"), "{}", source.found());
        for hidden in ["one_series", "metric_type", "hpa_scales", "pending_pods", "cost"] {
            let finding = &of(hidden).finding;
            assert_eq!((finding.as_str(), finding.found()), ("skipped", "Prometheus does not answer"));
        }
    }
}
