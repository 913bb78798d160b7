//! Tells glitches and short spikes from lasting changes of the load, by how long they last.
//!
//! A rise far beyond earlier ones that is gone within minutes (a restarted counter, a scrape glitch, a burst of retries)
//! says nothing about the next hours, so it is not learned. A rise that lasts is a new regime and is learned in full. So
//! is the third rise of a similar size: two may be chance. While a rise is open, the tracker keeps two states, one with
//! it and one without. This decides only what is learned; the need for the present load is another matter.

use super::tasks::Plan;

/// Classifies the samples of a series, which are on the variance-stabilised scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sift {
    kind: Kind,
    /// Running mean of the usual samples, and how many there were.
    mean: f64,
    seen: usize,
    /// The largest rise over the running mean, of a usual sample or of a rise that lasted.
    rise: f64,
    /// The two largest rises that did not last, larger first.
    gone: [f64; 2],
    /// The open rise: it began, and has neither lasted nor gone.
    open: Option<Open>,
    /// Samples not learned, counted over rises of which each ended within a day of the one before; the last ended at
    /// `ignored_at`.
    ignored: usize,
    ignored_at: i64,
}

/// When a rise (sign one) or a fall (sign minus one) is sudden: it is more than `beyond` times the largest known one, and
/// changes the running mean by more than the factor `least`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Kind {
    sign: f64,
    beyond: f64,
    least: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Open {
    from: i64,
    samples: usize,
    sum: f64,
    top: f64,
}

/// The class of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// A usual sample.
    Usual,
    /// The first sample of a sudden rise, which no later sample confirms yet.
    Sudden,
    /// A further sample of an open rise.
    Rising,
    /// A usual sample; the rise before it did not last and is not learned.
    Gone,
    /// The sample with which a rise has lasted: all its samples are learned.
    Lasting,
}

/// A possible glitch is a rise of more than twice the largest known one, to about two and a half times the running mean
/// or more: 1.58 times on the variance-stabilised scale.
const GLITCH: Kind = Kind { sign: 1.0, beyond: 2.0, least: 1.58 };
/// A possible shift of the level is much less: it leads to a second hypothesis, which is weighted by its loss.
const CLIMB: Kind = Kind { sign: 1.0, beyond: 0.4, least: 1.22 };
const FALL: Kind = Kind { sign: -1.0, ..CLIMB };
/// A rise is gone once less than this share of its top is left.
const LEFT: f64 = 0.4;
/// A rise has lasted after this many seconds.
const SPIKE: i64 = 600;
/// The fewest samples of a rise that has lasted.
const FEWEST: usize = 3;
/// Half-life of the running mean: the larger of this many steps and this many seconds.
const MEMORY: (f64, f64) = (3.0, 300.0);
/// No rise is sudden before usual samples of this many seconds were taken in.
const DAY: i64 = 86_400;

impl Sift {
    /// Before the first sample.
    fn new(kind: Kind) -> Self {
        let (gone, open) = ([0.0; 2], None);
        Sift { kind, mean: 0.0, seen: 0, rise: 0.0, gone, open, ignored: 0, ignored_at: i64::MIN }
    }

    /// How many samples were not learned, if the last of them was within the last day; zero otherwise.
    pub fn ignored(&self, now: i64) -> usize {
        if now.saturating_sub(self.ignored_at) <= DAY { self.ignored } else { 0 }
    }

    /// When the open rise began.
    pub fn open_from(&self) -> Option<i64> {
        self.open.map(|open| open.from)
    }

    /// The mean of the samples of the open rise.
    pub fn open_mean(&self) -> Option<f64> {
        self.open.map(|open| open.sum / open.samples as f64)
    }

    /// Takes in the sample of a slot and returns its class.
    pub fn take(&mut self, plan: &Plan, at: i64, z: f64) -> Finding {
        let Kind { sign, beyond, least } = self.kind;
        let rise = sign * (z - self.mean);
        if let Some(open) = self.open {
            if rise < LEFT * open.top {
                self.forget(open, at);
                self.usual(plan, z);
                return Finding::Gone;
            }
            let open = Open { samples: open.samples + 1, sum: open.sum + z, top: open.top.max(rise), ..open };
            if at - open.from < SPIKE || open.samples < FEWEST {
                self.open = Some(open);
                return Finding::Rising;
            }
            self.open = None;
            self.rise = self.rise.max(open.top);
            self.mean = z;
            return Finding::Lasting;
        }
        let known = self.rise.max(self.gone[1]);
        let is_far = if sign > 0.0 { z > least * self.mean } else { self.mean > least * z };
        let is_sudden = rise > beyond * known && is_far;
        if is_sudden && self.seen as i64 * plan.step >= DAY {
            self.open = Some(Open { from: at, samples: 1, sum: z, top: rise });
            return Finding::Sudden;
        }
        self.rise = self.rise.max(rise);
        self.usual(plan, z);
        Finding::Usual
    }

