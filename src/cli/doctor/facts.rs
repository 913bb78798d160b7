//! Everything that can be observed about one workload, gathered once; nothing is judged here.

use std::cell::RefCell;

use anyhow::ensure;
use serde_json::Value;

use crate::cli::api::Api;
use crate::cli::live::LATELY;
use crate::cli::place::Place;
use crate::history::Series;
use crate::serve::Pods;
use crate::source::exporters::{ExportedMetric, Service};
use crate::source::{Backend, Doubt, RangeQuery, SourceError, doubts};
use crate::units::{Span, Step, Time};

/// What to ask, and where.
pub(super) struct Asked<'a> {
    pub api: &'a Api,
    pub place: &'a Place,
    /// Which metric of the workload, if it has several.
    pub metric: Option<&'a str>,
    pub prometheus: Option<&'a dyn Backend>,
    pub query: Option<&'a str>,
    pub names: &'a Names,
    pub over: Span,
    pub now: Time,
}

/// Names in the cluster.
pub(super) struct Names {
    pub namespace: String,
    /// The ScaledObject.
    pub object: String,
    pub hpa: String,
    pub deployment: String,
}

/// The observations. `Err` says why one is missing.
pub(super) struct Facts {
    pub names: Names,
    pub over: Span,
    pub now: Time,
    /// The row of the workload in the server's list; `Ok(None)` if KEDA never called for it.
    pub row: Result<Option<Value>, String>,
    /// The server's forecast for it.
    pub forecast: Option<Value>,
    /// Whether Prometheus answers at all; `None` if none was given.
    pub prometheus: Option<Result<(), String>>,
    /// The absolute difference between its clock and ours; `None` if it sent no time.
    pub skew: Option<Span>,
    /// The load now; `None` without a query.
    pub load: Option<Result<Option<f64>, SourceError>>,
    /// What is suspicious about the query, according to Prometheus' metric metadata; `None` without a query, or if
    /// there is no metadata.
    pub doubts: Option<Vec<Doubt>>,
    /// How long Prometheus keeps samples, if it reports this.
    pub retention: Option<Span>,
    /// Whether Prometheus scrapes kube-state-metrics at all.
    pub sees_cluster: bool,
    /// The replicas that the HPA sees; `None` if kube-state-metrics does not report it.
    pub hpa: Seen,
    /// How many metrics the HPA has under our name; the single metric of a formula counts as ours.
    pub hpa_metrics: Seen,
    /// How many metrics of other triggers it has.
    pub hpa_others: Seen,
    /// Whether the HPA can compute it: its condition ScalingActive.
    pub hpa_active: Seen,
    /// The replicas that the HPA wants, over the time looked at.
    pub desired: Option<Series>,
    /// The HPA's limits.
    pub hpa_max: Seen,
    /// Ready pods over the time looked at.
    pub ready: Option<Series>,
    /// Pods that are pending now.
    pub pending: Seen,
    /// The most replicas answered, or needed by the load, over the time looked at.
    pub needed: Seen,
    /// The mean answer relative to the mean need of the load, over the last day.
    pub cost: Seen,
}

/// A number from Prometheus, if it has one.
pub(super) type Seen = Option<f64>;

/// Wherever kube-state-metrics is scraped, at least one of these exists: it watches Deployments, HPAs or pods.
const CLUSTER: &str = "count({__name__=~\"kube_deployment_status_replicas_ready|kube_pod_status_phase|\
                       kube_horizontalpodautoscaler_spec_max_replicas\"})";
/// A server that answers this can be asked the rest.
const ALIVE: &str = "vector(1)";
/// The step of the history looked at.
const STEP: Step = Step::MINUTE;

/// Whether Kubernetes may have named an object so.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    !text.is_empty() && text.bytes().all(allowed)
}

// === impl Names ===

impl Names {
    pub(super) fn of(place: &Place, hpa: Option<&str>, deployment: Option<&str>) -> anyhow::Result<Self> {
        let names = Names {
            namespace: place.namespace.clone(),
            object: place.name.clone(),
            hpa: hpa.map_or_else(|| format!("keda-hpa-{}", place.name), ToOwned::to_owned),
            deployment: deployment.unwrap_or(&place.name).to_owned(),
        };
        // The names become part of PromQL.
        for name in [&names.namespace, &names.object, &names.hpa, &names.deployment] {
            ensure!(
                is_name(name),
                "found '{}', expected a name of Kubernetes (a-z, 0-9, '-', '.')",
                name.escape_debug()
            );
        }
        Ok(names)
    }

    fn of_hpa(&self, metric: &str, more: &str) -> String {
        let (namespace, hpa) = (&self.namespace, &self.hpa);
        let of = format!("namespace=\"{namespace}\",horizontalpodautoscaler=\"{hpa}\"{more}");
        format!("max(kube_horizontalpodautoscaler_{metric}{{{of}}})")
    }

    fn ready(&self) -> String {
        let service = Service { namespace: &self.namespace, name: &self.deployment, kind: None };
        service.asks(ExportedMetric::Ready).unwrap_or_default()
    }

    fn pending(&self) -> String {
        let pods = Pods::of(&self.namespace, &self.deployment, None);
        format!("sum({})", pods.own(&pods.all("kube_pod_status_phase", ",phase=\"Pending\"")))
    }

    /// How many metrics in its specification have a name that matches `of` (such as `=~"..."`). The specification is
    /// used because the HPA computes no metric for a workload at zero.
    fn metrics(&self, of: &str) -> String {
        let (namespace, hpa) = (&self.namespace, &self.hpa);
        format!(
            "count(count by (metric_name) (kube_horizontalpodautoscaler_spec_target_metric{{namespace=\"{namespace}\",\
             horizontalpodautoscaler=\"{hpa}\",metric_name{of}}}))"
        )
    }
}

