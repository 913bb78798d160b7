//! The recent past: running means of the load, of the profiles and of the lagged loads.
//!
//! Taking in a sample costs a few dozen multiplications. In a gap the load is assumed to return to its profile, so that
//! an origin in a gap has a present load too. An assumed load never counts as observed.

use super::bins::{Bins, Past};
use super::profile::Shape;
use super::tasks::{DAY, MEANS, Plan};

/// The signals at the present slot. The running means of the first [`AVERAGED`] are computed in the same way, so that
/// their differences are meaningful.
pub(super) const SIGNALS: usize = 6;
const AVERAGED: usize = 5;
pub(super) const LOAD: usize = 0;
pub(super) const WEEK: usize = 1;
pub(super) const DAILY: usize = 2;
pub(super) const DAY_AGO: usize = 3;
pub(super) const WEEK_AGO: usize = 4;
pub(super) const KIND: usize = 5;

/// The state from which forecasts start. All loads are on the variance-stabilised scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Now {
    /// The present slot, the last one taken in, in seconds since the epoch.
    pub at: i64,
    /// The bin of the local week that the present slot lies in.
    pub local: usize,
    /// The signals at the present slot.
    pub signal: [f64; SIGNALS],
    /// The load one slot earlier.
    pub previous: f64,
    mean: [[f64; MEANS]; AVERAGED],
    weight: [f64; MEANS],
    /// For the loads of a day and of a week ago, and the profiles of the week, of the kind of day and of the day: the
    /// weight in the running mean [`LAGGED`] of the slots at which each was known.
    known: [f64; 5],
    /// Which of the three profiles have been known for long enough to be used.
    heard: [bool; 3],
    level: f64,
    level_weight: f64,
    /// The departure from level and weekly profile at the last observed slot; it decays in a gap.
    departure: f64,
    /// Slots since the last observed one.
    pub age: usize,
    /// The number of observed slots.
    pub seen: usize,
    /// Running means of the absolute difference between a sample and the fastest running mean; short half-life first.
    pub noise: [f64; 2],
    noise_weight: [f64; 2],
    /// A recent maximum that decays towards the running mean.
    pub high: f64,
    bin: i64,
    sum: f64,
    top: f64,
    count: usize,
    surprise: f64,
}

/// A bin that was just completed. `surprise` is the mean absolute difference between its samples and the fastest running
/// mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closed {
    pub bin: i64,
    pub mean: f64,
    pub peak: f64,
    pub surprise: f64,
}

/// The index of the running mean over which the load is compared with that of a day or a week ago, and the share of its
/// weight in which the lagged load must be known.
pub(super) const LAGGED: usize = 2;
const KNOWN: f64 = 0.8;
/// For how many seconds of a gap the load is held; then it returns to its profile.
const HOLD: i64 = 300;

impl Now {
    /// The state before any sample; the first slot taken in is the one after `at`.
    pub fn new(at: i64) -> Self {
        Now {
            at,
            local: 0,
            signal: [0.0; SIGNALS],
            previous: 0.0,
            mean: [[0.0; MEANS]; AVERAGED],
            weight: [0.0; MEANS],
            known: [0.0; 5],
            heard: [false; 3],
            level: 0.0,
            level_weight: 0.0,
            departure: 0.0,
            age: 0,
            seen: 0,
            noise: [0.0; 2],
            noise_weight: [0.0; 2],
            high: 0.0,
            bin: i64::MIN,
            sum: 0.0,
            top: 0.0,
            count: 0,
            surprise: 0.0,
        }
    }

    /// Starts the level from the mean of the first days, with a quarter of the full weight: as much as two and a half
    /// days of samples.
    pub fn begin(&mut self, mean: Option<f64>) {
        if let Some(mean) = mean {
            (self.level, self.level_weight) = (0.25 * mean, 0.25);
        }
    }

    /// The level: the slow running mean of the load.
    pub fn level(&self) -> f64 {
        if self.level_weight > 0.0 { self.level / self.level_weight } else { 0.0 }
    }

    /// The running mean of a signal, by the index of its half-life.
    pub fn mean(&self, signal: usize, memory: usize) -> f64 {
        if self.weight[memory] > 0.0 { self.mean[signal][memory] / self.weight[memory] } else { 0.0 }
    }

    /// Whether the running means of the loads of a day and of a week ago are made of those loads, not of substitutes.
    pub fn knows_lags(&self) -> [bool; 2] {
        [0, 1].map(|i| self.knows(i))
    }

    /// The shape at an instant from the profiles that are in use. The present and the target must be compared with the
    /// same profile.
    pub fn settled(&self, mut shape: Shape) -> Shape {
        for (own, heard) in shape.is_own.iter_mut().zip(self.heard) {
            *own &= heard;
        }
        let [week, kind, day] = shape.is_own;
        shape.day = if day { shape.day } else { 0.0 };
        shape.kind = if kind { shape.kind } else { shape.day };
        shape.week = if week { shape.week } else { shape.kind };
        shape
    }

    /// The departure of the present sample from the weekly profile moved to the level of the last hour.
    pub fn roughness(&self) -> f64 {
        self.signal[LOAD] - self.mean(LOAD, 3) - self.signal[WEEK] + self.mean(WEEK, 3)
    }

