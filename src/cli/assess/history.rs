//! What Prometheus has about a workload: its load, its replicas, and what is needed to learn the capacity of a
//! replica.
//!
//! Each distinct query is read once, however many workloads share it. The source's own limits (pieces, bytes,
//! requests per second) apply; a failed query is reported for every workload that needs it and is not retried.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::inventory::{Candidate, GIB, PodRequests};
use super::questions;
use crate::history::Series;
use crate::source::{Backend, RangeQuery};
use crate::units::{Span, Step, Time};

/// Reads histories of equal length that end at the same instant.
pub(super) struct Reader {
    source: Arc<dyn Backend>,
    until: Time,
    length: Span,
    /// Whether prices depend on the requests of pods.
    is_priced_by_request: bool,
    /// Series by query; only queries of more than one workload are cached.
    read: Mutex<HashMap<String, Arc<Once>>>,
    shared: Vec<String>,
}

type Once = OnceCell<Result<Arc<Series>, String>>;

/// One workload as it was found, with its histories.
pub(super) struct History {
    pub candidate: Candidate,
    /// The load, or why there is none.
    pub load: Result<Arc<Series>, String>,
    /// Ready replicas; `None` if nothing reports them.
    pub ran: Option<Arc<Series>>,
    /// Cores used by all its pods, if the capacity of one can be learned from them.
    pub cpu: Option<Arc<Series>>,
}

// === impl Reader ===

impl Reader {
    /// `queries` are the queries of all workloads, with repetitions.
    pub(super) fn new(
        source: Arc<dyn Backend>,
        (until, length): (Time, Span),
        is_priced_by_request: bool,
        candidates: &[Candidate],
    ) -> Self {
        let queries = candidates.iter().flat_map(|candidate| {
            let load = candidate.load.as_ref().ok().map(|load| load.query.clone());
            load.into_iter().chain(ready(candidate))
        });
        let mut all: Vec<String> = queries.collect();
        all.sort_unstable();
        let mut shared: Vec<String> =
            all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
        shared.dedup();
        Reader { source, until, length, is_priced_by_request, read: Mutex::default(), shared }
    }

    /// Everything that is known about a workload.
    pub(super) async fn history(&self, candidate: &Candidate) -> History {
        let mut candidate = candidate.clone();
        let load = match &candidate.load {
            Ok(load) => self.series(&load.query).await,
            Err(why) => Err(why.clone()),
        };
        if load.as_ref().is_ok_and(|load| load.observed() > 0) {
            candidate.requests = self.requests(&candidate).await;
        }
        let sized = candidate.load.clone().and_then(|load| {
            load.sized(candidate.requests.cores).ok_or_else(|| {
                format!(
                    "CPU requests of {} {} are not known; give its manifest with requests for every container, or \
                     scrape kube-state-metrics",
                    candidate.target.kind, candidate.target.name
                )
            })
        });
        // A failed query is the more important reason than a missing request.
        let load = load.and_then(|series| sized.as_ref().map(|_| series).map_err(Clone::clone));
        candidate.load = sized;
        let ran = match ready(&candidate).filter(|_| load.as_ref().is_ok_and(|load| load.observed() > 0)) {
            // The replicas that ran are only for comparison; the rest works without them.
            Some(query) => self.series(&query).await.ok().filter(|series| series.observed() > 0),
            None => None,
        };
        let cpu = match cpu(&candidate).filter(|_| ran.is_some()) {
            Some(query) => self.series(&query).await.ok().filter(|series| series.observed() > 0),
            None => None,
        };
        History { candidate, load, ran, cpu }
    }

    /// What a pod requests: from its manifest, otherwise from kube-state-metrics at the end of the history.
    async fn requests(&self, candidate: &Candidate) -> PodRequests {
        let known = candidate.requests;
        let asked = async |resource: &str| {
            let target = &candidate.target;
            let query =
                questions::requested(&candidate.place.namespace, &target.kind, &target.name, resource)?;
            self.source.instant(&query, self.until).await.ok().flatten().filter(|value| *value > 0.0)
        };
        PodRequests {
            cores: match known.cores {
                None => asked("cpu").await,
                cores => cores,
            },
            memory: match known.memory {
                None if self.is_priced_by_request => asked("memory").await.map(|bytes| bytes / GIB),
                memory => memory,
            },
        }
    }

    /// The series of a query from its first sample to its last.
    async fn series(&self, query: &str) -> Result<Arc<Series>, String> {
        if self.shared.binary_search_by(|known| known.as_str().cmp(query)).is_err() {
            return self.ask(query).await;
        }
        let once = {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(read.entry(query.to_owned()).or_default())
        };
        once.get_or_init(|| self.ask(query)).await.clone()
    }

    async fn ask(&self, query: &str) -> Result<Arc<Series>, String> {
        let question = RangeQuery {
            query: query.to_owned(),
            from: self.until - self.length,
            to: self.until,
            step: Step::MINUTE,
        };
        let reading = self.source.range(&question).await.map_err(|error| error.to_string())?;
        let series = reading.series;
        let first = (0..series.len()).find(|&slot| series.get(slot).is_some());
        Ok(Arc::new(match (first, series.last()) {
            (Some(first), Some((last, _))) => series.window(series.time(first) - Span::seconds(1), last),
            _ => Series::new(series.start(), series.step()),
        }))
    }
}

fn ready(candidate: &Candidate) -> Option<String> {
    questions::ready(&candidate.place.namespace, &candidate.target.kind, &candidate.target.name)
}

/// The query for the CPU of its pods, if a request gives the scale, and the load is not CPU itself.
fn cpu(candidate: &Candidate) -> Option<String> {
    candidate.requests.cores?;
    let target = &candidate.target;
    let query = questions::cpu_used(&candidate.place.namespace, &target.kind, &target.name).ok()?;
    candidate.load.as_ref().ok().filter(|load| load.query != query).map(|_| query)
}
