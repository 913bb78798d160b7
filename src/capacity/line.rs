//! CPU of a replica as a linear function of its load: what it takes at rest, and what each unit of load adds.
//!
//! The fit is a Huber regression (1964), so that a backup or a compiler run in one pod does not bend it. Every
//! stretch of the load has the same weight, however long it lasted: a month of constant load does not drown an hour
//! of a planned squeeze, and the noise of many similar cells does not flatten the slope. If the relation is bent,
//! only the part around the answer is used.

use ndarray::{Array1, Array2, Axis};

use super::cells::Cells;
use super::evidence::Column;
use super::spread::{self, BLOCKS, Estimate};
use super::why::Why;

/// The answer from CPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CpuFit {
    /// Cores of one replica at rest.
    pub base: f64,
    /// Cores for each unit of load.
    pub slope: f64,
    /// How well CPU follows the load, at most 1.
    pub correlation: f64,
    /// The load of a replica at the wanted utilization.
    pub carried: Estimate,
    /// The answer divided by the largest load that was seen for a while; above 1 it lies beyond what was seen.
    pub beyond: f64,
}

/// The points of a line: design matrix, cores, weights, blocks.
struct Points {
    /// Columns: 1 and the load.
    design: Array2<f64>,
    cores: Array1<f64>,
    /// The stretch of the load that each point lies in.
    stretches: Vec<usize>,
    /// How long each point is.
    minutes: f64,
    weights: Array1<f64>,
    block: Vec<usize>,
}

/// Sums of a weighted line: weight, x, y, x², x·y, y².
type Sums = [f64; 6];

/// Huber's constant: 95 % efficient where errors are normal.
const HUBER: f64 = 1.345;
const ROUNDS: usize = 8;
/// Below this, CPU follows something other than the load.
const LEAST_CORRELATION: f64 = 0.8;
/// The line is not followed further than this beyond what was seen.
pub(super) const MOST_BEYOND: f64 = 4.0;
const FEWEST: usize = 12;
/// Above this share of throttled periods CPU is capped and follows nothing.
const THROTTLED: f64 = 0.25;
/// How many stretches of the load must lie below and above the one at which replicas become full, and how far those
/// above reach.
const BEFORE_FULL: usize = 6;
const AFTER_FULL: usize = 3;
const FULL_SPAN: f64 = 1.15;
/// Replicas that are full for this long in total are not full by accident.
const FULL_MINUTES: f64 = 15.0;
/// CPU that rises by less than this share of its earlier rate no longer follows the load ...
const FLAT: f64 = 0.3;
/// ... if two lines leave less than this share of what one line leaves unexplained.
const CLEARLY_BENT: f64 = 0.3;
/// A cell is near the answer from half to one and a half times it.
const AROUND: (f64, f64) = (0.5, 1.5);

/// The load at which a replica uses `budget` cores.
pub(super) fn cpu(cells: &Cells, top: f64, budget: f64) -> Result<CpuFit, Why> {
    let mut all = Points::of(cells, f64::INFINITY, |_| true);
    let full = all.full_from().filter(|full| *full < top).unwrap_or(f64::INFINITY);
    if full.is_finite() {
        all = Points::of(cells, full, |_| true);
    }
    if all.block.len() < FEWEST {
        return Err(Why::TooFew { cells: all.block.len(), expected: FEWEST });
    }
    let whole = all.sums();
    let correlation = correlation(&total(&whole));
    if correlation < LEAST_CORRELATION {
        return Err(Why::CpuDoesNotFollow { correlation });
    }
    let (base, slope) = solve(&total(&whole), true).ok_or(Why::CpuDoesNotFollow { correlation })?;
    let rest = jackknifed(&whole, |sums| solve(sums, false).map(|line| line.0));
    // A base well below zero is not a base: each unit of load costs more than the one before.
    let is_bent = rest.1 < -2.0 * rest.0;
    let mut sums = whole;
    let mut at_rest = true;
    let first = if is_bent { solve(&total(&sums), false) } else { Some((base, slope)) };
    let near = first.map_or(top, |(base, slope)| (budget - base) / slope);
    if is_bent || near <= top {
        let local = Points::of(cells, full, |load| load >= AROUND.0 * near && load <= AROUND.1 * near);
        if local.block.len() >= if is_bent { FEWEST / 2 } else { 5 * FEWEST } && local.reaches() {
            sums = local.sums();
            at_rest = false;
        }
    }
    let answer = |sums: &Sums| {
        let (base, slope) = solve(sums, at_rest)?;
        Some((budget - base) / slope).filter(|load| *load > 0.0)
    };
    let value = answer(&total(&sums)).ok_or(Why::NothingLeft { base, budget })?;
    let without: Vec<Option<f64>> = (0..BLOCKS).map(|out| answer(&rest_of(&sums, out))).collect();
    let beyond = value / top;
    if beyond > MOST_BEYOND {
        return Err(Why::FarBeyond { seen: top, line: value });
    }
    // A replica that is full before it uses its budget is full.
    let carried = spread::jackknife(value, &without).held(0.0, full);
    Ok(CpuFit { base, slope, correlation, carried, beyond: carried.value / top })
}

