//! Turns the keys of a trigger into a [`Policy`]: every default, every bound and every contradiction is defined here.
//!
//! Keys have the same names as in KEDA's prometheus, cron and predictkube scalers. All faults are collected; a policy
//! is returned only if there are none.

mod address;
mod learning;
mod names;
mod signal;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;
pub use learning::latency;
use learning::read_learning;
pub(super) use names::LABEL;
use names::{DEFAULT_METRIC_NAME, KEDA_KEYS, is_unread_key};
pub use names::{KNOWN_KEYS, is_from_env, is_label, metric_name_or_default, read_keys, secret_place};
use signal::{read_further_signal, read_signal, read_source};

use super::identity::is_object_name;
use super::reader::KeyReader;
use super::schedule::{Calendars, RawRule, Schedule};
use super::{
    Event, Fault, Faults, Insurance, LeadTime, Limits, Mode, Override, Policy, Sizes, SourceRef, Spare,
    Target, TargetKind, WorkloadQueries, ZeroRule,
};
use crate::history::Calendar;
use crate::units::{Quantile, Replicas, Span};

/// The raw keys of a workload, all of them strings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Keys {
    /// Keys with their texts.
    pub values: BTreeMap<String, String>,
    /// The further signals of a policy file, each with its own keys.
    pub signals: Vec<BTreeMap<String, String>>,
    /// The rules of `schedule`, parsed from its YAML.
    pub schedule: Vec<RawRule>,
    /// The dates of the named calendars of the server configuration.
    pub calendars: BTreeMap<String, BTreeSet<NaiveDate>>,
    /// The named policy's `maxReplicas`, which a trigger may not exceed.
    pub max_replicas_allowed: Option<u32>,
    /// The events of the server configuration that affect it.
    pub events: Vec<Event>,
    /// Faults already found where the keys were read.
    pub faults: Vec<Fault>,
}

// === impl Keys ===

impl Keys {
    /// The sources of its signals, as far as they can be read. Faults of other keys do not matter here, so a source
    /// that may not be used is reported together with them.
    pub fn sources(&self) -> Vec<SourceRef> {
        let of = |values: &BTreeMap<String, String>| {
            let mut reader = KeyReader::new(values, "");
            let source = read_source(&mut reader);
            (reader.has("query") && reader.faults.is_empty()).then_some(source)
        };
        std::iter::once(&self.values).chain(&self.signals).filter_map(of).collect()
    }
}

// === impl Policy ===

impl Policy {
    /// Reads a policy; if anything is wrong, returns all faults at once.
    pub fn from_keys(keys: &Keys) -> Result<Policy, Faults> {
        let mut reader = KeyReader::new(&keys.values, "");
        let measured = reader.has("query") || !keys.signals.is_empty();
        let limits = read_limits(&mut reader, keys.max_replicas_allowed, measured);
        let (sizes, limits) = read_sizes(&mut reader, limits);
        let zone = reader
            .parsed("timezone", "an IANA time zone such as Europe/Berlin", |t| t.parse::<Tz>().ok())
            .unwrap_or(Tz::UTC);
        let schedule = read_schedule(&mut reader, keys, zone);
        let has_schedule = !keys.schedule.is_empty() || reader.has("schedule") || reader.has("start");
        let mut signals = Vec::new();
        if keys.signals.is_empty() || reader.has("query") {
            signals.extend(read_signal(&mut reader, has_schedule && keys.signals.is_empty()));
        }
        let mut faults = std::mem::take(&mut reader.faults);
        for (i, values) in keys.signals.iter().enumerate() {
            let mut inner = KeyReader::new(values, format!("signals[{i}]."));
            signals.extend(read_further_signal(&mut inner));
            faults.extend(unknown(values.keys(), &format!("signals[{i}]")));
            faults.append(&mut inner.faults);
        }
        let mut masked = reader.time_ranges("maskedSpans");
        let events = read_events(&mut reader, keys);
        masked.extend(events.iter().filter_map(Event::masked));
        let schedule = schedule.with_rules(events.iter().map(Event::rule));
        let capacity = read_learning(&mut reader, signals.first());
        let policy = Policy {
            metric_name: read_metric_name(&mut reader),
            signals,
            limits,
            schedule,
            events,
            calendar: read_calendar(&mut reader, keys, zone),
            mode: read_mode(&mut reader),
            insurance: read_insurance(&mut reader),
            lead_time: read_lead_time(&mut reader),
            zero: read_zero(&mut reader),
            max_stale: reader.span("maxStale", Span::MINUTE, Span::days(7)).unwrap_or(Span::HOUR),
            tolerance: reader
                .number("tolerance", "a share from 0 to 1, such as 0.1", |v| (0.0..=1.0).contains(&v))
                .unwrap_or(0.1),
            sizes,
            spare: read_spare(&mut reader),
            warm_up: reader.span("warmUp", Span::ZERO, Span::HOUR).unwrap_or(Span::ZERO),
            r#override: read_override(&mut reader),
            target: read_target(&mut reader),
            capacity,
            queries: WorkloadQueries {
                replicas: reader.text("replicasQuery").map(str::to_owned),
                errors: reader.text("errorQuery").map(str::to_owned),
                rejected: reader.text("rejectedQuery").map(str::to_owned),
                in_flight: reader.text("inFlightQuery").map(str::to_owned),
            },
            masked,
        };
        faults.append(&mut reader.faults);
        faults.extend(unknown(keys.values.keys(), ""));
        if keys.faults.iter().any(|fault| fault.key == "policy") {
            // What is missing here may be given in the policy that was not found.
            faults.retain(|fault| !fault.found.is_empty());
        }
        faults.extend(keys.faults.iter().cloned());
        // Some keys are read twice (the time zone: for the schedule and for the forecast), so duplicate faults are
        // removed.
        if faults.is_empty() { Ok(policy) } else { Err(Faults(faults).and(Vec::new())) }
    }
}

