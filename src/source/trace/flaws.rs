//! Irregularities of a trace that are not faults: missing rows, duplicate rows, values that are not a load.
//!
//! Such a trace is read all the same, and whoever reports figures from it mentions them. Nothing is repaired here.

use std::fmt;

use crate::history::Series;
use crate::units::{Span, Time, counted};

/// The irregularities of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flaws {
    /// Slots of the grid without a sample.
    pub gaps: Option<Gaps>,
    /// Samples at an instant that already has one.
    pub twice: Option<Found>,
    /// Samples below zero.
    pub negative: Option<Found>,
    /// Samples that are not a number, or not a possible load.
    pub unreal: Option<Found>,
}

/// How often it occurs, and where first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// How often.
    pub count: usize,
    /// The first instant.
    pub first: Time,
}

/// Where the series has no samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gaps {
    /// Slots without a sample, and the first of them.
    pub slots: Found,
    /// The number of contiguous gaps.
    pub stretches: usize,
    /// The longest contiguous gap.
    pub longest: Span,
}

// === impl Flaws ===

impl Flaws {
    /// The irregularities of a series and of the samples it was built from.
    pub(super) fn of(series: &Series, points: &[(Time, f64)]) -> Self {
        let at = |is: fn(f64) -> bool| Found::among(points.iter().filter(|p| is(p.1)).map(|p| p.0));
        let mut times: Vec<Time> = points.iter().map(|point| point.0).collect();
        times.sort_unstable();
        Flaws {
            gaps: gaps(series),
            twice: Found::among(times.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0])),
            negative: at(|value| value.is_finite() && value < 0.0),
            unreal: at(|value| !value.is_finite()),
        }
    }

    /// Those that are still visible in the series alone.
    pub fn of_series(series: &Series) -> Self {
        Flaws { gaps: gaps(series), ..Flaws::default() }
    }

    /// One sentence per kind.
    pub fn told(&self) -> Vec<String> {
        let Flaws { gaps, twice, negative, unreal } = self;
        let sentences = [
            negative.map(|found| format!("{} below zero, {found}: no load, left out.", samples(found))),
            unreal.map(|found| format!("{} not a number, {found}: no load, left out.", samples(found))),
            twice.map(|found| {
                format!("{} at an instant that has one already, {found}: the later row counts.", samples(found))
            }),
            gaps.map(|gaps| {
                format!(
                    "{} missing in {}, {}, the longest {}: the sample before is held, and gaps are not scored.",
                    samples(gaps.slots),
                    counted(gaps.stretches, "gap"),
                    gaps.slots,
                    gaps.longest
                )
            }),
        ];
        sentences.into_iter().flatten().collect()
    }
}

impl Found {
    fn among(times: impl Iterator<Item = Time>) -> Option<Self> {
        times.fold(None, |found: Option<Found>, at| {
            let (count, first) = found.map_or((0, at), |found| (found.count, found.first.min(at)));
            Some(Found { count: count + 1, first })
        })
    }
}

fn samples(found: Found) -> String {
    counted(found.count, "sample")
}

fn gaps(series: &Series) -> Option<Gaps> {
    let missing = || (0..series.len()).filter(|&slot| series.get(slot).is_none());
    let slots = Found::among(missing().map(|slot| series.time(slot)))?;
    let (mut stretches, mut longest, mut length, mut before) = (0, 0, 0, None);
    for slot in missing() {
        length = if before.is_some_and(|before| before + 1 == slot) { length + 1 } else { 1 };
        stretches += usize::from(length == 1);
        longest = longest.max(length);
        before = Some(slot);
    }
    Some(Gaps { slots, stretches, longest: series.step().times(longest) })
}

/// The position: `the first at 2026-01-01T00:00:00Z`, or just `at …` if there is only one.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.count > 1 { "the first at" } else { "at" };
        write!(f, "{which} {}", self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Step;

    fn at(minute: i64) -> Time {
        Time::from_epoch(minute * 60)
    }

    #[test]
    fn every_kind_is_counted_with_its_first_place() {
        let points = [(0, 1.0), (1, -2.0), (2, 3.0), (2, 4.0), (5, f64::NAN), (6, -1.0), (7, 5.0), (7, 5.0)];
        let points = points.map(|(minute, value)| (at(minute), value));
        let series = Series::from_points(Step::MINUTE, &points).expect("a series");
        let flaws = Flaws::of(&series, &points);
        let found = |count, minute| Some(Found { count, first: at(minute) });
        assert_eq!((flaws.negative, flaws.unreal, flaws.twice), (found(2, 1), found(1, 5), found(2, 2)));
        let gaps = flaws.gaps.expect("gaps");
        assert_eq!((Some(gaps.slots), gaps.stretches, gaps.longest), (found(5, 1), 2, Span::minutes(4)));
        assert_eq!(
            flaws.told(),
            [
                "2 samples below zero, the first at 1970-01-01T00:01:00Z: no load, left out.",
                "1 sample not a number, at 1970-01-01T00:05:00Z: no load, left out.",
                "2 samples at an instant that has one already, the first at 1970-01-01T00:02:00Z: the later row counts.",
                "5 samples missing in 2 gaps, the first at 1970-01-01T00:01:00Z, the longest 4m: the sample before is \
                 held, and gaps are not scored."
            ]
        );
    }

    #[test]
    fn a_whole_trace_has_none() {
        let points = [(at(0), 1.0), (at(1), 0.0)];
        let series = Series::from_points(Step::MINUTE, &points).expect("a series");
        assert_eq!(Flaws::of(&series, &points), Flaws::default());
        assert!(Flaws::default().told().is_empty());
    }
}
