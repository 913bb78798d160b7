//! Tests against a false knee: misses that follow something other than the load of a replica.
//!
//! It is easy to find a knee where there is none: start-up, failing neighbours and shared databases miss objectives
//! too, and served load falls just when latency is high. Each doubt is a test with a threshold, and refuses the knee.

use super::knee::{By, LEVEL, Point, Rise, sums};
use super::spread::BINS;
use super::why::Why;

/// In at least this share of pairs the miss must have the larger load per replica; a half is chance.
const LEAST_ORDERED: f64 = 0.8;
/// Below this share, even random misses besides those caused by load cannot explain it.
const AT_ALL_ORDERED: f64 = 0.6;
/// At most this share of cells may miss well below the knee: unrelated incidents.
const MOST_BELOW: f64 = 0.15;
/// At least this share must miss above the knee.
const LEAST_ABOVE: f64 = 0.5;
/// Well below and well above the knee, as factors of it.
const BELOW: f64 = 0.8;
const ABOVE: f64 = 1.05;
/// Where there are many cells, this share of those above the knee must lie within this reach of it.
const NEAR_ABOVE: f64 = 0.15;
const REACH: f64 = 1.35;
const MANY: usize = 100;
/// The load of a replica must leave less unexplained than the total load does ...
const BETTER: f64 = 0.95;
/// ... or, if changes of replicas were tried, not clearly more.
const CLEARLY: f64 = 1.2;
/// If the number of replicas alone leaves less than this share of what the load per replica leaves unexplained, the
/// load is what was served.
const ALONE: f64 = 0.8;
/// If the larger load has the miss less often than this, the load falls under overload.
const FALLS: f64 = 0.4;
/// If replicas vary by less than this for nine tenths of the time, the two cannot be told apart.
const VARIES: f64 = 1.2;
/// Changes of replicas at a steady load: at least this many are needed, and this share of the expected relief.
const FEWEST_STEPS: usize = 20;
const LEAST_RELIEF: f64 = 0.65;
/// The load must differ by less, the replicas by more (as logarithms), and the expected change must matter.
const STEADY: f64 = 0.15;
const STEP: f64 = 0.2;
const MATTERS: f64 = 0.5;
/// How many neighbours are compared.
const NEIGHBOURS: usize = 3;
/// After this many seconds the time of day has changed more than the replicas.
const SOON: i64 = 420;

/// The knee, if the load of a replica explains it; `top` is the largest load that was seen for a while.
pub(super) fn judged(points: &[Point], rise: &Rise, top: f64) -> Result<f64, Why> {
    let ordered = rank_order(points, By::Each);
    let scattered = |why: Why| {
        let load_falls = rank_order(points, By::Total) < FALLS;
        if ordered < LEAST_ORDERED { Why::DoesNotRise { ordered, load_falls } } else { why }
    };
    if ordered < AT_ALL_ORDERED {
        return Err(scattered(Why::MissedAtRest));
    }
    let Some(knee) = rise.crossing() else {
        // The fit is above the level from the start, or never reaches it: there are misses, but they are rare at
        // every load.
        let is_high = rise.bins.first().is_some_and(|bin| bin[3] >= LEVEL);
        return Err(if is_high { Why::MissedAtRest } else { scattered(Why::NeverMissed { seen: top }) });
    };
    shared(points, rise)?;
    let share = |level: f64, takes: &dyn Fn(f64) -> bool| {
        let taken = points.iter().filter(|point| takes(point.each));
        let (all, missed) = taken.fold((0.0, 0.0), |(all, missed), point| {
            (all + 1.0, missed + if point.score > level { 1.0 } else { 0.0 })
        });
        (missed / f64::max(all, 1.0), all)
    };
    let (below, _) = share(0.0, &|each| each < BELOW * knee);
    let (mut above, mut seen) = share(LEVEL, &|each| each > ABOVE * knee);
    if seen < 3.0 {
        (above, seen) = share(LEVEL, &|each| each >= knee);
    }
    if let Some(width) = gap(points, knee) {
        return Err(scattered(Why::Wide { width }));
    }
    if below > MOST_BELOW || (seen >= 3.0 && above < LEAST_ABOVE) {
        return Err(scattered(Why::Scattered { below, above }));
    }
    Ok(knee)
}

