//! The links up to the forecast: the server, KEDA's calls, the keys, the data source, and what is learned from it.
//!
//! A check judges the gathered facts only; it sends no query.

use super::super::facts::Facts;
use super::super::finding::{Finding, fail, ok, skipped, warn};
use super::seen::{note, row};
use crate::draw::number;
use crate::source::{Doubt, SourceError};
use crate::units::Time;

/// KEDA polls every 30 s by default; two minutes of silence are a problem.
const SILENT: i64 = 120;
/// From this difference on, the server does not lower its answers.
const SKEW: i64 = 60;

pub(super) fn server(facts: &Facts) -> Finding {
    match &facts.row {
        Ok(_) => ok("it answers"),
        Err(error) => fail(
            error.clone(),
            "an answer of the server's HTTP API",
            "check that its pods run (kubectl get pods), and that --server names its HTTP port, 8080 by \
             default",
        ),
    }
}

pub(super) fn keda_calls(facts: &Facts) -> Finding {
    let row = match &facts.row {
        Err(_) => return skipped("the server does not answer"),
        Ok(None) => {
            return fail(
                "KEDA never asked this server for it",
                "a call each pollingInterval",
                "kubectl describe scaledobject, in its namespace: is it ready, not paused, is scalerAddress this \
                 server's? A NetworkPolicy must let the KEDA operator reach the gRPC port",
            );
        }
        Ok(Some(row)) => row,
    };
    let Some(last) = row["last_asked"].as_str().and_then(|text| Time::parse(text).ok()) else {
        return skipped("the server does not say when KEDA asked it");
    };
    let ago = facts.now.since(last);
    if ago.as_seconds() > SILENT {
        return fail(
            format!("KEDA asked last {ago} ago"),
            "a call each pollingInterval",
            "is the ScaledObject paused or gone? Does another replica of the server get the calls (its Service must be \
             headless)?",
        );
    }
    ok(format!("asked {ago} ago"))
}

pub(super) fn metadata(facts: &Facts) -> Finding {
    let Some(row) = row(facts) else { return skipped("the workload is not known") };
    match row["unavailable"].as_str() {
        Some(text) if text.starts_with("faulty metadata") => fail(
            text,
            "keys that forescale lint accepts",
            format!(
                "run forescale lint on the ScaledObject; the full text is in its events (kubectl describe \
                 scaledobject {} -n {}: KEDAScalerFailed, with a formula KEDAMetricSourceFailed)",
                facts.names.object, facts.names.namespace
            ),
        ),
        _ => ok("accepted"),
    }
}

pub(super) fn data_source(facts: &Facts) -> Finding {
    match &facts.prometheus {
        None => skipped("no --prometheus or --config was given"),
        Some(Ok(())) => ok("it answers"),
        Some(Err(error)) => fail(
            error.clone(),
            "an answer to `vector(1)`",
            "check that Prometheus runs and that its address, credentials and NetworkPolicy are right; \
             Forescale follows its plan meanwhile and never scales down for it",
        ),
    }
}

pub(super) fn one_series(facts: &Facts) -> Finding {
    match &facts.load {
        None => skipped("no query was given: add --query with the trigger's query"),
        Some(Ok(Some(load))) => ok(format!("one, now {}", number(*load))),
        Some(Ok(None)) => match facts.doubts.iter().flatten().find(|doubt| doubt.is_empty()) {
            Some(doubt) => fail(doubt.to_string(), "one series", doubt.advice()),
            None => fail(
                "no series, or no number",
                "one series",
                "is the metric scraped and named right? Ask it in Prometheus; if no series means no work, \
                 add `or vector(0)`",
            ),
        },
        Some(Err(error)) => fail(
            error.to_string(),
            "one series",
            match error {
                SourceError::ManySeries => "wrap the query in sum(...) or another aggregation",
                _ => "run the query in Prometheus and fix it",
            },
        ),
    }
}

pub(super) fn metric_type(facts: &Facts) -> Finding {
    let Some(doubts) = &facts.doubts else {
        return skipped("no query was given, or Prometheus does not tell the types of its metrics");
    };
    let expected = "rates of counters, and gauges as they are";
    let of = |wanted: fn(&Doubt) -> bool| doubts.iter().find(|doubt| wanted(doubt));
    let counter = of(|doubt| matches!(doubt, Doubt::CounterWithoutRate { .. }));
    // An exporter may declare the wrong type; a value that only grows shows it.
    let gauge = of(|doubt| matches!(doubt, Doubt::RateOfGauge { .. }));
    match (counter, gauge) {
        (Some(doubt), _) => fail(doubt.to_string(), expected, doubt.advice()),
        (None, Some(doubt)) => warn(doubt.to_string(), expected, doubt.advice()),
        (None, None) => ok("the query fits the types of its metrics"),
    }
}