/// Queries everything once.
pub(super) async fn gather(asked: &Asked<'_>) -> Facts {
    let Asked { api, place, metric, prometheus, query, names, over, now } = asked;
    let row = match api.workloads().await {
        Ok((_, list)) => Ok(list["workloads"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|row| is(row, place, *metric))
            .cloned()),
        Err(error) => Err(format!("{error:#}")),
    };
    let forecast = match &row {
        Ok(Some(_)) => {
            api.of(place, *metric, "forecast").await.ok().filter(|(status, _)| status.is_success())
        }
        _ => None,
    };
    let metric = metric.unwrap_or("forescale");
    let look = Look { prometheus: *prometheus, over: *over, now: *now, trouble: RefCell::default() };
    // With a formula, KEDA gives the HPA one metric for all triggers.
    let ours = format!("~\"s[0-9]+-{metric}|.*composite-metric\"");
    let of_ours = |what: &str, more: &str| {
        let (namespace, name) = (&place.namespace, &place.name);
        format!("forescale_{what}{{namespace=\"{namespace}\",name=\"{name}\",metric=\"{metric}\"{more}}}")
    };
    let answered = of_ours("desired_replicas", "");
    let by_load = of_ours("required_replicas", ",contributor=\"reactive\"");
    // All replicas of the server publish the same values.
    let cost = format!("max(avg_over_time({answered}[1d])) / max(avg_over_time({by_load}[1d]))");
    let needed = format!("max(max_over_time({answered}[{over}]) or max_over_time({by_load}[{over}]))");
    look.begin().await;
    let facts = Facts {
        names: Names {
            namespace: names.namespace.clone(),
            object: names.object.clone(),
            hpa: names.hpa.clone(),
            deployment: names.deployment.clone(),
        },
        over: *over,
        now: *now,
        row,
        forecast: forecast.map(|(_, forecast)| forecast),
        skew: prometheus.and_then(|source| source.clock_skew(*now)),
        prometheus: None,
        load: match (look.source(), query) {
            (Some(source), Some(query)) => Some(look.noted(source.instant(query, *now).await)),
            _ => None,
        },
        doubts: match (look.source(), query) {
            (Some(source), Some(query)) => look.noted(doubts(source, query, *now - LATELY).await).ok(),
            _ => None,
        },
        retention: match look.source().and_then(|source| source.discovery()) {
            Some(server) => look.noted(server.retention().await).unwrap_or_default(),
            None => None,
        },
        sees_cluster: look.at(CLUSTER).await.is_some(),
        hpa: look.at(&names.of_hpa("status_current_replicas", "")).await,
        hpa_metrics: look.at(&names.metrics(&format!("={ours}"))).await,
        hpa_others: look.at(&names.metrics(&format!("!{ours}"))).await,
        hpa_active: look
            .at(&names.of_hpa("status_condition", ",condition=\"ScalingActive\",status=\"true\""))
            .await,
        desired: look.back(&names.of_hpa("status_desired_replicas", "")).await,
        hpa_max: look.at(&names.of_hpa("spec_max_replicas", "")).await,
        ready: look.back(&names.ready()).await,
        pending: look.at(&names.pending()).await,
        needed: look.at(&needed).await,
        cost: look.at(&cost).await,
    };
    let trouble = look.trouble.into_inner();
    Facts { prometheus: prometheus.map(|_| trouble.map_or(Ok(()), Err)), ..facts }
}

fn is(row: &Value, place: &Place, metric: Option<&str>) -> bool {
    row["namespace"] == place.namespace.as_str()
        && row["name"] == place.name.as_str()
        && metric.is_none_or(|metric| row["metric"] == metric)
}

/// Queries Prometheus; a failed query counts as not observed.
///
/// After one query without an answer in time no more are sent: each would wait just as long.
struct Look<'a> {
    prometheus: Option<&'a dyn Backend>,
    over: Span,
    now: Time,
    /// Why no more queries are sent.
    trouble: RefCell<Option<String>>,
}

impl<'a> Look<'a> {
    /// The source to query, as long as it answers.
    fn source(&self) -> Option<&'a dyn Backend> {
        self.prometheus.filter(|_| self.trouble.borrow().is_none())
    }

    /// The answer unchanged; records whether further queries make sense.
    fn noted<T>(&self, answer: Result<T, SourceError>) -> Result<T, SourceError> {
        let is_over = |error: &SourceError| {
            matches!(error, SourceError::Timeout { .. } | SourceError::Unreachable { .. })
        };
        if let Some(error) = answer.as_ref().err().filter(|error| is_over(error)) {
            self.trouble.borrow_mut().get_or_insert_with(|| format!("{error}; no further queries were sent"));
        }
        answer
    }

    /// Asks whether it answers at all; any error means that it does not.
    async fn begin(&self) {
        let Some(source) = self.prometheus else { return };
        *self.trouble.borrow_mut() = source.instant(ALIVE, self.now).await.err().map(|e| e.to_string());
    }

    async fn at(&self, query: &str) -> Seen {
        self.noted(self.source()?.instant(query, self.now).await).ok().flatten()
    }

    async fn back(&self, query: &str) -> Option<Series> {
        let question =
            RangeQuery { query: query.to_owned(), from: self.now - self.over, to: self.now, step: STEP };
        let series = self.noted(self.source()?.range(&question).await).ok()?.series;
        series.last().is_some().then_some(series)
    }
}

#[cfg(test)]
mod tests;