    fn knows(&self, i: usize) -> bool {
        self.known[i] >= KNOWN * self.weight[LAGGED]
    }

    /// The noise, by the index of its half-life.
    pub fn noise(&self, memory: usize) -> f64 {
        if self.noise_weight[memory] > 0.0 { self.noise[memory] / self.noise_weight[memory] } else { 0.0 }
    }

    /// Takes in the next slot; `None` is a gap. Returns the bin that ended before it, if one ended that held a sample.
    pub fn fold(&mut self, plan: &Plan, past: &Past<'_>, load: Option<f64>) -> Option<Closed> {
        self.at += plan.step;
        let closed = self.turn(plan);
        self.local = past.local.at(self.at);
        let raw = past.profile.at(self.local);
        let shape = self.hear(raw);
        if load.is_none() && self.seen == 0 {
            return closed;
        }
        if let Some(z) = load {
            self.observe(plan, z, shape.week);
        } else {
            self.age += 1;
            if self.age as i64 * plan.step > HOLD {
                self.departure *= plan.calm;
            }
        }
        let level = self.level();
        let fallback = level + shape.week;
        let z = match load {
            Some(z) => z,
            None if self.age as i64 * plan.step <= HOLD => self.signal[LOAD],
            None => fallback + self.departure,
        };
        self.previous = if self.seen > 1 || self.age > 0 { self.signal[LOAD] } else { z };
        let lags = [DAY, 7 * DAY].map(|lag| past.mean_about(self.at - lag));
        let [day_ago, week_ago] = lags.map(|load| load.unwrap_or(fallback));
        self.signal = [z, shape.week, shape.day, day_ago, week_ago, shape.kind];
        let is_known = lags.iter().map(Option::is_some).chain(raw.is_own);
        for (known, is_known) in self.known.iter_mut().zip(is_known) {
            let decay = plan.decays[LAGGED];
            *known = *known * decay + (1.0 - decay) * f64::from(u8::from(is_known));
        }
        for (m, decay) in plan.decays.iter().enumerate() {
            self.weight[m] = self.weight[m] * decay + (1.0 - decay);
            for (mean, x) in self.mean.iter_mut().zip(self.signal) {
                mean[m] = mean[m] * decay + (1.0 - decay) * x;
            }
        }
        let calm = self.mean(LOAD, 1);
        self.high =
            if self.seen == 1 && self.age == 0 { z } else { z.max(calm + (self.high - calm) * plan.fade) };
        closed
    }

    /// Selects the profiles in use: those that have been known over the recent past. When the selection changes, the
    /// running means of the profiles move by the same difference, so that the departures from them do not jump.
    fn hear(&mut self, raw: Shape) -> Shape {
        let before = self.settled(raw);
        let heard = [2, 3, 4].map(|i| self.knows(i) && self.known[i] > 0.0);
        if heard == self.heard {
            return before;
        }
        self.heard = heard;
        let shape = self.settled(raw);
        let moved = [(WEEK, shape.week - before.week), (DAILY, shape.day - before.day)];
        for (signal, moved) in moved {
            for (mean, weight) in self.mean[signal].iter_mut().zip(self.weight) {
                *mean += moved * weight;
            }
        }
        shape
    }

    fn observe(&mut self, plan: &Plan, z: f64, week: f64) {
        if self.seen > 0 {
            let surprise = (z - self.mean(LOAD, 0)).abs();
            for (i, decay) in plan.noise.into_iter().enumerate() {
                self.noise[i] = self.noise[i] * decay + (1.0 - decay) * surprise;
                self.noise_weight[i] = self.noise_weight[i] * decay + (1.0 - decay);
            }
            self.surprise += surprise;
        }
        let decay = plan.level;
        self.level = self.level * decay + (1.0 - decay) * z;
        self.level_weight = self.level_weight * decay + (1.0 - decay);
        self.departure = z - self.level() - week;
        self.sum += z;
        self.top = self.top.max(z);
        self.count += 1;
        self.seen += 1;
        self.age = 0;
    }

    /// The bin that the present slot completes, with its mean; `None` if the slot is not the last of its bin.
    pub fn completes(&self, plan: &Plan) -> Option<(i64, Option<f64>)> {
        let is_last = (self.at + plan.step).rem_euclid(plan.bin) < plan.step;
        is_last.then(|| (self.bin, (self.count > 0).then(|| self.sum / self.count as f64)))
    }

    /// Begins a new bin if the present slot lies in one; then returns the bin before, if it held a sample.
    fn turn(&mut self, plan: &Plan) -> Option<Closed> {
        let bin = self.at.div_euclid(plan.bin);
        if bin == self.bin {
            return None;
        }
        let n = self.count as f64;
        let closed = (self.count > 0).then(|| Closed {
            bin: self.bin,
            mean: self.sum / n,
            peak: self.top,
            surprise: self.surprise / n,
        });
        (self.bin, self.sum, self.top, self.count, self.surprise) = (bin, 0.0, 0.0, 0, 0.0);
        closed
    }
}

/// Appends a completed bin.
pub(super) fn record(bins: &mut Bins, closed: Option<Closed>) {
    if let Some(c) = closed {
        bins.put(c.bin, c.mean, c.peak);
    }
}
