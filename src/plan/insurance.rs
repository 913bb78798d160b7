//! How much to insure, found by replay: the lowest quantile that would have kept the promise.
//!
//! The replay is a fixed-delay recurrence, not the twin of KEDA and the HPA: replicas wanted at a step are ready a
//! lead time later and are let go after the HPA's stabilisation. It is pure, small, and errs to the safe side by
//! asking for the promised share with a margin.

use crate::units::{Quantile, Replicas, UnitError};

/// One step of the trailing history, as a decision then would have seen it.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// Replicas the load at this step really needed.
    pub demand: Replicas,
    /// Replicas the load seen at this step asks for by itself.
    pub reactive: Replicas,
    /// Replicas the forecast of then asks for, one for each quantile tried, ascending.
    pub forecast: Vec<Replicas>,
}

/// The quantiles tried, ascending.
pub const LADDER: [f64; 9] = [0.5, 0.65, 0.8, 0.9, 0.95, 0.975, 0.985, 0.99, 0.995];
/// The share of the promise that the replay must keep: what is ahead is never quite like what was.
const MARGIN: f64 = 0.8;

/// The lowest quantile of [`LADDER`] with which at most `target` of the steps would have been short, replicas
/// being ready `delay` steps after they are wanted and kept `hold` steps after they are last wanted; the highest
/// where none is enough. Short replays (below 100 steps) get the balanced quantile.
pub fn quantile_for_target(steps: &[Replay], delay: usize, hold: usize, target: f64) -> Quantile {
    const LEAST_STEPS: usize = 100;
    if steps.len() < LEAST_STEPS {
        return Quantile::BALANCED;
    }
    let found =
        LADDER.iter().enumerate().find(|&(k, _)| short_share(steps, k, delay, hold) <= target * MARGIN);
    let quantile: Result<Quantile, UnitError> =
        Quantile::new(found.map_or(LADDER[LADDER.len() - 1], |(_, &q)| q));
    quantile.unwrap_or(Quantile::BALANCED)
}

/// The share of steps with fewer replicas ready than needed.
fn short_share(steps: &[Replay], k: usize, delay: usize, hold: usize) -> f64 {
    let wanted = |i: usize| {
        let forecast = steps[i].forecast.get(k).copied().unwrap_or_default();
        steps[i].reactive.max(forecast)
    };
    let first = delay + hold;
    let judged = first..steps.len();
    let count = judged.len().max(1) as f64;
    let short = judged
        .filter(|&i| {
            let ready = (i - delay - hold..=i - delay).map(wanted).max().unwrap_or_default();
            ready < steps[i].demand
        })
        .count();
    short as f64 / count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(n: u32) -> Replicas {
        Replicas::new(n).expect("small")
    }

    /// Demand jumps from 2 to 6 every tenth step; the forecast sees it from the quantile `from` on.
    fn replay(from: f64) -> Vec<Replay> {
        let demand = |i: usize| replicas(if i.is_multiple_of(10) { 6 } else { 2 });
        (0..400)
            .map(|i| Replay {
                demand: demand(i),
                reactive: demand(i),
                forecast: LADDER
                    .iter()
                    .map(|&q| if q >= from { demand(i + 2) } else { replicas(2) })
                    .collect(),
            })
            .collect()
    }

    #[test]
    fn the_lowest_quantile_that_keeps_the_promise_is_taken() {
        for (from, want) in [(0.5, 0.5), (0.9, 0.9), (2.0, 0.995)] {
            assert_eq!(quantile_for_target(&replay(from), 2, 1, 0.01).get(), want);
        }
        assert_eq!(
            quantile_for_target(&replay(2.0), 2, 1, 0.2).get(),
            0.5,
            "short 10 % of the time, 20 % allowed"
        );
        assert_eq!(quantile_for_target(&replay(0.5)[..50], 2, 1, 0.01), Quantile::BALANCED);
    }
}
