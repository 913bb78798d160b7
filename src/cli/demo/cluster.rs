//! The demo's Prometheus: the load, and the twin's replicas from the moment they run.
//!
//! The demo's trigger queries both, like every policy of the catalogue: without `replicasQuery` the server cannot
//! know which increases the HPA's tolerance would ignore. It never returns a sample from after the instant of the
//! query.

use std::sync::{Arc, Mutex, PoisonError};

use crate::source::{Backend, RangeQuery, Reading, Recorded, SourceError};
use crate::units::{Span, Time};

/// The recorded load, and the replicas as they are scraped.
pub(super) struct Cluster {
    load: Arc<Recorded>,
    /// The number of replicas from each instant on.
    replicas: Mutex<Vec<(Time, u32)>>,
}

/// The demo's query for the running replicas.
pub(super) const RUNNING: &str =
    "sum(kube_deployment_status_replicas{namespace=\"demo\",deployment=\"web\"})";

// === impl Cluster ===

impl Cluster {
    /// A cluster with this load, in which nothing has been scraped yet.
    pub(super) fn new(load: Arc<Recorded>) -> Arc<Self> {
        Arc::new(Cluster { load, replicas: Mutex::default() })
    }

    /// Sets the number of running replicas from an instant on.
    pub(super) fn runs(&self, at: Time, replicas: u32) {
        let mut known = self.replicas.lock().unwrap_or_else(PoisonError::into_inner);
        if known.last().is_none_or(|last| last.1 != replicas) {
            known.push((at, replicas));
        }
    }

    fn running(&self, at: Time) -> Option<f64> {
        let known = self.replicas.lock().unwrap_or_else(PoisonError::into_inner);
        let after = known.partition_point(|(from, _)| *from <= at);
        known.get(after.checked_sub(1)?).map(|(_, replicas)| f64::from(*replicas))
    }
}

#[tonic::async_trait]
impl Backend for Cluster {
    async fn range(&self, query: &RangeQuery) -> Result<Reading, SourceError> {
        if query.query == RUNNING {
            return Ok(query.answer(|at| self.running(at)));
        }
        self.load.range(query).await
    }

    async fn instant(&self, query: &str, at: Time) -> Result<Option<f64>, SourceError> {
        if query == RUNNING {
            return Ok(self.running(at));
        }
        self.load.instant(query, at).await
    }

    fn clock_skew(&self, now: Time) -> Option<Span> {
        self.load.clock_skew(now)
    }

    fn label(&self) -> &str {
        self.load.label()
    }
}