fn unknown<'a>(names: impl Iterator<Item = &'a String>, prefix: &str) -> Vec<Fault> {
    names
        .filter(|name| !KNOWN_KEYS.contains(&name.as_str()) && !is_unread_key(name))
        .map(|name| match secret_place(name) {
            Some(place) => Fault::secret(prefix, name, place),
            None => Fault::unknown_key(prefix, name, KNOWN_KEYS.iter().chain(KEDA_KEYS).copied()),
        })
        .collect()
}

fn read_limits(reader: &mut KeyReader<'_>, allowed: Option<u32>, measured: bool) -> Limits {
    let most = Replicas::MAX.get();
    // KEDA's cron trigger asks for nothing outside its windows; a schedule on its own means the same here.
    let min = reader.count("minReplicas", 0, most).unwrap_or(u32::from(measured));
    let given = reader.count("maxReplicas", 1, most);
    let max = given.or(allowed).unwrap_or(100.max(min));
    if let (Some(max), Some(allowed)) = (given, allowed)
        && max > allowed
    {
        reader.fault(
            "maxReplicas",
            &max.to_string(),
            format!("at most {allowed}, the named policy's maxReplicas"),
        );
    }
    if min > max {
        reader.fault("minReplicas", &min.to_string(), format!("at most maxReplicas, which is {max}"));
    }
    Limits { min: replicas(min), max: replicas(max) }
}

/// The replica counts allowed, and the limits rounded to them.
fn read_sizes(reader: &mut KeyReader<'_>, limits: Limits) -> (Sizes, Limits) {
    let step = reader.count("replicaStep", 1, 1_000);
    let expected = "ascending whole numbers above 0 separated by commas, such as 2,4,8,16";
    let Some(tiers) = reader.parsed("replicaTiers", expected, Sizes::tiers) else {
        return (step.map_or(Sizes::ANY, Sizes::Multiples), limits);
    };
    let text = reader.text("replicaTiers").unwrap_or_default();
    if step.is_some() {
        reader.fault("replicaTiers", text, "either replicaTiers or replicaStep");
    }
    let (min, max) = (tiers.at_least(limits.min), tiers.within(limits.max));
    if min < limits.min || min > max || tiers.at_least(Replicas::ONE) > limits.max {
        let expected = format!("a tier from minReplicas ({}) to maxReplicas ({})", limits.min, limits.max);
        reader.fault("replicaTiers", text, expected);
        return (Sizes::ANY, limits);
    }
    (tiers, Limits { min, max })
}

fn read_target(reader: &mut KeyReader<'_>) -> Target {
    let kind = reader.parsed("targetKind", "Deployment, StatefulSet or Rollout", TargetKind::parse);
    let name = reader.parsed("targetName", "1 to 253 characters of a-z, 0-9, - and .", |text| {
        is_object_name(text).then(|| text.to_owned())
    });
    Target { kind, name }
}

fn read_spare(reader: &mut KeyReader<'_>) -> Spare {
    let expected = "a whole number such as 1, or a share from 0% to 90% such as 25%";
    reader.parsed("spareReplicas", expected, Spare::parse).unwrap_or(Spare::NONE)
}

fn replicas(count: u32) -> Replicas {
    Replicas::covering(f64::from(count))
}

fn read_schedule(reader: &mut KeyReader<'_>, keys: &Keys, zone: Tz) -> Schedule {
    const CRON_KEYS: [&str; 3] = ["start", "end", "desiredReplicas"];
    let missing: Vec<_> = CRON_KEYS.into_iter().filter(|k| !reader.has(k)).collect();
    let cron = CRON_KEYS.map(|k| reader.text(k));
    let parsed = match cron {
        [Some(start), Some(end), Some(desired)] => {
            let own = Schedule::from_keda(start, end, reader.text("timezone").unwrap_or_default(), desired);
            let rules = Schedule::new(zone, &keys.schedule, &calendars(reader, keys));
            match (own, rules) {
                (Ok(own), Ok(rules)) => Ok(own.with_rules(rules.rules())),
                (own, rules) => Err([own.err(), rules.err()].into_iter().flatten().flatten().collect()),
            }
        }
        [None, None, None] => Schedule::new(zone, &keys.schedule, &calendars(reader, keys)),
        _ => {
            for key in missing {
                reader.fault(key, "", "a value, as start, end and desiredReplicas go together");
            }
            Ok(Schedule::empty(zone))
        }
    };
    parsed.unwrap_or_else(|faults| {
        reader.faults.extend(faults);
        Schedule::empty(zone)
    })
}

