//! Compares strategies at equal quality: replica-hours at the same under-provisioning.
//!
//! One setting of a strategy says little, since any strategy is safe with enough replicas. So its insurance is swept,
//! and the cost is read where it is short for 1 % of the time. All strategies have the same limit of insurance: no
//! result above [`DEAREST`] times the demand counts, and no sweep stops before that.

use super::run::{Strategy, Target, run};
use super::{ConfigError, Foreseen, Load, Scorecard};

/// A strategy over a sweep of its insurance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frontier {
    /// The points in the order of the sweep.
    pub points: Vec<Point>,
    /// Replica-hours relative to demand at the given under-provisioning; `None` if no insurance up to [`DEAREST`]
    /// reaches it.
    pub matched: Option<f64>,
}

/// One setting of a strategy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The factor, or whatever the strategy is swept by.
    pub insurance: f64,
    /// Its score.
    pub scorecard: Scorecard,
}

/// The under-provisioning at which strategies are compared, percent of the time.
pub const MATCHED_TAU_U: f64 = 1.0;

/// Insurance factors from too little to three times too much, denser where most strategies cross 1 %.
pub const SWEEP: [f64; 22] = [
    0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.25, 2.5,
    2.75, 3.0,
];

/// The maximum insurance of every strategy, ours included: replica-hours relative to demand. Anyone who pays more
/// would do better to run a fixed number; the loads of the benchmark need one to five times their mean demand for
/// that.
pub const DEAREST: f64 = 6.0;

/// Factors beyond [`SWEEP`], for strategies that are still short at its end.
const BEYOND: [f64; 12] = [3.5, 4.0, 5.0, 6.0, 8.0, 11.0, 15.0, 20.0, 30.0, 50.0, 100.0, 200.0];

/// Sweeps the insurance factor of a strategy: over [`SWEEP`], and from there on until it is short for `level` percent
/// of the time, reaches [`DEAREST`], or more insurance changes nothing.
pub fn sweep<E>(level: f64, mut at: impl FnMut(f64) -> Result<Scorecard, E>) -> Result<Frontier, E> {
    let mut points: Vec<Point> = Vec::with_capacity(SWEEP.len());
    for (place, insurance) in SWEEP.into_iter().chain(BEYOND).enumerate() {
        let is_settled = |last: &Point, before: &Point| {
            let Scorecard { tau_u, rh_ratio, .. } = last.scorecard;
            let is_dearest = rh_ratio.is_none_or(|ratio| ratio >= DEAREST);
            let stands = (tau_u, rh_ratio) == (before.scorecard.tau_u, before.scorecard.rh_ratio);
            tau_u <= level || is_dearest || stands
        };
        if let [.., before, last] = points.as_slice()
            && place >= SWEEP.len()
            && is_settled(last, before)
        {
            break;
        }
        points.push(Point { insurance, scorecard: at(insurance)? });
    }
    Ok(Frontier::of(points))
}

/// Sweeps a strategy over given insurance settings, rebuilding it for each.
pub fn matched<'a>(
    load: &Load,
    target: &Target,
    sweep: &[f64],
    mut build: impl FnMut(f64) -> Box<dyn Strategy + 'a>,
) -> Result<Frontier, ConfigError> {
    let mut points = Vec::with_capacity(sweep.len());
    for &insurance in sweep {
        let scorecard = run(load, target, &mut *build(insurance))?.scorecard;
        points.push(Point { insurance, scorecard });
    }
    Ok(Frontier::of(points))
}

impl Point {
    /// The points of Forescale's runs, one for each insurance.
    pub fn foreseen(insurances: &[f64], runs: impl IntoIterator<Item = Foreseen>) -> Vec<Point> {
        let points = insurances.iter().zip(runs);
        points.map(|(&insurance, seen)| Point { insurance, scorecard: seen.run.scorecard }).collect()
    }
}

