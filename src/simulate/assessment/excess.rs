//! Whether far more replicas run than the load needs: because of `minReplicas`, or at every load.
//!
//! It looks at what ran and at what the load needs, never at a forecast.

use super::{Finding, Subject};
use crate::simulate::{Run, Target};
use crate::units::percentile;

/// From this ratio on, too many replicas run.
const TOO_MUCH: f64 = 1.5;

/// What `minReplicas` costs.
pub(super) struct Floor {
    min_replicas: u32,
    usual: u32,
    ratio: f64,
}

/// Why far more replicas run than the load needs, if so.
pub(super) fn excess(
    subject: &Subject<'_>,
    floor: &Floor,
    target: &Target,
    ran: Option<&Run>,
    demand_hours: f64,
) -> Option<Finding> {
    let runs_floor = ran.is_none_or(|ran| ran.scorecard.replica_hours >= TOO_MUCH * demand_hours);
    if floor.is_too_high() && runs_floor {
        return Some(floor.finding());
    }
    ran_more(subject, target).map(|ratio| Finding::RanMore { ratio })
}

// === impl Floor ===

impl Floor {
    pub fn of(subject: &Subject<'_>) -> Self {
        let measure = subject.target.measure(subject.load);
        let threshold = subject.target.threshold;
        let observed = subject.load.observed(measure.from, measure.until);
        let needed: Vec<_> =
            observed.map(|(_, load)| f64::from(threshold.replicas_for(load).get().max(1))).collect();
        let sum = |least: u32| needed.iter().map(|n| n.max(f64::from(least))).sum::<f64>();
        let ratio = if needed.is_empty() { 1.0 } else { sum(subject.min_replicas) / sum(1) };
        let usual = percentile(needed, 0.95).map_or(1, |n| n as u32);
        Floor { min_replicas: subject.min_replicas, usual, ratio }
    }

    pub fn is_too_high(&self) -> bool {
        // Two replicas are what availability asks for, whatever the load.
        self.ratio >= TOO_MUCH && self.min_replicas > 2
    }

    fn finding(&self) -> Finding {
        Finding::Floor { min_replicas: self.min_replicas, usual: self.usual, ratio: self.ratio }
    }
}

/// The ratio of running replicas to those that the load needs, if it is far too large even at the peak. A fixed count
/// that the peak needs is not over-provisioned: its cost is reported as a saving.
fn ran_more(subject: &Subject<'_>, target: &Target) -> Option<f64> {
    let (ran, measure) = (subject.ran?, target.measure(subject.load));
    let (mut ratios, mut ready, mut needed) = (Vec::new(), 0.0, 0.0);
    for slot in 0..ran.len() {
        let at = ran.time(slot);
        let Some(count) = ran.get(slot).filter(|_| at >= measure.from && at < measure.until) else {
            continue;
        };
        if subject.load.is_observed(at) {
            let need = f64::from(target.threshold.replicas_for(subject.load.at(at)).get().max(1));
            ratios.push(count / need);
            (ready, needed) = (ready + count, needed + need);
        }
    }
    ratios.sort_unstable_by(f64::total_cmp);
    // Restarts and outages leave few replicas for a moment.
    let least = ratios.get(ratios.len() / 100).copied()?;
    // Small counts cannot be scaled down further: two where one is needed is what availability asks for.
    let spared = (ready - needed) / ratios.len() as f64;
    (least >= TOO_MUCH && ready >= 2.0 * needed && spared > 2.0).then(|| ready / needed)
}
