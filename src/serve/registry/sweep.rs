//! Removes workloads that nobody asks for any more, and everything that only they used.
//!
//! KEDA does not say when a ScaledObject is deleted; it only stops asking. A jump of the clock never removes
//! anything.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Registry, Serving, Set};
use crate::units::{Span, Time};

/// A workload that was not asked for in this time is deleted or paused: KEDA polls every 30 s.
const FORGOTTEN: Span = Span::minutes(10);

/// If a wait of one minute took longer than this, the clock was set or the machine was suspended.
const JUMPED: Span = Span::minutes(5);

/// How often to look for persisted files that nobody writes any more.
const TIDY_EACH: Span = Span::HOUR;

impl Registry {
    /// Once a minute, removes workloads that nobody asks for and everything that only they used.
    pub(super) async fn sweep(self: Arc<Self>) {
        let clock = Arc::clone(&self.shared.clock);
        let mut tidied = clock.now();
        loop {
            let begun = clock.now();
            tokio::select! {
                () = clock.wait_until(begun + Span::MINUTE) => {}
                () = self.shutdown.cancelled() => return,
            }
            let now = clock.now();
            if now.since(begun) > JUMPED {
                // During such a jump, missing calls say nothing.
                continue;
            }
            self.let_go(now);
            if now.since(tidied) >= TIDY_EACH {
                tidied = now;
                self.tidy_store(now).await;
            }
        }
    }

    fn let_go(&self, now: Time) {
        let mut gone = Vec::new();
        let mut entries = self.lock();
        entries.retain(|id, sets| {
            sets.retain(|set| {
                let keep = now.since(set.last_asked) <= FORGOTTEN;
                if let (false, Serving::Running { stop, .. }) = (keep, &set.serving) {
                    stop.cancel();
                }
                keep
            });
            if sets.is_empty() {
                gone.push(id.clone());
                self.changed.store(true, Ordering::Relaxed);
            }
            !sets.is_empty()
        });
        let running: Vec<_> = entries.values().flatten().filter_map(Set::workload).collect();
        let count = entries.len();
        // Unlocked first, so that no call waits while the queries of thousands of workloads are collected.
        drop(entries);
        let used: HashSet<String> = running.iter().flat_map(|workload| workload.queries()).collect();
        gone.iter().for_each(|id| self.shared.metrics.forget(id));
        self.shared.hub.retain(|query| used.contains(query));
        self.shared.forecasts.tidy();
        self.policies.tidy();
        if running.is_empty() {
            // There was no loop that could have run.
            self.shared.pulse.beat();
        }
        let (series, bytes) = self.shared.hub.size();
        self.shared.metrics.sized(count, series, bytes);
    }

    async fn tidy_store(&self, now: Time) {
        if let Some(store) = self.store.clone() {
            // A panic means only that some files stay.
            let _ = tokio::task::spawn_blocking(move || store.tidy(now)).await;
        }
    }
}
