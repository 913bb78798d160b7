//! Rules as people write them, and their conversion to rules that cannot be invalid.
//!
//! All faults are reported at once, each with the path of its key. Nothing here is lenient: an unknown key is a
//! fault, never a rule that silently does less.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::{TZ_VARIANTS, Tz};

use super::dates::Dates;
use super::reader::RuleReader;
use super::window::Window;
use super::{Calendars, Rule};
use crate::policy::{Fault, nearest};
use crate::units::Time;

/// One rule of a schedule as text: known keys only, each with at least one text, and with one where a list has no
/// meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawRule {
    texts: BTreeMap<&'static str, Vec<String>>,
}

/// A key of a rule.
#[derive(Debug)]
pub struct RuleKey {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub form: RuleForm,
    /// What it does, for people who write rules.
    pub meaning: &'static str,
    /// What to write if it has no value.
    expected: &'static str,
}

/// What a key of a rule takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleForm {
    /// One text.
    Text,
    /// One text or a list of them.
    Texts,
    /// A whole number.
    Count,
    /// A number.
    Number,
}

/// All keys of a rule.
pub const RULE_KEYS: [RuleKey; 12] = {
    use RuleForm::{Count, Number, Text, Texts};
    const ANY: &str = "a value, or the key left out";
    const TIMES: &str = "HH:MM or a five-field cron; without start and end the rule holds all day";
    const fn key(
        name: &'static str,
        form: RuleForm,
        meaning: &'static str,
        expected: &'static str,
    ) -> RuleKey {
        RuleKey { name, form, meaning, expected }
    }
    [
        key("name", Text, "Name shown to people.", ANY),
        key(
            "days",
            Texts,
            "Weekdays on which windows start: mon-fri, `sat,sun`, daily, weekdays, weekends. Every day unless given.",
            "days such as mon-fri; without the key the rule holds on every day",
        ),
        key("start", Text, "When windows start: HH:MM, or a cron expression with five fields.", TIMES),
        key(
            "end",
            Text,
            "When windows end: HH:MM (on the next day if not after `start`), or a cron expression with five fields.",
            TIMES,
        ),
        key("min", Count, "Floor: the fewest replicas.", ANY),
        key("max", Count, "Ceiling: the most replicas; 0 commands zero.", ANY),
        key("exactly", Count, "Floor and ceiling at once.", ANY),
        key("factor", Number, "The load now and the forecast are multiplied by this.", ANY),
        key(
            "on",
            Texts,
            "Dates such as 2026-11-27: windows start only on these.",
            "at least one date such as 2026-11-27; without the key the rule holds on every date",
        ),
        key(
            "calendar",
            Text,
            "Name of a calendar: windows start only on its days.",
            "the name of a calendar; without the key the rule holds on every date",
        ),
        key(
            "except",
            Texts,
            "Dates, or names of calendars, on which no window starts.",
            "at least one date such as 2026-12-25 or a calendar; without the key nothing is excepted",
        ),
        key(
            "until",
            Text,
            "The instant (RFC 3339) from which on the rule no longer applies.",
            "an instant such as 2026-12-31T00:00:00Z; without the key the rule does not end",
        ),
    ]
};

/// Parses the IANA name of a time zone (`Europe/Berlin`); for an unknown one, the fault names the nearest known name.
pub fn parse_zone(key: &str, text: &str) -> Result<Tz, Fault> {
    text.trim().parse::<Tz>().map_err(|_| {
        let like =
            nearest(text.trim(), TZ_VARIANTS.iter().map(|zone| zone.name())).unwrap_or("Europe/Berlin");
        Fault::new(key, text, format!("an IANA time zone such as {like}"))
    })
}

// === impl RawRule ===

impl RawRule {
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
            let place = format!("{path}.{key}");
            if !seen.insert(key) {
                faults.push(Fault::new(place, key, "the key once"));
                continue;
            }
            match RULE_KEYS.iter().find(|known| known.name == key) {
                None => faults.push(Fault::unknown_key(path, key, RULE_KEYS.map(|known| known.name))),
                Some(known) if values.is_empty() => faults.push(Fault::missing(place, known.expected)),
                Some(known) if values.len() > 1 && known.form != RuleForm::Texts => {
                    faults.push(Fault::new(place, &values.join(", "), "one value"));
                }
                Some(known) => rule.set(known.name, values),
            }
        }
        if faults.is_empty() { Ok(rule) } else { Err(faults) }
    }

    pub(in crate::policy) fn set(&mut self, key: &'static str, texts: Vec<String>) {
        self.texts.insert(key, texts);
    }

    /// The text of a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.texts(key).first().map(String::as_str)
    }

    /// All texts of a key; none if it is not given.
    pub fn texts(&self, key: &str) -> &[String] {
        self.texts.get(key).map_or(&[], Vec::as_slice)
    }

    /// The weekdays as one text.
    pub(super) fn days(&self) -> Option<String> {
        self.texts.get("days").map(|texts| texts.join(","))
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
        let part = |key| self.text(key).map(|text| text.trim().to_owned());
        let days = self.days().map(|text| text.trim().to_owned());
        let mut words: Vec<String> = days.into_iter().chain(part("calendar")).collect();
        words.extend(self.texts("on").iter().map(|date| date.trim().to_owned()));
        if let (Some(start), Some(end)) = (part("start"), part("end")) {
            words.push(format!("{start} to {end}"));
        }
        if words.is_empty() { "always".to_owned() } else { words.join(" ") }
    }
}
