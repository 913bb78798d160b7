//! Which trigger of which ScaledObject a policy belongs to: the one name that every edge uses.

use std::fmt;

/// What KEDA means by one trigger of one ScaledObject.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadId {
    /// Namespace of the ScaledObject.
    pub namespace: String,
    /// Name of the ScaledObject.
    pub name: String,
    /// Name of the metric, without KEDA's `s0-` prefix.
    pub metric: String,
}

// === impl WorkloadId ===

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.name, self.metric)
    }
}
