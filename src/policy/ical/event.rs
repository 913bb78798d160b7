//! One event (`VEVENT`, RFC 5545 section 3.6.1): when its instances take place, and which dates they cover.
//!
//! The description of an event, its attendees and whether it blocks time are ignored.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;

use super::lines::Line;
use super::moment::{Moment, parse_duration};
use super::recur::Recurrence;
use crate::policy::Fault;
use crate::policy::local::{date_at, shifted};
use crate::units::Span;

/// A single or recurring event.
#[derive(Debug)]
pub(super) struct Event {
    uid: Option<String>,
    cancelled: bool,
    start: Moment,
    length: Length,
    recurrence: Option<Recurrence>,
    also: Vec<Moment>,
    except: Vec<Moment>,
    /// The instance of a series that this event replaces.
    pub(super) recurrence_id: Option<Moment>,
}

/// How long an instance lasts.
#[derive(Debug, Clone, Copy)]
enum Length {
    /// Whole days, at least one.
    Days(i64),
    Seconds(i64),
}

/// The earliest year in which an event may start: a series is expanded from there, and older dates say nothing about
/// load.
const FIRST_YEAR: i32 = 1900;

// === impl Event ===

impl Event {
    /// Reads the lines between `BEGIN:VEVENT` (at line `number`) and `END:VEVENT`; `None` if it added faults.
    pub(super) fn read(number: usize, lines: &[&Line<'_>], faults: &mut Vec<Fault>) -> Option<Self> {
        let before = faults.len();
        let named = |name: &'static str| lines.iter().copied().filter(move |line| line.name == name);
        let last = |name| named(name).next_back();
        let Some(begin) = last("DTSTART") else {
            let expected = "a line DTSTART in the event that begins here";
            faults.push(Fault::missing(format!("line {number}: VEVENT"), expected));
            return None;
        };
        let start = Moment::read(begin, faults)?;
        if start.date.year() < FIRST_YEAR {
            faults.push(begin.fault(format!("a date from {FIRST_YEAR} on")));
        }
        for line in named("EXRULE") {
            faults.push(line.fault("EXDATE instead: EXRULE is not supported"));
        }
        for line in named("RDATE").filter(|line| line.param("VALUE") == Some("PERIOD")) {
            faults.push(line.fault("dates or times: periods are not supported"));
        }
        if named("RRULE").count() > 1
            && let Some(line) = last("RRULE")
        {
            faults.push(line.fault("one RRULE in an event"));
        }
        for line in named("RECURRENCE-ID").filter(|line| line.param("RANGE").is_some()) {
            faults.push(line.fault("a single instance: RANGE is not supported"));
        }
        let mut all = |name| named(name).flat_map(|line| Moment::read_all(line, faults)).collect::<Vec<_>>();
        let (also, except) = (all("RDATE"), all("EXDATE"));
        let event = Event {
            uid: last("UID").map(|line| line.value.clone().into_owned()),
            cancelled: named("STATUS").any(|line| line.is("STATUS", "CANCELLED")),
            start,
            length: Length::read(start, last("DTEND"), last("DURATION"), faults),
            recurrence: last("RRULE").and_then(|line| Recurrence::read(line, start, faults)),
            also,
            except,
            recurrence_id: last("RECURRENCE-ID").and_then(|line| Moment::read(line, faults)),
        };
        (faults.len() == before).then_some(event)
    }

    /// Whether it replaces one instance of the series `other`: moved, or cancelled.
    pub(super) fn replaces_instance_of(&self, other: &Event) -> bool {
        self.recurrence_id.is_some()
            && other.recurrence_id.is_none()
            && self.uid.is_some()
            && self.uid == other.uid
    }

    /// Adds the dates in `zone` that its instances cover; instances in `moved` have their own events.
    pub(super) fn touch(
        &self,
        zone: Tz,
        within: &RangeInclusive<NaiveDate>,
        moved: &[Moment],
        days: &mut BTreeSet<NaiveDate>,
    ) {
        if self.cancelled {
            return;
        }
        // Zones differ by little more than a day at most; what starts later cannot cover the last date.
        let last = shifted(*within.end(), 2);
        let mut starts = vec![self.start];
        if let Some(recurrence) = &self.recurrence {
            starts = recurrence
                .dates(self.start, zone, last)
                .into_iter()
                .map(|date| self.start.on(date))
                .collect();
        }
        starts.extend(&self.also);
        let gone =
            |start: &Moment| self.except.iter().chain(moved).any(|&other| start.is_meant_by(other, zone));
        for start in starts.iter().filter(|start| !gone(start)) {
            let (first, last) = self.length.reach(*start, zone);
            let first = first.max(*within.start());
            days.extend(first.iter_days().take_while(|date| *date <= last.min(*within.end())));
        }
    }
}

// === impl Length ===

impl Length {
    fn read(
        start: Moment,
        end: Option<&Line<'_>>,
        length: Option<&Line<'_>>,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let unit = if start.time.is_some() { Length::Seconds(0) } else { Length::Days(1) };
        if let Some(line) = end {
            let Some(end) = Moment::read(line, faults) else { return unit };
            if end.time.is_some() != start.time.is_some() {
                faults.push(line.fault("a date where DTSTART is one, a time where it is one"));
                return unit;
            }
            // Only the difference matters, so any zone gives the same result for floating times.
            let seconds = end.instant(Tz::UTC).epoch() - start.instant(Tz::UTC).epoch();
            if seconds < 0 {
                faults.push(line.fault("an end that is not before DTSTART"));
            }
            return Length::of(start, seconds.max(0));
        }
        let Some(line) = length else { return unit };
        match parse_duration(&line.value) {
            Some(seconds) if start.time.is_some() || seconds % 86_400 == 0 => Length::of(start, seconds),
            Some(_) => {
                faults.push(line.fault("whole days, as DTSTART is a date"));
                unit
            }
            None => {
                faults.push(line.fault("a duration such as P1D or PT1H30M"));
                unit
            }
        }
    }

    fn of(start: Moment, seconds: i64) -> Self {
        match start.time {
            Some(_) => Length::Seconds(seconds),
            // Some programs repeat the start as the end of a single day.
            None => Length::Days((seconds / 86_400).max(1)),
        }
    }

    /// The first and the last date in `zone` that an instance covers.
    fn reach(self, start: Moment, zone: Tz) -> (NaiveDate, NaiveDate) {
        match self {
            Length::Days(days) => (start.date, shifted(start.date, days - 1)),
            Length::Seconds(seconds) => {
                let begin = start.instant(zone);
                // The end is the first second outside; an event of zero length still takes place.
                let last = begin + Span::seconds(seconds.saturating_sub(1));
                (date_at(zone, begin), date_at(zone, last))
            }
        }
    }
}
