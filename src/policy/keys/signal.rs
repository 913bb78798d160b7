//! Reads the keys of one signal: its query, its source, its grid, and for a queue the deadline.

use super::address::fault_of;
use crate::policy::reader::KeyReader;
use crate::policy::{Drain, ServiceRate, Signal, SignalKind, SourceRef, counter_questions, look_back};
use crate::units::{Span, Step, Threshold};

/// The longest history requested from a server: two years.
const LONGEST_WINDOW: Span = Span::days(731);

/// Reads a signal; reports a fault if it is missing and required.
pub(super) fn read_signal(reader: &mut KeyReader<'_>, may_be_absent: bool) -> Option<Signal> {
    let Some(query) = reader.text("query").map(str::to_owned) else {
        let needless = [
            "threshold",
            "activationThreshold",
            "arrivalQuery",
            "serviceRate",
            "completionsQuery",
            "drainWithin",
        ];
        if !may_be_absent || needless.iter().any(|k| reader.has(k)) {
            reader.fault("query", "", "PromQL that yields one series, or a schedule");
        }
        return None;
    };
    let threshold = reader.number("threshold", "a number above 0: the load of one replica", |v| v > 0.0);
    if threshold.is_none() && !reader.has("threshold") {
        reader.fault("threshold", "", "a number above 0: the load of one replica");
    }
    let step = reader.span("queryStep", Span::seconds(10), Span::HOUR).unwrap_or(Span::MINUTE);
    let window = reader.span("historyTimeWindow", Span::HOUR, LONGEST_WINDOW).unwrap_or(Span::days(28));
    let signal = Signal {
        source: read_source(reader),
        look_back: look_back(&query),
        counters: counter_questions(&query),
        query,
        threshold: Threshold::new(threshold.unwrap_or(1.0)).ok()?,
        activation: reader
            .number("activationThreshold", "a number of at least 0", |v| v >= 0.0)
            .unwrap_or(0.0),
        kind: read_kind(reader),
        window,
        step: Step::new(step).ok()?,
        poll_step: reader
            .span("pollStep", Span::seconds(5), Span::minutes(5))
            .and_then(|s| Step::new(s).ok())
            .unwrap_or(DEFAULT_POLL_STEP),
        settle: reader.span("settle", Span::ZERO, Span::minutes(10)).unwrap_or(Span::seconds(30)),
        is_forecast: true,
    };
    if 3 * step.as_seconds() > window.as_seconds() {
        reader.fault("historyTimeWindow", &window.to_string(), format!("at least three steps of {step}"));
    }
    Some(signal)
}

/// Reads an entry of `signals`, which may have its own `mode: reactive`.
pub(super) fn read_further_signal(reader: &mut KeyReader<'_>) -> Option<Signal> {
    let mode =
        reader.parsed("mode", "predictive or reactive; shadow applies to the whole policy", |t| match t {
            "predictive" => Some(true),
            "reactive" => Some(false),
            _ => None,
        });
    read_signal(reader, false).map(|signal| Signal { is_forecast: mode.unwrap_or(true), ..signal })
}

/// The HPA asks KEDA every 15 s; a finer grid would be of no use.
const DEFAULT_POLL_STEP: Step = Step::QUARTER_MINUTE;

/// The data source of the signal.
pub(super) fn read_source(reader: &mut KeyReader<'_>) -> SourceRef {
    let named = reader.text("datasource");
    let address = reader.text("serverAddress");
    match (named, address) {
        (Some(_), Some(_)) => {
            reader.fault("serverAddress", "beside datasource", "one of the two");
            SourceRef::Named(String::new())
        }
        (_, Some(address)) => {
            if let Some((found, expected)) = fault_of(address) {
                reader.fault_in_words("serverAddress", found, expected);
            }
            SourceRef::Address(address.to_owned())
        }
        (named, None) => SourceRef::Named(named.unwrap_or("default").to_owned()),
    }
}

fn read_kind(reader: &mut KeyReader<'_>) -> SignalKind {
    let is_queue = reader
        .parsed("signal", "rate or queue", |t| match t {
            "rate" => Some(false),
            "queue" => Some(true),
            _ => None,
        })
        .unwrap_or(false);
    let arrivals = reader.text("arrivalQuery").map(str::to_owned);
    let rate = reader.number("serviceRate", "a number above 0: work per second of one replica", |v| v > 0.0);
    let completions = reader.text("completionsQuery").map(str::to_owned);
    let within = reader.span("drainWithin", Span::seconds(10), Span::DAY);
    if !is_queue {
        for key in ["arrivalQuery", "serviceRate", "completionsQuery", "drainWithin"] {
            if reader.has(key) {
                reader.fault(key, "given", "signal: queue beside it");
            }
        }
        return SignalKind::Rate;
    }
    let any =
        ["arrivalQuery", "serviceRate", "completionsQuery", "drainWithin"].iter().any(|k| reader.has(k));
    if !any {
        return SignalKind::Queue(None);
    }
    if reader.has("serviceRate") == reader.has("completionsQuery") {
        let found = if reader.has("serviceRate") { "both" } else { "neither" };
        reader.fault(
            "serviceRate",
            found,
            "exactly one of serviceRate and completionsQuery for a drain deadline",
        );
    }
    if reader.has("completionsQuery") && !reader.has("replicasQuery") {
        reader.fault("replicasQuery", "", "PromQL for the replicas that run, to divide completions by");
    }
    for key in ["arrivalQuery", "drainWithin"] {
        if !reader.has(key) {
            reader.fault(key, "", "a value: a drain deadline needs arrivals, a service rate and drainWithin");
        }
    }
    let service = rate.map(ServiceRate::Given).or(completions.map(ServiceRate::Measured));
    let drain = (|| {
        let arrivals = arrivals?;
        let (look_back, counters) = (look_back(&arrivals), counter_questions(&arrivals));
        Some(Drain { look_back, counters, arrivals, service: service?, within: within? })
    })();
    SignalKind::Queue(drain)
}
