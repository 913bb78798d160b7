//! When a rule is open: from a start to an end, half open.
//!
//! A clock window belongs to the date on which it starts, and ends on that date or the next. A cron window looks
//! back: it is open if and only if its last start came after its last end. So a weekday start with a daily end stays
//! closed from Friday's end to Monday's start.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::cron::Cron;
use super::dates::Dates;
use crate::policy::local::{Day, date_at, shifted};
use crate::units::Time;

/// The longest pause between two firings that looking back covers, in days: eight years, from one 29 February to the
/// next across a century.
const LOOK_BACK: i64 = 8 * 366;

/// When a rule is open.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Window {
    /// Minutes after local midnight of the date it starts on; `end` may be on the next date (up to 2,880).
    Clock { start: i64, end: i64 },
    /// Firings of one expression open it, firings of the other close it.
    Cron { start: Box<Cron>, end: Box<Cron> },
    /// From one instant to another, whatever the dates.
    Once { from: Time, to: Time },
}

/// An open interval: first instant inside, first instant outside.
pub(super) type Stretch = (Time, Time);

// === impl Window ===

impl Window {
    /// Whether it is open at this instant.
    pub(super) fn is_open(&self, zone: Tz, dates: &Dates, now: Time) -> bool {
        match self {
            // One extra date on either side: around midnight the clock may go back to the previous date.
            Window::Clock { start, end } => (-2..=1)
                .map(|days| shifted(date_at(zone, now), days))
                .filter(|&date| dates.admit(date))
                .map(|date| Day::new(zone, date))
                .any(|day| day.fixed(*start) <= now && now < day.fixed(*end)),
            Window::Cron { start, end } => cron_is_open(zone, dates, start, end, now),
            Window::Once { from, to } => *from <= now && now < *to,
        }
    }

    /// The intervals within `from..to` in which it is open, ascending; adjacent ones are merged.
    pub(super) fn stretches(&self, zone: Tz, dates: &Dates, from: Time, to: Time) -> Vec<Stretch> {
        let first = shifted(date_at(zone, from), -2);
        let days = first.iter_days().take_while(|date| *date <= shifted(date_at(zone, to), 1));
        let mut found = Vec::new();
        match self {
            Window::Clock { start, end } => {
                for day in days.filter(|&date| dates.admit(date)).map(|date| Day::new(zone, date)) {
                    push(&mut found, day.fixed(*start).max(from), day.fixed(*end).min(to));
                }
            }
            Window::Cron { start, end } => {
                let mut opened = self.is_open(zone, dates, from).then_some(from);
                for (at, opens) in firings(zone, dates, start, end, days) {
                    if at <= from || at >= to {
                        continue;
                    }
                    match (opened, opens) {
                        (None, true) => opened = Some(at),
                        (Some(since), false) => {
                            push(&mut found, since, at);
                            opened = None;
                        }
                        _ => {}
                    }
                }
                if let Some(since) = opened {
                    push(&mut found, since, to);
                }
            }
            Window::Once { from: opens, to: shuts } => push(&mut found, from.max(*opens), to.min(*shuts)),
        }
        found
    }
}

/// Adds an interval unless it is empty; merges it with the previous one if they touch.
fn push(found: &mut Vec<Stretch>, from: Time, to: Time) {
    if from >= to {
        return;
    }
    match found.last_mut() {
        Some(last) if last.1 >= from => last.1 = last.1.max(to),
        _ => found.push((from, to)),
    }
}

/// The firings on these days, ascending; if both fire at one instant, only the end counts.
fn firings(
    zone: Tz,
    dates: &Dates,
    start: &Cron,
    end: &Cron,
    days: impl Iterator<Item = NaiveDate>,
) -> Vec<(Time, bool)> {
    let mut firings = Vec::new();
    for date in days {
        let (starts, ends) = (start.matches(date) && dates.admit(date), end.matches(date));
        if starts || ends {
            let day = Day::new(zone, date);
            if starts {
                start.fires(&day, |at| firings.push((at, true)));
            }
            if ends {
                end.fires(&day, |at| firings.push((at, false)));
            }
        }
    }
    // Ends sort first; a start at the same instant is then dropped.
    firings.sort_unstable();
    firings.dedup_by_key(|&mut (at, _)| at);
    firings
}

fn cron_is_open(zone: Tz, dates: &Dates, start: &Cron, end: &Cron, now: Time) -> bool {
    let (mut opened, mut shut) = (None, None);
    let mut date = shifted(date_at(zone, now), 1);
    let mut left = LOOK_BACK;
    while left > 0 {
        let (starts, ends) = (start.matches(date) && dates.admit(date), end.matches(date));
        if starts || ends {
            let day = Day::new(zone, date);
            if starts {
                opened = opened.max(start.last_fire(&day, now));
            }
            if ends {
                shut = shut.max(end.last_fire(&day, now));
            }
            if opened.is_some() || shut.is_some() {
                // One more date: if the clock went back across midnight, it may have fired even later.
                left = left.min(2);
            }
        }
        date = shifted(date, -1);
        left -= 1;
    }
    opened > shut
}
