//! Checks of a workload's keys, in a policy file or in a trigger's metadata.

use std::collections::HashMap;

use super::findings::Findings;
use super::query::{may_yield_many, short_windows, unclosed};
use super::rules::{self, Rule};
use super::secrets::check_secrets;
use super::settings::{Answer, PLACEHOLDER, Settings};
use super::subject::Subject;
use super::windows;
use crate::policy::schedule::Effect;
use crate::policy::{CapacityMode, Fault, Faults, Keys, LeadTime, Policy, quoted};
use crate::source::yaml::{Node, Place, locate};
use crate::source::{Catalogue, Doubt};
use crate::units::{Replicas, Span};

/// The catalogue name given to a file while it is checked.
const LINTED: &str = "this-file";
/// A rate needs two samples in its window whatever the phase, even after one failed scrape.
const SCRAPES: i64 = 4;
/// Placeholder for the query that the other half of a policy will give.
const COMPLETED: &str = "load";
/// How a query comes to yield one series.
const JOIN: &str = "wrap it in sum(…), or in max(…)";
/// A longer override should be a schedule.
const LONG_OVERRIDE: Span = Span::days(14);

// === impl Subject ===

impl Subject<'_> {
    /// Adds faults as findings; one of a key that is a secret says nothing new.
    fn report(&self, faults: &Faults, findings: &mut Findings<'_>) {
        for fault in faults.0.iter().filter(|fault| !self.reported.contains(&fault.key)) {
            add_fault(fault, rule_of(fault), self.node, self.at, findings);
        }
    }
}

/// Checks a policy file.
pub(super) fn check_file(document: &Node, settings: &Settings, findings: &mut Findings<'_>) {
    let at = (document.line, document.column);
    let mut catalogue = settings.catalogue.clone().unwrap_or_else(|| Catalogue::new(settings.now));
    let mut reported = check_secrets(document, "", findings);
    for (i, signal) in document.get("signals").map_or(&[][..], Node::items).iter().enumerate() {
        reported.extend(check_secrets(signal, &format!("signals[{i}]."), findings));
    }
    let metadata = HashMap::from([("policy".to_owned(), LINTED.to_owned())]);
    let subject = Subject { node: document, at, metadata, is_partial: true, reported };
    if let Err(faults) = catalogue.add(LINTED, &findings.input.text) {
        subject.report(&faults, findings);
        return;
    }
    check(&subject, &catalogue, settings, findings);
}

/// Checks keys; returns the policy if they are valid.
pub(super) fn check(
    subject: &Subject<'_>,
    catalogue: &Catalogue,
    settings: &Settings,
    findings: &mut Findings<'_>,
) -> (Option<Policy>, Keys) {
    let mut keys = catalogue.keys(&subject.metadata);
    if settings.catalogue.is_none() {
        trust_names(&mut keys);
    }
    if subject.is_partial {
        complete(&mut keys);
    }
    check_queries(subject, &keys, settings, findings);
    windows::check(subject, &keys, settings, findings);
    let policy = Policy::from_keys(&keys);
    if let Err(faults) = &policy {
        subject.report(faults, findings);
    }
    if let Ok(policy) = &policy {
        check_policy(subject, policy, settings, findings);
    }
    (policy.ok(), keys)
}

/// Accepts calendars that only the server knows.
fn trust_names(keys: &mut Keys) {
    let own = keys.values.get("calendar").map(|name| name.trim().to_owned());
    let is_name = |text: &&String| text.trim().starts_with(|c: char| c.is_alphabetic());
    let ruled = keys
        .schedule
        .iter()
        .flat_map(|rule| rule.texts("calendar").iter().chain(rule.texts("except")).filter(is_name));
    let names: Vec<String> = ruled.map(|name| name.trim().to_owned()).chain(own).collect();
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        keys.calendars.entry(name).or_default();
    }
}

/// Adds the keys that the other half of the policy will give.
fn complete(keys: &mut Keys) {
    let has = |keys: &Keys, key: &str| keys.values.contains_key(key);
    let needs_query = has(keys, "threshold") || has(keys, "signal") || keys.schedule.is_empty();
    if keys.signals.is_empty() && !has(keys, "query") && !has(keys, "start") && needs_query {
        keys.values.insert("query".to_owned(), COMPLETED.to_owned());
    }
    if has(keys, "query") && !has(keys, "threshold") {
        keys.values.insert("threshold".to_owned(), "1".to_owned());
    }
}

