//! What a seed generates: a load, the faults of its source, and the workloads that depend on it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use forescale::history::Series;
use forescale::serve::{Clock, SteppedClock};
use forescale::source::synthetic::{Profile, Recipe};
use forescale::source::{Backend, RangeQuery, Reading, SourceError, Unreached};
use forescale::units::{Dice, Span, Step, Time};

/// What can go wrong with a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No connection.
    Refused,
    /// No answer within the time limit.
    TimesOut,
    /// The metric is gone for a while; its samples never come.
    Vanished,
    /// The exporter sends values that are not a load.
    Nonsense,
    /// Samples come minutes late.
    Late,
    /// Clocks differ by a minute and a half.
    Skewed,
    /// Only the last two hours are kept.
    Forgetful,
    /// The source is down, collects no samples meanwhile, and returns with ranges that must refill.
    Down,
    /// The target is gone and comes back with a reset counter; the source answers all the time.
    Restarted,
    /// The target's counter is reset between two scrapes; what it counted between them is lost.
    Reset,
    /// Another source answers, which has collected samples only since then; afterwards the first returns, without
    /// them.
    Neighbour,
}

/// A fault and its time `[from, to)`.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub kind: Kind,
    pub from: Time,
    pub to: Time,
}

/// A workload: its name and its keys.
#[derive(Debug, Clone)]
pub struct Trigger {
    pub name: &'static str,
    pub keys: HashMap<String, String>,
    /// An override that the workload gets at some instant: from, until, and the number of replicas.
    pub r#override: Option<(Time, Time, u32)>,
}

/// Everything that one seed generates.
pub struct World {
    pub begin: Time,
    pub load: Series,
    pub faults: Vec<Fault>,
    pub triggers: Vec<Trigger>,
    /// When the first server restarts; the second never does.
    pub restarts: Vec<Time>,
}

/// The source as one server sees it.
pub struct Source {
    world: Arc<World>,
    clock: Arc<SteppedClock>,
}

/// The days before the start that a source keeps.
const HISTORY: i64 = 8;
/// The range of the rate queries: `rate(requests_total[3m])`.
pub const RANGE: Span = Span::minutes(3);
/// The simulated time.
pub const LENGTH: Span = Span::hours(30);

// === impl World ===

impl World {
    pub fn new(seed: u64) -> Arc<Self> {
        let mut dice = Dice::new(seed);
        let mut draw = |n: u64| dice.bits() % n;
        // Any minute of a week, any week of two years.
        let begin = Time::from_epoch(1_767_571_200 + (draw(730 * 1_440) * 60) as i64);
        let profile = Profile::ALL[draw(4) as usize];
        let start = begin - Span::days(HISTORY);
        let length = Span::days(HISTORY) + LENGTH + Span::hours(1);
        let recipe = Recipe { profile, start, step: Step::MINUTE, length, scale: 400.0, seed };
        let mut values = recipe.series().values();
        // Quiet nights for workloads that sleep: a small load becomes zero.
        let is_quiet = draw(2) == 0;
        for value in &mut values {
            *value = if is_quiet && *value < 60.0 { 0.0 } else { value.round() };
        }
        let load = Series::from_values(start, Step::MINUTE, values);
        let kinds = [
            Kind::Refused,
            Kind::TimesOut,
            Kind::Vanished,
            Kind::Nonsense,
            Kind::Late,
            Kind::Skewed,
            Kind::Forgetful,
            Kind::Down,
            Kind::Restarted,
            Kind::Neighbour,
        ];
        let mut faults = Vec::new();
        let mut at = begin + Span::minutes(90 + draw(120) as i64);
        while at < begin + LENGTH {
            // From a missed scrape to a night without Prometheus.
            let minutes = [2, 7, 25, 55, 180][draw(5) as usize] + draw(5) as i64;
            let to = at + Span::minutes(minutes);
            faults.push(Fault { kind: kinds[draw(kinds.len() as u64) as usize], from: at, to });
            if faults.len() % 3 == 1 {
                let from = to + Span::minutes(75);
                faults.push(Fault { kind: Kind::Reset, from, to: from + Span::MINUTE });
            }
            at = to + Span::minutes(150 + draw(120) as i64);
        }
        let mut restarts: Vec<Time> =
            (0..2).map(|_| begin + Span::minutes(60 + draw(28 * 60) as i64)).collect();
        restarts.sort();
        let triggers = triggers(begin, &mut draw);
        Arc::new(World { begin, load, faults, triggers, restarts })
    }

