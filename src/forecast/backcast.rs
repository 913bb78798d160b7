//! The backcast: forecasts inside the window, from which error quantiles, weights and corrections start.
//!
//! A trial is a forecast at a past origin with the load that came. Its ridges were fitted without the block of time it
//! lies in (but with other blocks, later ones too). Its profiles had seen only earlier samples, and so had its level, but
//! for its start (see `learn`). The stack and the scale of the error are fitted to all trials. The pool learns from a
//! trial only once its truth would have been known. So the state at the grid point is a function of the window alone.

use super::analogue::Analogues;
use super::conformal::width;
use super::experts::{EXPERTS, Expert};
use super::learn::FAR_THINNED;
use super::levels::{L, LEVELS};
use super::models::Trial;
use super::plain::{Knots, PERSISTENCE, RULES};
use super::pool::{DIRECT, Errors, J, Memory, Pending, PoolState, SEEN, Table, Weights, own_size, spread};
use super::tasks::{DAY, Plan, Task};
use super::transform::unstabilise;

/// About how many trials are judged per task, and per far task, whose errors overlap.
const TRIALS: usize = 450;
const FAR_TRIALS: usize = 250;
/// Half-life of the weight of an error in the error quantiles, in seconds.
const ERROR_MEMORY: f64 = 10.0 * DAY as f64;
/// The first part of the window, in which the profiles start from nothing. It is not judged unless fewer than ten trials
/// would be left.
const WARM_UP: f64 = 0.2;
/// The weights are computed again after this many trials.
const RENEW: usize = 24;

/// How far the correction is moved from its state after the trials towards the one that would have given the promised
/// coverage over them.
const SETTLE: f32 = 0.35;
/// The trials are few and were also used to choose weights, so the coverage reached on later samples is lower. At levels
/// from the second number on, the correction therefore aims higher, by this share of the way to one.
const CAUTION: f64 = 0.12;
const CAUTIOUS_FROM: f64 = 0.9;
/// Half-life of an expert's own recent error size: the larger of this many seconds and this many steps.
const OWN_MEMORY: (f64, f64) = (5_400.0, 6.0);

/// Half-life of the recent loss, in seconds; at least the steps of [`OWN_MEMORY`].
const FRESH: f64 = 3_600.0;

/// Half-life of an expert's own recent error size, in seconds.
fn own_memory(plan: &Plan) -> f64 {
    OWN_MEMORY.0.max(OWN_MEMORY.1 * plan.step as f64)
}

/// The weight of a truth and the decay of earlier ones. The truth stands for `share` slots and `weight` evenly spread
/// truths, and comes `slots` slots after the truth before it.
pub(super) fn memory(plan: &Plan, task: &Task, (share, weight): (f32, f32), slots: usize) -> Memory {
    let own = own_memory(plan);
    Memory {
        weight,
        keep: 0.5f64.powf(f64::from(share) * plan.step as f64 / task.memory) as f32,
        own: keep(plan, slots, own),
        fresh: keep(plan, slots, FRESH.max(OWN_MEMORY.1 * plan.step as f64)),
    }
}

/// The error quantiles of a task and the state of its pool after its trials; `None` without trials.
pub(super) fn backcast(
    plan: &Plan,
    task: &Task,
    len: usize,
    trials: &[Trial],
    analogues: &mut Analogues<'_>,
) -> Option<(Errors, PoolState)> {
    let warm = (len as f64 * WARM_UP) as usize;
    let judged = trials.iter().filter(|t| t.slot >= warm).count();
    let first = if judged >= 10 { trials.len() - judged } else { 0 };
    let trials = trials.get(first..)?;
    let judged = judge(plan, task, trials, analogues);
    let trials: Vec<&Trial> = judged.iter().collect();
    let newest = trials.last()?.slot;
    let usual = usual_errors(&trials);
    let own = own_errors(plan, task, &trials, usual);
    let ages: Vec<f64> = trials
        .iter()
        .map(|t| {
            f64::from(t.share) * 0.5f64.powf(((newest - t.slot) as i64 * plan.step) as f64 / ERROR_MEMORY)
        })
        .collect();
    let mut knots = knots(&trials, &own, &usual, &ages);
    direct_knots(&trials, &ages, &mut knots);
    seen_knots(&trials, &ages, &mut knots);
    let plain = plain_knots(&trials, &ages, &knots);
    let errors = Errors { knots, usual, plain };
    let standing = replay(plan, task, &trials, &own, &errors, &ages);
    Some((errors, standing))
}

