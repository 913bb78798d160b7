//! One pass over the window, in the order of time. Profiles, patterns, level and bins learn from each sample, and at some
//! slots (the origins) a row per horizon is written, from which the ridges and the backcast learn.
//!
//! A row holds only what was known at its origin, so errors measured on rows are those of real forecasts. Two things are
//! known earlier than that: the level starts from the mean of the first three days, and the scale of the series is the
//! mean of the whole window.

use crate::history::Calendar;

use super::bins::{Bins, LocalBins, Past};
use super::experts::{Asleep, EXPERTS, FEATURES, NOISES, outlook};
use super::now::{Now, record};
use super::pattern::Pattern;
use super::plain::{Lags, peak_lags, point_lags};
use super::profile::Profile;
use super::tasks::{DAY, Plan};

/// What was known at an origin about one target.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The slot of the origin in the window.
    pub slot: usize,
    /// The number of the origin, counted from the first.
    pub origin: usize,
    /// How many slots the row stands for.
    pub share: f32,
    /// The weight of the row; that of evenly spread rows is one.
    pub weight: f32,
    pub features: [f32; FEATURES],
    pub experts: [f32; EXPERTS],
    pub asleep: Asleep,
    pub base: f32,
    pub departure: f32,
    pub noise: [f32; NOISES],
    /// The forecasts of the seasonal naive rules for the load at the target, and for the peak load until then.
    pub lags: [Lags; 2],
}

/// The result of the pass.
#[derive(Debug)]
pub(super) struct Lesson {
    pub profile: Profile,
    pub pattern: Pattern,
    pub bins: Bins,
    pub local: LocalBins,
    pub now: Now,
    /// The rows of each design, in the order of time.
    pub rows: Vec<Vec<Row>>,
    /// The number of origins.
    pub origins: usize,
}

impl Lesson {
    /// The past at the end of the window.
    pub fn past<'a>(&'a self, plan: &Plan, none: &'a Bins) -> Past<'a> {
        let Lesson { profile, pattern, local, bins: old, .. } = self;
        Past { profile, pattern, local, old, new: none, bin: plan.bin, step: plan.step }
    }
}

/// About the most origins in a window: their mean distance is the next longer stride.
const ORIGINS: usize = 1_500;
/// In the last days origins are denser, because recent losses count most for the weights: this many seconds, and the most
/// origins in them, about.
const RECENT: i64 = 2 * DAY;
const RECENT_ORIGINS: usize = 450;
/// Mean distances between origins, in slots. Except for 5, none shares a factor with the number of slots in an hour on a
/// usual grid, so that evenly spread origins visit every minute of the hour.
const STRIDES: [usize; 12] = [1, 5, 7, 11, 13, 17, 19, 29, 43, 61, 97, 151];
/// At far horizons only every such origin gets a row: neighbouring origins say nearly the same about them.
pub(super) const FAR_THINNED: usize = 3;
/// The level starts from the mean of this many seconds: a level that starts from one night would distort the first
/// profile.
const FIRST: i64 = 3 * DAY;

/// Makes the pass. `z` holds the samples of the window on the variance-stabilised scale (NaN is a gap), the first at
/// `start`.
pub(super) fn learn(plan: &Plan, calendar: &Calendar, start: i64, z: &[f64]) -> Lesson {
    let end = start + plan.step * z.len() as i64;
    let local = LocalBins::new(calendar, plan.bin, start - plan.bin, end + 15 * DAY);
    let mut profile = Profile::new(plan.bin);
    let mut bins = Bins::default();
    let mut pattern = Pattern::new(plan);
    let mut now = Now::new(start - plan.step);
    let first = z.len().min(usize::try_from(FIRST / plan.step).unwrap_or(1).max(1));
    now.begin(mean(z.get(..first).unwrap_or_default()));
    // In the first day the departures from the profile say more about the unlearned profile than about the load.
    let settled = usize::try_from(DAY / plan.step).unwrap_or(1);
    let schedule = Schedule::new(plan, z);
    let mut rows: Vec<Vec<Row>> = plan.designs.iter().map(|_| Vec::with_capacity(schedule.count())).collect();
    let none = Bins::default();
    let mut origins = 0;
    let (no_profile, no_pattern) = (Profile::new(plan.bin), Pattern::new(plan));
    let base = Past {
        profile: &no_profile,
        pattern: &no_pattern,
        local: &local,
        old: &none,
        new: &none,
        bin: plan.bin,
        step: plan.step,
    };
    for (slot, &value) in z.iter().enumerate() {
        let closed = now.fold(
            plan,
            &Past { profile: &profile, pattern: &pattern, old: &bins, ..base },
            (!value.is_nan()).then_some(value),
        );
        if let Some(c) = closed {
            record(&mut bins, closed);
            study(plan, &mut profile, &bins, &local, c.bin, now.level(), c.surprise);
        }
        if !value.is_nan() && slot >= settled {
            pattern.learn((now.local, now.at, plan.bin), now.roughness());
        }
        if now.seen > 0
            && let Some(share) = schedule.share(slot)
        {
            let past = Past { profile: &profile, pattern: &pattern, old: &bins, ..base };
            write_rows(plan, &now, &past, (slot, z.len(), origins), share, &mut rows);
            origins += 1;
        }
    }
    Lesson { profile, pattern, bins, local, now, rows, origins }
}

