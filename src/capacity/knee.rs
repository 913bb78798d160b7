//! The load per replica at which an objective begins to be missed.
//!
//! Each cell gets a score: how far above the objective it lies, on a logarithmic scale clipped on both sides, so that
//! a terrible minute counts no more than a bad one. Scores may only rise with the load (isotonic regression by
//! pooling adjacent violators: Ayer et al. 1955). The knee is where they come near zero, on a line through the
//! neighbouring bins.

use ndarray::{Array1, Array2, Axis};

use super::cells::Cells;
use super::doubt;
use super::evidence::Column;
use super::spread::{self, BINS, BLOCKS, Estimate};
use super::why::Why;

/// What an objective bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// Latency in seconds.
    Latency(f64),
    /// Share of requests that miss the objective.
    Missed(f64),
    /// Share of requests that fail.
    Failed(f64),
    /// Twice the latency of quiet times: if no objective was given, the point from which on work waits.
    TwiceQuiet,
}

/// One cell as the knee sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Its instant, in seconds.
    pub at: i64,
    /// Load of a replica.
    pub each: f64,
    /// Load of all replicas.
    pub total: f64,
    /// Their logarithms.
    pub logs: [f64; 2],
    pub replicas: f64,
    /// From -1 (well within the objective) to 1 (well beyond it).
    pub score: f64,
    pub block: usize,
    /// The bins of its load per replica and of its total load.
    pub bins: [usize; 2],
}

/// Which load of a point is used.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    /// The load of a replica.
    Each,
    /// The load of all replicas.
    Total,
}

/// Scores over bins of a load; they never fall.
#[derive(Debug, Clone)]
pub(super) struct Rise {
    /// Mean load, mean score, cells, fitted score of each bin that holds any.
    pub bins: Vec<[f64; 4]>,
    fitted: Vec<f64>,
}

/// A score of 1 means this ratio above the objective.
const RATIO: f64 = 1.5;
/// The knee lies a little below the objective: minutes scatter, and a long-run percentile is above the median of the
/// one-minute percentiles.
pub(super) const LEVEL: f64 = -0.1;
/// Shares of failures vary by more.
const SHARE_RATIO: f64 = 3.0;
/// Added to a share of failures, so that a share of zero has a logarithm.
const NO_SHARE: f64 = 1e-5;
/// Neighbours of the knee lie within this ratio of loads (as a logarithm), at least two on each side ...
const NEAR: f64 = 0.08;
/// ... unless they are further away than this.
const NEAREST: f64 = 0.3;
/// The fewest cells on each side of a knee.
const FEWEST: usize = 3;
const FEWEST_CELLS: usize = 12;

/// The knee of an objective: the largest load of a replica that is likely to meet it.
pub(super) fn knee(points: &[Point], top: f64) -> Result<Estimate, Why> {
    if points.len() < FEWEST_CELLS {
        return Err(Why::TooFew { cells: points.len(), expected: FEWEST_CELLS });
    }
    if points.iter().filter(|point| point.score > 0.0).count() < FEWEST {
        return Err(Why::NeverMissed { seen: top });
    }
    let sums = sums(points, By::Each);
    let rise = Rise::of(&sums, None);
    let value = doubt::judged(points, &rise, top)?;
    let without: Vec<Option<f64>> = (0..BLOCKS).map(|out| Rise::of(&sums, Some(out)).crossing()).collect();
    Ok(spread::jackknife(value, &without))
}

/// The cells with a score.
pub(super) fn points(cells: &Cells, limit: Limit) -> Vec<Point> {
    let blocks = spread::blocks(cells);
    let score = |i: usize| match limit {
        Limit::Latency(seconds) => score(cells.get(i, Column::Latency).max(1e-9) / seconds, RATIO),
        Limit::Missed(share) => {
            score((cells.get(i, Column::Missed) + NO_SHARE) / (share + NO_SHARE), SHARE_RATIO)
        }
        Limit::Failed(share) => {
            let failed = cells.get(i, Column::Errors) / cells.get(i, Column::Load);
            score((failed + NO_SHARE) / (share + NO_SHARE), SHARE_RATIO)
        }
        Limit::TwiceQuiet => f64::NAN,
    };
    let known = |i: &usize| match limit {
        Limit::Failed(_) => !cells.get(*i, Column::Errors).is_nan(),
        Limit::Missed(_) => !cells.get(*i, Column::Missed).is_nan(),
        _ => !cells.get(*i, Column::Latency).is_nan(),
    };
    let known: Vec<usize> = (0..cells.len()).filter(known).collect();
    let logs: Vec<[f64; 2]> =
        known.iter().map(|&i| [cells.log_each[i], cells.get(i, Column::Load).ln()]).collect();
    let top: [f64; 2] =
        std::array::from_fn(|by| logs.iter().map(|log| log[by]).fold(f64::NEG_INFINITY, f64::max));
    let point = |(&i, &logs): (&usize, &[f64; 2])| Point {
        at: cells.at[i].epoch(),
        each: cells.each(i),
        total: cells.get(i, Column::Load),
        logs,
        replicas: cells.replicas(i),
        score: score(i),
        block: blocks[i],
        bins: std::array::from_fn(|by| spread::bin(logs[by], top[by])),
    };
    known.iter().zip(&logs).map(point).collect()
}