/// The trials that are judged, with their analogues. Tasks judge the same origins where possible, so that the neighbours
/// of an origin are searched only once.
fn judge(plan: &Plan, task: &Task, trials: &[Trial], analogues: &mut Analogues<'_>) -> Vec<Trial> {
    let (most, apart) = if task.is_far(plan) { (FAR_TRIALS, FAR_THINNED) } else { (TRIALS, 1) };
    // Origins are thinned by their number over the window, so that tasks with fewer truths still judge the same ones.
    let warm = (analogues.origins() as f64 * (1.0 - WARM_UP)) as usize;
    let every = warm.div_ceil(most * apart).max(1) * apart;
    let judged = |t: &&Trial| t.origin.is_multiple_of(every);
    let judged: Vec<&Trial> = trials.iter().filter(judged).collect();
    let judged = if judged.is_empty() { trials.iter().collect() } else { judged };
    let with_analogues = judged.into_iter().map(|trial| {
        let mut trial = trial.clone();
        trial.share *= every as f32;
        if let Some(followed) = analogues.followed(task, trial.slot) {
            trial.asleep.wake(Expert::Analogues);
            trial.experts[Expert::Analogues.place()] = followed.mean;
            trial.followed = followed;
        }
        trial
    });
    with_analogues.collect()
}

/// From how many trials in which it was awake an expert's errors are computed from these alone.
const FEWEST: usize = 20;

/// From which trials an expert's errors are computed: those in which it was awake if they are enough, else all.
fn speaking(trials: &[&Trial], expert: usize) -> impl Fn(&Trial) -> bool {
    let own = trials.iter().filter(|t| !t.asleep.is(expert)).count();
    move |trial| own < FEWEST || !trial.asleep.is(expert)
}

fn usual_errors(trials: &[&Trial]) -> [f32; EXPERTS] {
    std::array::from_fn(|e| {
        let counts = speaking(trials, e);
        let misses = trials.iter().filter(|t| counts(t)).map(|t| (t.share, (t.truth - t.experts[e]).abs()));
        let (sum, n) = misses.fold((0.0, 0.0f32), |(s, n), (share, miss)| (s + share * miss, n + share));
        (sum / n.max(1e-6)).max(1e-6)
    })
}

/// Each expert's own recent error size as it was known at each trial.
fn own_errors(plan: &Plan, task: &Task, trials: &[&Trial], usual: [f32; EXPERTS]) -> Vec<[f32; EXPERTS]> {
    let mut own = usual;
    let (mut next, mut last) = (0, None);
    let mut out = Vec::with_capacity(trials.len());
    for trial in trials {
        while let Some(known) = trials.get(next).filter(|k| k.slot + task.steps <= trial.slot) {
            let keep = keep(plan, last.map_or(task.stride, |l| known.slot - l), own_memory(plan));
            for (e, (own, expert)) in own.iter_mut().zip(known.experts).enumerate() {
                if !known.asleep.is(e) {
                    *own = keep * *own + (1.0 - keep) * (known.truth - expert).abs();
                }
            }
            last = Some(known.slot);
            next += 1;
        }
        out.push(own);
    }
    out
}

/// The share of an old value that remains after this many slots, for a half-life in seconds.
fn keep(plan: &Plan, slots: usize, half_life: f64) -> f32 {
    0.5f64.powf((slots as i64 * plan.step) as f64 / half_life) as f32
}