impl Frontier {
    /// The frontier of points, ordered by their insurance.
    pub fn of(points: Vec<Point>) -> Self {
        let matched = cost_at(&points, MATCHED_TAU_U).filter(|cost| *cost <= DEAREST);
        Frontier { points, matched }
    }
}

/// The least cost at which the points, or the straight line between neighbours, are short for `level` percent of
/// the time or less.
pub fn cost_at(points: &[Point], level: f64) -> Option<f64> {
    let flat = |point: &Point| point.scorecard.rh_ratio.map(|cost| (point.scorecard.tau_u, cost));
    let line: Vec<(f64, f64)> = points.iter().filter_map(flat).collect();
    let crossings = line.windows(2).filter_map(|pair| {
        let [(tau_a, cost_a), (tau_b, cost_b)] = *pair else { return None };
        let between = (tau_a > level) != (tau_b > level);
        between.then(|| cost_a + (cost_b - cost_a) * (tau_a - level) / (tau_a - tau_b))
    });
    let reached = line.iter().filter(|point| point.0 <= level).map(|point| point.1);
    crossings.chain(reached).reduce(f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(rows: &[(f64, f64)]) -> Vec<Point> {
        let card = |&(tau_u, ratio)| Scorecard { tau_u, rh_ratio: Some(ratio), ..Scorecard::default() };
        rows.iter().map(|row| Point { insurance: 1.0, scorecard: card(row) }).collect()
    }

    /// A strategy that is short until the factor reaches `enough`, and costs as much as its factor up to `most`.
    fn swept(enough: f64, most: f64) -> Frontier {
        let card = |factor: f64| {
            let tau_u = if factor >= enough { 0.0 } else { 50.0 };
            Ok::<_, ()>(Scorecard { tau_u, rh_ratio: Some(factor.min(most)), ..Scorecard::default() })
        };
        sweep(MATCHED_TAU_U, card).expect("no fault")
    }

    #[test]
    fn every_strategy_may_insure_up_to_the_same_cost() {
        let last = |frontier: &Frontier| frontier.points.last().map(|point| point.insurance);
        let cheap = swept(1.2, f64::MAX);
        assert_eq!((last(&cheap), cheap.points.len()), (Some(3.0), SWEEP.len()), "nothing beyond is needed");
        let dear = swept(4.5, f64::MAX);
        assert_eq!(
            (last(&dear), dear.matched.is_some()),
            (Some(5.0), true),
            "three times too much is not the end"
        );
        let dearest = swept(9.0, f64::MAX);
        assert_eq!((last(&dearest), dearest.matched), (Some(6.0), None), "dearer than anyone may be");
        let held = swept(9.0, 2.0);
        assert_eq!((last(&held), held.matched), (Some(3.0), None), "held by the limit on replicas");
        // Ours is swept by worths; it may not be dearer either.
        let ours = Frontier::of(points(&[(5.0, 2.0), (2.0, 5.0), (0.0, 11.0)]));
        assert_eq!(ours.matched, None);
    }

    #[test]
    fn the_cost_is_read_between_the_points() {
        for (rows, want) in [
            (&[(3.0, 1.1), (0.5, 1.35)][..], Some(1.3)),
            (&[(3.0, 1.1), (1.0, 1.4), (0.2, 1.6)], Some(1.4)),
            (&[(3.0, 1.1), (2.0, 1.4)], None),
            // Reached with the least insurance already.
            (&[(0.4, 1.05), (0.2, 1.2)], Some(1.05)),
            // Not monotone: the cheapest crossing counts.
            (&[(2.0, 1.0), (0.0, 1.2), (2.0, 1.3), (0.0, 1.5)], Some(1.1)),
            (&[], None),
        ] {
            let cost = cost_at(&points(rows), 1.0);
            assert!(cost.zip(want).map_or(cost == want, |(c, w)| (c - w).abs() < 1e-9), "{rows:?}: {cost:?}");
        }
    }
}
