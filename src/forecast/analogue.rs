//! Analogues: the times in the last two weeks that looked most like the last three hours, and the load that followed.
//!
//! The method is k nearest neighbours (Lorenz 1969) on bin means. The shape of the last hours is 13 block means: the
//! newest blocks are the shortest and have the largest weights. The difference in time of day counts as well. The load
//! that followed a neighbour is moved by a share of the difference between the present load and the neighbour's. The
//! mean over the neighbours is one expert; their quantiles are one more member of the pool.
//!
//! Bins are stored, shapes are not. Neighbours are searched for each trial that is judged, and in the tracker once per
//! bin. Analogues lowered the loss only at fine steps, so coarser steps have none. No sample after the origin is used,
//! except in the unit of the distance: in the backcast it is the variance over the whole window.

use ndarray::{Array2, Axis};

use super::bins::{Past, Window, between};
use super::levels::{L, LEVELS, MEDIAN};
use super::now::Now;
use super::tasks::{DAY, Plan, Task};

/// The nearest neighbours of a completed bin, nearest first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Near {
    /// The completed bin and its mean.
    bin: i64,
    mean: f32,
    /// How many bins back each neighbour lies; the first `len` entries are filled.
    back: [u16; MOST],
    /// The mean of each neighbour's bin.
    means: [f32; MOST],
    len: usize,
    /// How many neighbours are used: the nearest whose sequel is known.
    wanted: usize,
}

/// The load that followed the neighbours: mean, quantiles and mean absolute deviation from the median, on the
/// variance-stabilised scale.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Followed {
    pub mean: f32,
    pub q: [f32; L],
    pub spread: f32,
}

/// The past in which neighbours are searched: consecutive bins, with means over one, two and six bins.
#[derive(Debug)]
pub(super) struct Library {
    first: i64,
    blocks: Array2<f32>,
    /// Variance of the bin means: the unit of the distance, in which differences of shape and of time of day are added.
    variance: f32,
    per_day: usize,
}

/// The analogues of the slots of a window. Each slot is searched once, when it is first asked for.
#[derive(Debug)]
pub(super) struct Analogues<'a> {
    plan: &'a Plan,
    past: Past<'a>,
    start: i64,
    library: Library,
    near: Vec<Option<Option<Box<Near>>>>,
    origins: usize,
}

/// The block means of a shape: the index of the width in [`WIDTHS`], and how many bins before the newest the block ends.
const SHAPE: [(usize, usize); 13] = [
    (0, 0),
    (0, 1),
    (0, 2),
    (0, 3),
    (0, 4),
    (0, 5),
    (1, 6),
    (1, 8),
    (1, 10),
    (2, 12),
    (2, 18),
    (2, 24),
    (2, 30),
];
const WIDTHS: [usize; 3] = [1, 2, 6];
/// How many bins a shape covers.
const REACH: usize = 36;
/// The coarsest step with analogues, in seconds. With coarser steps there are too few bins to find near neighbours.
const COARSE: i64 = 600;
/// Neighbours are searched up to this many days back (bin means are kept for two weeks), and within this many seconds of
/// the same time of day.
const DAYS: usize = 13;
const AROUND: i64 = 2 * 3_600;
/// Weight of the distance in time of day. A difference of about 45 minutes counts as much as a difference of one
/// standard deviation in the newest bin. Without it, neighbours would bring in the daily pattern of another time of day.
const CLOCK: f32 = 60.0;
/// How many neighbours are used: this share of the bins, within these bounds.
const SHARE: f64 = 0.004;
const COUNT: (usize, usize) = (10, 16);
/// How many neighbours are kept: twice as many as are used, since the sequels of some are not known yet.
const MOST: usize = 2 * COUNT.1;
/// With fewer known sequels than this there is no answer.
const FEWEST: usize = 6;
/// The share of the difference between the present bin and the neighbour's by which the neighbour's sequel is moved.
const MOVED: f32 = 0.6;

