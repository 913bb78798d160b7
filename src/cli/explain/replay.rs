//! Recomputes the decision for any instant from what was known then.
//!
//! It uses the same code as the server, and never sees a sample from after the instant.

use std::sync::Arc;

use anyhow::Context;
use serde_json::json;

use super::{ExplainArgs, Output};
use crate::cli::described::{self, Described};
use crate::cli::forecast::explanation_json;
use crate::cli::outcome::Format;
use crate::cli::{live, runtime};
use crate::decide::{
    Condition, Decision, Retold, SERVICE_STEP, Session, SignalPlan, SignalTraces, Traces, coming,
    looking_ahead, service_window, trust,
};
use crate::forecast::Explanation;
use crate::history::{Series, ServiceHistory};
use crate::http::decision_json;
use crate::policy::Policy;
use crate::serve::{Clock, SystemClock};
use crate::source::exporters::{Service, read_service};
use crate::source::{Catalogue, trace};
use crate::units::{Span, Time};

/// A fit belongs to a grid point up to six hours earlier, and sees a whole window before that.
const BEFORE: Span = Span::hours(7);

/// Decides for the instant given by the arguments.
pub(super) fn decide_again(args: &ExplainArgs) -> anyhow::Result<Output> {
    let now = SystemClock.now();
    let trace = args.trace.as_deref().map(trace::read).transpose()?;
    let (policy, title) = policy(args, trace.as_ref(), now)?;
    let last = trace.as_ref().and_then(Series::last).map(|(at, _)| at);
    let settle = policy.signals.first().map_or(Span::ZERO, |s| s.settle);
    let at = args.at.or(last.map(|end| end + settle)).unwrap_or(now);
    let known_until = last.map_or(now, |last| last + settle);
    let policy = looking_ahead(&policy, at, known_until);
    let traces = match (trace, &args.prometheus) {
        (Some(load), _) => {
            let signal = SignalTraces { load: Some(load), ..SignalTraces::default() };
            Traces { signals: vec![signal], ..Traces::default() }
        }
        (None, Some(url)) => {
            let name = args.workload.as_deref().unwrap_or(&title);
            Traces {
                service: service(url, &policy, name, at.min(now))?,
                ..from_prometheus(url, &policy, at.min(now))?
            }
        }
        (None, None) => Traces::default(),
    };
    let mut retold = Retold::new(&policy, traces, at);
    let answer = retold.at(at);
    let forecasts = forecasts(retold.session(), &policy, policy.lead(), at);
    let beyond = (known_until < at).then(|| at.since(last.unwrap_or(now)));
    Ok(match answer {
        Ok(decision) => {
            Output { text: told(args.format, &decision, &policy, &forecasts, beyond), is_decision: true }
        }
        Err(blind) if args.format == Format::Json => Output {
            text: json!({ "schema": 1, "unavailable": blind.to_string() }).to_string(),
            is_decision: false,
        },
        Err(blind) => Output { text: format!("no decision at {at}: {blind}"), is_decision: false },
    })
}

fn told(
    format: Format,
    decision: &Decision,
    policy: &Policy,
    forecasts: &[Explanation],
    beyond: Option<Span>,
) -> String {
    if format == Format::Json {
        let mut document = decision_json(decision, Some(policy), decision.at);
        document["explanations"] = forecasts.iter().map(explanation_json).collect();
        document["beyond_history_seconds"] = json!(beyond.map(Span::as_seconds));
        return document.to_string();
    }
    let mut text = decision.to_string();
    // Ahead of all samples, their age is no trouble.
    let is_told = |state: &&Condition| match state {
        Condition::Healthy => false,
        Condition::Held { .. } | Condition::Stale { .. } => beyond.is_none(),
        _ => true,
    };
    for state in Condition::of(decision, policy).iter().filter(is_told) {
        text += &format!("\n  {}: {state}. {}", state.as_str(), state.advice());
        text.truncate(text.trim_end().len());
    }
    if let Some(coming) = coming(policy, decision.at) {
        text += &format!("\n  next change: {coming}");
    }
    if let Some(beyond) = beyond {
        text += &format!("\n  {beyond} beyond the last sample: the forecast is followed from there");
    }
    forecasts.iter().for_each(|forecast| text += &format!("\n\n{forecast}"));
    text
}

