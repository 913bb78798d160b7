//! Recurrence rules (RFC 5545 section 3.3.10) of dates: yearly, monthly, weekly, daily.
//!
//! A rule is expanded period by period from its start, and each date of a period is tested. This is slower than
//! cleverer methods but follows the standard literally. Unsupported parts (`BYWEEKNO`, `BYYEARDAY` and those finer
//! than a day) are faults.

use std::str::FromStr;

use chrono::{Datelike, Months, NaiveDate, Weekday};
use chrono_tz::Tz;

use super::lines::Line;
use super::moment::{Frame, Moment};
use crate::policy::local::shifted;
use crate::policy::{Fault, nearest};

/// When an event recurs.
#[derive(Debug)]
pub(super) struct Recurrence {
    frequency: Frequency,
    interval: u32,
    count: Option<usize>,
    until: Option<Moment>,
    months: Vec<u32>,
    /// Days of the month, from 1; negative numbers count back from the end of the month.
    month_days: Vec<i64>,
    /// The nth such weekday of the month or year (from the end if negative); 0 means every one.
    weekdays: Vec<(i64, Weekday)>,
    /// The nth date of a period (from the end if negative).
    positions: Vec<i64>,
    week_start: Weekday,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frequency {
    Yearly,
    Monthly,
    Weekly,
    Daily,
}

const PARTS: [&str; 9] =
    ["FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "WKST"];

// === impl Recurrence ===

impl Recurrence {
    /// Reads the value of an `RRULE` line of an event that starts at `start`; `None` if it added faults.
    pub(super) fn read(line: &Line<'_>, start: Moment, faults: &mut Vec<Fault>) -> Option<Self> {
        let before = faults.len();
        let mut frequency = None;
        let mut rule = Recurrence {
            frequency: Frequency::Daily,
            interval: 1,
            count: None,
            until: None,
            months: Vec::new(),
            month_days: Vec::new(),
            weekdays: Vec::new(),
            positions: Vec::new(),
            week_start: Weekday::Mon,
        };
        for part in line.value.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (name.trim().to_uppercase(), value.trim().to_uppercase());
            let read = match name.as_str() {
                "FREQ" => Frequency::parse(&value).map(|value| frequency = Some(value)),
                "INTERVAL" => number(&value, 1..=10_000).map(|value| rule.interval = value),
                "COUNT" => number(&value, 1..=100_000).map(|value| rule.count = Some(value)),
                "UNTIL" => {
                    // Without a `Z` it refers to the event's own wall clock.
                    let frame = start.time.map_or(Frame::Floating, |(_, frame)| frame);
                    Moment::parse(&value, frame).map(|value| rule.until = Some(value))
                }
                "BYMONTH" => list(&value, |item| number(item, 1..=12)).map(|value| rule.months = value),
                "BYMONTHDAY" => list(&value, |item| ordinal(item, 31)).map(|value| rule.month_days = value),
                "BYDAY" => list(&value, weekday_of).map(|value| rule.weekdays = value),
                "BYSETPOS" => list(&value, |item| ordinal(item, 366)).map(|value| rule.positions = value),
                "WKST" => weekday(&value).map(|value| rule.week_start = value),
                _ => {
                    let meant = nearest(&name, PARTS)
                        .map_or(String::new(), |name| format!(", the nearest is {name}"));
                    let expected = format!("only {}; {name} is not supported{meant}", PARTS.join(", "));
                    faults.push(line.fault(expected));
                    continue;
                }
            };
            if read.is_none() {
                faults.push(line.fault(format!("{name} with a value that RFC 5545 allows, not '{value}'")));
            }
        }
        match frequency {
            Some(frequency) => rule.frequency = frequency,
            None if faults.len() == before => {
                faults.push(line.fault("FREQ with YEARLY, MONTHLY, WEEKLY or DAILY"))
            }
            None => {}
        }
        rule.contradictions().into_iter().for_each(|expected| faults.push(line.fault(expected)));
        (faults.len() == before).then_some(rule)
    }

    /// The dates of all instances from the start's to `last`, ascending. The start is always the first of them, even
    /// if the rule does not match it.
    pub(super) fn dates(&self, start: Moment, zone: Tz, last: NaiveDate) -> Vec<NaiveDate> {
        let ended = |date: NaiveDate| self.until.is_some_and(|until| is_after(start.on(date), until, zone));
        let mut dates = vec![start.date];
        let mut step = 0;
        while let Some((first, length)) = self.period(start.date, step)
            && first <= last
        {
            for date in self.matching(start.date, first, length) {
                if date <= start.date {
                    continue;
                }
                if date > last || ended(date) || self.count.is_some_and(|count| dates.len() >= count) {
                    return dates;
                }
                dates.push(date);
            }
            step += 1;
        }
        dates
    }

    /// Parts of the rule that contradict each other.
    fn contradictions(&self) -> Vec<&'static str> {
        let by_nth = self.weekdays.iter().any(|&(nth, _)| nth != 0);
        let mut found = Vec::new();
        if self.count.is_some() && self.until.is_some() {
            found.push("COUNT or UNTIL, not both");
        }
        if by_nth && matches!(self.frequency, Frequency::Weekly | Frequency::Daily) {
            found.push("BYDAY with an ordinal only where FREQ is YEARLY or MONTHLY");
        }
        if self.frequency == Frequency::Weekly && !self.month_days.is_empty() {
            found.push("no BYMONTHDAY where FREQ is WEEKLY");
        }
        if !self.positions.is_empty()
            && self.months.is_empty()
            && self.month_days.is_empty()
            && self.weekdays.is_empty()
        {
            found.push("another BY part beside BYSETPOS");
        }
        found
    }

