//! The rows that `demo` and `backtest` print, in the same form.

use serde_json::{Value, json};

use crate::simulate::{Scorecard, Step};

/// One strategy's scorecard; `matched` is `(tau_u, rh_ratio)` at matched under-provisioning, if it was swept.
pub fn scorecard_json(name: &str, score: &Scorecard, matched: Option<(f64, Option<f64>)>) -> Value {
    let mut row = json!({
        "name": name,
        "tau_u": score.tau_u,
        "theta_u": score.theta_u,
        "theta_o": score.theta_o,
        "replica_hours": score.replica_hours,
        "rh_ratio": score.rh_ratio,
        "events_per_day": score.events_per_day,
        "starts": score.starts,
        "reversals": score.reversals,
        "slo_violations": score.slo_violations,
        "cost": score.cost,
    });
    if let (Some((tau_u, rh_ratio)), Some(map)) = (matched, row.as_object_mut()) {
        map.insert("matched".to_owned(), json!({ "tau_u": tau_u, "rh_ratio": rh_ratio }));
    }
    row
}

/// One sample of the load, with a strategy's values at it.
pub fn step_json(strategy: &str, step: &Step) -> Value {
    json!({
        "timestamp": step.timestamp.to_string(),
        "strategy": strategy,
        "load": step.load,
        "demand": step.demand,
        "desired": step.desired,
        "ready": step.ready,
    })
}
