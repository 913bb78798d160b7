//! A schedule asked at many instants: a simulation walks a year minute by minute.
//!
//! The answers are those of [`Schedule::at`]; only their price differs.

use super::{Bounds, Schedule};
use crate::units::{Span, Time};

/// How much is computed at once: long enough that the search for the state at its start costs little beside
/// it.
const CHUNK: Span = Span::days(32);

/// Answers in ascending order cheaply, and in any order rightly.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    schedule: &'a Schedule,
    /// The changes of the chunk at hand.
    changes: Vec<(Time, Bounds)>,
    /// The first instant behind the chunk.
    end: Time,
    /// Which change was answered last.
    place: usize,
}

// === impl Cursor ===

impl<'a> Cursor<'a> {
    pub(super) fn new(schedule: &'a Schedule) -> Self {
        Cursor { schedule, changes: Vec::new(), end: Time::MIN, place: 0 }
    }

    /// What the schedule asks for at an instant.
    pub fn at(&mut self, now: Time) -> Bounds {
        if now >= self.end || self.changes.first().is_none_or(|first| now < first.0) {
            self.end = now + CHUNK;
            self.changes = self.schedule.changes(now, self.end);
            self.place = 0;
        }
        if self.changes[self.place].0 > now {
            self.place = 0;
        }
        while self.changes.get(self.place + 1).is_some_and(|next| next.0 <= now) {
            self.place += 1;
        }
        self.changes[self.place].1
    }
}
