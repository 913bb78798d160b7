//! What the hour, the kind of day and the weekday make of the load: profiles of its deviation from its level.
//!
//! Three profiles over bins of local time are kept by exponential smoothing: the week, the kind of day
//! (weekday, Saturday, Sunday), and the day. They hold deviations from a slow level, so that growth does not
//! bend them, and each new deviation is clipped, so that one outage or holiday cannot. A bin not seen yet
//! takes the coarser profile's word. Profiles follow local time and move with summer time; they never look
//! ahead.

use super::tasks::DAY;

/// Deviations from the level by bin of local time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    /// Week, then three kinds of day, then one day: one table, in bins.
    value: Vec<f32>,
    seen: Vec<u8>,
    /// Typical size of a surprise by bin of the day.
    noise: Vec<f32>,
    /// Running mean of absolute surprises, by which they are clipped.
    spread: f64,
    spread_weight: f64,
}

/// What the profiles say about one bin of local time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Shape {
    /// The week's word.
    pub week: f64,
    /// The kind of day's word.
    pub kind: f64,
    /// The day's word.
    pub day: f64,
    /// Typical size of a surprise at this time of day; zero while unknown.
    pub noise: f64,
    /// Whether the word of the week, of the kind of day and of the day is its own, not a coarser profile's.
    pub is_own: [bool; 3],
}

/// Gains with which a profile follows new weeks or days once it has seen a few.
const GAINS: [f64; 3] = [0.3, 0.15, 0.15];
/// The coarser profile's word counts as so many weeks or days seen: one week alone is mostly noise.
const PRIOR: [f64; 3] = [1.0, 0.5, 0.0];
/// Gain of the noise by time of day.
const NOISE_GAIN: f64 = 0.1;
/// A surprise beyond so many typical ones moves a profile no further: an outage, a holiday, an attack.
const CLIP: f64 = 5.0;

impl Profile {
    /// Empty profiles for bins of so many seconds.
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

    /// What is known of a bin of the local week.
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

    /// Learns a deviation from the level seen in a bin, and the size of the surprise of single samples in it.
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
