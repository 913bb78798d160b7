//! The load per replica at which an objective begins to be missed.
//!
//! Each cell gets a score: how far above the objective it lies, on a logarithmic scale and cut at both sides, so that
//! one terrible minute says no more than a bad one. Scores may only rise with the load (isotonic regression, by pooling
//! adjacent violators: Ayer et al. 1955); the knee is where they cross zero, on a line through what lies around.

use ndarray::Array2;

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
    /// Twice the latency of quiet times: where nobody said what is good, the point from which on work waits.
    TwiceQuiet,
}

/// One cell as the knee sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Its instant, in seconds.
    pub at: i64,
    /// Load of a replica.
    pub each: f64,
    /// Load of all.
    pub total: f64,
    pub replicas: f64,
    /// From -1, well within the objective, to 1, well beyond it.
    pub score: f64,
    pub block: usize,
}

/// Scores over bins of a load, never falling.
#[derive(Debug, Clone)]
pub(super) struct Rise {
    /// Mean load, mean score, cells, fitted score of each bin that holds any.
    pub bins: Vec<[f64; 4]>,
    fitted: Vec<f64>,
    top: f64,
}

/// A score of 1 lies by this ratio above the objective.
const RATIO: f64 = 1.5;
/// Shares of failures vary by more.
const SHARE_RATIO: f64 = 3.0;
/// What counts as no failure, so that a share of nothing has a logarithm.
const NO_SHARE: f64 = 1e-5;
/// Scores up to here lie on the slope around the knee.
const SLOPE: f64 = 0.7;
/// The fewest cells on each side of a knee.
const FEWEST: usize = 3;
const FEWEST_CELLS: usize = 12;

/// The knee of an objective: the largest load of a replica that is likely to meet it.
pub(super) fn knee(points: &[Point], top: f64) -> Result<Estimate, Why> {
    if points.len() < FEWEST_CELLS {
        return Err(Why::TooFew { cells: points.len(), expected: FEWEST_CELLS });
    }
    let missed = points.iter().filter(|point| point.score > 0.0).count();
    if missed < FEWEST {
        return Err(Why::NeverMissed { seen: top });
    }
    let sums = sums(points, |point| point.each);
    let rise = Rise::of(&sums, None);
    let ordered = doubt::ordered(points);
    let falls = doubt::load_falls(points);
    if ordered < doubt::LEAST_ORDERED {
        return Err(Why::DoesNotRise { ordered, load_falls: falls });
    }
    let Some(value) = rise.crossing() else {
        // Never above zero in the fit: misses are there, but rare at every load.
        let is_high = rise.bins.first().is_some_and(|bin| bin[3] >= 0.0);
        return Err(if is_high { Why::MissedAtRest } else { Why::NeverMissed { seen: top } });
    };
    doubt::judge(points, &rise, value)?;
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
    let point = |i: usize| Point {
        at: cells.at[i].epoch(),
        each: cells.each(i),
        total: cells.get(i, Column::Load),
        replicas: cells.replicas(i),
        score: score(i),
        block: blocks[i],
    };
    (0..cells.len()).filter(known).map(point).collect()
}

/// The limit in seconds of twice the latency of the quiet third of the cells.
pub(super) fn twice_quiet(cells: &Cells) -> Option<f64> {
    let third = spread::quantile(cells, 1.0 / 3.0);
    let quiet = (0..cells.len()).filter(|&i| cells.each(i) <= third).map(|i| cells.get(i, Column::Latency));
    let mut quiet: Vec<f64> = quiet.filter(|seconds| *seconds > 0.0).collect();
    if quiet.is_empty() {
        return None;
    }
    let middle = quiet.len() / 2;
    Some(2.0 * *quiet.select_nth_unstable_by(middle, f64::total_cmp).1)
}

fn score(ratio: f64, one: f64) -> f64 {
    (ratio.ln() / one.ln()).clamp(-1.0, 1.0)
}

/// Cells, their loads and scores by block and bin.
pub(super) struct Sums {
    count: Array2<f64>,
    load: Array2<f64>,
    score: Array2<f64>,
    top: f64,
}

pub(super) fn sums(points: &[Point], load: impl Fn(&Point) -> f64) -> Sums {
    let top = points.iter().map(&load).fold(f64::MIN_POSITIVE, f64::max);
    let zero = || Array2::<f64>::zeros((BLOCKS, BINS));
    let mut sums = Sums { count: zero(), load: zero(), score: zero(), top };
    for point in points {
        let at = [point.block, spread::bin(load(point), top)];
        sums.count[at] += 1.0;
        sums.load[at] += load(point);
        sums.score[at] += point.score;
    }
    sums
}

// === impl Rise ===

impl Rise {
    /// The fit over all blocks but one.
    pub(super) fn of(sums: &Sums, without: Option<usize>) -> Rise {
        let of = |table: &Array2<f64>, bin: usize| -> f64 {
            (0..BLOCKS).filter(|block| Some(*block) != without).map(|block| table[[block, bin]]).sum()
        };
        let filled: Vec<usize> = (0..BINS).filter(|&bin| of(&sums.count, bin) > 0.0).collect();
        let mut bins: Vec<[f64; 4]> = Vec::with_capacity(filled.len());
        // Pools of mean score, cells, bins.
        let mut pools: Vec<(f64, f64, usize)> = Vec::with_capacity(filled.len());
        for &bin in &filled {
            let count = of(&sums.count, bin);
            let (load, score) = (of(&sums.load, bin) / count, of(&sums.score, bin) / count);
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
        Rise { bins, fitted, top: sums.top }
    }

    /// The fitted score at a load.
    pub(super) fn at(&self, load: f64) -> f64 {
        self.fitted[spread::bin(load, self.top)]
    }

    /// Squared distance of the scores from the fit.
    pub(super) fn misfit(&self, points: &[Point], load: impl Fn(&Point) -> f64) -> f64 {
        points.iter().map(|point| (point.score - self.at(load(point))).powi(2)).sum()
    }

    /// Where the fit crosses zero: `None` where it never does, or lies above it from the start.
    pub(super) fn crossing(&self) -> Option<f64> {
        let first = self.bins.iter().position(|bin| bin[3] >= 0.0).filter(|first| *first > 0)?;
        let begin = self.bins[..first].iter().rposition(|bin| bin[3] <= -SLOPE).unwrap_or(0);
        let after = self.bins[first..].iter().position(|bin| bin[3] >= SLOPE);
        let end = after.map_or(self.bins.len() - 1, |after| first + after);
        let around = &self.bins[begin..=end];
        // Each bin by the root of its cells: the crowd below the knee does not decide alone.
        let (mut w, mut x, mut y, mut xx, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for [load, score, count, _] in around {
            let (at, weight) = (load.ln(), count.sqrt());
            w += weight;
            x += weight * at;
            y += weight * score;
            xx += weight * at * at;
            xy += weight * at * score;
        }
        let slope = (w * xy - x * y) / (w * xx - x * x);
        let crossing = ((x - y / slope) / w).exp();
        let (low, high) = (self.bins[begin][0], self.bins[end][0]);
        if slope > 0.0 && crossing.is_finite() {
            return Some(crossing.clamp(low, high));
        }
        let (before, at) = (self.bins[first - 1], self.bins[first]);
        Some(before[0] + (at[0] - before[0]) * before[3] / (before[3] - at[3]))
    }
}
