//! Seasonal profiles: the deviation of the load from its level by time of day, kind of day and weekday.
//!
//! There are three profiles over bins of local time, each by exponential smoothing: of the week, of the kind of day
//! (weekday, Saturday, Sunday) and of the day. They hold deviations from a slow level, so that growth does not distort
//! them, and a new deviation moves them by a bounded step, so that one outage or holiday does not either. A bin that was
//! never observed takes the value of the coarser profile. Profiles are in local time, so they move with summer time.

use super::tasks::DAY;

/// Deviations from the level by bin of local time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    /// One table: the bins of the week, then of the three kinds of day, then of the day.
    value: Vec<f32>,
    seen: Vec<u8>,
    /// Typical noise of single samples by bin of the day.
    noise: Vec<f32>,
    /// Running mean of the absolute errors of the profile, from which the bound of a step follows.
    spread: f64,
    spread_weight: f64,
}

/// The values of the profiles in one bin of local time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Shape {
    /// The profile of the week.
    pub week: f64,
    /// The profile of the kind of day.
    pub kind: f64,
    /// The profile of the day.
    pub day: f64,
    /// Typical noise of single samples at this time of day; zero while unknown.
    pub noise: f64,
    /// Whether the bin was observed in the profile of the week, of the kind of day and of the day. If not, its value is
    /// that of the coarser profile.
    pub is_own: [bool; 3],
}

/// The gains of the three profiles once a bin was observed a few times; before, the gain is one over the number of times.
const GAINS: [f64; 3] = [0.3, 0.15, 0.15];
/// The weight of the coarser profile, in observations of a bin: one week alone is mostly noise.
const PRIOR: [f64; 3] = [1.0, 0.5, 0.0];
/// The gain of the noise by time of day.
const NOISE_GAIN: f64 = 0.1;
/// A deviation moves a profile by no more than this many typical errors would: an outage, a holiday, an attack.
const CLIP: f64 = 5.0;

impl Profile {
    /// Empty profiles; `bin` is the length of a bin in seconds.
    pub fn new(bin: i64) -> Self {
        let day = usize::try_from(DAY / bin).unwrap_or(1);
        Profile {
            value: vec![0.0; 11 * day],
            seen: vec![0; 11 * day],
            noise: vec![0.0; day],
            spread: 0.0,
            spread_weight: 0.0,
        }
    }

    /// The values of the profiles in a bin of the local week.
    pub fn at(&self, bin: usize) -> Shape {
        let [week, kind, day, of_day] = self.places(bin);
        let seen = |i: usize| self.seen.get(i).copied().map_or(0.0, f64::from);
        let word = |i: usize, coarser: f64, prior: f64| {
            let own = self.value.get(i).copied().map_or(0.0, f64::from);
            if seen(i) > 0.0 { coarser + seen(i) / (seen(i) + prior) * (own - coarser) } else { coarser }
        };
        let is_own = [week, kind, day].map(|i| seen(i) > 0.0);
        let d = word(day, 0.0, PRIOR[2]);
        let k = word(kind, d, PRIOR[1]);
        let w = word(week, k, PRIOR[0]);
        let noise = self.noise.get(of_day).copied().map_or(0.0, f64::from);
        Shape { week: w, kind: k, day: d, noise, is_own }
    }

    /// Learns the deviation of a bin from the level, and the noise of the single samples in it.
    pub fn learn(&mut self, bin: usize, deviation: f64, surprise: f64) {
        let [week, kind, day, of_day] = self.places(bin);
        let before = self.at(bin);
        let limit =
            if self.spread_weight > 50.0 { CLIP * self.spread / self.spread_weight } else { f64::MAX };
        for (place, gain) in [week, kind, day].into_iter().zip(GAINS) {
            let (Some(value), Some(seen)) = (self.value.get_mut(place), self.seen.get_mut(place)) else {
                continue;
            };
            let gain = (1.0 / (f64::from(*seen) + 1.0)).max(gain);
            let old = if *seen == 0 { before.week } else { f64::from(*value) };
            let step = (deviation - old).clamp(-limit, limit);
            *value = (old + gain * step) as f32;
            *seen = seen.saturating_add(1).min(100);
        }
        let miss = (deviation - before.week).abs();
        self.spread = self.spread * 0.999 + miss.min(limit);
        self.spread_weight = self.spread_weight * 0.999 + 1.0;
        if let Some(noise) = self.noise.get_mut(of_day) {
            let old = f64::from(*noise);
            *noise = if old == 0.0 { surprise as f32 } else { (old + NOISE_GAIN * (surprise - old)) as f32 };
        }
    }

    /// Bytes held on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.value.capacity() * 4 + self.seen.capacity() + self.noise.capacity() * 4
    }

    fn places(&self, bin: usize) -> [usize; 4] {
        let day = self.noise.len();
        let (weekday, of_day) = (bin / day, bin % day);
        let kind = weekday.saturating_sub(4).min(2);
        [bin.min(7 * day - 1), (7 + kind) * day + of_day, 10 * day + of_day, of_day]
    }
}
