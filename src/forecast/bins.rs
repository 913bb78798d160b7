//! The past in bins of a few minutes: means and maxima to look up a day or a week back, and local time per
//! bin.
//!
//! Bins are numbered from the epoch. What was before the grid point is frozen and shared; what came after is
//! the tracker's own. A bin without a sample is a gap and stays one.

use crate::history::Calendar;
use crate::units::Time;

use super::pattern::Pattern;
use super::profile::Profile;
use super::tasks::DAY;

/// Means and maxima (on the variance-stabilised scale) of consecutive bins, or gaps.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Bins {
    first: i64,
    mean: Vec<f32>,
    first_peak: i64,
    peak: Vec<f32>,
}

/// The bin of the local week, for consecutive stretches of a quarter of an hour or a bin: zones change their
/// offset on quarters only, so finer bins follow from the first of theirs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LocalBins {
    bin: i64,
    stretch: i64,
    first: i64,
    slot: Vec<u16>,
}

/// Everything before an instant that forecasts look up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past<'a> {
    pub profile: &'a Profile,
    pub local: &'a LocalBins,
    pub old: &'a Bins,
    pub new: &'a Bins,
    pub pattern: &'a Pattern,
    /// Seconds of a bin, and of a slot.
    pub bin: i64,
    pub step: i64,
}

/// The bins that a window touches, and which part of each lies in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    first: i64,
    /// The last bin that it touches.
    pub last: i64,
    /// Where in the first bin it begins, and where in the last it ends, from 0 to 1.
    from: f64,
    to: f64,
}

/// A part of a bin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    share: f64,
    /// The neighbour on the side of the part's middle (-1 or 1), and how far towards it the middle lies, in bins.
    beside: (i64, f64),
}

/// Where an instant lies between the middles of two bins, for a step and a bin of so many seconds: the first of the two,
/// and how far towards the second.
pub(super) fn between((step, bin): (i64, i64), time: i64) -> (i64, f64) {
    let from_middle = time - (bin - step) / 2;
    let first = from_middle.div_euclid(bin);
    (first, (from_middle - first * bin) as f64 / bin as f64)
}

// === impl Window ===

impl Window {
    /// The window after one instant and up to another, for a step and a bin of so many seconds.
    pub fn new((step, bin): (i64, i64), after: i64, until: i64) -> Self {
        let (first, last) = ((after + step).div_euclid(bin), until.div_euclid(bin));
        let part = |time: i64, of: i64| (time - of * bin) as f64 / bin as f64;
        Window { first, last, from: part(after + step, first), to: part(until + step, last).min(1.0) }
    }

    /// The bins with their parts.
    pub fn bins(self) -> impl Iterator<Item = (i64, Part)> {
        (self.first..=self.last).map(move |bin| (bin, self.part(bin)))
    }

    /// The part of a bin that lies in the window.
    pub fn part(&self, bin: i64) -> Part {
        let from = if bin == self.first { self.from } else { 0.0 };
        let to = if bin == self.last { self.to } else { 1.0 };
        // From the middle of the bin.
        let off = 0.5 * (from + to) - 0.5;
        Part { share: to - from, beside: (if off < 0.0 { -1 } else { 1 }, off.abs()) }
    }
}

// === impl Bins ===

impl Bins {
    /// Writes the bin after the last; bins skipped become gaps.
    pub fn put(&mut self, bin: i64, mean: f64, peak: f64) {
        if self.mean.is_empty() {
            self.first = bin;
            self.first_peak = bin;
        }
        append(&mut self.mean, bin - self.first, mean as f32);
        append(&mut self.peak, bin - self.first_peak, peak as f32);
    }

    /// The mean in a bin.
    pub fn mean(&self, bin: i64) -> Option<f64> {
        Self::get(&self.mean, bin - self.first)
    }

    /// The maximum in a bin.
    pub fn peak(&self, bin: i64) -> Option<f64> {
        Self::get(&self.peak, bin - self.first_peak)
    }

    /// Forgets the means before one bin and the maxima before another.
    pub fn keep_from(&mut self, mean: i64, peak: i64) {
        let drop = usize::try_from(mean - self.first).unwrap_or(0).min(self.mean.len());
        self.mean.drain(..drop);
        self.first += drop as i64;
        let drop = usize::try_from(peak - self.first_peak).unwrap_or(0).min(self.peak.len());
        self.peak.drain(..drop);
        self.first_peak += drop as i64;
    }

    /// Gives back memory that is not used.
    pub fn shrink(&mut self) {
        self.mean.shrink_to_fit();
        self.peak.shrink_to_fit();
    }

    /// The number of the first bin, and the means from it on; NaN is a gap.
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
    /// From one instant to another, read from the calendar.
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

    /// The part from an instant on.
    pub fn tail(&self, from: i64) -> Self {
        let skip =
            usize::try_from(from.div_euclid(self.stretch) - self.first).unwrap_or(0).min(self.slot.len());
        LocalBins {
            first: self.first + skip as i64,
            slot: self.slot.get(skip..).unwrap_or_default().to_vec(),
            ..*self
        }
    }

    /// The bin of the local week at an instant; outside the table the week that is nearest to it repeats.
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
    /// The mean of a bin.
    pub fn mean(&self, bin: i64) -> Option<f64> {
        self.new.mean(bin).or_else(|| self.old.mean(bin))
    }

    /// The maximum of a bin.
    pub fn peak(&self, bin: i64) -> Option<f64> {
        self.new.peak(bin).or_else(|| self.old.peak(bin))
    }

    /// The load at an instant, on the line between the middles of the two bins around it. The mean of one bin alone
    /// would be up to half a bin late on a ramp.
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

    /// The largest load of the slots after one instant and up to another, as far as bins tell; `None` if all are gaps.
    pub fn peak_between(&self, from: i64, to: i64) -> Option<f64> {
        Window::new((self.step, self.bin), from, to)
            .bins()
            .filter_map(|part| self.part_peak(part, i64::MAX))
            .reduce(f64::max)
    }

    /// The largest load of a part of a bin; no bin after `known` is used. For a whole bin it is the bin's maximum. For a
    /// part it lies between the mean there and that maximum, by the size of the part, so that the peak of a moving window
    /// does not jump when the window touches one more bin.
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

    /// The same time of day some whole days before `time`: the nearest such day at or before `until`.
    pub fn lag(&self, time: i64, period: i64, until: i64) -> Option<f64> {
        let back = ((time - until + period - 1).div_euclid(period)).max(1);
        self.mean_about(time - back * period)
    }
}
