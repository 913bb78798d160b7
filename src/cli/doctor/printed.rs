//! Workloads that ask Forescale as the cluster has them: what `kubectl get scaledobject,hpa -A -o yaml` prints, read.
//!
//! Read from files and never from a cluster, so that whoever may not reach Prometheus can judge what somebody
//! else printed. Of objects that are not ours nothing is read, and nothing is judged here.

mod read;

use std::fmt;
use std::path::PathBuf;

use anyhow::bail;

use crate::cli::files;
use crate::cli::place::Place;
use crate::source::manifest::{ScaledObject, of_kind, scaled_objects};
use crate::source::yaml::{Node, documents};
use crate::units::Time;
use read::Reader;

/// What prints it.
pub(super) const COMMAND: &str = "kubectl get scaledobject,hpa -A -o yaml";

/// A ScaledObject that asks Forescale, as the cluster has it.
pub(super) struct Scaled {
    pub place: Place,
    /// `minReplicaCount`.
    pub least: u32,
    /// `idleReplicaCount`.
    pub idle: Option<u32>,
    /// The names of our triggers' metrics, as KEDA counts their failures.
    pub triggers: Vec<String>,
    /// The names under which its HPA has to ask for them.
    pub metrics: Vec<String>,
    /// The annotation that pauses it.
    pub pause: Option<Pause>,
    /// After how many failures in a row KEDA answers by itself; `None` without a fallback.
    pub fallback_after: Option<u32>,
    /// How KEDA fares with its metrics.
    pub health: Vec<Health>,
    /// What KEDA says of it; `None` where KEDA has not looked at it.
    pub conditions: Option<Conditions>,
    pub hpa: HpaOf,
}

/// An annotation that pauses.
pub(super) struct Pause {
    pub annotation: String,
    pub value: String,
    /// Whether both directions stop; KEDA deletes the HPA then.
    pub is_whole: bool,
}

/// How KEDA fares with one metric.
pub(super) struct Health {
    pub metric: String,
    /// Failures in a row.
    pub failures: u32,
    pub is_failing: bool,
}

/// The HPA of a ScaledObject.
pub(super) enum HpaOf {
    /// No HPA at all was printed.
    NotPrinted,
    /// Others were printed and it was not; its name would be this.
    Missing(Place),
    Printed(Hpa),
}

/// A HorizontalPodAutoscaler.
pub(super) struct Hpa {
    pub place: Place,
    /// `minReplicas` and `maxReplicas`.
    pub least: u32,
    pub most: u32,
    /// `spec.metrics`.
    pub asked: Vec<Asked>,
    /// The external metrics of `status.currentMetrics`: those that have a value.
    pub valued: Vec<String>,
    /// What the target was set to, and what it should be set to.
    pub current: u32,
    pub desired: u32,
    /// When it last scaled, or else was made.
    pub since: Option<Time>,
    pub conditions: Conditions,
}

/// A metric that an HPA asks for.
#[derive(PartialEq, Eq)]
pub(super) enum Asked {
    /// An external one, by its name.
    External(String),
    /// CPU, memory, or of objects and pods.
    Other,
}

/// The conditions of an object, by their types.
pub(super) struct Conditions(Vec<(String, Condition)>);

/// One condition.
pub(super) struct Condition {
    pub truth: Truth,
    pub reason: String,
    pub message: String,
    /// Since when it is so; KEDA does not tell.
    pub since: Option<Time>,
}

/// What a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    Unknown,
}

/// A file with its documents.
struct Source {
    name: String,
    documents: Vec<Node>,
}

/// The workloads that ask Forescale, in the order in which they are printed; all, or the one that is wanted. None
/// where nothing is to be read.
pub(super) fn read(paths: &[PathBuf], wanted: Option<&Place>) -> anyhow::Result<Vec<Scaled>> {
    let mut sources = Vec::new();
    for path in paths {
        for (name, text) in files::manifests(path)? {
            match documents(&text) {
                Ok(documents) => sources.push(Source { name, documents }),
                Err(fault) => bail!("{name}: {fault}; expected what `{COMMAND}` prints"),
            }
        }
    }
    if paths.is_empty() { Ok(Vec::new()) } else { of(&sources, wanted) }
}

