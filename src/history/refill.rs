//! A source that comes back: how long its answers may be too low, and which samples are no evidence of the load.
//!
//! After a gap a query like `rate(x[2m])` reports too little until its range is full of samples again, and the last
//! values before the gap decay in the same way. Such samples may raise an answer; they never lower one, and nothing
//! is learned from them. This depends only on what was observed; nothing here knows why a source was away.

use std::collections::VecDeque;

use super::{Measured, Series, SignalHistory};
use crate::units::{Span, Step, Time};

/// The last time a source gave no answer, as seen by the server that queries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interruption {
    /// The last instant before it that was answered; `None` if there was none.
    pub from: Option<Time>,
    /// The first instant that was answered again; `None` if there is none yet. An interruption that starts before the
    /// previous one has refilled continues the previous one.
    pub returned: Option<Time>,
    /// The end of its last gap; `None` while it lasts.
    pub until: Option<Time>,
}

/// A gap that contains the newest value, or after which the source has not refilled yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refill {
    /// The last instant before the gap with a known sample; `None` if nothing before it is known.
    pub since: Option<Time>,
    /// The first instant after it; `None` while it lasts.
    pub returned: Option<Time>,
    /// From then on samples count again; `None` while the gap lasts.
    pub until: Option<Time>,
}

/// How far back a query looks, and the grid of its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    look_back: Span,
    step: Step,
}

/// From the start of a data source to its first samples: it reads its log, discovers its targets and scrapes them in
/// turn.
const LONGEST_START: Span = Span::minutes(10);
/// If a metric has more gaps than this within a day, they are not interruptions: missing values are how it reports no
/// load, and the samples in between are learned from.
const MOST_GAPS_A_DAY: usize = 12;

// === impl Interruption ===

impl Interruption {
    /// An interruption that starts now, after the last answer; it continues `before` if that one has not refilled.
    pub fn begun(last_answer: Option<Time>, before: Option<Interruption>, now: Time, reach: Reach) -> Self {
        match before {
            Some(Interruption { from, returned, until })
                if until.is_none_or(|u| now < u + reach.refill()) =>
            {
                Interruption { from, returned, until: None }
            }
            _ => Interruption { from: last_answer, returned: None, until: None },
        }
    }

    /// Answered again at an instant.
    pub fn ended(self, at: Time) -> Self {
        Interruption { returned: self.returned.or(Some(at)), until: Some(at), ..self }
    }
}

// === impl Reach ===

impl Reach {
    /// For a query with this look-back, read once per `step`.
    pub fn new(look_back: Span, step: Step) -> Self {
        Reach { look_back, step }
    }

    /// How long after a gap an answer lacks samples: at least one step, because not all parts of a sum return at
    /// once.
    pub fn refill(self) -> Span {
        self.look_back.max(self.step.span())
    }

    /// How long before the end of the samples the answers start to decay.
    pub fn decay(self) -> Span {
        if self.look_back == Span::ZERO { Span::ZERO } else { self.look_back + self.step.span() }
    }
}

// === impl SignalHistory ===

impl SignalHistory {
    /// The reason why the value of `at`, of this signal's load or arrivals, may be less than the whole load; `None`
    /// if it is the whole load.
    pub fn refill(&self, of: Measured, reach: Reach, at: Time) -> Option<Refill> {
        let series = self.series(of);
        let seen = self.interrupted.and_then(|gap| {
            let until = gap.until.map(|until| until + reach.refill());
            let lasts = until.is_none_or(|until| at < until);
            let last = || series.and_then(|series| last_before(series, gap.returned.unwrap_or(at)));
            lasts.then(|| Refill { since: gap.from.or_else(last), returned: gap.returned, until })
        });
        let restarted = self.source_began.filter(|&began| at < began + reach.refill() + LONGEST_START);
        let restarted = restarted.and_then(|began| {
            let since = series.and_then(|series| last_before(series, began));
            // If no history is kept, its first samples are not known; then the source's start counts.
            let first = series.map_or(began, |series| first_from(series, began).unwrap_or(at));
            let until = first + reach.refill();
            (at < until).then_some(Refill { since, returned: Some(first), until: Some(until) })
        });
        let shown = series.and_then(|series| in_series(series, reach, at));
        let counted = self.counters(of).and_then(|counters| counters.refill(reach.look_back, at));
        [seen, restarted, shown, counted].into_iter().flatten().reduce(Refill::with)
    }
}

// === impl Refill ===

impl Refill {
    /// The instant from which samples show what was needed before the gap; those that decayed before it are skipped.
    /// A source that has been coming and going for longer than `most` keeps no more than was needed within `most`.
    pub fn looks_from(self, reach: Reach, at: Time, most: Span) -> Time {
        let before = self.since.unwrap_or(at) - reach.decay().max(reach.step.span());
        if self.is_chronic(at, most) { before.max(at - most) } else { before }
    }

