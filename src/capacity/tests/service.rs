//! A service of known capacity: an autoscaler, pods that start late, and in each replica a queue whose waits are drawn
//! one request after another (Lindley's recursion), so that its latency has the noise and the memory of a real one.

use crate::capacity::{Column, Evidence, Limit, Question};
use crate::units::{Dice, Time};

/// What is special about a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// CPU follows the load, and is asked for.
    Cpu,
    /// The same with jobs that use CPU beside it.
    Background,
    /// CPU and load measured with a tenth of noise.
    Noisy,
    /// CPU and time are doubled in the first minutes of a pod.
    WarmUp,
    /// A rollout makes requests dearer by half.
    Rollout,
    /// An autoscaler holds the load flat but for two planned squeezes.
    Squeeze,
    /// Latency grows with the load of a replica; an autoscaler is late.
    Latency,
    /// The same with as many replicas all the time.
    Fixed,
    /// The same with a rollout that halves what a replica carried.
    RolloutHalves,
    /// The same with a minute in fifty slow for reasons of its own.
    Incidents,
    /// The load is what was served; what was offered is known of every second one.
    Served,
    /// A queue of work.
    Queue,
    /// An autoscaler on the same signal holds the load of a replica flat.
    Flat,
    /// The same, where latency is asked for.
    FlatLatency,
    /// A database behind is the limit.
    Behind,
    /// The load is what was served, and falls under overload.
    Falls,
    /// The objective is always met.
    Easy,
    /// CPU follows a batch of its own.
    Unrelated,
    /// Objectives are missed in outages of a neighbour.
    Outages,
}

impl Kind {
    pub const ALL: [Kind; 19] = [
        Kind::Cpu,
        Kind::Background,
        Kind::Noisy,
        Kind::WarmUp,
        Kind::Rollout,
        Kind::Squeeze,
        Kind::Latency,
        Kind::Fixed,
        Kind::RolloutHalves,
        Kind::Incidents,
        Kind::Served,
        Kind::Queue,
        Kind::Flat,
        Kind::FlatLatency,
        Kind::Behind,
        Kind::Falls,
        Kind::Easy,
        Kind::Unrelated,
        Kind::Outages,
    ];

    pub fn is_answerable(self) -> bool {
        !matches!(
            self,
            Kind::Flat
                | Kind::FlatLatency
                | Kind::Behind
                | Kind::Falls
                | Kind::Easy
                | Kind::Unrelated
                | Kind::Outages
        )
    }

    fn asks_cpu(self) -> bool {
        matches!(
            self,
            Kind::Cpu
                | Kind::Background
                | Kind::Noisy
                | Kind::WarmUp
                | Kind::Rollout
                | Kind::Squeeze
                | Kind::Flat
                | Kind::Unrelated
        )
    }

    fn is_flat(self) -> bool {
        matches!(self, Kind::Flat | Kind::FlatLatency | Kind::Squeeze)
    }
}

/// What was observed, what is asked, and the truth.
pub struct Case {
    pub evidence: Evidence,
    pub question: Question,
    pub truth: f64,
}

/// Two days of minutes.
const MINUTES: usize = 2_880;
/// The 95th percentile of an exponential time over its mean.
const P95: f64 = 2.995_732;
/// Minutes from the wish for a pod to its readiness.
const STARTS_IN: usize = 2;
/// Minutes that a pod is cold.
const COLD: usize = 3;

