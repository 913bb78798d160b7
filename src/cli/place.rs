//! Where an object of Kubernetes is: its namespace and its name.

use std::fmt;

use anyhow::Context;

use crate::source::yaml::Node;

/// An object's namespace and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub namespace: String,
    pub name: String,
}

// === impl Place ===

impl Place {
    /// Parses NAMESPACE/NAME.
    pub(super) fn parse(workload: &str) -> anyhow::Result<Self> {
        let (namespace, name) =
            workload.split_once('/').context("found no '/', expected the workload as NAMESPACE/NAME")?;
        Ok(Place { namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// Of an object in a file; without a namespace it is applied to the default one.
    pub(super) fn of(node: &Node) -> Self {
        let text = |key: &str| node.get("metadata").and_then(|meta| meta.text_of(key));
        Place {
            namespace: text("namespace").unwrap_or_else(|| "default".to_owned()),
            name: text("name").unwrap_or_default(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
