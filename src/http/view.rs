//! A decision as JSON: the wire form of `explain` and of the API.

use serde_json::{Value, json};

use crate::decide::Decision;
use crate::units::Quantile;

/// The decision with every contributor, rule and note; the form is versioned by `schema`.
pub fn decision_json(decision: &Decision) -> Value {
    let Decision {
        at,
        replicas,
        predictive,
        rung,
        needs,
        reason,
        notes,
        load,
        history_age,
        forecast,
        capped_in,
    } = decision;
    json!({
        "schema": 1,
        "at": at.to_string(),
        "replicas": replicas.get(),
        "active": decision.active(),
        "predictive": predictive.get(),
        "rung": rung.as_str(),
        "reason": reason.as_str(),
        "because": reason.to_string(),
        "needs": needs
            .iter()
            .map(|n| json!({
                "contributor": n.contributor.as_str(), "replicas": n.replicas.get(), "counts": n.counts,
            }))
            .collect::<Vec<_>>(),
        "notes": notes
            .iter()
            .map(|n| json!({ "note": n.as_str(), "text": n.to_string() }))
            .collect::<Vec<_>>(),
        "load": load,
        "historyAgeSeconds": history_age.map(|s| s.as_seconds()),
        "forecast": forecast.as_ref().map(|view| json!({
            "windowSeconds": view.window.as_seconds(),
            "quantile": view.quantile.get(),
            "load": view.load,
            "quantiles": Quantile::PUBLISHED
                .iter()
                .zip(view.published)
                .map(|(q, load)| (q.to_string(), json!(load)))
                .collect::<serde_json::Map<_, _>>(),
            "fittedAt": view.fitted_at.to_string(),
            "trust": view.trust,
        })),
        "cappedInSeconds": capped_in.map(|(span, _)| span.as_seconds()),
        "cappedProbability": capped_in.map(|(_, probability)| probability),
    })
}
