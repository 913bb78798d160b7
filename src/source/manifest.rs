//! ScaledObjects in files: which triggers are Forescale's, and their metadata as KEDA sends it.
//!
//! Used by the commands that read files; the server never reads a manifest. Nothing here judges what it finds.

use std::collections::HashMap;

use super::yaml::{Content, Node};
use crate::policy::KNOWN_KEYS;

/// One ScaledObject of a file.
#[derive(Debug, Clone)]
pub struct ScaledObject<'a> {
    /// The whole document.
    pub node: &'a Node,
    /// Its namespace, if the file gives it.
    pub namespace: Option<String>,
    /// Its name; empty if the file gives none.
    pub name: String,
    /// Its triggers, in order.
    pub triggers: Vec<Trigger<'a>>,
}

/// One trigger.
#[derive(Debug, Clone)]
pub struct Trigger<'a> {
    /// Its index in the list, from 0.
    pub index: usize,
    /// The trigger.
    pub node: &'a Node,
    /// `type`.
    pub kind: String,
    /// Its metadata as the scaler receives it: all values are texts.
    pub metadata: HashMap<String, String>,
}

/// KEDA's `maxReplicaCount` where a ScaledObject sets none.
pub const DEFAULT_MAX_COUNT: u32 = 100;

/// The ScaledObjects among documents, including those inside a `kind: List`.
pub fn scaled_objects(documents: &[Node]) -> Vec<ScaledObject<'_>> {
    of_kind(documents, "ScaledObject").into_iter().map(ScaledObject::of).collect()
}

/// The objects of that kind among documents, including those inside a `kind: List`.
pub fn of_kind<'a>(documents: &'a [Node], kind: &str) -> Vec<&'a Node> {
    let is = |node: &Node, kind: &str| node.text_of("kind").as_deref() == Some(kind);
    let listed = documents.iter().filter(|d| is(d, "List")).filter_map(|d| d.get("items"));
    let all = documents.iter().chain(listed.flat_map(|list| list.items()));
    all.filter(|d| is(d, kind)).collect()
}

// === impl ScaledObject ===

impl<'a> ScaledObject<'a> {
    fn of(node: &'a Node) -> Self {
        let meta = node.get("metadata");
        let triggers = node.at(&["spec", "triggers"]).map_or(&[][..], Node::items);
        ScaledObject {
            node,
            namespace: meta.and_then(|m| m.text_of("namespace")),
            name: meta.and_then(|m| m.text_of("name")).unwrap_or_default(),
            triggers: triggers.iter().enumerate().map(|(i, t)| Trigger::of(i, t)).collect(),
        }
    }

    /// Its `spec`.
    pub fn spec(&self) -> Option<&'a Node> {
        self.node.get("spec")
    }

    /// The triggers that use Forescale.
    pub fn ours(&self) -> impl Iterator<Item = &Trigger<'a>> {
        self.triggers.iter().filter(|trigger| trigger.is_ours())
    }
}

// === impl Trigger ===

impl<'a> Trigger<'a> {
    fn of(index: usize, node: &'a Node) -> Self {
        let entries = node.get("metadata").map_or(&[][..], Node::entries);
        let text = |node: &Node| match &node.content {
            // A YAML collection where a text is expected; other checks report what KEDA would refuse.
            Content::Null | Content::List(_) | Content::Map(_) => String::new(),
            _ => node.text().unwrap_or_default(),
        };
        Trigger {
            index,
            node,
            kind: node.text_of("type").unwrap_or_default(),
            metadata: entries.iter().map(|e| (e.key.clone(), text(&e.value))).collect(),
        }
    }

    /// The metadata, if there is any.
    pub fn metadata_node(&self) -> Option<&'a Node> {
        self.node.get("metadata")
    }

    /// Whether its type is an external scaler.
    pub fn is_external(&self) -> bool {
        matches!(self.kind.as_str(), "external" | "external-push")
    }

    /// Whether it uses Forescale: an external scaler whose address says so, or with keys that only Forescale has.
    pub fn is_ours(&self) -> bool {
        /// Keys that other external scalers use too.
        const COMMON: [&str; 12] = [
            "query",
            "threshold",
            "activationThreshold",
            "metricName",
            "serverAddress",
            "start",
            "end",
            "timezone",
            "mode",
            "signal",
            "policy",
            "desiredReplicas",
        ];
        let named = self.metadata.get("scalerAddress").is_some_and(|a| a.contains("forescale"))
            || self.metadata.get("metricName").is_some_and(|m| m.contains("forescale"));
        let distinct = |key: &String| KNOWN_KEYS.contains(&key.as_str()) && !COMMON.contains(&key.as_str());
        let address = self.metadata.contains_key("scalerAddress");
        self.is_external()
            && (named
                || self.metadata.keys().any(distinct)
                || !address && self.metadata.keys().any(|key| KNOWN_KEYS.contains(&key.as_str())))
    }
}
