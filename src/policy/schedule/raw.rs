//! Rules as people write them, and their conversion to rules that cannot be invalid.
//!
//! All faults are reported at once, each with the path of its key. Nothing here is lenient: an unknown key is a
//! fault, never a rule that silently does less.

use std::collections::BTreeSet;

use chrono_tz::{TZ_VARIANTS, Tz};

use super::dates::Dates;
use super::reader::RuleReader;
use super::window::Window;
use super::{Calendars, Rule};
use crate::policy::{Fault, nearest};
use crate::units::Time;

/// One rule of a schedule as text. A missing key is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawRule {
    /// Its name.
    pub name: Option<String>,
    /// Weekdays on which windows start: `mon-fri`, `sat,sun`, `daily`, `weekdays`, `weekends`; every day by default.
    pub days: Option<String>,
    /// HH:MM, or a five-field cron expression.
    pub start: Option<String>,
    /// HH:MM (`24:00` allowed; not after `start` means the next day), or a five-field cron expression.
    pub end: Option<String>,
    /// Floor in replicas.
    pub min: Option<String>,
    /// Ceiling in replicas.
    pub max: Option<String>,
    /// Floor and ceiling in replicas.
    pub exactly: Option<String>,
    /// The factor that multiplies the need.
    pub factor: Option<String>,
    /// Dates (`2026-11-27`): windows start only on these.
    pub on: Vec<String>,
    /// A named calendar: windows start only on its days.
    pub calendar: Option<String>,
    /// Dates, or names of calendars, on which no window starts.
    pub except: Vec<String>,
    /// The instant (RFC 3339) from which on the rule has no effect.
    pub until: Option<String>,
}

/// Parses the IANA name of a time zone (`Europe/Berlin`); for an unknown one, the fault names the nearest known name.
pub fn parse_zone(key: &str, text: &str) -> Result<Tz, Fault> {
    text.trim().parse::<Tz>().map_err(|_| {
        let like =
            nearest(text.trim(), TZ_VARIANTS.iter().map(|zone| zone.name())).unwrap_or("Europe/Berlin");
        Fault::new(key, text, format!("an IANA time zone such as {like}"))
    })
}

/// What to write if a key has no value.
fn expected_of(key: &str) -> &'static str {
    match key {
        "on" => "at least one date such as 2026-11-27; without the key the rule holds on every date",
        "days" => "days such as mon-fri; without the key the rule holds on every day",
        "except" => "at least one date such as 2026-12-25 or a calendar; without the key nothing is excepted",
        "calendar" => "the name of a calendar; without the key the rule holds on every date",
        "start" | "end" => "HH:MM or a five-field cron; without start and end the rule holds all day",
        "until" => "an instant such as 2026-12-31T00:00:00Z; without the key the rule does not end",
        _ => "a value, or the key left out",
    }
}

// === impl RawRule ===

impl RawRule {
    /// All keys of a rule.
    pub const KEYS: [&'static str; 12] = [
        "name", "days", "start", "end", "min", "max", "exactly", "factor", "on", "calendar", "except",
        "until",
    ];

    /// Builds a rule from keys and their values, each value a list of texts (a scalar is a list of one). `path` is
    /// the position of the rule (`schedule[2]`). Reports unknown keys, duplicate keys, lists where one text is
    /// expected, and keys without a value: what a template left empty must not widen the rule to every day.
    pub fn from_pairs<'a>(
        path: &str,
        pairs: impl IntoIterator<Item = (&'a str, Vec<String>)>,
    ) -> Result<Self, Vec<Fault>> {
        let mut rule = RawRule::default();
        let mut faults = Vec::new();
        let mut seen = BTreeSet::new();
        for (key, values) in pairs {
            if !seen.insert(key) {
                faults.push(Fault::new(format!("{path}.{key}"), key, "the key once"));
                continue;
            }
            if !Self::KEYS.contains(&key) {
                faults.push(Fault::unknown_key(path, key, Self::KEYS));
                continue;
            }
            if values.is_empty() {
                faults.push(Fault::missing(format!("{path}.{key}"), expected_of(key)));
                continue;
            }
            let one = match key {
                "on" => {
                    rule.on = values;
                    continue;
                }
                "except" => {
                    rule.except = values;
                    continue;
                }
                "name" => &mut rule.name,
                "days" => {
                    rule.days = Some(values.join(","));
                    continue;
                }
                "start" => &mut rule.start,
                "end" => &mut rule.end,
                "min" => &mut rule.min,
                "max" => &mut rule.max,
                "exactly" => &mut rule.exactly,
                "factor" => &mut rule.factor,
                "calendar" => &mut rule.calendar,
                _ => &mut rule.until,
            };
            match <[String; 1]>::try_from(values) {
                Ok([value]) => *one = Some(value),
                Err(list) => faults.push(Fault::new(format!("{path}.{key}"), &list.join(", "), "one value")),
            }
        }
        if faults.is_empty() { Ok(rule) } else { Err(faults) }
    }

    /// Checks and compiles the rule; `None` if it added faults.
    pub(super) fn compile(&self, path: &str, calendars: &Calendars, faults: &mut Vec<Fault>) -> Option<Rule> {
        let before = faults.len();
        let mut reader = RuleReader { path, raw: self, calendars, faults };
        let (effects, window, dates) = (reader.effects(), reader.window(), reader.dates());
        let (until, name) = (reader.until(), reader.name());
        let label = name.unwrap_or_else(|| self.describe());
        (faults.len() == before).then_some(())?;
        Some(Rule { label, effects, dates, window: window?, until })
    }

    /// Checks and compiles a rule that opens once; only its name and its effects are read. `None` if it added faults.
    pub(in crate::policy) fn once(
        &self,
        path: &str,
        from: Time,
        to: Time,
        faults: &mut Vec<Fault>,
    ) -> Option<Rule> {
        let before = faults.len();
        let calendars = Calendars::default();
        let mut reader = RuleReader { path, raw: self, calendars: &calendars, faults };
        let (effects, name) = (reader.effects(), reader.name());
        let window = Window::Once { from, to };
        let rule =
            Rule { label: name.unwrap_or_default(), effects, dates: Dates::all(), window, until: None };
        (faults.len() == before).then_some(rule)
    }

    fn describe(&self) -> String {
        let part = |text: &Option<String>| text.as_deref().map(|text| text.trim().to_owned());
        let mut words: Vec<String> = part(&self.days).into_iter().chain(part(&self.calendar)).collect();
        words.extend(self.on.iter().map(|date| date.trim().to_owned()));
        if let (Some(start), Some(end)) = (part(&self.start), part(&self.end)) {
            words.push(format!("{start} to {end}"));
        }
        if words.is_empty() { "always".to_owned() } else { words.join(" ") }
    }
}
