//! A series on a fixed time grid.
//!
//! All slots are one step apart, so a position corresponds to an instant. A missing sample stays a gap and is never
//! filled in; a value that cannot be a load becomes a gap.

use super::chunks::Chunks;
use crate::units::{Span, Step, Time};

/// Samples at `start`, `start + step`, …: finite and not negative, or a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    start: Time,
    step: Step,
    samples: Samples,
    refused: usize,
}

/// Full width for computing; half width, shared between copies, for keeping thousands of windows. NaN is a gap.
#[derive(Debug, Clone, PartialEq)]
enum Samples {
    Full(Vec<f64>),
    Compact(Chunks),
}

/// Why points do not make a series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// There is no point.
    #[error("no samples")]
    Empty,
    /// A point between two grid instants.
    #[error("sample at {at} is off the grid of {step} that begins at {start}")]
    OffGrid {
        /// The instant of the point.
        at: Time,
        /// The first instant of the series.
        start: Time,
        /// The step of the grid.
        step: Step,
    },
    /// The points span more slots than are accepted.
    #[error("{slots} slots of {step} from the first to the last sample, expected at most {limit}")]
    TooLong {
        /// Slots from the first to the last point.
        slots: usize,
        /// The step of the grid.
        step: Step,
        /// The most that are accepted.
        limit: usize,
    },
}

// === impl Series ===

impl Series {
    /// The most slots of one series: eleven years of minutes, 48 MB. More indicates wrong timestamps.
    pub const MAX_SLOTS: usize = 6_000_000;

    /// A series without samples yet, whose first slot will be `start`.
    pub fn new(start: Time, step: Step) -> Self {
        Series { start, step, samples: Samples::Full(Vec::new()), refused: 0 }
    }

    /// A series from its values in order; values that cannot be a load (NaN, infinite, negative) become gaps.
    pub fn from_values(start: Time, step: Step, values: impl IntoIterator<Item = f64>) -> Self {
        let mut series = Series::new(start, step);
        for value in values {
            series.push(value);
        }
        series
    }

    /// A series from points in any order; of two at the same instant, the later one in the list counts.
    pub fn from_points(step: Step, points: &[(Time, f64)]) -> Result<Self, HistoryError> {
        let start = points.iter().map(|p| p.0).min().ok_or(HistoryError::Empty)?;
        let end = points.iter().map(|p| p.0).max().ok_or(HistoryError::Empty)?;
        let slots = step.count_in(end.since(start)) + 1;
        if slots > Self::MAX_SLOTS {
            return Err(HistoryError::TooLong { slots, step, limit: Self::MAX_SLOTS });
        }
        let mut values = vec![f64::NAN; slots];
        for &(at, value) in points {
            let offset = at.since(start).as_seconds();
            if offset % step.as_seconds() != 0 {
                return Err(HistoryError::OffGrid { at, start, step });
            }
            if let Some(slot) = values.get_mut(step.count_in(Span::seconds(offset))) {
                *slot = value;
            }
        }
        let mut series = Series::from_values(start, step, values);
        series.refused = points.iter().filter(|p| !is_load(p.1)).count();
        Ok(series)
    }

    /// The first instant of the grid.
    pub fn start(&self) -> Time {
        self.start
    }

    /// The distance between neighbouring slots.
    pub fn step(&self) -> Step {
        self.step
    }

    /// The number of slots, gaps included.
    pub fn len(&self) -> usize {
        match &self.samples {
            Samples::Full(v) => v.len(),
            Samples::Compact(v) => v.len(),
        }
    }

    /// Whether it has no slots.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values were rejected because they cannot be a load, and became gaps.
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// The instant of slot `i`, even beyond the end.
    pub fn time(&self, i: usize) -> Time {
        self.start + self.step.times(i)
    }

    /// The instant of the last slot; `None` while empty.
    pub fn end(&self) -> Option<Time> {
        self.len().checked_sub(1).map(|i| self.time(i))
    }

    /// How much time the series covers, gaps included: each slot stands for one step.
    pub fn covers(&self) -> Span {
        self.step().times(self.len())
    }

    /// The last value at or before `at`, whatever gaps follow it.
    pub fn latest(&self, at: Time) -> Option<f64> {
        (0..=self.slot_before(at)?).rev().find_map(|slot| self.get(slot))
    }

