//! Perfect foresight under the same delays: an upper bound for every forecast.
//!
//! It knows the future load and the controllers, and nothing else: it also waits for syncs, for pods, and for the
//! HPA's stabilization window when scaling down.

use crate::simulate::{Curve, Load, Millis, Moment, Strategy, Target};
use crate::units::Span;

/// Asks for what will be needed when pods ordered now, or at the next sync, are ready.
pub(super) struct Oracle<'a> {
    load: &'a Load,
    truth: Curve,
    tolerance: f64,
    insurance: f64,
    running: Span,
    from_zero: Span,
}

/// A sync can at most double the replicas; four syncs lead from 1 to 16 times as many.
const RAMP: Span = Span::seconds(45);

impl<'a> Oracle<'a> {
    pub(super) fn new(load: &'a Load, target: &Target, insurance: f64) -> Self {
        let twin = &target.twin;
        let seconds = |millis: Millis| Span::seconds((millis.as_secs()).ceil() as i64);
        let running = target.lead() + seconds(twin.hpa.sync_period) + RAMP;
        let from_zero = running + seconds(twin.polling_interval) + seconds(twin.pods.from_zero);
        Oracle { load, truth: target.curve(), tolerance: twin.tolerances().0, insurance, running, from_zero }
    }
}

impl Strategy for Oracle<'_> {
    fn wants(&mut self, now: &Moment<'_>) -> Option<f64> {
        let ahead = if now.desired == 0 { self.from_zero } else { self.running };
        let peak = self.load.peak(now.at, now.at + ahead).unwrap_or_else(|| self.load.at(now.at));
        // It also knows the coming rollouts.
        let holds = [now.at, now.at + ahead].map(|at| self.truth.at(at).replicas_for(peak * self.insurance));
        let wanted = f64::from(holds[0].max(holds[1]).get());
        let current = f64::from(now.desired);
        let ignored = current * (1.0 + self.tolerance);
        // An answer inside the HPA's tolerance would be ignored; ask for the least that is not.
        Some(if wanted > current && wanted <= ignored { ignored.floor() + 1.0 } else { wanted })
    }
}
