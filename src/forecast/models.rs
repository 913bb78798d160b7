//! The fitted part of each task: the coefficients of the ridges, the weights of the stack, and the scale of the error.

use super::analogue::Followed;
use super::experts::{Asleep, EXPERTS, Expert, FEATURES, NOISES, STACKED, TargetView};
use super::learn::Row;
use super::plain::Lags;
use super::ridge::{Sums, Total};
use super::tasks::{DAY, Plan, Task};
use super::weights::dot;

/// Coefficients of one task.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Model {
    /// The coefficients of the ridge with the long half-life, then of the one with the short.
    pub ridge: [[f32; FEATURES]; 2],
    /// The scale of the error, as coefficients of the noise terms of a [`TargetView`].
    pub scale: [f32; NOISES],
    /// The largest departure from the base that a ridge may forecast.
    pub reach: f32,
    /// The weights in the stack of the experts' departures from the base.
    pub stack: [f32; STACKED],
}

/// A forecast of a task at a past origin, and the truth. The ridges were fitted without the fold of the origin's block.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub slot: usize,
    /// The number of the origin, counted from the first.
    pub origin: usize,
    pub share: f32,
    pub weight: f32,
    pub experts: [f32; EXPERTS],
    pub asleep: Asleep,
    pub scale: f32,
    pub lags: Lags,
    pub truth: f32,
    /// The load that followed the neighbours; filled in when the trial is judged.
    pub followed: Followed,
}

/// Half-lives of the weights of the rows in the two ridges, in seconds.
const MEMORY: [f64; 2] = [21.0 * DAY as f64, 2.0 * DAY as f64];
/// The folds of the cross-validation that gives out-of-fold errors.
const FOLDS: usize = 3;
/// The most blocks of a window.
const BLOCKS: usize = 28;
/// The penalty, in units of each feature's second moment: a share, and a number of rows over the number of all rows.
const PENALTY: (f64, f64) = (8e-3, 15.0);
/// Errors beyond this many robust standard deviations count linearly (Huber).
const HUBER: f64 = 3.0;
/// The departure a ridge forecasts is clipped to this many times the largest one in the window.
const REACH: f32 = 1.3;

/// Of the stack: the half-life of the weights of the rows, in seconds; that one row in so many is used; and the penalty
/// towards equal weights, as a share of the mean second moment, with a part that falls as rows are added.
const STACK_MEMORY: f64 = 4.0 * DAY as f64;
const STACK_THINNED: usize = 3;
const STACK_PENALTY: (f64, f64) = (0.05, 10.0);

impl Model {
    /// The forecasts of all experts, with those of the ridges and of the stack filled in.
    pub fn complete(&self, outlook: &TargetView) -> [f32; EXPERTS] {
        let mut experts = outlook.experts.map(|e| e as f32);
        let base = outlook.base as f32;
        for (ridge, expert) in self.ridge.iter().zip([Expert::Ridge, Expert::RidgeShort]) {
            experts[expert.place()] = base + dot(ridge, &outlook.features).clamp(-self.reach, self.reach);
        }
        experts[Expert::Stack.place()] = stacked(&self.stack, &experts, outlook.asleep, base);
        experts
    }

    /// The scale of the error.
    pub fn scale(&self, noise: &[f32; NOISES]) -> f32 {
        let sum: f32 = self.scale.iter().zip(noise).map(|(a, b)| a * b).sum();
        sum.max(1e-6)
    }
}