    /// The first date and the number of dates of the `step`th period; `None` beyond the end of the calendar.
    fn period(&self, start: NaiveDate, step: u32) -> Option<(NaiveDate, usize)> {
        let by = step.checked_mul(self.interval)?;
        match self.frequency {
            Frequency::Yearly => {
                let first =
                    NaiveDate::from_ymd_opt(start.year().checked_add(i32::try_from(by).ok()?)?, 1, 1)?;
                Some((first, if first.leap_year() { 366 } else { 365 }))
            }
            Frequency::Monthly => {
                let first = start.with_day(1)?.checked_add_months(Months::new(by))?;
                Some((first, usize::from(first.num_days_in_month())))
            }
            Frequency::Weekly => {
                let monday = shifted(start, -i64::from(start.weekday().days_since(self.week_start)));
                let first = monday.checked_add_days(chrono::Days::new(u64::from(by) * 7))?;
                Some((first, 7))
            }
            Frequency::Daily => Some((start.checked_add_days(chrono::Days::new(u64::from(by)))?, 1)),
        }
    }

    fn matching(&self, start: NaiveDate, first: NaiveDate, length: usize) -> Vec<NaiveDate> {
        let dates: Vec<NaiveDate> =
            first.iter_days().take(length).filter(|&date| self.keeps(start, date)).collect();
        if self.positions.is_empty() {
            return dates;
        }
        let count = dates.len() as i64;
        let at = |i: usize| {
            self.positions.contains(&(i as i64 + 1)) || self.positions.contains(&(i as i64 - count))
        };
        dates.iter().enumerate().filter(|&(i, _)| at(i)).map(|(_, &date)| date).collect()
    }

    /// Whether the `BY` parts match this date. Parts that are not given are taken from the start.
    fn keeps(&self, start: NaiveDate, date: NaiveDate) -> bool {
        let by_days = !self.month_days.is_empty() || !self.weekdays.is_empty();
        let yearly = self.frequency == Frequency::Yearly;
        let month = match self.months.as_slice() {
            [] => !yearly || by_days || date.month() == start.month(),
            months => months.contains(&date.month()),
        };
        let from_end = i64::from(date.day()) - i64::from(date.num_days_in_month()) - 1;
        let month_day = match self.month_days.as_slice() {
            [] => {
                !matches!(self.frequency, Frequency::Yearly | Frequency::Monthly)
                    || by_days
                    || date.day() == start.day()
            }
            days => days.contains(&i64::from(date.day())) || days.contains(&from_end),
        };
        let weekday = match self.weekdays.as_slice() {
            [] => self.frequency != Frequency::Weekly || date.weekday() == start.weekday(),
            days => {
                days.iter().any(|&(nth, day)| date.weekday() == day && (nth == 0 || self.is_nth(nth, date)))
            }
        };
        month && month_day && weekday
    }

    /// Whether the date is the nth of its weekday in its month, or in its year if the rule names no months.
    fn is_nth(&self, nth: i64, date: NaiveDate) -> bool {
        let (place, length) = if self.frequency == Frequency::Yearly && self.months.is_empty() {
            (i64::from(date.ordinal0()), if date.leap_year() { 366 } else { 365 })
        } else {
            (i64::from(date.day0()), i64::from(date.num_days_in_month()))
        };
        place / 7 + 1 == nth || -((length - 1 - place) / 7 + 1) == nth
    }
}

fn is_after(instance: Moment, until: Moment, zone: Tz) -> bool {
    match (instance.time, until.time) {
        (Some((_, frame)), Some(_)) => {
            let zone = frame.zone(zone);
            instance.instant(zone) > until.instant(zone)
        }
        _ => instance.date > until.date,
    }
}

// === impl Frequency ===

impl Frequency {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "YEARLY" => Some(Frequency::Yearly),
            "MONTHLY" => Some(Frequency::Monthly),
            "WEEKLY" => Some(Frequency::Weekly),
            "DAILY" => Some(Frequency::Daily),
            _ => None,
        }
    }
}

fn list<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').map(|item| read(item.trim())).collect()
}

fn number<T: FromStr + PartialOrd>(text: &str, range: std::ops::RangeInclusive<T>) -> Option<T> {
    text.parse().ok().filter(|number| range.contains(number))
}

fn ordinal(text: &str, most: i64) -> Option<i64> {
    number(text, -most..=most).filter(|&nth| nth != 0)
}

/// `MO`, `4TH`, `-1FR`.
fn weekday_of(text: &str) -> Option<(i64, Weekday)> {
    let (nth, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    Some((if nth.is_empty() { 0 } else { ordinal(nth, 53)? }, weekday(day)?))
}

fn weekday(text: &str) -> Option<Weekday> {
    const NAMES: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    NAMES.iter().position(|name| *name == text).and_then(|i| Weekday::try_from(i as u8).ok())
}
