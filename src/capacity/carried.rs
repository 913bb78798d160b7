//! What replicas were seen to carry: with the objective met, and at most while work waited.
//!
//! Neither is a model. What was carried for a quarter of an hour can be carried; what replicas completed while work
//! waited is all that they could do.

use super::cells::Cells;
use super::evidence::Column;
use super::knee::Point;
use super::spread::{self, BINS, BLOCKS, Estimate};
use super::why::Why;

/// Carried for so long in all, a load is no accident.
const CARRIED_MINUTES: f64 = 15.0;
/// Of that time at most this share may miss the objective.
const MISSES: f64 = 0.05;
/// Bins that count as one load: 6 %.
const TOGETHER: usize = 3;
/// Offered by this much more than was served, work is waiting or turned away.
const WAITS: f64 = 1.1;
/// For each replica so many pieces of work wait.
const QUEUED: f64 = 2.0;
const FEWEST: usize = 10;
/// Where the middle half of the throughputs spreads by more, replicas are not what limits them.
const STEADY: f64 = 0.4;

/// The largest load of a replica that was carried for a quarter of an hour in all with the objective met.
pub(super) fn demonstrated(cells: &Cells, points: &[Point]) -> Option<f64> {
    let top = points.iter().map(|point| point.each).fold(f64::MIN_POSITIVE, f64::max);
    let minutes = cells.total_minutes() / cells.len().max(1) as f64;
    let mut bins = vec![(0.0, 0.0, f64::INFINITY); BINS];
    for point in points {
        let bin = &mut bins[spread::bin(point.each, top)];
        bin.0 += 1.0;
        bin.1 += f64::from(u8::from(point.score > 0.0));
        bin.2 = f64::min(bin.2, point.each);
    }
    bins.windows(TOGETHER).rev().find_map(|some| {
        let (count, missed, least) = some.iter().fold((0.0, 0.0, f64::INFINITY), |(count, missed, least), bin| {
            (count + bin.0, missed + bin.1, f64::min(least, bin.2))
        });
        (count * minutes >= CARRIED_MINUTES && missed <= MISSES * count).then_some(least)
    })
}

/// What a replica completes while work waits; `None` where nothing tells of waiting work.
pub(super) fn throughput(cells: &Cells, takes: impl Fn(usize) -> bool) -> Option<Result<Estimate, Why>> {
    let waits = |i: usize| {
        let (demand, backlog) = (cells.get(i, Column::Demand), cells.get(i, Column::Backlog));
        demand > WAITS * cells.get(i, Column::Load) || backlog >= QUEUED * cells.replicas(i)
    };
    let knows = |i: &usize| !cells.get(*i, Column::Demand).is_nan() || !cells.get(*i, Column::Backlog).is_nan();
    if !(0..cells.len()).any(|i| knows(&i)) {
        return None;
    }
    // Work that began to wait, or ended waiting, within a cell did not fill it.
    let is_full = |i: usize| {
        let queue = !cells.get(i, Column::Backlog).is_nan();
        let beside = |j: Option<usize>| j.is_none_or(|j| j >= cells.len() || waits(j));
        waits(i) && (!queue || (beside(i.checked_sub(1)) && beside(Some(i + 1))))
    };
    let blocks = spread::blocks(cells);
    let full: Vec<(usize, f64)> =
        (0..cells.len()).filter(|&i| takes(i) && is_full(i)).map(|i| (blocks[i], cells.each(i))).collect();
    if full.len() < FEWEST {
        return Some(Err(Why::TooFew { cells: full.len(), expected: FEWEST }));
    }
    let of = |out: Option<usize>, share: f64| {
        let mut rates: Vec<f64> = full.iter().filter(|f| Some(f.0) != out).map(|f| f.1).collect();
        let rank = (share * rates.len().saturating_sub(1) as f64).round() as usize;
        (rank < rates.len()).then(|| *rates.select_nth_unstable_by(rank, f64::total_cmp).1)
    };
    let value = of(None, 0.5)?;
    let (low, high) = (of(None, 0.25)?, of(None, 0.75)?);
    if high - low > STEADY * value {
        return Some(Err(Why::Wide { width: (high - low) / 2.0 / value }));
    }
    let without: Vec<Option<f64>> = (0..BLOCKS).map(|out| of(Some(out), 0.5)).collect();
    Some(Ok(spread::jackknife(value, &without)))
}
