//! Converts wall-clock times to instants: when a local minute of a local date happens in a time zone.
//!
//! Clocks are put forward and back. A fixed time that the clock skips happens at the first valid minute after the
//! gap; one that the clock shows twice happens the first time. Zone data is bundled with the binary, so a time zone
//! is never unknown because an image lacks `tzdata`.

use chrono::{
    Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone,
};
use chrono_tz::Tz;

use crate::units::{Span, Time};

/// Days from 0001-01-01 (day 1 of the common era) to 1970-01-01.
const EPOCH_DAY: i64 = 719_163;
/// The longest gap of any zone (Samoa skipped a whole day), in minutes.
const LONGEST_GAP: i64 = 24 * 60 + 1;

/// One local date, which maps its minutes to instants.
pub(super) struct Day {
    zone: Tz,
    date: NaiveDate,
    /// Local midnight in seconds since the epoch; `None` if the clock changes near this date.
    plain_midnight: Option<i64>,
}

/// A change of a zone's clock, such as the start of daylight saving time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockChange {
    /// The first instant by the new clock, to the minute.
    pub at: Time,
    /// By how many seconds the clock is put forward (back, if negative).
    pub moved: i64,
    /// The minute of the day that the old clock showed then; midnight is the day's last minute, 1,440.
    pub minute_before: i64,
}

/// Every change of the zone's clock within `from..to`, ascending.
pub fn clock_changes(zone: Tz, from: Time, to: Time) -> Vec<ClockChange> {
    let offset =
        |at: Time| i64::from(zone.offset_from_utc_datetime(&at.to_utc().naive_utc()).fix().local_minus_utc());
    let mut found = Vec::new();
    let mut at = from;
    while at < to {
        let next = (at + Span::HOUR).min(to);
        let (old, new) = (offset(at), offset(next));
        if old != new {
            let (mut before, mut after) = (at, next);
            while after.since(before) > Span::seconds(1) {
                let middle = before + Span::seconds(after.since(before).as_seconds() / 2);
                if offset(middle) == old { before = middle } else { after = middle }
            }
            let minute = (after.epoch() + old).div_euclid(60).rem_euclid(24 * 60);
            let minute_before = if minute == 0 { 24 * 60 } else { minute };
            found.push(ClockChange { at: after, moved: new - old, minute_before });
        }
        at = next;
    }
    found
}

/// Parses an instant: RFC 3339, or date and time by the clock of a zone (`2026-11-27T06:00`).
pub fn instant_in(zone: Tz, text: &str) -> Option<Time> {
    let text = text.trim();
    if let Ok(at) = Time::parse(text) {
        return Some(at);
    }
    let local = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    let seconds = local.time().signed_duration_since(NaiveTime::MIN).num_seconds();
    Some(Day::new(zone, local.date()).fixed(seconds / 60) + Span::seconds(seconds % 60))
}

/// The next time after `now` at which the clock of a zone shows this time of day (`23:00`).
pub fn next_clock_time(zone: Tz, text: &str, now: Time) -> Option<Time> {
    let minute = NaiveTime::parse_from_str(text.trim(), "%H:%M").ok()?;
    let minute = minute.signed_duration_since(NaiveTime::MIN).num_minutes();
    let today = date_at(zone, now);
    (0..=2).map(|days| Day::new(zone, shifted(today, days)).fixed(minute)).find(|&at| at > now)
}

/// The local date at an instant.
pub(super) fn date_at(zone: Tz, at: Time) -> NaiveDate {
    zone.from_utc_datetime(&at.to_utc().naive_utc()).date_naive()
}

/// The date `days` later (earlier if negative); beyond the ends of the calendar the date itself.
pub(super) fn shifted(date: NaiveDate, days: i64) -> NaiveDate {
    let count = Days::new(days.unsigned_abs());
    if days < 0 { date.checked_sub_days(count) } else { date.checked_add_days(count) }.unwrap_or(date)
}