/// Whether a task has analogues. At far horizons the last hours say little, and the search costs as much as at near ones.
fn has_analogues(plan: &Plan, task: &Task) -> bool {
    plan.step <= COARSE && !task.is_far(plan)
}

// === impl Library ===

impl Library {
    /// From the means of consecutive bins. The first bin has the number `first`; NaN is a gap.
    pub fn new(plan: &Plan, first: i64, means: impl Iterator<Item = f32>) -> Self {
        let means: Vec<f32> = if plan.step <= COARSE { means.collect() } else { Vec::new() };
        let mut blocks = Array2::from_elem((WIDTHS.len(), means.len()), f32::NAN);
        for (mut row, width) in blocks.axis_iter_mut(Axis(0)).zip(WIDTHS) {
            for (block, bins) in row.iter_mut().skip(width - 1).zip(means.windows(width)) {
                *block = bins.iter().sum::<f32>() / width as f32;
            }
        }
        let known = || means.iter().filter(|v| !v.is_nan());
        let n = known().count().max(1) as f32;
        let mean = known().sum::<f32>() / n;
        let variance = known().map(|v| (v - mean) * (v - mean)).sum::<f32>() / n;
        let per_day = usize::try_from(DAY / plan.bin).unwrap_or(1);
        Library { first, blocks, variance: variance.max(1e-9), per_day }
    }

    /// The nearest neighbours of a bin among the bins before it; `None` in a gap or with too few bins.
    pub fn near(&self, bin: i64) -> Option<Near> {
        let last = usize::try_from(bin - self.first).ok().filter(|&last| last < self.blocks.ncols())?;
        let mean = self.blocks[[0, last]];
        if mean.is_nan() || last < 2 * REACH {
            return None;
        }
        let wanted = ((last.min((DAYS + 1) * self.per_day) as f64 * SHARE) as usize).clamp(COUNT.0, COUNT.1);
        let nearest = self.nearest(last, 2 * wanted);
        let len = nearest.len();
        let (mut back, mut means) = ([0; MOST], [0.0; MOST]);
        for ((back, then), found) in back.iter_mut().zip(&mut means).zip(nearest) {
            let place = (found & 0xffff_ffff) as usize;
            (*back, *then) = ((last - place) as u16, self.blocks[[0, place]]);
        }
        Some(Near { bin, mean, back, means, len, wanted })
    }

    /// The nearest candidates, at most `most`, in ascending order of distance. Each is one integer: the bits of the
    /// distance above, the index of the bin below.
    fn nearest(&self, last: usize, most: usize) -> Vec<u64> {
        let quarter = self.per_day as f32 / 4.0;
        let clock = CLOCK * self.variance / (quarter * quarter);
        let around = (AROUND * self.per_day as i64 / DAY) as usize;
        let present = SHAPE.map(|(width, before)| self.blocks[[width, last - before]]);
        let mut found: Vec<u64> = Vec::with_capacity(4 * around + most);
        let mut distance = vec![0.0f32; 2 * around + 1];
        let mut farthest = f32::MAX;
        for day in 0..=DAYS {
            let Some(centre) = last.checked_sub(day * self.per_day) else { break };
            let from = centre.saturating_sub(around).max(REACH);
            let to = if day == 0 { last - 1 } else { centre + around + 1 }.min(last - 1);
            if to <= from {
                continue;
            }
            let Some(distance) = distance.get_mut(..to - from) else { continue };
            for (i, d) in distance.iter_mut().enumerate() {
                let away = (from + i) as f32 - centre as f32;
                *d = clock * away * away;
            }
            for ((weight, present), (width, before)) in (1u8..).zip(present).zip(SHAPE) {
                if present.is_nan() {
                    continue;
                }
                let weight = 1.0 / f32::from(weight);
                let row = self.blocks.row(width);
                // A row is contiguous: the loop over a slice is vectorised.
                let past = row.as_slice().and_then(|row| row.get(from - before..to - before));
                for (d, x) in distance.iter_mut().zip(past.unwrap_or_default()) {
                    *d += weight * ((x - present) * (x - present));
                }
            }
            // Distances are not negative, so their bits sort as they do. A gap gives NaN, which the comparison drops.
            let near = distance.iter().enumerate().filter(|(_, d)| **d <= farthest);
            found.extend(near.map(|(i, d)| u64::from(d.to_bits()) << 32 | (from + i) as u64));
            if found.len() > most {
                let (_, last, _) = found.select_nth_unstable(most - 1);
                farthest = f32::from_bits((*last >> 32) as u32);
                found.truncate(most);
            }
        }
        found.sort_unstable();
        found
    }
}

