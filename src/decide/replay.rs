//! Replays past days to find the penalty that would have kept a target for time under-provisioned.
//!
//! Each day is replayed with a fit from before it, through the functions that decide, and sees each sample only once
//! it has settled. A day's result depends only on samples within the window of every grid point that uses it. So each
//! day is replayed once and its result reused from fit to fit, identified by a hash of everything it depends on.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::cached_forecast::CachedForecast;
use super::fits::FIT_GRID;
use super::insured::{Need, View, trust};
use crate::forecast::{Rule, fit};
use crate::history::Series;
use crate::plan::{
    Backlog, Insured, LeadWindow, Odds, PENALTIES, ReplayedReplicas, Tally, penalty_for_target,
};
use crate::policy::{Policy, Signal};
use crate::units::{Replicas, Span, Time};

/// The tally of one day, with a hash of its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    key: u64,
    tally: Arc<Tally>,
}

/// What to replay.
pub(super) struct Replay<'a> {
    pub policy: &'a Policy,
    pub signal: &'a Signal,
    /// What the forecast learns from: the load, or the arrivals of a queue with a deadline.
    pub learned: &'a Series,
    pub queue: Option<Queue<'a>>,
}

/// A queue with a deadline. It is drained by the replicas of the replay, not by those that really ran.
#[derive(Clone, Copy)]
pub(super) struct Queue<'a> {
    pub depth: Option<&'a Series>,
    /// Items per second that one replica processes.
    pub service: f64,
    pub within: Span,
}

/// A day being replayed: for each penalty its replicas, and the backlog of a queue.
struct DayReplay<'a> {
    replay: &'a Replay<'a>,
    outlook: CachedForecast,
    lanes: Vec<ReplayedReplicas>,
    depths: Vec<f64>,
    /// The last wanted replicas, with the forecast and newest load they are based on.
    last: Option<(Time, Span, Replicas, Vec<Replicas>)>,
}

/// A week contains every weekday.
const MOST_DAYS: i64 = 7;
/// The time step of the replay. A finer one makes no difference, because pods take minutes.
const TICK: Span = Span::MINUTE;
/// The HPA keeps replicas this long after they are last wanted.
const HOLD: Span = Span::minutes(5);

// === impl Replay ===

impl<'a> Replay<'a> {
    /// The penalty that would have kept the target over the days before `at`, and each day's result. Replays the last
    /// third of the history in whole days, at most seven.
    pub(super) fn penalty(&self, at: Time, share: f64, known: &[Day]) -> (f64, Arc<[Day]>) {
        let end = at.floor_to(Span::DAY, Span::seconds(at.epoch().rem_euclid(FIT_GRID.as_seconds())));
        let a_third = |span: Span| (span.as_seconds() / (3 * Span::DAY.as_seconds())).min(MOST_DAYS);
        // Learns from less than the window, so that every later grid point has all the samples.
        let most = a_third(self.signal.window);
        let learns = Span::seconds(self.signal.window.as_seconds() - Span::days(most + 1).as_seconds());
        let days: Arc<[Day]> = (0..a_third(end.since(self.learned.start())).min(most))
            .map(|back| self.day(end - Span::days(back + 1), learns, known))
            .collect();
        (penalty_for_target(days.iter().map(|day| &*day.tally), share), days)
    }

    fn day(&self, from: Time, learns: Span, known: &[Day]) -> Day {
        let key = self.key(from, learns);
        known.iter().find(|day| day.key == key).cloned().unwrap_or_else(|| {
            let fitted = fit(self.learned, &self.policy.calendar, from, learns);
            // A day with too little history before it gives no evidence.
            let tally = fitted.map_or_else(
                |_| Tally::default(),
                |fitted| DayReplay::new(self, CachedForecast::new(fitted.tracker()), from).run(from),
            );
            Day { key, tally: Arc::new(tally) }
        })
    }

    fn key(&self, from: Time, learns: Span) -> u64 {
        let Signal { threshold, activation, settle, .. } = self.signal;
        let mut hasher = DefaultHasher::new();
        (from, learns, settle, self.policy.lead()).hash(&mut hasher);
        [threshold.get().to_bits(), activation.to_bits()].hash(&mut hasher);
        self.policy.calendar.hash(&mut hasher);
        let mut samples = |series: &Series, after: Time, until: Time| {
            let part = series.window(after, until);
            part.step().as_seconds().hash(&mut hasher);
            part.values().into_iter().for_each(|value| value.to_bits().hash(&mut hasher));
        };
        let end = from + Span::DAY;
        match self.queue {
            Some(Queue { depth, service, within }) => {
                samples(self.learned, from - learns, end + within);
                depth.into_iter().for_each(|depth| samples(depth, from - TICK, from));
                (service.to_bits(), within).hash(&mut hasher);
            }
            None => samples(self.learned, from - learns, end),
        }
        hasher.finish()
    }

