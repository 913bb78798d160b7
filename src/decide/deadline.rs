//! Queues with a deadline, for which the service rate of one replica is known: given by the policy, or measured.

use crate::history::{Observations, SignalHistory};
use crate::plan;
use crate::policy::{Drain, ServiceRate, Signal};
use crate::units::Time;

/// The deadline of a signal's queue and the items per second that one replica processes; `None` for other signals,
/// and while the rate cannot be measured.
pub(super) fn drain_of<'a>(
    observations: &Observations,
    history: &SignalHistory,
    signal: &'a Signal,
    now: Time,
) -> Option<(&'a Drain, f64)> {
    let drain = signal.drain()?;
    let service = match &drain.service {
        ServiceRate::Given(rate) => Some(*rate),
        ServiceRate::Measured(_) => plan::service_rate(
            history.completions.as_deref()?,
            observations.replicas.as_deref()?,
            history.load.as_deref()?,
            now,
        ),
    };
    service.map(|service| (drain, service))
}
