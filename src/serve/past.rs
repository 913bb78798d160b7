//! Computes the past of workloads for readers of the page, and caches it.
//!
//! Two weeks of the past take as many fits as the server makes for a workload in two weeks. So one past is computed
//! at a time, other requests are asked to come back, and a result is cached until its next moment is due. No answer
//! to KEDA depends on this.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, TryLockError};

use crate::decide::Moment;
use crate::policy::{Policy, WorkloadId};
use crate::units::{Span, Time};

/// The most recently viewed pasts.
#[derive(Default)]
pub(super) struct Pasts {
    kept: Mutex<VecDeque<Kept>>,
}

/// The workload, policy, span and end of a cached past.
struct Kept {
    id: WorkloadId,
    policy: Arc<Policy>,
    span: Span,
    until: Time,
    moments: Arc<[Moment]>,
}

/// A few people look at a few workloads; one past takes some tens of kilobytes.
const MOST: usize = 16;

// === impl Pasts ===

impl Pasts {
    /// The moments before `now`, computed by `make` if they are not cached; `None` while another past is being
    /// computed.
    pub(super) fn of(
        &self,
        id: &WorkloadId,
        policy: &Arc<Policy>,
        span: Span,
        now: Time,
        make: impl FnOnce(Time) -> Vec<Moment>,
    ) -> Option<Arc<[Moment]>> {
        let until = now.floor_to(Moment::distance(span), Span::ZERO);
        let mut kept = match self.kept.try_lock() {
            Ok(kept) => kept,
            // The cache is consistent after each of the steps below.
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let is_meant = |one: &Kept| one.id == *id && one.span == span && Arc::ptr_eq(&one.policy, policy);
        if let Some(one) = kept.iter().find(|one| is_meant(one) && one.until == until) {
            return Some(Arc::clone(&one.moments));
        }
        kept.retain(|one| !is_meant(one));
        let moments: Arc<[Moment]> = make(until).into();
        kept.truncate(MOST - 1);
        let (id, policy) = (id.clone(), Arc::clone(policy));
        kept.push_front(Kept { id, policy, span, until, moments: Arc::clone(&moments) });
        Some(moments)
    }

    /// Runs `make` unless a past is being computed; then `None`.
    pub(super) fn alone<T>(&self, make: impl FnOnce() -> T) -> Option<T> {
        match self.kept.try_lock() {
            Err(TryLockError::WouldBlock) => None,
            _held => Some(make()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Keys;

    fn policy() -> Arc<Policy> {
        let keys = [("query", "load"), ("threshold", "10")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        Arc::new(Policy::from_keys(&Keys { values: keys.into(), ..Keys::default() }).expect("valid"))
    }

    #[test]
    fn a_past_is_made_once_until_its_next_moment_is_due_and_one_at_a_time() {
        let (pasts, policy) = (Pasts::default(), policy());
        let id = WorkloadId::new("shop", "web", "forescale").expect("valid");
        let (day, now) = (Span::hours(24), Time::from_epoch(1_000_000_200));
        let mut made = 0;
        for (policy, now) in [
            (&policy, now),
            (&policy, now + Span::minutes(3)),
            (&policy, now + Span::minutes(12)),
            (&Arc::new((*policy).clone()), now + Span::minutes(12)),
        ] {
            pasts.of(&id, policy, day, now, |until| {
                made += 1;
                assert!(until <= now && now.since(until) < Span::minutes(10));
                assert!(pasts.of(&id, policy, day, now, |_| Vec::new()).is_none(), "another is being made");
                assert!(pasts.alone(|| ()).is_none());
                Vec::new()
            });
        }
        assert_eq!(made, 3, "first, next moment, another policy");
        assert!(pasts.alone(|| ()).is_some());
    }
}
