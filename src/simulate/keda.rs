//! KEDA's part: reading triggers, counting failures, fallback, and scaling to and from zero.
//!
//! Follows KEDA 2.20 `scale_handler.go`, `scale_scaledobjects.go` and `fallback.go`. Both loops, the poll and the
//! HPA's request, count failures; only polls and pushes update the last active instant.

use super::hpa::{Scale, milli};
use super::{Fallback, FallbackBehavior, MetricType, Millis, ScalerResponse, TwinConfig};

/// KEDA's memory for one ScaledObject.
#[derive(Debug)]
pub(super) struct Keda {
    last_active: Option<Millis>,
    triggers: Vec<TriggerState>,
}

#[derive(Debug, Default)]
struct TriggerState {
    failures: u32,
    polled: Option<ScalerResponse>,
}

/// The combined result of the triggers at one poll.
#[derive(Debug, Default)]
pub(super) struct Poll {
    active: bool,
    error: bool,
}

/// The outcome of reading one trigger.
struct Outcome {
    value: Option<i64>,
    active: bool,
}

impl Poll {
    /// Whether a trigger could not be read and no fallback replaced it.
    pub(super) fn is_error(&self) -> bool {
        self.error
    }
}

impl Keda {
    pub(super) fn new(triggers: usize) -> Self {
        Keda { last_active: None, triggers: (0..triggers).map(|_| TriggerState::default()).collect() }
    }

    /// Adds the answers of one trigger to a poll.
    pub(super) fn poll(
        &mut self,
        poll: &mut Poll,
        config: &TwinConfig,
        trigger: usize,
        answer: ScalerResponse,
        scale: Scale,
    ) {
        if answer.target.is_none() {
            // Without a metric name nothing is read, and no failure is counted.
            poll.error = true;
            return;
        }
        if let Some(state) = self.triggers.get_mut(trigger) {
            state.polled = Some(answer);
        }
        let outcome = self.read(config, trigger, answer, scale);
        poll.active |= outcome.active;
        poll.error |= outcome.value.is_none();
    }

    /// The value that the HPA receives for one trigger, in thousandths.
    pub(super) fn metric(
        &mut self,
        config: &TwinConfig,
        trigger: usize,
        answer: ScalerResponse,
        scale: Scale,
    ) -> Option<i64> {
        let cached = config.triggers.get(trigger).is_some_and(|t| t.cached);
        let polled = self.triggers.get(trigger).and_then(|state| state.polled).filter(|_| cached);
        let answer = polled.map_or(answer, |polled| ScalerResponse { target: answer.target, ..polled });
        answer.target?;
        self.read(config, trigger, answer, scale).value
    }

    /// Reads one trigger: the value, or the fallback's replacement.
    fn read(&mut self, config: &TwinConfig, trigger: usize, answer: ScalerResponse, scale: Scale) -> Outcome {
        let failed = Outcome { value: None, active: false };
        let (Some(state), Some(kind)) = (self.triggers.get_mut(trigger), config.triggers.get(trigger)) else {
            return failed;
        };
        // A failing IsActive discards the value, and counts like a failed value.
        if let (Some(value), Some(active)) = (answer.value.and_then(milli), answer.active) {
            state.failures = 0;
            return Outcome { value: Some(value), active };
        }
        state.failures = state.failures.saturating_add(1);
        match config.fallback {
            Some(fallback) if state.failures > fallback.failure_threshold => {
                let value = answer.target.and_then(|target| fallback.value(kind.metric_type, target, scale));
                Outcome { value, active: value.is_some() }
            }
            _ => failed,
        }
    }

    /// The effect of a poll: the replicas to set, if KEDA itself sets them.
    pub(super) fn act(&mut self, config: &TwinConfig, now: Millis, poll: &Poll, current: u32) -> Option<u32> {
        if poll.active {
            return self.activate(config, now, current, poll.error);
        }
        if poll.error && config.fallback.is_none_or(|fallback| fallback.replicas != 0) {
            return None;
        }
        match config.idle_replicas {
            Some(idle) => (current > idle && self.cooled_down(config, now)).then_some(idle),
            None if config.min_replicas == 0 => (current > 0 && self.cooled_down(config, now)).then_some(0),
            None => (current < config.min_replicas).then_some(config.min_replicas),
        }
    }

    /// The effect of an active poll, or of `true` on a push stream.
    pub(super) fn activate(
        &mut self,
        config: &TwinConfig,
        now: Millis,
        current: u32,
        error: bool,
    ) -> Option<u32> {
        let rises = current == 0 || (config.idle_replicas.is_some() && current < config.min_replicas);
        // While another trigger fails, the last active instant of a running workload does not move.
        if rises || !error {
            self.last_active = Some(config.cut(now));
        }
        rises.then_some(config.min_replicas.max(1))
    }

    fn cooled_down(&self, config: &TwinConfig, now: Millis) -> bool {
        match self.last_active {
            Some(at) => at + config.cooldown < now,
            None => config.cut(Millis::ZERO) + config.initial_cooldown < now,
        }
    }
}

impl Fallback {
    /// The value that makes the HPA want the fallback's replicas, in thousandths; `None` if there is none.
    fn value(&self, metric_type: MetricType, target: f64, scale: Scale) -> Option<i64> {
        let given = i64::from(self.replicas);
        let replicas = match self.behavior {
            FallbackBehavior::Static => given,
            FallbackBehavior::CurrentReplicas => scale.spec,
            FallbackBehavior::CurrentReplicasIfHigher => scale.spec.max(given),
            FallbackBehavior::CurrentReplicasIfLower => scale.spec.min(given),
        };
        let value = target * replicas as f64;
        match metric_type {
            MetricType::AverageValue => milli(value),
            MetricType::Value if scale.ready == 0 => None,
            MetricType::Value => milli(value / scale.ready as f64),
        }
    }
}
