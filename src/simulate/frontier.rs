//! Strategies compared where they are equally good: replica-hours at the same under-provisioning.
//!
//! A strategy at one setting says little, since any of them is safe with enough replicas. So its insurance is
//! swept, and the cost read off where the time with a shortage is 1 %.

use super::run::{Strategy, Target, run};
use super::{ConfigError, Load, Scorecard};

/// A strategy over a sweep of its insurance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frontier {
    /// The points in the order of the sweep.
    pub points: Vec<Point>,
    /// Replica-hours by demand at the wanted under-provisioning; `None` where no insurance reaches it.
    pub matched: Option<f64>,
}

/// One setting of a strategy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The factor, or whatever the strategy is swept by.
    pub insurance: f64,
    /// How it fared.
    pub scorecard: Scorecard,
}

/// The under-provisioning at which strategies are compared, percent of the time.
pub const MATCHED_TAU_U: f64 = 1.0;

/// Insurance factors that reach from too little to three times too much, denser where most strategies cross 1 %.
pub const SWEEP: [f64; 22] = [
    0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.25, 2.5,
    2.75, 3.0,
];

/// Sweeps a strategy, built anew for each insurance.
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

impl Frontier {
    /// The frontier of points in the order of their insurance.
    pub fn of(points: Vec<Point>) -> Self {
        let matched = cost_at(&points, MATCHED_TAU_U);
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
