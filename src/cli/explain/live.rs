//! The newest decision of a running server, as its JSON API tells it.

use serde_json::Value;

use super::Told;
use crate::cli::Format;
use crate::cli::api::{Api, Place};

/// Asks for the decision of NAMESPACE/NAME.
pub(super) fn ask(
    server: &str,
    workload: &str,
    metric: Option<&str>,
    format: Format,
) -> anyhow::Result<Told> {
    let place = Place::parse(workload, metric)?;
    let api = Api::new(server)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (status, document) = runtime.block_on(api.of(&place, "decision"))?;
    let is_decision = status.is_success();
    let text = match format {
        Format::Json => document.to_string(),
        Format::Text if is_decision => in_words(&document),
        Format::Text => format!("no decision: {}", text(&document, "error")),
    };
    Ok(Told { text, is_decision })
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
            view["window_seconds"],
            text(view, "fitted_at"),
            text(view, "trust")
        ));
    }
    for note in each("notes") {
        line(text(note, "text").to_owned());
    }
    if let Some(seconds) = d.get("capped_in_seconds").and_then(Value::as_i64) {
        line(format!("will be capped in {seconds}s with probability {}", d["capped_probability"]));
    }
    out
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("?")
}