/// The calendars that rules may name. The dates of the workload's own calendar count as Sundays.
fn calendars(reader: &KeyReader<'_>, keys: &Keys) -> Calendars {
    let own = reader.text("calendar").and_then(|name| keys.calendars.get(name));
    Calendars { sundays: Arc::new(own.cloned().unwrap_or_default()), named: keys.calendars.clone() }
}

fn read_metric_name(reader: &mut KeyReader<'_>) -> String {
    reader
        .parsed("metricName", LABEL, |t| is_label(t).then(|| t.to_owned()))
        .unwrap_or_else(|| DEFAULT_METRIC_NAME.to_owned())
}

fn read_calendar(reader: &mut KeyReader<'_>, keys: &Keys, zone: Tz) -> Calendar {
    let expected = if keys.calendars.is_empty() {
        "a calendar of the server configuration, which names none".to_owned()
    } else {
        let names: Vec<_> = keys.calendars.keys().map(String::as_str).collect();
        format!("a calendar of the server configuration: {}", names.join(", "))
    };
    let dates = reader.parsed("calendar", &expected, |t| keys.calendars.get(t).cloned());
    Calendar::new(zone, dates.unwrap_or_default())
}

fn read_mode(reader: &mut KeyReader<'_>) -> Mode {
    reader
        .parsed("mode", "predictive, shadow or reactive", |t| match t {
            "predictive" => Some(Mode::Predictive),
            "shadow" => Some(Mode::Shadow),
            "reactive" => Some(Mode::Reactive),
            _ => None,
        })
        .unwrap_or(Mode::Predictive)
}

fn read_insurance(reader: &mut KeyReader<'_>) -> Insurance {
    const ONE_OF: [&str; 4] = ["objective", "quantile", "underProvisionCost", "underProvisionTarget"];
    let given: Vec<_> = ONE_OF.into_iter().filter(|k| reader.has(k)).collect();
    if given.len() > 1 {
        reader.fault(given[0], &given.join(" and "), format!("at most one of {}", ONE_OF.join(", ")));
    }
    let quantile = reader.number("quantile", "a number from 0.5 to 0.999", |v| (0.5..=0.999).contains(&v));
    let objective = reader.parsed("objective", "cost, balanced or availability", |t| match t {
        "cost" => Some(0.80),
        "balanced" => Some(0.95),
        "availability" => Some(0.99),
        _ => None,
    });
    // Newsvendor: if one short replica-hour costs as much as c idle ones, the cheapest quantile is c / (1 + c).
    let cost = reader
        .number("underProvisionCost", "a number from 1 to 999: replica-hours", |v| (1.0..=999.0).contains(&v))
        .map(|c| c / (1.0 + c));
    let target = reader
        .number("underProvisionTarget", "a share of time from 0.01% to 20%", |v| (0.000_1..=0.2).contains(&v))
        .map(Insurance::Target);
    let by_quantile = quantile.or(objective).or(cost).and_then(|q| Quantile::new(q).ok());
    by_quantile.map(Insurance::Quantile).or(target).unwrap_or_else(Insurance::balanced)
}

fn read_lead_time(reader: &mut KeyReader<'_>) -> LeadTime {
    let expected = "auto, or a duration from 0s to 1h such as 2m";
    reader
        .parsed("leadTime", expected, |t| match t {
            "auto" => Some(LeadTime::Auto),
            _ => Span::parse(t).ok().filter(|&s| s <= Span::HOUR).map(LeadTime::Given),
        })
        .unwrap_or(LeadTime::Given(LeadTime::DEFAULT))
}

fn read_zero(reader: &mut KeyReader<'_>) -> ZeroRule {
    ZeroRule {
        after: reader.span("scaleToZeroAfter", Span::ZERO, Span::days(30)).unwrap_or(Span::ZERO),
        wake_ahead: reader.span("wakeAhead", Span::ZERO, Span::days(1)),
        drain_grace: reader.span("drainGrace", Span::ZERO, Span::days(1)).unwrap_or(Span::minutes(30)),
    }
}

/// The events that affect the workload, unless it opts out of all of them.
fn read_events(reader: &mut KeyReader<'_>, keys: &Keys) -> Vec<Event> {
    let expected = "none, to opt out of the server's events; without the key all that match hold";
    let opts_out = reader.parsed("events", expected, |text| (text == "none").then_some(())).is_some();
    if opts_out { Vec::new() } else { keys.events.clone() }
}

fn read_override(reader: &mut KeyReader<'_>) -> Option<Override> {
    let text = reader.text("override")?;
    Override::parse("override", text).map_err(|faults| reader.faults.extend(faults)).ok()
}
