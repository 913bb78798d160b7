//! What a ScaledObject scales: its kind and, where it differs from the ScaledObject's, its name.

/// The kinds of workloads whose pods can be identified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// A Deployment of Kubernetes.
    Deployment,
    /// A StatefulSet of Kubernetes.
    StatefulSet,
    /// A Rollout of Argo.
    Rollout,
}

/// The object that is scaled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Its kind; if not given, that of whatever object has the name.
    pub kind: Option<TargetKind>,
    /// Its name; if not given, that of the ScaledObject.
    pub name: Option<String>,
}

// === impl Target ===

impl Target {
    /// Its name, if the ScaledObject has the name `object`.
    pub fn name_under<'a>(&'a self, object: &'a str) -> &'a str {
        self.name.as_deref().unwrap_or(object)
    }
}

// === impl TargetKind ===

impl TargetKind {
    /// All of them.
    pub const ALL: [TargetKind; 3] = [TargetKind::Deployment, TargetKind::StatefulSet, TargetKind::Rollout];

    /// Its name in Kubernetes.
    pub const fn as_str(self) -> &'static str {
        match self {
            TargetKind::Deployment => "Deployment",
            TargetKind::StatefulSet => "StatefulSet",
            TargetKind::Rollout => "Rollout",
        }
    }

    /// The kind with that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
