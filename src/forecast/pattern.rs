//! What the clock does to the load within the hour and the day: jobs at the full hour, a burst every ten minutes.
//!
//! The profiles are smooth over a quarter of an hour, so that weeks of few samples are not mostly noise; what repeats at
//! the minute is lost in them. Two tables at the step of the samples hold what they leave: by slot of the hour, and on
//! top of it by slot of the local day. Both are learned as samples come, clipped, and never look ahead.

use super::bins::Past;
use super::ladder::{DAY, Plan};

/// Departures from the smooth expectation by slot of the hour and of the day, on the even-noise scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    /// Seconds of a slot.
    width: i64,
    hour: Vec<f32>,
    day: Vec<f32>,
    spread: f64,
    spread_weight: f64,
}

const HOUR: i64 = 3_600;

impl Pattern {
    /// Empty tables.
    pub fn new(plan: &Plan) -> Self {
        let width = plan.step.max(60);
        let is_fine = plan.step <= 900;
        let slots = |period: i64| if is_fine { ((period + width - 1) / width) as usize } else { 0 };
        Pattern { width, hour: vec![0.0; slots(HOUR)], day: vec![0.0; slots(DAY)], spread: 0.0, spread_weight: 0.0 }
    }

    /// What the hour and the day add at an instant.
    pub fn at(&self, past: &Past<'_>, time: i64) -> [f64; 2] {
        if self.hour.is_empty() { return [0.0; 2]; }
        let [hour, day] = self.places(past, time);
        [self.hour[hour], self.day[day]].map(f64::from)
    }

    /// The most they add at any slot after one instant and up to another.
    pub fn crest(&self, past: &Past<'_>, from: i64, to: i64) -> f64 {
        let slots = (to - from) / self.width;
        if self.hour.is_empty() || slots == 0 {
            return 0.0;
        }
        let [mut hour, mut day] = self.places(past, from + self.width);
        let mut most = f32::MIN;
        for _ in 0..slots {
            most = most.max(self.hour[hour] + self.day[day]);
            hour = if hour + 1 == self.hour.len() { 0 } else { hour + 1 };
            day = if day + 1 == self.day.len() { 0 } else { day + 1 };
        }
        f64::from(most)
    }

    /// Learns the departure of a sample.
    pub fn learn(&mut self, places: [usize; 2], departure: f64) {
        if self.hour.is_empty() { return; }
        let limit = if self.spread_weight > 50.0 { 3.0 * self.spread / self.spread_weight } else { f64::MAX };
        let x = departure.clamp(-limit, limit);
        let keep = 0.9995;
        self.spread = self.spread * keep + departure.abs().min(limit);
        self.spread_weight = self.spread_weight * keep + 1.0;
        let [hour, day] = places;
        let own = &mut self.hour[hour];
        *own += (0.03 * (x - f64::from(*own))) as f32;
        let rest = x - f64::from(*own);
        let own = &mut self.day[day];
        *own += (0.15 * (rest - f64::from(*own))) as f32;
    }

    fn places(&self, past: &Past<'_>, time: i64) -> [usize; 2] {
        self.places_in(past.local.at(time), time, past.bin)
    }

    /// The slots of the hour and of the day of an instant in a bin of the local week.
    pub fn places_in(&self, local: usize, time: i64, bin: i64) -> [usize; 2] {
        let place = |seconds: i64, table: &[f32]| {
            usize::try_from(seconds / self.width).unwrap_or(0).min(table.len().saturating_sub(1))
        };
        let day = local as i64 * bin % DAY + time.rem_euclid(bin);
        [place(time.rem_euclid(HOUR), &self.hour), place(day, &self.day)]
    }

    /// Bytes held on the heap.
    pub fn heap_bytes(&self) -> usize {
        4 * (self.hour.capacity() + self.day.capacity())
    }
}
