//! The paths, and the headers of every answer.
//!
//! All routes are GET and read-only. The headers forbid scripts, foreign content and framing.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::answers::{Answers, Failure};
use super::overview::{Again, KnownWorkload, Overview, Past, Snapshot, Story, WorkloadStatus};
use super::{fleet as table, page, view};
use crate::units::{Span, Time};

/// Query parameters of a workload's paths.
#[derive(Deserialize)]
struct Choice {
    metric: Option<String>,
    hours: Option<u16>,
    /// The instant to decide for again (RFC 3339).
    at: Option<String>,
}

/// Namespace and name, from the path.
type Place = Path<(String, String)>;
type Answer = Result<Response, Failure>;
/// No workload (404), or the metrics to choose from (409).
type Lost = (StatusCode, Vec<String>);

/// The default and the maximum number of hours shown.
const HOURS: (u16, u16) = (24, 336);
/// Only our own style sheet is loaded, no scripts run, and the page cannot be framed.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The router over an overview. It only allows GET; other methods are rejected.
pub fn router(overview: Arc<dyn Overview>) -> Router {
    Router::new()
        .route("/", get(fleet))
        .route("/workloads/{namespace}/{name}", get(story))
        .route("/style.css", get(style))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1", get(schema))
        .route("/api/v1/schema.json", get(schema))
        .route("/api/v1/workloads", get(workloads))
        .route("/api/v1/fleet", get(fleet_rows))
        .route("/api/v1/fleet.csv", get(fleet_table))
        .route("/api/v1/workloads/{namespace}/{name}/decision", get(decision))
        .route("/api/v1/workloads/{namespace}/{name}/history", get(history))
        .route("/api/v1/workloads/{namespace}/{name}/why", get(why))
        .route("/api/v1/workloads/{namespace}/{name}/forecast", get(forecast))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "no such path; api/v1 describes the API") })
        .layer(middleware::from_fn(guarded))
        .with_state(Answers::new(overview))
}

