//! The load of a simulation, and the part of it that can be known at an instant.
//!
//! The load is held constant between samples. A gap holds the last sample for the queue and for strategies, and is
//! left out of every score. Code that is given [`Seen`] cannot look ahead.

use crate::history::Series;
use crate::units::{Span, Time};

/// A series laid out for reading at any instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    start: i64,
    step: i64,
    /// By slot; gaps hold the sample before, those before the first sample are zero.
    held: Vec<f64>,
    observed: Vec<bool>,
}

/// The known part of a load at an instant: the samples old enough to have been collected.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    load: &'a Load,
    count: usize,
}

// === impl Load ===

impl Load {
    /// The load of a series.
    pub fn of(series: &Series) -> Self {
        let mut held = series.values();
        let observed: Vec<bool> = held.iter().map(|value| !value.is_nan()).collect();
        let mut last = 0.0;
        for value in &mut held {
            if value.is_nan() {
                *value = last;
            }
            last = *value;
        }
        Load { start: series.start().epoch(), step: series.step().as_seconds(), held, observed }
    }

    /// The first instant.
    pub fn start(&self) -> Time {
        Time::from_epoch(self.start)
    }

    /// The instant at which the last sample no longer holds.
    pub fn end(&self) -> Time {
        Time::from_epoch(self.start + self.step * self.held.len() as i64)
    }

    /// The distance between samples.
    pub fn step(&self) -> Span {
        Span::seconds(self.step)
    }

    /// Whether there is no sample at all.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The load at an instant. The first and the last sample hold beyond the ends; without samples the load is zero.
    pub fn at(&self, at: Time) -> f64 {
        let slot = self.slot(at).min(self.held.len() as i64 - 1).max(0);
        self.held.get(slot as usize).copied().unwrap_or(0.0)
    }

    /// Whether there is a sample, not a gap, at an instant inside the series.
    pub fn is_observed(&self, at: Time) -> bool {
        usize::try_from(self.slot(at)).ok().and_then(|slot| self.observed.get(slot)).copied().unwrap_or(false)
    }

    /// The observations from one instant to before another, one step apart.
    pub fn observed(&self, from: Time, until: Time) -> impl Iterator<Item = (Time, f64)> + '_ {
        let instants = (0..).map(move |slot| from + Span::seconds(self.step * slot));
        let within = instants.take_while(move |&at| at < until);
        within.filter(|&at| self.is_observed(at)).map(|at| (at, self.at(at)))
    }

    /// The largest load of `[from, until]`; `None` where that lies outside the series.
    pub fn peak(&self, from: Time, until: Time) -> Option<f64> {
        self.seen(self.held.len()).peak(from, until)
    }

    /// What is known once the first `count` samples have been collected.
    fn seen(&self, count: usize) -> Seen<'_> {
        Seen { load: self, count }
    }

    /// What is known at `now`, where a sample takes `delay` until it can be read.
    pub fn seen_at(&self, now: Time, delay: Span) -> Seen<'_> {
        let slots = self.slot(now - delay) + 1;
        self.seen(slots.clamp(0, self.held.len() as i64) as usize)
    }

    fn slot(&self, at: Time) -> i64 {
        (at.epoch() - self.start).div_euclid(self.step)
    }
}

// === impl Seen ===

impl<'a> Seen<'a> {
    /// The newest sample; `None` before the first.
    pub fn newest(&self) -> Option<f64> {
        self.slots().last().copied()
    }

    /// All that is known, oldest first, gaps filled with the sample before.
    pub fn slots(&self) -> &'a [f64] {
        self.load.held.get(..self.count).unwrap_or_default()
    }

    /// The first instant of the series.
    pub fn start(&self) -> Time {
        self.load.start()
    }

    /// The distance between samples.
    pub fn step(&self) -> Span {
        self.load.step()
    }

    /// The largest load of `[from, until]` as far as it is known; `None` where nothing of it is.
    pub fn peak(&self, from: Time, until: Time) -> Option<f64> {
        let first = self.load.slot(from).max(0);
        let last = self.load.slot(until).min(self.count as i64 - 1);
        if first > last {
            return None;
        }
        let part = self.slots().get(first as usize..=last as usize)?;
        Some(part.iter().copied().fold(0.0, f64::max))
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
    fn samples_hold_and_the_future_stays_hidden() {
        let series = Series::from_values(at(10), Step::MINUTE, [f64::NAN, 5.0, f64::NAN, 7.0, 2.0]);
        let load = Load::of(&series);
        assert_eq!((load.at(at(9)), load.at(at(10)), load.at(at(12)), load.at(at(99))), (0.0, 0.0, 5.0, 2.0));
        assert!(load.is_observed(at(11)) && !load.is_observed(at(12)) && !load.is_observed(at(15)));
        assert_eq!(load.peak(at(11), at(99)), Some(7.0));
        let observed: Vec<_> = load.observed(at(9), at(14)).collect();
        assert_eq!(observed, [(at(11), 5.0), (at(13), 7.0)]);
        let seen = load.seen_at(Time::from_epoch(13 * 60 + 29), Span::seconds(30));
        assert_eq!((seen.newest(), seen.peak(at(0), at(99))), (Some(5.0), Some(5.0)));
        let seen = load.seen_at(Time::from_epoch(13 * 60 + 30), Span::seconds(30));
        assert_eq!((seen.newest(), seen.peak(at(14), at(99))), (Some(7.0), None));
        assert_eq!(load.seen_at(at(9), Span::ZERO).newest(), None);
        assert_eq!(Load::of(&Series::new(at(0), Step::MINUTE)).at(at(0)), 0.0);
    }
}