// === impl Points ===

impl Points {
    /// The cells whose load `takes` accepts; a load above `full` uses no more CPU than `full` does.
    fn of(cells: &Cells, full: f64, takes: impl Fn(f64) -> bool) -> Points {
        let block = spread::blocks(cells);
        let is_cut = |i: usize| cells.get(i, Column::Throttled) > THROTTLED;
        let taken: Vec<usize> = (0..cells.len())
            .filter(|&i| !cells.get(i, Column::Cpu).is_nan() && !is_cut(i) && takes(cells.each(i)))
            .collect();
        let loads: Vec<f64> = taken.iter().map(|&i| cells.each(i)).collect();
        let top = taken.iter().map(|&i| cells.log_each[i]).fold(f64::NEG_INFINITY, f64::max);
        // Stretches of 6 %; a stretch with fewer than a handful of cells is weighted by their number.
        let stretches: Vec<usize> = taken.iter().map(|&i| spread::bin(cells.log_each[i], top) / 3).collect();
        let mut crowd = vec![0.0; spread::BINS];
        stretches.iter().for_each(|&stretch| crowd[stretch] += 1.0);
        let handful = (loads.len() as f64 / 200.0).max(3.0);
        let mut design = Array2::ones((taken.len(), 2));
        design.column_mut(1).iter_mut().zip(&loads).for_each(|(x, load)| *x = load.min(full));
        Points {
            design,
            cores: taken.iter().map(|&i| cells.get(i, Column::Cpu) / cells.replicas(i)).collect(),
            weights: stretches.iter().map(|&stretch| 1.0 / f64::max(crowd[stretch], handful)).collect(),
            block: taken.iter().map(|&i| block[i]).collect(),
            stretches,
            minutes: cells.total_minutes() / cells.len().max(1) as f64,
        }
    }

    /// The load from which on CPU no longer rises: replicas are full there, and excess load waits or is lost. `None`
    /// if CPU rises to the end.
    fn full_from(&self) -> Option<f64> {
        let mut by: Vec<(Vec<f64>, f64)> = vec![(Vec::new(), 0.0); spread::BINS];
        for (i, &stretch) in self.stretches.iter().enumerate() {
            by[stretch].0.push(self.cores[i]);
            by[stretch].1 += self.design[[i, 1]];
        }
        let (mut steps, mut minutes): (Vec<[f64; 2]>, Vec<f64>) = (Vec::new(), Vec::new());
        for (cores, loads) in by.iter_mut().filter(|(cores, _)| !cores.is_empty()) {
            let (count, middle) = (cores.len(), cores.len() / 2);
            let median = *cores.select_nth_unstable_by(middle, f64::total_cmp).1;
            steps.push([*loads / count as f64, median]);
            minutes.push(count as f64 * self.minutes);
        }
        let whole = straight(&steps)?;
        let mut best: Option<(f64, f64)> = None;
        for at in BEFORE_FULL..steps.len().saturating_sub(AFTER_FULL - 1) {
            let (below, above) = steps.split_at(at);
            let (Some(rises), Some(flat)) = (straight(below), straight(above)) else { continue };
            let misfit = rises.misfit + flat.misfit;
            let is_wide = above[above.len() - 1][0] > FULL_SPAN * below[at - 1][0];
            let minutes = minutes[at..].iter().sum::<f64>();
            let is_flat = is_wide && flat.slope < FLAT * rises.slope && minutes >= FULL_MINUTES;
            if is_flat && best.is_none_or(|best| misfit < best.0) {
                let meet = (flat.base - rises.base) / (rises.slope - flat.slope);
                best = Some((misfit, meet.clamp(below[at - 1][0], above[above.len() - 1][0])));
            }
        }
        best.filter(|best| best.0 < CLEARLY_BENT * whole.misfit).map(|best| best.1)
    }

    /// Whether the loads differ enough for a separate line: most of them, not just a few.
    fn reaches(&self) -> bool {
        let mut loads = self.design.column(1).to_vec();
        let tenth = loads.len() / 10;
        let last = loads.len() - 1 - tenth;
        let low = *loads.select_nth_unstable_by(tenth, f64::total_cmp).1;
        let high = *loads.select_nth_unstable_by(last, f64::total_cmp).1;
        high > 1.5 * low
    }

