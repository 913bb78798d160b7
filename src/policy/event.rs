//! Events: one-off occasions that affect many workloads, such as a sale or a launch.
//!
//! They are part of the server's configuration. Each event adds one rule to the schedule of every workload whose name
//! matches. An event is open once, from one instant to another. Load that a factor multiplies is not learned as usual
//! load. Nothing here reads a file or a clock.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::fault::Fault;
use super::local::instant_in;
use super::schedule::{Effect, RawRule, Rule, parse_zone};
use crate::units::Time;

/// A one-off occasion for all workloads whose name matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    rule: Rule,
    from: Time,
    to: Time,
    patterns: Vec<Pattern>,
}

/// `NAMESPACE/NAME` of ScaledObjects; in either part `*` matches any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    namespace: String,
    name: String,
}

/// The most events of one configuration: each adds to the cost of every decision for its workloads.
pub const MOST_EVENTS: usize = 200;
/// The most patterns of one event.
const MOST_PATTERNS: usize = 100;
const EXPECTED_INSTANT: &str =
    "a local time such as 2026-11-27T06:00, or an instant such as 2026-11-27T06:00:00Z";
const EXPECTED_PATTERN: &str = "NAMESPACE/NAME, where * stands for any letters, such as shop/*";

// === impl Event ===

impl Event {
    /// All keys of an event.
    pub const KEYS: [&'static str; 9] =
        ["name", "start", "end", "timezone", "workloads", "min", "max", "exactly", "factor"];

    /// Reads an event from its keys, each value a list of texts (a scalar is a list of one). `path` is the event's
    /// position (`events[2]`).
    ///
    /// # Errors
    /// All faults at once: unknown and missing keys, invalid times, patterns that cannot match a name.
    pub fn from_pairs(path: &str, pairs: &BTreeMap<String, Vec<String>>) -> Result<Self, Vec<Fault>> {
        let mut faults: Vec<Fault> = pairs
            .keys()
            .filter(|key| !Self::KEYS.contains(&key.as_str()))
            .map(|key| Fault::unknown_key(path, key, Self::KEYS))
            .collect();
        let mut one = |key: &str| match pairs.get(key).map(Vec::as_slice) {
            Some([text]) => Some(text.clone()),
            None => None,
            Some(several) => {
                faults.push(Fault::new(format!("{path}.{key}"), &several.join(", "), "one value"));
                None
            }
        };
        let mut rule = RawRule::default();
        for key in ["name", "min", "max", "exactly", "factor"] {
            if let Some(text) = one(key) {
                rule.set(key, vec![text]);
            }
        }
        let (start, end, zone) = (one("start"), one("end"), one("timezone"));
        if rule.text("name").is_none() {
            faults.push(Fault::missing(format!("{path}.name"), "what people call it, such as black-friday"));
        }
        let zone = zone.map_or(Ok(Tz::UTC), |text| parse_zone(&format!("{path}.timezone"), &text));
        let zone = zone.unwrap_or_else(|fault| {
            faults.push(fault);
            Tz::UTC
        });
        let mut instant = |key: &str, text: Option<&String>| {
            let place = format!("{path}.{key}");
            match text {
                None => faults.push(Fault::missing(place, EXPECTED_INSTANT)),
                Some(text) => match instant_in(zone, text) {
                    Some(at) => return Some(at),
                    None => faults.push(Fault::new(place, text, EXPECTED_INSTANT)),
                },
            }
            None
        };
        let (from, to) = (instant("start", start.as_ref()), instant("end", end.as_ref()));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            let found = end.as_deref().unwrap_or_default();
            faults.push(Fault::new(format!("{path}.end"), found, "a time after start"));
        }
        let patterns = patterns(path, pairs.get("workloads"), &mut faults);
        let (from, to) = (from.unwrap_or(Time::MIN), to.unwrap_or(Time::MAX));
        let rule = rule.once(path, from, to, &mut faults);
        match rule {
            Some(rule) if faults.is_empty() => Ok(Event { rule, from, to, patterns }),
            _ => Err(faults),
        }
    }

    /// Its name, as people wrote it.
    pub fn name(&self) -> &str {
        self.rule.label()
    }

    /// Whether it is open at an instant.
    pub fn is_open(&self, at: Time) -> bool {
        self.from <= at && at < self.to
    }

    /// When it starts and ends.
    pub fn span(&self) -> (Time, Time) {
        (self.from, self.to)
    }

    /// Whether it affects a workload.
    pub fn concerns(&self, namespace: &str, name: &str) -> bool {
        self.patterns.iter().any(|p| matches(&p.namespace, namespace) && matches(&p.name, name))
    }

    /// The rule that it adds to a workload's schedule.
    pub(super) fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The time span that is not learned as usual load.
    pub(super) fn masked(&self) -> Option<(Time, Time)> {
        let multiplies = self.rule.effects().iter().any(|effect| matches!(effect, Effect::Factor(_)));
        multiplies.then_some((self.from, self.to))
    }
}

