//! Reads the keys that say how to learn the load that one replica carries.
//!
//! By default it is learned from the usual exporters and only published; it affects the answer only if the policy
//! says so.

use crate::policy::reader::KeyReader;
use crate::policy::{CapacityMode, Learning, Signal, SignalKind};
use crate::units::Span;

/// The shortest history for `capacity: auto`: five days are replayed, and the days before them are learned from.
const LEAST_WINDOW: Span = Span::days(8);
/// Keys that have a meaning only if capacity is learned.
const KEYS: [&str; 4] = ["targetUtilization", "cpuQuery", "latencyQuery", "latencyObjective"];

/// Reads how to learn the load that one replica carries of the signal `first`.
pub(super) fn read_learning(reader: &mut KeyReader<'_>, first: Option<&Signal>) -> Option<Learning> {
    let given = reader.parsed("capacity", "off, advise or auto", |t| match t {
        // YAML parses an unquoted `off` as false.
        "off" | "false" => Some(None),
        "advise" => Some(Some(CapacityMode::Advise)),
        "auto" => Some(Some(CapacityMode::Auto)),
        _ => None,
    });
    let utilization = reader
        .number("targetUtilization", "a share of the CPU request from 10% to 100%, such as 70%", |v| {
            share(v).is_some()
        })
        .and_then(share);
    let objective = reader.parsed("latencyObjective", "a latency such as 500ms or 2s", |t| {
        latency(t).filter(|seconds| *seconds > 0.0)
    });
    if reader.has("latencyObjective") && !reader.has("latencyQuery") {
        reader.fault("latencyQuery", "", "PromQL of the latency of latencyObjective, in seconds");
    }
    let wanted = KEYS.iter().find(|key| reader.has(key));
    if let (Some(None), Some(key)) = (given, wanted) {
        reader.fault("capacity", "off", format!("advise or auto beside {key}"));
    }
    let asks = given.flatten().is_some() || wanted.is_some();
    let Some(signal) = first else {
        if asks && !reader.has("query") {
            let found = reader.text("capacity").unwrap_or("advise");
            reader.fault(
                "capacity",
                found,
                "a query beside it: a schedule does not show the load of a replica",
            );
        }
        return None;
    };
    if !matches!(signal.kind, SignalKind::Rate) {
        if asks {
            let expected = "signal: rate beside it; what waits in a queue is not what a replica carries: \
                            completionsQuery measures that";
            let found = reader.text("capacity").unwrap_or("advise");
            reader.fault("capacity", found, expected);
        }
        return None;
    }
    let mode = given.unwrap_or(Some(CapacityMode::Advise))?;
    if mode == CapacityMode::Auto && signal.window < LEAST_WINDOW {
        reader.fault(
            "historyTimeWindow",
            &signal.window.to_string(),
            format!("at least {LEAST_WINDOW} beside capacity: auto"),
        );
    }
    Some(Learning {
        mode,
        utilization: utilization.unwrap_or(Learning::UTILIZATION),
        cpu: reader.text("cpuQuery").map(str::to_owned),
        latency: reader.text("latencyQuery").map(str::to_owned),
        objective,
    })
}

/// A share, also if it is a percentage without the sign.
fn share(value: f64) -> Option<f64> {
    let share = if value > 1.0 { value / 100.0 } else { value };
    (0.1..=1.0).contains(&share).then_some(share)
}

/// Parses a latency into seconds: `500ms`, `0.5s`, `2m`, or seconds without a unit.
pub fn latency(text: &str) -> Option<f64> {
    let units = [("ms", 1e-3), ("us", 1e-6), ("µs", 1e-6), ("s", 1.0), ("m", 60.0), ("", 1.0)];
    let (number, unit) =
        units.iter().find_map(|(unit, size)| Some((text.trim().strip_suffix(unit)?, size)))?;
    number.trim().parse::<f64>().ok().map(|number| number * unit).filter(|seconds| seconds.is_finite())
}
