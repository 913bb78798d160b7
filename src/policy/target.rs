//! What a ScaledObject scales: its kind and, where it differs from the ScaledObject's, its name.

/// The kinds of workloads whose pods can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// A Deployment of Kubernetes.
    Deployment,
    /// A StatefulSet of Kubernetes.
    StatefulSet,
    /// A Rollout of Argo.
    Rollout,
}

/// What is scaled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Its kind; unless given, whichever has the name.
    pub kind: Option<TargetKind>,
    /// Its name; that of the ScaledObject unless given.
    pub name: Option<String>,
}

// === impl Target ===

impl Target {
    /// Its name, where the ScaledObject has this one.
    pub fn name_under<'a>(&'a self, object: &'a str) -> &'a str {
        self.name.as_deref().unwrap_or(object)
    }
}

// === impl TargetKind ===

impl TargetKind {
    /// All of them.
    pub const ALL: [TargetKind; 3] = [TargetKind::Deployment, TargetKind::StatefulSet, TargetKind::Rollout];

    /// The name that Kubernetes knows it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            TargetKind::Deployment => "Deployment",
            TargetKind::StatefulSet => "StatefulSet",
            TargetKind::Rollout => "Rollout",
        }
    }

    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
