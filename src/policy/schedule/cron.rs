//! Five-field cron: at which minutes of which local dates a time fires.
//!
//! croner parses and matches the fields (Vixie rules: 0 and 7 are Sunday; day of month and day of week are joined by
//! "or" if both are given; also `L`, `W`, `#`, names). When a matching local minute happens is decided here, so that
//! an end is never lost in a clock change: a pattern without `*` in its minute and hour is a fixed time; a pattern
//! with `*` there fires whenever the clock shows a matching minute, as in Vixie cron.

use chrono::{Datelike, NaiveDate};
use croner::parser::{CronParser, Seconds, Year};
use croner::{CronComponent, Weekday};

use crate::policy::local::Day;
use crate::units::Time;

/// A parsed five-field cron expression.
#[derive(Debug, Clone)]
pub(super) struct Cron {
    text: String,
    pattern: croner::CronPattern,
    /// The matching minutes of a matching date, ascending.
    minutes: Vec<i64>,
    fixed: bool,
}

/// What a cron field accepts, for the message.
pub(super) const EXPECTED_CRON: &str = "a five-field cron (minute hour day-of-month month day-of-week)";

// === impl Cron ===

impl Cron {
    /// Parses minute, hour, day of month, month and day of week. The error says what is expected.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        if fields.len() != 5 || !text.is_ascii() {
            return Err(EXPECTED_CRON.to_owned());
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let mut pattern = parser
            .parse(text)
            .map_err(|why| format!("{EXPECTED_CRON}: {}", why.to_string().to_lowercase()))?
            .pattern;
        // Always "every year" here, and large: one byte for each of ten thousand years.
        pattern.years = CronComponent::default();
        let hours = pattern.hours.values();
        let minutes = hours
            .iter()
            .flat_map(|&hour| pattern.minutes.values().into_iter().map(move |minute| (hour, minute)))
            .map(|(hour, minute)| i64::from(hour) * 60 + i64::from(minute))
            .collect();
        let fixed = !fields[..2].iter().any(|field| field.contains('*'));
        let cron = Cron { text: fields.join(" "), pattern, minutes, fixed };
        if cron.ever_fires() {
            Ok(cron)
        } else {
            Err("a cron that fires: no year has such a date".to_owned())
        }
    }

    /// The expression as written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether both fire at the same minutes of the same dates, however they are written.
    pub(super) fn same_as(&self, other: &Cron) -> bool {
        let (a, b) = (&self.pattern, &other.pattern);
        self.minutes == other.minutes
            && a.days.values() == b.days.values()
            && a.months.values() == b.months.values()
            && a.days_of_week.values() == b.days_of_week.values()
            && a.is_dom_wildcard() == b.is_dom_wildcard()
            && a.is_dow_wildcard() == b.is_dow_wildcard()
            && ![&a.days, &b.days, &a.days_of_week, &b.days_of_week].iter().any(|field| field.has_modifiers())
    }

    /// Whether the pattern's month and day fields match this date.
    pub(super) fn matches(&self, date: NaiveDate) -> bool {
        let weekday = Weekday::from_days_from_sunday(date.weekday().num_days_from_sunday());
        self.pattern.month_match(date.month()).unwrap_or(false)
            && self.pattern.day_match(date.year(), date.month(), date.day(), weekday).unwrap_or(false)
    }

    /// Calls `each` for every instant at which it fires on a matching date; ascending except near a clock change.
    pub(super) fn fires(&self, day: &Day, mut each: impl FnMut(Time)) {
        for &minute in &self.minutes {
            if self.fixed {
                each(day.fixed(minute));
            } else {
                day.showings(minute).for_each(&mut each);
            }
        }
    }

    /// The last instant at or before `now` at which it fires on a matching date.
    pub(super) fn last_fire(&self, day: &Day, now: Time) -> Option<Time> {
        if let Some(midnight) = day.plain_midnight() {
            let past = self.minutes.partition_point(|minute| midnight + minute * 60 <= now.epoch());
            return past.checked_sub(1).map(|i| day.fixed(self.minutes[i]));
        }
        let mut last = None;
        self.fires(day, |at| {
            if at <= now {
                last = last.max(Some(at));
            }
        });
        last
    }

    /// Forty years contain every kind of year: leap years that start on each weekday.
    fn ever_fires(&self) -> bool {
        let first = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default();
        first.iter_days().take(40 * 366).any(|date| self.matches(date))
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Cron) -> bool {
        self.text == other.text
    }
}
