//! Finds the workloads from Prometheus alone: kube-state-metrics has the HPAs with their limits, targets and what
//! they scale, and KEDA's operator has the value of each trigger.
//!
//! What they do not have (the query behind a trigger, the CPU requests of a pod that is gone) is reported as missing;
//! nothing is guessed.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, bail};

use super::inventory::{Candidate, Chosen, Level, LoadQuery, PodRequests, TargetRef, cpu};
use super::questions;
use crate::cli::place::Place;
use crate::source::prometheus::{Labelled, Prometheus};
use crate::units::Time;

/// The prefix of the names of KEDA's HPAs, unless a ScaledObject sets another name.
const OF_KEDA: &str = "keda-hpa-";
/// Scalers whose value is not a load.
const NO_LOAD: [&str; 3] = ["cron", "cpu", "memory"];

/// Namespace and name.
type Key = (String, String);

/// What kube-state-metrics reports about one HPA.
#[derive(Debug, Clone, Default)]
struct Hpa {
    target: Option<TargetRef>,
    min: u32,
    max: u32,
    /// By metric: the kind of the target and its value.
    targets: BTreeMap<String, (String, f64)>,
}

/// One trigger as KEDA's operator reports it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct TriggerSeen {
    /// Queries sort before other scalers.
    is_other: bool,
    index: usize,
    scaler: String,
    metric: String,
}

/// The answers from which the fleet is built.
#[derive(Debug, Default)]
struct Found {
    info: Vec<Labelled>,
    min: Vec<Labelled>,
    max: Vec<Labelled>,
    targets: Vec<Labelled>,
    triggers: Vec<Labelled>,
    /// The HPAs with the labels asked for; `None` if no labels were asked for.
    labelled: Option<Vec<Labelled>>,
}

/// The workloads that had an HPA or a trigger within the hour before `at`, sorted by namespace and name.
pub(super) async fn find(source: &Prometheus, at: Time, chosen: &Chosen) -> anyhow::Result<Vec<Candidate>> {
    let ask = async |metric: &str, by: &str| {
        // A scrape without `honor_labels` renames the target's namespace label.
        let query = format!("max by (namespace, exported_namespace, {by}) (last_over_time({metric}[1h]))");
        source.vector(&query, at).await.with_context(|| metric.to_owned())
    };
    let hpa = "horizontalpodautoscaler";
    let found = Found {
        info: ask(
            "kube_horizontalpodautoscaler_info",
            &format!("{hpa}, scaletargetref_kind, scaletargetref_name"),
        )
        .await?,
        min: ask("kube_horizontalpodautoscaler_spec_min_replicas", hpa).await?,
        max: ask("kube_horizontalpodautoscaler_spec_max_replicas", hpa).await?,
        targets: ask(
            "kube_horizontalpodautoscaler_spec_target_metric",
            &format!("{hpa}, metric_name, metric_target_type"),
        )
        .await?,
        triggers: ask("keda_scaler_metrics_value", "scaledObject, scaler, triggerIndex, metric").await?,
        labelled: match chosen.matchers() {
            Some(matchers) => {
                Some(ask(&format!("kube_horizontalpodautoscaler_labels{{{matchers}}}"), hpa).await?)
            }
            None => None,
        },
    };
    if found.info.is_empty() && found.triggers.is_empty() {
        bail!(
            "found neither kube_horizontalpodautoscaler_info nor keda_scaler_metrics_value in the hour before {at}; \
             scrape kube-state-metrics or KEDA's operator, give --manifests, or an --until within the history"
        );
    }
    let candidates = found.candidates(chosen);
    if candidates.is_empty() {
        bail!(
            "found {} HPAs in Prometheus, none of which was chosen; --selector needs kube-state-metrics with \
             --metric-labels-allowlist=horizontalpodautoscalers=[...]",
            found.info.len()
        );
    }
    Ok(candidates)
}

// === impl Found ===

impl Found {
    fn candidates(&self, chosen: &Chosen) -> Vec<Candidate> {
        let hpas = self.hpas();
        let triggers = self.triggers();
        let is_labelled = |key: &Key| {
            let labelled = self.labelled.as_ref();
            labelled.is_none_or(|all| all.iter().any(|one| hpa_key(one) == *key))
        };
        let mut all = Vec::new();
        for (key, triggers) in &triggers {
            let of_keda = (key.0.clone(), format!("{OF_KEDA}{}", key.1));
            if is_labelled(&of_keda) {
                all.push(of_scaled_object(key, triggers, hpas.get(&of_keda)));
            }
        }
        for (key, hpa) in &hpas {
            let scaled = key.1.strip_prefix(OF_KEDA);
            if scaled.is_some_and(|name| triggers.contains_key(&(key.0.clone(), name.to_owned()))) {
                continue;
            }
            if is_labelled(key) {
                all.push(of_hpa(key, scaled, hpa));
            }
        }
        all.retain(|candidate| chosen.takes_namespace(&candidate.place.namespace));
        all.sort_by(|a, b| (&a.place.namespace, &a.place.name).cmp(&(&b.place.namespace, &b.place.name)));
        all
    }

