//! What several checks look at.

use serde_json::Value;

use crate::cli::doctor::facts::Facts;
use crate::history::Series;
use crate::units::Time;

pub(super) fn row(facts: &Facts) -> Option<&Value> {
    facts.row.as_ref().ok()?.as_ref()
}

pub(super) fn answer(facts: &Facts) -> Option<f64> {
    row(facts)?["decision"]["replicas"].as_f64()
}

/// The text of a note of the decision.
pub(super) fn note(facts: &Facts, name: &str) -> Option<String> {
    let notes = row(facts)?["decision"]["notes"].as_array()?;
    notes.iter().find(|note| note["note"] == name)?["text"].as_str().map(ToOwned::to_owned)
}

/// The samples after an instant.
pub(super) fn last(series: &Series, since: Time) -> impl Iterator<Item = f64> {
    (0..series.len()).filter(move |&i| series.time(i) > since).filter_map(|i| series.get(i))
}
