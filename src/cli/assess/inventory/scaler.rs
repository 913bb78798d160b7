//! One ScaledObject or HPA as a candidate: its limits, what it scales, and how to read its load.
//!
//! The load comes, in this order, from the query of its Prometheus trigger (or of our own), from the value of any
//! other KEDA trigger as KEDA's operator publishes it, or from the CPU used relative to the request. What none of
//! them gives is reported as missing.

use std::collections::HashMap;

use super::{Candidate, Level, LoadQuery, PodRequests, Requests, TargetRef};
use crate::cli::assess::questions;
use crate::cli::place::Place;
use crate::source::manifest::{DEFAULT_MAX_COUNT, ScaledObject, Trigger};
use crate::source::yaml::Node;

/// KEDA's triggers by type, with the metadata keys that hold the load per replica.
const TARGETS: [(&str, &[&str]); 12] = [
    ("kafka", &["lagThreshold"]),
    ("apache-kafka", &["lagThreshold"]),
    ("aws-sqs-queue", &["queueLength"]),
    ("rabbitmq", &["value", "queueLength"]),
    ("redis", &["listLength"]),
    ("redis-streams", &["pendingEntriesCount", "streamLength", "lagCount"]),
    ("azure-servicebus", &["messageCount"]),
    ("azure-queue", &["queueLength"]),
    ("gcp-pubsub", &["value", "subscriptionSize"]),
    ("nats-jetstream", &["lagThreshold"]),
    ("metrics-api", &["targetValue"]),
    ("external", &["threshold"]),
];

pub(super) fn of_scaled_object(object: &ScaledObject<'_>, requests: &Requests) -> Candidate {
    let place = Place::of(object.node);
    let namespace = &place.namespace;
    let spec = object.spec();
    let target = target_of(spec.and_then(|spec| spec.get("scaleTargetRef")), "Deployment");
    let count = |key: &str| spec.and_then(|spec| spec.text_of(key)).and_then(|text| text.parse::<u32>().ok());
    let requests = of_target(requests, namespace, &target);
    let tried: Vec<_> = object
        .triggers
        .iter()
        .map(|trigger| trigger_load(object, namespace, &target, trigger, requests))
        .collect();
    let rank = |load: &Result<(u8, LoadQuery), String>| load.as_ref().map_or(u8::MAX, |load| load.0);
    let missing = || Err("its ScaledObject has no trigger".to_owned());
    let load = tried.into_iter().min_by_key(rank).map_or_else(missing, |load| load.map(|load| load.1));
    Candidate {
        min: count("minReplicaCount").unwrap_or(0),
        max: count("maxReplicaCount").unwrap_or(DEFAULT_MAX_COUNT),
        place,
        target,
        requests,
        load,
    }
}

pub(super) fn of_hpa(hpa: &Node, requests: &Requests) -> Candidate {
    let place = Place::of(hpa);
    let namespace = &place.namespace;
    let spec = hpa.get("spec");
    let target = target_of(spec.and_then(|spec| spec.get("scaleTargetRef")), "Deployment");
    let count = |key: &str| spec.and_then(|spec| spec.text_of(key)).and_then(|text| text.parse::<u32>().ok());
    let requests = of_target(requests, namespace, &target);
    let load = hpa_utilization(spec).and_then(|percent| cpu(namespace, &target, percent, requests));
    Candidate {
        min: count("minReplicas").unwrap_or(1),
        max: count("maxReplicas").unwrap_or(DEFAULT_MAX_COUNT),
        place,
        target,
        requests,
        load,
    }
}

fn of_target(requests: &Requests, namespace: &str, target: &TargetRef) -> PodRequests {
    let key = (namespace.to_owned(), target.kind.clone(), target.name.clone());
    requests.get(&key).copied().unwrap_or_default()
}

fn target_of(reference: Option<&Node>, kind: &str) -> TargetRef {
    let text = |key: &str| reference.and_then(|reference| reference.text_of(key));
    TargetRef {
        kind: text("kind").unwrap_or_else(|| kind.to_owned()),
        name: text("name").unwrap_or_default(),
    }
}