// === impl Analogues ===

impl<'a> Analogues<'a> {
    /// For a window that begins at `start`, with its number of slots and of origins.
    pub fn new(plan: &'a Plan, past: Past<'a>, start: i64, (slots, origins): (usize, usize)) -> Self {
        let (first, means) = past.old.means();
        Analogues {
            plan,
            past,
            start,
            library: Library::new(plan, first, means),
            near: vec![None; slots],
            origins,
        }
    }

    /// How many origins the window has.
    pub fn origins(&self) -> usize {
        self.origins
    }

    /// The task's target as it followed the neighbours of a slot; no sample after the slot is used.
    pub fn followed(&mut self, task: &Task, slot: usize) -> Option<Followed> {
        if !has_analogues(self.plan, task) {
            return None;
        }
        let at = self.start + slot as i64 * self.plan.step;
        let near = self.near.get_mut(slot)?;
        let near = near.get_or_insert_with(|| self.library.near(completed(self.plan, at)).map(Box::new));
        let ahead = task.steps as i64 * self.plan.step;
        near.as_ref()?.followed(self.plan, &self.past, task, (at, ahead))
    }
}

/// The bin that the slot at this instant completes; if it completes none, the last completed bin before it.
pub(super) fn completed(plan: &Plan, at: i64) -> i64 {
    (at + plan.step).div_euclid(plan.bin) - 1
}

// === impl Near ===

impl Near {
    /// The nearest neighbours of the bin that the present slot completes; `None` if it completes none.
    pub fn of(plan: &Plan, past: &Past<'_>, now: &Now) -> Option<Self> {
        let (bin, mean) = now.completes(plan)?;
        if plan.step > COARSE {
            return None;
        }
        let first = past.old.means().0.max(bin - (DAYS as i64 + 1) * (DAY / plan.bin));
        let means = (first..bin).map(|bin| past.mean(bin)).chain([mean]);
        Library::new(plan, first, means.map(|mean| mean.map_or(f32::NAN, |z| z as f32))).near(bin)
    }

    /// The task's target, `ahead` seconds after the slot at `at`, as it followed the neighbours; `None` if too few of
    /// their sequels are known.
    pub fn followed(
        &self,
        plan: &Plan,
        past: &Past<'_>,
        task: &Task,
        (at, ahead): (i64, i64),
    ) -> Option<Followed> {
        if !has_analogues(plan, task) || completed(plan, at) != self.bin {
            return None;
        }
        let sequel = Sequel::new(plan, task.peak, at, ahead);
        let mut values = [0.0f32; COUNT.1];
        let mut n = 0;
        for (&back, then) in self.back.get(..self.len)?.iter().zip(self.means) {
            let Some(sequel) = sequel.earlier(past, i64::from(back), self.bin - 1) else { continue };
            values[n] = sequel + MOVED * (self.mean - then);
            n += 1;
            if n == self.wanted {
                break;
            }
        }
        if n < FEWEST {
            return None;
        }
        let values = values.get_mut(..n)?;
        let count = n as f32;
        let mean = values.iter().sum::<f32>() / count;
        values.sort_unstable_by(f32::total_cmp);
        let q = LEVELS.map(|level| {
            let place = level as f32 * (count - 1.0);
            let below = place as usize;
            let (a, b) = (values[below], values[(below + 1).min(n - 1)]);
            a + (place - below as f32) * (b - a)
        });
        let spread = values.iter().map(|v| (v - q[MEDIAN]).abs()).sum::<f32>() / count;
        Some(Followed { mean, q, spread })
    }
}