fn patterns(path: &str, texts: Option<&Vec<String>>, faults: &mut Vec<Fault>) -> Vec<Pattern> {
    let texts = texts.map(Vec::as_slice).unwrap_or_default();
    if texts.is_empty() {
        faults.push(Fault::missing(format!("{path}.workloads"), EXPECTED_PATTERN));
    }
    if texts.len() > MOST_PATTERNS {
        let expected = format!("at most {MOST_PATTERNS} patterns");
        faults.push(Fault::new(format!("{path}.workloads"), &texts.len().to_string(), expected));
    }
    let mut found = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        match Pattern::parse(text.trim()) {
            Some(pattern) => found.push(pattern),
            None => faults.push(Fault::new(format!("{path}.workloads[{i}]"), text, EXPECTED_PATTERN)),
        }
    }
    found
}

/// Whether a text matches a pattern in which `*` matches any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some(at) = left.find(piece) else { return false };
        left = &left[at + piece.len()..];
    }
    left.ends_with(last)
}

// === impl Pattern ===

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let (namespace, name) = text.split_once('/')?;
        let is_fine = |part: &str| {
            let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.*".contains(&b);
            (1..=253).contains(&part.len()) && part.bytes().all(is_name)
        };
        let pattern = Pattern { namespace: namespace.to_owned(), name: name.to_owned() };
        (is_fine(namespace) && is_fine(name)).then_some(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(pairs: &[(&str, &str)]) -> Result<Event, Vec<Fault>> {
        let sale = [
            ("name", "sale"),
            ("start", "2026-11-27T06:00"),
            ("end", "2026-11-28T00:00"),
            ("timezone", "Europe/Berlin"),
            ("workloads", "shop/*"),
            ("factor", "3"),
        ];
        let all = sale.iter().chain(pairs).filter(|(_, text)| !text.is_empty());
        Event::from_pairs(
            "events[0]",
            &all.map(|(key, text)| ((*key).to_owned(), vec![(*text).to_owned()])).collect(),
        )
    }

    #[test]
    fn times_are_those_of_its_zone() {
        let sale = event(&[]).expect("valid");
        let at = |text| Time::parse(text).expect("an instant");
        assert_eq!(sale.span(), (at("2026-11-27T05:00:00Z"), at("2026-11-27T23:00:00Z")));
        assert!(sale.is_open(at("2026-11-27T05:00:00Z")) && !sale.is_open(at("2026-11-27T23:00:00Z")));
        assert_eq!(sale.masked(), Some(sale.span()));
        let instants = event(&[("start", "2026-11-27T06:00:00Z"), ("end", "2026-11-27T07:00:00+01:00")]);
        assert!(instants.is_err(), "it ends as it begins");
    }

    #[test]
    fn only_a_factor_is_not_learned() {
        let floor = Event::from_pairs(
            "events[0]",
            &[("name", "launch"), ("start", "2026-11-27T06:00"), ("end", "2026-11-27T07:00"), ("min", "9")]
                .iter()
                .chain(&[("workloads", "shop/web")])
                .map(|(key, text)| ((*key).to_owned(), vec![(*text).to_owned()]))
                .collect(),
        );
        assert_eq!(floor.expect("valid").masked(), None);
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, workload, want) in [
            ("shop/*", ("shop", "web"), true),
            ("shop/*", ("shops", "web"), false),
            ("*/web", ("any", "web"), true),
            ("*/web", ("any", "web-2"), false),
            ("shop/web-*-eu", ("shop", "web-api-eu"), true),
            ("shop/web-*-eu", ("shop", "web-eu"), false),
            ("s*p/*w*b*", ("shop", "a-web-b"), true),
            ("shop/a*a", ("shop", "a"), false),
        ] {
            let event = event(&[("workloads", pattern)]).expect(pattern);
            assert_eq!(event.concerns(workload.0, workload.1), want, "{pattern} {workload:?}");
        }
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let faults = event(&[
            ("name", "\u{7}"),
            ("start", "soon"),
            ("timezone", "Europe/Berln"),
            ("workloads", "shop"),
            ("factor", "0"),
            ("colour", "red"),
        ])
        .expect_err("faults");
        let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
        for key in ["colour", "timezone", "start", "workloads[0]", "factor", "name"] {
            assert!(keys.contains(&format!("events[0].{key}").as_str()), "{key} in {keys:?}");
        }
        let nothing = Event::from_pairs("events[0]", &BTreeMap::new()).expect_err("faults");
        for key in ["name", "start", "end", "workloads"] {
            assert!(nothing.iter().any(|fault| fault.key == format!("events[0].{key}")), "{key}");
        }
    }
}
