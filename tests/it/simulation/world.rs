//! What a seed makes: a load, the faults that befall whoever asks for it, and the workloads that hang on it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use forescale::history::Series;
use forescale::serve::{Clock, SteppedClock};
use forescale::source::synthetic::{Profile, Recipe};
use forescale::source::{Backend, RangeQuery, Reading, SourceError};
use forescale::units::{Dice, Span, Step, Time};

/// What can go wrong with a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No connection.
    Refused,
    /// No answer in time.
    TimesOut,
    /// The metric is gone for a while; its samples never come.
    Vanished,
    /// The exporter sends what is no load.
    Nonsense,
    /// Samples come minutes late.
    Late,
    /// Clocks differ by a minute and a half.
    Skewed,
    /// Only the last two hours are still kept.
    Forgetful,
    /// The source is down, gathers no samples meanwhile, and returns with ranges that have to refill.
    Down,
    /// The target is gone and comes back with a counter that begins anew; the source answers all the while.
    Restarted,
    /// The counter of the target begins anew from one scrape to the next; what it counted between them is lost.
    Reset,
    /// Another source answers, which gathers samples only since then; afterwards the first is back, without them.
    Neighbour,
}

/// A fault and when it holds, `[from, to)`.
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
    /// The override it has from some instant on: until when, and how many.
    pub r#override: Option<(Time, Time, u32)>,
}

/// Everything of one seed.
pub struct World {
    pub begin: Time,
    pub load: Series,
    pub faults: Vec<Fault>,
    pub triggers: Vec<Trigger>,
    /// When the first server restarts; the second never does.
    pub restarts: Vec<Time>,
}

/// The world's source, as one server sees it.
pub struct Source {
    world: Arc<World>,
    clock: Arc<SteppedClock>,
}

/// Days before the begin that a source remembers.
const HISTORY: i64 = 8;
/// The range of the queries that count: `rate(requests_total[3m])`.
pub const RANGE: Span = Span::minutes(3);
/// What is played.
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
        // Quiet nights for those that sleep: what is little becomes nothing.
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
            // From a scrape that is missed to a night without Prometheus.
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

    /// The fault that holds at an instant.
    pub fn fault(&self, at: Time) -> Option<Fault> {
        self.faults.iter().find(|f| f.from <= at && at < f.to).copied()
    }

    /// The end of the last fault that began by then.
    pub fn troubled_until(&self, at: Time) -> Time {
        self.faults.iter().filter(|f| f.from <= at).map(|f| f.to).max().unwrap_or(Time::MIN)
    }

    /// Whether what came late may still be a gap to who was there and none to who came later: until the next fit reads
    /// it again, and for good where the source showed only its last hours by then.
    pub fn is_divided(&self, now: Time, fit: Time) -> bool {
        // What a neighbour gathered is known only to who asked it.
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

    /// The last fault that has begun; the begin of the world before the first.
    pub fn last_fault(&self, at: Time) -> Fault {
        let begun = self.faults.iter().rfind(|f| f.from <= at).copied();
        begun.unwrap_or(Fault { kind: Kind::Late, from: self.begin, to: self.begin })
    }

    /// Whether samples have come again after a gap, and the query's range has not filled with them yet.
    pub fn is_refilling(&self, now: Time, trigger: &Trigger) -> bool {
        let last = self.last_fault(now);
        let leaves_gap = matches!(
            last.kind,
            Kind::Down | Kind::Restarted | Kind::Vanished | Kind::Neighbour | Kind::Reset
        );
        let refill = if trigger.is_rated() { RANGE } else { Span::ZERO };
        leaves_gap && last.to <= now && now < last.to + refill
    }

    /// What a query of a rate yields where nothing is missing.
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

/// What Prometheus makes of a counter that grows by the value of each minute, of those minutes that it has: two at
/// least, extrapolated to the ends of the range where they are near.
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
    /// The metadata that KEDA sends at an instant: a person patches the override in, and later forgets about it.
    pub fn metadata(&self, now: Time) -> HashMap<String, String> {
        let mut keys = self.keys.clone();
        if let Some((from, until, replicas)) = self.r#override
            && from <= now
        {
            keys.insert("override".to_owned(), format!("replicas={replicas} until={until} reason=test"));
        }
        keys
    }

    /// Whether its query counts over a range.
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

    /// Fails where nobody answers.
    fn answers(&self) -> Result<Option<Kind>, SourceError> {
        let target = "http://prometheus".to_owned();
        match self.world.fault(self.clock.now()).map(|f| f.kind) {
            Some(Kind::Refused | Kind::Down) => {
                Err(SourceError::Unreachable { target, reason: "refused".to_owned() })
            }
            Some(Kind::TimesOut) => Err(SourceError::Timeout { target, after: Duration::from_secs(10) }),
            kind => Ok(kind),
        }
    }

    /// The sample of an instant, as it can be had now.
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

    /// What a query yields at an instant.
    fn yielded(&self, query: &str, at: Time, kind: Option<Kind>) -> Option<f64> {
        let is_nonsense = self.world.fault(at).is_some_and(|f| f.kind == Kind::Nonsense);
        if query.contains("rate(") && !is_nonsense && at <= self.clock.now() {
            let is_load = |value: &f64| value.is_finite() && *value >= 0.0;
            // What a counter had counted before it began anew within this minute is lost.
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

    /// What Prometheus tells of the counter: how often it began anew within the range, nothing where it has no series. A
    /// scrape that fails ends a series; where none is made, its last sample stands for five minutes.
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
        // A neighbour answers where the first is down; that one starts anew when it is back.
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
