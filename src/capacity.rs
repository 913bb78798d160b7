//! Learns what one replica carries from observations of a service, or says why that cannot be told.
//!
//! Load, ready replicas and any further data (CPU, latency, failures, backlog) are joined into cells. Three methods
//! each answer or refuse with a reason: a line of CPU, the knee of an objective, the throughput under a backlog. The
//! smallest answer binds. The result is a function of the observations: no clock, no memory, no randomness. It never
//! answers beyond what the observations support, and never takes a bottleneck elsewhere for the capacity of a
//! replica.

mod carried;
mod cells;
mod counts;
mod doubt;
mod evidence;
mod knee;
mod line;
mod pace;
mod spread;
#[cfg(test)]
mod tests;
mod why;

pub use cells::LeftOut;
pub use counts::AtCount;
pub use evidence::{Column, Evidence};
pub use knee::Limit;
pub use line::CpuFit;
pub use pace::{Pace, REPLAYED, STEP, Said, learned_range, pace};
pub use spread::Estimate;
pub use why::Why;

use crate::units::Span;
use cells::Cells;
use knee::Point;

/// The question to answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// CPU cores (or devices) that one replica requests; without it CPU is not used.
    pub request: Option<f64>,
    /// How much of the request a replica may use, 0 to 1.
    pub utilization: f64,
    /// The objective that must hold for the users of the service.
    pub objective: Option<Limit>,
}

/// What limits the load of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// CPU at the wanted utilization.
    Cpu,
    /// The objective is missed beyond this load.
    Latency,
    /// The most that a replica completes while work waits.
    Throughput,
    /// The load that was carried with the objective met, or one and a half times that.
    Demonstrated,
}

/// What one replica carries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// The load of one replica, with a range that contains it nine times out of ten.
    pub carried: Estimate,
    /// What bounds it.
    pub bound: Bound,
    /// The answer divided by the largest load of a replica that was seen for a while; above 1 it lies beyond what was
    /// seen.
    pub beyond: f64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The capacity.
    Known(Known),
    /// These observations cannot tell; the most important reason comes first.
    CannotTell(Vec<Why>),
}

/// The answer of each method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answers {
    /// The answer from CPU, if it was asked for.
    pub cpu: Option<Result<CpuFit, Why>>,
    /// The answer from the objective, if there is one.
    pub latency: Option<Result<Estimate, Why>>,
    /// What replicas complete while work waits, if that is known.
    pub throughput: Option<Result<Estimate, Why>>,
    /// The largest load of a replica that was carried for a quarter of an hour with the objective met.
    pub demonstrated: Option<f64>,
    /// The largest load of a replica seen for a while.
    pub seen: f64,
}

/// The answer with its evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// The answer.
    pub verdict: Verdict,
    /// The answers of the methods.
    pub answers: Answers,
    /// The objective that was used, with a number in place of [`Limit::TwiceQuiet`].
    pub objective: Option<Limit>,
    /// The answer for each number of replicas, if two or more can be told apart.
    pub by_replicas: Vec<AtCount>,
    /// Whether the answer depends on the number of replicas; it is then the answer for the largest number.
    pub depends_on_replicas: bool,
    /// The total load that more replicas hardly raise.
    pub ceiling: Option<f64>,
    /// Cells that were learned from.
    pub cells: usize,
    /// Rows that were left out.
    pub left_out: LeftOut,
    /// Whether pods start so often that the minutes after a start had to be kept.
    pub keeps_starts: bool,
}

/// With fewer cells there is no answer.
const FEWEST: usize = 12;
/// The load of a replica must span this factor between its 5th and 95th percentile, or in a planned squeeze.
const SPAN: f64 = 2.0;
/// A squeeze lasts at least so long.
const SQUEEZE_MINUTES: f64 = 15.0;
/// What was carried limits the answer to this factor of it.
const MOST_OF_CARRIED: f64 = 1.5;
/// A load was seen for a while if it lasted this long, or this share of the time if that is less.
const SEEN_MINUTES: f64 = 15.0;
const SEEN_SHARE: f64 = 0.02;
/// From this much observed time on, CPU is compared over five minutes: its metrics lag by one or two.
const LONG_MINUTES: f64 = 1_440.0;

