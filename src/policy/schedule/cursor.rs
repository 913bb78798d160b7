//! Evaluates a schedule at many instants, as a simulation does that walks a year minute by minute.
//!
//! The answers are those of [`Schedule::at`]; only the cost differs.

use super::{Bounds, Schedule};
use crate::units::{Span, Time};

/// How much is computed at once: long enough that finding the state at its start costs little in comparison.
const CHUNK: Span = Span::days(32);

/// Gives correct answers in any order; cheap ones if the instants ascend.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    schedule: &'a Schedule,
    /// The changes of the current chunk.
    changes: Vec<(Time, Bounds)>,
    /// The first instant after the chunk.
    end: Time,
    /// The index of the change returned last.
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