    fn usual(&mut self, plan: &Plan, z: f64) {
        let keep = if self.seen == 0 { 0.0 } else { plan.sift };
        self.mean = keep * self.mean + (1.0 - keep) * z;
        self.seen += 1;
    }

    fn forget(&mut self, open: Open, at: i64) {
        self.open = None;
        let [first, second] = self.gone;
        self.gone = if open.top > first { [open.top, first] } else { [first, second.max(open.top)] };
        self.ignored = open.samples + self.ignored(at);
        self.ignored_at = at;
    }
}

/// Decay of the running mean over one step.
pub(super) fn decay(step: i64) -> f64 {
    0.5f64.powf(1.0 / MEMORY.0.max(MEMORY.1 / step as f64))
}

/// Replaces by gaps the samples of a window that are not learned, including those of a possible glitch that is open at
/// the end. The first slot is at `start`. Returns the filters of glitches, climbs and falls at the end, and the slot at
/// which the last climb or fall that lasted began.
pub(super) fn sift(plan: &Plan, start: i64, z: &mut [f64]) -> ([Sift; 3], Option<usize>) {
    let [mut sift, climbs, falls] = [GLITCH, CLIMB, FALL].map(Sift::new);
    let mut shifts = [(climbs, None), (falls, None)];
    let (mut from, mut shift) = (None, None);
    for slot in 0..z.len() {
        if z[slot].is_nan() {
            continue;
        }
        let at = start + plan.step * slot as i64;
        for (sift, from) in &mut shifts {
            match sift.take(plan, at, z[slot]) {
                Finding::Sudden => *from = Some(slot),
                Finding::Lasting => shift = *from,
                Finding::Usual | Finding::Rising | Finding::Gone => {}
            }
        }
        match sift.take(plan, at, z[slot]) {
            Finding::Sudden => from = Some(slot),
            Finding::Gone => {
                let first = from.take().unwrap_or(slot);
                z[first..slot].fill(f64::NAN);
            }
            Finding::Lasting => from = None,
            Finding::Usual | Finding::Rising => {}
        }
    }
    if let (Some(_), Some(first)) = (sift.open, from) {
        z[first..].fill(f64::NAN);
    }
    let [(climbs, _), (falls, _)] = shifts;
    ([sift, climbs, falls], shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Span, Step};

    fn plan(step: i64) -> Plan {
        Plan::new(Step::new(Span::seconds(step)).expect("a step"), 1_000)
    }

    /// Two days of loads around one, with a small wave.
    fn calm(step: i64) -> Vec<f64> {
        (0..2 * DAY / step).map(|i| 1.0 + 0.05 * (i as f64 * 1.7).sin()).collect()
    }

    /// How many samples are replaced by gaps.
    fn taken_out(step: i64, load: &[f64]) -> usize {
        let mut z = load.to_vec();
        sift(&plan(step), 0, &mut z);
        z.iter().filter(|v| v.is_nan()).count()
    }

    #[test]
    fn what_is_gone_at_once_is_not_learned_and_what_lasts_is() {
        for step in [60, 300, 1_800] {
            let with = |samples: usize, z: f64| {
                let mut load = calm(step);
                let at = load.len() - 200_usize.min(load.len() / 3);
                load[at..at + samples].fill(z);
                taken_out(step, &load)
            };
            assert_eq!((with(0, 0.0), with(1, 6.0), with(1, 30.0)), (0, 1, 1), "step {step}");
            let minutes = |m: i64| (60 * m / step).max(1) as usize;
            assert_eq!(with(minutes(4), 3.0), minutes(4), "a spike of four minutes, step {step}");
            assert_eq!(with(minutes(90).max(3), 3.0), 0, "an hour and a half, step {step}");
            assert_eq!(with(1, 1.2), 0, "a small rise, step {step}");
        }
    }

    #[test]
    fn the_third_of_its_size_is_a_pattern() {
        let mut load = calm(60);
        let spikes = [1_500, 1_900, 2_300, 2_700];
        spikes.iter().for_each(|&at| load[at] = 5.0);
        assert_eq!(taken_out(60, &load), 2);
    }

    #[test]
    fn nothing_is_beyond_a_day_that_was_not_seen() {
        let mut load = calm(60);
        load[600] = 9.0;
        assert_eq!(taken_out(60, &load), 0);
    }

    #[test]
    fn a_rise_that_is_open_at_the_end_waits() {
        let mut load = calm(60);
        let end = load.len();
        load[end - 3..].fill(5.0);
        let mut z = load.clone();
        let ([sift, ..], _) = sift(&plan(60), 0, &mut z);
        assert_eq!(z.iter().filter(|v| v.is_nan()).count(), 3);
        assert_eq!(sift.open_from(), Some((end as i64 - 3) * 60));
    }
}