/// Fits the tasks of one design. `truth` returns the truth of a task for the slot of an origin (`None` in a gap).
pub(super) fn fit_design(
    plan: &Plan,
    rows: &[Row],
    tasks: &[Task],
    len: usize,
    truth: impl Fn(&Task, usize) -> Option<f64>,
) -> Vec<(Model, Vec<Trial>)> {
    // The point task comes first; a peak task may follow.
    let Some(point) = tasks.first() else { return Vec::new() };
    let other = tasks.get(1).unwrap_or(point);
    let seen: Vec<(&Row, [f64; 2])> = rows
        .iter()
        .filter_map(|row| Some((row, [truth(point, row.slot)?, truth(other, row.slot)?])))
        .collect();
    let ends = Blocks::new(plan, len);
    let kappa = share_that_lasts(&seen);
    let limit = HUBER * 1.4826 * typical_miss(&seen, kappa);
    let blocks = gather(&seen, &ends, kappa, limit);
    let fits = MEMORY.map(|half_life| solve_folds(&blocks, &ends, half_life));
    let reach =
        [0, 1].map(|k| seen.iter().map(|(r, t)| (t[k] as f32 - r.base).abs()).fold(0.0, f32::max) * REACH);
    let mut out = Vec::new();
    for (k, task) in tasks.iter().enumerate().take(2) {
        let coefficients = |fold: usize| [0, 1].map(|m| fits[m][fold][k].map(|c| c as f32));
        let by_fold: Vec<[[f32; FEATURES]; 2]> = (0..=FOLDS).map(coefficients).collect();
        let mut trials: Vec<Trial> = Vec::with_capacity(seen.len());
        for (row, target) in &seen {
            let fold = ends.block(row.slot) % FOLDS;
            let mut experts = row.experts;
            for (m, expert) in [Expert::Ridge, Expert::RidgeShort].into_iter().enumerate() {
                let far = reach[k];
                experts[expert.place()] = row.base + dot(&by_fold[fold][m], &row.features).clamp(-far, far);
            }
            trials.push(Trial {
                slot: row.slot,
                origin: row.origin,
                share: row.share,
                weight: row.weight,
                experts,
                asleep: row.asleep,
                scale: 0.0,
                lags: row.lags[usize::from(task.peak)],
                truth: target[k] as f32,
                followed: Followed::default(),
            });
        }
        let stack = stack(&seen, &trials, ends.len, plan);
        for (trial, (row, _)) in trials.iter_mut().zip(&seen) {
            trial.experts[Expert::Stack.place()] = stacked(&stack, &trial.experts, trial.asleep, row.base);
        }
        let scale = error_scale(&seen, &trials);
        let model = Model { ridge: by_fold[FOLDS], scale, reach: reach[k], stack };
        for (trial, (row, _)) in trials.iter_mut().zip(&seen) {
            trial.scale = model.scale(&row.noise);
        }
        out.push((model, trials));
    }
    out
}

/// Which block of time a slot lies in. Blocks are days; longer in long windows, shorter in short ones.
struct Blocks {
    len: usize,
    width: usize,
    seconds: f64,
}

impl Blocks {
    fn new(plan: &Plan, len: usize) -> Self {
        let day = usize::try_from(DAY / plan.step).unwrap_or(1).max(1);
        let width = day.min(len.div_ceil(9)).max(len.div_ceil(BLOCKS)).max(1);
        Blocks { len, width, seconds: (width as i64 * plan.step) as f64 }
    }

    /// The number of the block, counted back from the last slot.
    fn block(&self, slot: usize) -> usize {
        (self.len - 1 - slot) / self.width
    }
}

fn gather(seen: &[(&Row, [f64; 2])], ends: &Blocks, kappa: f64, limit: f64) -> Vec<Sums<FEATURES>> {
    let mut blocks: Vec<Sums<FEATURES>> = Vec::new();
    for (row, target) in seen {
        let block = ends.block(row.slot);
        if blocks.len() <= block {
            blocks.resize(block + 1, Sums::new());
        }
        let base = f64::from(row.base);
        let miss = (target[0] - base - kappa * f64::from(row.departure)).abs();
        let weight = row.share * if miss > limit && miss > 0.0 { (limit / miss) as f32 } else { 1.0 };
        if let Some(sums) = blocks.get_mut(block) {
            sums.add(&row.features, weight, target.map(|t| (t - base) as f32));
        }
    }
    blocks
}

/// The coefficients without each fold, then with all blocks.
fn solve_folds(blocks: &[Sums<FEATURES>], ends: &Blocks, half_life: f64) -> Vec<[[f64; FEATURES]; 2]> {
    let factor = |b: usize| 0.5f64.powf(b as f64 * ends.seconds / half_life.max(ends.seconds));
    let mut folds: Vec<Total<FEATURES>> = vec![Total::new(); FOLDS];
    for (b, sums) in blocks.iter().enumerate() {
        if let Some(fold) = folds.get_mut(b % FOLDS) {
            fold.merge(sums, factor(b));
        }
    }
    let mut all = Total::new();
    for fold in &folds {
        all.combine(fold, 1.0);
    }
    let mut out: Vec<_> = folds
        .iter()
        .map(|fold| {
            let mut rest = all.clone();
            rest.combine(fold, -1.0);
            rest.solve(PENALTY)
        })
        .collect();
    out.push(all.solve(PENALTY));
    out
}

/// The share of the departure that lasts until the target: by least squares, between 0 and 1.
fn share_that_lasts(seen: &[(&Row, [f64; 2])]) -> f64 {
    let (mut xy, mut xx) = (0.0, 0.0);
    for (row, target) in seen {
        let x = f64::from(row.departure);
        xy += f64::from(row.share) * x * (target[0] - f64::from(row.base));
        xx += f64::from(row.share) * x * x;
    }
    if xx > 0.0 { (xy / xx).clamp(0.0, 1.0) } else { 0.0 }
}