    /// The fault that is active at an instant.
    pub fn fault(&self, at: Time) -> Option<Fault> {
        self.faults.iter().find(|f| f.from <= at && at < f.to).copied()
    }

    /// The latest end of the faults that have started by then.
    pub fn troubled_until(&self, at: Time) -> Time {
        self.faults.iter().filter(|f| f.from <= at).map(|f| f.to).max().unwrap_or(Time::MIN)
    }

    /// Whether late samples may still be gaps for a server that was running and not for one that started later: until
    /// the next fit reads them again, and permanently if the source kept only its last hours by then.
    pub fn is_divided(&self, now: Time, fit: Time) -> bool {
        // Only a server that asked a neighbour knows what the neighbour collected.
        if self.faults.iter().any(|f| f.kind == Kind::Neighbour && f.from <= now) {
            return true;
        }
        let late = self.faults.iter().filter(|f| f.kind == Kind::Late && f.from <= now);
        late.into_iter().any(|late| {
            let is_hidden = |f: &Fault| {
                f.kind == Kind::Forgetful && late.from < f.from && f.from < late.to + Span::hours(7)
            };
            late.to + Span::minutes(5) > fit || self.faults.iter().any(is_hidden)
        })
    }

    /// The last fault that has started; before the first one, an empty fault at the start of the world.
    pub fn last_fault(&self, at: Time) -> Fault {
        let begun = self.faults.iter().rfind(|f| f.from <= at).copied();
        begun.unwrap_or(Fault { kind: Kind::Late, from: self.begin, to: self.begin })
    }

    /// Whether samples are back after a gap, but have not filled the query's range yet.
    pub fn is_refilling(&self, now: Time, trigger: &Trigger) -> bool {
        let last = self.last_fault(now);
        let leaves_gap = matches!(
            last.kind,
            Kind::Down | Kind::Restarted | Kind::Vanished | Kind::Neighbour | Kind::Reset
        );
        let refill = if trigger.is_rated() { RANGE } else { Span::ZERO };
        leaves_gap && last.to <= now && now < last.to + refill
    }

    /// The value of a rate query if nothing is missing.
    pub fn whole_rate(&self, at: Time) -> f64 {
        rate(at, |minute| self.value(minute)).unwrap_or(0.0)
    }

    fn value(&self, at: Time) -> Option<f64> {
        self.load.get(self.load.slot_before(at)?)
    }

    /// Whether the source that answers at `now` has the sample of a minute.
    fn is_gathered(&self, minute: Time, now: Time) -> bool {
        let answers = self.fault(now).filter(|f| f.kind == Kind::Neighbour);
        match (answers, self.fault(minute).map(|f| f.kind)) {
            (Some(neighbour), kind) => minute >= neighbour.from && kind != Some(Kind::Restarted),
            (None, Some(Kind::Down | Kind::Restarted | Kind::Neighbour)) => false,
            (None, _) => true,
        }
    }

    /// The largest load in `[from, to]`.
    pub fn most(&self, from: Time, to: Time) -> f64 {
        self.load.window(from - Span::seconds(1), to).values().into_iter().fold(0.0, f64::max)
    }
}