/// Learns what one replica carries.
pub fn learn(evidence: &Evidence, question: &Question) -> Findings {
    let fails_matter = matches!(question.objective, Some(Limit::Failed(_)));
    let cells = Cells::of(evidence, fails_matter);
    let objective = limit(&cells, evidence, question);
    let budget = question.request.map(|request| request * question.utilization);
    let observed = cells.total_minutes();
    let long = observed >= LONG_MINUTES;
    let wide = (long && budget.is_some()).then(|| cells.joined(Span::minutes(5)));
    let enough = SEEN_MINUTES.min(SEEN_SHARE * observed);
    // Most loads lie between the first two; the third was seen for a while.
    let [low, high, seen] = spread::quantiles(&cells, [0.05, 0.95, 1.0 - enough / observed.max(1.0)]);
    let cpu = budget
        .filter(|_| evidence.has(Column::Cpu))
        .map(|budget| line::cpu(wide.as_ref().unwrap_or(&cells), seen, budget));
    let points = objective.map_or_else(Vec::new, |limit| knee::points(&cells, limit));
    let waits = carried::throughput(&cells);
    let answers = Answers::of(&cells, &points, waits, cpu, seen);
    let doubts = doubts(&cells, low, high);
    let mut findings = Findings {
        verdict: Verdict::CannotTell(Vec::new()),
        answers,
        objective,
        by_replicas: Vec::new(),
        depends_on_replicas: false,
        ceiling: None,
        cells: cells.len(),
        left_out: cells.left_out,
        keeps_starts: cells.keeps_starts,
    };
    findings.verdict = match answers.known() {
        Ok(known) if doubts.is_empty() => Verdict::Known(findings.by_count(known, &cells, &points)),
        known => Verdict::CannotTell(answers.reasons(doubts, known.err())),
    };
    findings
}

/// The objective with its number; twice the quiet latency if nothing else was asked.
fn limit(cells: &Cells, evidence: &Evidence, question: &Question) -> Option<Limit> {
    let given = match question.objective {
        None if question.request.is_none() && evidence.has(Column::Latency) => Some(Limit::TwiceQuiet),
        given => given,
    };
    let limit = match given? {
        Limit::TwiceQuiet => Limit::Latency(knee::twice_quiet(cells)?),
        limit => limit,
    };
    let column = match limit {
        Limit::Missed(_) => Column::Missed,
        Limit::Failed(_) => Column::Errors,
        _ => Column::Latency,
    };
    evidence.has(column).then_some(limit)
}

/// Reasons against any answer; most loads of a replica lie between `low` and `high`.
fn doubts(cells: &Cells, low: f64, high: f64) -> Vec<Why> {
    let mut doubts = Vec::new();
    let is_confounded = is_confounded(cells);
    if high < SPAN * low && squeezed(cells) < SPAN * low {
        doubts.push(Why::Flat { span: high / low, is_held: !is_confounded && follows(cells) > 0.8 });
    }
    if is_confounded {
        doubts.push(Why::Confounded);
    }
    if cells.len() < FEWEST {
        doubts.push(Why::TooFew { cells: cells.len(), expected: FEWEST });
    }
    doubts
}

/// The largest mean load of a replica over a quarter of an hour.
fn squeezed(cells: &Cells) -> f64 {
    let (mut most, mut sum, mut minutes) = (0.0, 0.0, 0.0);
    for i in 0..cells.len() {
        sum += cells.each(i) * cells.minutes[i];
        minutes += cells.minutes[i];
        if minutes >= SQUEEZE_MINUTES {
            most = f64::max(most, sum / minutes);
            (sum, minutes) = (0.0, 0.0);
        }
    }
    most
}

