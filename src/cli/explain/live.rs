//! The newest decision of a running server, as its JSON API tells it.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Told;
use crate::cli::Format;
use crate::source::prometheus::base_url;

/// A server that takes longer is not well; its decisions lie ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for the decision of NAMESPACE/NAME.
pub(super) fn ask(
    server: &str,
    workload: &str,
    metric: Option<&str>,
    format: Format,
) -> anyhow::Result<Told> {
    let (namespace, name) =
        workload.split_once('/').context("found no '/', expected the workload as NAMESPACE/NAME")?;
    let mut url =
        base_url(server).map_err(|e| anyhow::anyhow!("--server: found {e}, expected an http URL"))?;
    url.path_segments_mut()
        .map_err(|()| anyhow::anyhow!("--server: expected an http URL"))?
        .pop_if_empty()
        .extend(["api", "v1", "workloads", namespace, name, "decision"]);
    if let Some(metric) = metric {
        url.query_pairs_mut().append_pair("metric", metric);
    }
    let (status, document) = fetch(url)?;
    let is_decision = status.is_success();
    ensure!(is_decision || document.get("error").is_some(), "the server answered {status}");
    let text = match format {
        Format::Json => document.to_string(),
        Format::Text if is_decision => in_words(&document),
        Format::Text => format!("no decision: {}", text(&document, "error")),
    };
    Ok(Told { text, is_decision })
}

fn fetch(url: reqwest::Url) -> anyhow::Result<(reqwest::StatusCode, Value)> {
    // Installed already is as good; the client needs one also where it speaks plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let answer = client.get(url).send().await.map_err(reqwest::Error::without_url).context("--server")?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(reqwest::Error::without_url).context("--server")?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    })
}

/// The same lines as a replayed decision has.
fn in_words(d: &Value) -> String {
    let mut out = format!("{} replicas at {}: {}", d["replicas"], text(d, "at"), text(d, "because"));
    let each = |key: &str| d.get(key).and_then(Value::as_array).into_iter().flatten();
    let mut line = |text: String| out.extend(["\n  ", text.as_str()]);
    for need in each("needs") {
        let aside = if need["counts"] == false { " (does not count)" } else { "" };
        line(format!("{} asks for {}{aside}", text(need, "contributor"), need["replicas"]));
    }
    if let Some(view) = d.get("forecast").filter(|view| !view.is_null()) {
        line(format!(
            "forecast: at most {} with probability {} in the coming {}s, fitted at {}, {}",
            view["load"],
            view["quantile"],
            view["windowSeconds"],
            text(view, "fittedAt"),
            text(view, "trust")
        ));
    }
    for note in each("notes") {
        line(text(note, "text").to_owned());
    }
    if let Some(seconds) = d.get("cappedInSeconds").and_then(Value::as_i64) {
        line(format!("will be capped in {seconds}s with probability {}", d["cappedProbability"]));
    }
    out
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("?")
}