/// Where the target of a task lies, in bins.
#[derive(Debug, Clone, Copy)]
enum Sequel {
    /// An instant between the middles of two bins: the first bin, and how far the instant lies towards the second.
    Point(i64, f32),
    /// A window, and for how many bins back maxima are kept.
    Peak(Window, i64),
}

impl Sequel {
    fn new(plan: &Plan, is_peak: bool, at: i64, ahead: i64) -> Self {
        let grid = (plan.step, plan.bin);
        if is_peak {
            return Sequel::Peak(Window::new(grid, at, at + ahead), 7 * DAY / plan.bin);
        }
        let (first, share) = between(grid, at + ahead);
        Sequel::Point(first, share as f32)
    }

    /// The load at the target, or the peak load of the window, `back` bins earlier; `None` if it needs a bin after
    /// `known`, or lies in a gap.
    fn earlier(self, past: &Past<'_>, back: i64, known: i64) -> Option<f32> {
        match self {
            Sequel::Point(first, share) => {
                let (first, last) = (first - back, first - back + i64::from(share > 0.0));
                if last > known {
                    return None;
                }
                let a = past.mean(first)? as f32;
                if first == last { Some(a) } else { Some(a + share * (past.mean(last)? as f32 - a)) }
            }
            Sequel::Peak(window, kept) => {
                if window.last - back > known || back > kept {
                    return None;
                }
                let mut highest = f64::MIN;
                for (bin, part) in window.bins() {
                    highest = highest.max(past.part_peak((bin - back, part), known)?);
                }
                Some(highest as f32)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Span, Step};

    fn plan() -> Plan {
        Plan::new(Step::new(Span::minutes(5)).expect("a step"), 10_000)
    }

    /// Bin means of some days. Every second day has its burst at another time of day.
    fn means(days: i64) -> Vec<f32> {
        (0..288 * days)
            .map(|i| {
                let (day, bin) = (i / 288, i % 288);
                let at = if day % 2 == 0 { 100 } else { 160 };
                1.0 + f32::from(u8::from((at..at + 24).contains(&bin))) + 0.01 * ((i * 37 % 11) as f32)
            })
            .collect()
    }

    #[test]
    fn the_days_that_looked_alike_are_nearest() {
        let library = Library::new(&plan(), 0, means(12).into_iter());
        // An hour into the burst of an even day: the nearest neighbours are the same hours of even days.
        let bin = 10 * 288 + 112;
        let near = library.near(bin).expect("neighbours");
        assert!(near.len >= near.wanted && near.wanted >= COUNT.0);
        for back in near.back.get(..near.wanted).expect("as many as wanted") {
            let day = (bin - i64::from(*back)) / 288;
            assert_eq!(day % 2, 0, "{back} bins back");
        }
    }

    #[test]
    fn a_gap_and_a_young_load_have_no_neighbours() {
        let mut bins = means(4);
        bins[700] = f32::NAN;
        let library = Library::new(&plan(), 0, bins.into_iter());
        assert_eq!(library.near(700), None);
        assert_eq!(library.near(40), None);
        assert_eq!(library.near(5_000), None);
        assert!(
            library.near(900).is_some_and(|near| near.means[..near.len].iter().all(|mean| mean.is_finite()))
        );
    }

    #[test]
    fn nothing_after_the_bin_is_looked_at() {
        let library =
            |bins: Vec<f32>| Library { variance: 0.1, ..Library::new(&plan(), 0, bins.into_iter()) };
        let all = means(8);
        let mut changed = all.clone();
        changed[1_801..].fill(9.0);
        assert_eq!(library(all).near(1_800), library(changed).near(1_800));
    }
}