fn check_queries(subject: &Subject<'_>, keys: &Keys, settings: &Settings, findings: &mut Findings<'_>) {
    let least = Span::seconds(SCRAPES * settings.scrape_interval.as_seconds());
    let own = keys.values.iter().map(|(key, text)| (key.clone(), text));
    let signals = keys.signals.iter().enumerate();
    let further =
        signals.flat_map(|(i, s)| s.iter().map(move |(key, text)| (format!("signals[{i}].{key}"), text)));
    for (path, text) in own.chain(further) {
        let name = path.rsplit('.').next().unwrap_or(&path);
        if name != "query" && !name.ends_with("Query") {
            continue;
        }
        let at = locate(subject.node, &path, &findings.lines, subject.at);
        if text.contains(PLACEHOLDER) {
            let mend = "write the query of the load";
            findings.add(&rules::QUERY_PLACEHOLDER, at, format!("{path}: {PLACEHOLDER}"), mend);
        }
        if let Some(why) = unclosed(text) {
            let mend = "try the query in Prometheus";
            findings.add(&rules::QUERY_UNCLOSED, at, format!("{path}: {why}"), mend);
            continue;
        }
        if let Some(window) = short_windows(text, least).first() {
            let interval = settings.scrape_interval;
            findings.add(
                &rules::RATE_WINDOW_SHORT,
                at,
                format!("{path}: a window of {window} at a scrape interval of {interval}"),
                format!("write [{least}] or more"),
            );
        }
        if text != COMPLETED {
            findings.queries.insert(text.clone());
        }
        check_answer(&path, text, at, settings, findings);
    }
}

/// Reports what Prometheus answered to a query, or what the text alone lets one guess.
fn check_answer(path: &str, query: &str, at: Place, settings: &Settings, findings: &mut Findings<'_>) {
    let answer = settings.told.answers.get(query);
    match answer {
        Some(Answer::Rejected(why)) => {
            let message = format!("{path}: Prometheus rejects it: {why}");
            findings.add(&rules::QUERY_REJECTED, at, message, "try the query in Prometheus");
        }
        Some(Answer::Many) => {
            let message = format!("{path}: Prometheus answers with more than one series");
            findings.add(&rules::QUERY_YIELDS_MANY, at, message, JOIN);
        }
        _ if may_yield_many(query) => {
            let message = format!("{path}: the query does not join several series into one");
            findings.add(&rules::QUERY_MANY_SERIES, at, message, JOIN);
        }
        _ => {}
    }
    for doubt in settings.told.doubts.get(query).into_iter().flatten() {
        let rule = match doubt {
            Doubt::CounterWithoutRate { .. } => &rules::COUNTER_WITHOUT_RATE,
            Doubt::RateOfGauge { .. } => &rules::RATE_OF_GAUGE,
            // Such as `sum(a) or vector(0)`, whose metric is yet to come.
            Doubt::NoMetric { .. } if answer == Some(&Answer::One) => &rules::QUERY_NO_SERIES,
            Doubt::NoMetric { .. } => &rules::QUERY_NO_METRIC,
            Doubt::NoSeries { .. } => &rules::QUERY_NO_SERIES,
        };
        findings.add(rule, at, format!("{path}: {doubt}"), doubt.advice());
    }
}

/// Reports learning from series that Prometheus does not have.
fn check_exporters(subject: &Subject<'_>, policy: &Policy, settings: &Settings, findings: &mut Findings<'_>) {
    let at = |findings: &Findings<'_>, key: &str| locate(subject.node, key, &findings.lines, subject.at);
    if policy.lead_time == LeadTime::Auto && settings.told.sees_pods == Some(false) {
        let message = "leadTime: auto cannot learn: Prometheus has no series of kube_pod_status_ready_time";
        let mend = "let Prometheus scrape kube-state-metrics, or write how long a pod takes to be ready";
        findings.add(&rules::LEAD_TIME_UNSEEN, at(findings, "leadTime"), message, mend);
    }
    let learns_unseen = policy.capacity.as_ref().is_some_and(|learning| {
        learning.mode == CapacityMode::Auto && learning.cpu.is_none() && learning.latency.is_none()
    });
    if learns_unseen && settings.told.sees_cpu == Some(false) {
        let message =
            "capacity: auto cannot learn: Prometheus has no series of container_cpu_usage_seconds_total";
        let mend = "let Prometheus scrape cAdvisor, or write cpuQuery or latencyQuery";
        findings.add(&rules::CAPACITY_UNSEEN, at(findings, "capacity"), message, mend);
    }
}