#[cfg(test)]
thread_local! {
    /// The number of dates this thread has looked up: how tests measure work.
    pub(super) static DAYS_LOOKED_UP: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

// === impl Day ===

impl Day {
    /// This date in this zone.
    pub(super) fn new(zone: Tz, date: NaiveDate) -> Self {
        #[cfg(test)]
        DAYS_LOOKED_UP.with(|count| count.set(count.get() + 1));
        let midnight = i64::from(date.num_days_from_ce()) - EPOCH_DAY;
        // The minutes of a date extend to the end of the next date, and zones are within 16 hours of UTC. No zone
        // changes its clock twice within these four days and returns to the same offset.
        let utc_midnight = date.and_time(NaiveTime::MIN);
        let offset = |hours: i64| {
            zone.offset_from_utc_datetime(&moved(utc_midnight, hours * 60)).fix().local_minus_utc()
        };
        let (before, after) = (offset(-24), offset(72));
        let plain_midnight = (before == after).then(|| midnight * 86_400 - i64::from(before));
        Day { zone, date, plain_midnight }
    }

    /// The instant of local midnight, if the clock does not change near this date: then all its minutes are evenly
    /// spaced.
    pub(super) fn plain_midnight(&self) -> Option<i64> {
        self.plain_midnight
    }

    /// When the minute (0 = midnight; 1,440 and more belong to the next date) happens as a fixed time: exactly once.
    pub(super) fn fixed(&self, minute: i64) -> Time {
        if let Some(midnight) = self.plain_midnight {
            return Time::from_epoch(midnight + minute * 60);
        }
        let wall = self.wall(minute);
        (0..=LONGEST_GAP)
            .find_map(|leap| match self.zone.from_local_datetime(&moved(wall, leap)) {
                MappedLocalTime::Single(t) | MappedLocalTime::Ambiguous(t, _) => Some(t.timestamp()),
                MappedLocalTime::None => None,
            })
            .map_or(Time::MAX, Time::from_epoch)
    }

    /// Each time the clock shows the minute: never, once or twice.
    pub(super) fn showings(&self, minute: i64) -> impl Iterator<Item = Time> {
        let (first, second) = match self.plain_midnight {
            Some(midnight) => (Some(midnight + minute * 60), None),
            None => match self.zone.from_local_datetime(&self.wall(minute)) {
                MappedLocalTime::Single(t) => (Some(t.timestamp()), None),
                MappedLocalTime::Ambiguous(a, b) => (Some(a.timestamp()), Some(b.timestamp())),
                MappedLocalTime::None => (None, None),
            },
        };
        first.into_iter().chain(second).map(Time::from_epoch)
    }

    fn wall(&self, minute: i64) -> NaiveDateTime {
        moved(self.date.and_time(NaiveTime::MIN), minute)
    }
}

fn moved(wall: NaiveDateTime, minutes: i64) -> NaiveDateTime {
    wall.checked_add_signed(TimeDelta::minutes(minutes)).unwrap_or(wall)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(zone: Tz, y: i32, m: u32, d: u32) -> Day {
        Day::new(zone, NaiveDate::from_ymd_opt(y, m, d).expect("a date"))
    }

    fn fixed(day: &Day, hhmm: (i64, i64)) -> String {
        day.fixed(hhmm.0 * 60 + hhmm.1).to_string()
    }

    #[test]
    fn a_leapt_over_minute_comes_at_the_first_valid_one() {
        let berlin = day(Tz::Europe__Berlin, 2026, 3, 29);
        assert_eq!(fixed(&berlin, (1, 59)), "2026-03-29T00:59:00Z");
        assert_eq!(fixed(&berlin, (2, 0)), "2026-03-29T01:00:00Z");
        assert_eq!(fixed(&berlin, (2, 30)), "2026-03-29T01:00:00Z");
        assert_eq!(fixed(&berlin, (3, 0)), "2026-03-29T01:00:00Z");
        assert_eq!(berlin.showings(150).count(), 0);
        let lord_howe = day(Tz::Australia__Lord_Howe, 2026, 10, 4);
        assert_eq!(fixed(&lord_howe, (2, 15)), "2026-10-03T15:30:00Z");
        assert_eq!(fixed(&lord_howe, (2, 30)), "2026-10-03T15:30:00Z");
        // Samoa had no 2011-12-30.
        assert_eq!(fixed(&day(Tz::Pacific__Apia, 2011, 12, 30), (9, 0)), "2011-12-30T10:00:00Z");
    }

    #[test]
    fn a_minute_shown_twice_comes_at_its_first_showing() {
        let new_york = day(Tz::America__New_York, 2026, 11, 1);
        assert_eq!(fixed(&new_york, (1, 30)), "2026-11-01T05:30:00Z");
        let shown: Vec<String> = new_york.showings(90).map(|t| t.to_string()).collect();
        assert_eq!(shown, ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"]);
        assert_eq!(fixed(&new_york, (24, 0)), "2026-11-02T05:00:00Z");
    }

    #[test]
    fn plain_days_agree_with_the_slow_way() {
        for zone in [Tz::UTC, Tz::Asia__Kolkata, Tz::Pacific__Kiritimati, Tz::America__Santiago] {
            for offset in 0..800 {
                let fast =
                    Day::new(zone, shifted(NaiveDate::from_ymd_opt(2024, 1, 1).expect("a date"), offset));
                let slow = Day { zone, date: fast.date, plain_midnight: None };
                for minute in [0, 1, 719, 1_439, 1_440, 2_000, 2_879] {
                    assert_eq!(fast.fixed(minute), slow.fixed(minute), "{zone} {} {minute}", fast.date);
                }
            }
        }
    }
}