/// Weighted quantiles of the normalised errors of each member that is an expert with a scale.
fn knots(trials: &[&Trial], own: &[[f32; EXPERTS]], usual: &[f32; EXPERTS], weight: &[f64]) -> Table {
    let mut out = [[0.0f32; J]; L];
    let mut order: Vec<u64> = Vec::with_capacity(trials.len());
    let mut own_weight: Vec<f64> = Vec::with_capacity(trials.len());
    for j in 0..DIRECT {
        let expert = j % EXPERTS;
        let counts = speaking(trials, expert);
        let errors = trials.iter().zip(own).map(|(t, own)| {
            let size = if j < EXPERTS { t.scale } else { own_size(own[expert], usual[expert]) };
            (t.truth - t.experts[expert]) / size
        });
        own_weight.clear();
        own_weight.extend(trials.iter().zip(weight).map(|(t, w)| if counts(t) { *w } else { 0.0 }));
        for (row, value) in out.iter_mut().zip(quantiles(&mut order, errors, &own_weight, &LEVELS)) {
            row[j] = value;
        }
    }
    out
}

/// The same for the analogues' own quantiles: at each level from the errors of the quantile of that level. With too few
/// trials they stay as they are.
fn direct_knots(trials: &[&Trial], weight: &[f64], knots: &mut Table) {
    let said = || trials.iter().zip(weight).filter(|(t, _)| !t.asleep.is(Expert::Analogues.place()));
    let weight: Vec<f64> = said().map(|(_, w)| *w).collect();
    if weight.len() < FEWEST {
        return;
    }
    let mut order: Vec<u64> = Vec::with_capacity(trials.len());
    for (l, row) in knots.iter_mut().enumerate() {
        let errors = said().map(|(t, _)| (t.truth - t.followed.q[l]) / spread(t.followed.spread, t.scale));
        row[DIRECT] = quantiles(&mut order, errors, &weight, &LEVELS)[l];
    }
}

/// The weighted quantiles of all truths, whatever the forecast was.
fn seen_knots(trials: &[&Trial], weight: &[f64], knots: &mut Table) {
    let mut order: Vec<u64> = Vec::with_capacity(trials.len());
    let came = quantiles(&mut order, trials.iter().map(|t| t.truth), weight, &LEVELS);
    knots.iter_mut().zip(came).for_each(|(level, came)| level[SEEN] = came);
}

/// The same for the plain rules, each over the trials in which its lag existed. Persistence is also an expert.
fn plain_knots(trials: &[&Trial], weight: &[f64], knots: &Table) -> Knots {
    let mut out = [[0.0f32; RULES]; L];
    let mut order: Vec<u64> = Vec::with_capacity(trials.len());
    for rule in 0..RULES {
        let row: [f32; L] = if rule == PERSISTENCE {
            knots.map(|level| level[Expert::LastValue.place()])
        } else {
            let said = || trials.iter().zip(weight).filter(|(t, _)| !t.lags[rule - 1].is_nan());
            let weight: Vec<f64> = said().map(|(_, w)| *w).collect();
            let errors = said().map(|(t, _)| (t.truth - t.lags[rule - 1]) / t.scale);
            quantiles(&mut order, errors, &weight, &LEVELS)
        };
        out.iter_mut().zip(row).for_each(|(level, value)| level[rule] = value);
    }
    out
}

/// Weighted quantiles at the given levels, which ascend; `order` is scratch space.
pub(super) fn quantiles(
    order: &mut Vec<u64>,
    values: impl Iterator<Item = f32>,
    weight: &[f64],
    levels: &[f64; L],
) -> [f32; L] {
    // Integers sort faster than floats, and can carry the index in their lower half.
    order.clear();
    order.extend(values.enumerate().map(|(i, u)| (u64::from(ordered(u)) << 32) | i as u64));
    order.sort_unstable();
    let at = |key: u64| weight.get((key & 0xffff_ffff) as usize).copied().unwrap_or(0.0);
    let total: f64 = order.iter().map(|&key| at(key)).sum();
    let mut out = [order.last().map_or(0.0, |&key| unordered((key >> 32) as u32)); L];
    let (mut sum, mut level) = (0.0, 0);
    for &key in order.iter() {
        sum += at(key);
        while level < L && sum >= levels[level] * total {
            out[level] = unordered((key >> 32) as u32);
            level += 1;
        }
    }
    out
}

