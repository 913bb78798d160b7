//! How much to insure: a given quantile, or a penalty for each under-provisioned hour, found by replay.
//!
//! A quantile insures quiet and volatile hours alike. If the target is a share of time, that is wasteful: the same
//! replica buys more time where the load is easier to predict. So the target is met with a price: the number of
//! replicas beyond which one more would cost more than the time it is likely to save. The price is the lowest that
//! would have met the target over the past days. The replay takes into account that pods start late and that the HPA
//! holds replicas.

use crate::units::{Quantile, Replicas};

/// How much to insure against the forecast being low.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Insured {
    /// This quantile of the coming load.
    Quantile(Quantile),
    /// The penalty for one under-provisioned hour, in replica-hours.
    Penalty(f64),
}

/// How likely each number of replicas is to be too few, from the number that is likely needed upwards.
#[derive(Debug, Clone, PartialEq)]
pub struct Odds(Vec<(u32, f64)>);

/// The replicas that one penalty asked for in a replay, and what came of them: pods start late, and the HPA holds the
/// replicas it has.
#[derive(Debug, Clone, Default)]
pub struct ReplayedReplicas {
    wanted: Vec<Replicas>,
    kept: Vec<Replicas>,
}

/// How often each of [`PENALTIES`] left too few replicas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Instants at which the demand is known.
    pub judged: u32,
    /// Of these, how many had fewer ready replicas than needed.
    pub short: [u32; PENALTIES.len()],
}

/// The penalties tried, ascending: from "the likely load" to "the largest load ever seen".
pub const PENALTIES: [f64; 28] = [
    0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.5, 8.0, 10.0, 13.0, 16.0, 20.0, 26.0, 34.0, 45.0, 60.0, 80.0,
    110.0, 160.0, 250.0, 400.0, 700.0, 1_500.0, 5_000.0, 20_000.0, 100_000.0,
];
/// The penalty used if there is too little to replay: that of `objective: balanced`, 0.95 / 0.05.
pub const BALANCED_PENALTY: f64 = 19.0;
/// With fewer judged instants than this, a share of 1 % cannot be measured.
const FEWEST: u32 = 300;

/// The lowest penalty that left at most `target` of the time short over all tallies, interpolated between two
/// penalties by their shares. If none was enough, the cheapest of those with the smallest share.
pub fn penalty_for_target<'a>(tallies: impl IntoIterator<Item = &'a Tally>, target: f64) -> f64 {
    let total = tallies.into_iter().fold(Tally::default(), Tally::with);
    if total.judged < FEWEST {
        return BALANCED_PENALTY;
    }
    let shares = total.short.map(|short| f64::from(short) / f64::from(total.judged));
    let Some(kept) = shares.iter().position(|share| *share <= target) else {
        let least = (0..shares.len()).min_by(|&a, &b| shares[a].total_cmp(&shares[b]));
        return least.map_or(BALANCED_PENALTY, |k| PENALTIES[k]);
    };
    let Some(before) = kept.checked_sub(1) else { return PENALTIES[kept] };
    // Penalties scale by ratios, so half-way is the geometric mean.
    let part = (shares[before] - target) / (shares[before] - shares[kept]);
    PENALTIES[before] * (PENALTIES[kept] / PENALTIES[before]).powf(part)
}

// === impl Odds ===

impl Odds {
    /// From the likely number to one that is hardly ever too few; `above` is the probability that a number is too
    /// few.
    pub fn new(likely: Replicas, most: Replicas, above: impl Fn(Replicas) -> f64) -> Self {
        Odds(odds(likely, most, above).collect())
    }

    /// The fewest replicas with the lowest cost, including the penalty for the time they leave short.
    pub fn cheapest_at(&self, penalty: f64) -> Replicas {
        cheapest(self.0.iter().copied(), penalty)
    }
}

/// The same as [`Odds::cheapest_at`] for a single penalty: it evaluates no more counts than it needs.
pub fn cheapest_at(
    likely: Replicas,
    most: Replicas,
    above: impl Fn(Replicas) -> f64,
    penalty: f64,
) -> Replicas {
    cheapest(odds(likely, most, above), penalty)
}

fn odds(
    likely: Replicas,
    most: Replicas,
    above: impl Fn(Replicas) -> f64,
) -> impl Iterator<Item = (u32, f64)> {
    /// With more counts than this, the scan is coarser: a difference of half a percent does not matter.
    const EXACT: u32 = 200;
    let (first, last) = (likely.get(), most.get().max(likely.get()));
    let stride = (last - first).div_ceil(EXACT).max(1) as usize;
    let counts = (first..last).step_by(stride).chain([last]);
    counts.map(move |count| (count, above(Replicas::covering(f64::from(count)))))
}

/// The first of the ascending counts with the lowest cost. The scan ends at a count that alone costs as much as the
/// best so far.
fn cheapest(odds: impl Iterator<Item = (u32, f64)>, penalty: f64) -> Replicas {
    let mut best: Option<(f64, u32)> = None;
    for (count, above) in odds {
        if best.is_some_and(|best| f64::from(count) >= best.0) {
            break;
        }
        let cost = f64::from(count) + penalty * above;
        if best.is_none_or(|best| cost < best.0) {
            best = Some((cost, count));
        }
    }
    best.map_or(Replicas::ZERO, |best| Replicas::covering(f64::from(best.1)))
}

// === impl ReplayedReplicas ===

