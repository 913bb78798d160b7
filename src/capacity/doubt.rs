//! What speaks against a knee: misses that follow something else than the load of a replica.
//!
//! A knee is easily found where there is none: start-up, failing neighbours and shared databases miss objectives too, and
//! load that was served falls just when latency is high. Each doubt is a test with its threshold, and refuses.

use super::knee::{Point, Rise, sums};
use super::why::Why;

/// Misses must have the larger load of a replica at least so often; a half is chance.
pub(super) const LEAST_ORDERED: f64 = 0.8;
/// Well below the knee at most this share of cells may miss: the rest of life.
const MOST_BELOW: f64 = 0.15;
/// Above the knee at least this share must.
const LEAST_ABOVE: f64 = 0.6;
/// Well below, well above.
const BELOW: f64 = 0.8;
const ABOVE: f64 = 1.05;
/// The load of a replica must explain more than the whole load does, by this share of what is left.
const BETTER: f64 = 0.95;
/// Where replicas vary by less, the two cannot be told apart.
const VARIES: f64 = 1.2;
/// Steps of replicas at a steady load: this many must be there, and bring this share of the relief that is expected.
const FEWEST_STEPS: usize = 8;
const LEAST_RELIEF: f64 = 0.55;
/// Neighbours that are compared.
const NEIGHBOURS: usize = 3;
/// Seconds after which the time of day has changed more than the replicas.
const SOON: i64 = 420;

/// The chance that of two cells the one that misses has the larger load per replica; a tie counts half.
pub(super) fn ordered(points: &[Point]) -> f64 {
    rank_order(points, |point| point.each)
}

/// Whether the whole load is smaller where the objective is missed.
pub(super) fn load_falls(points: &[Point]) -> bool {
    rank_order(points, |point| point.total) < 0.4
}

/// Refuses a knee that the load of a replica does not explain.
pub(super) fn judge(points: &[Point], rise: &Rise, knee: f64) -> Result<(), Why> {
    let share = |takes: &dyn Fn(f64) -> bool| {
        let taken = points.iter().filter(|point| takes(point.each));
        let (all, missed) = taken.fold((0.0, 0.0), |(all, missed), point| {
            (all + 1.0, missed + if point.score > 0.0 { 1.0 } else { 0.0 })
        });
        (missed / f64::max(all, 1.0), all)
    };
    let (below, _) = share(&|each| each < BELOW * knee);
    let (mut above, mut seen) = share(&|each| each > ABOVE * knee);
    if seen < 3.0 {
        (above, seen) = share(&|each| each >= knee);
    }
    if below > MOST_BELOW || (seen >= 3.0 && above < LEAST_ABOVE) {
        return Err(Why::Scattered { below, above });
    }
    let counts = points.iter().map(|point| point.replicas);
    let (least, most) = counts.fold((f64::INFINITY, 0.0), |(l, m), n| (f64::min(l, n), f64::max(m, n)));
    if most < VARIES * least {
        return Ok(());
    }
    let whole = Rise::of(&sums(points, |point| point.total), None);
    let (own, shared) = (rise.misfit(points, |p| p.each), whole.misfit(points, |p| p.total));
    if own > BETTER * shared && own > 0.0 {
        return Err(Why::FollowsTotal);
    }
    let (relief, steps) = relief(points, rise);
    if steps >= FEWEST_STEPS && relief < LEAST_RELIEF {
        return Err(Why::ReplicasDoNotHelp { relief });
    }
    Ok(())
}

/// Steps of replicas at nearly the same load and nearly the same time, as a small experiment that the autoscaler ran: the
/// share of the expected change of scores that came, and how many steps there were.
fn relief(points: &[Point], rise: &Rise) -> (f64, usize) {
    let (mut came, mut expected, mut steps) = (0.0, 0.0, 0);
    for (i, one) in points.iter().enumerate() {
        for other in points.iter().skip(i + 1).take(NEIGHBOURS) {
            if other.at - one.at > SOON {
                break;
            }
            let is_steady = (other.total / one.total).ln().abs() < 0.15;
            let is_step = (other.replicas / one.replicas).ln().abs() > 0.2;
            let change = rise.at(other.each) - rise.at(one.each);
            if is_steady && is_step && change.abs() > 0.5 {
                came += change * (other.score - one.score);
                expected += change * change;
                steps += 1;
            }
        }
    }
    (if expected > 0.0 { came / expected } else { 1.0 }, steps)
}

/// Mann and Whitney's statistic as a share, over bins of equal ratio.
fn rank_order(points: &[Point], load: impl Fn(&Point) -> f64) -> f64 {
    use super::spread::{BINS, bin};
    let top = points.iter().map(&load).fold(f64::MIN_POSITIVE, f64::max);
    let (mut hit, mut missed) = (vec![0.0; BINS], vec![0.0; BINS]);
    for point in points {
        let side = if point.score > 0.0 { &mut missed } else { &mut hit };
        side[bin(load(point), top)] += 1.0;
    }
    let (mut below, mut won) = (0.0, 0.0);
    for (hit, missed) in hit.iter().zip(&missed) {
        won += missed * (below + hit / 2.0);
        below += hit;
    }
    let pairs = below * missed.iter().sum::<f64>();
    if pairs > 0.0 { won / pairs } else { 1.0 }
}
