//! Which queries of a workload fail, in words for the page and the API.
//!
//! Queries are named by their keys and sources by their configured names. The whole message of a failure is in the
//! log, and on the page only where queries are exposed.

use std::sync::Arc;

use super::Workload;
use crate::http::FailingQuery;
use crate::serve::shared::Shared;
use crate::source::Backend;

impl Workload {
    /// The queries that fail now; those that fail alike are told together.
    pub(super) fn note_failing(&self, shared: &Shared) {
        let mut failing: Vec<FailingQuery> = Vec::new();
        let named = shared.hub.has_troubles().then(|| self.named_queries());
        for (key, backend, query) in named.into_iter().flatten() {
            let Some(failure) = shared.hub.public_trouble(backend.as_ref(), query) else { continue };
            let text = format!("the data source '{}' {}", backend.label(), failure.what);
            match failing.iter_mut().find(|known| known.text == text) {
                Some(known) if known.keys.contains(&key) => {}
                Some(known) => known.keys.push(key),
                None => failing.push(FailingQuery { keys: vec![key], text, advice: failure.advice }),
            }
        }
        self.failing.send_if_modified(|known| {
            let is_news = **known != *failing;
            if is_news {
                *known = failing.into();
            }
            is_news
        });
    }

    /// Its queries with their data sources and the keys that give them.
    fn named_queries(&self) -> impl Iterator<Item = (String, &Arc<dyn Backend>, &str)> {
        let signals = self.policy.signals.iter().zip(&self.backends).enumerate();
        let loads = signals.flat_map(|(i, (signal, backend))| {
            let load = if i == 0 { "query".to_owned() } else { format!("signal {}", i + 1) };
            let drain = signal.drain();
            let arrivals = drain.map(|drain| ("arrivalQuery".to_owned(), backend, drain.arrivals.as_str()));
            std::iter::once((load, backend, signal.query.as_str())).chain(arrivals)
        });
        let q = &self.policy.queries;
        let context = [
            ("replicasQuery", &q.replicas),
            ("errorQuery", &q.errors),
            ("rejectedQuery", &q.rejected),
            ("inFlightQuery", &q.in_flight),
        ];
        let first = self.backends.first();
        let context = context
            .into_iter()
            .filter_map(move |(key, query)| Some((key.to_owned(), first?, query.as_deref()?)));
        loads.chain(context)
    }
}
