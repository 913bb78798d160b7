//! Parses the texts of a rule; each fault is recorded under the path of its key.
//!
//! A text has one meaning or is refused; nothing here guesses.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use chrono::NaiveDate;

use super::bounds::Effect;
use super::cron::{Cron, EXPECTED_CRON};
use super::dates::{Dates, EXPECTED_DAYS, parse_days};
use super::window::Window;
use super::{Calendars, RawRule};
use crate::policy::Fault;
use crate::units::{Replicas, Time};

/// The largest factor accepted: even a thousandfold is a typing mistake.
const MAX_FACTOR: f64 = 1_000.0;
/// The longest name, in characters: it becomes part of a reason and of a line in a table.
const MAX_NAME: usize = 63;
const WHOLE_DAY: i64 = 24 * 60;
const EXPECTED_TIME: &str = "HH:MM or a five-field cron";

/// A start or an end.
enum Edge {
    Clock(i64),
    Cron(Box<Cron>),
}

/// Reads one rule and records its faults under its path.
pub(super) struct RuleReader<'a> {
    pub(super) path: &'a str,
    pub(super) raw: &'a RawRule,
    pub(super) calendars: &'a Calendars,
    pub(super) faults: &'a mut Vec<Fault>,
}

// === impl RuleReader ===

impl RuleReader<'_> {
    fn fault(&mut self, key: &str, found: &str, expected: impl Into<String>) {
        self.faults.push(Fault::new(format!("{}.{key}", self.path), found, expected));
    }

    fn missing(&mut self, key: &str, expected: &str) {
        self.faults.push(Fault::missing(format!("{}.{key}", self.path), expected));
    }

    pub(super) fn effects(&mut self) -> Vec<Effect> {
        let raw = self.raw;
        let [min, max, exactly] = ["min", "max", "exactly"].map(|key| self.replicas(key));
        let factor = self.factor();
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            self.fault("max", &max.to_string(), format!("at least min, which is {min}"));
        }
        if let Some(text) = raw.text("exactly")
            && (raw.text("min").is_some() || raw.text("max").is_some())
        {
            self.fault("exactly", text, "no min or max beside it");
        }
        if ["min", "max", "exactly", "factor"].iter().all(|key| raw.text(key).is_none()) {
            self.faults.push(Fault::missing(self.path, "one of min, max, exactly and factor"));
        }
        let limits = [min.map(Effect::Min), max.map(Effect::Max), exactly.map(Effect::Exactly)];
        limits.into_iter().flatten().chain(factor.map(Effect::Factor)).collect()
    }

    fn replicas(&mut self, key: &str) -> Option<Replicas> {
        let text = self.raw.text(key)?;
        let count = text.trim().parse::<u32>().ok().and_then(|count| Replicas::new(count).ok());
        if count.is_none() {
            self.fault(key, text, format!("a whole number of replicas, 0 to {}", Replicas::MAX));
        }
        count
    }

    fn factor(&mut self) -> Option<f64> {
        let text = self.raw.text("factor")?;
        let factor = f64::from_str(text.trim()).ok().filter(|&factor| factor > 0.0 && factor <= MAX_FACTOR);
        if factor.is_none() {
            self.fault("factor", text, format!("a number above 0, at most {MAX_FACTOR}"));
        }
        factor
    }

    pub(super) fn window(&mut self) -> Option<Window> {
        let (start, end) = match (self.raw.text("start"), self.raw.text("end")) {
            (None, None) => return Some(Window::Clock { start: 0, end: WHOLE_DAY }),
            (Some(start), Some(end)) => (start, end),
            (start, _) => {
                let absent = if start.is_none() { "start" } else { "end" };
                self.missing(absent, "both start and end, or neither for whole days");
                return None;
            }
        };
        let opens = self.edge("start", start, WHOLE_DAY - 1);
        let shuts = self.edge("end", end, WHOLE_DAY);
        match (opens?, shuts?) {
            (Edge::Clock(start), Edge::Clock(shuts)) if start == shuts => {
                self.fault("end", end, "an end that differs from start; a whole day is 00:00 to 24:00");
                None
            }
            (Edge::Clock(start), Edge::Clock(end)) => {
                Some(Window::Clock { start, end: if end <= start { end + WHOLE_DAY } else { end } })
            }
            (Edge::Cron(start), Edge::Cron(shuts)) if start.same_as(&shuts) => {
                self.fault(
                    "end",
                    end,
                    "an end that fires at other times than start; this window would never open",
                );
                None
            }
            (Edge::Cron(start), Edge::Cron(end)) => Some(Window::Cron { start, end }),
            _ => {
                self.fault("end", end, "the form that start has: both HH:MM, or both cron");
                None
            }
        }
    }

    /// Parses a start or an end; `last` is the latest minute of the day accepted.
    fn edge(&mut self, key: &str, text: &str, last: i64) -> Option<Edge> {
        let read = if text.trim().contains(char::is_whitespace) {
            Cron::parse(text).map(|cron| Edge::Cron(Box::new(cron)))
        } else {
            let minute = parse_clock(text.trim()).filter(|&minute| minute <= last);
            minute.map(Edge::Clock).ok_or_else(|| EXPECTED_TIME.to_owned())
        };
        read.map_err(|expected| self.fault(key, text, expected)).ok()
    }

    pub(super) fn dates(&mut self) -> Dates {
        let raw = self.raw;
        let mut dates = Dates::all();
        dates.sundays = Arc::clone(&self.calendars.sundays);
        if let Some(text) = raw.days() {
            match parse_days(&text) {
                Some(days) => dates.weekdays = days,
                None => self.fault("days", &text, EXPECTED_DAYS),
            }
        }
        for (i, text) in raw.texts("on").iter().enumerate() {
            match parse_date(text) {
                Some(date) => _ = dates.only.get_or_insert_default().insert(date),
                None => self.fault(&format!("on[{i}]"), text, "a date such as 2026-11-27"),
            }
        }
        if let Some(name) = raw.text("calendar")
            && let Some(days) = self.calendar("calendar", name, "")
        {
            dates.only = Some(match dates.only {
                Some(only) => only.intersection(days).copied().collect(),
                None => days.clone(),
            });
        }
        for (i, text) in raw.texts("except").iter().enumerate() {
            if let Some(date) = parse_date(text) {
                dates.except.insert(date);
            } else if let Some(days) =
                self.calendar(&format!("except[{i}]"), text, "a date such as 2026-12-25 or ")
            {
                dates.except.extend(days);
            }
        }
        dates
    }

    fn calendar(&mut self, key: &str, name: &str, or: &str) -> Option<&BTreeSet<NaiveDate>> {
        let named = &self.calendars.named;
        let found = named.get(name.trim());
        if found.is_none() {
            let known: Vec<&str> = named.keys().map(String::as_str).collect();
            let expected = if known.is_empty() {
                format!("{or}a named calendar of the server configuration, which has none")
            } else {
                format!("{or}a named calendar of the server configuration: {}", known.join(", "))
            };
            self.faults.push(Fault::new(format!("{}.{key}", self.path), name, expected));
        }
        found
    }

    pub(super) fn until(&mut self) -> Option<Time> {
        let text = self.raw.text("until")?;
        Time::parse(text)
            .map_err(|_| self.fault("until", text, "an instant such as 2026-12-31T00:00:00Z"))
            .ok()
    }

    pub(super) fn name(&mut self) -> Option<String> {
        let name = self.raw.text("name")?.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            self.fault("name", name, format!("a name of 1 to {MAX_NAME} printable characters"));
        }
        Some(name.to_owned())
    }
}

