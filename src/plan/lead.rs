//! How far ahead a decision must look: until the pods it starts are ready.
//!
//! A decision taken now reaches the HPA after KEDA's poll and the HPA's sync, grows the Deployment by doubling,
//! and ends in a ready pod after the lead time. What the load does in that window cannot be corrected any more.

use crate::units::{Replicas, Span};

/// The window a decision taken now must cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeadWindow {
    /// Decision → ready pod.
    pub lead: Span,
    /// Poll, sync and ramp before the last pod is even asked for.
    pub control: Span,
}

/// KEDA's default `pollingInterval`: at zero replicas only the poll asks.
const POLL: Span = Span::seconds(30);
/// The HPA's sync period.
const SYNC: Span = Span::seconds(15);
/// Beyond 16-fold growth the ramp is no longer what limits; a longer window would only cost.
const MOST_DOUBLINGS: i64 = 4;

// === impl LeadWindow ===

impl LeadWindow {
    /// The window for a lead time, before it is known how many replicas will be wanted.
    pub fn new(lead: Span) -> Self {
        LeadWindow { lead, control: POLL + SYNC }
    }

    /// The same with the syncs that the HPA's doubling takes from `from` to `to` replicas; the first is in the
    /// window already. Depends on no present load, so that more load never shortens the view ahead.
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
