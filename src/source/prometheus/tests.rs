//! Tests of the whole client against a local server with canned answers.

mod turns;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::Response as Canned;

use super::*;
use crate::source::base_url;
use crate::source::config::Auth;
use crate::source::secret::{Secret, SecretSource};
use crate::units::{Span, Step};

/// One request as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: String,
}

impl Seen {
    /// A parameter of the URL or of the form.
    fn parameter(&self, name: &str) -> Option<String> {
        let query = self.uri.split_once('?').map_or("", |(_, q)| q);
        let url = reqwest::Url::parse(&format!("http://x/?{query}&{}", self.body)).expect("a form");
        url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
    }

    fn number(&self, name: &str) -> i64 {
        self.parameter(name).and_then(|v| v.parse().ok()).unwrap_or_else(|| panic!("{name} in {self:?}"))
    }
}

type Answerer = Arc<dyn Fn(&Seen) -> Canned + Send + Sync>;

impl Prometheus {
    /// Only the samples.
    async fn series(&self, query: &RangeQuery) -> Result<Series, SourceError> {
        self.range(query).await.map(|reading| reading.series)
    }
}

struct Server {
    url: reqwest::Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    async fn start(answer: impl Fn(&Seen) -> Canned + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let answer: Answerer = Arc::new(answer);
        let app = axum::Router::new().fallback(serve).with_state((Arc::clone(&seen), answer));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Server { url: base_url(&format!("http://{address}")).expect("an address"), seen }
    }