    fn sample(&self, at: Time) -> Option<f64> {
        self.learned.slot_before(at).and_then(|slot| self.learned.get(slot))
    }

    fn need(&self) -> Need {
        Need { factor: 1.0, threshold: self.signal.threshold, activation: self.signal.activation }
    }

    /// What really arrived per second in the coming `within`, on average.
    fn arrived(&self, at: Time, within: Span) -> f64 {
        let values = self.learned.window(at, at + within).values();
        let (sum, count) =
            values.iter().filter(|v| !v.is_nan()).fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
        if count > 0.0 { sum / count } else { self.sample(at).unwrap_or(0.0) }
    }
}

// === impl DayReplay ===

impl<'a> DayReplay<'a> {
    fn new(replay: &'a Replay<'a>, outlook: CachedForecast, from: Time) -> Self {
        let waiting = replay.queue.and_then(|queue| {
            let depth = queue.depth?;
            depth.get(depth.slot_before(from)?)
        });
        DayReplay {
            replay,
            outlook,
            lanes: vec![ReplayedReplicas::default(); PENALTIES.len()],
            depths: vec![waiting.unwrap_or(0.0); PENALTIES.len()],
            last: None,
        }
    }

    fn run(mut self, from: Time) -> Tally {
        let length = LeadWindow::new(self.replay.policy.lead()).length();
        let ticks = |span: Span| usize::try_from(span.as_seconds() / TICK.as_seconds()).unwrap_or(0);
        let (delay, hold) = (ticks(length), ticks(HOLD));
        let mut tally = Tally::default();
        for tick in 0..ticks(Span::DAY) {
            let now = from + Span::seconds(tick as i64 * TICK.as_seconds());
            let known = now - self.replay.signal.settle;
            if let Some(slot) = self.replay.learned.slot_before(known) {
                self.outlook.follow_to(self.replay.learned, self.replay.learned.time(slot));
            }
            let wants = self.wants(now, known, length);
            self.lanes.iter_mut().zip(wants).for_each(|(lane, want)| lane.want(want, hold));
            let ready: Vec<Replicas> = self.lanes.iter().map(|lane| lane.ready(delay)).collect();
            let needed = self.needed(now);
            if tick >= delay + hold
                && let Some(needed) = needed
            {
                tally.judge(|k| ready[k] < needed[k]);
            }
            self.work(now, &ready);
        }
        tally
    }

    /// What a decision would have asked for, for each penalty.
    fn wants(&mut self, now: Time, known: Time, length: Span) -> Vec<Replicas> {
        let Replay { signal, policy, queue, .. } = *self.replay;
        let by = |rule| View { tracker: &self.outlook, step: signal.step, until: now, rule };
        let newest = self.replay.sample(known);
        let lead = policy.lead();
        if let Some(Queue { service, within, .. }) = queue {
            let asks = |(&penalty, &depth): (&f64, &f64)| {
                let insured = Insured::Penalty(penalty);
                let asks = |arrivals: f64| Backlog { depth, arrivals }.replicas(service, within);
                let reactive = asks(newest.unwrap_or(0.0));
                match trust(&self.outlook, lead, insured).rule {
                    Rule::Reactive => reactive,
                    rule => asks(by(rule).arrivals(within, insured.quantile())).max(reactive),
                }
            };
            return PENALTIES.iter().zip(&self.depths).map(asks).collect();
        }
        let need = self.replay.need();
        let present = newest.map(|load| need.replicas(load)).unwrap_or_default();
        let ahead = by(Rule::Forecast).ahead(length);
        if let Some((at, span, newest, wants)) = &self.last
            && (*at, *span, *newest) == (self.outlook.at(), ahead, present)
        {
            return wants.clone();
        }
        // All penalties together use only a few rules.
        let mut known: Vec<(Rule, Odds)> = Vec::new();
        let mut asks = |penalty: f64| {
            let rule = trust(&self.outlook, lead, Insured::Penalty(penalty)).rule;
            let at = known.iter().position(|(of, _)| *of == rule).unwrap_or_else(|| {
                known.push((rule, need.odds(&by(rule).load(length))));
                known.len() - 1
            });
            known[at].1.cheapest_at(penalty)
        };
        let wants: Vec<Replicas> = PENALTIES.iter().map(|&penalty| asks(penalty).max(present)).collect();
        self.last = Some((self.outlook.at(), ahead, present, wants.clone()));
        wants
    }

