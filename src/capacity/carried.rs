//! The loads that replicas were seen to carry: with the objective met, and at most while work waited.
//!
//! Neither is a model. A load that was carried for a quarter of an hour can be carried; what replicas completed while
//! work waited is the most they could do.

use super::cells::Cells;
use super::evidence::Column;
use super::knee::Point;
use super::spread::{self, BINS, BLOCKS, Estimate};
use super::why::Why;
use crate::units::percentile;

/// A load carried for this long in total is not an accident.
const CARRIED_MINUTES: f64 = 15.0;
/// At most this share of that time may miss the objective.
const MISSES: f64 = 0.1;
/// Bins that count as one load (6 %).
const TOGETHER: usize = 3;
/// If the offered load exceeds the most that a replica serves by this factor, work waits or is rejected.
const OVER: f64 = 1.1;
/// The seconds of work that must be waiting.
const QUEUED_SECONDS: f64 = 30.0;
const FEWEST: usize = 10;
/// If the middle half of the throughputs spreads by more than this, replicas are not the limit.
const STEADY: f64 = 0.4;

/// The largest load of a replica that was carried for a quarter of an hour in total with the objective met; each
/// point stands for `minutes`.
pub(super) fn demonstrated(minutes: f64, points: &[Point]) -> Option<f64> {
    let mut bins = vec![(0.0, 0.0, f64::INFINITY); BINS];
    for point in points {
        let bin = &mut bins[point.bins[0]];
        bin.0 += 1.0;
        bin.1 += f64::from(u8::from(point.score > 0.0));
        bin.2 = f64::min(bin.2, point.each);
    }
    bins.windows(TOGETHER).rev().find_map(|some| {
        let (count, missed, least) =
            some.iter().fold((0.0, 0.0, f64::INFINITY), |(count, missed, least), bin| {
                (count + bin.0, missed + bin.1, f64::min(least, bin.2))
            });
        (count * minutes >= CARRIED_MINUTES && missed <= MISSES * count).then_some(least)
    })
}

/// What a replica completes while work waits; `None` if no column shows waiting work.
pub(super) fn throughput(cells: &Cells) -> Option<Result<Estimate, Why>> {
    let blocks = spread::blocks(cells);
    let full: Vec<(usize, f64)> = if cells.has(Column::Backlog) {
        let is_full = |i: usize| waits(cells, i.saturating_sub(1)) && waits(cells, i) && waits(cells, i + 1);
        (0..cells.len()).filter(|&i| is_full(i)).map(|i| (blocks[i], cells.each(i))).collect()
    } else if cells.has(Column::Demand) {
        let ceiling = ceiling(cells);
        let is_over = |i: &usize| offered(cells, *i) > OVER * ceiling;
        (0..cells.len()).filter(is_over).map(|i| (blocks[i], cells.each(i))).collect()
    } else {
        return None;
    };
    if full.len() < FEWEST {
        return Some(Err(Why::TooFew { cells: full.len(), expected: FEWEST }));
    }
    let of = |out: Option<usize>, share: f64| {
        let rates: Vec<f64> = full.iter().filter(|f| Some(f.0) != out).map(|f| f.1).collect();
        percentile(rates, share)
    };
    let value = of(None, 0.5)?;
    let (low, high) = (of(None, 0.25)?, of(None, 0.75)?);
    if high - low > STEADY * value {
        return Some(Err(Why::Wide { width: (high - low) / 2.0 / value }));
    }
    let without: Vec<Option<f64>> = (0..BLOCKS).map(|out| of(Some(out), 0.5)).collect();
    Some(Ok(spread::jackknife(value, &without)))
}

/// Whether replicas have work for a while: work that starts or stops waiting within a minute did not fill it.
fn waits(cells: &Cells, i: usize) -> bool {
    i < cells.len() && cells.get(i, Column::Backlog) >= QUEUED_SECONDS * cells.get(i, Column::Load)
}

fn offered(cells: &Cells, i: usize) -> f64 {
    cells.get(i, Column::Demand) / cells.replicas(i)
}

/// The most that a replica serves, however much is offered: the median of what it served while clearly more was
/// offered.
fn ceiling(cells: &Cells) -> f64 {
    /// The value settles in two or three rounds.
    const ROUNDS: usize = 5;
    let served = cells.loads().to_vec();
    let mut ceiling = percentile(served, 0.95).unwrap_or(0.0);
    for _ in 0..ROUNDS {
        let over = (0..cells.len()).filter(|&i| offered(cells, i) > OVER * ceiling);
        let served = over.map(|i| cells.each(i)).collect();
        ceiling = percentile(served, 0.5).unwrap_or(ceiling);
    }
    ceiling
}