    /// The sums of each block, with the final weights of the Huber regression.
    fn sums(&self) -> Array2<f64> {
        let loads = self.design.column(1);
        let mut tamed = Array1::<f64>::ones(self.cores.len());
        for _ in 0..ROUNDS {
            let Some((base, slope)) = solve(&total(&self.blocks(&tamed)), false) else { break };
            let residuals = &self.cores - &(&loads * slope + base);
            let scale = 1.4826 * median_size(&residuals);
            tamed.zip_mut_with(&residuals, |weight, residual| {
                *weight = if residual.abs() <= HUBER * scale { 1.0 } else { HUBER * scale / residual.abs() };
            });
        }
        self.blocks(&tamed)
    }

    fn blocks(&self, tamed: &Array1<f64>) -> Array2<f64> {
        // Plain rows while summing: indexing into a table costs more than the sums themselves.
        let mut sums = [[0.0; 6]; BLOCKS];
        let points = self.design.rows().into_iter().zip(&self.cores);
        let weights = self.weights.iter().zip(tamed).zip(&self.block);
        for ((point, &y), ((weight, tamed), &block)) in points.zip(weights) {
            let (x, w) = (point[1], weight * tamed);
            let terms = [w, w * x, w * y, w * x * x, w * x * y, w * y * y];
            sums[block].iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
        Array2::from(sums.to_vec())
    }
}

/// A least-squares line through points, with the unexplained rest.
struct Straight {
    base: f64,
    slope: f64,
    misfit: f64,
}

fn straight(points: &[[f64; 2]]) -> Option<Straight> {
    let sums = points.iter().fold([0.0; 6], |s: Sums, &[x, y]| {
        [s[0] + 1.0, s[1] + x, s[2] + y, s[3] + x * x, s[4] + x * y, s[5] + y * y]
    });
    let [n, x, y, xx, xy, _] = sums;
    let slope = (n * xy - x * y) / (n * xx - x * x);
    let base = (y - slope * x) / n;
    let misfit = points.iter().map(|&[x, y]| (y - base - slope * x).powi(2)).sum();
    slope.is_finite().then_some(Straight { base, slope, misfit })
}

fn total(sums: &Array2<f64>) -> Sums {
    std::array::from_fn(|k| sums.index_axis(Axis(1), k).iter().sum())
}

fn rest_of(sums: &Array2<f64>, out: usize) -> Sums {
    std::array::from_fn(|k| (0..BLOCKS).filter(|block| *block != out).map(|block| sums[[block, k]]).sum())
}

/// Base and slope; with `at_rest` the base is not below zero. `None` if CPU does not rise.
fn solve(&[w, x, y, xx, xy, _]: &Sums, at_rest: bool) -> Option<(f64, f64)> {
    let spread = w * xx - x * x;
    let slope = (w * xy - x * y) / spread;
    let base = (y - slope * x) / w;
    let line = if at_rest && base < 0.0 { (0.0, xy / xx) } else { (base, slope) };
    (spread > 0.0 && line.1.is_finite() && line.1 > 0.0).then_some(line)
}

fn correlation(&[w, x, y, xx, xy, yy]: &Sums) -> f64 {
    let found = (w * xy - x * y) / ((w * xx - x * x) * (w * yy - y * y)).sqrt();
    if found.is_finite() { found } else { 0.0 }
}

/// An additive jackknife: standard deviation and value.
fn jackknifed(sums: &Array2<f64>, of: impl Fn(&Sums) -> Option<f64>) -> (f64, f64) {
    let value = of(&total(sums)).unwrap_or(0.0);
    let parts: Vec<f64> = (0..BLOCKS).filter_map(|out| of(&rest_of(sums, out))).collect();
    let count = parts.len().max(1) as f64;
    let mean = parts.iter().sum::<f64>() / count;
    let variance = parts.iter().map(|part| (part - mean).powi(2)).sum::<f64>() * (count - 1.0) / count;
    (variance.sqrt(), value)
}

/// The median of the absolute values.
fn median_size(residuals: &Array1<f64>) -> f64 {
    // Non-negative floats have the same order as their bits, which is faster to select from.
    let mut sizes: Vec<u64> = residuals.iter().map(|residual| residual.abs().to_bits()).collect();
    let middle = sizes.len() / 2;
    if sizes.is_empty() { 0.0 } else { f64::from_bits(*sizes.select_nth_unstable(middle).1) }
}