    /// The last slot at or before `at`; `None` if `at` is before the start.
    pub fn slot_before(&self, at: Time) -> Option<usize> {
        if at < self.start || self.is_empty() {
            return None;
        }
        Some(self.step.count_in(at.since(self.start)).min(self.len() - 1))
    }

    /// The sample in slot `i`; `None` for a gap and beyond the end.
    pub fn get(&self, i: usize) -> Option<f64> {
        let value = match &self.samples {
            Samples::Full(v) => v.get(i).copied(),
            Samples::Compact(v) => v.get(i).map(f64::from),
        };
        value.filter(|v| !v.is_nan())
    }

    /// The last sample that exists, with its instant.
    pub fn last(&self) -> Option<(Time, f64)> {
        (0..self.len()).rev().find_map(|i| self.get(i).map(|v| (self.time(i), v)))
    }

    /// All slots in order; NaN is a gap.
    pub fn values(&self) -> Vec<f64> {
        match &self.samples {
            Samples::Full(v) => v.clone(),
            Samples::Compact(v) => v.iter(0..v.len()).map(f64::from).collect(),
        }
    }

    /// The number of slots that hold a sample.
    pub fn observed(&self) -> usize {
        match &self.samples {
            Samples::Full(v) => v.iter().filter(|v| !v.is_nan()).count(),
            Samples::Compact(v) => v.iter(0..v.len()).filter(|v| !v.is_nan()).count(),
        }
    }

    /// Appends the next slot; a value that cannot be a load becomes a gap.
    pub fn push(&mut self, value: f64) {
        if !is_load(value) && !value.is_nan() {
            self.refused += 1;
        }
        let value = if is_load(value) { value } else { f64::NAN };
        match &mut self.samples {
            Samples::Full(v) => v.push(value),
            Samples::Compact(v) => v.push(value as f32),
        }
    }

    /// Writes a sample at a grid instant at or after the start, and fills the slots before it with gaps. Returns
    /// `false` for an instant off the grid, before the start or beyond [`Series::MAX_SLOTS`].
    pub fn put(&mut self, at: Time, value: f64) -> bool {
        let offset = at.epoch() - self.start.epoch();
        if offset < 0 || offset % self.step.as_seconds() != 0 {
            return false;
        }
        let slot = self.step.count_in(Span::seconds(offset));
        if slot >= Self::MAX_SLOTS {
            return false;
        }
        while self.len() < slot {
            self.push(f64::NAN);
        }
        if slot == self.len() {
            self.push(value);
        } else {
            let value = if is_load(value) { value } else { f64::NAN };
            match &mut self.samples {
                Samples::Full(v) => v[slot] = value,
                Samples::Compact(v) => v.set(slot, value as f32),
            }
        }
        true
    }

    /// The part with `after < instant <= until`, with the same grid and width.
    pub fn window(&self, after: Time, until: Time) -> Series {
        let range = self.slots(after, until);
        let first = range.start;
        let samples = match &self.samples {
            Samples::Full(v) => Samples::Full(v[range].to_vec()),
            Samples::Compact(v) => Samples::Compact(v.window(range)),
        };
        Series { start: self.time(first), step: self.step, samples, refused: self.refused }
    }

    /// The largest sample with `after < instant <= until`; `None` if there is none.
    pub fn largest(&self, after: Time, until: Time) -> Option<f64> {
        let slots = self.slots(after, until);
        match &self.samples {
            Samples::Full(v) => v.get(slots)?.iter().copied().filter(|v| !v.is_nan()).reduce(f64::max),
            Samples::Compact(v) => v.iter(slots).filter(|v| !v.is_nan()).reduce(f32::max).map(f64::from),
        }
    }

    /// The slots with `after < instant <= until`.
    fn slots(&self, after: Time, until: Time) -> std::ops::Range<usize> {
        let first = if after < self.start { 0 } else { self.step.count_in(after.since(self.start)) + 1 };
        let end = if until < self.start { 0 } else { self.step.count_in(until.since(self.start)) + 1 };
        let (first, end) = (first.min(self.len()), end.min(self.len()));
        first..end.max(first)
    }