pub(super) fn clock_skew(facts: &Facts) -> Finding {
    let told = facts.skew.map(|skew| skew.as_seconds());
    let noted = note(facts, "clock_skew");
    match (told, noted) {
        (_, Some(text)) => fail(text, "clocks within a minute", SKEW_ADVICE),
        (Some(skew), None) if skew > SKEW => fail(
            format!("Prometheus' clock differs by {skew} s from this one"),
            "clocks within a minute",
            SKEW_ADVICE,
        ),
        (Some(skew), None) => ok(format!("{skew} s apart")),
        (None, None) => skipped("Prometheus did not tell its time"),
    }
}

const SKEW_ADVICE: &str =
    "fix the time service of the nodes; while clocks differ, no answer of Forescale goes down";

pub(super) fn fresh(facts: &Facts) -> Finding {
    let Some(row) = row(facts) else { return skipped("the workload is not known") };
    let Some(rung) = row["decision"]["rung"].as_str() else {
        let text = row["unavailable"].as_str().unwrap_or("no decision");
        return fail(
            text,
            "a decision",
            "warming up ends once the history has been read; no data means that the query yields nothing: \
             see one_series",
        );
    };
    match rung {
        "held" | "stale" => fail(
            format!("{rung}: the newest sample is {} s old", row["decision"]["history_age_seconds"]),
            "a sample every queryStep",
            "the metric has ended or Prometheus fails: see data_source and one_series",
        ),
        _ => match note(facts, "signal_absent") {
            Some(text) => warn(
                text,
                "a value of each signal, now or in the past",
                "it does not count: fix its query, or remove it from the policy's signals",
            ),
            None => ok(rung),
        },
    }
}

pub(super) fn history(facts: &Facts) -> Finding {
    let Some(row) = row(facts).filter(|row| row["decision"].is_object()) else {
        return skipped("there is no decision");
    };
    let advice = "keep at least two weeks in Prometheus (--storage.tsdb.retention.time), or name a data \
                  source that does; with less, the forecast does not know the weekdays";
    let kept = |text: String| match facts.retention {
        Some(kept) => format!("{text}; Prometheus keeps samples for {kept}"),
        None => text,
    };
    if row["decision"]["rung"] == "schedule_only" {
        return skipped("the clock or a person decides");
    }
    match (note(facts, "no_forecast"), note(facts, "history_short")) {
        (Some(text), _) => fail(kept(text), "days of history", advice),
        (None, Some(text)) => warn(kept(text), "the history that was asked for", advice),
        (None, None) => match note(facts, "ignored") {
            Some(text) => ok(format!("as much as was asked for; {text}")),
            None => ok("as much as was asked for"),
        },
    }
}

pub(super) fn forecast(facts: &Facts) -> Finding {
    let told = facts.forecast.as_ref().filter(|told| told["trust"].is_string());
    let Some(told) = told else { return skipped("there is no forecast") };
    let trust = told["trust"].as_str().unwrap_or_default();
    let found = match told["verdict"]["text"].as_str() {
        Some(verdict) => format!("{trust}: {verdict}"),
        None => trust.to_owned(),
    };
    let expected = "a forecast about as good as the plain rules, or better";
    let changed = "nothing is broken: the load's recent course is new, or too little of it has been judged; \
                   trust comes back by itself, and forescale backtest shows what each rule would have done";
    match (trust, told["verdict"]["rule"].as_str()) {
        // A seasonal rule predicts, so there is nothing to do.
        (_, Some("naive_day" | "naive_week")) => ok(found),
        ("probation", _) => warn(found, expected, changed),
        ("distrusted", _) => fail(
            found,
            expected,
            "the load changed, or does not repeat by day or week: forescale backtest shows it; meanwhile, \
             the current load and the schedule decide, and trust comes back by itself",
        ),
        _ => ok(found),
    }
}

/// The load that one replica was seen to carry, compared with the threshold; if it cannot be determined, the reason.
pub(super) fn capacity(facts: &Facts) -> Finding {
    /// As in the alert: most answers are within this range, and nobody needs to act.
    const DRIFT: f64 = 0.15;
    let view = row(facts).map(|row| &row["decision"]["capacity"]).filter(|view| view.is_object());
    let Some(view) = view else {
        return skipped(
            "nothing was learned: capacity is off, the signal is a queue, or the first fit is still to come",
        );
    };
    let told = view["text"].as_str().unwrap_or_default();
    let (Some(carried), Some(given)) = (view["per_replica"].as_f64(), view["given"].as_f64()) else {
        return skipped(match view["would_tell"].as_str() {
            Some(would_tell) => format!("{told}. What would tell: {would_tell}"),
            None => told.to_owned(),
        });
    };
    if view["mode"] == "auto" || (carried / given - 1.0).abs() <= DRIFT {
        return ok(told);
    }
    warn(
        told,
        "a threshold within 15 % of what a replica carries",
        "change the threshold, or let it follow with capacity: auto; forescale backtest with --threshold \
         and --capacity shows what each would have done",
    )
}
