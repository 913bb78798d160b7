//! What is fuzzed: everything that reads what others wrote, and what must hold of it whatever they write.
//!
//! One table for both ways of finding inputs: `guided.rs` (libFuzzer, by coverage) and `tests/it/fuzz.rs` (the corpora
//! and mutations of them, on any toolchain).

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use forescale::decide::{coming, decide, prepare};
use forescale::history::{Observations, Sample, Series, SignalHistory};
use forescale::policy::{Keys, Policy};
use forescale::source::{Catalogue, ServerConfig, prometheus, trace};
use forescale::units::{Replicas, Span, Step, Time};

/// A Monday.
const NOW: Time = Time::from_epoch(1_790_985_600);
const CATALOGUE: &str =
    "query: load\nthreshold: 10\nmaxReplicas: 20\nschedule: [{start: '09:00', end: '18:00', min: 2}]";

fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::new(NOW);
    catalogue.add("p", CATALOGUE).expect("valid");
    catalogue
}

/// Whatever a policy says, a decision keeps its limits, and every fault has a key and words.
fn policy_holds(policy: Result<Policy, forescale::policy::Faults>) {
    let policy = match policy {
        Ok(policy) => policy,
        Err(faults) => {
            assert!(!faults.0.is_empty(), "refused without a fault");
            assert!(faults.0.iter().all(|f| !f.expected.is_empty()), "{faults}");
            return;
        }
    };
    let newest = Some(Sample { at: NOW, value: 55.0 });
    let signal = SignalHistory { newest, ..SignalHistory::default() };
    let observations =
        Observations { signals: vec![signal; policy.signals.len()], ..Observations::none(0, Time::MIN) };
    let prepared = prepare(&observations, &policy, NOW - Span::HOUR);
    for minutes in [0, 7, 60, 1_439, 100_000] {
        let now = NOW + Span::minutes(minutes);
        if let Ok(decision) = decide(&prepared, &observations, &policy, now) {
            assert!(decision.replicas <= policy.limits.max.max(Replicas::ONE), "{decision:?}");
        }
        let changes = policy.schedule.changes(now, now + Span::days(8) + Span::seconds(1));
        for (next, bounds) in changes.into_iter().skip(1) {
            assert!(next > now && bounds == policy.schedule.at(next), "{now}: {bounds:?} from {next} on");
        }
        assert!(coming(&policy, now).is_none_or(|coming| coming.at > now), "{now}");
    }
}

/// `key=value` lines, as KEDA's map.
fn metadata(text: &str) {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let metadata: HashMap<_, _> = pairs.map(|(k, v)| (k.to_owned(), v.replace('\u{b6}', "\n"))).collect();
    policy_holds(Policy::from_keys(&catalogue().keys(&metadata)));
}

fn policy(text: &str) {
    let mut catalogue = catalogue();
    if catalogue.add("fuzzed", text).is_ok() {
        let named = HashMap::from([("policy".to_owned(), "fuzzed".to_owned())]);
        policy_holds(Policy::from_keys(&catalogue.keys(&named)));
    }
}

fn schedule(text: &str) {
    let rules = forescale::source::schedule_from(text);
    if let Ok(rules) = rules {
        let keys = Keys { schedule: rules, ..catalogue().keys(&HashMap::new()) };
        policy_holds(Policy::from_keys(&keys));
    }
}

fn calendar(text: &str) {
    let mut catalogue = Catalogue::new(NOW);
    if catalogue.add_calendar("c", text).is_ok() {
        let pairs = [("query", "load"), ("threshold", "1"), ("calendar", "c")];
        let metadata = pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        policy_holds(Policy::from_keys(&catalogue.keys(&metadata)));
    }
}

/// In pieces or whole, an answer is the same; and a general JSON reader agrees that it is one.
fn response(text: &str) {
    let whole = prometheus::decoded(text.as_bytes(), usize::MAX, 10_000);
    for piece in [1, 7] {
        let pieces = prometheus::decoded(text.as_bytes(), piece, 10_000);
        assert_eq!(format!("{whole:?}"), format!("{pieces:?}"), "in pieces of {piece}");
    }
    let Ok(samples) = &whole else { return };
    if let Ok(trace) = trace::answer(Path::new("fuzzed"), text) {
        assert!(trace.observed() <= samples.len(), "{} of {}", trace.observed(), samples.len());
    }
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(text) {
        let matrix = json.pointer("/data/result/0/values").and_then(|values| values.as_array());
        assert!(matrix.is_none_or(|values| values.len() <= samples.len()), "{} samples", samples.len());
    }
}

fn traces(text: &str) {
    let path = Path::new("fuzzed");
    for series in [trace::rows(path, text), trace::answer(path, text)] {
        match series {
            Ok(series) => assert!(series.values().iter().all(|v| v.is_nan() || (0.0..=1e30).contains(v))),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn config(text: &str) {
    let env = [("TOKEN".to_owned(), "hunter2".to_owned())].into();
    if let Err(error) = ServerConfig::parse(text, &env) {
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

/// A policy in the first line, samples after it: a decision is total, and no fault of the data makes it a zero.
fn decision(text: &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let pairs = first.split(',').filter_map(|pair| pair.split_once('='));
    let given = [("query", "load"), ("threshold", "10")].into_iter().chain(pairs);
    let metadata = given.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let Ok(policy) = Policy::from_keys(&Catalogue::new(NOW).keys(&metadata)) else { return };
    let values: Vec<f64> = rest.split_whitespace().take(600).map(|v| v.parse().unwrap_or(f64::NAN)).collect();
    let end = NOW - Span::MINUTE;
    let count = i64::try_from(values.len()).unwrap_or(0);
    let load = Series::from_values(end - Span::minutes((count - 1).max(0)), Step::MINUTE, values);
    let last = load.last();
    let signal = SignalHistory { load: Some(Arc::new(load)), ..SignalHistory::default() };
    let observations =
        Observations { signals: vec![signal; policy.signals.len()], ..Observations::none(0, Time::MIN) };
    let prepared = prepare(&observations, &policy, end).follow(&observations, &policy);
    let decided = decide(&prepared, &observations, &policy, NOW);
    let again = decide(&prepared, &observations, &policy, NOW);
    assert_eq!(format!("{decided:?}"), format!("{again:?}"));
    if let (Ok(decision), Some((at, value))) = (decided, last) {
        let is_plain = policy.schedule.rules().is_empty() && policy.r#override.is_none();
        let is_lively = at >= NOW - Span::minutes(30) && value > policy.signals[0].activation.max(0.0);
        assert!(!(is_plain && is_lively && decision.replicas == Replicas::ZERO), "{value}: {decision:?}");
    }
}

/// The name of a corpus, and what its inputs are tried on.
pub type Target = (&'static str, fn(&str));

/// Every target.
pub const TARGETS: [Target; 8] = [
    ("of_metadata", metadata),
    ("of_policies", policy),
    ("of_schedules", schedule),
    ("of_calendars", calendar),
    ("of_responses", response),
    ("of_traces", traces),
    ("of_configurations", config),
    ("of_decisions", decision),
];

/// Tries one input on a target.
pub fn try_on(target: &str, input: &str) {
    let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
    run(input);
}
