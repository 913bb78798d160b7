//! Restores the workloads of the previous process, so that they have decisions before anyone asks.
//!
//! Without this, every workload would warm up again after a restart. It only restores which workloads exist, never a
//! decision: those are made again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Registry, Serving, newest};
use crate::decide::{Blind, State};
use crate::policy::WorkloadId;
use crate::units::{Span, Time};

/// How often changed registrations are written: a replacement of this process rarely starts sooner.
const KEEP_EACH: Span = Span::seconds(5);

impl Registry {
    /// Starts the loops of the persisted workloads.
    pub(super) fn recall(&self, now: Time) {
        let Some(store) = &self.store else { return };
        let edition = Arc::clone(&self.catalogue.borrow());
        let mut entries = self.lock();
        let ours = |id: &WorkloadId| self.shard.takes(id.namespace(), id.name());
        for known in store.workloads().into_iter().filter(|known| ours(&known.id)).take(self.most) {
            let set = self.set(&known.id, &known.metadata, &edition, now);
            // Keys that have become faulty are reported when they are used in a call.
            if matches!(set.serving, Serving::Running { .. }) {
                self.begin(&set, None);
                entries.insert(known.id, vec![set]);
            }
        }
        if !entries.is_empty() {
            tracing::info!(workloads = entries.len(), "known from before");
            self.warming.store(true, Ordering::Relaxed);
        }
    }

    /// Completes when every workload known from before has a decision, or when `startupGrace` has passed; immediately
    /// if none is known.
    pub(in crate::serve) async fn warmed(&self) {
        let states: Vec<_> =
            self.lock().values().flatten().filter_map(|set| Some(set.workload()?.state())).collect();
        let is_known = |state: &State| !matches!(state, Err(Blind::Warming { .. }));
        if self.warming.load(Ordering::Relaxed) {
            let decided = async {
                for mut state in states {
                    // A loop that has ended decides nothing any more.
                    let _ = state.wait_for(is_known).await;
                }
            };
            tokio::select! {
                () = decided => tracing::info!("decisions of all workloads known from before"),
                () = self.shared.clock.wait_until(self.warm_by) => {
                    tracing::warn!("startupGrace has passed before every workload had a decision");
                }
                () = self.shutdown.cancelled() => {}
            }
            self.warming.store(false, Ordering::Relaxed);
        }
    }

    /// Writes the list of workloads whenever it changes.
    pub(super) async fn keep_current(self: Arc<Self>) {
        while self.store.is_some() {
            let clock = &self.shared.clock;
            tokio::select! {
                () = clock.wait_until(clock.now() + KEEP_EACH) => {}
                () = self.shutdown.cancelled() => return,
            }
            self.keep_workloads().await;
        }
    }

    /// Writes everything, at shutdown.
    pub(in crate::serve) async fn keep_all(&self) {
        self.keep_workloads().await;
        if self.store.is_some() {
            self.shared.hub.keep_all().await;
        }
    }

    async fn keep_workloads(&self) {
        let Some(store) = self.store.clone().filter(|_| self.changed.swap(false, Ordering::Relaxed)) else {
            return;
        };
        let rows: Vec<Arc<str>> = {
            let entries = self.lock();
            let newest = entries.values().filter_map(|sets| newest(sets));
            newest.filter_map(|set| set.row.clone()).collect()
        };
        // A panic means only that one file is not written.
        let _ = tokio::task::spawn_blocking(move || store.keep_workloads(&rows)).await;
    }
}
