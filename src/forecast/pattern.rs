//! What the clock does to the load within the hour and the day: jobs at the full hour, a burst every ten minutes.
//!
//! The profiles are smooth over a quarter of an hour, so that weeks of few samples are not mostly noise; what repeats at
//! the minute is lost in them. Two tables at the step of the samples hold what they leave: by slot of the hour, and on
//! top of it by slot of the local day. Both are learned as samples come, clipped, and never look ahead.

use super::bins::Past;
use super::tasks::{DAY, Plan};

/// Departures from the smooth expectation by slot of the hour and of the day, on the variance-stabilised scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    /// Seconds of a slot.
    width: i64,
    hour: Vec<f32>,
    /// In units of [`GRAIN`].
    day: Vec<i16>,
    /// Running mean of absolute departures, by which they are clipped.
    spread: f64,
    spread_weight: f64,
}

const HOUR: i64 = 3_600;
/// Slots are no shorter than this: a table of the day in seconds would be larger than all else.
const FINEST: i64 = 60;
/// Coarser steps have no pattern within the hour, and the profiles hold their day.
const COARSE: i64 = 900;
/// How fast the tables follow: the hour comes 24 times a day, the day once.
const GAINS: [f64; 2] = [0.03, 0.15];
/// A departure beyond so many typical ones moves a table no further.
const CLIP: f64 = 3.0;
/// What the spread keeps from one sample to the next, and the weight from which on it is known.
const KEEP: f64 = 0.9995;
const KNOWN: f64 = 50.0;
/// Units of the table of the day: it reaches to eight times the root of the mean load.
const GRAIN: f32 = 1.0 / 4_096.0;

impl Pattern {
    /// Empty tables.
    pub fn new(plan: &Plan) -> Self {
        let width = plan.step.max(FINEST);
        let slots = |period: i64| {
            let slots = if plan.step <= COARSE { (period + width - 1) / width } else { 0 };
            usize::try_from(slots).unwrap_or(0)
        };
        let (hour, day) = (vec![0.0; slots(HOUR)], vec![0; slots(DAY)]);
        Pattern { width, hour, day, spread: 0.0, spread_weight: 0.0 }
    }

    /// What the hour and the day add at an instant; nothing where the step is coarse.
    pub fn at(&self, past: &Past<'_>, time: i64) -> [f64; 2] {
        let [hour, day] = self.places(past.local.at(time), time, past.bin);
        let [hour, day] = [self.hour.get(hour).copied(), self.day.get(day).map(|&day| grains(day))];
        [hour, day].map(|table| f64::from(table.unwrap_or(0.0)))
    }

    /// The most they add at any slot after one instant and up to another.
    pub fn crest(&self, past: &Past<'_>, from: i64, to: i64) -> f64 {
        let slots = (to - from) / self.width;
        if self.hour.is_empty() || slots == 0 {
            return self.at(past, to).iter().sum();
        }
        let next = from + self.width;
        let [mut hour, mut day] = self.places(past.local.at(next), next, past.bin);
        let mut most = f32::MIN;
        for _ in 0..slots {
            most = most.max(self.hour[hour] + grains(self.day[day]));
            hour = if hour + 1 == self.hour.len() { 0 } else { hour + 1 };
            day = if day + 1 == self.day.len() { 0 } else { day + 1 };
        }
        f64::from(most)
    }

    /// Learns the departure of the sample at an instant in a bin of the local week.
    pub fn learn(&mut self, (local, time, bin): (usize, i64, i64), departure: f64) {
        let [hour, day] = self.places(local, time, bin);
        let (Some(hour), Some(day)) = (self.hour.get_mut(hour), self.day.get_mut(day)) else { return };
        let limit =
            if self.spread_weight > KNOWN { CLIP * self.spread / self.spread_weight } else { f64::MAX };
        self.spread = self.spread * KEEP + departure.abs().min(limit);
        self.spread_weight = self.spread_weight * KEEP + 1.0;
        let departure = departure.clamp(-limit, limit);
        *hour += (GAINS[0] * (departure - f64::from(*hour))) as f32;
        let (rest, old) = (departure - f64::from(*hour), f64::from(grains(*day)));
        *day = ((old + GAINS[1] * (rest - old)) / f64::from(GRAIN)).round() as i16;
    }

    /// Bytes held on the heap.
    pub fn heap_bytes(&self) -> usize {
        4 * self.hour.capacity() + 2 * self.day.capacity()
    }

    /// The slots of the hour and of the day.
    fn places(&self, local: usize, time: i64, bin: i64) -> [usize; 2] {
        let place = |seconds: i64, slots: usize| {
            usize::try_from(seconds / self.width).unwrap_or(0).min(slots.saturating_sub(1))
        };
        let day = local as i64 * bin % DAY + time.rem_euclid(bin);
        [place(time.rem_euclid(HOUR), self.hour.len()), place(day, self.day.len())]
    }
}

fn grains(day: i16) -> f32 {
    f32::from(day) * GRAIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Span, Step};

    fn plan(step: i64) -> Plan {
        Plan::new(Step::new(Span::seconds(step)).expect("a step"), 1_000)
    }

    /// The tables after a week in which minute 7 of each hour adds one, and minute 620 of the day two more.
    fn taught(step: i64) -> Pattern {
        let plan = plan(step);
        let mut pattern = Pattern::new(&plan);
        for i in 0..7 * DAY / step {
            let time = i * step;
            let local = (time % (7 * DAY) / plan.bin) as usize;
            let burst = f64::from(u8::from(time % HOUR / 60 == 7)) * 1.0;
            let daily = f64::from(u8::from(time % DAY / 60 == 620)) * 2.0;
            // Some noise, so that bursts are not beyond everything.
            let noise = 0.5 * (i as f64 * 1.7).sin();
            pattern.learn((local, time, plan.bin), burst + daily + noise);
        }
        pattern
    }

    #[test]
    fn what_repeats_at_the_minute_is_found() {
        let pattern = taught(60);
        let least = |x: f32| assert!(x > 0.5, "{x}");
        least(pattern.hour[7]);
        least(grains(pattern.day[620]));
        assert!(pattern.hour[8].abs() < 0.2 && pattern.hour[30].abs() < 0.2);
        assert!(grains(pattern.day[621]).abs() < 0.4);
    }

    #[test]
    fn a_departure_is_clipped_and_coarse_steps_have_no_tables() {
        let mut pattern = taught(60);
        let before = pattern.hour[30];
        pattern.learn((0, 30 * 60, 300), 1e6);
        assert!(pattern.hour[30] - before < 0.1);
        let coarse = taught(1_800);
        assert_eq!((coarse.hour.len(), coarse.day.len()), (0, 0));
    }
}