fn check_policy(subject: &Subject<'_>, policy: &Policy, settings: &Settings, findings: &mut Findings<'_>) {
    let at = |findings: &Findings<'_>, key: &str| locate(subject.node, key, &findings.lines, subject.at);
    check_exporters(subject, policy, settings, findings);
    for (i, signal) in policy.signals.iter().enumerate() {
        if let Some(retention) = settings.retention.filter(|kept| signal.window > *kept) {
            let place = at(findings, "historyTimeWindow");
            let message =
                format!("{} of history are requested, but Prometheus keeps only {retention}", signal.window);
            let mend = format!("write historyTimeWindow: {retention}, or keep more");
            findings.add(&rules::HISTORY_EXCEEDS_RETENTION, place, message, mend);
        }
        let one = signal.threshold.get();
        if signal.activation >= one {
            let path = format!("signals[{i}].activationThreshold");
            let place = locate(subject.node, &path, &findings.lines, at(findings, "activationThreshold"));
            let message =
                format!("it wakes above {}, but {one} is already a whole replica's load", signal.activation);
            findings.add(&rules::ACTIVATION_ABOVE_THRESHOLD, place, message, "write a value below threshold");
        }
    }
    let lead = policy.lead();
    // The HPA syncs every 15 s.
    if lead < Span::seconds(15) {
        let message = format!("leadTime is {lead}");
        let mend = "write the time from a decision to a ready pod, or auto";
        findings.add(&rules::LEAD_TIME_TOO_SHORT, at(findings, "leadTime"), message, mend);
    }
    if let Some(wake) =
        policy.zero.wake_ahead.filter(|wake| *wake < lead && policy.limits.min == Replicas::ZERO)
    {
        let message = format!("wakeAhead is {wake}, but a pod takes {lead}");
        findings.add(
            &rules::WAKE_TOO_LATE,
            at(findings, "wakeAhead"),
            message,
            format!("write {lead} or more"),
        );
    }
    let least = policy.limits.min.max(Replicas::ONE);
    if policy.spare.on(least) > policy.limits.max {
        let message = format!(
            "with a need of {least}, {} replicas are kept, but maxReplicas is {}",
            policy.spare.on(least),
            policy.limits.max
        );
        let mend = "raise maxReplicas, or keep fewer spare replicas";
        findings.add(&rules::SPARE_CANNOT_HOLD, at(findings, "spareReplicas"), message, mend);
    }
    if let Some(word) = &policy.r#override {
        let place = at(findings, "override");
        if word.until <= settings.now {
            let message = format!("override: it ended at {}", word.until);
            findings.add(&rules::OVERRIDE_EXPIRED, place, message, "remove the key");
        } else if word.until.since(settings.now) > LONG_OVERRIDE {
            let message = format!("override: it holds until {}", word.until);
            findings.add(&rules::OVERRIDE_LONG, place, message, "write a schedule rule, or an earlier end");
        }
    }
    check_floors(subject, policy, findings);
}

fn check_floors(subject: &Subject<'_>, policy: &Policy, findings: &mut Findings<'_>) {
    let at = |findings: &Findings<'_>, key: &str| locate(subject.node, key, &findings.lines, subject.at);
    for (i, rule) in policy.schedule.rules().iter().enumerate() {
        let floors = rule.effects().iter().filter_map(|effect| match effect {
            Effect::Min(floor) | Effect::Exactly(floor) => Some(*floor),
            Effect::Max(_) | Effect::Factor(_) => None,
        });
        if let Some(floor) = floors.max().filter(|floor| *floor > policy.limits.max) {
            let place = locate(
                subject.node,
                &format!("schedule[{i}]"),
                &findings.lines,
                at(findings, "desiredReplicas"),
            );
            let message =
                format!("the floor of {floor} is above maxReplicas, which is {}", policy.limits.max);
            findings.add(&rules::FLOOR_ABOVE_MAX, place, message, "raise maxReplicas, or lower the floor");
        }
    }
}

/// Adds a fault as a finding, at the line of its key.
pub(super) fn add_fault(
    fault: &Fault,
    rule: &'static Rule,
    node: &Node,
    otherwise: Place,
    findings: &mut Findings<'_>,
) {
    let at = locate(node, &fault.key, &findings.lines, otherwise);
    findings.add(rule, at, fault.seen(), format!("expected {}", fault.expected));
}

fn rule_of(fault: &Fault) -> &'static Rule {
    /// The phrases with which the reader of keys says that one key excludes another.
    const EXCLUDES: [&str; 7] = [
        "one of the two",
        "at most one of",
        "no min or max beside it",
        "at least min, which",
        "at most maxReplicas",
        "queue beside it",
        "the named policy's maxReplicas",
    ];
    let last = quoted(fault.key.rsplit('.').next().unwrap_or_default());
    let expects = |part: &str| fault.expected.contains(part);
    match () {
        () if fault.found == last && (expects("a known key") || fault.expected.starts_with("one of ")) => {
            &rules::UNKNOWN_KEY
        }
        () if fault.is_secret() => &rules::SECRET_IN_METADATA,
        () if fault.key == "desiredReplicas" && expects("at least 1;") => &rules::CRON_DESIRED_ZERO,
        () if expects("never open")
            || expects("an end that differs")
            || expects("no year has such a date") =>
        {
            &rules::WINDOW_NEVER_OPENS
        }
        () if fault.key == "timezone" => &rules::UNKNOWN_TIMEZONE,
        () if fault.key.starts_with("override") => &rules::OVERRIDE_FAULT,
        () if EXCLUDES.iter().any(|part| expects(part)) => &rules::CONTRADICTION,
        () if fault.key.starts_with("schedule") => &rules::SCHEDULE_FAULT,
        () if fault.found.is_empty() => &rules::MISSING_KEY,
        () => &rules::INVALID_VALUE,
    }
}
