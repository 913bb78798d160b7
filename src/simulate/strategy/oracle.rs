//! Perfect foresight under the same delays: the bound that no forecast can pass.
//!
//! It knows the load to come and the controllers, and nothing else: it too waits for syncs, for pods, and for the
//! HPA's window on the way down.

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

/// A climb is doubled at most once a sync; four syncs lead from 1 to 16 times as much.
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
        // It knows the rollouts to come as well.
        let holds = [now.at, now.at + ahead].map(|at| self.truth.at(at).replicas_for(peak * self.insurance));
        let wanted = f64::from(holds[0].max(holds[1]).get());
        let current = f64::from(now.desired);
        let ignored = current * (1.0 + self.tolerance);
        // A want inside the HPA's tolerance would be ignored; it asks for the least that is not.
        Some(if wanted > current && wanted <= ignored { ignored.floor() + 1.0 } else { wanted })
    }
}
