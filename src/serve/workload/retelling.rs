//! What has been read for a workload so far, as a recording from which its past is decided again.

use std::sync::Arc;

use super::Workload;
use super::observe::feed_key;
use crate::decide::{CONTEXT_WINDOW, SignalTraces, Traces};
use crate::history::Series;
use crate::plan;
use crate::serve::shared::Shared;

impl Workload {
    /// Everything in memory; nothing is queried.
    pub(in crate::serve) fn traces(&self, shared: &Shared) -> Traces {
        let signals = self.policy.signals.iter().zip(&self.backends).map(|(signal, backend)| {
            let read = |query: &str| {
                let key = feed_key(backend, signal, query, signal.window);
                shared.hub.newest(&key, signal.settle).map(Arc::unwrap_or_clone)
            };
            let drain = signal.drain();
            SignalTraces {
                load: read(&signal.query),
                arrivals: drain.and_then(|drain| read(&drain.arrivals)),
                completions: drain.and_then(|drain| read(drain.completions()?)),
            }
        });
        let queries = &self.policy.queries;
        let context = |query: &Option<String>| self.traced(shared, query.as_ref()).map(Arc::unwrap_or_clone);
        let starts = self.start_queries().and_then(|[lately, ready]| {
            let lately = self.traced(shared, Some(&lately))?;
            Some(plan::starts(&lately, self.traced(shared, Some(&ready)).as_deref()))
        });
        Traces {
            signals: signals.collect(),
            replicas: context(&queries.replicas),
            errors: context(&queries.errors),
            rejected: context(&queries.rejected),
            in_flight: None,
            leads: starts.unwrap_or_default(),
            service: None,
        }
    }

    /// The result of a query about the workload, as far as it has been read.
    pub(super) fn traced(&self, shared: &Shared, query: Option<&String>) -> Option<Arc<Series>> {
        let (signal, backend) = self.policy.signals.first().zip(self.backends.first())?;
        shared.hub.newest(&feed_key(backend, signal, query?, CONTEXT_WINDOW), signal.settle)
    }
}
