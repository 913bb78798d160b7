//! The controllers together: which of them acts next, and what follows.
//!
//! Time jumps from one event to the next (creation, poll, push, HPA sync, pause), so a run costs only its events. Two
//! events at the same instant have a fixed order: KEDA before the HPA.

use super::hpa::{Hpa, Reading, Scale, milli};
use super::keda::{Keda, Poll};
use super::pods::Pods;
use super::{ConfigError, Millis, Scaler, ScalerResponse, TwinConfig, View};

/// KEDA, the HPA and the pods of one workload at an instant.
#[derive(Debug)]
pub struct Twin {
    config: TwinConfig,
    now: Millis,
    replicas: u32,
    log: Vec<Change>,
    pods: Pods,
    keda: Keda,
    was_error: bool,
    /// How many losses have happened.
    lost: usize,
    next: Schedule,
    hpa: Option<Hpa>,
    /// Targets by trigger in thousandths, as the HPA object has them; `None` if it lacks the metric.
    targets: Vec<Option<i64>>,
    /// Of the sync under way; kept for their room.
    answers: Vec<ScalerResponse>,
}

/// A number of replicas from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The instant.
    pub at: Millis,
    /// The replicas from then on.
    pub replicas: u32,
}

/// When each loop acts next; [`Millis::NEVER`] while it does not run.
#[derive(Debug)]
struct Schedule {
    pause: usize,
    reconcile: Millis,
    attempt: u32,
    poll: Millis,
    push: (Millis, usize),
    sync: Millis,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Pause,
    Loss,
    Reconcile,
    Poll,
    Push,
    Sync,
}

/// From the creation to KEDA's first reconcile, measured.
const RECONCILE_DELAY: Millis = Millis(25);
/// From the creation to the first poll, measured (median 0.06 s, earliest 0.04 s).
const FIRST_POLL: Millis = Millis(50);
/// The first wait of the reconcile queue after a failure; each further one doubles it (client-go).
const BACKOFF_BASE: i64 = 5;
/// The longest wait of the reconcile queue (client-go).
const BACKOFF_LIMIT: i64 = 1_000_000;
/// The duration of a failing reconcile, measured.
const FAILED_RECONCILE: Millis = Millis(20);
/// The time that each trigger after the first adds to an HPA sync, and so to its period, measured.
const FURTHER_TRIGGER: i64 = 15;

impl Twin {
    /// The workload at the creation of its ScaledObject.
    pub fn new(config: TwinConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let initial = config.initial_replicas;
        Ok(Twin {
            now: Millis::ZERO,
            replicas: initial,
            log: vec![Change { at: Millis::ZERO, replicas: initial }],
            pods: Pods::new(config.pods, config.seed, initial),
            keda: Keda::new(config.triggers.len()),
            was_error: false,
            lost: 0,
            next: Schedule::created(Millis::ZERO),
            hpa: None,
            targets: vec![None; config.triggers.len()],
            answers: Vec::new(),
            config,
        })
    }

    /// Lets the controllers act until `until`, which is included.
    pub fn advance(&mut self, scaler: &mut dyn Scaler, until: Millis) {
        loop {
            let (at, event) = self.upcoming();
            if at > until || at >= Millis::NEVER {
                break;
            }
            self.now = self.now.max(at);
            self.pods.advance(self.now);
            match event {
                Event::Pause => self.pause_edge(),
                Event::Loss => self.lose(),
                Event::Reconcile => self.reconcile(scaler),
                Event::Poll => self.poll(scaler),
                Event::Push => self.push(scaler),
                Event::Sync => self.sync(scaler),
            }
        }
        self.now = self.now.max(until);
        self.pods.advance(self.now);
    }

    /// Every change of `spec.replicas`, starting with the initial state.
    pub fn desired(&self) -> &[Change] {
        &self.log
    }

    /// Every change of the number of ready pods, starting with the initial state.
    pub fn ready(&self) -> &[Change] {
        self.pods.log()
    }

    /// The workload now.
    pub fn view(&self) -> View {
        View { at: self.now, desired: self.replicas, ready: self.pods.ready() }
    }

    /// Forgets all changes except the last, for a twin that never ends.
    pub(super) fn forget_changes(&mut self) {
        self.log.drain(..self.log.len().saturating_sub(1));
        self.pods.forget_changes();
    }

    fn upcoming(&self) -> (Millis, Event) {
        let next = &self.next;
        let pause = self.config.pauses.get(next.pause / 2);
        let edge =
            pause.map_or(Millis::NEVER, |p| if next.pause.is_multiple_of(2) { p.from } else { p.until });
        let mut first = (edge, Event::Pause);
        let loss = self.config.losses.get(self.lost).map_or(Millis::NEVER, |loss| loss.at);
        for (at, event) in [
            (loss, Event::Loss),
            (next.reconcile, Event::Reconcile),
            (next.push.0, Event::Push),
            (next.poll, Event::Poll),
            (next.sync, Event::Sync),
        ] {
            if at < first.0 {
                first = (at, event);
            }
        }
        first
    }

    fn scale(&self) -> Scale {
        Scale {
            spec: i64::from(self.replicas),
            status: i64::from(self.pods.existing()),
            ready: i64::from(self.pods.ready()),
        }
    }

