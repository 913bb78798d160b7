//! The price of a target for time under-provisioned: found by replaying days, in the background like fits.

use std::sync::Arc;

use super::Workload;
use crate::decide::{FitId, usable_from};
use crate::serve::forecasts::{FitInput, Late, published};
use crate::serve::shared::Shared;

impl Workload {
    /// Starts to find the price of a signal's target under a fit, if it is not known yet.
    pub(super) fn price(self: &Arc<Self>, shared: &Shared, seen: FitInput, fit: FitId) -> Option<Late> {
        let news = self.terms.subscribe();
        if !self.terms.borrow().lacks(&self.policy, seen.signal, fit) {
            return None;
        }
        let (at, since) = (seen.at, usable_from(fit.point));
        let begun = self.pricing.hand_in(at, (seen, fit), || {
            let (here, there) = (Arc::downgrade(self), Arc::downgrade(self));
            let work = move || {
                let workload = here.upgrade()?;
                let (FitInput { observations, policy, signal, .. }, fit) = workload.pricing.take()?;
                let terms = workload.terms.borrow().clone();
                Some((signal, terms.price(&observations, &policy, signal, fit)))
            };
            shared.fitter.start(work, move |priced| {
                let Some(workload) = there.upgrade() else { return };
                workload.pricing.end(priced.is_some());
                workload.terms.send_modify(|terms| {
                    if let Some((signal, price)) = priced {
                        terms.take(signal, price);
                    }
                });
            });
        });
        Some(Late { since, published: begun.then(|| published(news)) })
    }
}