/// One service of a kind.
pub fn case(kind: Kind, seed: u64) -> Case {
    let mut dice = Dice::new(seed.wrapping_mul(0x9e37) + kind as u64);
    let mut within = |low: f64, high: f64| low + (high - low) * dice.uniform();
    // Requests per second that a replica can do at all, and how many times the quiet latency is still good.
    let rate = within(3.0, 7.0);
    let times = within(2.0, 4.0);
    let objective = match kind {
        Kind::Easy => 1_000.0,
        Kind::Outages => 30.0,
        _ => times,
    } * P95
        / rate;
    let (request, utilization) = (within(0.2, 2.0), within(0.5, 0.8));
    let base = request * within(0.0, 0.1);
    let slope = request / rate * within(0.7, 1.0);
    let peak = rate * within(4.0, 9.0);
    let target = rate
        * match kind {
            // A squeeze doubles it.
            Kind::Squeeze => within(0.38, 0.45),
            kind if kind.asks_cpu() => within(0.5, 0.65),
            _ => within(0.6, 0.8),
        };
    let mut service = Service {
        kind,
        dice: dice.clone(),
        rate,
        slope,
        base,
        waits: 0.0,
        backlog: 0.0,
        tells_demand: seed.is_multiple_of(2),
    };
    let rows = service.run(peak, target);
    let dearer = if kind == Kind::Rollout { 1.5 } else { 1.0 };
    let truth = match kind {
        kind if kind.asks_cpu() => (request * utilization - base) / (slope * dearer),
        Kind::Queue => rate,
        // P95 / (rate - load) is the 95th percentile of the time in an M/M/1 queue.
        _ => rate - P95 / objective,
    };
    let question = Question {
        request: kind.asks_cpu().then_some(request),
        utilization,
        objective: (!kind.asks_cpu() && kind != Kind::Queue).then_some(Limit::Latency(objective)),
    };
    Case { evidence: Evidence::of_rows(rows), question, truth }
}

struct Service {
    kind: Kind,
    dice: Dice,
    rate: f64,
    slope: f64,
    base: f64,
    /// Seconds until a request that comes now is served, in one replica; in all of them where the limit is behind.
    waits: f64,
    backlog: f64,
    tells_demand: bool,
}

impl Service {
    fn run(&mut self, peak: f64, target: f64) -> Vec<(Time, Vec<(Column, f64)>)> {
        let (mut wished, mut ages) = (vec![3_usize; MINUTES + STARTS_IN + 1], vec![60_usize; 3]);
        let (mut rows, mut burst, mut calm) = (Vec::with_capacity(MINUTES), 1.0, 0);
        let kind = self.kind;
        for minute in 0..MINUTES {
            let day = (minute as f64 / 1_440.0 * std::f64::consts::TAU).cos();
            let offered = if kind.is_flat() { peak * (0.9 - 0.1 * day) } else { peak * (0.55 - 0.45 * day) };
            if self.dice.uniform() < 0.01 && !kind.is_flat() {
                burst = 1.0 + 0.6 * self.dice.uniform();
            } else if self.dice.uniform() < 0.1 {
                burst = 1.0;
            }
            let offered = if kind == Kind::Falls { 0.6 * peak } else { offered };
            let offered = offered * burst * (1.0 + 0.03 * self.dice.normal()).max(0.5);
            let squeezed = kind == Kind::Squeeze && matches!(minute, 700..760 | 2_100..2_160);
            // But for those who hold the load flat there is a floor: at night replicas have little to do.
            let floor = if kind.is_flat() { 1.0 } else { (0.6 * peak / target).ceil() };
            let want = match kind {
                Kind::Fixed => (peak / self.rate).ceil() as usize,
                // Workers that a human has counted for the usual day.
                Kind::Queue => (0.8 * peak / self.rate).ceil() as usize,
                _ if squeezed => ((peak / target).ceil() as usize / 2).max(1),
                // As many as somebody turned on, whatever comes.
                Kind::Falls if minute % 45 == 0 => 2 + (7.0 * self.dice.uniform()) as usize,
                Kind::Falls => ages.len(),
                _ => (offered / target).ceil().max(floor) as usize,
            };
            // Down only after five calm minutes, as the HPA's default nearly does; a held squeeze at once.
            calm = if want < ages.len() { calm + 1 } else { 0 };
            let keeps = want < ages.len() && calm < 5 && !squeezed;
            wished[minute + STARTS_IN] = if keeps { ages.len() } else { want };
            ages.iter_mut().for_each(|age| *age += 1);
            ages.resize(wished[minute].max(1), 0);
            rows.push((Time::from_epoch(minute as i64 * 60), self.minute(minute, offered, &ages)));
        }
        rows
    }