/// The least width of a knee (half of it, as a share) if hardly anything was seen between it and the loads that miss:
/// a few replicas at one load and many at another say nothing about the loads between.
fn gap(points: &[Point], knee: f64) -> Option<f64> {
    let mut above: Vec<f64> = points.iter().map(|point| point.each).filter(|each| *each > knee).collect();
    if points.len() < MANY || above.is_empty() {
        return None;
    }
    let first = (NEAR_ABOVE * above.len() as f64) as usize;
    let begins = *above.select_nth_unstable_by(first, f64::total_cmp).1;
    (begins > REACH * knee).then(|| (begins - knee) / 2.0 / knee)
}

/// Refuses a knee of something that all replicas share. If their number does not vary, the two cannot be told apart.
fn shared(points: &[Point], rise: &Rise) -> Result<(), Why> {
    let mut counts: Vec<f64> = points.iter().map(|point| point.replicas).collect();
    let (few, many) = (counts.len() / 20, counts.len() - 1 - counts.len() / 20);
    let least = *counts.select_nth_unstable_by(few, f64::total_cmp).1;
    let most = *counts.select_nth_unstable_by(many, f64::total_cmp).1;
    if most < VARIES * least {
        return Ok(());
    }
    let whole = Rise::of(&sums(points, By::Total), None);
    let (own, shared) = (rise.misfit(points, By::Each), whole.misfit(points, By::Total));
    if by_replicas(points) < ALONE * own {
        return Err(Why::DoesNotRise { ordered: rank_order(points, By::Each), load_falls: true });
    }
    let (relief, steps) = relief(points, rise);
    let is_tried = steps >= FEWEST_STEPS;
    if own > shared * if is_tried { CLEARLY } else { BETTER } {
        return Err(Why::FollowsTotal);
    }
    if is_tried && relief < LEAST_RELIEF { Err(Why::ReplicasDoNotHelp { relief }) } else { Ok(()) }
}

/// What the number of replicas alone leaves unexplained, if fewer replicas may only be worse. Served load explains
/// less than that when work is lost under overload.
fn by_replicas(points: &[Point]) -> f64 {
    let mut groups: std::collections::BTreeMap<i64, [f64; 3]> = std::collections::BTreeMap::new();
    for point in points {
        let group = groups.entry(-(point.replicas.round() as i64)).or_default();
        *group = [group[0] + 1.0, group[1] + point.score, group[2] + point.score * point.score];
    }
    let mut pools: Vec<[f64; 3]> = Vec::with_capacity(groups.len());
    for mut pool in groups.into_values() {
        while let Some(last) = pools.pop_if(|last| last[1] / last[0] >= pool[1] / pool[0]) {
            pool = std::array::from_fn(|k| pool[k] + last[k]);
        }
        pools.push(pool);
    }
    pools.iter().map(|[count, sum, squares]| squares - sum * sum / count).sum()
}

/// Changes of replicas at nearly the same load and time are small experiments that the autoscaler ran. Returns the
/// share of the expected change of scores that came, and the number of changes.
fn relief(points: &[Point], rise: &Rise) -> (f64, usize) {
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for (i, one) in points.iter().enumerate() {
        for other in points.iter().skip(i + 1).take(NEIGHBOURS) {
            if other.at - one.at > SOON {
                break;
            }
            let more = other.logs[By::Total as usize] - one.logs[By::Total as usize];
            let is_steady = more.abs() < STEADY;
            // The logarithm of the replicas is that of the total load minus that of the load per replica.
            let is_step = (more - other.logs[By::Each as usize] + one.logs[By::Each as usize]).abs() > STEP;
            if is_steady && is_step {
                let expected = rise.at(other, By::Each) - rise.at(one, By::Each);
                if expected.abs() > MATTERS {
                    steps.push((expected, other.score - one.score));
                }
            }
        }
    }
    let squares: f64 = steps.iter().map(|step| step.0 * step.0).sum();
    if squares == 0.0 {
        return (1.0, 0);
    }
    (steps.iter().map(|step| step.0 * step.1).sum::<f64>() / squares, steps.len())
}

/// Mann and Whitney's statistic as a share, over bins of equal ratio.
fn rank_order(points: &[Point], by: By) -> f64 {
    let (mut hit, mut missed) = (vec![0.0; BINS], vec![0.0; BINS]);
    for point in points {
        let side = if point.score > 0.0 { &mut missed } else { &mut hit };
        side[point.bins[by as usize]] += 1.0;
    }
    let (mut below, mut won) = (0.0, 0.0);
    for (hit, missed) in hit.iter().zip(&missed) {
        won += missed * (below + hit / 2.0);
        below += hit;
    }
    let pairs = below * missed.iter().sum::<f64>();
    if pairs > 0.0 { won / pairs } else { 1.0 }
}
