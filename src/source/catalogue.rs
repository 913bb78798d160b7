//! Named policies, calendars and events, and how they merge with a trigger's metadata into the keys of a policy.
//!
//! A trigger's own key wins over the same key of the policy it names. Nothing here reads a file: the texts come in as
//! arguments.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use serde_json::Value;

use super::yaml;
use crate::policy::{Event, Fault, Faults, Keys, RawRule, ical};
use crate::units::Time;

/// The days of one calendar.
type Dates = BTreeSet<NaiveDate>;

/// What the server knows in addition to a trigger's own metadata.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    policies: BTreeMap<String, PolicyText>,
    /// The text of each calendar: which dates its events cover depends on the time zone of the workload.
    calendars: BTreeMap<String, String>,
    /// Calendar days already computed, by name and time zone: thousands of workloads share a few zones.
    read: Arc<Mutex<HashMap<(String, Tz), Dates>>>,
    within: Option<RangeInclusive<NaiveDate>>,
    events: Vec<Event>,
}

/// A named policy: keys as in a trigger's metadata, and further signals.
#[derive(Debug, Clone, Default, PartialEq)]
struct PolicyText {
    values: BTreeMap<String, String>,
    signals: Vec<BTreeMap<String, String>>,
    schedule: Vec<RawRule>,
}

// === impl Catalogue ===

impl Catalogue {
    /// An empty catalogue; its calendars are read for the years around `now`.
    pub fn new(now: Time) -> Self {
        /// As far back as the longest history, and as far ahead as a schedule is drawn.
        const YEARS_AROUND: Days = Days::new(3 * 366);
        let today = now.to_utc().date_naive();
        let from = today.checked_sub_days(YEARS_AROUND).unwrap_or(NaiveDate::MIN);
        let to = today.checked_add_days(YEARS_AROUND).unwrap_or(NaiveDate::MAX);
        Catalogue { within: Some(from..=to), ..Catalogue::default() }
    }

    /// Adds a calendar from its iCalendar text; reports all faults at once.
    pub fn add_calendar(&mut self, name: &str, text: &str) -> Result<(), Faults> {
        let days = self.days(text, Tz::UTC).map_err(Faults)?;
        // A copy of this catalogue keeps its own cache.
        self.read = Arc::new(Mutex::new([((name.to_owned(), Tz::UTC), days)].into()));
        self.calendars.insert(name.to_owned(), text.to_owned());
        Ok(())
    }

    fn days(&self, text: &str, zone: Tz) -> Result<BTreeSet<NaiveDate>, Vec<Fault>> {
        self.within.as_ref().map_or_else(|| Ok(BTreeSet::new()), |within| ical::days(text, zone, within))
    }

    /// The days of one calendar, computed once per time zone.
    fn days_of(&self, name: &str, text: &str, zone: Tz) -> Result<BTreeSet<NaiveDate>, Vec<Fault>> {
        let place = (name.to_owned(), zone);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(days) = read.get(&place) {
            return Ok(days.clone());
        }
        let days = self.days(text, zone)?;
        read.insert(place, days.clone());
        Ok(days)
    }

    /// Replaces the events.
    pub fn set_events(&mut self, events: Vec<Event>) {
        self.events = events;
    }

    /// The indices of the events that apply to a workload.
    pub fn events_of(&self, namespace: &str, name: &str) -> Vec<usize> {
        let concerning = self.events.iter().enumerate().filter(|(_, e)| e.concerns(namespace, name));
        concerning.map(|(i, _)| i).collect()
    }

    /// The same as [`Catalogue::keys`], with the events at these indices.
    pub fn keys_with(&self, metadata: &HashMap<String, String>, events: &[usize]) -> Keys {
        let events = events.iter().filter_map(|&i| self.events.get(i).cloned()).collect();
        Keys { events, ..self.keys(metadata) }
    }

    /// Adds a policy from its YAML text; reports all faults at once, with keys named as in the file.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), Faults> {
        let value: Value = yaml::from_str(text).map_err(|e| no_yaml(name, &e, "a policy"))?;
        let policy = policy_text(&value)?;
        self.policies.insert(name.to_owned(), policy);
        Ok(())
    }

    /// The names of its policies.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.policies.keys().map(String::as_str)
    }

    /// The keys of a trigger. A key that the trigger lacks comes from its named policy. Faults found so far are
    /// passed along, to be reported together with the rest.
    pub fn keys(&self, metadata: &HashMap<String, String>) -> Keys {
        let mut faults = Vec::new();
        let named = metadata.get("policy").map(|n| n.trim()).filter(|n| !n.is_empty());
        let base = match named {
            Some(name) => self.policies.get(name).cloned().unwrap_or_else(|| {
                faults.push(self.no_such_policy(name));
                PolicyText::default()
            }),
            None => PolicyText::default(),
        };
        let mut keys = Keys {
            faults,
            max_replicas_allowed: base.values.get("maxReplicas").and_then(|t| t.trim().parse().ok()),
            values: base.values,
            signals: base.signals,
            schedule: base.schedule,
            calendars: BTreeMap::new(),
            events: Vec::new(),
        };
        drop_rivals(&mut keys.values, metadata);
        if CRON.iter().any(|key| metadata.contains_key(*key)) {
            keys.schedule.clear();
        }
        keys.values.extend(metadata.iter().map(|(k, v)| (k.clone(), v.clone())));
        if let Some(text) = metadata.get("schedule").filter(|t| !t.trim().is_empty()) {
            keys.schedule = schedule_from(text).unwrap_or_else(|faults| {
                keys.faults.extend(faults.0);
                Vec::new()
            });
        }
        // An invalid zone is a separate fault, found when the keys are read.
        let zone = keys.values.get("timezone").and_then(|t| t.trim().parse().ok()).unwrap_or(Tz::UTC);
        for (name, text) in &self.calendars {
            match self.days_of(name, text, zone) {
                Ok(days) => drop(keys.calendars.insert(name.clone(), days)),
                Err(faults) => keys.faults.extend(faults),
            }
        }
        keys
    }

    fn no_such_policy(&self, name: &str) -> Fault {
        let known: Vec<_> = self.names().collect();
        let expected = if known.is_empty() {
            "a policy of the catalogue, which is empty".to_owned()
        } else {
            format!("a policy of the catalogue: {}", known.join(", "))
        };
        Fault::new("policy", name, expected)
    }
}

