//! Dates, times and durations of RFC 5545 (sections 3.3.4 to 3.3.6), and the time zones they are in.
//!
//! A zone is an IANA name, bundled with the binary; definitions within the file (`VTIMEZONE`) are not read.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use chrono_tz::Tz;

use super::lines::Line;
use crate::policy::Fault;
use crate::policy::local::{Day, date_at};
use crate::units::Time;

/// A date, or a date with a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) date: NaiveDate,
    /// `None` for an all-day date.
    pub(super) time: Option<(NaiveTime, Frame)>,
}

/// Whose wall clock a time refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// That of the reader.
    Floating,
    /// That of a zone, including UTC.
    Zone(Tz),
}

// === impl Moment ===

impl Moment {
    /// Reads the value of a line such as `DTSTART`.
    pub(super) fn read(line: &Line<'_>, faults: &mut Vec<Fault>) -> Option<Self> {
        Self::read_all(line, faults).into_iter().next()
    }

    /// Reads the values of a line such as `EXDATE`, separated by commas.
    pub(super) fn read_all(line: &Line<'_>, faults: &mut Vec<Fault>) -> Vec<Self> {
        let frame = match line.param("TZID") {
            None => Frame::Floating,
            Some(name) => match zone(name) {
                Some(zone) => Frame::Zone(zone),
                None => {
                    let expected = "TZID to be an IANA time zone such as Europe/Berlin";
                    faults.push(Fault::new(format!("line {}: {}", line.number, line.name), name, expected));
                    return Vec::new();
                }
            },
        };
        let mut moments = Vec::new();
        for text in line.value.split(',') {
            match Self::parse(text.trim(), frame) {
                Some(moment) => moments.push(moment),
                None => faults.push(line.fault("dates such as 20261225 or times such as 20261225T090000Z")),
            }
        }
        moments
    }

    /// Parses `20261225`, `20261225T090000` or `20261225T090000Z`; a `Z` means UTC, whatever the frame.
    pub(super) fn parse(text: &str, frame: Frame) -> Option<Self> {
        if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) {
            let date = NaiveDate::parse_from_str(text, "%Y%m%d").ok()?;
            return Some(Moment { date, time: None });
        }
        let (text, frame) = text.strip_suffix('Z').map_or((text, frame), |text| (text, Frame::Zone(Tz::UTC)));
        let digits = text.len() == 15 && text.bytes().enumerate().all(|(i, b)| i == 8 || b.is_ascii_digit());
        let wall = digits.then(|| NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok()).flatten()?;
        Some(Moment { date: wall.date(), time: Some((wall.time(), frame)) })
    }

    /// The same time on another date.
    pub(super) fn on(self, date: NaiveDate) -> Self {
        Moment { date, ..self }
    }

    /// The instant, to the minute; a date starts at midnight in `local`.
    pub(super) fn instant(self, local: Tz) -> Time {
        let (minute, zone) = match self.time {
            None => (0, local),
            Some((time, frame)) => (i64::from(time.num_seconds_from_midnight() / 60), frame.zone(local)),
        };
        Day::new(zone, self.date).fixed(minute)
    }

    /// Whether `other` refers to the instance that starts at `self`: the same date if either is a date, otherwise the
    /// same instant.
    pub(super) fn is_meant_by(self, other: Moment, local: Tz) -> bool {
        match (self.time, other.time) {
            (Some((_, frame)), Some(_)) => {
                let zone = frame.zone(local);
                self.instant(zone) == other.instant(zone)
            }
            (Some((_, frame)), None) => date_at(frame.zone(local), self.instant(local)) == other.date,
            _ => self.date == other.date,
        }
    }
}

// === impl Frame ===

impl Frame {
    /// The zone, if the reader's is `local`.
    pub(super) fn zone(self, local: Tz) -> Tz {
        match self {
            Frame::Floating => local,
            Frame::Zone(zone) => zone,
        }
    }
}

/// The zone of a `TZID`. Some programs put their own path before the IANA name.
fn zone(name: &str) -> Option<Tz> {
    let after = name.match_indices('/').map(|(at, _)| &name[at + 1..]);
    std::iter::once(name).chain(after).find_map(|name| name.parse().ok())
}

/// Parses a duration such as `P1D`, `P2W` or `PT1H30M` into seconds.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    let mut rest = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let (mut seconds, mut in_time) = (0_i64, false);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            if in_time || time.is_empty() {
                return None;
            }
            (in_time, rest) = (true, time);
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: i64 = rest[..digits].parse().ok()?;
        let unit = match (rest[digits..].chars().next()?, in_time) {
            ('W', false) => 604_800,
            ('D', false) => 86_400,
            ('H', true) => 3_600,
            ('M', true) => 60,
            ('S', true) => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    Some(seconds)
}