async fn guarded(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

async fn alive(State(answers): State<Answers>) -> Response {
    match answers.overview.silence() {
        None => "ok\n".into_response(),
        Some(silence) => {
            let text = format!("no decision for any workload within {} s\n", silence.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

async fn ready(State(answers): State<Answers>) -> Response {
    if answers.overview.ready() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn style() -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, page::style()).into_response()
}

async fn schema() -> Json<Value> {
    Json(view::api_schema())
}

async fn metrics(State(answers): State<Answers>) -> Answer {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    answers
        .make(move |overview| ([(header::CONTENT_TYPE, kind)], overview.metrics().encode()).into_response())
        .await
}

async fn fleet(State(answers): State<Answers>, Query(choice): Query<table::Choice>) -> Answer {
    answers.make(move |overview| Html(page::fleet(overview, &choice)).into_response()).await
}

/// A page of the fleet as JSON.
async fn fleet_rows(State(answers): State<Answers>, Query(choice): Query<table::Choice>) -> Answer {
    answers
        .make(move |overview| {
            let (known, now) = (overview.workloads(), overview.now());
            let fleet = table::Fleet::of(&known, &choice, now);
            let price = overview.settings().price;
            Json(view::fleet_json(&fleet, &choice, price, now, overview.exposes_queries())).into_response()
        })
        .await
}

/// The whole fleet as CSV; it is not split into pages.
async fn fleet_table(State(answers): State<Answers>, Query(choice): Query<table::Choice>) -> Answer {
    answers
        .make(move |overview| {
            let known = overview.workloads();
            let fleet = table::Fleet::of(&known, &choice, overview.now());
            let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
            (kind, fleet.csv()).into_response()
        })
        .await
}

async fn story(
    State(answers): State<Answers>,
    Path(place): Place,
    Query(choice): Query<Choice>,
    Query(look): Query<page::Look>,
) -> Answer {
    answers
        .make(move |overview| match found(overview, &place, &choice) {
            Ok(snapshot) => {
                let past = overview.past(&snapshot, look.back());
                let shown =
                    page::Shown { settings: overview.settings(), exposes: overview.exposes_queries() };
                let page = Html(page::story(&snapshot, &past, &look, shown));
                // A header rather than a tag in the page: it is sent only if requested, and keeps the scroll
                // position.
                match look.refresh() {
                    Some(seconds) => ([(header::REFRESH, seconds.to_string())], page).into_response(),
                    None => page.into_response(),
                }
            }
            Err((status, choices)) => {
                (status, Html(page::lost(&place.0, &place.1, &choices))).into_response()
            }
        })
        .await
}

async fn workloads(State(answers): State<Answers>) -> Answer {
    answers
        .make(|overview| {
            Json(view::workloads_json(&overview.workloads(), overview.now(), overview.exposes_queries()))
                .into_response()
        })
        .await
}

async fn decision(
    State(answers): State<Answers>,
    Path(place): Place,
    Query(choice): Query<Choice>,
) -> Answer {
    let overview = &*answers.overview;
    let known = match find(overview, &place, &choice) {
        Ok(known) => known,
        Err(lost) => return Ok(not_one(&lost)),
    };
    if let Some(at) = choice.at {
        return answers.make(move |overview| decided_again(&known, overview, &at)).await;
    }
    Ok(match known.status.decision() {
        // This answer is small and waits for no permit.
        Some(decision) => Json(view::newest_json(decision, &known, overview.now())).into_response(),
        None => untold(&known, overview),
    })
}

/// The decision for a past or future instant.
fn decided_again(known: &KnownWorkload, overview: &dyn Overview, at: &str) -> Response {
    let Ok(at) = Time::parse(at) else {
        let text = "at: expected an instant such as 2026-12-01T18:00:00Z";
        return problem(StatusCode::BAD_REQUEST, text);
    };
    match overview.again(known, at) {
        Again::Decided(decision) => {
            Json(view::decision_json(&decision, known.policy.as_deref(), at)).into_response()
        }
        Again::Blind(blind) => {
            let status = WorkloadStatus::Blind(blind);
            let told = KnownWorkload { status, failing: Arc::default(), ..known.clone() };
            untold(&told, overview)
        }
        Again::Busy => Failure::Busy.into_response(),
        Again::Unknown => untold(known, overview),
    }
}

/// Who asked for how many replicas in the hours before now.
async fn why(State(answers): State<Answers>, Path(place): Place, Query(choice): Query<Choice>) -> Answer {
    answers
        .make(move |overview| {
            let snapshot = match found(overview, &place, &choice) {
                Ok(snapshot) => snapshot,
                Err(lost) => return not_one(&lost),
            };
            match overview.past(&snapshot, hours(&choice)) {
                Past::Told(moments) => Json(view::why_json(&moments, hours(&choice))).into_response(),
                Past::Busy => Failure::Busy.into_response(),
                Past::Unknown => untold(&snapshot.known, overview),
            }
        })
        .await
}

async fn history(State(answers): State<Answers>, Path(place): Place, Query(choice): Query<Choice>) -> Answer {
    let span = hours(&choice);
    told(answers, place, choice, move |seen, story| view::history_json(story, seen.now - span)).await
}

async fn forecast(
    State(answers): State<Answers>,
    Path(place): Place,
    Query(choice): Query<Choice>,
) -> Answer {
    let span = hours(&choice);
    let tell = move |seen: &Snapshot, story: &Story| {
        view::forecast_json(story, seen.known.trust(story), seen.now, seen.now + span)
    };
    told(answers, place, choice, tell).await
}

/// An answer about one workload's story.
async fn told(
    answers: Answers,
    place: (String, String),
    choice: Choice,
    tell: impl FnOnce(&Snapshot, &Story) -> Value + Send + 'static,
) -> Answer {
    answers
        .make(move |overview| {
            let snapshot = match found(overview, &place, &choice) {
                Ok(snapshot) => snapshot,
                Err(lost) => return not_one(&lost),
            };
            match &snapshot.story {
                Some(story) => Json(tell(&snapshot, story)).into_response(),
                None => untold(&snapshot.known, overview),
            }
        })
        .await
}

fn untold(known: &KnownWorkload, overview: &dyn Overview) -> Response {
    let trouble = known.trouble(overview.exposes_queries()).unwrap_or_default();
    problem(StatusCode::SERVICE_UNAVAILABLE, &trouble)
}

fn hours(choice: &Choice) -> Span {
    Span::hours(i64::from(choice.hours.unwrap_or(HOURS.0).clamp(1, HOURS.1)))
}

/// A snapshot of the workload with that name, or the metrics to choose from.
fn found(overview: &dyn Overview, place: &(String, String), choice: &Choice) -> Result<Snapshot, Lost> {
    let known = find(overview, place, choice)?;
    overview.snapshot(&known.id).ok_or((StatusCode::NOT_FOUND, Vec::new()))
}

/// The workload with that name, or the metrics to choose from.
fn find(
    overview: &dyn Overview,
    (namespace, name): &(String, String),
    choice: &Choice,
) -> Result<KnownWorkload, Lost> {
    let mut found = overview.triggers(namespace, name);
    found.retain(|known| choice.metric.as_deref().is_none_or(|metric| metric == known.id.metric()));
    match found.len() {
        0 => Err((StatusCode::NOT_FOUND, Vec::new())),
        1 => Ok(found.remove(0)),
        _ => {
            Err((StatusCode::CONFLICT, found.into_iter().map(|known| known.id.metric().to_owned()).collect()))
        }
    }
}

fn not_one((status, choices): &Lost) -> Response {
    if choices.is_empty() {
        return problem(*status, "KEDA has not asked for a workload of this name");
    }
    let text =
        format!("the workload has several metrics; expected ?metric= with one of: {}", choices.join(", "));
    problem(*status, &text)
}

fn problem(status: StatusCode, text: &str) -> Response {
    (status, Json(view::problem_json(text))).into_response()
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::Busy => problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many answers are being read, ask again in a moment",
            ),
            Failure::Internal => problem(StatusCode::INTERNAL_SERVER_ERROR, "an internal error"),
        }
    }
}
