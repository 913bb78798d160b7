//! The `behavior` of an HPA as written, before the API server fills in defaults.

use super::Millis;

/// The `behavior` of an HPA: rules for both directions; the API server fills in what is left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Behavior {
    /// Rules for more replicas.
    pub scale_up: Rules,
    /// Rules for fewer replicas.
    pub scale_down: Rules,
}

/// Rules for one direction, as written; `None` means left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rules {
    /// `stabilizationWindowSeconds`.
    pub stabilization: Option<Millis>,
    /// `selectPolicy`.
    pub select: Option<Select>,
    /// `policies`.
    pub policies: Option<Vec<Policy>>,
    /// `tolerance`, a share.
    pub tolerance: Option<f64>,
}

/// Which of several policies applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Select {
    /// The one that permits the largest change.
    #[default]
    Max,
    /// The one that permits the smallest change.
    Min,
    /// None: no change in this direction.
    Disabled,
}

/// The largest change within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How much.
    pub amount: Amount,
    /// `periodSeconds`.
    pub period: Millis,
}

/// The unit of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// Pods.
    Pods(u32),
    /// Percent of the replicas at the start of the period.
    Percent(u32),
}
