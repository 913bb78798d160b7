//! The past in bins of at least five minutes: means and maxima to look up a day or a week back, and the local time of
//! each bin.
//!
//! Bins are numbered from the epoch. Bins up to the grid point belong to the fit: they never change and are shared. Each
//! tracker adds its own later bins. A bin without a sample is a gap, and a gap is never filled.

use crate::history::Calendar;
use crate::units::Time;

use super::pattern::Pattern;
use super::profile::Profile;
use super::tasks::DAY;

/// Means and maxima of consecutive bins, on the variance-stabilised scale; NaN is a gap.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Bins {
    first: i64,
    mean: Vec<f32>,
    first_peak: i64,
    peak: Vec<f32>,
}

/// The bin of the local week for any instant: a table with one entry per quarter of an hour, or per bin if that does not
/// divide the quarter. Time zones change their offset only on a quarter, so finer bins follow from their quarter's first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LocalBins {
    bin: i64,
    stretch: i64,
    first: i64,
    slot: Vec<u16>,
}

/// The past that forecasts look up at an origin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past<'a> {
    pub profile: &'a Profile,
    pub local: &'a LocalBins,
    pub old: &'a Bins,
    pub new: &'a Bins,
    pub pattern: &'a Pattern,
    /// Length of a bin and of a slot, in seconds.
    pub bin: i64,
    pub step: i64,
}

/// The bins that a window touches, and which part of each lies in the window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    first: i64,
    /// The last bin that the window touches.
    pub last: i64,
    /// Where the window begins in the first bin and ends in the last, from 0 to 1.
    from: f64,
    to: f64,
}

/// A part of a bin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    share: f64,
    /// The neighbouring bin on the side where the middle of the part lies (-1 or 1), and the distance between the middle
    /// of the part and the middle of the bin, in bins.
    beside: (i64, f64),
}

/// Between the middles of which two bins an instant lies: the first bin, and how far the instant lies towards the second,
/// from 0 to 1. `step` and `bin` are in seconds.
pub(super) fn between((step, bin): (i64, i64), time: i64) -> (i64, f64) {
    let from_middle = time - (bin - step) / 2;
    let first = from_middle.div_euclid(bin);
    (first, (from_middle - first * bin) as f64 / bin as f64)
}

// === impl Window ===

impl Window {
    /// The window of the slots later than `after` and up to `until`. `step` and `bin` are in seconds.
    pub fn new((step, bin): (i64, i64), after: i64, until: i64) -> Self {
        let (first, last) = ((after + step).div_euclid(bin), until.div_euclid(bin));
        let part = |time: i64, of: i64| (time - of * bin) as f64 / bin as f64;
        Window { first, last, from: part(after + step, first), to: part(until + step, last).min(1.0) }
    }

    /// The bins of the window, each with its part.
    pub fn bins(self) -> impl Iterator<Item = (i64, Part)> {
        (self.first..=self.last).map(move |bin| (bin, self.part(bin)))
    }

    /// The part of a bin that lies in the window.
    pub fn part(&self, bin: i64) -> Part {
        let from = if bin == self.first { self.from } else { 0.0 };
        let to = if bin == self.last { self.to } else { 1.0 };
        // The distance from the middle of the bin.
        let off = 0.5 * (from + to) - 0.5;
        Part { share: to - from, beside: (if off < 0.0 { -1 } else { 1 }, off.abs()) }
    }
}

// === impl Bins ===

impl Bins {
    /// Appends a bin; skipped bins become gaps.
    pub fn put(&mut self, bin: i64, mean: f64, peak: f64) {
        if self.mean.is_empty() {
            self.first = bin;
            self.first_peak = bin;
        }
        append(&mut self.mean, bin - self.first, mean as f32);
        append(&mut self.peak, bin - self.first_peak, peak as f32);
    }

    /// The mean of a bin; `None` if it is a gap or not kept.
    pub fn mean(&self, bin: i64) -> Option<f64> {
        Self::get(&self.mean, bin - self.first)
    }

    /// The maximum of a bin; `None` if it is a gap or not kept.
    pub fn peak(&self, bin: i64) -> Option<f64> {
        Self::get(&self.peak, bin - self.first_peak)
    }

    /// Drops the means before the first bin given and the maxima before the second.
    pub fn keep_from(&mut self, mean: i64, peak: i64) {
        let drop = usize::try_from(mean - self.first).unwrap_or(0).min(self.mean.len());
        self.mean.drain(..drop);
        self.first += drop as i64;
        let drop = usize::try_from(peak - self.first_peak).unwrap_or(0).min(self.peak.len());
        self.peak.drain(..drop);
        self.first_peak += drop as i64;
    }

    /// Releases unused memory.
    pub fn shrink(&mut self) {
        self.mean.shrink_to_fit();
        self.peak.shrink_to_fit();
    }

    /// The number of the first bin, and the means from there on; NaN is a gap.
    pub fn means(&self) -> (i64, impl Iterator<Item = f32>) {
        (self.first, self.mean.iter().copied())
    }

