//! Finds the workloads from manifests: what scales them, and where to read their load.
//!
//! It reads the output of `kubectl get scaledobjects,hpa,deployments,statefulsets -A -o yaml`, and files kept in Git.
//! A workload whose load cannot be read stays in the list, with what is missing. Nothing here asks a server.

mod scaler;

pub(super) use scaler::cpu;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::cli::files;
use crate::cli::place::Place;
use crate::source::manifest::{of_kind, scaled_objects};
use crate::source::promql::string_literal;
use crate::source::yaml::{Node, documents};

/// A workload that something scales.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    /// The ScaledObject or HPA.
    pub place: Place,
    pub target: TargetRef,
    pub min: u32,
    pub max: u32,
    /// What one of its pods requests, as far as it is known.
    pub requests: PodRequests,
    /// How its load is read, or what is missing.
    pub load: Result<LoadQuery, String>,
}

/// What one pod requests.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct PodRequests {
    /// CPU in cores.
    pub cores: Option<f64>,
    /// Memory in GiB.
    pub memory: Option<f64>,
}

/// The object that is scaled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TargetRef {
    pub kind: String,
    pub name: String,
}

/// How to read a load, and how much of it one replica may carry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LoadQuery {
    pub query: String,
    pub threshold: Level,
    /// Where the threshold comes from, in words.
    pub threshold_source: String,
    /// The keys of our own trigger, if it is one.
    pub keys: HashMap<String, String>,
}

/// The load that one replica may carry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Level {
    /// A number.
    Given(f64),
    /// This percentage of the cores that a pod requests; the load is CPU.
    OfRequest(f64),
}

/// Which workloads to look at.
#[derive(Debug, Clone, Default)]
pub(super) struct Chosen {
    pub namespace: Option<String>,
    /// Labels that an object must have.
    pub labels: BTreeMap<String, String>,
}

/// The workloads of files and folders, sorted by namespace and name; `-` is standard input.
pub(super) fn read(paths: &[PathBuf], chosen: &Chosen) -> anyhow::Result<Vec<Candidate>> {
    let mut all = Vec::new();
    for path in paths {
        for (name, text) in files::manifests(path)? {
            all.extend(documents(&text).map_err(anyhow::Error::msg).with_context(|| name)?);
        }
    }
    let found = candidates(&all, chosen);
    if found.is_empty() {
        let kinds = all.iter().filter_map(|d| d.text_of("kind")).take(5).collect::<Vec<_>>().join(", ");
        let held = if kinds.is_empty() { "no Kubernetes objects".to_owned() } else { kinds };
        bail!(
            "--manifests: found {held}, expected ScaledObjects or HorizontalPodAutoscalers that match \
             --namespace and --selector"
        );
    }
    Ok(found)
}

/// The workloads among documents, each once.
fn candidates(documents: &[Node], chosen: &Chosen) -> Vec<Candidate> {
    let requests = requests(documents);
    let mut found: BTreeMap<(String, String), Candidate> = BTreeMap::new();
    let scaled = scaled_objects(documents);
    for object in scaled.iter().filter(|object| chosen.takes(object.node)) {
        let candidate = scaler::of_scaled_object(object, &requests);
        found.insert((candidate.place.namespace.clone(), candidate.target.name.clone()), candidate);
    }
    for hpa in of_kind(documents, "HorizontalPodAutoscaler") {
        if !chosen.takes(hpa) || is_kedas(hpa) {
            continue;
        }
        let candidate = scaler::of_hpa(hpa, &requests);
        // A ScaledObject with the same target has more information.
        found.entry((candidate.place.namespace.clone(), candidate.target.name.clone())).or_insert(candidate);
    }
    found.into_values().collect()
}

/// Whether KEDA created this HPA for a ScaledObject.
fn is_kedas(hpa: &Node) -> bool {
    let owners = hpa.at(&["metadata", "ownerReferences"]).map_or(&[][..], Node::items);
    owners.iter().any(|owner| owner.text_of("kind").as_deref() == Some("ScaledObject"))
}

/// What one pod requests, by namespace, kind and name.
pub(super) type Requests = HashMap<(String, String, String), PodRequests>;

fn requests(documents: &[Node]) -> Requests {
    let mut found = Requests::new();
    for kind in ["Deployment", "StatefulSet", "Rollout"] {
        for object in of_kind(documents, kind) {
            let containers =
                object.at(&["spec", "template", "spec", "containers"]).map_or(&[][..], Node::items);
            // A container without a request makes the sum unknown, as it does for the HPA.
            let sum = |resource: &str| {
                let each = containers.iter().map(|container| {
                    let text = container.at(&["resources", "requests", resource]).and_then(Node::text);
                    text.and_then(|text| quantity(&text))
                });
                each.sum::<Option<f64>>().filter(|sum| *sum > 0.0)
            };
            let requests = PodRequests { cores: sum("cpu"), memory: sum("memory").map(|bytes| bytes / GIB) };
            let place = Place::of(object);
            found.insert((place.namespace, kind.to_owned(), place.name), requests);
        }
    }
    found
}

/// Bytes per GiB.
pub(super) const GIB: f64 = 1_073_741_824.0;

/// Parses a quantity as Kubernetes writes it: `2`, `250m`, `512Mi`, `1G`, `1e9`.
fn quantity(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 11] = [
        ("Ki", 1_024.0),
        ("Mi", 1_048_576.0),
        ("Gi", GIB),
        ("Ti", 1_024.0 * GIB),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("u", 1e-6),
        ("n", 1e-9),
    ];
    let text = text.trim();
    let unit = UNITS.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
    let (number, size) = unit.unwrap_or((text, 1.0));
    number.parse::<f64>().ok().map(|value| value * size).filter(|value| value.is_finite() && *value >= 0.0)
}

// === impl Chosen ===

impl Chosen {
    /// Parses a label selector: `app=web,tier=front`.
    pub(super) fn parse_labels(text: &str) -> Result<BTreeMap<String, String>, String> {
        let pair = |part: &str| {
            let (key, value) = part.split_once('=').filter(|(key, _)| !key.trim().is_empty())?;
            Some((key.trim().to_owned(), value.trim_start_matches('=').trim().to_owned()))
        };
        let fault = || format!("found '{text}', expected labels such as app=web,tier=front");
        text.split(',').map(|part| pair(part).ok_or_else(fault)).collect()
    }

    pub(super) fn takes_namespace(&self, namespace: &str) -> bool {
        self.namespace.as_ref().is_none_or(|wanted| wanted == namespace)
    }

    /// The labels as PromQL matchers, in the form of kube-state-metrics; `None` if no labels are asked for.
    pub(super) fn matchers(&self) -> Option<String> {
        let shown = |key: &str| {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            format!("label_{}", key.chars().map(plain).collect::<String>())
        };
        let all: Vec<String> = self
            .labels
            .iter()
            .map(|(key, value)| format!("{}={}", shown(key), string_literal(value)))
            .collect();
        (!all.is_empty()).then(|| all.join(","))
    }

    fn takes(&self, object: &Node) -> bool {
        let labels = object.at(&["metadata", "labels"]);
        let has = |key: &str| labels.and_then(|labels| labels.text_of(key));
        self.takes_namespace(&Place::of(object).namespace)
            && self.labels.iter().all(|(key, value)| has(key).as_deref() == Some(value))
    }
}

#[cfg(test)]
mod tests;
