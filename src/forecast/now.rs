//! What is remembered of the recent past: running means of the load and of what the profiles said about it.
//!
//! Folding in a sample costs a few dozen multiplications. In a gap the load is imagined to return to its
//! profile, so that an origin in a gap still has a present; imagined samples never count as observed ones.

use super::bins::{Bins, Past};
use super::profile::Shape;
use super::tasks::{DAY, MEANS, Plan};

/// Signals at the present slot. The running means of the first [`AVERAGED`] are kept alike, so that their differences
/// compare like with like.
pub(super) const SIGNALS: usize = 6;
const AVERAGED: usize = 5;
pub(super) const LOAD: usize = 0;
pub(super) const WEEK: usize = 1;
pub(super) const DAILY: usize = 2;
pub(super) const DAY_AGO: usize = 3;
pub(super) const WEEK_AGO: usize = 4;
pub(super) const KIND: usize = 5;

/// The present, as forecasts see it. All loads are on the variance-stabilised scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Now {
    /// The last slot folded, seconds since the epoch.
    pub at: i64,
    /// The bin of the local week it lies in.
    pub local: usize,
    /// The signals at that slot.
    pub signal: [f64; SIGNALS],
    /// The load one slot earlier.
    pub previous: f64,
    mean: [[f64; MEANS]; AVERAGED],
    weight: [f64; MEANS],
    /// Share of the running mean over [`LAGGED`] in which the loads of a day and of a week ago were known, and in which
    /// the profiles of the week, of the kind of day and of the day had a word of their own.
    known: [f64; 5],
    /// Which profiles, as above, have had a word of their own for long enough to be heard.
    heard: [bool; 3],
    level: f64,
    level_weight: f64,
    /// Departure from level and profile at the last observed slot, fading while in a gap.
    departure: f64,
    /// Slots since the last observed one.
    pub age: usize,
    /// Observed slots so far.
    pub seen: usize,
    /// Running means of absolute surprises, short and long memory.
    pub noise: [f64; 2],
    noise_weight: [f64; 2],
    /// A maximum that fades towards the running mean.
    pub high: f64,
    bin: i64,
    sum: f64,
    top: f64,
    count: usize,
    surprise: f64,
}

/// A bin that was just completed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closed {
    pub bin: i64,
    pub mean: f64,
    pub peak: f64,
    pub surprise: f64,
}

/// The memory at which the load is compared with that of a day or a week ago, and the share of it that must be known.
pub(super) const LAGGED: usize = 2;
const KNOWN: f64 = 0.8;
/// In a gap the load is held for so long, then returns to its profile.
const HOLD: i64 = 300;

impl Now {
    /// Before the slot that follows `at`.
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

    /// Starts the level from what the first days were like, with the weight of a day and a half.
    pub fn begin(&mut self, mean: Option<f64>) {
        if let Some(mean) = mean {
            (self.level, self.level_weight) = (0.25 * mean, 0.25);
        }
    }

    /// The slow level.
    pub fn level(&self) -> f64 {
        if self.level_weight > 0.0 { self.level / self.level_weight } else { 0.0 }
    }

    /// The running mean of a signal at a memory.
    pub fn mean(&self, signal: usize, memory: usize) -> f64 {
        if self.weight[memory] > 0.0 { self.mean[signal][memory] / self.weight[memory] } else { 0.0 }
    }

    /// Whether the running means over [`LAGGED`] of the loads of a day and of a week ago hold those loads, not what
    /// stands in for them.
    pub fn knows_lags(&self) -> [bool; 2] {
        [0, 1].map(|i| self.knows(i))
    }

    /// The shape of an instant in the words of the profiles that are heard: what the present is compared with and what is
    /// expected must not come from different profiles.
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

    /// The departure of the present sample from what is smooth: the weekly profile moved by the last hour.
    pub fn roughness(&self) -> f64 {
        self.signal[LOAD] - self.mean(LOAD, 3) - self.signal[WEEK] + self.mean(WEEK, 3)
    }

    fn knows(&self, i: usize) -> bool {
        self.known[i] >= KNOWN * self.weight[LAGGED]
    }

    /// The noise at a memory.
    pub fn noise(&self, memory: usize) -> f64 {
        if self.noise_weight[memory] > 0.0 { self.noise[memory] / self.noise_weight[memory] } else { 0.0 }
    }

    /// Folds in the next slot. Returns the bin that ended before it, if one did.
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

    /// Hears the profiles that have had a word of their own of late. Where one more is heard, what was remembered of the
    /// profiles moves with the word, so that the departure from them stays.
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

    /// The bin that the present slot completes, and its mean so far; `None` where it is not its last slot.
    pub fn completes(&self, plan: &Plan) -> Option<(i64, Option<f64>)> {
        let is_last = (self.at + plan.step).rem_euclid(plan.bin) < plan.step;
        is_last.then(|| (self.bin, (self.count > 0).then(|| self.sum / self.count as f64)))
    }

    /// Begins the bin of the present slot; returns the one before, if it held a sample.
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

/// Writes a completed bin.
pub(super) fn record(bins: &mut Bins, closed: Option<Closed>) {
    if let Some(c) = closed {
        bins.put(c.bin, c.mean, c.peak);
    }
}
