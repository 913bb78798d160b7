//! Whether the counters under a query were there. Where they were away or restarted, the query yields too little.
//!
//! If they are away for less than the query's range, the result is never empty, it decays. So the counters themselves
//! are checked, at each point of the poll grid. `policy::counter_questions` defines the queries for that; nothing
//! here knows about queries.

use super::Series;
use super::refill::{Reach, Refill, in_series};
use crate::units::{Span, Step, Time};

/// What was seen of the counters under a query, from the first instant at which they were there.
#[derive(Debug, Clone, PartialEq)]
pub struct Counters {
    /// A gap where they were away or restarted.
    whole: Series,
    /// How many restarts were within the range when they were last seen; `None` while they are away.
    restarts: Option<f64>,
}

/// More than half of the series restarted. If only one of several restarts, little of their sum is missing.
const MOST_RESTARTED: f64 = 0.5;

// === impl Counters ===

impl Counters {
    /// Nothing seen yet; the first instant is `start`.
    pub fn new(start: Time, step: Step) -> Self {
        Counters { whole: Series::new(start, step).compact(), restarts: None }
    }

    /// The first unknown instant.
    pub fn next(&self) -> Time {
        self.whole.time(self.whole.len())
    }

    /// Adds the answers for the following instants: the number of restarts within the range of the median series, and
    /// a gap where there was no series.
    pub fn absorb(&mut self, answers: &Series) {
        let from = answers.slot_before(self.next()).unwrap_or(0);
        for i in (from..answers.len()).filter(|&i| answers.time(i) >= self.next()).collect::<Vec<_>>() {
            let restarts = answers.get(i);
            let begins =
                self.restarts.zip(restarts).is_some_and(|(before, now)| now - before > MOST_RESTARTED);
            if self.whole.is_empty() && restarts.is_none() {
                // A target that was never there before is new; none of its load is missing.
                self.whole = Series::new(answers.time(i + 1), answers.step()).compact();
                continue;
            }
            self.whole.push(if restarts.is_some() && !begins { 1.0 } else { f64::NAN });
            self.restarts = restarts;
        }
    }

    /// Drops everything before an instant.
    pub fn forget_before(&mut self, from: Time) {
        self.whole.forget_before(from);
    }

    /// Whether they were there all the time since an instant.
    pub fn are_whole_from(&self, from: Time) -> bool {
        let first = self.whole.slot_before(from).unwrap_or(0);
        (first..self.whole.len()).all(|i| self.whole.get(i).is_some())
    }

    /// Both combined: whole where neither was away.
    pub fn with(&self, other: &Counters) -> Counters {
        let step = self.whole.step();
        let start = self.whole.start().min(other.whole.start());
        let end = self.whole.end().max(other.whole.end()).unwrap_or(start);
        let is_away = |one: &Series, at: Time| {
            let is_known = one.end().is_some_and(|end| at <= end);
            is_known && one.slot_before(at).is_some_and(|i| one.get(i).is_none())
        };
        let slots = (0..).map(|i| start + step.times(i)).take_while(|at| *at <= end);
        let whole = slots.map(|at| match is_away(&self.whole, at) || is_away(&other.whole, at) {
            true => f64::NAN,
            false => 1.0,
        });
        Counters { whole: Series::from_values(start, step, whole).compact(), restarts: None }
    }