/// Twice the latency of quiet times, in seconds; the quietest tenth of the cells counts as quiet.
pub(super) fn twice_quiet(cells: &Cells) -> Option<f64> {
    let known = |i: &usize| cells.get(*i, Column::Latency) > 0.0;
    let mut cells_by_load: Vec<(f64, f64)> =
        (0..cells.len()).filter(known).map(|i| (cells.each(i), cells.get(i, Column::Latency))).collect();
    let quiet = (cells_by_load.len() / 10).max(FEWEST).min(cells_by_load.len());
    let last = quiet.checked_sub(1)?;
    cells_by_load.select_nth_unstable_by(last, |a, b| a.0.total_cmp(&b.0));
    let quiet = &mut cells_by_load[..quiet];
    let middle = quiet.len() / 2;
    Some(2.0 * quiet.select_nth_unstable_by(middle, |a, b| a.1.total_cmp(&b.1)).1.1)
}

fn score(ratio: f64, one: f64) -> f64 {
    (ratio.ln() / one.ln()).clamp(-1.0, 1.0)
}

/// The number of cells, and the sums of their loads and scores, by block and bin.
pub(super) struct Sums([Table; 3]);

struct Table {
    by_block: Array2<f64>,
    all: Array1<f64>,
}

pub(super) fn sums(points: &[Point], by: By) -> Sums {
    let zero = || Array2::<f64>::zeros((BLOCKS, BINS));
    let [mut count, mut load, mut score] = [zero(), zero(), zero()];
    for point in points {
        let at = [point.block, point.bins[by as usize]];
        count[at] += 1.0;
        load[at] += point.load(by);
        score[at] += point.score;
    }
    Sums([count, load, score].map(|by_block| Table { all: by_block.sum_axis(Axis(0)), by_block }))
}

// === impl Point ===

impl Point {
    fn load(&self, by: By) -> f64 {
        match by {
            By::Each => self.each,
            By::Total => self.total,
        }
    }
}

// === impl Rise ===

impl Rise {
    /// The fit over all blocks except one.
    pub(super) fn of(sums: &Sums, without: Option<usize>) -> Rise {
        // Counts are whole numbers, so a bin that only the left out block fills is exactly empty.
        let [counts, loads, scores] = sums.0.each_ref().map(|table| match without {
            Some(block) => &table.all - &table.by_block.row(block),
            None => table.all.clone(),
        });
        let filled: Vec<usize> = (0..BINS).filter(|&bin| counts[bin] > 0.0).collect();
        let mut bins: Vec<[f64; 4]> = Vec::with_capacity(filled.len());
        // Pools of mean score, cells, bins.
        let mut pools: Vec<(f64, f64, usize)> = Vec::with_capacity(filled.len());
        for &bin in &filled {
            let count = counts[bin];
            let (load, score) = (loads[bin] / count, scores[bin] / count);
            bins.push([load, score, count, score]);
            let mut pool = (score, count, 1);
            while let Some(last) = pools.last().copied().filter(|last| last.0 >= pool.0) {
                let weight = last.1 + pool.1;
                pool = ((last.0 * last.1 + pool.0 * pool.1) / weight, weight, last.2 + pool.2);
                pools.pop();
            }
            pools.push(pool);
        }
        let fits = pools.iter().flat_map(|pool| std::iter::repeat_n(pool.0, pool.2));
        bins.iter_mut().zip(fits).for_each(|(bin, fit)| bin[3] = fit);
        let mut fitted = vec![-1.0; BINS];
        let mut next = filled.iter().zip(&bins).peekable();
        let mut last = bins.first().map_or(-1.0, |bin| bin[3]);
        for (bin, fit) in fitted.iter_mut().enumerate() {
            if let Some((_, found)) = next.next_if(|(filled, _)| **filled == bin) {
                last = found[3];
            }
            *fit = last;
        }
        Rise { bins, fitted }
    }

    /// The fitted score of a point.
    pub(super) fn at(&self, point: &Point, by: By) -> f64 {
        self.fitted[point.bins[by as usize]]
    }

    /// The squared distance of the scores from the fit.
    pub(super) fn misfit(&self, points: &[Point], by: By) -> f64 {
        points.iter().map(|point| (point.score - self.at(point, by)).powi(2)).sum()
    }

    /// The load at which the fit crosses the level of the knee; `None` if it never does, or is above it from the
    /// start.
    pub(super) fn crossing(&self) -> Option<f64> {
        let first = self.bins.iter().position(|bin| bin[3] >= LEVEL).filter(|first| *first > 0)?;
        let ([below, .., low], [above, .., high]) = (self.bins[first - 1], self.bins[first]);
        let step = below.ln() + (above / below).ln() * (LEVEL - low) / (high - low);
        // A line through the neighbours of the step. Both sides have the same weight, so the many cells below do not
        // dominate.
        let near = |bins: &mut dyn Iterator<Item = &[f64; 4]>| {
            let mut some: Vec<[f64; 3]> = Vec::new();
            for [load, score, count, _] in bins {
                let far = (load.ln() - step).abs();
                if (far > NEAR && some.len() >= 2) || (far > NEAREST && !some.is_empty()) {
                    break;
                }
                some.push([load.ln() - step, *score, count.sqrt()]);
            }
            let all: f64 = some.iter().map(|bin| bin[2]).sum();
            some.iter_mut().for_each(|bin| bin[2] /= all);
            some
        };
        let mut around = near(&mut self.bins[..first].iter().rev());
        around.extend(near(&mut self.bins[first..].iter()));
        let (mut w, mut x, mut y, mut xx, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for [at, score, weight] in &around {
            w += weight;
            x += weight * at;
            y += weight * score;
            xx += weight * at * at;
            xy += weight * at * score;
        }
        let slope = (w * xy - x * y) / (w * xx - x * x);
        let moved = (x - (y - LEVEL * w) / slope) / w;
        let reach = around.iter().fold((0.0, 0.0), |(l, h), bin| (f64::min(l, bin[0]), f64::max(h, bin[0])));
        let moved = if slope > 0.0 && moved.is_finite() { moved.clamp(reach.0, reach.1) } else { 0.0 };
        Some((step + moved).exp())
    }
}
