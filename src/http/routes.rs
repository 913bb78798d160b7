//! The paths, and the headers that every answer carries.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::overview::{Known, Overview, Story};
use super::{page, view};
use crate::units::Span;

/// What may stand behind the `?` of a path of one workload.
#[derive(Deserialize)]
struct Choice {
    metric: Option<String>,
    hours: Option<u16>,
}

/// Hours shown where nothing else is asked for, and the most that may be.
const HOURS: (u16, u16) = (24, 168);
/// Nothing but our own style is loaded, nothing runs, nobody may frame the page.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

type Server = State<Arc<dyn Overview>>;

/// The router over an overview. Only GET; everything else is refused.
pub fn router(overview: Arc<dyn Overview>) -> Router {
    Router::new()
        .route("/", get(fleet))
        .route("/workloads/{namespace}/{name}", get(story))
        .route("/style.css", get(style))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/schema.json", get(|| async { Json(view::api_schema()) }))
        .route("/api/v1/workloads", get(workloads))
        .route("/api/v1/workloads/{namespace}/{name}/decision", get(decision))
        .route("/api/v1/workloads/{namespace}/{name}/history", get(history))
        .route("/api/v1/workloads/{namespace}/{name}/forecast", get(forecast))
        .layer(middleware::from_fn(guarded))
        .with_state(overview)
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

async fn ready(State(overview): Server) -> Response {
    if overview.ready() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn metrics(State(overview): Server) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    // Tens of megabytes where thousands of workloads are served: no other answer waits for them.
    match tokio::task::spawn_blocking(move || overview.metrics().encode()).await {
        Ok(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written"),
    }
}

async fn style() -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, page::style()).into_response()
}

async fn fleet(State(overview): Server, Query(choice): Query<page::Choice>) -> Response {
    Html(page::fleet(&overview.workloads(), &choice, overview.now(), overview.exposes_queries()))
        .into_response()
}

async fn story(
    State(overview): Server,
    Path((namespace, name)): Path<(String, String)>,
    Query(choice): Query<Choice>,
) -> Response {
    match find(&*overview, &namespace, &name, choice.metric.as_deref()) {
        Ok(known) => {
            // A forecast of half a day takes a moment: not on the threads that answer KEDA.
            let page = tokio::task::spawn_blocking(move || {
                let story = overview.story(&known.id);
                page::story(&known, story.as_ref(), overview.now(), overview.exposes_queries())
            });
            match page.await {
                Ok(text) => Html(text).into_response(),
                Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "an internal error"),
            }
        }
        Err((status, choices)) => (status, Html(page::lost(&namespace, &name, &choices))).into_response(),
    }
}

async fn workloads(State(overview): Server) -> Response {
    Json(view::workloads_json(&overview.workloads(), overview.exposes_queries())).into_response()
}

async fn decision(
    State(overview): Server,
    Path((namespace, name)): Path<(String, String)>,
    Query(choice): Query<Choice>,
) -> Response {
    let known = match find(&*overview, &namespace, &name, choice.metric.as_deref()) {
        Ok(known) => known,
        Err(lost) => return not_one(&lost),
    };
    match (known.standing.decision(), known.standing.trouble(overview.exposes_queries())) {
        (Some(decision), _) => Json(view::decision_json(decision)).into_response(),
        (None, trouble) => problem(StatusCode::SERVICE_UNAVAILABLE, &trouble.unwrap_or_default()),
    }
}

async fn history(
    State(overview): Server,
    Path((namespace, name)): Path<(String, String)>,
    Query(choice): Query<Choice>,
) -> Response {
    let span = hours(&choice);
    let since = overview.now() - span;
    told(overview, &namespace, &name, &choice, move |story| view::history_json(story, since)).await
}

async fn forecast(
    State(overview): Server,
    Path((namespace, name)): Path<(String, String)>,
    Query(choice): Query<Choice>,
) -> Response {
    let (from, span) = (overview.now(), hours(&choice));
    told(overview, &namespace, &name, &choice, move |story| view::forecast_json(story, from, from + span))
        .await
}

/// What is told of one workload's story, made away from the threads that answer KEDA.
async fn told(
    overview: Arc<dyn Overview>,
    namespace: &str,
    name: &str,
    choice: &Choice,
    tell: impl FnOnce(&Story) -> Value + Send + 'static,
) -> Response {
    let known = match find(&*overview, namespace, name, choice.metric.as_deref()) {
        Ok(known) => known,
        Err(lost) => return not_one(&lost),
    };
    let trouble = known.standing.trouble(overview.exposes_queries()).unwrap_or_default();
    match tokio::task::spawn_blocking(move || overview.story(&known.id).map(|story| tell(&story))).await {
        Ok(Some(value)) => Json(value).into_response(),
        Ok(None) => problem(StatusCode::SERVICE_UNAVAILABLE, &trouble),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "an internal error"),
    }
}

fn hours(choice: &Choice) -> Span {
    Span::hours(i64::from(choice.hours.unwrap_or(HOURS.0).clamp(1, HOURS.1)))
}

/// The one workload of that name, or the metrics to choose from.
fn find(
    overview: &dyn Overview,
    namespace: &str,
    name: &str,
    metric: Option<&str>,
) -> Result<Known, (StatusCode, Vec<String>)> {
    let is_meant = |known: &Known| {
        known.id.namespace == namespace
            && known.id.name == name
            && metric.is_none_or(|m| m == known.id.metric)
    };
    let mut found: Vec<_> = overview.workloads().into_iter().filter(is_meant).collect();
    match found.len() {
        0 => Err((StatusCode::NOT_FOUND, Vec::new())),
        1 => Ok(found.remove(0)),
        _ => Err((StatusCode::CONFLICT, found.into_iter().map(|known| known.id.metric).collect())),
    }
}

fn not_one((status, choices): &(StatusCode, Vec<String>)) -> Response {
    if choices.is_empty() {
        return problem(*status, "no such workload has been asked for by KEDA");
    }
    let text = format!("several metrics, expected ?metric= with one of: {}", choices.join(", "));
    problem(*status, &text)
}

fn problem(status: StatusCode, text: &str) -> Response {
    (status, Json(view::problem_json(text))).into_response()
}
