//! The local dates on which the windows of a rule may start.
//!
//! Each key narrows the choice: the weekday must be one of `days`, the date must be in `on` and in `calendar` if
//! these are given, and must not be in `except`. All refer to the local date on which a window starts.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate};

/// The dates that a rule allows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dates {
    /// Monday first.
    pub(super) weekdays: [bool; 7],
    /// Dates that count as Sunday, whatever their weekday.
    pub(super) sundays: Arc<BTreeSet<NaiveDate>>,
    /// If given, only these dates.
    pub(super) only: Option<BTreeSet<NaiveDate>>,
    /// Not these dates.
    pub(super) except: BTreeSet<NaiveDate>,
}

/// Names of weekdays, Monday first; their first three letters are enough.
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// What `days` accepts, for the message.
pub(super) const EXPECTED_DAYS: &str = "days such as mon-fri, 'sat,sun', daily, weekdays or weekends";

// === impl Dates ===

impl Dates {
    /// Every date.
    pub(super) fn all() -> Self {
        Dates { weekdays: [true; 7], sundays: Arc::default(), only: None, except: BTreeSet::new() }
    }

    /// Whether a window may start on this date.
    pub(super) fn admit(&self, date: NaiveDate) -> bool {
        let weekday =
            if self.sundays.contains(&date) { 6 } else { date.weekday().num_days_from_monday() as usize };
        self.weekdays[weekday]
            && !self.except.contains(&date)
            && self.only.as_ref().is_none_or(|only| only.contains(&date))
    }
}

/// Parses `mon-fri`, `sat,sun`, `mon,wed-fri`, `fri-mon`, `daily`, `weekdays`, `weekends`.
pub(super) fn parse_days(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    for item in text.to_lowercase().split(',').map(str::trim) {
        let (first, last) = match item {
            "daily" => (0, 6),
            "weekdays" => (0, 4),
            "weekends" => (5, 6),
            _ => match item.split_once('-') {
                Some((first, last)) => (weekday(first.trim())?, weekday(last.trim())?),
                None => (weekday(item)?, weekday(item)?),
            },
        };
        // A range may cross the end of the week: fri-mon.
        for step in 0..=(last + 7 - first) % 7 {
            days[(first + step) % 7] = true;
        }
    }
    Some(days)
}

fn weekday(name: &str) -> Option<usize> {
    WEEKDAYS.iter().position(|day| name.len() >= 3 && day.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read() {
        for (text, want) in [
            ("mon-fri", "1111100"),
            ("weekdays", "1111100"),
            ("sat,sun", "0000011"),
            ("weekends", "0000011"),
            ("mon, wed-fri", "1011100"),
            ("Fri-Mon", "1000111"),
            ("daily", "1111111"),
            ("tuesday", "0100000"),
            ("sun-sun", "0000001"),
        ] {
            let days = parse_days(text).unwrap_or_else(|| panic!("{text}"));
            let got: String = days.iter().map(|&on| if on { '1' } else { '0' }).collect();
            assert_eq!(got, want, "{text}");
        }
        for text in ["", "mo", "mon-", "mon fri", "mon;fri", "1-5", "holiday", "mon,,fri", "mondays"] {
            assert!(parse_days(text).is_none(), "{text}");
        }
    }

    #[test]
    fn each_key_narrows() {
        let date = |m, d| NaiveDate::from_ymd_opt(2026, m, d).expect("a date");
        let mut dates = Dates::all();
        dates.weekdays = parse_days("mon-fri").expect("days");
        dates.except = BTreeSet::from([date(12, 25)]);
        dates.sundays = Arc::new(BTreeSet::from([date(12, 24)]));
        assert!(dates.admit(date(12, 23)));
        assert!(!dates.admit(date(12, 24)), "a holiday counts as sunday");
        assert!(!dates.admit(date(12, 25)), "an exception");
        assert!(!dates.admit(date(12, 26)), "a saturday");
        dates.only = Some(BTreeSet::from([date(12, 25), date(12, 28)]));
        assert!(!dates.admit(date(12, 23)) && !dates.admit(date(12, 25)) && dates.admit(date(12, 28)));
    }
}