    /// How many bins are held.
    pub fn len(&self) -> usize {
        self.mean.len()
    }

    /// Bytes held on the heap.
    pub fn heap_bytes(&self) -> usize {
        4 * (self.mean.capacity() + self.peak.capacity())
    }

    fn get(values: &[f32], place: i64) -> Option<f64> {
        let value = *values.get(usize::try_from(place).ok()?)?;
        if value.is_nan() { None } else { Some(f64::from(value)) }
    }
}

fn append(values: &mut Vec<f32>, place: i64, value: f32) {
    if let Ok(place) = usize::try_from(place)
        && place >= values.len()
    {
        values.resize(place, f32::NAN);
        values.push(value);
    }
}

// === impl LocalBins ===

impl LocalBins {
    /// Reads the table from the calendar, from one instant to another.
    pub fn new(calendar: &Calendar, bin: i64, from: i64, to: i64) -> Self {
        let stretch = if 900 % bin == 0 { 900 } else { bin };
        let (first, last) = (from.div_euclid(stretch), to.div_euclid(stretch));
        let mut clock = calendar.clock();
        let slot = (first..=last)
            .map(|b| {
                let local = clock.local(Time::from_epoch(b * stretch));
                u16::try_from(local.second_of_week() / bin).unwrap_or(0)
            })
            .collect();
        LocalBins { bin, stretch, first, slot }
    }

    /// The part of the table from an instant on.
    pub fn tail(&self, from: i64) -> Self {
        let skip =
            usize::try_from(from.div_euclid(self.stretch) - self.first).unwrap_or(0).min(self.slot.len());
        LocalBins {
            first: self.first + skip as i64,
            slot: self.slot.get(skip..).unwrap_or_default().to_vec(),
            ..*self
        }
    }

    /// The bin of the local week at an instant. Before the table its first week repeats, after it the last.
    pub fn at(&self, time: i64) -> usize {
        let mut place = time.div_euclid(self.stretch) - self.first;
        let (len, week) = (self.slot.len() as i64, 7 * DAY / self.stretch);
        if place < 0 {
            place = place.rem_euclid(week);
        } else if place >= len {
            place = len - week + (place - len).rem_euclid(week);
        }
        let slot = usize::try_from(place).ok().and_then(|p| self.slot.get(p)).copied().map_or(0, usize::from);
        let within = time.rem_euclid(self.stretch) / self.bin;
        slot + usize::try_from(within).unwrap_or(0)
    }

    /// Bytes held on the heap.
    pub fn heap_bytes(&self) -> usize {
        2 * self.slot.capacity()
    }
}

// === impl Past ===

impl Past<'_> {
    /// The mean of a bin, the tracker's own or the fit's.
    pub fn mean(&self, bin: i64) -> Option<f64> {
        self.new.mean(bin).or_else(|| self.old.mean(bin))
    }

    /// The maximum of a bin, the tracker's own or the fit's.
    pub fn peak(&self, bin: i64) -> Option<f64> {
        self.new.peak(bin).or_else(|| self.old.peak(bin))
    }

    /// The load at an instant, interpolated between the two bins around it. The mean of one bin alone would be up to half
    /// a bin late on a ramp. If one of the two is a gap, the other's mean.
    pub fn mean_about(&self, time: i64) -> Option<f64> {
        let (bin, share) = between((self.step, self.bin), time);
        if share == 0.0 {
            return self.mean(bin);
        }
        match (self.mean(bin), self.mean(bin + 1)) {
            (Some(a), Some(b)) => Some(a + share * (b - a)),
            (a, b) => a.or(b),
        }
    }

    /// The peak load of the slots later than `from` and up to `to`, estimated from bins; gaps are skipped, and `None`
    /// means that all bins are gaps.
    pub fn peak_between(&self, from: i64, to: i64) -> Option<f64> {
        Window::new((self.step, self.bin), from, to)
            .bins()
            .filter_map(|part| self.part_peak(part, i64::MAX))
            .reduce(f64::max)
    }

    /// The peak load of a part of a bin; no bin after `known` is used. For a whole bin it is the maximum of the bin. For
    /// a part it is interpolated between the mean in that part and the maximum, by the size of the part, so that the peak
    /// of a moving window does not jump when the window touches one more bin.
    pub fn part_peak(&self, (bin, part): (i64, Part), known: i64) -> Option<f64> {
        let peak = self.peak(bin)?;
        if part.share >= 1.0 {
            return Some(peak);
        }
        let own = self.mean(bin)?;
        let beside = bin + part.beside.0;
        let beside = if beside > known { None } else { self.mean(beside) }.unwrap_or(own);
        let mean = own + part.beside.1 * (beside - own);
        Some(mean + part.share * (peak - mean).max(0.0))
    }

    /// The load a whole number of periods before `time`: the fewest periods (at least one) that lead to an instant at or
    /// before `until`.
    pub fn lag(&self, time: i64, period: i64, until: i64) -> Option<f64> {
        let back = ((time - until + period - 1).div_euclid(period)).max(1);
        self.mean_about(time - back * period)
    }
}
