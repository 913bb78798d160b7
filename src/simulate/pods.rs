//! Pods between `spec.replicas` and Ready: creation, start time, deletion.
//!
//! Deletions take the pods that are not ready first and are immediate, as in the ReplicaSet controller. Lost pods are
//! replaced at once; nothing else crashes or is evicted here.

use std::collections::VecDeque;

use super::twin::Change;
use super::{Millis, PodTiming};
use crate::units::Dice;

/// The pods of one Deployment, advanced to an instant.
#[derive(Debug)]
pub(super) struct Pods {
    timing: PodTiming,
    dice: Dice,
    /// Changes of the replica count that the Deployment controller has not yet acted on.
    ordered: VecDeque<(Millis, u32)>,
    /// When the pods that exist but are not ready will become ready, latest last.
    starting: Vec<Millis>,
    ready: u32,
    log: Vec<Change>,
}

impl Pods {
    pub(super) fn new(timing: PodTiming, seed: u64, initial: u32) -> Self {
        Pods {
            timing,
            dice: Dice::new(seed),
            ordered: VecDeque::new(),
            starting: Vec::new(),
            ready: initial,
            log: vec![Change { at: Millis::ZERO, replicas: initial }],
        }
    }

    /// Pods that exist (`status.replicas`).
    pub(super) fn existing(&self) -> u32 {
        self.ready + self.starting.len() as u32
    }

    /// Pods that are ready.
    pub(super) fn ready(&self) -> u32 {
        self.ready
    }

    /// Every change of the ready pods so far.
    pub(super) fn log(&self) -> &[Change] {
        &self.log
    }

    /// Forgets all changes but the last.
    pub(super) fn forget_changes(&mut self) {
        self.log.drain(..self.log.len().saturating_sub(1));
    }

    /// Requests this number of pods.
    pub(super) fn order(&mut self, at: Millis, replicas: u32) {
        self.ordered.push_back((at + self.timing.creation, replicas));
    }

    /// Advances time to `now`.
    pub(super) fn advance(&mut self, now: Millis) {
        while let Some((at, replicas)) = self.ordered.front().copied().filter(|order| order.0 <= now) {
            self.ordered.pop_front();
            self.become_ready(at);
            self.resize(at, replicas);
        }
        self.become_ready(now);
    }

    /// Removes a share of the ready pods, rounded up; their ReplicaSet creates new ones at once.
    pub(super) fn lose(&mut self, at: Millis, share: f64) {
        let lost = (f64::from(self.ready) * share - 1e-9).ceil().max(0.0) as u32;
        if lost == 0 {
            return;
        }
        let all = lost == self.ready;
        self.ready -= lost;
        self.log.push(Change { at, replicas: self.ready });
        for nth in 0..lost {
            let ready_at = at + self.timing.creation + self.start_time(all, self.starting.len() as u32 + nth);
            self.starting.push(ready_at);
        }
        self.starting.sort_unstable();
    }

    fn become_ready(&mut self, now: Millis) {
        if self.starting.first().is_none_or(|&at| at > now) {
            return;
        }
        let due = self.starting.partition_point(|&at| at <= now);
        let mut drained = self.starting.drain(..due).peekable();
        while let Some(at) = drained.next() {
            self.ready += 1;
            if drained.peek() != Some(&at) {
                self.log.push(Change { at, replicas: self.ready });
            }
        }
    }

    fn resize(&mut self, at: Millis, replicas: u32) {
        let existing = self.existing();
        for nth in existing..replicas {
            let ready_at = at + self.start_time(existing == 0, nth - self.ready);
            self.starting.push(ready_at);
        }
        self.starting.sort_unstable();
        let surplus = existing.saturating_sub(replicas) as usize;
        let unready = surplus.min(self.starting.len());
        self.starting.truncate(self.starting.len() - unready);
        if surplus > unready {
            self.ready -= (surplus - unready) as u32;
            self.log.push(Change { at, replicas: self.ready });
        }
        self.become_ready(at);
    }

    /// How long the next pod takes, while `before` others are not ready yet.
    fn start_time(&mut self, from_zero: bool, before: u32) -> Millis {
        let timing = self.timing;
        let factor = if timing.spread > 0.0 { (timing.spread * self.dice.normal()).exp() } else { 1.0 };
        let median = timing.ready + if from_zero { timing.from_zero } else { Millis::ZERO };
        let node = if before >= timing.spare { timing.node } else { Millis::ZERO };
        Millis((median.0 as f64 * factor) as i64) + node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(timing: PodTiming, initial: u32) -> Pods {
        Pods::new(PodTiming { creation: Millis(50), ..timing }, 1, initial)
    }

    fn log(pods: &Pods) -> Vec<(i64, u32)> {
        pods.log().iter().map(|change| (change.at.0, change.replicas)).collect()
    }

    #[test]
    fn pods_that_are_lost_are_made_anew_and_start_like_others() {
        let mut pods = pods(PodTiming { ready: Millis(60_000), ..PodTiming::default() }, 10);
        pods.lose(Millis(1_000), 1.0 / 3.0);
        assert_eq!((pods.existing(), pods.ready()), (10, 6));
        pods.advance(Millis(61_050));
        assert_eq!((pods.existing(), pods.ready()), (10, 10));
        assert_eq!(log(&pods), [(0, 10), (1_000, 6), (61_050, 10)]);
        pods.lose(Millis(70_000), 0.0);
        assert_eq!(pods.ready(), 10);
    }

    #[test]
    fn pods_exist_before_they_are_ready() {
        let mut pods = pods(PodTiming { ready: Millis(60_000), ..PodTiming::default() }, 4);
        pods.order(Millis(1_000), 8);
        pods.advance(Millis(1_049));
        assert_eq!((pods.existing(), pods.ready()), (4, 4));
        pods.advance(Millis(1_050));
        assert_eq!((pods.existing(), pods.ready()), (8, 4));
        pods.advance(Millis(61_050));
        assert_eq!((pods.existing(), pods.ready()), (8, 8));
        assert_eq!(log(&pods), [(0, 4), (61_050, 8)]);
    }

    #[test]
    fn deletion_takes_what_is_not_ready_first() {
        let mut pods = pods(PodTiming { ready: Millis(60_000), ..PodTiming::default() }, 4);
        pods.order(Millis(0), 8);
        pods.order(Millis(1_000), 5);
        pods.order(Millis(2_000), 2);
        pods.advance(Millis(100_000));
        assert_eq!(log(&pods), [(0, 4), (2_050, 2)]);
    }

    #[test]
    fn starts_from_zero_and_on_new_nodes_take_longer() {
        let timing = PodTiming {
            ready: Millis(10_000),
            from_zero: Millis(20_000),
            spare: 2,
            node: Millis(90_000),
            ..PodTiming::default()
        };
        let mut pods = pods(timing, 0);
        pods.order(Millis(0), 1);
        pods.advance(Millis(40_000));
        pods.order(Millis(40_000), 4);
        pods.advance(Millis(200_000));
        assert_eq!(log(&pods), [(0, 0), (30_050, 1), (50_050, 3), (140_050, 4)]);
    }

    #[test]
    fn spread_keeps_the_median() {
        let timing = PodTiming { ready: Millis(10_000), spread: 0.5, ..PodTiming::default() };
        let mut pods = pods(timing, 0);
        pods.order(Millis(0), 2_001);
        pods.advance(Millis(10_050));
        assert!((900..1_100).contains(&pods.ready()), "{}", pods.ready());
    }
}
