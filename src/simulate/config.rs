//! The fixed input of a simulation: the ScaledObject, the HPA's settings, how fast pods start.
//!
//! The defaults are those of KEDA 2.20 and Kubernetes 1.36. A configuration that the cluster would refuse is refused
//! here too; nothing is corrected silently.

use super::Millis;
use super::behavior::{Behavior, Rules};
use crate::policy;
use crate::units::Replicas;

/// A ScaledObject, the cluster's settings and the state at the start.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinConfig {
    /// `minReplicaCount`; 0 permits zero.
    pub min_replicas: u32,
    /// `maxReplicaCount`.
    pub max_replicas: u32,
    /// `idleReplicaCount`: replicas while no trigger is active.
    pub idle_replicas: Option<u32>,
    /// `pollingInterval`: how often KEDA asks whether to be at zero.
    pub polling_interval: Millis,
    /// `cooldownPeriod`: from the last active poll to zero.
    pub cooldown: Millis,
    /// `initialCooldownPeriod`: from the creation to zero, if no poll was active yet.
    pub initial_cooldown: Millis,
    /// `fallback`.
    pub fallback: Option<Fallback>,
    /// `horizontalPodAutoscalerConfig.behavior`; `None` differs from an empty one.
    pub behavior: Option<Behavior>,
    /// The triggers, at least one.
    pub triggers: Vec<Trigger>,
    /// Spans in which the ScaledObject is paused, ascending.
    pub pauses: Vec<Pause>,
    /// Pods that are lost, by instant, ascending.
    pub losses: Vec<Loss>,
    /// Settings of the HPA controller.
    pub hpa: HpaSettings,
    /// How fast pods start.
    pub pods: PodTiming,
    /// The Deployment's replicas at the start, all ready.
    pub initial_replicas: u32,
    /// The wall clock at the creation, in milliseconds since the epoch. Only its fraction of a second matters: the
    /// API server keeps `lastActiveTime` and `creationTimestamp` in whole seconds.
    pub created_at: Millis,
    /// Seed of the pods' start times.
    pub seed: u64,
}

/// One trigger of the ScaledObject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trigger {
    /// How the HPA reads the value.
    pub metric_type: MetricType,
    /// Whether its type is `external-push`: activations arrive between polls.
    pub push: bool,
    /// `useCachedMetrics`: the HPA reads what the last poll read.
    pub cached: bool,
}

/// `metricType` of a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetricType {
    /// The value is shared by all replicas: `ceil(value / target)`.
    #[default]
    AverageValue,
    /// The value is compared with the target: `ceil(value / target · ready)`.
    Value,
}

/// What the HPA receives while a scaler fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// More consecutive failures than this activate the fallback.
    pub failure_threshold: u32,
    /// The replicas it asks for.
    pub replicas: u32,
    /// How they are combined with the current ones.
    pub behavior: FallbackBehavior,
}

/// `fallback.behavior`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FallbackBehavior {
    /// The given replicas.
    #[default]
    Static,
    /// The current replicas.
    CurrentReplicas,
    /// The larger of both.
    CurrentReplicasIfHigher,
    /// The smaller of both.
    CurrentReplicasIfLower,
}

/// A span in which KEDA neither polls nor keeps an HPA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Its start.
    pub from: Millis,
    /// Its end.
    pub until: Millis,
    /// `paused-replicas`: replicas set at its start.
    pub replicas: Option<u32>,
}

/// Ready pods lost at once, as by the loss of a zone or of spot nodes. Their ReplicaSet creates new ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// When.
    pub at: Millis,
    /// The share of the ready pods, from 0 to 1; fractions of a pod are rounded up.
    pub share: f64,
}

/// Flags and measured timing of the HPA controller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HpaSettings {
    /// From the creation of the ScaledObject to the first sync.
    pub first_sync: Millis,
    /// From one sync to the next.
    pub sync_period: Millis,
    /// `--horizontal-pod-autoscaler-tolerance`, a share.
    pub tolerance: f64,
    /// `--horizontal-pod-autoscaler-downscale-stabilization`.
    pub downscale_stabilization: Millis,
}

/// How long pods take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PodTiming {
    /// From a change of `spec.replicas` until the pods exist, or are gone.
    pub creation: Millis,
    /// From creation to Ready: the median.
    pub ready: Millis,
    /// Spread of that time: the standard deviation of its logarithm; 0 makes it constant.
    pub spread: f64,
    /// Extra time for pods started from zero (images, caches, connections).
    pub from_zero: Millis,
    /// How many pods that are not yet ready fit on the current nodes; further pods wait for a node.
    pub spare: u32,
    /// How long a new node takes.
    pub node: Millis,
}

/// A configuration that the cluster would refuse.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No trigger.
    #[error("no triggers, expected at least one")]
    NoTriggers,
    /// Limits that contradict each other.
    #[error(
        "found {min} to {max} replicas, expected a minimum up to the maximum and a maximum of 1 to 1000000"
    )]
    Limits {
        /// `minReplicaCount`.
        min: u32,
        /// `maxReplicaCount`.
        max: u32,
    },
    /// Idle replicas that are no fewer than the minimum.
    #[error("found {idle} idle replicas, expected fewer than the minimum of {min}")]
    Idle {
        /// `idleReplicaCount`.
        idle: u32,
        /// `minReplicaCount`.
        min: u32,
    },
    /// More replicas at the start, or in a pause, than the cluster accepts.
    #[error("found {0} replicas, expected at most 1000000")]
    TooMany(u32),
    /// A length of time outside what the controllers accept.
    #[error("found {found} for {what}, expected {expected}")]
    Length {
        /// Which one.
        what: &'static str,
        /// What was given.
        found: Millis,
        /// What is allowed, in words.
        expected: &'static str,
    },
    /// A loss that is not a share of the pods.
    #[error("found a loss of {0} of the pods, expected a share from 0 to 1")]
    Loss(f64),
    /// A value that is not a share.
    #[error("found a tolerance of {0}, expected a number of at least 0")]
    Tolerance(f64),
}