/// How well the number of replicas follows the load: the correlation of their logarithms, 0 where replicas are fixed.
fn follows(cells: &Cells) -> f64 {
    let pairs = (0..cells.len()).map(|i| {
        let replicas = cells.replicas(i).ln();
        (cells.log_each[i] + replicas, replicas)
    });
    let (mut n, mut x, mut y, mut xx, mut xy, mut yy) = (0.0_f64, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (load, replicas) in pairs {
        n += 1.0;
        x += load;
        y += replicas;
        xx += load * load;
        xy += load * replicas;
        yy += replicas * replicas;
    }
    let spread = (xx - x * x / n) * (yy - y * y / n);
    if spread > 1e-9 { (xy - x * y / n) / spread.sqrt() } else { 0.0 }
}

/// Whether the number of replicas alone determines the load of a replica.
fn is_confounded(cells: &Cells) -> bool {
    /// The share of the variation that counts as nearly all.
    const NEARLY_ALL: f64 = 0.98;
    /// A load that varies by less than a tenth is flat, whatever explains it.
    const VARIED: f64 = 0.1;
    let mut groups: std::collections::BTreeMap<i64, (f64, f64, f64)> = std::collections::BTreeMap::new();
    for i in 0..cells.len() {
        let (each, group) = (cells.log_each[i], groups.entry(cells.replicas(i).round() as i64).or_default());
        *group = (group.0 + 1.0, group.1 + each, group.2 + each * each);
    }
    let (n, sum, squares) = groups.values().fold((0.0, 0.0, 0.0), |t, g| (t.0 + g.0, t.1 + g.1, t.2 + g.2));
    let within: f64 = groups.values().map(|g| g.2 - g.1 * g.1 / g.0).sum();
    let whole = squares - sum * sum / n;
    groups.len() > 1 && whole > n * VARIED * VARIED && within < (1.0 - NEARLY_ALL) * whole
}

// === impl Answers ===

impl Answers {
    fn of(
        cells: &Cells,
        points: &[Point],
        throughput: Option<Result<Estimate, Why>>,
        cpu: Option<Result<CpuFit, Why>>,
        seen: f64,
    ) -> Answers {
        let minutes = cells.total_minutes() / cells.len().max(1) as f64;
        Answers {
            cpu,
            latency: (!points.is_empty()).then(|| knee::knee(points, seen)),
            throughput,
            demonstrated: carried::demonstrated(minutes, points),
            seen,
        }
    }

    fn tells_by_count(&self) -> bool {
        self.latency.is_some_and(|knee| knee.is_ok()) || self.throughput.is_some_and(|rate| rate.is_ok())
    }

    /// The smallest of the answers, or the reason why there is none.
    fn known(&self) -> Result<Known, Why> {
        // If the objective is missed for a reason that more replicas cannot fix, CPU is not consulted.
        if let Some(Err(why)) = self.latency
            && why.lies_elsewhere()
        {
            return Err(why);
        }
        let cpu = self.cpu.and_then(Result::ok).map(|fit| (fit.carried, Bound::Cpu));
        let latency = self.latency.and_then(Result::ok).map(|knee| (knee, Bound::Latency));
        let throughput = self.throughput.and_then(Result::ok).map(|rate| (rate, Bound::Throughput));
        let answers = [cpu, latency, throughput].into_iter().flatten();
        let least = answers.min_by(|a, b| a.0.value.total_cmp(&b.0.value));
        let Some((carried, mut bound)) = least else {
            return Err(self.refused().next().unwrap_or(Why::NothingToLearnFrom));
        };
        if carried.width() > why::WIDEST || !carried.high.is_finite() {
            return Err(Why::Wide { width: carried.width() });
        }
        let held = self.demonstrated.map_or(carried, |least| carried.held(least, MOST_OF_CARRIED * least));
        if held.value != carried.value {
            bound = Bound::Demonstrated;
        }
        // What was carried and what a fit says may contradict each other.
        if held.width() > why::WIDEST {
            return Err(Why::Wide { width: held.width() });
        }
        Ok(Known { carried: held, bound, beyond: held.value / self.seen })
    }

    /// Why some answers are missing; the objective first, because it matters most to people.
    fn refused(&self) -> impl Iterator<Item = Why> {
        let all = [
            self.latency.and_then(Result::err),
            self.cpu.and_then(Result::err),
            self.throughput.and_then(Result::err),
        ];
        all.into_iter().flatten()
    }

    /// All reasons, each kind only once.
    fn reasons(&self, doubts: Vec<Why>, first: Option<Why>) -> Vec<Why> {
        let mut all: Vec<Why> = Vec::new();
        for why in doubts.into_iter().chain(first).chain(self.refused()) {
            if all.iter().all(|known| known.as_str() != why.as_str()) {
                all.push(why);
            }
        }
        all
    }
}

// === impl Findings ===

impl Findings {
    /// The answer for each number of replicas; if it depends on that, the one for the largest number.
    fn by_count(&mut self, known: Known, cells: &Cells, points: &[Point]) -> Known {
        let mut by = Vec::new();
        // CPU is one line for all numbers of replicas, so alone it says nothing about their number.
        if !self.answers.tells_by_count() {
            return known;
        }
        for replicas in counts::counts((0..cells.len()).map(|i| cells.replicas(i))) {
            let runs = |point: &&Point| point.replicas.round() as usize == replicas;
            let some: Vec<Point> = points.iter().filter(runs).copied().collect();
            let waits =
                self.answers.throughput.and_then(|_| carried::throughput(&cells.with_replicas(replicas)));
            let answers = Answers::of(cells, &some, waits, self.answers.cpu, self.answers.seen);
            if let Ok(known) = answers.known()
                && answers.tells_by_count()
            {
                by.push((replicas, known));
            }
        }
        if by.len() < 2 {
            return known;
        }
        self.by_replicas = by
            .iter()
            .map(|(replicas, known)| AtCount { replicas: *replicas, carried: known.carried })
            .collect();
        self.depends_on_replicas = counts::differ(&self.by_replicas);
        self.ceiling = counts::ceiling(&self.by_replicas);
        let counts =
            |last: &&(usize, Known)| self.depends_on_replicas || last.1.carried.high < known.carried.low;
        by.last().filter(counts).map_or(known, |last| last.1)
    }
}

// === impl Bound ===

impl Bound {
    /// Every bound.
    pub const ALL: [Bound; 4] = [Bound::Cpu, Bound::Latency, Bound::Throughput, Bound::Demonstrated];

    /// Its name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Bound::Cpu => "cpu",
            Bound::Latency => "latency",
            Bound::Throughput => "throughput",
            Bound::Demonstrated => "demonstrated",
        }
    }

    /// Its name for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Bound::Cpu => "CPU",
            Bound::Latency => "the objective",
            Bound::Throughput => "throughput",
            Bound::Demonstrated => "what was demonstrated",
        }
    }
}

// === impl Verdict ===

impl Verdict {
    /// What one replica carries, if that is known.
    pub fn known(&self) -> Option<&Known> {
        match self {
            Verdict::Known(known) => Some(known),
            Verdict::CannotTell(_) => None,
        }
    }
}