    fn set(&mut self, replicas: Option<u32>) {
        if let Some(replicas) = replicas.filter(|&r| r != self.replicas) {
            self.replicas = replicas;
            self.log.push(Change { at: self.now, replicas });
            self.pods.order(self.now, replicas);
        }
    }

    fn lose(&mut self) {
        if let Some(loss) = self.config.losses.get(self.lost) {
            self.pods.lose(self.now, loss.share);
        }
        self.lost += 1;
    }

    /// The start of a pause ends both loops and deletes the HPA with its memory; the end of a pause starts afresh.
    fn pause_edge(&mut self) {
        let starts = self.next.pause.is_multiple_of(2);
        let pause = self.next.pause + 1;
        if starts {
            self.set(self.config.pauses.get(self.next.pause / 2).and_then(|p| p.replicas));
            self.hpa = None;
            self.next = Schedule { pause, ..Schedule::stopped() };
        } else {
            self.next = Schedule { pause, ..Schedule::created(self.now) };
        }
    }

    /// Reads the targets. With a partial list the HPA lacks a metric; with an empty list there is no HPA, and KEDA
    /// tries again.
    fn reconcile(&mut self, scaler: &mut dyn Scaler) {
        let view = self.view();
        let targets: Vec<Option<i64>> =
            (0..self.targets.len()).map(|i| target_milli(scaler.answer(view, i).target)).collect();
        if targets.iter().all(Option::is_none) {
            let backoff = (BACKOFF_BASE << self.next.attempt.min(20)).min(BACKOFF_LIMIT);
            self.next.attempt += 1;
            self.next.reconcile = self.now + Millis(backoff) + FAILED_RECONCILE;
            return;
        }
        self.targets = targets;
        self.next.reconcile = Millis::NEVER;
        self.next.attempt = 0;
        if self.hpa.is_none() {
            let created = self.now - RECONCILE_DELAY;
            self.hpa = Some(Hpa::new(&self.config));
            self.next.sync = created + self.config.hpa.first_sync;
            self.next.poll = created + FIRST_POLL;
            self.next.push = self.push_after(scaler, self.now);
        }
    }

    fn poll(&mut self, scaler: &mut dyn Scaler) {
        self.next.poll = self.next.poll + self.config.polling_interval;
        let (view, scale) = (self.view(), self.scale());
        let mut poll = Poll::default();
        for trigger in 0..self.targets.len() {
            let answer = scaler.answer(view, trigger);
            self.keda.poll(&mut poll, &self.config, trigger, answer, scale);
        }
        let wanted = self.keda.act(&self.config, self.now, &poll, self.replicas);
        self.set(wanted);
        // When the Ready condition returns, KEDA reads the targets again.
        if self.was_error && !poll.is_error() {
            self.next.reconcile = self.now + RECONCILE_DELAY;
        }
        self.was_error = poll.is_error();
    }

    fn push(&mut self, scaler: &mut dyn Scaler) {
        let wanted = self.keda.activate(&self.config, self.now, self.replicas, false);
        self.set(wanted);
        self.next.push = self.push_after(scaler, self.now);
    }

    fn push_after(&self, scaler: &mut dyn Scaler, mut after: Millis) -> (Millis, usize) {
        // A stream is opened for triggers of type external-push only.
        while let Some((at, trigger)) = scaler.next_push(after).filter(|next| next.0 > after) {
            if self.config.triggers.get(trigger).is_some_and(|t| t.push) {
                return (at, trigger);
            }
            after = at;
        }
        (Millis::NEVER, 0)
    }

    fn sync(&mut self, scaler: &mut dyn Scaler) {
        let further = Millis(FURTHER_TRIGGER * (self.targets.len() as i64 - 1));
        self.next.sync = self.next.sync + self.config.hpa.sync_period + further;
        let (view, scale, now) = (self.view(), self.scale(), self.now);
        let Some(hpa) = &mut self.hpa else { return };
        let (keda, config, targets) = (&mut self.keda, &self.config, &self.targets);
        let answers = &mut self.answers;
        let wanted = hpa.sync(now, scale, |readings| {
            answers.clear();
            answers.extend((0..targets.len()).map(|i| scaler.answer(view, i)));
            // One trigger that cannot name its metric breaks the metrics of all.
            let named = answers.iter().all(|answer| answer.target.is_some());
            let of_triggers = targets.iter().zip(&config.triggers).zip(answers.iter()).enumerate();
            readings.extend(of_triggers.filter_map(|(i, ((target, trigger), answer))| {
                let target = (*target)?;
                let value = keda.metric(config, i, *answer, scale).filter(|_| named);
                Some(Reading { metric_type: trigger.metric_type, target, value })
            }));
        });
        self.set(wanted.and_then(|replicas| u32::try_from(replicas).ok()));
    }
}

impl Schedule {
    fn stopped() -> Self {
        let never = Millis::NEVER;
        Schedule { pause: 0, reconcile: never, attempt: 0, poll: never, push: (never, 0), sync: never }
    }

    fn created(at: Millis) -> Self {
        Schedule { reconcile: at + RECONCILE_DELAY, ..Schedule::stopped() }
    }
}

/// The target in thousandths; `None` if the call failed or the API server would refuse the value.
fn target_milli(target: Option<f64>) -> Option<i64> {
    target.and_then(milli).filter(|&target| target > 0)
}

#[cfg(test)]
mod tests;