fn of(sources: &[Source], wanted: Option<&Place>) -> anyhow::Result<Vec<Scaled>> {
    let all: Vec<(&str, ScaledObject<'_>)> = sources
        .iter()
        .flat_map(|source| {
            scaled_objects(&source.documents).into_iter().map(|object| (&*source.name, object))
        })
        .collect();
    let ours: Vec<_> = all.iter().filter(|(_, object)| object.ours().next().is_some()).collect();
    if ours.is_empty() {
        bail!("{}", none_of_ours(sources, all.len()));
    }
    let is_wanted = |object: &ScaledObject<'_>| wanted.is_none_or(|wanted| Place::of(object.node) == *wanted);
    let hpas: Vec<(&str, &Node)> = sources
        .iter()
        .flat_map(|source| {
            let hpas = of_kind(&source.documents, "HorizontalPodAutoscaler");
            hpas.into_iter().map(|hpa| (&*source.name, hpa))
        })
        .collect();
    let mut faults = Vec::new();
    let chosen = ours.iter().filter(|(_, object)| is_wanted(object));
    let scaled: Vec<Scaled> =
        chosen.filter_map(|(file, object)| Reader::new(file, &mut faults).scaled(object, &hpas)).collect();
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    if let (true, Some(wanted)) = (scaled.is_empty(), wanted) {
        let held: Vec<String> = ours.iter().map(|(_, object)| Place::of(object.node).to_string()).collect();
        bail!(
            "--manifests: found no {wanted}, expected one of the ScaledObjects that ask Forescale: {}",
            held.join(", ")
        );
    }
    Ok(scaled)
}

/// What stands there in place of a ScaledObject of ours.
fn none_of_ours(sources: &[Source], objects: usize) -> String {
    let files: Vec<&str> = sources.iter().map(|source| &*source.name).collect();
    let files = if files.is_empty() { "--manifests".to_owned() } else { files.join(", ") };
    let found = match objects {
        0 => kinds(sources),
        1 => "1 ScaledObject, and it has no trigger that asks Forescale".to_owned(),
        several => format!("{several} ScaledObjects, and none has a trigger that asks Forescale"),
    };
    format!(
        "{files}: found {found}; expected what `{COMMAND}` prints, with a trigger of type external or external-push \
         whose scalerAddress names forescale"
    )
}

fn kinds(sources: &[Source]) -> String {
    let documents = || sources.iter().flat_map(|source| &source.documents);
    let items = documents().flat_map(|document| document.get("items").map_or(&[][..], Node::items));
    let mut kinds: Vec<String> = documents().chain(items).filter_map(|node| node.text_of("kind")).collect();
    kinds.sort();
    kinds.dedup();
    match (documents().next(), kinds.as_slice()) {
        (None, _) => "nothing".to_owned(),
        (Some(_), []) => "no Kubernetes object".to_owned(),
        (Some(_), kinds) => format!("{} and no ScaledObject", kinds.join(", ")),
    }
}

// === impl Conditions ===

impl Conditions {
    pub(super) fn get(&self, kind: &str) -> Option<&Condition> {
        self.0.iter().find(|(found, _)| found == kind).map(|(_, condition)| condition)
    }

    pub(super) fn is_true(&self, kind: &str) -> bool {
        self.get(kind).is_some_and(|condition| condition.truth == Truth::True)
    }
}

// === impl Condition ===

impl Condition {
    /// Its reason and message, as far as there are any.
    pub(super) fn told(&self) -> String {
        let message = self.message.split_whitespace().collect::<Vec<_>>().join(" ");
        match (self.reason.as_str(), message.as_str()) {
            ("", "") => "no reason is given".to_owned(),
            (reason, "") => reason.to_owned(),
            ("", message) => message.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }
}

// === impl Truth ===

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Truth::True => "True",
            Truth::False => "False",
            Truth::Unknown => "Unknown",
        })
    }
}
