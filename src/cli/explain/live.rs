//! The newest decision of a running server, from its JSON API.

use serde_json::Value;

use super::Output;
use crate::cli::api::Api;
use crate::cli::outcome::Format;
use crate::cli::place::Place;
use crate::cli::runtime;
use crate::units::{Span, Time, counted};

/// Requests the decision of NAMESPACE/NAME.
pub(super) fn ask(
    server: &str,
    workload: &str,
    metric: Option<&str>,
    at: Option<Time>,
    format: Format,
) -> anyhow::Result<Output> {
    let place = Place::parse(workload)?;
    let api = Api::new(server)?;
    let runtime = runtime::here()?;
    let (status, document) = runtime.block_on(api.decision(&place, metric, at))?;
    let is_decision = status.is_success();
    let text = match format {
        Format::Json => document.to_string(),
        Format::Text if is_decision => in_words(&document),
        Format::Text => format!("no decision: {}", text(&document, "error")),
    };
    Ok(Output { text, is_decision })
}

/// The same lines as for a replayed decision.
fn in_words(d: &Value) -> String {
    let replicas = counted(d["replicas"].as_u64().unwrap_or(0) as usize, "replica");
    let mut out = format!("{replicas} at {}: {}", text(d, "at"), text(d, "because"));
    let each = |key: &str| d.get(key).and_then(Value::as_array).into_iter().flatten();
    let mut line = |text: String| out.extend(["\n  ", text.as_str()]);
    for state in each("states").filter(|state| state["state"] != "healthy") {
        let advice = text(state, "advice");
        let advice = if advice.is_empty() { String::new() } else { format!(". {advice}") };
        line(format!("{}: {}{advice}", text(state, "state"), text(state, "text")));
    }
    for query in each("failing") {
        let keys: Vec<&str> = each_text(&query["keys"]).collect();
        line(format!("failing: {}: {}. {}", keys.join(", "), text(query, "text"), text(query, "advice")));
    }
    for need in each("needs") {
        let aside = if need["counts"] == false { " (does not count)" } else { "" };
        line(format!("{} asks for {}{aside}", text(need, "contributor"), need["replicas"]));
    }
    if let Some(view) = d.get("forecast").filter(|view| !view.is_null()) {
        line(format!(
            "forecast: at most {:.4} with probability {} in the next {}, fitted at {}, {}",
            view["load"].as_f64().unwrap_or(f64::NAN),
            view["quantile"],
            seconds(&view["window_seconds"]),
            text(view, "fitted_at"),
            text(view, "trust")
        ));
        line(text(&view["verdict"], "text").to_owned());
    }
    if let Some(view) = d.get("capacity").filter(|view| !view.is_null()) {
        line(text(view, "text").to_owned());
        if view["would_tell"].is_string() {
            line(format!("what would tell: {}", text(view, "would_tell")));
        }
    }
    for note in each("notes") {
        line(text(note, "text").to_owned());
    }
    if let Some(coming) = d.get("next_change").filter(|coming| !coming.is_null()) {
        line(format!("next change: {}: {}", text(coming, "local"), text(coming, "to")));
    }
    out
}

fn seconds(value: &Value) -> Span {
    Span::seconds(value.as_i64().unwrap_or(0))
}

fn each_text(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("?")
}
