//! The paths.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::{Metrics, decision_json};
use crate::decide::{Blind, State as WorkloadState};
use crate::policy::WorkloadId;

/// What the pages are made from; the server implements it.
pub trait Overview: Send + Sync + 'static {
    /// Every workload with its newest state, sorted by identity.
    fn workloads(&self) -> Vec<(WorkloadId, WorkloadState)>;
    /// Whether the server can answer KEDA: it is neither warming up nor shutting down.
    fn ready(&self) -> bool;
    /// The metrics, brought up to date.
    fn metrics(&self) -> &Metrics;
}

#[derive(Deserialize)]
struct Choice {
    metric: Option<String>,
}

/// The router over an overview. Only GET; everything else is refused.
pub fn router(overview: Arc<dyn Overview>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/workloads", get(workloads))
        .route("/api/v1/workloads/{namespace}/{name}/decision", get(decision))
        .with_state(overview)
}

async fn ready(State(overview): State<Arc<dyn Overview>>) -> Response {
    if overview.ready() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn metrics(State(overview): State<Arc<dyn Overview>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    // Tens of megabytes where thousands of workloads are served: no other answer waits for them.
    match tokio::task::spawn_blocking(move || overview.metrics().encode()).await {
        Ok(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written"),
    }
}

async fn workloads(State(overview): State<Arc<dyn Overview>>) -> Response {
    let rows: Vec<_> = overview
        .workloads()
        .into_iter()
        .map(|(id, state)| {
            json!({
                "namespace": id.namespace,
                "name": id.name,
                "metric": id.metric,
                "decision": state.as_ref().ok().map(|d| decision_json(d)),
                "unavailable": state.as_ref().err().map(shown),
            })
        })
        .collect();
    Json(json!({ "schema": 1, "workloads": rows })).into_response()
}

async fn decision(
    State(overview): State<Arc<dyn Overview>>,
    Path((namespace, name)): Path<(String, String)>,
    Query(choice): Query<Choice>,
) -> Response {
    let found: Vec<_> = overview
        .workloads()
        .into_iter()
        .filter(|(id, _)| id.namespace == namespace && id.name == name)
        .filter(|(id, _)| choice.metric.as_ref().is_none_or(|m| *m == id.metric))
        .collect();
    match found.as_slice() {
        [(_, Ok(decision))] => Json(decision_json(decision)).into_response(),
        [(_, Err(blind))] => problem(StatusCode::SERVICE_UNAVAILABLE, shown(blind)),
        [] => problem(StatusCode::NOT_FOUND, "no such workload has been asked for by KEDA"),
        several => {
            let names: Vec<_> = several.iter().map(|(id, _)| id.metric.as_str()).collect();
            let text = format!("several metrics, expected ?metric= with one of: {}", names.join(", "));
            problem(StatusCode::CONFLICT, &text)
        }
    }
}

/// Why there is no decision, without the query that the full text names: this page has more readers than the events
/// of a ScaledObject.
fn shown(blind: &Blind) -> &'static str {
    match blind {
        Blind::Warming { .. } => "warming up",
        Blind::NoData { .. } => "no data",
    }
}

fn problem(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}