    /// Whether samples have arrived since it started, even if the source is away again; the newest value is then part
    /// of the load.
    pub fn had_samples(self) -> bool {
        self.returned.is_some() || self.until.is_some()
    }

    /// Whether the source has been coming and going for longer than `most`.
    pub fn is_chronic(self, at: Time, most: Span) -> bool {
        self.returned.is_some_and(|returned| at.since(returned) > most)
    }

    /// Both combined.
    pub fn with(self, other: Refill) -> Refill {
        let is_away = self.until.is_none() || other.until.is_none();
        Refill {
            since: self.since.into_iter().chain(other.since).min(),
            returned: self.returned.into_iter().chain(other.returned).min(),
            until: if is_away { None } else { self.until.max(other.until) },
        }
    }
}

fn last_before(series: &Series, at: Time) -> Option<Time> {
    let last = series.slot_before(at)?;
    (0..=last).rev().find(|&i| series.get(i).is_some()).map(|i| series.time(i))
}

fn first_from(series: &Series, at: Time) -> Option<Time> {
    let from = series.step().cover(at.since(series.start()));
    (from..series.len()).find(|&i| series.get(i).is_some()).map(|i| series.time(i))
}

/// What the series itself shows: a missing slot shortly before `at`, going back to the last whole sample.
pub(super) fn in_series(series: &Series, reach: Reach, at: Time) -> Option<Refill> {
    let slots = reach.step.cover(reach.refill()).max(1);
    let last = series.slot_before(at)?;
    let gap_before = |i: usize, from: usize| (from..=i).rev().find(|&j| series.get(j).is_none());
    let mut gap = gap_before(last, last.saturating_sub(slots))?;
    let back = |gap: usize| if gap == last { at } else { series.time(gap + 1) };
    let until = back(gap) + reach.refill();
    if at >= until {
        return None;
    }
    let mut returned = back(gap);
    let since = loop {
        let Some(before) = (0..gap).rev().find(|&i| series.get(i).is_some()) else { break None };
        match before.checked_sub(1).and_then(|i| gap_before(i, before.saturating_sub(slots))) {
            None => break Some(series.time(before)),
            Some(earlier) => (gap, returned) = (earlier, series.time(earlier + 1)),
        }
    };
    Some(Refill { since, returned: Some(returned), until: Some(until) })
}