    /// One minute: what a monitoring system would show.
    fn minute(&mut self, minute: usize, offered: f64, ages: &[usize]) -> Vec<(Column, f64)> {
        let (kind, count) = (self.kind, ages.len() as f64);
        let is_new = minute >= MINUTES * 3 / 5;
        let cold = if kind == Kind::WarmUp {
            ages.iter().filter(|age| **age < COLD).count() as f64 / count
        } else {
            0.0
        };
        let mut rate = self.rate / (1.0 + cold);
        rate *= if kind == Kind::RolloutHalves && !is_new { 2.0 } else { 1.0 };
        let mut row = vec![(Column::Replicas, count)];
        if matches!(kind, Kind::Rollout | Kind::RolloutHalves) {
            row.push((Column::Generation, if is_new { 2.0 } else { 1.0 }));
        }
        if kind == Kind::Queue {
            let done = (rate * count).min(self.backlog / 60.0 + offered) * (1.0 + 0.02 * self.dice.normal());
            self.backlog = (self.backlog + 60.0 * (offered - done)).max(0.0);
            row.extend([(Column::Load, done), (Column::Backlog, self.backlog)]);
            return row;
        }
        // The database behind carries as much as five replicas.
        let (load, rate) = if kind == Kind::Behind { (offered, 5.0 * rate) } else { (offered / count, rate) };
        let (served, p95) = self.queue(load, rate);
        let served = if kind == Kind::Behind { served } else { served * count };
        let slow = match kind {
            Kind::Incidents if self.dice.uniform() < 0.02 => 6.0,
            Kind::Outages if minute / 20 % 17 == 3 => 60.0,
            _ => 1.0,
        };
        let shown = if matches!(kind, Kind::Served | Kind::Falls) { served } else { offered };
        let noise = if kind == Kind::Noisy { 0.1 } else { 0.02 };
        let mut about = |value: f64| value * (1.0 + noise * self.dice.normal()).max(0.1);
        row.push((Column::Load, about(shown)));
        row.push((Column::Latency, about(p95 * slow)));
        let dearer = if kind == Kind::Rollout && is_new { 1.5 } else { 1.0 };
        let mut each = self.base + self.slope * dearer * (1.0 + cold) * served / count;
        let job = kind == Kind::Background && minute / 30 % 10 == 4;
        each += if job { 2.0 * self.base + 0.3 * self.slope * self.rate } else { 0.0 };
        if kind == Kind::Unrelated {
            each = self.base + self.slope * self.rate * (0.5 + 0.4 * (minute as f64 / 97.0).sin());
        }
        row.push((Column::Cpu, about(each * count)));
        if kind == Kind::Served && self.tells_demand {
            row.push((Column::Demand, offered));
        }
        row
    }

    /// A minute of one queue: what it served per second, and the 95th percentile of the time in it. Who waits for ten
    /// times the usual is turned away; under overload of [`Kind::Falls`] work is given up half done.
    fn queue(&mut self, load: f64, rate: f64) -> (f64, f64) {
        let (mut clock, mut served, mut times) = (0.0, 0.0, Vec::new());
        let patience = 40.0 / rate;
        loop {
            let gap = -(1.0 - self.dice.uniform()).ln() / load.max(1e-9);
            clock += gap;
            if clock > 60.0 {
                break;
            }
            self.waits = (self.waits - gap).max(0.0);
            let work = -(1.0 - self.dice.uniform()).ln() / rate;
            if self.waits > patience {
                times.push(self.waits);
                if self.kind == Kind::Falls {
                    self.waits += 0.6 * work;
                }
                continue;
            }
            self.waits += work;
            times.push(self.waits);
            served += 1.0 / 60.0;
        }
        if times.is_empty() {
            return (0.0, P95 / rate);
        }
        let rank = (times.len() - 1) * 95 / 100;
        (served, *times.select_nth_unstable_by(rank, f64::total_cmp).1)
    }
}
