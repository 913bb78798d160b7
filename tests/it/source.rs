//! Tests the Prometheus source against a real Prometheus.

mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use forescale::history::Series;
use forescale::source::config::ServerConfig;
use forescale::source::feed::{Feed, FeedKey};
use forescale::source::{Backend, DataSources, RangeQuery};
use forescale::units::{Span, Step, Time};

use crate::support::prometheus::{Backfill, Prometheus as Server};

/// Midnight some days ago: the history is the same in each run except for its date.
fn origin(days_ago: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    (i64::try_from(now).expect("in range") / 86_400 - days_ago) * 86_400
}

/// A daily wave with a little deterministic noise.
fn load(minute: i64) -> f64 {
    let day = (minute % 1_440) as f64 / 1_440.0;
    let noise = (minute.wrapping_mul(2_654_435_761) >> 8 & 0xFF) as f64 / 64.0;
    100.0 - 60.0 * (day * std::f64::consts::TAU).cos() + noise
}

fn wave(metric: &str, start: i64, minutes: std::ops::Range<i64>) -> Backfill {
    let points = minutes.map(|m| (start + m * 60, load(m))).collect();
    Backfill { metric: metric.to_owned(), points }
}

fn source(server: &Server) -> Arc<dyn Backend> {
    let text = format!("datasources: {{default: {{url: '{}', timeout: 20s}}}}", server.url());
    let config = ServerConfig::parse(&text, &BTreeMap::new()).expect("valid");
    DataSources::new(&config).get("default", "any").expect("configured")
}

fn range(query: &str, from: i64, to: i64) -> RangeQuery {
    let (from, to) = (Time::from_epoch(from), Time::from_epoch(to));
    RangeQuery { query: query.to_owned(), from, to, step: Step::MINUTE }
}

async fn read(source: &dyn Backend, query: &RangeQuery) -> Series {
    source.range(query).await.expect("answered").series
}

#[tokio::test]
async fn thirty_days_come_back_as_they_were_written() {
    let (start, minutes) = (origin(31), 30 * 1_440);
    let server = Server::start(&[wave("load", start, 0..minutes)]).await;
    let source = source(&server);
    let series = read(&*source, &range("load", start, start + (minutes - 1) * 60)).await;
    assert_eq!((series.start().epoch(), series.len()), (start, minutes as usize));
    for m in 0..minutes {
        assert_eq!(series.get(m as usize), Some(load(m)), "minute {m}");
    }
    let at = start + 12_345 * 60;
    let value = source.instant("load * 2", Time::from_epoch(at)).await.expect("answered");
    assert_eq!(value, Some(load(12_345) * 2.0));
    assert_eq!(
        source.instant("scalar(load)", Time::from_epoch(at)).await.expect("answered"),
        value.map(|v| v / 2.0)
    );
    let skew = source.clock_skew(Time::from_epoch(now())).expect("Prometheus tells its time");
    assert!(skew <= Span::seconds(2), "{skew}");
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs())
        .expect("in range")
}

#[tokio::test]
async fn gaps_odd_values_and_several_series_are_told_apart() {
    let start = origin(2);
    let mut holed = wave("holed", start, 0..600);
    // An hour without samples: Prometheus' own look-back fills the first five minutes.
    holed.points.retain(|(t, _)| !(100..160).contains(&((t - start) / 60)));
    let odd = [1.0, f64::NAN, f64::INFINITY, -5.0, 2.0];
    let odd = odd.iter().enumerate().map(|(i, v)| (start + i as i64 * 60, *v)).collect();
    let server = Server::start(&[
        holed,
        Backfill { metric: "odd".to_owned(), points: odd },
        wave("two{pod=\"a\"}", start, 0..60),
        wave("two{pod=\"b\"}", start, 0..60),
    ])
    .await;
    let source = source(&server);

    let series = read(&*source, &range("holed", start, start + 599 * 60)).await;
    assert_eq!((series.get(99), series.get(110), series.get(159)), (Some(load(99)), None, None));
    assert_eq!(series.get(160), Some(load(160)));
    let beyond = read(&*source, &range("holed", start - 3_600, start + 60)).await;
    assert_eq!((beyond.len(), beyond.observed()), (62, 2));

    let series = read(&*source, &range("odd", start, start + 240)).await;
    let values: Vec<_> = (0..5).map(|i| series.get(i)).collect();
    assert_eq!(values, [Some(1.0), None, None, None, Some(2.0)]);
    let at = Time::from_epoch(start + 60);
    assert_eq!(source.instant("odd", at).await.expect("answered"), None);
    assert_eq!(source.instant("absent_metric", at).await.expect("answered"), None);
    assert_eq!(read(&*source, &range("absent_metric", start, start + 60)).await.observed(), 0);

    for outcome in [
        source.instant("two", at).await.map(|_| ()),
        source.range(&range("two", start, start + 60)).await.map(|_| ()),
    ] {
        assert_eq!(outcome.expect_err("two series").kind(), "many_series");
    }
    assert_eq!(source.instant("sum(two)", at).await.expect("answered"), Some(2.0 * load(1)));
    let error = source.instant("sum(", at).await.expect_err("no PromQL");
    assert!(error.to_string().contains("bad_data"), "{error}");
}