    /// What was needed, for each penalty: for the load at `now`, or to clear the backlog by the deadline.
    fn needed(&self, now: Time) -> Option<Vec<Replicas>> {
        let load = self.replay.sample(now)?;
        let Some(Queue { service, within, .. }) = self.replay.queue else {
            return Some(vec![self.replay.need().replicas(load); PENALTIES.len()]);
        };
        let arrivals = self.replay.arrived(now, within);
        let needs = |&depth: &f64| Backlog { depth, arrivals }.replicas(service, within);
        Some(self.depths.iter().map(needs).collect())
    }

    /// Processes one minute of the backlog with the ready replicas.
    fn work(&mut self, now: Time, ready: &[Replicas]) {
        let Some(queue) = self.replay.queue else { return };
        let seconds = TICK.as_seconds() as f64;
        let arrived = self.replay.sample(now).unwrap_or(0.0) * seconds;
        for (depth, ready) in self.depths.iter_mut().zip(ready) {
            *depth = (*depth + arrived - f64::from(ready.get()) * queue.service * seconds).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Keys;
    use crate::units::Step;

    /// Twelve days of minutes: 20 at night and 80 by day, with a burst of a few minutes every hour.
    fn load(extra: usize) -> Series {
        let at = |i: usize| {
            let by_day = (480..1_080).contains(&(i % 1_440));
            let burst = if i % 60 < 5 { (i * 7_919 % 31) as f64 } else { 0.0 };
            if by_day { 80.0 + burst } else { 20.0 + burst }
        };
        Series::from_values(Time::from_epoch(0), Step::MINUTE, (0..12 * 1_440 + extra).map(at))
    }

    fn policy(more: &[(&str, &str)]) -> Policy {
        let keys = [("query", "load"), ("threshold", "10"), ("underProvisionTarget", "1%")];
        let values = keys.iter().chain(more).map(|(k, v)| (String::from(*k), String::from(*v))).collect();
        Policy::from_keys(&Keys { values, ..Keys::default() }).expect("valid")
    }

    fn replay<'a>(policy: &'a Policy, learned: &'a Series, queue: Option<Queue<'a>>) -> Replay<'a> {
        Replay { policy, signal: &policy.signals[0], learned, queue }
    }

    #[test]
    fn what_is_carried_on_changes_no_answer() {
        let (policy, day) = (policy(&[]), Span::DAY);
        let (before, now) = (load(1), load(1_441));
        let end = before.end().expect("samples");
        let (_, days) = replay(&policy, &before, None).penalty(end, 0.01, &[]);
        assert_eq!(days.len(), 4, "a third of twelve days");
        let carried = replay(&policy, &now, None).penalty(end + day, 0.01, &days);
        let afresh = replay(&policy, &now, None).penalty(end + day, 0.01, &[]);
        assert_eq!(carried, afresh);
        assert!(days[..3].iter().all(|day| carried.1[1..].contains(day)), "no day is replayed twice");
        // A replica whose window starts later sees the same days.
        let cut = now.window(end + day - policy.signals[0].window, end + day);
        assert_eq!(replay(&policy, &cut, None).penalty(end + day, 0.01, &[]), afresh);
    }

    #[test]
    fn a_day_whose_samples_changed_is_replayed_again() {
        let policy = policy(&[]);
        let (one, mut other) = (load(1), load(1));
        let end = one.end().expect("samples");
        assert!(other.put(end - Span::HOUR, 500.0));
        let days = |series: &Series| replay(&policy, series, None).penalty(end, 0.01, &[]).1;
        let (one, other) = (days(&one), days(&other));
        assert_ne!(one[0], other[0]);
        assert_eq!(one[1..], other[1..]);
    }

    #[test]
    fn a_stricter_promise_is_dearer() {
        let (policy, load) = (policy(&[]), load(1));
        let end = load.end().expect("samples");
        let penalty = |share: f64| replay(&policy, &load, None).penalty(end, share, &[]).0;
        assert!(penalty(0.002) > penalty(0.05), "{} and {}", penalty(0.002), penalty(0.05));
    }

    #[test]
    fn a_deadline_is_replayed_as_a_queue() {
        let drain =
            [("signal", "queue"), ("arrivalQuery", "in"), ("serviceRate", "2"), ("drainWithin", "10m")];
        let (policy, arrivals) = (policy(&drain), load(1));
        let end = arrivals.end().expect("samples");
        let tally = |within: Span| {
            let queue = Queue { depth: None, service: 2.0, within };
            (*replay(&policy, &arrivals, Some(queue)).penalty(end, 0.01, &[]).1[0].tally).clone()
        };
        let (short, long) = (tally(Span::minutes(10)), tally(Span::HOUR));
        assert!(short.judged > 1_400 && short.short[27] == 0, "{short:?}");
        assert!(short.short.windows(2).all(|pair| pair[1] <= pair[0] + 5), "dearer is safer: {short:?}");
        // A burst of five minutes has ten or sixty minutes to be processed.
        assert!(long.short[10] < short.short[10], "{long:?} and {short:?}");
    }
}