/// KEDA's cron keys: a trigger that has them replaces the schedule of its policy.
const CRON: [&str; 3] = ["start", "end", "desiredReplicas"];

/// Keys can be alternatives to each other. If a trigger gives one, it replaces all of them in the policy.
fn drop_rivals(values: &mut BTreeMap<String, String>, metadata: &HashMap<String, String>) {
    const RIVALS: [&[&str]; 5] = [
        &["objective", "quantile", "underProvisionCost", "underProvisionTarget"],
        &["serviceRate", "completionsQuery"],
        &["datasource", "serverAddress"],
        &["replicaStep", "replicaTiers"],
        &["schedule", "start", "end", "desiredReplicas"],
    ];
    for group in RIVALS {
        if group.iter().any(|key| metadata.contains_key(*key)) {
            group.iter().for_each(|key| drop(values.remove(*key)));
        }
    }
}

fn no_yaml(place: &str, why: &str, expected: &str) -> Faults {
    Faults(vec![Fault::in_words(place, format!("no YAML ({why})"), expected)])
}

/// Reads the rules of `schedule` from YAML text.
pub fn schedule_from(text: &str) -> Result<Vec<RawRule>, Faults> {
    let value: Value = yaml::from_str(text).map_err(|e| no_yaml("schedule", &e, "a list of rules"))?;
    let mut faults = Vec::new();
    let rules = rules(&value, &mut faults);
    if faults.is_empty() { Ok(rules) } else { Err(Faults(faults)) }
}

fn rules(value: &Value, faults: &mut Vec<Fault>) -> Vec<RawRule> {
    let Value::Array(items) = value else {
        faults.push(Fault::new(
            "schedule",
            &value.to_string(),
            "a list of rules such as - {days: mon-fri, min: 1}",
        ));
        return Vec::new();
    };
    items.iter().enumerate().map(|(i, item)| rule(&format!("schedule[{i}]"), item, faults)).collect()
}

fn rule(path: &str, value: &Value, faults: &mut Vec<Fault>) -> RawRule {
    let Value::Object(map) = value else {
        faults.push(Fault::new(
            path,
            &value.to_string(),
            "a map with days, start, end and min, max, exactly or factor",
        ));
        return RawRule::default();
    };
    let known = faults.len();
    let pairs = map.iter().filter_map(|(key, value)| {
        let before = faults.len();
        let texts = texts(&format!("{path}.{key}"), value, faults);
        // Report only once what could not be read.
        (faults.len() == before).then_some((key.as_str(), texts))
    });
    let pairs: Vec<_> = pairs.collect();
    match RawRule::from_pairs(path, pairs) {
        Ok(rule) if faults.len() == known => rule,
        Ok(_) => RawRule::default(),
        Err(more) => {
            faults.extend(more);
            RawRule::default()
        }
    }
}

/// The text of a scalar as it was written; lists and maps are faults.
fn text(place: &str, value: &Value, faults: &mut Vec<Fault>) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null => None,
        _ => {
            faults.push(Fault::new(place, &value.to_string(), "a single value"));
            None
        }
    }
}

/// A list of scalars; a single scalar is a list of one, and an empty one is no item.
pub(super) fn texts(place: &str, value: &Value, faults: &mut Vec<Fault>) -> Vec<String> {
    let Value::Array(items) = value else { return text(place, value, faults).into_iter().collect() };
    let item = |(i, item): (usize, &Value)| {
        let place = format!("{place}[{i}]");
        if item.is_null() {
            faults.push(Fault::missing(&place, "a value, or no such entry"));
        }
        text(&place, item, faults)
    };
    items.iter().enumerate().filter_map(item).collect()
}

fn policy_text(value: &Value) -> Result<PolicyText, Faults> {
    let mut faults = Vec::new();
    let mut policy = PolicyText::default();
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match key.as_str() {
                    "schedule" => policy.schedule = rules(value, &mut faults),
                    "signals" => policy.signals = signals(value, &mut faults),
                    _ => policy.values.extend(text(key, value, &mut faults).map(|t| (key.clone(), t))),
                }
            }
        }
        other => faults.push(Fault::new("policy", &other.to_string(), "a map of keys")),
    }
    if faults.is_empty() { Ok(policy) } else { Err(Faults(faults)) }
}

fn signals(value: &Value, faults: &mut Vec<Fault>) -> Vec<BTreeMap<String, String>> {
    let Value::Array(items) = value else {
        faults.push(Fault::new("signals", &value.to_string(), "a list of maps with query and threshold"));
        return Vec::new();
    };
    let read = |(i, item): (usize, &Value)| {
        let Value::Object(map) = item else {
            faults.push(Fault::new(
                format!("signals[{i}]"),
                &item.to_string(),
                "a map with query and threshold",
            ));
            return BTreeMap::new();
        };
        map.iter()
            .filter_map(|(k, v)| Some((k.clone(), text(&format!("signals[{i}].{k}"), v, faults)?)))
            .collect()
    };
    items.iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests;