#[tokio::test]
async fn a_feed_outlives_the_death_of_its_server() {
    let (start, minutes) = (origin(12), 11 * 1_440);
    let mut server = Server::start(&[wave("load", start, 0..minutes)]).await;
    let key = FeedKey {
        datasource: "default".to_owned(),
        query: "load".to_owned(),
        step: Step::MINUTE,
        window: Span::days(7),
    };
    let mut feed = Feed::new(source(&server), key.clone(), Span::seconds(30));
    let at = |minute: i64| Time::from_epoch(start + minute * 60 + 30);
    let update = feed.refresh(at(minutes - 1_000)).await.expect("answered");
    assert!(update.history_short.is_none() && update.series.observed() == update.series.len());
    assert_eq!(update.read_until, Time::from_epoch(start + (minutes - 1_000) * 60));

    server.stop();
    for minute in 1..5 {
        let error = feed.refresh(at(minutes - 1_000 + minute)).await.expect_err("nobody there");
        assert!(error.kind() == "unreachable", "{error}");
    }
    assert_eq!(feed.series().map(|s| s.len()), Some(update.series.len()), "nothing is lost");

    server.restart().await;
    let recovered = feed.refresh(at(minutes - 900)).await.expect("answered again");
    assert_eq!(recovered.new_samples, 100);
    // A server that starts now reads the same history as the one that was running all the time.
    let fresh = Feed::new(source(&server), key, Span::seconds(30)).refresh(at(minutes - 900)).await;
    assert_eq!(recovered.series, fresh.expect("answered").series);
    let short = FeedKey { window: Span::days(28), ..feed.key().clone() };
    let update = Feed::new(source(&server), short, Span::seconds(30)).refresh(at(minutes - 1)).await;
    let update = update.expect("answered");
    assert_eq!(update.history_short.and_then(|s| s.first), Some(Time::from_epoch(start)));
}

#[tokio::test]
async fn a_series_that_ended_is_no_value_at_once() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let there = Arc::new(AtomicBool::new(true));
    let shown = Arc::clone(&there);
    let target = axum::Router::new().fallback(move || {
        let text = if shown.load(Ordering::SeqCst) { "depth 42\n" } else { "other 1\n" };
        async move { ([("content-type", "text/plain; version=0.0.4")], text) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, target).await });
    let configuration = format!(
        "scrape_configs:\n- {{job_name: t, scrape_interval: 1s, \
         static_configs: [{{targets: ['{address}']}}]}}\n"
    );
    let server = Server::start_with(&[], &configuration).await;
    let source = source(&server);
    until(&*source, Some(42.0)).await;
    there.store(false, Ordering::SeqCst);
    // The stale marker ends the series within a scrape or two, long before the look-back of five minutes.
    until(&*source, None).await;
}

async fn until(source: &dyn Backend, expected: Option<f64>) {
    let begun = std::time::Instant::now();
    loop {
        let value = source.instant("depth", Time::from_epoch(now())).await.expect("answered");
        if value == expected {
            return;
        }
        assert!(begun.elapsed().as_secs() < 60, "found {value:?}, expected {expected:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