/// How the forecast of each signal is composed, at the end of the window of the decision.
fn forecasts(session: &Session, policy: &Policy, lead: Span, at: Time) -> Vec<Explanation> {
    let plans = session.prepared().signals.iter().zip(&policy.signals);
    plans
        .filter_map(|(plan, signal)| match plan {
            SignalPlan::Ready { tracker, insured, .. } => {
                let ahead = at.since(tracker.at()) + Span::minutes(3);
                let verdict = trust(tracker, lead, *insured);
                Some(tracker.explain(signal.step.times(signal.step.cover(ahead)), verdict))
            }
            _ => None,
        })
        .collect()
}

/// The policy of the file with its title; without a grid of its own it takes that of the trace.
fn policy(args: &ExplainArgs, trace: Option<&Series>, now: Time) -> anyhow::Result<(Policy, String)> {
    let path = args.policy.as_ref().context("expected --policy")?;
    let shown = path.display().to_string();
    let mut catalogue = Catalogue::new(args.at.unwrap_or(now));
    let Described { title, mut metadata, .. } = described::read(path, None, &mut catalogue)?;
    if let Some(query) = &args.query {
        metadata.insert("query".to_owned(), query.clone());
    }
    let mut keys = catalogue.keys(&metadata);
    if let Some(trace) = trace {
        let step = format!("{}s", trace.step().as_seconds());
        keys.values.entry("queryStep".to_owned()).or_insert(step);
        keys.values.entry("query".to_owned()).or_insert_with(|| "the trace".to_owned());
    }
    let mut policy = Policy::from_keys(&keys).context(shown)?;
    if trace.is_some() {
        // A trace is the load of the first signal, in its unit; nothing is known about further signals.
        policy.signals.truncate(1);
    }
    Ok((policy, title))
}

/// What the exporters report about the workload, as the server reads it, if the policy learns from it. A policy's file
/// does not say which workload it is for: without a name, nothing is learned.
fn service(url: &str, policy: &Policy, name: &str, to: Time) -> anyhow::Result<Option<Arc<ServiceHistory>>> {
    let (Some(learning), Some(signal)) = (&policy.capacity, policy.signals.first()) else { return Ok(None) };
    let Some((namespace, object)) = name.split_once('/') else { return Ok(None) };
    let about = Service { namespace, name: policy.target.name_under(object), kind: policy.target.kind };
    let from = to - service_window(signal) - BEFORE;
    let source = live::open(url)?;
    let ready = policy.queries.replicas.as_deref();
    let runtime = runtime::here()?;
    let read = read_service(source.as_ref(), &about, learning, ready, (SERVICE_STEP, from, to));
    Ok(Some(Arc::new(runtime.block_on(read).context("what one replica carries")?)))
}

/// Every series that the policy queries, for the length of its history.
fn from_prometheus(url: &str, policy: &Policy, to: Time) -> anyhow::Result<Traces> {
    let Some(first) = policy.signals.first() else { return Ok(Traces::default()) };
    let read = |query: &str, window: Span| live::read(url, query, first.step, to - window, to);
    let mut traces = Traces::default();
    for signal in &policy.signals {
        let window = signal.window + BEFORE;
        let ask = |query: &str| live::read(url, query, signal.step, to - window, to);
        let mut seen = SignalTraces { load: Some(ask(&signal.query)?), ..SignalTraces::default() };
        if let Some(drain) = signal.drain() {
            seen.arrivals = Some(ask(&drain.arrivals)?);
            if let Some(query) = drain.completions() {
                seen.completions = Some(ask(query)?);
            }
        }
        traces.signals.push(seen);
    }
    let context = |query: &Option<String>| {
        query.as_ref().map(|query| read(query, crate::decide::CONTEXT_WINDOW)).transpose()
    };
    let queries = &policy.queries;
    traces.replicas = context(&queries.replicas)?;
    traces.errors = context(&queries.errors)?;
    traces.rejected = context(&queries.rejected)?;
    traces.in_flight = context(&queries.in_flight)?;
    Ok(traces)
}