    /// The reason why the value of `at` is not the whole load, for a query with this look-back; `None` if it is.
    pub(super) fn refill(&self, look_back: Span, at: Time) -> Option<Refill> {
        let known = at.min(self.whole.end()?);
        in_series(&self.whole, Reach::new(look_back, self.whole.step()), known)
            .filter(|gap| gap.until.is_none_or(|until| at < until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY: f64 = f64::NAN;
    const RANGE: Span = Span::minutes(2);

    fn at(slot: i64) -> Time {
        Time::from_epoch(15 * slot)
    }

    fn seen(answers: &[f64]) -> Counters {
        let mut counters = Counters::new(at(0), Step::QUARTER_MINUTE);
        counters.absorb(&Series::from_values(at(0), Step::QUARTER_MINUTE, answers.iter().copied()));
        counters
    }

    #[test]
    fn a_target_that_was_away_for_less_than_the_range_is_refilling() {
        let counters = seen(&[0.0, 0.0, AWAY, AWAY, AWAY, 0.0]);
        let told = Refill { since: Some(at(1)), returned: Some(at(5)), until: Some(at(5) + RANGE) };
        assert_eq!(counters.refill(RANGE, at(5)), Some(told));
        assert_eq!(counters.refill(RANGE, at(1)), None, "before");
        // While it is away the range continues to empty.
        assert_eq!(counters.refill(RANGE, at(3)).and_then(|gap| gap.since), Some(at(1)));
        let full = seen(&[&[0.0, AWAY][..], &[0.0; 9]].concat());
        assert_eq!(full.refill(RANGE, at(9)).and_then(|gap| gap.until), Some(at(10)));
        assert_eq!(full.refill(RANGE, at(10)), None);
    }

    #[test]
    fn a_counter_that_begins_anew_is_refilling() {
        let counters = seen(&[0.0, 0.0, 1.0, 1.0]);
        let told = Refill { since: Some(at(1)), returned: Some(at(3)), until: Some(at(3) + RANGE) };
        assert_eq!(counters.refill(RANGE, at(3)), Some(told));
        // Restarts leave the range again; and if one of two series restarts, little is missing.
        assert_eq!(seen(&[1.0, 1.0, 0.0, 0.5, 0.5]).refill(RANGE, at(4)), None);
        // A restart while it was away counts as one absence.
        let both = seen(&[0.0, AWAY, 1.0, 1.0]).refill(RANGE, at(3));
        assert_eq!(both.and_then(|gap| gap.returned), Some(at(2)));
    }

    #[test]
    fn a_new_target_lacks_nothing() {
        assert_eq!(seen(&[AWAY, AWAY, 0.0, 0.0]).refill(RANGE, at(3)), None);
        assert_eq!(seen(&[AWAY]).refill(RANGE, at(1)), None);
        let mut later = seen(&[AWAY]);
        assert_eq!(later.next(), at(1));
        later.absorb(&Series::from_values(at(1), Step::QUARTER_MINUTE, [0.0, AWAY]));
        assert!(later.refill(RANGE, at(2)).is_some());
    }

    #[test]
    fn what_is_known_is_not_taken_again_and_what_was_not_asked_is_no_gap() {
        let mut counters = seen(&[0.0, 0.0]);
        counters.absorb(&Series::from_values(at(0), Step::QUARTER_MINUTE, [AWAY, AWAY, 0.0]));
        assert_eq!((counters.next(), counters.refill(RANGE, at(2))), (at(3), None));
        assert_eq!(counters.refill(RANGE, at(20)), None, "nothing is known of the time since");
        let away = seen(&[0.0, AWAY]);
        assert_eq!(away.refill(RANGE, at(20)), None, "long ago");
        assert!(counters.are_whole_from(at(0)) && !away.are_whole_from(at(1)));
        counters.forget_before(at(2));
        assert_eq!(counters.next(), at(3));
    }

    #[test]
    fn of_several_counters_each_counts() {
        let one = seen(&[0.0, 0.0, 0.0, 0.0]);
        let other = seen(&[AWAY, 0.0, AWAY, 0.0]);
        for both in [one.with(&other), other.with(&one)] {
            assert_eq!(both.refill(RANGE, at(3)).and_then(|gap| gap.since), Some(at(1)));
        }
        // After the end of one's data, the other alone counts.
        let ended = seen(&[0.0, AWAY]);
        assert_eq!(one.with(&ended).refill(Span::seconds(15), at(3)), None);
        assert_eq!(one.with(&seen(&[AWAY])).refill(RANGE, at(3)), None, "one that was never there");
    }
}
