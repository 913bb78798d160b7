//! What KEDA knows of a ScaledObject when it asks: its triggers with their metadata, and its limits.

use std::collections::HashMap;

use anyhow::{Context, bail};

use super::AskArgs;
use crate::cli::files;
use crate::policy::is_from_env;
use crate::source::manifest::{DEFAULT_MAX_COUNT, ScaledObject, scaled_objects};
use crate::source::yaml::{Node, documents};

/// A ScaledObject that asks.
pub(super) struct Asking {
    pub namespace: String,
    pub name: String,
    /// Those of its triggers that use Forescale.
    pub triggers: Vec<Asker>,
    /// How many other triggers it has.
    pub others: usize,
    pub limits: Limits,
}

/// One trigger.
pub(super) struct Asker {
    /// Its place among all triggers, counted from 0.
    pub index: usize,
    pub metadata: HashMap<String, String>,
    /// Whether the HPA divides the value among the replicas, KEDA's default.
    pub is_average: bool,
}

/// What a ScaledObject says about replicas, with KEDA's defaults.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub min: u32,
    pub max: u32,
    /// What runs while nothing is active; `minReplicaCount` if not given.
    pub idle: Option<u32>,
    /// The replicas after a number of failed polls, if given.
    pub fallback: Option<(u32, u32)>,
}

/// The ScaledObject that the arguments choose.
pub(super) fn read(args: &AskArgs) -> anyhow::Result<Asking> {
    let mut nodes: Vec<Node> = Vec::new();
    for (name, text) in files::manifests(&args.file)? {
        nodes.extend(documents(&text).map_err(anyhow::Error::msg).context(name)?);
    }
    chosen(&scaled_objects(&nodes), args).with_context(|| args.file.display().to_string())
}

fn chosen(objects: &[ScaledObject<'_>], args: &AskArgs) -> anyhow::Result<Asking> {
    let fits = |object: &&ScaledObject<'_>| {
        args.name.as_ref().is_none_or(|wanted| *wanted == object.name) && object.ours().next().is_some()
    };
    let found: Vec<_> = objects.iter().filter(fits).collect();
    match found.as_slice() {
        [object] => asking(object, &args.namespace),
        [] => {
            let names: Vec<_> = objects.iter().map(|object| object.name.as_str()).collect();
            let held = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            bail!("expected a ScaledObject with a trigger that asks Forescale; its ScaledObjects: {held}")
        }
        several => {
            let names: Vec<_> = several.iter().map(|object| object.name.as_str()).collect();
            bail!("found {} ScaledObjects, choose one with --name: {}", names.len(), names.join(", "))
        }
    }
}

fn asking(object: &ScaledObject<'_>, namespace: &str) -> anyhow::Result<Asking> {
    let count = |node: Option<&Node>, key: &str| {
        let count = node.and_then(|node| node.count_of(key));
        count.map(|count| u32::try_from(count).with_context(|| format!("{key}: found {count}"))).transpose()
    };
    let spec = object.spec();
    let fallback = spec.and_then(|spec| spec.get("fallback"));
    let fallback = match (count(fallback, "failureThreshold")?, count(fallback, "replicas")?) {
        (Some(failures), Some(replicas)) => Some((failures, replicas)),
        _ => None,
    };
    let ours = object.ours().map(|trigger| Asker {
        index: trigger.index,
        metadata: sent(&trigger.metadata),
        is_average: trigger.node.text_of("metricType").is_none_or(|kind| kind == "AverageValue"),
    });
    let triggers: Vec<Asker> = ours.collect();
    Ok(Asking {
        namespace: object.namespace.clone().unwrap_or_else(|| namespace.to_owned()),
        name: object.name.clone(),
        others: object.triggers.len() - triggers.len(),
        triggers,
        limits: Limits {
            min: count(spec, "minReplicaCount")?.unwrap_or(0),
            max: count(spec, "maxReplicaCount")?.unwrap_or(DEFAULT_MAX_COUNT),
            idle: count(spec, "idleReplicaCount")?,
            fallback,
        },
    })
}

/// The metadata as KEDA sends it; without the values that it reads from the pods' environment.
fn sent(metadata: &HashMap<String, String>) -> HashMap<String, String> {
    metadata.iter().filter(|(key, _)| !is_from_env(key)).map(|(k, v)| (k.clone(), v.clone())).collect()
}