/// Minutes after midnight of `HH:MM` or `H:MM`, at most `24:00`.
fn parse_clock(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        (digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<i64>().ok())?
    };
    let (hour, minute) = (number(hour, 1..=2)?, number(minute, 2..=2)?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= WHOLE_DAY).then_some(minutes)
}

/// Parses `2026-12-25`: four digits, two and two.
pub(super) fn parse_date(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

/// A cron expression given under one of KEDA's keys.
pub(super) fn keda_cron(key: &str, text: &str, faults: &mut Vec<Fault>) -> Option<Box<Cron>> {
    if text.trim().is_empty() {
        faults.push(Fault::missing(key, EXPECTED_CRON));
        return None;
    }
    Cron::parse(text).map(Box::new).map_err(|expected| faults.push(Fault::new(key, text, expected))).ok()
}

/// Replicas given under KEDA's key `desiredReplicas`.
pub(super) fn keda_replicas(text: &str, faults: &mut Vec<Fault>) -> Option<Replicas> {
    let count = text.trim().parse::<u32>().ok().and_then(|count| Replicas::new(count).ok());
    match count {
        Some(count) if count > Replicas::ZERO => Some(count),
        Some(_) => {
            let expected = "at least 1; a window without replicas is a schedule rule with 'exactly: 0'";
            faults.push(Fault::new("desiredReplicas", text, expected));
            None
        }
        None => {
            faults.push(Fault::new("desiredReplicas", text, "a whole number of replicas"));
            None
        }
    }
}
