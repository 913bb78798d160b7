//! Five-field cron: at which minutes of which local dates a time fires.
//!
//! The fields are read and matched by croner (Vixie rules: 0 and 7 are Sunday; day of month and day of week,
//! both given, are joined by "or"; also `L`, `W`, `#`, names). When a matching local minute happens is
//! decided here, so that an end is never lost to a clock change: a pattern whose minute and hour hold no `*`
//! is a fixed time; one with a `*` there fires whenever the clock shows a matching minute, as in Vixie cron.

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
    /// Matching minutes of a matching date, ascending.
    minutes: Vec<i64>,
    fixed: bool,
}

/// What a cron field takes, for the message.
pub(super) const EXPECTED_CRON: &str = "a five-field cron (minute hour day-of-month month day-of-week)";

// === impl Cron ===

impl Cron {
    /// Reads minute, hour, day of month, month and day of week. The error says what would be right.
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

    /// The expression as it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Both fire at the same minutes of the same dates, however they are written.
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

    /// The pattern's month and day fields match this date.
    pub(super) fn matches(&self, date: NaiveDate) -> bool {
        let weekday = Weekday::from_days_from_sunday(date.weekday().num_days_from_sunday());
        self.pattern.month_match(date.month()).unwrap_or(false)
            && self.pattern.day_match(date.year(), date.month(), date.day(), weekday).unwrap_or(false)
    }

    /// Calls `each` with every instant at which a matching date fires; ascending except near a clock change.
    pub(super) fn fires(&self, day: &Day, mut each: impl FnMut(Time)) {
        for &minute in &self.minutes {
            if self.fixed {
                each(day.fixed(minute));
            } else {
                day.showings(minute).for_each(&mut each);
            }
        }
    }

    /// The last instant at or before `now` at which a matching date fires.
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

    /// Forty years hold every kind of year there is: leap years that start on each of the weekdays.
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