    fn hpas(&self) -> BTreeMap<Key, Hpa> {
        let mut hpas: BTreeMap<Key, Hpa> = BTreeMap::new();
        for one in &self.info {
            let target = TargetRef {
                kind: one.label("scaletargetref_kind").to_owned(),
                name: one.label("scaletargetref_name").to_owned(),
            };
            hpas.insert(hpa_key(one), Hpa { target: Some(target), min: 1, max: 100, ..Hpa::default() });
        }
        let count = |one: &Labelled| one.value.clamp(0.0, f64::from(u32::MAX)) as u32;
        for one in &self.min {
            hpas.entry(hpa_key(one)).and_modify(|hpa| hpa.min = count(one));
        }
        for one in &self.max {
            hpas.entry(hpa_key(one)).and_modify(|hpa| hpa.max = count(one));
        }
        for one in &self.targets {
            let target = (one.label("metric_target_type").to_owned(), one.value);
            hpas.entry(hpa_key(one))
                .and_modify(|hpa| drop(hpa.targets.insert(one.label("metric_name").to_owned(), target)));
        }
        hpas
    }

    fn triggers(&self) -> BTreeMap<Key, Vec<TriggerSeen>> {
        let mut triggers: BTreeMap<Key, Vec<TriggerSeen>> = BTreeMap::new();
        for one in &self.triggers {
            let scaler = one.label("scaler").trim_end_matches("Scaler").to_owned();
            let Ok(index) = one.label("triggerIndex").parse() else { continue };
            let seen = TriggerSeen {
                is_other: scaler != "prometheus",
                index,
                scaler,
                metric: one.label("metric").to_owned(),
            };
            let key = (namespace_of(one), one.label("scaledObject").to_owned());
            triggers.entry(key).or_default().push(seen);
        }
        triggers.values_mut().for_each(|seen| seen.sort());
        triggers
    }
}

fn namespace_of(one: &Labelled) -> String {
    let exported = one.label("exported_namespace");
    if exported.is_empty() { one.label("namespace").to_owned() } else { exported.to_owned() }
}

fn hpa_key(one: &Labelled) -> Key {
    (namespace_of(one), one.label("horizontalpodautoscaler").to_owned())
}

fn of_scaled_object(key: &Key, triggers: &[TriggerSeen], hpa: Option<&Hpa>) -> Candidate {
    let (namespace, name) = key;
    let tried: Vec<Result<LoadQuery, String>> =
        triggers.iter().map(|trigger| trigger_load(namespace, name, trigger, hpa)).collect();
    let missing = Err("its ScaledObject has no trigger".to_owned());
    let first = tried.iter().find(|load| load.is_ok()).or(tried.first()).cloned().unwrap_or(missing);
    candidate(key, name, hpa, first)
}

fn trigger_load(
    namespace: &str,
    name: &str,
    trigger: &TriggerSeen,
    hpa: Option<&Hpa>,
) -> Result<LoadQuery, String> {
    let TriggerSeen { index, scaler, metric, .. } = trigger;
    if NO_LOAD.contains(&scaler.as_str()) {
        return Err(format!("a {scaler} trigger has no load that can be forecast"));
    }
    let hpa = hpa.ok_or_else(|| {
        format!("its HPA {OF_KEDA}{name} is not in kube-state-metrics; give its ScaledObject by --manifests")
    })?;
    let threshold = match hpa.targets.get(metric) {
        Some((kind, value)) if kind == "average" && *value > 0.0 => *value,
        Some((kind, _)) => {
            return Err(format!("the target of its metric {metric} is a {kind}, expected an average"));
        }
        None => return Err(format!("the target of its metric {metric} is not in kube-state-metrics")),
    };
    Ok(LoadQuery {
        query: questions::keda_value(namespace, name, *index),
        threshold: Level::Given(threshold),
        threshold_source: format!("target of its {scaler} trigger"),
        keys: HashMap::new(),
    })
}

fn of_hpa(key: &Key, scaled: Option<&str>, hpa: &Hpa) -> Candidate {
    let load = match (hpa.targets.get("cpu"), &hpa.target) {
        (Some((kind, percent)), Some(target)) if kind == "utilization" && *percent > 0.0 => {
            cpu(&key.0, target, *percent, PodRequests::default())
        }
        _ if scaled.is_some() => {
            Err("its HPA belongs to KEDA, but keda_scaler_metrics_value has no value for it; scrape KEDA's \
                 operator, or give its ScaledObject by --manifests"
                .to_owned())
        }
        _ => {
            let found: Vec<&str> = hpa.targets.keys().map(String::as_str).collect();
            let found = if found.is_empty() { "no metric".to_owned() } else { found.join(" and ") };
            Err(format!("its HPA scales by {found}; put a query for its load into a ScaledObject"))
        }
    };
    candidate(key, scaled.unwrap_or(&key.1), Some(hpa), load)
}

fn candidate(key: &Key, name: &str, hpa: Option<&Hpa>, load: Result<LoadQuery, String>) -> Candidate {
    let target = hpa.and_then(|hpa| hpa.target.clone());
    Candidate {
        place: Place { namespace: key.0.clone(), name: name.to_owned() },
        target: target.unwrap_or_else(|| TargetRef { kind: "Deployment".to_owned(), name: name.to_owned() }),
        min: hpa.map_or(1, |hpa| hpa.min),
        max: hpa.map_or(100, |hpa| hpa.max),
        requests: PodRequests::default(),
        load,
    }
}

#[cfg(test)]
mod tests;
