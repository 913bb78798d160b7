//! What can be seen of one workload, gathered once; nothing is judged here.

use anyhow::ensure;
use serde_json::Value;

use crate::cli::api::{Api, Place};
use crate::history::Series;
use crate::source::{Backend, RangeQuery, SourceError};
use crate::units::{Span, Step, Time};

/// What is asked, and whom.
pub(super) struct Asked<'a> {
    pub api: &'a Api,
    pub place: &'a Place,
    pub prometheus: Option<&'a dyn Backend>,
    pub query: Option<&'a str>,
    pub names: &'a Names,
    pub over: Span,
    pub now: Time,
}

/// Names in the cluster.
pub(super) struct Names {
    pub namespace: String,
    pub hpa: String,
    pub deployment: String,
}

/// What was seen. `Err` says why something was not.
pub(super) struct Facts {
    pub names: Names,
    pub over: Span,
    pub now: Time,
    /// The row of the workload in the server's list; `Ok(None)` where KEDA never asked for it.
    pub row: Result<Option<Value>, String>,
    /// The server's forecast of it.
    pub forecast: Option<Value>,
    /// Whether Prometheus answers at all; `None` where none was named.
    pub prometheus: Option<Result<(), String>>,
    /// How far its clock and ours differ, either way; `None` where it told no time.
    pub skew: Option<Span>,
    /// The load now; `None` without a query.
    pub load: Option<Result<Option<f64>, SourceError>>,
    /// Whether Prometheus scrapes kube-state-metrics at all.
    pub sees_cluster: bool,
    /// Whether kube-state-metrics tells of the HPA.
    pub hpa: Seen,
    /// Whether the HPA holds our metric.
    pub hpa_metric: Seen,
    /// Whether the HPA can compute it: its condition ScalingActive.
    pub hpa_active: Seen,
    /// Replicas that the HPA wants, over the time looked at.
    pub desired: Option<Series>,
    /// The HPA's limits.
    pub hpa_max: Seen,
    /// Ready pods over the time looked at.
    pub ready: Option<Series>,
    /// Pods that are pending now.
    pub pending: Seen,
    /// Mean answer over mean need of the load, over the last day.
    pub cost: Seen,
}

/// A number in Prometheus, if it is there.
pub(super) type Seen = Option<f64>;

/// What there is one of at least wherever kube-state-metrics is scraped: it watches Deployments, or HPAs, or pods.
const CLUSTER: &str = "count({__name__=~\"kube_deployment_status_replicas_ready|kube_pod_status_phase|\
                       kube_horizontalpodautoscaler_spec_max_replicas\"})";
/// The grid of what is looked back at.
const STEP: Step = Step::MINUTE;

// === impl Names ===

impl Names {
    pub(super) fn of(place: &Place, hpa: Option<&str>, deployment: Option<&str>) -> anyhow::Result<Self> {
        let names = Names {
            namespace: place.namespace.clone(),
            hpa: hpa.map_or_else(|| format!("keda-hpa-{}", place.name), ToOwned::to_owned),
            deployment: deployment.unwrap_or(&place.name).to_owned(),
        };
        // They become part of PromQL.
        for name in [&names.namespace, &names.hpa, &names.deployment] {
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
            ensure!(
                !name.is_empty() && name.bytes().all(allowed),
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
        format!(
            "max(kube_deployment_status_replicas_ready{{namespace=\"{}\",deployment=\"{}\"}})",
            self.namespace, self.deployment
        )
    }

    fn pending(&self) -> String {
        format!(
            "sum(max by (pod) (kube_pod_status_phase{{namespace=\"{}\",pod=~\"{}-.*\",phase=\"Pending\"}}))",
            self.namespace,
            self.deployment.replace('.', "[.]")
        )
    }
}

/// Asks for everything once.
pub(super) async fn gather(asked: &Asked<'_>) -> Facts {
    let Asked { api, place, prometheus, query, names, over, now } = asked;
    let row = match api.workloads().await {
        Ok((_, list)) => {
            Ok(list["workloads"].as_array().into_iter().flatten().find(|row| is(row, place)).cloned())
        }
        Err(error) => Err(format!("{error:#}")),
    };
    let forecast = match &row {
        Ok(Some(_)) => api.of(place, "forecast").await.ok().filter(|(status, _)| status.is_success()),
        _ => None,
    };
    let metric = place.metric.clone().unwrap_or_else(|| "forescale".to_owned());
    let look = Look { prometheus: *prometheus, over: *over, now: *now };
    let ours = format!(",metric_name=~\"s[0-9]+-{metric}\"");
    // Every replica of the server publishes the same.
    let mean = |what: &str, more: &str| {
        let (namespace, name) = (&place.namespace, &place.name);
        let of = format!("namespace=\"{namespace}\",name=\"{name}\",metric=\"{metric}\"{more}");
        format!("max(avg_over_time(forescale_{what}{{{of}}}[1d]))")
    };
    let cost = format!(
        "{} / {}",
        mean("desired_replicas", ""),
        mean("required_replicas", ",contributor=\"reactive\"")
    );
    let reachable = match prometheus {
        Some(source) => Some(source.instant("vector(1)", *now).await.map(drop).map_err(|e| e.to_string())),
        None => None,
    };
    Facts {
        names: Names {
            namespace: names.namespace.clone(),
            hpa: names.hpa.clone(),
            deployment: names.deployment.clone(),
        },
        over: *over,
        now: *now,
        row,
        forecast: forecast.map(|(_, forecast)| forecast),
        skew: prometheus.and_then(|source| source.clock_skew(*now)),
        prometheus: reachable,
        load: match (prometheus, query) {
            (Some(source), Some(query)) => Some(source.instant(query, *now).await),
            _ => None,
        },
        sees_cluster: look.at(CLUSTER).await.is_some(),
        hpa: look.at(&names.of_hpa("status_current_replicas", "")).await,
        hpa_metric: look.at(&names.of_hpa("status_target_metric", &ours)).await,
        hpa_active: look
            .at(&names.of_hpa("status_condition", ",condition=\"ScalingActive\",status=\"true\""))
            .await,
        desired: look.back(&names.of_hpa("status_desired_replicas", "")).await,
        hpa_max: look.at(&names.of_hpa("spec_max_replicas", "")).await,
        ready: look.back(&names.ready()).await,
        pending: look.at(&names.pending()).await,
        cost: look.at(&cost).await,
    }
}

fn is(row: &Value, place: &Place) -> bool {
    let metric = place.metric.as_deref();
    row["namespace"] == place.namespace.as_str()
        && row["name"] == place.name.as_str()
        && metric.is_none_or(|metric| row["metric"] == metric)
}

/// Looks into Prometheus; what fails is not seen.
struct Look<'a> {
    prometheus: Option<&'a dyn Backend>,
    over: Span,
    now: Time,
}

impl Look<'_> {
    async fn at(&self, query: &str) -> Seen {
        self.prometheus?.instant(query, self.now).await.ok().flatten()
    }

    async fn back(&self, query: &str) -> Option<Series> {
        let question =
            RangeQuery { query: query.to_owned(), from: self.now - self.over, to: self.now, step: STEP };
        let series = self.prometheus?.range(&question).await.ok()?.series;
        series.last().is_some().then_some(series)
    }
}
