//! How far ahead a decision must look: until the pods it starts are ready.
//!
//! A decision made now reaches the HPA after KEDA's poll and the HPA's sync, grows the Deployment by doubling, and
//! ends in a ready pod after the lead time. Until then no later decision can correct it.

use crate::units::{Replicas, Span};

/// The window that a decision made now must cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeadWindow {
    /// From the decision to a ready pod.
    pub lead: Span,
    /// Poll, sync and ramp until the last pod is requested.
    pub control: Span,
}

/// KEDA's default `pollingInterval`: at zero replicas only the poll queries the scaler.
const POLL: Span = Span::seconds(30);
/// The HPA's sync period.
const SYNC: Span = Span::seconds(15);
/// The HPA's default scale-down stabilization. A replica is not released sooner, so there is nothing to save if it is
/// needed again within that time plus the start of a new one.
pub(crate) const STABILIZATION: Span = Span::minutes(5);
/// Beyond 16-fold growth the ramp is no longer the bottleneck; a longer window would only cost more.
const MOST_DOUBLINGS: i64 = 4;

// === impl LeadWindow ===

impl LeadWindow {
    /// The window for a lead time, before the number of wanted replicas is known.
    pub fn new(lead: Span) -> Self {
        LeadWindow { lead, control: POLL + SYNC }
    }

    /// The same, plus the syncs that the HPA needs to double from `from` to `to` replicas; the first sync is already
    /// in the window. It does not depend on the current load, so more load never shortens the window.
    pub fn with_ramp(self, from: Replicas, to: Replicas) -> Self {
        let mut reached = from.max(Replicas::ONE).get().max(2).saturating_mul(2);
        let mut doublings = 0;
        while reached < to.get() && doublings < MOST_DOUBLINGS {
            reached = reached.saturating_mul(2);
            doublings += 1;
        }
        LeadWindow { control: self.control + Span::seconds(SYNC.as_seconds() * doublings), ..self }
    }

    /// Its whole length.
    pub fn length(self) -> Span {
        self.lead + self.control
    }

    /// How soon a replica must be needed again for its release not to pay.
    pub(crate) fn restart(self) -> Span {
        self.length() + self.lead + STABILIZATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(n: u32) -> Replicas {
        Replicas::new(n).expect("small")
    }

    #[test]
    fn the_ramp_adds_a_sync_for_each_doubling_after_the_first() {
        for (from, to, seconds) in
            [(1, 4, 45), (1, 5, 60), (1, 9, 75), (4, 8, 45), (4, 9, 60), (1, 1000, 105)]
        {
            let window = LeadWindow::new(Span::ZERO).with_ramp(replicas(from), replicas(to));
            assert_eq!(window.length().as_seconds(), seconds, "{from} to {to}");
        }
    }
}