    /// Drops the slots before `from`.
    pub fn forget_before(&mut self, from: Time) {
        let drop = self.step.cover(from.since(self.start)).min(self.len());
        match &mut self.samples {
            Samples::Full(v) => drop_front(v, drop),
            Samples::Compact(v) => v.drop_front(drop),
        }
        self.start = self.time(drop);
    }

    /// The same series with half the memory and seven significant digits, for windows that are kept by the thousand.
    /// Its copies and windows share what is the same in both.
    pub fn compact(self) -> Series {
        let samples = match self.samples {
            Samples::Full(v) => Samples::Compact(v.into_iter().map(|v| v as f32).collect()),
            compact => compact,
        };
        Series { samples, ..self }
    }

    /// Bytes on the heap, including what copies of a compact series share.
    pub fn heap_bytes(&self) -> usize {
        match &self.samples {
            Samples::Full(v) => v.capacity() * size_of::<f64>(),
            Samples::Compact(v) => v.heap_bytes(),
        }
    }
}

fn is_load(value: f64) -> bool {
    // Above 1e30 a sum over a window or a conversion to f32 would no longer be finite.
    (0.0..=1e30).contains(&value)
}

fn drop_front(values: &mut Vec<f64>, count: usize) {
    values.drain(..count);
    if values.capacity() > values.len() + values.len() / 4 {
        values.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Time {
        Time::from_epoch(minute * 60)
    }

    #[test]
    fn what_is_no_load_becomes_a_gap() {
        let s = Series::from_values(at(0), Step::MINUTE, [1.0, -1.0, f64::NAN, f64::INFINITY, 1e31, 0.0]);
        assert_eq!(
            (0..6).map(|i| s.get(i)).collect::<Vec<_>>(),
            [Some(1.0), None, None, None, None, Some(0.0)]
        );
        assert_eq!((s.observed(), s.refused(), s.last()), (2, 3, Some((at(5), 0.0))));
    }

    #[test]
    fn points_come_in_any_order_and_keep_gaps() {
        let s = Series::from_points(Step::MINUTE, &[(at(3), 3.0), (at(1), 1.0), (at(1), 2.0)])
            .expect("on the grid");
        assert_eq!(
            (s.start(), s.len(), s.get(0), s.get(1), s.get(2)),
            (at(1), 3, Some(2.0), None, Some(3.0))
        );
        let off = Series::from_points(Step::MINUTE, &[(at(1), 1.0), (Time::from_epoch(90), 1.0)]);
        assert!(matches!(off, Err(HistoryError::OffGrid { .. })));
        assert_eq!(Series::from_points(Step::MINUTE, &[]), Err(HistoryError::Empty));
    }

    #[test]
    fn windows_are_open_on_the_left() {
        let s = Series::from_values(at(0), Step::MINUTE, (0..10).map(f64::from));
        let w = s.window(at(2), at(5));
        assert_eq!((w.start(), w.values()), (at(3), vec![3.0, 4.0, 5.0]));
        assert!(s.window(at(20), at(30)).is_empty() && s.window(at(5), at(2)).is_empty());
        assert_eq!(
            (s.largest(at(2), at(5)), s.largest(at(20), at(30)), s.largest(at(5), at(2))),
            (Some(5.0), None, None)
        );
        let gap = Series::from_values(at(0), Step::MINUTE, [f64::NAN, 3.0, f64::NAN]).compact();
        assert_eq!((gap.largest(at(-1), at(2)), gap.largest(at(1), at(2))), (Some(3.0), None));
    }

    #[test]
    fn put_extends_with_gaps_and_refuses_what_is_off_the_grid() {
        let mut s = Series::from_values(at(0), Step::MINUTE, [1.0]);
        assert!(s.put(at(3), 4.0) && s.put(at(1), 2.0));
        assert!(!s.put(Time::from_epoch(61), 1.0) && !s.put(at(-1), 1.0) && !s.put(Time::MAX, 1.0));
        assert_eq!((0..4).map(|i| s.get(i)).collect::<Vec<_>>(), [Some(1.0), Some(2.0), None, Some(4.0)]);
        s.forget_before(at(2));
        assert_eq!((s.start(), s.len()), (at(2), 2));
        assert_eq!(s.clone().compact().get(1), Some(4.0));
    }
}
