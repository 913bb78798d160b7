//! Reads the events of the configuration: one-off events that affect many workloads.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::policy::{Event, Fault, MOST_EVENTS};
use crate::source::catalogue::texts;
use crate::source::config::keys::{Section, kind, note};

/// Reads `events`; reports every fault of every event at once.
pub(super) fn all(top: &Section<'_>) -> Vec<Event> {
    let items = top.items("events");
    if items.len() > MOST_EVENTS {
        top.fault("events", format!("{} events", items.len()), format!("at most {MOST_EVENTS}"));
        return Vec::new();
    }
    let mut events = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let path = format!("events[{i}]");
        let Value::Object(map) = item else {
            note(
                top.context(),
                &path,
                kind(item),
                "a mapping with name, start, end, workloads and an effect",
            );
            continue;
        };
        let mut faults: Vec<Fault> = Vec::new();
        let mut pairs = BTreeMap::new();
        for (key, value) in map {
            let found = texts(&format!("{path}.{key}"), value, &mut faults);
            if !found.is_empty() {
                pairs.insert(key.clone(), found);
            }
        }
        match Event::from_pairs(&path, &pairs) {
            Ok(event) => events.push(event),
            Err(more) => faults.extend(more),
        }
        top.context().faults.borrow_mut().append(&mut faults);
    }
    events
}