fn write_rows(
    plan: &Plan,
    now: &Now,
    past: &Past<'_>,
    (slot, len, origin): (usize, usize, usize),
    (share, weight): (f32, f32),
    rows: &mut [Vec<Row>],
) {
    for (&steps, rows) in plan.designs.iter().zip(rows) {
        let far = plan.is_far(steps);
        if slot + steps >= len || (far && !origin.is_multiple_of(FAR_THINNED)) {
            continue;
        }
        let ahead = plan.step * steps as i64;
        let o = outlook(now, past, ahead);
        let has_peak = plan.tasks.iter().any(|task| task.peak && task.steps == steps);
        let point = point_lags(past, now.at, ahead);
        rows.push(Row {
            slot,
            origin,
            share,
            weight,
            features: o.features,
            experts: o.experts.map(|e| e as f32),
            asleep: o.asleep,
            base: o.base as f32,
            departure: o.departure as f32,
            noise: o.noise.map(|n| n as f32),
            lags: [point, if has_peak { peak_lags(past, now.at, ahead) } else { point }],
        });
    }
}

/// The profile learns from a completed bin. Bins of five minutes are first averaged with their two neighbours, so that a
/// profile of few weeks is not mostly noise; then it learns the bin before the newest.
fn study(
    plan: &Plan,
    profile: &mut Profile,
    bins: &Bins,
    local: &LocalBins,
    bin: i64,
    level: f64,
    surprise: f64,
) {
    let smooth = plan.bin <= 300;
    let centre = if smooth { bin - 1 } else { bin };
    let around = if smooth { bin - 2..=bin } else { bin..=bin };
    let Some(own) = bins.mean(centre) else { return };
    let (sum, n) = around.filter_map(|b| bins.mean(b)).fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
    let value = if n > 0.0 { sum / n } else { own };
    profile.learn(local.at(centre * plan.bin), value - level, surprise);
}

fn mean(z: &[f64]) -> Option<f64> {
    let (sum, n) = z.iter().filter(|v| !v.is_nan()).fold((0.0, 0usize), |(s, n), v| (s + v, n + 1));
    (n > 0).then(|| sum / n as f64)
}

/// Which slots are origins, and how many slots each of them stands for. The last slot is always an origin.
///
/// Half of the origins are spread evenly. The other half is placed where the load changes, each with a smaller weight
/// (sampling with probability proportional to size, Hansen and Hurwitz 1943). Otherwise a daily ramp of ten minutes would
/// contain an origin on some days and none on others, depending on the minute at which it begins.
struct Schedule {
    /// The weight of the origin at each slot, zero if there is none. Evenly spread origins have weight one.
    weight: Vec<f32>,
    stride: usize,
    recent: usize,
    recent_stride: usize,
}

/// A change is the difference between the means of this many seconds before and after a slot. It counts at most this many
/// times the mean change, so that one jump does not take all origins.
const MOVES_WITHIN: i64 = 300;
const MOST_MOVED: f64 = 12.0;
/// The share of the origins that is placed where the load changes.
const MOVING: f64 = 0.5;

impl Schedule {
    fn new(plan: &Plan, z: &[f64]) -> Self {
        let len = z.len();
        let recent = usize::try_from(RECENT / plan.step).unwrap_or(1).min(len);
        let stride = stride_for(len, ORIGINS);
        let recent_stride = stride_for(recent, RECENT_ORIGINS).min(stride);
        let moved = moved(z, usize::try_from(MOVES_WITHIN / plan.step).unwrap_or(1).max(1));
        let mut weight = vec![0.0f32; len];
        // The last slot is an origin.
        let mut due = 1.0;
        for (back, (weight, moved)) in weight.iter_mut().zip(&moved).rev().enumerate() {
            let stride = if back < recent { recent_stride } else { stride } as f64;
            // With a stride of one, every slot is an origin.
            let moving = MOVING * (1.0 - 1.0 / stride);
            let rate = ((1.0 - moving + moving * moved) / stride).min(1.0);
            if back > 0 {
                due += rate;
            }
            if due >= 1.0 {
                due -= 1.0;
                *weight = (1.0 / (rate * stride)) as f32;
            }
        }
        Schedule { weight, stride, recent, recent_stride }
    }

    /// The number of origins.
    fn count(&self) -> usize {
        self.weight.iter().filter(|weight| **weight > 0.0).count()
    }

    /// How many slots the origin at this slot stands for, and its weight; `None` if the slot is not an origin.
    fn share(&self, slot: usize) -> Option<(f32, f32)> {
        let weight = self.weight.get(slot).copied().filter(|weight| *weight > 0.0)?;
        let is_recent = self.weight.len() - 1 - slot < self.recent;
        let stride = if is_recent { self.recent_stride } else { self.stride };
        Some((weight * stride as f32, weight))
    }
}

/// The change of the load at each slot, relative to the mean change over all slots; one if it is unknown.
fn moved(z: &[f64], within: usize) -> Vec<f64> {
    // Means over several slots, so that noise does not count as a change.
    let (mut sum, mut seen) = (vec![0.0], vec![0usize]);
    for &v in z {
        let is_known = !v.is_nan();
        sum.push(sum[sum.len() - 1] + if is_known { v } else { 0.0 });
        seen.push(seen[seen.len() - 1] + usize::from(is_known));
    }
    let mean = |from: usize, to: usize| {
        let n = seen[to] - seen[from];
        (n > 0).then(|| (sum[to] - sum[from]) / n as f64)
    };
    let far: Vec<Option<f64>> = (1..=z.len())
        .map(|now| {
            let before = mean(now.saturating_sub(within), now)?;
            Some((mean(now, (now + within).min(z.len()))? - before).abs())
        })
        .collect();
    let known = || far.iter().copied().flatten();
    let usual = known().sum::<f64>() / known().count().max(1) as f64;
    far.iter()
        .map(|far| far.filter(|_| usual > 0.0).map_or(1.0, |far| (far / usual).min(MOST_MOVED)))
        .collect()
}

fn stride_for(slots: usize, origins: usize) -> usize {
    let want = slots / origins;
    STRIDES.into_iter().find(|&s| s >= want).unwrap_or(want)
}