/// What Prometheus computes for a counter that grows by the value of each minute, from the minutes that it has: at
/// least two, extrapolated to the ends of the range if they are near.
fn rate(at: Time, value: impl Fn(Time) -> Option<f64>) -> Option<f64> {
    let last = at.floor_to(Span::MINUTE, Span::ZERO);
    let minutes: Vec<(Time, f64)> = (0..3)
        .rev()
        .filter_map(|i| Some((last - Span::minutes(i), value(last - Span::minutes(i))?)))
        .collect();
    let (first, last) = (minutes.first()?.0, minutes.last()?.0);
    let seconds = |span: Span| span.as_seconds() as f64;
    let sampled = seconds(last.since(first));
    if sampled == 0.0 {
        return None;
    }
    let grown: f64 = minutes.iter().skip(1).map(|(_, value)| value * 60.0).sum();
    let interval = sampled / (minutes.len() - 1) as f64;
    let to_edge = |edge: f64| if edge < 1.1 * interval { edge } else { interval / 2.0 };
    let edges = to_edge(seconds(first.since(at - RANGE))) + to_edge(seconds(at.since(last)));
    Some(grown * (sampled + edges) / sampled / seconds(RANGE))
}

fn triggers(begin: Time, draw: &mut impl FnMut(u64) -> u64) -> Vec<Trigger> {
    let objective = ["cost", "balanced", "availability"][draw(3) as usize];
    let from = begin + Span::minutes(draw(20 * 60) as i64);
    let word = (from, from + Span::minutes(30 + draw(180) as i64), draw(7) as u32);
    let common = |more: &[(&str, &str)]| -> HashMap<String, String> {
        let base = [
            ("query", "load"),
            ("threshold", "20"),
            ("maxReplicas", "30"),
            ("leadTime", "3m"),
            ("historyTimeWindow", "7d"),
            ("pollStep", "1m"),
        ];
        base.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    let plain = |name, keys| Trigger { name, keys, r#override: None };
    vec![
        plain("steady", common(&[("objective", objective), ("minReplicas", "2")])),
        plain("reactive", common(&[("mode", "reactive")])),
        plain("sleepy", common(&[("minReplicas", "0"), ("scaleToZeroAfter", "10m")])),
        plain(
            "office",
            common(&[
                ("schedule", "- {days: mon-fri, start: '09:00', end: '18:00', min: 6}\n- {max: 20}"),
                ("timezone", "America/New_York"),
                ("replicaStep", "2"),
            ]),
        ),
        plain("rated", common(&[("query", "sum(rate(requests_total[3m]))"), ("minReplicas", "2")])),
        plain(
            "rated-sleepy",
            common(&[
                ("query", "sum(rate(requests_total[3m]))"),
                ("mode", "reactive"),
                ("minReplicas", "0"),
                ("activationThreshold", "50"),
            ]),
        ),
        Trigger { name: "overridden", keys: common(&[("minReplicas", "1")]), r#override: Some(word) },
    ]
}

// === impl Trigger ===

impl Trigger {
    /// The metadata that KEDA sends at an instant: a person patches the override in and later forgets about it.
    pub fn metadata(&self, now: Time) -> HashMap<String, String> {
        let mut keys = self.keys.clone();
        if let Some((from, until, replicas)) = self.r#override
            && from <= now
        {
            keys.insert("override".to_owned(), format!("replicas={replicas} until={until} reason=test"));
        }
        keys
    }

    /// Whether its query is a rate over a range.
    pub fn is_rated(&self) -> bool {
        self.keys.get("query").is_some_and(|query| query.contains("rate("))
    }

    pub fn number(&self, key: &str, default: u32) -> u32 {
        self.keys.get(key).map_or(default, |text| text.parse().expect("a number"))
    }
}

// === impl Source ===

impl Source {
    pub fn new(world: &Arc<World>, clock: &Arc<SteppedClock>) -> Arc<Self> {
        Arc::new(Source { world: Arc::clone(world), clock: Arc::clone(clock) })
    }

    /// Fails if the source does not answer.
    fn answers(&self) -> Result<Option<Kind>, SourceError> {
        let target = "http://prometheus".to_owned();
        match self.world.fault(self.clock.now()).map(|f| f.kind) {
            Some(Kind::Refused | Kind::Down) => Err(SourceError::Unreachable {
                target,
                reason: "refused".to_owned(),
                class: Unreached::Refused,
            }),
            Some(Kind::TimesOut) => Err(SourceError::Timeout { target, after: Duration::from_secs(10) }),
            kind => Ok(kind),
        }
    }

    /// The sample of an instant, as far as it is available now.
    fn sample(&self, at: Time, kind: Option<Kind>) -> Option<f64> {
        let now = self.clock.now();
        let is_missing = match self.world.fault(at).map(|f| f.kind) {
            Some(Kind::Vanished) => true,
            Some(Kind::Nonsense) => {
                return Some([f64::NAN, f64::INFINITY, -3.0][at.epoch() as usize / 60 % 3]);
            }
            _ => false,
        };
        let is_hidden = match kind {
            Some(Kind::Late) => at > now - Span::minutes(4),
            Some(Kind::Forgetful) => at < now - Span::hours(2),
            _ => false,
        };
        let is_there = !is_missing && !is_hidden && at <= now && self.world.is_gathered(at, now);
        self.world.value(at).filter(|_| is_there)
    }

    /// The value of a query at an instant.
    fn yielded(&self, query: &str, at: Time, kind: Option<Kind>) -> Option<f64> {
        let is_nonsense = self.world.fault(at).is_some_and(|f| f.kind == Kind::Nonsense);
        if query.contains("rate(") && !is_nonsense && at <= self.clock.now() {
            let is_load = |value: &f64| value.is_finite() && *value >= 0.0;
            // Whatever a counter had counted before it was reset within this minute is lost.
            let grown = |minute: Time, value| if self.is_reset(minute) { 0.0 } else { value };
            return rate(at, |minute| self.sample(minute, kind).filter(is_load).map(|v| grown(minute, v)));
        }
        self.sample(at, kind)
    }
}

impl Source {
    fn is_reset(&self, minute: Time) -> bool {
        self.world.fault(minute).is_some_and(|f| f.kind == Kind::Reset)
    }

    /// What Prometheus reports about the counter: how often it was reset within the range, nothing if there is no
    /// series. A failed scrape ends a series; if no scrape is made, its last sample is valid for five minutes.
    fn restarts(&self, at: Time, kind: Option<Kind>) -> Option<f64> {
        let is_away = |f: Fault| matches!(f.kind, Kind::Restarted | Kind::Vanished);
        let minutes = || (0..5).map(|i| at - Span::minutes(i));
        let since_away = minutes().take_while(|minute| !self.world.fault(*minute).is_some_and(is_away));
        let is_there =
            at <= self.clock.now() && since_away.into_iter().any(|m| self.sample(m, kind).is_some());
        let begins = |f: &&Fault| match f.kind {
            Kind::Restarted => at - RANGE < f.to && f.to <= at,
            Kind::Reset => at - RANGE < f.from && f.from <= at,
            _ => false,
        };
        is_there.then(|| self.world.faults.iter().filter(begins).count() as f64)
    }
}

#[tonic::async_trait]
impl Backend for Source {
    async fn range(&self, query: &RangeQuery) -> Result<Reading, SourceError> {
        let kind = self.answers()?;
        Ok(query.answer(|at| self.yielded(&query.query, at, kind)))
    }

    async fn instant(&self, query: &str, at: Time) -> Result<Option<f64>, SourceError> {
        let kind = self.answers()?;
        Ok(self.yielded(query, at, kind))
    }

    async fn counters(&self, question: &RangeQuery) -> Result<Option<Reading>, SourceError> {
        let kind = self.answers()?;
        Ok(Some(question.answer(|at| self.restarts(at, kind))))
    }

    async fn began(&self) -> Result<Option<Time>, SourceError> {
        let kind = self.answers()?;
        let now = self.clock.now();
        if kind == Some(Kind::Neighbour) {
            return Ok(self.world.fault(now).map(|f| f.from));
        }
        // A neighbour answers while the first source is down; the first starts afresh when it is back.
        let is_away = |f: &&Fault| matches!(f.kind, Kind::Down | Kind::Neighbour);
        let returns = self.world.faults.iter().filter(is_away).map(|f| f.to).filter(|to| *to <= now);
        Ok(returns.max())
    }

    fn clock_skew(&self, now: Time) -> Option<Span> {
        let is_skewed = self.world.fault(now).is_some_and(|f| f.kind == Kind::Skewed);
        Some(if is_skewed { Span::seconds(90) } else { Span::ZERO })
    }

    fn label(&self) -> &str {
        "world"
    }
}