/// For each slot of `series` after `after`, whether its sample is no evidence. That is so within the refill after a
/// gap or after the source's own start, and where values decay before a gap. The decay before a gap is considered
/// only if the gap starts by `known`: following a series sample by sample, a gap cannot be foreseen, and everyone who
/// follows it must get the same result.
pub fn thin(
    series: &Series,
    after: Time,
    reach: Reach,
    source_began: Option<Time>,
    known: Time,
) -> Vec<bool> {
    let step = series.step();
    let first = if after < series.start() { 0 } else { step.count_in(after.since(series.start())) + 1 };
    let (day, slots) = (step.cover(Span::DAY), step.cover(reach.refill()).max(1));
    let mut thin = Vec::with_capacity(series.len().saturating_sub(first));
    let mut is_steady = Vec::with_capacity(thin.capacity());
    let (mut gaps, mut last_gap) = (VecDeque::new(), None);
    let from = first.saturating_sub(day.max(slots));
    for i in from..series.len() {
        if series.get(i).is_none() {
            if i > from && last_gap != Some(i - 1) {
                gaps.push_back(i);
            }
            last_gap = Some(i);
        }
        while gaps.front().is_some_and(|gap| gap + day < i) {
            gaps.pop_front();
        }
        if i >= first {
            is_steady.push(gaps.len() <= MOST_GAPS_A_DAY);
            thin.push(last_gap.is_some_and(|gap| i - gap <= slots));
        }
    }
    let decays = step.cover(reach.look_back);
    let mut next_gap = None;
    for (i, is_thin) in thin.iter_mut().enumerate().rev() {
        let at = series.time(first + i);
        if series.get(first + i).is_none() && at <= known {
            next_gap = Some(i);
        }
        let restarts = source_began.is_some_and(|began| began <= at && at < began + reach.refill());
        *is_thin |= next_gap.is_some_and(|gap: usize| gap - i <= decays) || restarts;
        *is_thin &= is_steady.get(i) == Some(&true);
    }
    thin
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const GAP: f64 = f64::NAN;

    fn at(minute: i64) -> Time {
        Time::from_epoch(minute * 60)
    }

    fn history(values: &[f64]) -> SignalHistory {
        let load = Series::from_values(at(0), Step::MINUTE, values.iter().copied());
        SignalHistory { load: Some(Arc::new(load)), ..SignalHistory::default() }
    }

    fn refill(history: &SignalHistory, minutes: i64, now: Time) -> Option<Refill> {
        history.refill(Measured::Load, Reach::new(Span::minutes(minutes), Step::MINUTE), now)
    }

    #[test]
    fn a_gap_is_over_when_the_range_has_refilled() {
        let seen = history(&[9.0, 9.0, GAP, GAP, 2.0, 5.0, 9.0]);
        let told = Refill { since: Some(at(1)), returned: Some(at(4)), until: Some(at(6)) };
        assert_eq!(refill(&seen, 2, at(5)), Some(told));
        assert_eq!(refill(&seen, 2, at(6)), None);
        // A gauge is whole after one step.
        assert_eq!(refill(&seen, 0, at(4)).and_then(|r| r.until), Some(at(5)));
        assert_eq!(refill(&seen, 0, at(5)), None);
    }

    #[test]
    fn gaps_that_follow_one_another_are_one() {
        let seen = history(&[9.0, 9.0, 9.0, GAP, 2.0, GAP, 3.0, 4.0]);
        let told = Refill { since: Some(at(2)), returned: Some(at(4)), until: Some(at(8)) };
        assert_eq!(refill(&seen, 2, at(7)), Some(told));
    }

    #[test]
    fn an_instant_value_after_missing_slots_is_not_whole() {
        let seen = history(&[9.0, 9.0, GAP, GAP]);
        let now = at(3) + Span::seconds(30);
        let told = Refill { since: Some(at(1)), returned: Some(now), until: Some(now + Span::minutes(2)) };
        assert_eq!(refill(&seen, 2, now), Some(told));
    }

    #[test]
    fn questions_without_an_answer_and_the_start_of_the_source_count_too() {
        let mut seen = history(&[9.0; 8]);
        assert_eq!(refill(&seen, 2, at(7)), None);
        let reach = Reach::new(Span::minutes(2), Step::MINUTE);
        let gap = Interruption::begun(Some(at(5)), None, at(6), reach);
        seen.interrupted = Some(gap);
        assert_eq!(refill(&seen, 2, at(5)), Some(Refill { since: Some(at(5)), returned: None, until: None }));
        seen.interrupted = Some(gap.ended(at(7)));
        assert_eq!(refill(&seen, 2, at(8)).and_then(|r| r.until), Some(at(9)));
        assert_eq!(refill(&seen, 2, at(9)), None);
        let next = Interruption::begun(Some(at(8)), seen.interrupted, at(8), reach).ended(at(9));
        assert_eq!(next, Interruption { from: Some(at(5)), returned: Some(at(7)), until: Some(at(9)) });
        seen.interrupted = None;
        seen.source_began = Some(at(6));
        let told = Refill { since: Some(at(6)), returned: Some(at(6)), until: Some(at(8)) };
        assert_eq!(refill(&seen, 2, at(7)), Some(told));
    }

    #[test]
    fn nothing_known_from_before_is_told() {
        let mut seen = history(&[2.0, 4.0]);
        seen.source_began = Some(at(0) - Span::seconds(1));
        assert_eq!(refill(&seen, 5, at(1)).map(|r| r.since), Some(None));
    }

    #[test]
    fn thin_samples_are_those_around_a_gap() {
        let series = Series::from_values(at(0), Step::MINUTE, [9.0, 9.0, 5.0, 1.0, GAP, 2.0, 6.0, 9.0]);
        let thin = |minutes, began, known| {
            let reach = Reach::new(Span::minutes(minutes), Step::MINUTE);
            let thin = thin(&series, at(0), reach, began, known);
            thin.into_iter().map(|t| if t { '-' } else { '+' }).collect::<String>()
        };
        // Slots 1 to 7.
        assert_eq!(thin(2, None, at(7)), "+-----+");
        assert_eq!(thin(0, None, at(7)), "+++--++");
        assert_eq!(thin(2, Some(at(7)), at(7)), "+------");
        assert_eq!(thin(2, None, at(3)), "+++---+", "the gap is not foreseen");
    }

    #[test]
    fn a_metric_that_comes_and_goes_is_learned_from() {
        let values = (0..3 * 1_440).map(|i| if i % 10 == 0 { GAP } else { 5.0 });
        let series = Series::from_values(at(0), Step::MINUTE, values);
        let reach = Reach::new(Span::minutes(5), Step::MINUTE);
        assert!(thin(&series, at(1_440), reach, None, Time::MAX).iter().all(|thin| !thin));
    }
}
