//! Commands for this workload that can be copied. The page itself changes nothing.

use std::fmt::Write;

use super::super::overview::{KnownWorkload, Settings, Story};
use super::super::patch::{Action, Target, command};
use super::encoded;
use crate::decide::Condition;
use crate::draw::{escaped, number};
use crate::policy::{Override, WorkloadId};
use crate::units::{Replicas, Span, Time};

/// How long the override in the example lasts.
const HOLDS: Span = Span::hours(2);
/// How much history to exclude on both sides of an incident.
const AROUND: Span = Span::minutes(30);

pub(super) fn write(
    out: &mut String,
    known: &KnownWorkload,
    story: &Story,
    settings: &Settings,
    back: Span,
    now: Time,
) -> std::fmt::Result {
    let id = &known.id;
    out.push_str("<section class=\"plain actions\"><h2>Commands for this workload</h2>\n");
    if let Some(template) = &settings.grafana {
        let link = escaped(&grafana(template, id, now - back, now));
        writeln!(out, "<p><a href=\"{link}\" rel=\"noreferrer\">The same hours in Grafana</a></p>")?;
    }
    overrides(out, known, story, now)?;
    if let Some(spans) = accident(known, story, back, now) {
        writeln!(
            out,
            "<h3>Exclude an incident from the history</h3>\n<p>{} If that was an incident that will not happen again, \
             add this to the policy or to the metadata of the trigger:</p>",
            escaped(&spans.0)
        )?;
        line(out, "Masked spans", &format!("maskedSpans: '{}'", spans.1))?;
    }
    out.push_str("<h3>Try the policy on the past</h3>\n");
    let (namespace, name) = (id.namespace(), id.name());
    line(
        out,
        "Backtest",
        &format!(
            "kubectl --namespace {namespace} get scaledobject {name} -o yaml > {name}.yaml\n\
             forescale backtest --prometheus \"$PROMETHEUS\" --policy {name}.yaml --last 14d --out {name}-report"
        ),
    )?;
    out.push_str(
        "<p>It writes a report that compares this policy with a reactive trigger and other strategies.</p>\n\
         </section>\n",
    );
    Ok(())
}

fn line(out: &mut String, label: &str, text: &str) -> std::fmt::Result {
    writeln!(out, "<pre tabindex=\"0\" role=\"region\" aria-label=\"{label}\">{}</pre>", escaped(text))
}

fn overrides(out: &mut String, known: &KnownWorkload, story: &Story, now: Time) -> std::fmt::Result {
    let id = &known.id;
    let zone = story.policy.schedule.zone();
    let runs = known.status.decision().map_or(Replicas::ONE, |decision| decision.replicas);
    let target = Target {
        namespace: id.namespace().to_owned(),
        name: id.name().to_owned(),
        trigger: 0,
        kind: "external".to_owned(),
        address: None,
        metric_name: story.keys.get("metricName").cloned(),
    };
    let word = Override { replicas: runs, from: None, until: now + HOLDS, reason: String::new() };
    writeln!(
        out,
        "<h3>Override the number of replicas</h3>\n<p>For {HOLDS}; change the number as you need. The patch \
         is for the first trigger of the ScaledObject.</p>"
    )?;
    line(out, "Override for a while", &command(&target, &Action::Set(word)))?;
    out.push_str("<p>Until a time of day; this prints the patch:</p>\n");
    line(
        out,
        "Override until a time of day",
        &format!(
            "forescale override {}/{} --replicas {runs} --until 23:00 --timezone {zone}",
            id.namespace(),
            id.name()
        ),
    )?;
    if story.policy.override_at(now).is_some() {
        out.push_str("<p>Lift the override that is in force:</p>\n");
        line(out, "Lift the override", &command(&target, &Action::Lift))?;
    }
    Ok(())
}

/// The highest load in the pictures, in words and as a span; only if the load is unusual, a limit is reached, or
/// samples were already excluded.
fn accident(known: &KnownWorkload, story: &Story, back: Span, now: Time) -> Option<(String, String)> {
    let is_told =
        |state: &Condition| matches!(state, Condition::UnusualLoad { .. } | Condition::AtLimit { .. });
    let states = known.conditions(now);
    let ignored = known
        .status
        .decision()
        .is_some_and(|decision| decision.notes.iter().any(|note| note.as_str() == "ignored"));
    if !ignored && !states.iter().any(is_told) {
        return None;
    }
    let series = story.load.as_deref()?;
    let seen = (0..series.len()).filter_map(|i| Some((series.time(i), series.get(i)?)));
    let top = seen.filter(|(at, _)| *at > now - back).max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (from, to) = ((top.0 - AROUND), (top.0 + AROUND));
    let words = format!("The highest load in the charts is {} at {}.", number(top.1), top.0);
    Some((words, format!("{from}/{to}")))
}

fn grafana(template: &str, id: &WorkloadId, from: Time, to: Time) -> String {
    let millis = |at: Time| (at.epoch() * 1_000).to_string();
    [
        ("{namespace}", encoded(id.namespace())),
        ("{name}", encoded(id.name())),
        ("{metric}", encoded(id.metric())),
        ("{from}", millis(from)),
        ("{to}", millis(to)),
    ]
    .into_iter()
    .fold(template.to_owned(), |link, (place, value)| link.replace(place, &value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_grafana_names_the_workload_and_the_hours() {
        let id = WorkloadId::new("shop", "web", "forescale").expect("valid");
        let template = "https://grafana.example/d/x?var-ns={namespace}&var-name={name}&from={from}&to={to}";
        let link = grafana(template, &id, Time::from_epoch(60), Time::from_epoch(3_600));
        assert_eq!(link, "https://grafana.example/d/x?var-ns=shop&var-name=web&from=60000&to=3600000");
    }
}