    fn source(&self, change: impl FnOnce(&mut DataSourceConfig)) -> Prometheus {
        let mut config = DataSourceConfig::at(self.url.clone());
        change(&mut config);
        Prometheus::new("test", config, &Limits { response_bytes: 100_000, ..Limits::default() })
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

async fn serve(State((seen, answer)): State<(Arc<Mutex<Vec<Seen>>>, Answerer)>, request: Request) -> Canned {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 100_000).await.expect("a body");
    let request = Seen {
        method: parts.method,
        uri: parts.uri.to_string(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).expect("a form"),
    };
    seen.lock().expect("not poisoned").push(request.clone());
    answer(&request)
}

fn respond(status: u16, media: &str, body: impl Into<Body>) -> Canned {
    Canned::builder()
        .status(status)
        .header(header::CONTENT_TYPE, media)
        .body(body.into())
        .expect("a response")
}

fn json(status: u16, body: &str) -> Canned {
    respond(status, "application/json", body.to_owned())
}

fn api_error(status: u16, kind: &str, message: &str) -> Canned {
    json(status, &format!(r#"{{"status":"error","errorType":"{kind}","error":"{message}"}}"#))
}

fn matrix(samples: &[(i64, String)]) -> Canned {
    let values: Vec<String> = samples.iter().map(|(t, v)| format!("[{t},\"{v}\"]")).collect();
    json(
        200,
        &format!(
            r#"{{"status":"success",
                "data":{{"resultType":"matrix","result":[{{"metric":{{}},"values":[{}]}}]}}}}"#,
            values.join(",")
        ),
    )
}

/// Each minute's number as its value.
fn minutes(seen: &Seen) -> Canned {
    let (start, end, step) = (seen.number("start"), seen.number("end"), seen.number("step"));
    matrix(&(start..=end).step_by(step as usize).map(|t| (t, (t / 60).to_string())).collect::<Vec<_>>())
}

fn question(minutes: i64) -> RangeQuery {
    RangeQuery {
        query: "sum(rate(x[5m]))".to_owned(),
        from: Time::from_epoch(60_000),
        to: Time::from_epoch(60_000 + (minutes - 1) * 60),
        step: Step::MINUTE,
    }
}

/// The error of one query to a server that always gives the same answer.
async fn error_of(answer: impl Fn(&Seen) -> Canned + Send + Sync + 'static) -> SourceError {
    let server = Server::start(answer).await;
    server.source(|_| {}).series(&question(10)).await.expect_err("no series")
}

#[tokio::test]
async fn a_long_range_is_asked_in_pieces_and_joined() {
    let server = Server::start(minutes).await;
    let source = server.source(|c| c.timeout = Span::seconds(9));
    let source = Prometheus { bytes_limit: 10_000_000, ..source };
    let series = source.series(&question(25_000)).await.expect("answered");
    assert_eq!((series.len(), series.observed(), series.get(24_999)), (25_000, 25_000, Some(25_999.0)));
    let seen = server.seen();
    let spans: Vec<_> = seen.iter().map(|s| (s.number("start") / 60, s.number("end") / 60)).collect();
    assert_eq!(spans, [(1_000, 10_999), (11_000, 20_999), (21_000, 25_999)]);
    assert_eq!(seen[0].parameter("query").as_deref(), Some("sum(rate(x[5m]))"));
    assert_eq!(seen[0].parameter("timeout").as_deref(), Some("9000ms"));
    assert_eq!((seen[0].uri.as_str(), &seen[0].method), ("/api/v1/query_range", &Method::POST));
}

#[tokio::test]
async fn instants_are_those_of_the_grid() {
    let server = Server::start(minutes).await;
    let query = RangeQuery { from: Time::from_epoch(61), to: Time::from_epoch(359), ..question(1) };
    let series = server.source(|_| {}).series(&query).await.expect("answered");
    assert_eq!((series.start(), series.len()), (Time::from_epoch(120), 4));
    let query = RangeQuery { from: Time::from_epoch(61), to: Time::from_epoch(119), ..question(1) };
    assert!(server.source(|_| {}).series(&query).await.expect("answered").is_empty());
    assert_eq!(server.seen().len(), 1, "a range without an instant asks nothing");
    let many = RangeQuery { to: Time::from_epoch(1_000_000_000), ..question(1) };
    let error = server.source(|_| {}).series(&many).await.expect_err("too long");
    assert!(matches!(error, SourceError::TooLong { limit: 600_000, .. }), "{error}");
}

#[tokio::test]
async fn pieces_are_halved_where_the_server_finds_them_too_large() {
    for (status, kind, message) in [
        (400, "bad_data", "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing"),
        (422, "execution", "query processing would load too many samples into memory in query execution"),
        (
            422,
            "bad_data",
            "the query time range exceeds the limit (query length: 72h) (err-mimir-max-query-length)",
        ),
        (422, "422", "too many points for the given step=60000: 10000; the maximum number of points is 3000"),
        (503, "timeout", "query timed out in query execution"),
    ] {
        let server = Server::start(move |seen| {
            let points = (seen.number("end") - seen.number("start")) / 60 + 1;
            if points > 300 { api_error(status, kind, message) } else { minutes(seen) }
        })
        .await;
        let series = server.source(|_| {}).series(&question(1_000)).await.expect("answered");
        assert_eq!((series.len(), series.observed()), (1_000, 1_000), "{message}");
    }
    let error = error_of(|_| api_error(422, "execution", "too many samples")).await;
    assert!(matches!(error, SourceError::Api { .. }), "the smallest piece is not halved: {error}");
}

#[tokio::test]
async fn gaps_duplicates_and_disorder_find_their_slots() {
    let server = Server::start(|_| {
        let s = |t: i64, v: &str| (60_000 + t, v.to_owned());
        matrix(&[
            s(240, "5"),
            s(0, "NaN"),
            s(60, "1"),
            s(60, "2"),
            s(120, "+Inf"),
            s(180, "-3"),
            s(7, "9"),
            s(9_000, "9"),
        ])
    })
    .await;
    let reading = server.source(|_| {}).range(&question(6)).await.expect("answered");
    let slots: Vec<_> = (0..6).map(|i| reading.series.get(i)).collect();
    assert_eq!(slots, [None, Some(2.0), None, None, Some(5.0), None]);
    assert!(reading.warnings[0].contains("2 samples off the grid"), "{:?}", reading.warnings);
    let error = error_of(|_| matrix(&[(60_007, "1".to_owned())])).await;
    assert!(error.to_string().contains("off the grid"), "{error}");
}

#[tokio::test]
async fn an_instant_is_asked_for_its_time() {
    let vector = |result: &'static str| {
        move |_: &Seen| {
            json(
                200,
                &format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{result}}}}}"#),
            )
        }
    };
    let at = Time::from_epoch(1_700_000_010);
    let server = Server::start(vector(r#"[{"metric":{},"value":[1700000010,"2.5"]}]"#)).await;
    assert_eq!(server.source(|_| {}).instant("q", at).await.expect("answered"), Some(2.5));
    assert_eq!(
        (server.seen()[0].number("time"), server.seen()[0].uri.as_str()),
        (1_700_000_010, "/api/v1/query")
    );
    for empty in ["[]", r#"[{"metric":{},"value":[1,"NaN"]}]"#, r#"[{"metric":{},"value":[1,"-Inf"]}]"#] {
        let server = Server::start(vector(empty)).await;
        assert_eq!(server.source(|_| {}).instant("q", at).await.expect("answered"), None, "{empty}");
    }
    let two = Server::start(vector(r#"[{"metric":{},"value":[1,"1"]},{"metric":{},"value":[1,"1"]}]"#)).await;
    let error = two.source(|_| {}).instant("q", at).await.expect_err("two series");
    assert!(matches!(error, SourceError::ManySeries));
}

#[tokio::test]
async fn each_wrong_answer_has_its_error() {
    let error = error_of(|_| api_error(400, "bad_data", "parse error: unexpected end")).await;
    assert!(error.to_string().contains("400 bad_data: parse error"), "{error}");
    let error = error_of(|_| api_error(500, "internal", "oops")).await;
    assert!(error.kind() == "api", "{error}");

    let page = "<html>\n<head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
    let error = error_of(move |_| respond(502, "text/html; charset=utf-8", page)).await;
    assert!(error.to_string().contains("502 with text/html: '502 Bad Gateway nginx'"), "{error}");
    assert!(error.kind() == "http");
    let error = error_of(|_| respond(200, "text/html", "<p>please log in</p>")).await;
    assert!(error.to_string().contains("'please log in'"), "{error}");
    let error = error_of(|_| json(403, r#"{"message":"no access"}"#)).await;
    assert!(error.to_string().contains("no access") && error.kind() == "denied", "{error}");
    let error = error_of(|_| json(200, r#"{"status":"success","data":{"#)).await;
    assert!(matches!(error, SourceError::Malformed { .. }), "{error}");

    let redirect = |_: &Seen| {
        let canned = Canned::builder()
            .status(302)
            .header(header::LOCATION, "https://u:hunter2@login.example/in?token=hunter2");
        canned.body(Body::empty()).expect("a response")
    };
    let error = error_of(redirect).await;
    assert!(error.to_string().contains("https://login.example/in,"), "{error}");
    assert!(!format!("{error:?}").contains("hunter2") && error.kind() == "redirect");
}

#[tokio::test]
async fn too_many_requests_say_how_long_to_wait() {
    let throttled = |retry: &'static str| {
        move |_: &Seen| {
            let canned = Canned::builder().status(429).header(header::RETRY_AFTER, retry);
            canned
                .header(header::DATE, "Tue, 24 Nov 2026 15:00:00 GMT")
                .body(Body::from("slow"))
                .expect("a response")
        }
    };
    let error = error_of(throttled("17")).await;
    assert_eq!((error.kind(), error.retry_after()), ("throttled", Some(Duration::from_secs(17))));
    let error = error_of(throttled("Tue, 24 Nov 2026 15:01:30 GMT")).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(90)));
    assert_eq!(error_of(throttled("soon")).await.retry_after(), None);
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let endless = |_: &Seen| {
        let stream =
            tokio_stream::iter(std::iter::repeat_with(|| Ok::<_, std::io::Error>(" ".repeat(10_000))));
        respond(200, "application/json", Body::from_stream(stream))
    };
    let error = error_of(endless).await;
    assert!(matches!(error, SourceError::TooLarge { limit: 100_000, unit: "bytes", .. }), "{error}");
    let endless_page = |_: &Seen| {
        let stream =
            tokio_stream::iter(std::iter::repeat_with(|| Ok::<_, std::io::Error>("<p>busy".repeat(1_000))));
        respond(503, "text/html", Body::from_stream(stream))
    };
    let error = error_of(endless_page).await;
    assert!(matches!(error, SourceError::Http { status: 503, .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let hangs = |_: &Seen| {
        let stream = tokio_stream::pending::<Result<String, std::io::Error>>();
        respond(200, "application/json", Body::from_stream(stream))
    };
    let server = Server::start(hangs).await;
    let source = server.source(|c| c.timeout = Span::seconds(1));
    let error = source.series(&question(10)).await.expect_err("no answer");
    assert!(matches!(error, SourceError::Timeout { .. }), "{error}");
    let nobody =
        tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
    let config = DataSourceConfig::at(base_url(&format!("http://{nobody}")).expect("an address"));
    let error = Prometheus::new("x", config, &Limits::default()).instant("up", Time::from_epoch(0)).await;
    let error = error.expect_err("nobody there");
    assert_eq!(error.kind(), "unreachable");
    assert!(error.to_string().contains("refused") && !error.to_string().contains("query="), "{error}");
}

#[tokio::test]
async fn get_is_used_where_post_is_refused() {
    let server = Server::start(|seen| {
        if seen.method == Method::POST { respond(405, "text/plain", "no") } else { minutes(seen) }
    })
    .await;
    let source = server.source(|_| {});
    for _ in 0..2 {
        assert_eq!(source.series(&question(5)).await.expect("answered").observed(), 5);
    }
    let methods: Vec<Method> = server.seen().into_iter().map(|s| s.method).collect();
    assert_eq!(methods, [Method::POST, Method::GET, Method::GET]);
    let error = error_of(|_| respond(405, "text/plain", "never")).await;
    assert!(matches!(error, SourceError::Http { status: 405, .. }), "{error}");
}

#[tokio::test]
async fn the_start_of_the_server_is_read_where_it_tells() {
    let told = r#"{"status":"success","data":{"startTime":"2026-11-24T15:00:00.123Z","storageRetention":"15d or 1GiB"}}"#;
    let server = Server::start(move |_| json(200, told)).await;
    let began = server.source(|_| {}).began().await.expect("told");
    assert_eq!(began, Time::parse("2026-11-24T15:00:00Z").ok());
    assert_eq!(server.seen()[0].uri, "/api/v1/status/runtimeinfo");
    let silent = Server::start(|_| respond(404, "text/plain", "404 page not found")).await;
    assert_eq!(silent.source(|_| {}).began().await.expect("absence is fine"), None);
    let replaying = Server::start(|_| respond(503, "text/plain", "Service Unavailable")).await;
    replaying.source(|_| {}).began().await.expect_err("not ready");
    let endless = Server::start(|_| respond(200, "application/json", "x".repeat(10_000_000))).await;
    assert_eq!(endless.source(|_| {}).began().await.expect("cut off"), None);
}

#[tokio::test]
async fn credentials_headers_and_parameters_are_sent_and_never_shown() {
    let echo = |seen: &Seen| {
        let sent = format!("{:?} {:?}", seen.headers.get("authorization"), seen.headers.get("x-scope-orgid"));
        respond(401, "text/plain", sent)
    };
    let server = Server::start(echo).await;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let token = dir.path().join("token");
    std::fs::write(&token, "hunter2-first\n").expect("written");
    let source = server.source(|c| {
        c.auth = Auth::Bearer(SecretSource::File(token.clone()));
        c.headers = vec![("x-scope-orgid".parse().expect("a name"), Secret::new("hunter2-tenant"))];
        c.query_parameters = vec![("dedup".to_owned(), Secret::new("true"))];
    });
    let error = source.series(&question(1)).await.expect_err("denied");
    assert_eq!(error.kind(), "denied");
    assert!(
        error.to_string().contains("***") && !format!("{error} {error:?} {source:?}").contains("hunter2"),
        "{error}"
    );
    std::fs::write(&token, "hunter2-second\n").expect("written");
    source.instant("q", Time::from_epoch(0)).await.expect_err("denied");
    let seen = server.seen();
    assert_eq!(seen[0].headers["authorization"], "Bearer hunter2-first");
    assert_eq!(seen[1].headers["authorization"], "Bearer hunter2-second", "a rotated token counts at once");
    assert_eq!(
        (&seen[0].headers["x-scope-orgid"], seen[0].parameter("dedup").as_deref()),
        (&"hunter2-tenant".parse().expect("a value"), Some("true"))
    );
    std::fs::remove_file(&token).expect("removed");
    let error = source.series(&question(1)).await.expect_err("no token");
    assert!(error.kind() == "credentials", "{error}");

    let source = server.source(|c| {
        c.auth =
            Auth::Basic { username: "me".to_owned(), password: SecretSource::Inline(Secret::new("hunter2")) };
    });
    let error = source.series(&question(1)).await.expect_err("denied");
    assert_eq!(server.seen()[2].headers["authorization"], "Basic bWU6aHVudGVyMg==");
    assert!(!format!("{error} {error:?}").contains("bWU6aHVudGVyMg"), "{error}");
}

#[tokio::test]
async fn a_path_in_the_url_is_a_prefix() {
    let server = Server::start(minutes).await;
    let source = server.source(|c| c.url = base_url(&format!("{}prometheus/", c.url)).expect("an address"));
    source.series(&question(1)).await.expect("answered");
    assert_eq!(server.seen()[0].uri, "/prometheus/api/v1/query_range");
}

#[tokio::test]
async fn the_clock_of_the_server_is_compared() {
    let server = Server::start(|seen| {
        let mut canned = minutes(seen);
        canned.headers_mut().insert(header::DATE, "Tue, 24 Nov 2026 15:00:00 GMT".parse().expect("a date"));
        canned
    })
    .await;
    let source = server.source(|_| {});
    let now = Time::parse("2026-11-24T14:58:00Z").expect("an instant");
    assert_eq!(source.clock_skew(now), None);
    source.series(&question(1)).await.expect("answered");
    let skew = source.clock_skew(now).expect("known").as_seconds();
    assert!((120..=125).contains(&skew), "{skew}");
}

#[tokio::test]
async fn requests_at_a_time_are_bounded() {
    use std::sync::atomic::AtomicUsize;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (busy, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    // Each request waits for a second one, so that the limit is certainly reached.
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let most_seen = Arc::clone(&most);
    let app = axum::Router::new().fallback(move || {
        let (busy, most, both) = (Arc::clone(&busy), Arc::clone(&most), Arc::clone(&both));
        async move {
            most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            both.wait().await;
            busy.fetch_sub(1, Ordering::SeqCst);
            matrix(&[(60_000, "1".to_owned())])
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut config = DataSourceConfig::at(base_url(&format!("http://{address}")).expect("an address"));
    config.max_concurrent = 2;
    let source = Arc::new(Prometheus::new("x", config, &Limits::default()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let source = Arc::clone(&source);
        tasks.spawn(async move { source.series(&question(1)).await.map(|s| s.observed()) });
    }
    while let Some(done) = tasks.join_next().await {
        assert_eq!(done.expect("joined").expect("answered"), 1);
    }
    assert_eq!(most_seen.load(Ordering::SeqCst), 2);
}
