//! Which workloads there are, what scales them, and where their load can be read: from manifests.
//!
//! Reads what `kubectl get scaledobjects,hpa,deployments,statefulsets -A -o yaml` prints, and files kept in Git. A
//! workload whose load cannot be read stays in the list with what is missing. Nothing is asked of a server here.

mod scaler;

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::source::manifest::{of_kind, scaled_objects};
use crate::source::yaml::{Node, documents};

/// A workload that something scales.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub namespace: String,
    /// The name of the ScaledObject or HPA.
    pub name: String,
    pub target: TargetRef,
    pub min: u32,
    pub max: u32,
    /// How its load is read, or what is missing.
    pub load: Result<LoadQuery, String>,
}

/// What is scaled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TargetRef {
    pub kind: String,
    pub name: String,
}

/// How a load is read, and what one replica of it may carry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LoadQuery {
    pub query: String,
    pub threshold: f64,
    /// Where the threshold comes from, in words.
    pub threshold_source: String,
    /// The keys of our own trigger, where it is one.
    pub keys: HashMap<String, String>,
}

/// Which of the workloads are looked at.
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
        for (name, text) in texts(path)? {
            all.extend(documents(&text).map_err(anyhow::Error::msg).with_context(|| name)?);
        }
    }
    let found = candidates(&all, chosen);
    if found.is_empty() {
        let kinds = all.iter().filter_map(|d| d.text_of("kind")).take(5).collect::<Vec<_>>().join(", ");
        let held = if kinds.is_empty() { "no Kubernetes objects".to_owned() } else { kinds };
        bail!(
            "--manifests: found {held}, expected ScaledObjects or HorizontalPodAutoscalers that were chosen"
        );
    }
    Ok(found)
}

fn texts(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).context("standard input")?;
        return Ok(vec![("standard input".to_owned(), text)]);
    }
    if !path.is_dir() {
        return Ok(vec![(path.display().to_string(), crate::cli::files::text(path)?)]);
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
        .with_context(|| format!("cannot read {}", path.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        let is_yaml = entry.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
        if entry.is_dir() || is_yaml {
            found.extend(texts(&entry)?);
        }
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
        found.insert((candidate.namespace.clone(), candidate.target.name.clone()), candidate);
    }
    for hpa in of_kind(documents, "HorizontalPodAutoscaler") {
        if !chosen.takes(hpa) || is_kedas(hpa) {
            continue;
        }
        let candidate = scaler::of_hpa(hpa, &requests);
        // A ScaledObject of the same target says more.
        found.entry((candidate.namespace.clone(), candidate.target.name.clone())).or_insert(candidate);
    }
    found.into_values().collect()
}

/// Whether KEDA made this HPA for a ScaledObject.
fn is_kedas(hpa: &Node) -> bool {
    let owners = hpa.at(&["metadata", "ownerReferences"]).map_or(&[][..], Node::items);
    owners.iter().any(|owner| owner.text_of("kind").as_deref() == Some("ScaledObject"))
}

/// CPU requests of one pod, in cores, by namespace, kind and name.
pub(super) type Requests = HashMap<(String, String, String), f64>;

fn requests(documents: &[Node]) -> Requests {
    let mut found = Requests::new();
    for kind in ["Deployment", "StatefulSet", "Rollout"] {
        for object in of_kind(documents, kind) {
            let containers =
                object.at(&["spec", "template", "spec", "containers"]).map_or(&[][..], Node::items);
            let cores = containers.iter().map(|container| {
                container.at(&["resources", "requests", "cpu"]).and_then(Node::text).and_then(|q| cores(&q))
            });
            // A container without a request makes the utilization unknown, as it does for the HPA.
            if let Some(sum) = cores.sum::<Option<f64>>().filter(|sum| *sum > 0.0) {
                found.insert((namespace_of(object), kind.to_owned(), name_of(object)), sum);
            }
        }
    }
    found
}

/// A quantity of CPU in cores: `2`, `0.5`, `250m`.
fn cores(text: &str) -> Option<f64> {
    let text = text.trim();
    let value = match text.strip_suffix('m') {
        Some(milli) => milli.parse::<f64>().ok()? / 1_000.0,
        None => text.parse::<f64>().ok()?,
    };
    (value.is_finite() && value >= 0.0).then_some(value)
}

fn namespace_of(object: &Node) -> String {
    let text = object.get("metadata").and_then(|meta| meta.text_of("namespace"));
    text.unwrap_or_else(|| "default".to_owned())
}

fn name_of(object: &Node) -> String {
    object.get("metadata").and_then(|meta| meta.text_of("name")).unwrap_or_default()
}

// === impl Chosen ===

impl Chosen {
    /// Reads a selector of labels: `app=web,tier=front`.
    pub(super) fn parse_labels(text: &str) -> Result<BTreeMap<String, String>, String> {
        let pair = |part: &str| {
            let (key, value) = part.split_once('=').filter(|(key, _)| !key.trim().is_empty())?;
            Some((key.trim().to_owned(), value.trim_start_matches('=').trim().to_owned()))
        };
        let fault = || format!("found '{text}', expected labels such as app=web,tier=front");
        text.split(',').map(|part| pair(part).ok_or_else(fault)).collect()
    }

    fn takes(&self, object: &Node) -> bool {
        let labels = object.at(&["metadata", "labels"]);
        let has = |key: &str| labels.and_then(|labels| labels.text_of(key));
        self.namespace.as_ref().is_none_or(|wanted| *wanted == namespace_of(object))
            && self.labels.iter().all(|(key, value)| has(key).as_deref() == Some(value))
    }
}

#[cfg(test)]
mod tests;