/// An integer that sorts as the float does.
fn ordered(x: f32) -> u32 {
    let bits = x.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 0x8000_0000 }
}

fn unordered(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & 0x7fff_ffff } else { !key })
}

/// Runs the pool through the trials: at each it predicts, and it learns from each truth once that is known.
fn replay(
    plan: &Plan,
    task: &Task,
    trials: &[&Trial],
    own: &[[f32; EXPERTS]],
    errors: &Errors,
    ages: &[f64],
) -> PoolState {
    let mut standing = PoolState::new(errors);
    let mut weights = standing.weights();
    let mut pending: Vec<(Pending, Table)> = Vec::with_capacity(trials.len());
    let mut raw: Vec<[f32; L]> = Vec::with_capacity(trials.len());
    let (mut next, mut last) = (0, None);
    let mut learn =
        |standing: &mut PoolState, weights: &mut Weights, pending: &[(Pending, Table)], until: usize| {
            while let (Some(known), Some((p, said))) = (trials.get(next), pending.get(next)) {
                if known.slot + task.steps > until {
                    break;
                }
                let gap = last.map_or(task.stride, |l| known.slot - l);
                let truth = unstabilise(f64::from(known.truth)) as f32;
                let memory = memory(plan, task, (known.share, known.weight), gap);
                standing.learn(errors, weights, (p, said), (truth, known.truth), memory);
                last = Some(known.slot);
                next += 1;
                if next % RENEW == 0 {
                    *weights = standing.weights();
                }
            }
        };
    for (trial, own) in trials.iter().zip(own) {
        learn(&mut standing, &mut weights, &pending, trial.slot);
        let mut p = Pending {
            experts: trial.experts,
            followed: trial.followed,
            asleep: trial.asleep,
            scale: trial.scale,
            own: *own,
            lags: trial.lags,
            raw: [0.0; L],
            pooled: [0.0; L],
        };
        let said = p.said(errors);
        standing.predict(&said, &weights, &mut p);
        raw.push(p.raw);
        pending.push((p, said));
    }
    learn(&mut standing, &mut weights, &pending, usize::MAX);
    settle(&mut standing, trials, &raw, ages);
    standing
}

/// Moves the correction part of the way to the one that would have given the promised coverage over the trials.
fn settle(standing: &mut PoolState, trials: &[&Trial], raw: &[[f32; L]], weight: &[f64]) {
    // The first trials are left out: the pool had learned next to nothing yet.
    let skip = trials.len() / 10;
    let levels = LEVELS.map(|l| if l >= CAUTIOUS_FROM { l + CAUTION * (1.0 - l) } else { l });
    let mut order: Vec<u64> = Vec::with_capacity(trials.len());
    let asked = std::array::from_fn(|l| {
        let known = trials.iter().zip(raw).skip(skip);
        let misses = known.map(|(t, q)| (unstabilise(f64::from(t.truth)) as f32 - q[l]) / width(q));
        quantiles(&mut order, misses, weight.get(skip..).unwrap_or_default(), &levels)[l]
    });
    standing.correction.draw(asked, SETTLE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_keep_the_order_of_floats() {
        let mut x = [-3.0f32, -0.0, 0.0, 1e-9, 2.0, -1e9, f32::MAX];
        x.sort_by_key(|&v| ordered(v));
        assert!(x.windows(2).all(|w| w[0] <= w[1]));
        assert!(x.iter().all(|&v| unordered(ordered(v)) == v));
    }
}
