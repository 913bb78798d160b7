//! From load to replicas: how many a load needs, how far ahead to look, how much to insure.
//!
//! Everything here is arithmetic on a forecast and a policy. It knows nothing about the schedule's minimums or
//! failing sources; both belong to `decide`.

mod drain;
mod insurance;
mod lead;
mod outage;
mod starts;

pub use drain::{Backlog, service_rate};
pub use insurance::{
    BALANCED_PENALTY, Insured, Odds, PENALTIES, ReplayedReplicas, Tally, cheapest_at, penalty_for_target,
};
pub use lead::LeadWindow;
pub(crate) use lead::STABILIZATION;
pub use outage::{Doubts, OUTAGE_ERROR_SHARE, learnable};
pub use starts::{Learned, learned_lead, starts};

use crate::units::{Replicas, Threshold, exceeds};

/// The fewest replicas that carry `load` times `factor`; none for a load that does not activate the workload (at most
/// `activation`).
pub fn replicas_for(load: f64, factor: f64, threshold: Threshold, activation: f64) -> Replicas {
    let load = load * factor;
    if exceeds(load, activation) { threshold.replicas_for(load).max(Replicas::ONE) } else { Replicas::ZERO }
}