/// The load that a trigger measures, with its rank: our own trigger or a Prometheus query, any other trigger, CPU.
fn trigger_load(
    object: &ScaledObject<'_>,
    namespace: &str,
    target: &TargetRef,
    trigger: &Trigger<'_>,
    requests: PodRequests,
) -> Result<(u8, LoadQuery), String> {
    let get =
        |key: &str| trigger.metadata.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
    let number =
        |key: &str| get(key).and_then(|text| text.parse::<f64>().ok()).filter(|v| v.is_finite() && *v > 0.0);
    let kind = trigger.kind.as_str();
    if trigger.is_ours() || kind == "prometheus" {
        let query = get("query").ok_or_else(|| format!("its {kind} trigger has no query"))?;
        let threshold =
            number("threshold").ok_or_else(|| format!("its {kind} trigger has no threshold above 0"))?;
        let keys = if trigger.is_ours() { trigger.metadata.clone() } else { HashMap::new() };
        let threshold_source = format!("threshold of its {kind} trigger");
        return Ok((
            0,
            LoadQuery { query: query.to_owned(), threshold: Level::Given(threshold), threshold_source, keys },
        ));
    }
    if kind == "cpu" {
        if trigger.node.text_of("metricType").as_deref().is_some_and(|metric| metric != "Utilization") {
            return Err("its cpu trigger is not of type Utilization, the only one supported here".to_owned());
        }
        let percent = number("value").ok_or_else(|| "its cpu trigger has no value".to_owned())?;
        return cpu(namespace, target, percent, requests).map(|load| (2, load));
    }
    let keys = TARGETS.iter().find(|row| row.0 == kind).map(|row| row.1);
    let keys = keys.ok_or_else(|| format!("a {kind} trigger has no load that can be forecast"))?;
    let found = keys.iter().find_map(|key| Some((*key, number(key)?)));
    let (key, threshold) = found.ok_or_else(|| format!("its {kind} trigger has no {}", keys.join(" or ")))?;
    let query = questions::keda_value(namespace, &object.name, trigger.index);
    let threshold_source = format!("{key} of its {kind} trigger");
    let threshold = Level::Given(threshold);
    Ok((1, LoadQuery { query, threshold, threshold_source, keys: HashMap::new() }))
}

/// The target of an HPA's CPU metric, in percent of the request.
fn hpa_utilization(spec: Option<&Node>) -> Result<f64, String> {
    let number = |node: &Node| node.text().and_then(|text| text.parse::<f64>().ok());
    // autoscaling/v1 has a single field for it.
    if let Some(percent) = spec.and_then(|spec| spec.get("targetCPUUtilizationPercentage")).and_then(number) {
        return Ok(percent);
    }
    let metrics = spec.and_then(|spec| spec.get("metrics")).map_or(&[][..], Node::items);
    let of_cpu = |metric: &&Node| {
        let resource = metric.get("resource").or_else(|| metric.get("containerResource"));
        resource.and_then(|resource| resource.text_of("name")).as_deref() == Some("cpu")
    };
    let metric = metrics.iter().find(of_cpu).ok_or_else(|| {
        let kinds: Vec<_> = metrics.iter().filter_map(|metric| metric.text_of("type")).collect();
        let found = if kinds.is_empty() { "no metric".to_owned() } else { kinds.join(" and ") };
        format!("its HPA scales by {found}; put a query for its load into a ScaledObject")
    })?;
    let target = metric.get("resource").or_else(|| metric.get("containerResource"));
    let percent = target.and_then(|target| target.at(&["target", "averageUtilization"])).and_then(number);
    percent.filter(|p| *p > 0.0).ok_or_else(|| "its HPA's CPU metric has no averageUtilization".to_owned())
}

/// CPU used, relative to a share of the request; if no manifest gives the request, kube-state-metrics is queried for
/// it.
pub(in crate::cli::assess) fn cpu(
    namespace: &str,
    target: &TargetRef,
    percent: f64,
    requests: PodRequests,
) -> Result<LoadQuery, String> {
    let query = questions::cpu_used(namespace, &target.kind, &target.name)?;
    let load = LoadQuery {
        query,
        threshold: Level::OfRequest(percent),
        threshold_source: String::new(),
        keys: HashMap::new(),
    };
    Ok(load.sized(requests.cores).unwrap_or(load))
}

// === impl LoadQuery ===

impl LoadQuery {
    /// The same with a number as its threshold; `None` if that depends on an unknown request.
    pub(in crate::cli::assess) fn sized(&self, cores: Option<f64>) -> Option<LoadQuery> {
        match self.threshold {
            Level::Given(_) => Some(self.clone()),
            Level::OfRequest(percent) => cores.map(|cores| LoadQuery {
                threshold: Level::Given(cores * percent / 100.0),
                threshold_source: format!("{percent} % of the {cores} cores that a pod requests"),
                ..self.clone()
            }),
        }
    }

    /// The load of one replica, once it is known.
    pub(in crate::cli::assess) fn per_replica(&self) -> Option<f64> {
        match self.threshold {
            Level::Given(value) => Some(value),
            Level::OfRequest(_) => None,
        }
    }
}