// === impl TwinConfig ===

impl Default for TwinConfig {
    fn default() -> Self {
        TwinConfig {
            min_replicas: 1,
            max_replicas: 100,
            idle_replicas: None,
            polling_interval: Millis(30_000),
            cooldown: Millis(300_000),
            initial_cooldown: Millis::ZERO,
            fallback: None,
            behavior: None,
            triggers: vec![Trigger::default()],
            pauses: Vec::new(),
            losses: Vec::new(),
            hpa: HpaSettings::default(),
            pods: PodTiming::default(),
            initial_replicas: 1,
            created_at: Millis::ZERO,
            seed: 0,
        }
    }
}

impl TwinConfig {
    /// The cluster for a workload with this policy: its limits and tolerance, and pods that take its lead time and
    /// count once they have warmed up.
    pub fn of(policy: &policy::Policy) -> Self {
        TwinConfig {
            min_replicas: policy.limits.min.get(),
            max_replicas: policy.limits.max.get(),
            hpa: HpaSettings { tolerance: policy.tolerance, ..HpaSettings::default() },
            pods: PodTiming { ready: Millis::from(policy.lead()), ..PodTiming::default() },
            ..TwinConfig::default()
        }
    }

    /// Refuses what the API server or KEDA's webhook would refuse.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let (min, max) = (self.min_replicas, self.max_replicas);
        if self.triggers.is_empty() {
            return Err(ConfigError::NoTriggers);
        }
        let most = Replicas::MAX.get();
        if min > max || max == 0 || max > most {
            return Err(ConfigError::Limits { min, max });
        }
        let set = self.pauses.iter().filter_map(|pause| pause.replicas).chain([self.initial_replicas]);
        if let Some(found) = set.max().filter(|&replicas| replicas > most) {
            return Err(ConfigError::TooMany(found));
        }
        if let Some(idle) = self.idle_replicas.filter(|&idle| idle >= min) {
            return Err(ConfigError::Idle { idle, min });
        }
        // A period of zero would keep the simulation at one instant forever.
        let periods = [("pollingInterval", self.polling_interval), ("sync period", self.hpa.sync_period)];
        for (what, found) in periods {
            if !(Millis(1_000)..=Millis::NEVER).contains(&found) {
                return Err(ConfigError::Length { what, found, expected: "at least one second" });
            }
        }
        let lengths = [
            ("cooldownPeriod", self.cooldown),
            ("initialCooldownPeriod", self.initial_cooldown),
            ("first sync", self.hpa.first_sync),
            ("pod creation", self.pods.creation),
            ("pod readiness", self.pods.ready),
            ("pod readiness from zero", self.pods.from_zero),
            ("node provisioning", self.pods.node),
            ("creation", self.created_at),
        ];
        for (what, found) in lengths {
            if !(Millis::ZERO..=Millis::NEVER).contains(&found) {
                return Err(ConfigError::Length { what, found, expected: "no negative time" });
            }
        }
        let behavior = self.behavior.iter().flat_map(|b| [b.scale_up.tolerance, b.scale_down.tolerance]);
        if let Some(loss) = self.losses.iter().find(|loss| !(0.0..=1.0).contains(&loss.share)) {
            return Err(ConfigError::Loss(loss.share));
        }
        match behavior.flatten().chain([self.hpa.tolerance]).find(|&t| t.is_nan() || t < 0.0) {
            Some(tolerance) => Err(ConfigError::Tolerance(tolerance)),
            None => Ok(()),
        }
    }

    /// The shares by which a metric may lie above and below its target without effect: those of `behavior`, otherwise
    /// the controller's.
    pub fn tolerances(&self) -> (f64, f64) {
        let of =
            |rules: fn(&Behavior) -> &Rules| self.behavior.as_ref().and_then(|given| rules(given).tolerance);
        let (up, down) = (of(|given| &given.scale_up), of(|given| &given.scale_down));
        (up.unwrap_or(self.hpa.tolerance), down.unwrap_or(self.hpa.tolerance))
    }

    /// An instant as the API server keeps it: truncated to a whole second of the wall clock.
    pub(super) fn cut(&self, at: Millis) -> Millis {
        Millis(at.0 - (at.0 + self.created_at.0).rem_euclid(1_000))
    }
}

// === impl HpaSettings ===

impl Default for HpaSettings {
    fn default() -> Self {
        HpaSettings {
            // Measured: the HPA object appears after 0.04 s and is first synced one whole period later.
            first_sync: Millis(15_050),
            // 15 s plus the sync's own duration, measured. With exactly 15 s every window of the HPA would end on
            // equality, and rounding would decide.
            sync_period: Millis(15_015),
            tolerance: 0.1,
            downscale_stabilization: Millis(300_000),
        }
    }
}

// === impl PodTiming ===

impl Default for PodTiming {
    fn default() -> Self {
        PodTiming {
            // Measured median from spec.replicas to status.replicas.
            creation: Millis(50),
            ready: Millis::ZERO,
            spread: 0.0,
            from_zero: Millis::ZERO,
            spare: u32::MAX,
            node: Millis::ZERO,
        }
    }
}
