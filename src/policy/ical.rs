//! Calendars from other programs: the days of an iCalendar file (RFC 5545).
//!
//! It reads events: all-day or timed, single or recurring, with exceptions, moved and cancelled instances. A
//! recurrence that is not supported is a fault with its line; an event is never silently dropped. Every result is
//! bounded by the requested dates.

mod event;
mod lines;
mod moment;
mod recur;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::Fault;
use event::Event;
use lines::{Line, unfold};

/// The most events in one file; a holiday calendar has a few hundred.
const MAX_EVENTS: usize = 10_000;

/// The dates within `within` that the events of an iCalendar text cover, local to `zone`. Events in other zones count
/// on the dates on which they take place in `zone`; floating times are local to `zone`. All faults are reported at
/// once, under `line 12: RRULE` and the like.
pub fn days(
    text: &str,
    zone: Tz,
    within: &RangeInclusive<NaiveDate>,
) -> Result<BTreeSet<NaiveDate>, Vec<Fault>> {
    let mut faults = Vec::new();
    let lines = unfold(text, &mut faults);
    let events = events(&lines, &mut faults);
    let mut days = BTreeSet::new();
    for event in &events {
        let moved = events.iter().filter(|other| other.replaces_instance_of(event));
        let moved: Vec<_> = moved.filter_map(|other| other.recurrence_id).collect();
        event.touch(zone, within, &moved, &mut days);
    }
    if faults.is_empty() { Ok(days) } else { Err(faults) }
}

/// The events of all calendars in the text. Other components, and those nested in events, are skipped.
fn events(lines: &[Line<'_>], faults: &mut Vec<Fault>) -> Vec<Event> {
    let mut events = Vec::new();
    let mut open: Vec<&Line<'_>> = Vec::new();
    let mut event: Vec<&Line<'_>> = Vec::new();
    if !lines.first().is_some_and(|line| line.is("BEGIN", "VCALENDAR")) {
        let found = lines.first().map_or("", |line| line.value.as_ref());
        faults.push(Fault::new("line 1", found, "BEGIN:VCALENDAR, the first line of an iCalendar file"));
        return events;
    }
    for line in lines {
        if line.name == "BEGIN" {
            open.push(line);
            continue;
        }
        if line.name != "END" {
            let is_event = |open: &&Line<'_>| open.value.eq_ignore_ascii_case("VEVENT");
            if open.last().is_some_and(is_event) {
                event.push(line);
            }
            continue;
        }
        match open.pop() {
            Some(begin) if begin.value.eq_ignore_ascii_case(&line.value) => {
                if !line.value.eq_ignore_ascii_case("VEVENT") {
                    continue;
                }
                if events.len() == MAX_EVENTS {
                    faults.push(line.fault(format!("at most {MAX_EVENTS} events")));
                    return events;
                }
                events.extend(Event::read(begin.number, &event, faults));
                event.clear();
            }
            Some(begin) => {
                faults.push(line.fault(format!("END:{}, begun in line {}", begin.value, begin.number)));
                return events;
            }
            None => {
                faults.push(line.fault("no END without its BEGIN"));
                return events;
            }
        }
    }
    if let Some(begin) = open.last() {
        faults.push(begin.fault(format!("END:{} after it: is the file complete?", begin.value)));
    }
    events
}
