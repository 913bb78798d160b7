//! Analogues: the times of the past fortnight that looked most like the last hours, and what followed them.
//!
//! k nearest neighbours (Lorenz 1969) over the means of bins: the shape of the last hours as 13 block means, the newest
//! the finest and the heaviest, and the distance in time of day. What followed each neighbour, moved by a share of what
//! the present differs from it, is an expert (their mean) and a member of its own (their quantiles). Bins are kept,
//! shapes are not; who was near is searched where it is judged and once a bin at the live end. Only fine steps gain, so
//! coarser ones have no analogues. Nothing after the origin is ever looked at.

use ndarray::{Array2, Axis};

use super::bins::{Past, Window, between};
use super::now::Now;
use super::pool::{L, LEVELS, MEDIAN};
use super::tasks::{DAY, Plan, Task};

/// Neighbours of a completed bin, nearest first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Near {
    /// The bin that was completed, and its mean.
    bin: i64,
    mean: f32,
    /// Bins back from it, so many of them filled.
    back: [u16; MOST],
    /// Their means.
    means: [f32; MOST],
    len: usize,
    /// How many of them count.
    wanted: usize,
}

/// What followed the neighbours: mean, quantiles and mean distance from the median, on the variance-stabilised scale.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Followed {
    pub mean: f32,
    pub q: [f32; L],
    pub spread: f32,
}

/// Consecutive bins as means over one, two and six of them: what is searched.
#[derive(Debug)]
pub(super) struct Library {
    first: i64,
    blocks: Array2<f32>,
    /// Variance of the bins: the unit in which shapes and times of day are far apart.
    variance: f32,
    per_day: usize,
}

/// The analogues of past slots, each searched once.
#[derive(Debug)]
pub(super) struct Analogues<'a> {
    plan: &'a Plan,
    past: Past<'a>,
    start: i64,
    library: Library,
    near: Vec<Option<Option<Box<Near>>>>,
    origins: usize,
}

/// The block means of a shape: which width, and how many bins before the newest it ends.
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
/// Bins that a shape reaches over.
const REACH: usize = 36;
/// Steps beyond this many seconds have too few bins for neighbours to be near.
const COARSE: i64 = 600;
/// Neighbours are searched so many days back and so many seconds around the time of day: means are kept for a fortnight.
const DAYS: usize = 13;
const AROUND: i64 = 2 * 3_600;
/// A shape 45 minutes away in time of day is as far as one whose newest bin differs by the standard deviation: what
/// follows a neighbour of another time of day is what the clock does there.
const CLOCK: f32 = 60.0;
/// How many neighbours count: a share of the bins, between these.
const SHARE: f64 = 0.004;
const COUNT: (usize, usize) = (10, 16);
/// As many again are kept for those whose sequel is not known yet.
const MOST: usize = 2 * COUNT.1;
/// Fewer sequels than this say nothing.
const FEWEST: usize = 6;
/// What followed is moved by so large a share of the difference between the present and the neighbour.
const MOVED: f32 = 0.6;

/// Whether a task has analogues: far ahead the last hours say little, and the search costs as much.
fn has_analogues(plan: &Plan, task: &Task) -> bool {
    plan.step <= COARSE && !task.is_far(plan)
}

// === impl Library ===

impl Library {
    /// Of consecutive bins, the first numbered `first`; NaN is a gap.
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

    /// The neighbours of a bin among those before it.
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

    /// The nearest candidates, at most so many: their distances and places as integers, ascending.
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
                // A row is contiguous: as a slice it is added up several at a time.
                let past = row.as_slice().and_then(|row| row.get(from - before..to - before));
                for (d, x) in distance.iter_mut().zip(past.unwrap_or_default()) {
                    *d += weight * ((x - present) * (x - present));
                }
            }
            // Distances are not negative, so their bits are in their order; a gap is no distance.
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
    /// Of a window of so many slots, the first at `start`, and so many origins.
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

    /// How many origins were written down.
    pub fn origins(&self) -> usize {
        self.origins
    }

    /// What followed the neighbours of the slot, by what a task is about: nothing after the slot is looked at.
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

/// The bin that the slot at an instant completes, or the last one completed before it.
pub(super) fn completed(plan: &Plan, at: i64) -> i64 {
    (at + plan.step).div_euclid(plan.bin) - 1
}

// === impl Near ===

impl Near {
    /// The neighbours of the bin that the present slot completes; `None` where it completes none.
    pub fn of(plan: &Plan, past: &Past<'_>, now: &Now) -> Option<Self> {
        let (bin, mean) = now.completes(plan)?;
        if plan.step > COARSE {
            return None;
        }
        let first = past.old.means().0.max(bin - (DAYS as i64 + 1) * (DAY / plan.bin));
        let means = (first..bin).map(|bin| past.mean(bin)).chain([mean]);
        Library::new(plan, first, means.map(|mean| mean.map_or(f32::NAN, |z| z as f32))).near(bin)
    }

    /// What followed the neighbours by what a task is about, from the slot at `at` on; `None` where too little did.
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
    /// Between the middles of two bins: the first, and how far towards the second.
    Point(i64, f32),
    /// A window, and the most bins back for which maxima are kept.
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

    /// The load at the target, or the largest until then, as it was some bins earlier; `None` if that reaches beyond the
    /// bin `known`, or into a gap.
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

    /// Days of bins of which every second has its burst at another hour than the days between.
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
        // An hour into the burst of an even day: near are the same hours of even days.
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
