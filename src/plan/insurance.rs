//! How much to insure: a quantile that is given, or what a short hour is worth, found by replay.
//!
//! A quantile insures quiet and wild hours alike. Where the promise is a share of time, that is wasteful: the same
//! replica buys more time where the load is easier to tell. So a promise is kept by a price: the number of replicas
//! for which one more would cost more than the time it is likely to save. The price is the lowest that would have
//! kept the promise over the days before; the replay knows pods that start late and replicas that are held.

use crate::units::{Quantile, Replicas};

/// How much to insure against the forecast being low.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Insured {
    /// This quantile of what is ahead.
    Quantile(Quantile),
    /// As many replica-hours as one short hour is worth.
    Worth(f64),
}

/// One instant of the trailing history, as a decision then would have seen it.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// Replicas the load at this instant really needed; `None` in a gap.
    pub demand: Option<Replicas>,
    /// Replicas a decision would have asked for, one for each worth of [`WORTHS`].
    pub wanted: Vec<Replicas>,
}

/// The worths tried, ascending; from "the likely load" to "whatever was ever seen".
pub const WORTHS: [f64; 28] = [
    0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.5, 8.0, 10.0, 13.0, 16.0, 20.0, 26.0, 34.0, 45.0, 60.0, 80.0,
    110.0, 160.0, 250.0, 400.0, 700.0, 1_500.0, 5_000.0, 20_000.0, 100_000.0,
];
/// What a short hour is worth where too little can be replayed: what `objective: balanced` says, 0.95 / 0.05.
pub const BALANCED_WORTH: f64 = 19.0;
/// Fewer judged instants than this tell nothing about shares of 1 %.
const FEWEST: usize = 300;

/// The fewest replicas, from what is likely needed up, whose cost with the time they leave short is least.
/// `above` is the probability that so many do not suffice.
pub fn worthwhile(likely: Replicas, most: Replicas, worth: f64, above: impl Fn(Replicas) -> f64) -> Replicas {
    /// Beyond, the count is scanned coarsely: a difference of half a percent does not matter.
    const EXACT: u32 = 200;
    let (first, last) = (likely.get(), most.get().max(likely.get()));
    let stride = (last - first).div_ceil(EXACT).max(1);
    let cost = |count: u32| f64::from(count) + worth * above(Replicas::covering(f64::from(count)));
    let mut best = (cost(first), first);
    let mut count = first;
    while count < last {
        count = count.saturating_add(stride).min(last);
        let next = cost(count);
        if next < best.0 {
            best = (next, count);
        }
    }
    Replicas::covering(f64::from(best.1))
}

/// The lowest worth with which at most `target` of the time would have been short, replicas being ready `delay`
/// instants after they are wanted and kept `hold` instants after they are last wanted; between two worths by the
/// share of time they leave short. The highest where none is enough.
pub fn worth_for_target(replay: &[Replay], delay: usize, hold: usize, target: f64) -> f64 {
    let judged = replay.iter().skip(delay + hold).filter(|instant| instant.demand.is_some()).count();
    if judged < FEWEST {
        return BALANCED_WORTH;
    }
    let mut before: Option<(f64, f64)> = None;
    for (k, &worth) in WORTHS.iter().enumerate() {
        let share = short_share(replay, k, delay, hold);
        if share <= target {
            let Some((cheaper, more)) = before else { return worth };
            // Worths are a matter of ratios: half-way is the geometric mean.
            let part = (more - target) / (more - share);
            return cheaper * (worth / cheaper).powf(part);
        }
        before = Some((worth, share));
    }
    WORTHS[WORTHS.len() - 1]
}

/// The share of instants with fewer replicas ready than needed.
fn short_share(replay: &[Replay], k: usize, delay: usize, hold: usize) -> f64 {
    let wanted =
        |i: usize| replay.get(i).and_then(|instant| instant.wanted.get(k)).copied().unwrap_or_default();
    // Kept: the largest want of the hold. Ready: what was kept all through the delay.
    let kept: Vec<Replicas> = (0..replay.len())
        .map(|i| (i.saturating_sub(hold)..=i).map(wanted).max().unwrap_or_default())
        .collect();
    let (mut judged, mut short) = (0usize, 0usize);
    for (i, instant) in replay.iter().enumerate().skip(delay + hold) {
        let Some(demand) = instant.demand else { continue };
        let ready = kept.get(i - delay..=i).and_then(|part| part.iter().min()).copied().unwrap_or_default();
        judged += 1;
        short += usize::from(ready < demand);
    }
    short as f64 / judged.max(1) as f64
}

// === impl Insured ===

impl Insured {
    /// The quantile that is insured, or the one that insures as much: a short hour that is worth `c` others is
    /// insured at `c / (1 + c)` (the newsvendor's).
    pub fn quantile(self) -> Quantile {
        match self {
            Insured::Quantile(quantile) => quantile,
            Insured::Worth(worth) => Quantile::new(worth / (1.0 + worth)).unwrap_or(Quantile::BALANCED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(n: u32) -> Replicas {
        Replicas::new(n).expect("small")
    }

    /// Demand jumps from 2 to 6 every tenth instant; it is seen ahead from the worth `from` on.
    fn replay(from: f64) -> Vec<Replay> {
        let demand = |i: usize| replicas(if i.is_multiple_of(10) { 6 } else { 2 });
        let want = |i: usize, worth: f64| if worth >= from { demand(i + 2) } else { replicas(2) };
        (0..600)
            .map(|i| Replay { demand: Some(demand(i)), wanted: WORTHS.map(|worth| want(i, worth)).to_vec() })
            .collect()
    }

    #[test]
    fn the_lowest_worth_that_keeps_the_promise_is_taken() {
        assert_eq!(worth_for_target(&replay(0.0), 2, 2, 0.01), WORTHS[0]);
        let found = worth_for_target(&replay(8.0), 2, 2, 0.01);
        assert!((6.5..=8.0).contains(&found), "{found}");
        assert_eq!(worth_for_target(&replay(1e9), 2, 2, 0.01), 100_000.0);
        assert_eq!(
            worth_for_target(&replay(1e9), 2, 2, 0.2),
            WORTHS[0],
            "short a tenth of the time, a fifth allowed"
        );
        assert_eq!(worth_for_target(&replay(0.0)[..100], 2, 2, 0.01), BALANCED_WORTH);
    }

    #[test]
    fn a_replica_is_added_while_it_saves_more_than_it_costs() {
        // The probability of more than n halves with every replica.
        let above = |n: Replicas| 0.5f64.powi(n.get() as i32);
        let found = [1.0, 10.0, 100.0, 1_000.0]
            .map(|worth| worthwhile(replicas(1), replicas(50), worth, above).get());
        assert_eq!(found, [1, 3, 6, 9]);
        assert_eq!(
            worthwhile(replicas(3), replicas(1), 10.0, above),
            replicas(3),
            "never below what is likely"
        );
        let many = worthwhile(replicas(1), replicas(1_000_000), 1e12, |n| 1.0 / f64::from(n.get()));
        assert!((990_000..=1_000_000).contains(&many.get()), "{many}");
    }
}