impl ReplayedReplicas {
    /// Adds the wanted replicas of the next instant. They are kept for `hold` instants after they were last wanted.
    pub fn want(&mut self, replicas: Replicas, hold: usize) {
        self.wanted.push(replicas);
        let lately = self.wanted.iter().rev().take(hold + 1);
        self.kept.push(lately.copied().max().unwrap_or_default());
    }

    /// The replicas that are ready now: those kept during all of the last `delay` instants, the time that a pod
    /// takes.
    pub fn ready(&self, delay: usize) -> Replicas {
        self.kept.iter().rev().take(delay + 1).copied().min().unwrap_or_default()
    }
}

// === impl Tally ===

impl Tally {
    /// Adds an instant, with the penalties that left it short.
    pub fn judge(&mut self, is_short: impl Fn(usize) -> bool) {
        self.judged += 1;
        for (k, short) in self.short.iter_mut().enumerate() {
            *short += u32::from(is_short(k));
        }
    }

    fn with(mut self, other: &Tally) -> Tally {
        self.judged += other.judged;
        self.short.iter_mut().zip(other.short).for_each(|(sum, short)| *sum += short);
        self
    }
}

// === impl Insured ===

impl Insured {
    /// The insured quantile, or the equivalent one: a penalty of `c` replica-hours corresponds to `c / (1 + c)` (the
    /// newsvendor quantile).
    pub fn quantile(self) -> Quantile {
        match self {
            Insured::Quantile(quantile) => quantile,
            Insured::Penalty(penalty) => {
                Quantile::new(penalty / (1.0 + penalty)).unwrap_or(Quantile::BALANCED)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(n: u32) -> Replicas {
        Replicas::new(n).expect("small")
    }

    /// Demand jumps from 2 to 6 every tenth instant; it is seen ahead by penalties from `from` to `until`.
    fn tally(from: f64, until: f64) -> Tally {
        let demand = |i: usize| replicas(if i.is_multiple_of(10) { 6 } else { 2 });
        let mut lanes = vec![ReplayedReplicas::default(); PENALTIES.len()];
        let mut tally = Tally::default();
        for i in 0..600 {
            for (lane, penalty) in lanes.iter_mut().zip(PENALTIES) {
                let sees = (from..=until).contains(&penalty);
                lane.want(if sees { demand(i + 2) } else { replicas(2) }, 2);
            }
            if i >= 4 {
                tally.judge(|k| lanes[k].ready(2) < demand(i));
            }
        }
        tally
    }

    #[test]
    fn the_lowest_penalty_that_keeps_the_target_is_taken() {
        let penalty = |tally: &Tally, target| penalty_for_target([tally], target);
        assert_eq!(penalty(&tally(0.0, 1e9), 0.01), PENALTIES[0]);
        let found = penalty(&tally(8.0, 1e9), 0.01);
        assert!((6.5..=8.0).contains(&found), "{found}");
        assert_eq!(
            penalty(&tally(1e9, 1e9), 0.2),
            PENALTIES[0],
            "short a tenth of the time, a fifth allowed"
        );
        assert_eq!(penalty(&Tally { judged: 100, ..Tally::default() }, 0.01), BALANCED_PENALTY);
    }

    #[test]
    fn where_no_penalty_keeps_it_the_cheapest_of_the_best_is_taken() {
        let mut tally = tally(8.0, 100.0);
        tally.short.iter_mut().for_each(|short| *short += 30);
        assert_eq!(penalty_for_target([&tally], 0.01), 8.0);
    }

    #[test]
    fn days_count_together() {
        let day = |short| Tally { judged: 200, short: [short; PENALTIES.len()] };
        assert_eq!(penalty_for_target([&day(4), &day(0)], 0.01), PENALTIES[0], "4 of 400");
        let some = Tally { judged: 200, ..tally(8.0, 1e9) };
        assert!(penalty_for_target([&some, &day(0)], 0.01) > 6.0);
    }

    #[test]
    fn a_lane_holds_what_was_wanted_and_waits_for_pods() {
        let mut lane = ReplayedReplicas::default();
        let ready = [1, 4, 1, 1, 1].map(|want| {
            lane.want(replicas(want), 2);
            lane.ready(1).get()
        });
        assert_eq!(ready, [1, 1, 4, 4, 1]);
    }

    #[test]
    fn a_replica_is_added_while_it_saves_more_than_it_costs() {
        // The probability of more than n halves with every replica.
        let above = |n: Replicas| 0.5f64.powi(n.get() as i32);
        let odds = Odds::new(replicas(1), replicas(50), above);
        assert_eq!([1.0, 10.0, 100.0, 1_000.0].map(|penalty| odds.cheapest_at(penalty).get()), [1, 3, 6, 9]);
        let least = Odds::new(replicas(3), replicas(1), above).cheapest_at(10.0);
        assert_eq!(least, replicas(3), "never below what is likely");
        for penalty in [0.1, 1.0, 10.0, 1e3, 1e6] {
            let cost = |n: u32| f64::from(n) + penalty * above(replicas(n));
            let least = (1..=50).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).expect("counts");
            let found = cheapest_at(replicas(1), replicas(50), above, penalty);
            assert_eq!((found, odds.cheapest_at(penalty)), (replicas(least), replicas(least)), "{penalty}");
        }
        let many = Odds::new(replicas(1), replicas(1_000_000), |n| 1.0 / f64::from(n.get()));
        assert!((990_000..=1_000_000).contains(&many.cheapest_at(1e12).get()));
    }
}
