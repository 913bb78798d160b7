//! Patterns at the minute, within the hour and within the day: jobs at the full hour, a burst every ten minutes.
//!
//! At fine steps the profiles are averages over a quarter of an hour, because they would be mostly noise otherwise. They
//! lose what repeats at the minute. Two tables at the step of the samples hold it: one by slot of the hour, and one for
//! the remainder by slot of the local day. The fit's pass over the window learns both sample by sample from clipped
//! departures, never from later samples. After the grid point they do not change.

use super::bins::Past;
use super::tasks::{DAY, Plan};

/// Mean departures from the smooth profile by slot of the hour and of the day, on the variance-stabilised scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    /// Length of a slot, in seconds.
    width: i64,
    hour: Vec<f32>,
    /// In units of [`GRAIN`].
    day: Vec<i16>,
    /// Running mean of the absolute departures, from which the clipping limit follows.
    spread: f64,
    spread_weight: f64,
}

const HOUR: i64 = 3_600;
/// The shortest slot, in seconds: a table of the day in seconds would be larger than everything else.
const FINEST: i64 = 60;
/// The coarsest step with patterns, in seconds: at coarser steps the profiles hold the whole pattern of the day.
const COARSE: i64 = 900;
/// The gains of the two tables: a slot of the hour is seen 24 times a day, a slot of the day once.
const GAINS: [f64; 2] = [0.03, 0.15];
/// Departures are clipped to this many mean absolute departures.
const CLIP: f64 = 3.0;
/// The decay per sample of the running mean absolute departure, and the weight from which on it is used.
const KEEP: f64 = 0.9995;
const KNOWN: f64 = 50.0;
/// The unit of the table of the day. Its range is -8 to 8, where the root of the mean load is about 1.
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

    /// The patterns of the hour and of the day at an instant; zero at coarse steps.
    pub fn at(&self, past: &Past<'_>, time: i64) -> [f64; 2] {
        let [hour, day] = self.places(past.local.at(time), time, past.bin);
        let [hour, day] = [self.hour.get(hour).copied(), self.day.get(day).map(|&day| grains(day))];
        [hour, day].map(|table| f64::from(table.unwrap_or(0.0)))
    }

    /// The largest sum of the two patterns at any slot after one instant and up to another.
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

    /// Learns the departure of one sample, given its bin of the local week, its instant and the length of a bin.
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

    /// The indices of the slot of the hour and of the slot of the day.
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
            // Some noise, so that the bursts are not clipped to nothing.
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