/// The median absolute error of the base plus that share of the departure: the measure of an outlier.
fn typical_miss(seen: &[(&Row, [f64; 2])], kappa: f64) -> f64 {
    let mut misses: Vec<f64> = seen
        .iter()
        .map(|(row, t)| (t[0] - f64::from(row.base) - kappa * f64::from(row.departure)).abs())
        .collect();
    let middle = misses.len() / 2;
    if misses.is_empty() { 0.0 } else { *misses.select_nth_unstable_by(middle, f64::total_cmp).1 }
}

/// The forecast of the stack: the base plus a weighted sum of the departures of the experts that are awake.
fn stacked(weights: &[f32; STACKED], experts: &[f32; EXPERTS], asleep: Asleep, base: f32) -> f32 {
    let departures = weights.iter().zip(experts).map(|(w, e)| w * (e - base));
    if asleep.none_of_the_stack() {
        return base + departures.sum::<f32>();
    }
    base + departures.enumerate().filter(|(e, _)| !asleep.is(*e)).map(|(_, d)| d).sum::<f32>()
}

/// The weights of the stack by non-negative least squares, with a penalty towards equal weights that matters most with
/// few rows. "Equal" means in proportion to how often an expert was awake. One row in three is enough for so few weights.
fn stack(seen: &[(&Row, [f64; 2])], trials: &[Trial], len: usize, plan: &Plan) -> [f32; STACKED] {
    let mut gram = [[0.0f64; STACKED]; STACKED];
    let mut cross = [0.0f64; STACKED];
    // An expert's rows count while it is awake: its substitute earns it no weight.
    let mut awake = [0.0f64; STACKED];
    let mut weight = 0.0;
    for ((row, _), trial) in seen.iter().zip(trials).rev().step_by(STACK_THINNED) {
        let age = ((len - trial.slot) as i64 * plan.step) as f64;
        let w = f64::from(row.share) * 0.5f64.powf(age / STACK_MEMORY);
        let x: [f64; STACKED] = std::array::from_fn(|e| {
            if trial.asleep.is(e) {
                return 0.0;
            }
            awake[e] += w;
            f64::from(trial.experts[e] - row.base)
        });
        for (i, gram) in gram.iter_mut().enumerate() {
            let wx = w * x[i];
            for (g, x) in gram.iter_mut().zip(&x) {
                *g += wx * x;
            }
            cross[i] += wx * f64::from(trial.truth - row.base);
        }
        weight += w;
    }
    let mean: f64 = (0..STACKED).map(|i| gram[i][i]).sum::<f64>() / STACKED as f64;
    let penalty = mean * (STACK_PENALTY.0 + STACK_PENALTY.1 / (STACK_PENALTY.1 + weight)) + 1e-12;
    let speaking: f64 = awake.iter().sum();
    let equal = awake.map(|w| if speaking > 0.0 { w / speaking } else { 0.0 });
    let mut beta = equal;
    for _ in 0..40 {
        for i in 0..STACKED {
            let rest: f64 = (0..STACKED).map(|j| gram[i][j] * beta[j]).sum::<f64>() - gram[i][i] * beta[i];
            beta[i] = ((cross[i] - rest + penalty * equal[i]) / (gram[i][i] + penalty)).max(0.0);
        }
    }
    beta.map(|b| b as f32)
}

/// Non-negative least squares of the ridge's absolute errors on the noise terms, by coordinate descent.
fn error_scale(seen: &[(&Row, [f64; 2])], trials: &[Trial]) -> [f32; NOISES] {
    let mut gram = [[0.0f64; NOISES]; NOISES];
    let mut cross = [0.0f64; NOISES];
    let (mut total, mut weight) = (0.0, 0.0);
    for ((row, _), trial) in seen.iter().zip(trials) {
        let miss = f64::from((trial.truth - trial.experts[Expert::Ridge.place()]).abs());
        let share = f64::from(row.share);
        let x = row.noise.map(f64::from);
        for i in 0..NOISES {
            for j in 0..NOISES {
                gram[i][j] += share * x[i] * x[j];
            }
            cross[i] += share * x[i] * miss;
        }
        total += share * miss;
        weight += share;
    }
    let mean = if weight > 0.0 { total / weight } else { 0.0 };
    let mut beta = [0.0f64; NOISES];
    // Enough rounds for four coordinates to converge to a part in a thousand.
    for _ in 0..60 {
        for i in 0..NOISES {
            if gram[i][i] <= 1e-12 * weight {
                continue;
            }
            let rest: f64 = (0..NOISES).filter(|&j| j != i).map(|j| gram[i][j] * beta[j]).sum();
            beta[i] = ((cross[i] - rest) / gram[i][i]).max(0.0);
        }
    }
    // A floor: with a scale near zero the next small error would be an outlier.
    beta[0] = beta[0].max(0.25 * mean).max(1e-6);
    beta.map(|b| b as f32)
}
