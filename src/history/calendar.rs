//! Local time: the day kind and minute of an instant, as seen by the people who cause the load.
//!
//! Loads follow the wall clock, including daylight saving time, and holidays look like Sundays. Nothing here reads
//! the system's clock or time zone.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;

use crate::units::Time;

/// A time zone, and the dates that count as Sundays in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Calendar {
    zone: Tz,
    sundays: BTreeSet<NaiveDate>,
}

/// Kinds of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DayKind {
    /// Monday to Friday.
    Weekday,
    /// Saturday.
    Saturday,
    /// Sunday, and the dates listed in the calendar.
    Sunday,
}

/// An instant on the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Days since 1970-01-01, local.
    pub day: i64,
    /// Seconds since local midnight on the wall clock, 0 to 86,399.
    pub second_of_day: i64,
    /// 0 = Monday … 6 = Sunday; also 6 on the dates listed in the calendar.
    pub weekday: usize,
}

/// Converts instants in ascending order cheaply: it looks up the zone's offset once per quarter of an hour.
#[derive(Debug, Clone)]
pub struct LocalClock<'a> {
    calendar: &'a Calendar,
    quarter: i64,
    offset: i64,
    day: i64,
    weekday: usize,
}

// === impl Calendar ===

impl Calendar {
    /// Coordinated universal time without holidays.
    pub fn utc() -> Self {
        Calendar::new(Tz::UTC, BTreeSet::new())
    }

    /// A zone, and the local dates that count as Sundays.
    pub fn new(zone: Tz, sundays: BTreeSet<NaiveDate>) -> Self {
        Calendar { zone, sundays }
    }

    /// The time zone.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The local dates that count as Sundays.
    pub fn sundays(&self) -> &BTreeSet<NaiveDate> {
        &self.sundays
    }

    /// The instant on the wall clock.
    pub fn local(&self, at: Time) -> LocalTime {
        self.clock().local(at)
    }

    /// A converter for many instants.
    pub fn clock(&self) -> LocalClock<'_> {
        LocalClock { calendar: self, quarter: i64::MIN, offset: 0, day: i64::MIN, weekday: 0 }
    }
}

// === impl LocalTime ===

impl LocalTime {
    /// The kind of day.
    pub fn kind(&self) -> DayKind {
        match self.weekday {
            5 => DayKind::Saturday,
            6 => DayKind::Sunday,
            _ => DayKind::Weekday,
        }
    }

    /// Seconds since local Monday 00:00 on the wall clock, 0 to 604,799.
    pub fn second_of_week(&self) -> i64 {
        self.weekday as i64 * 86_400 + self.second_of_day
    }
}

// === impl LocalClock ===

impl LocalClock<'_> {
    /// The instant on the wall clock.
    pub fn local(&mut self, at: Time) -> LocalTime {
        // All offsets in force since 1972 change on a multiple of 15 minutes UTC.
        let quarter = at.epoch().div_euclid(900);
        if quarter != self.quarter {
            self.quarter = quarter;
            self.offset = i64::from(
                self.calendar.zone.offset_from_utc_datetime(&at.to_utc().naive_utc()).fix().local_minus_utc(),
            );
        }
        let local = at.epoch() + self.offset;
        let day = local.div_euclid(86_400);
        if day != self.day {
            self.day = day;
            // 1970-01-01 was a Thursday.
            self.weekday = if self.is_named(day) { 6 } else { (day + 3).rem_euclid(7) as usize };
        }
        LocalTime { day, second_of_day: local.rem_euclid(86_400), weekday: self.weekday }
    }

    fn is_named(&self, day: i64) -> bool {
        let sundays = &self.calendar.sundays;
        !sundays.is_empty()
            && i32::try_from(day + 719_163)
                .ok()
                .and_then(NaiveDate::from_num_days_from_ce_opt)
                .is_some_and(|date| date.year() > 0 && sundays.contains(&date))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(zone: Tz, text: &str) -> (usize, i64) {
        let l = Calendar::new(zone, BTreeSet::new()).local(Time::parse(text).expect("valid instant"));
        (l.weekday, l.second_of_day / 60)
    }

    #[test]
    fn the_wall_clock_moves_with_summer_time() {
        assert_eq!(local(Tz::UTC, "2026-11-24T09:30:00Z"), (1, 570));
        assert_eq!(local(Tz::Europe__Berlin, "2026-03-29T00:59:00Z"), (6, 119));
        assert_eq!(local(Tz::Europe__Berlin, "2026-03-29T01:00:00Z"), (6, 180));
        assert_eq!(local(Tz::Australia__Lord_Howe, "2026-04-04T14:59:00Z"), (6, 119));
        assert_eq!(local(Tz::Australia__Lord_Howe, "2026-04-04T15:00:00Z"), (6, 90));
    }

    #[test]
    fn named_dates_are_sundays() {
        let christmas = NaiveDate::from_ymd_opt(2026, 12, 25).expect("valid date");
        let calendar = Calendar::new(Tz::Europe__Berlin, BTreeSet::from([christmas]));
        let kind = |text| calendar.local(Time::parse(text).expect("valid instant")).kind();
        assert_eq!(kind("2026-12-24T22:59:59Z"), DayKind::Weekday);
        assert_eq!(kind("2026-12-24T23:00:00Z"), DayKind::Sunday);
        assert_eq!(kind("2026-12-26T12:00:00Z"), DayKind::Saturday);
    }
}
