//! Table tests of schedules: what KEDA's users reported, what people write, what clock changes do.

mod clock_changes;
mod faults;
mod keda;
mod oracle;
mod rules;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::{Bounds, Calendars, RULE_KEYS, RawRule, Schedule};
use crate::policy::Fault;
use crate::units::{Replicas, Span, Time};

fn at(text: &str) -> Time {
    Time::parse(text).expect("an instant")
}

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// Parses `days=mon-fri start=09:00 end=18:00 min=1`; `;` separates fields that contain spaces, `|` separates list
/// items.
fn raw(text: &str) -> RawRule {
    let separator = if text.contains(';') { ';' } else { ' ' };
    let pairs = text.split(separator).map(|pair| {
        let (key, value) = pair.trim().split_once('=').expect("key=value");
        (key, value.split('|').map(str::to_owned).collect())
    });
    RawRule::from_pairs("schedule[0]", pairs).expect("known keys")
}

fn calendars() -> Calendars {
    let days = |dates: &[&str]| dates.iter().map(|text| date(text)).collect::<BTreeSet<_>>();
    Calendars {
        sundays: Arc::new(days(&["2026-05-01"])),
        named: BTreeMap::from([
            ("holidays".to_owned(), days(&["2026-12-25", "2026-12-26"])),
            ("sales".to_owned(), days(&["2026-11-27", "2026-11-30"])),
        ]),
    }
}

fn build(zone: Tz, rules: &[&str]) -> Result<Schedule, Vec<Fault>> {
    Schedule::new(zone, &rules.iter().map(|text| raw(text)).collect::<Vec<_>>(), &calendars())
}

fn schedule(zone: Tz, rules: &[&str]) -> Schedule {
    build(zone, rules).unwrap_or_else(|faults| panic!("{rules:?}: {faults:?}"))
}

fn floor(bounds: &Bounds) -> Option<u32> {
    bounds.floor.map(|bound| bound.replicas.get())
}

fn ceiling(bounds: &Bounds) -> Option<u32> {
    bounds.ceiling.map(|bound| bound.replicas.get())
}

/// Every change of the floor in `from..to`, as `2026-03-27T22:10:00Z 4` (`-` for none), starting with the state at
/// `from`.
fn floors(schedule: &Schedule, from: &str, to: &str) -> Vec<String> {
    let shown = |(at, bounds): &(Time, Bounds)| {
        format!("{at} {}", floor(bounds).map_or("-".to_owned(), |count| count.to_string()))
    };
    let changes = schedule.changes(at(from), at(to));
    agree(schedule, &changes, at(to));
    changes.iter().map(shown).collect()
}

/// The first change after an instant, if there is one within the span.
fn next_change(schedule: &Schedule, after: Time, span: Span) -> Option<Time> {
    schedule.changes(after, after + span + Span::seconds(1)).get(1).map(|(at, _)| *at)
}

/// Checks that `changes` agrees with `at`: at each change, a second before it, and in the middle of each stretch.
fn agree(schedule: &Schedule, changes: &[(Time, Bounds)], to: Time) {
    for (i, (from, bounds)) in changes.iter().enumerate() {
        let until = changes.get(i + 1).map_or(to, |next| next.0);
        let middle = Time::from_epoch((from.epoch() + until.epoch()) / 2);
        for instant in [*from, middle, until - Span::seconds(1)] {
            assert_eq!(schedule.at(instant), *bounds, "at {instant}");
        }
        let next = next_change(schedule, *from, Span::days(400));
        match changes.get(i + 1) {
            Some(change) if change.0 <= *from + Span::days(400) => {
                assert_eq!(next, Some(change.0), "after {from}");
            }
            _ => assert!(next.is_none_or(|next| next >= to), "after {from}: {next:?}"),
        }
    }
}
