//! Forescale itself in the twin: the same `prepare`, `follow` and `decide` as in the server, called when the server
//! is called.
//!
//! Samples become known with the metric's delay. Fits belong to the 6-hour grid and come into use five minutes after
//! their grid point. Decisions are renewed on the grid of `pollStep`. Several insurance settings run side by side on
//! one forecast, so a sweep costs little more than a run. Nothing here knows a sample before its time.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::exporters::Exporters;
use super::run::{Moment, Session, Strategy, Target};
use super::{ConfigError, Load, Run};
use crate::decide::{self, ForecastView, Prepared, decide, usable_from};
use crate::forecast::Trust;
use crate::history::{Observations, Sample, Series};
use crate::plan::Insured;
use crate::policy::Policy;
use crate::units::{Span, Step, Threshold, Time};

/// The data that the server would have had at an instant, and what it had prepared.
struct Server<'a> {
    load: &'a Load,
    delay: Span,
    policy: &'a Policy,
    /// Data that does not change between two samples; `newest` and `replicas` hold what the current poll sees.
    observations: Observations,
    history: Arc<Series>,
    followed: decide::Session,
    scraped: Scraped,
}

/// Replicas by poll and count since the last sample. Most insurance settings see the same.
#[derive(Default)]
struct Scraped(BTreeMap<(Time, u32), Arc<Series>>);

/// One insurance setting with its own replicas.
struct Asker<'s> {
    load: &'s Load,
    delay: Span,
    policy: &'s Policy,
    observations: &'s mut Observations,
    scraped: &'s mut Scraped,
    prepared: &'s Prepared,
    memory: &'s mut Memory,
    keeps_views: bool,
}

/// The memory of one insurance setting between calls: the newest decision, as in the server's handlers.
#[derive(Default)]
struct Memory {
    last: Option<(Time, u32, Option<f64>)>,
    views: Vec<(Time, ForecastView)>,
    trust: Option<Trust>,
    exporters: Option<Exporters>,
    used: Vec<(Time, Threshold)>,
}

/// A run of Forescale with its forecasts.
#[derive(Debug, Clone, Default)]
pub struct Foreseen {
    /// The rows and their score.
    pub run: Run,
    /// The forecast of every decision that followed a new sample.
    pub views: Vec<(Time, ForecastView)>,
    /// Who predicted at the end; `None` if no decision used a forecast.
    pub trust: Option<Trust>,
    /// If the capacity is learned and used: every change of the load per replica that took effect.
    pub used: Vec<(Time, Threshold)>,
}

/// How far the runs of a sweep have come, for the decision which of them are still worth their time.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    /// The share of the scored span that has passed, 0 to 1.
    pub passed: f64,
    /// For each setting, the time short so far in percent of the whole scored span, so it can only grow; `None` for
    /// one that was given up.
    pub short: &'a [Option<f64>],
}

/// One insurance setting with its cluster; `None` is the policy's own insurance.
struct Stream<'a> {
    number: usize,
    insurance: Option<Insured>,
    session: Session<'a>,
    memory: Memory,
    /// The time short in the part of the scored span that [`Progress`] has told of.
    short: Span,
}

/// How often the progress of a sweep is told.
const TOLD_EVERY: Span = Span::DAY;

/// Runs a policy over a load once for each insurance setting, side by side, in the policy's mode. `None` is the
/// policy's own insurance.
pub fn run_forescale(
    load: &Load,
    target: &Target,
    policy: &Policy,
    insurances: &[Option<Insured>],
) -> Result<Vec<Foreseen>, ConfigError> {
    let runs = run_while_needed(load, target, policy, insurances, &mut |_| Vec::new())?;
    Ok(runs.into_iter().flatten().collect())
}

/// The same, but after each day of the scored span `given_up` may name settings, by their index, that need not be run
/// to the end. They are `None` in the result.
pub(super) fn run_while_needed(
    load: &Load,
    target: &Target,
    policy: &Policy,
    insurances: &[Option<Insured>],
    given_up: &mut dyn FnMut(&Progress<'_>) -> Vec<usize>,
) -> Result<Vec<Option<Foreseen>>, ConfigError> {
    let mut streams = Vec::with_capacity(insurances.len());
    for (number, &insurance) in insurances.iter().enumerate() {
        streams.push(Stream::new(number, insurance, load, target, policy)?);
    }
    let Some(first) = streams.first() else { return Ok(Vec::new()) };
    let (mut now, scored) = (first.session.origin(), first.session.scored());
    let mut told = scored.start;
    let mut server = Server::new(load, target.metric_delay, policy);
    while now < scored.end {
        server.follow_to(now);
        let next = server.next_event(now).min(scored.end);
        streams.iter_mut().for_each(|stream| stream.advance(&mut server, next, next == scored.end));
        now = next;
        if now >= told + TOLD_EVERY && now < scored.end {
            let mut short = vec![None; insurances.len()];
            let whole = scored.end.since(scored.start).as_seconds() as f64;
            for stream in &mut streams {
                stream.short = stream.short + stream.session.short(told, now);
                short[stream.number] = Some(100.0 * stream.short.as_seconds() as f64 / whole);
            }
            told = now;
            let passed = now.since(scored.start).as_seconds() as f64 / whole;
            let dropped = given_up(&Progress { passed, short: &short });
            streams.retain(|stream| !dropped.contains(&stream.number));
        }
    }
    let mut runs: Vec<Option<Foreseen>> = vec![None; insurances.len()];
    for stream in streams {
        let number = stream.number;
        runs[number] = Some(stream.finish());
    }
    Ok(runs)
}

// === impl Stream ===

impl<'a> Stream<'a> {
    fn new(
        number: usize,
        insurance: Option<Insured>,
        load: &'a Load,
        target: &Target,
        policy: &Policy,
    ) -> Result<Self, ConfigError> {
        let session = Session::new(load, target)?;
        let exporters = Exporters::of(policy, target, session.origin());
        let memory = Memory { exporters, ..Memory::default() };
        Ok(Stream { number, insurance, session, memory, short: Span::ZERO })
    }

    /// Lets the cluster act until `next`, which is excluded unless it is the last instant.
    fn advance(&mut self, server: &mut Server<'_>, next: Time, is_last: bool) {
        let own = self.insurance.map(|insured| server.followed.prepared().insured(insured));
        let mut asker = server.asked(own.as_ref(), &mut self.memory, self.insurance.is_none());
        if is_last {
            self.session.advance(&mut asker, next);
        } else {
            self.session.advance_before(&mut asker, next);
        }
    }

    fn finish(self) -> Foreseen {
        let Memory { views, trust, used, .. } = self.memory;
        Foreseen { run: self.session.finish(), views, trust, used }
    }
}

// === impl Server ===

impl<'a> Server<'a> {
    fn new(load: &'a Load, delay: Span, policy: &'a Policy) -> Self {
        let step = Step::new(load.step()).unwrap_or(Step::MINUTE);
        // Warming up is for a server that has just started; this one has run all along.
        let long_ago = load.start() - Span::DAY;
        Server {
            load,
            delay,
            policy,
            observations: Observations::none(policy.signals.len(), long_ago),
            history: Arc::new(Series::new(load.start(), step)),
            followed: decide::Session::new(policy, Span::ZERO, long_ago).untold(),
            scraped: Scraped::default(),
        }
    }

    /// The next instant at which a sample or a fit comes into use.
    fn next_event(&self, now: Time) -> Time {
        let sample = self.history.time(self.history.len()) + self.delay;
        let fit = usable_from(self.followed.prepared().at + Span::hours(6));
        sample.min(fit).max(now + Span::seconds(1))
    }

    /// Takes in the data that became known up to `now`, then fits or follows.
    fn follow_to(&mut self, now: Time) {
        let seen = self.load.seen_at(now, self.delay).slots().len();
        self.scraped.0.clear();
        self.observations.replicas = None;
        for signal in &mut self.observations.signals {
            // Dropped, so that the only copy can grow in place.
            signal.load = None;
            // Fits and updates use only settled samples.
            signal.newest = None;
        }
        let history = Arc::make_mut(&mut self.history);
        while history.len() < seen {
            let at = history.time(history.len());
            history.push(if self.load.is_observed(at) { self.load.at(at) } else { f64::NAN });
        }
        for signal in &mut self.observations.signals {
            signal.load = (!self.history.is_empty()).then(|| Arc::clone(&self.history));
        }
        self.followed.follow(&self.observations, self.policy, now);
    }

    /// Prepares the polls until the next sample, with the fit in use or the same fit with another insurance.
    fn asked<'s>(
        &'s mut self,
        insured: Option<&'s Prepared>,
        memory: &'s mut Memory,
        keeps_views: bool,
    ) -> Asker<'s> {
        Asker {
            load: self.load,
            delay: self.delay,
            policy: self.policy,
            observations: &mut self.observations,
            scraped: &mut self.scraped,
            prepared: insured.unwrap_or(self.followed.prepared()),
            memory,
            keeps_views,
        }
    }
}

// === impl Scraped ===

impl Scraped {
    fn at(&mut self, now: Time, running: u32) -> Arc<Series> {
        let series = || Arc::new(Series::from_values(now, Step::QUARTER_MINUTE, [f64::from(running)]));
        Arc::clone(self.0.entry((now, running)).or_insert_with(series))
    }
}

// === impl Asker ===

impl Asker<'_> {
    /// The observations at an instant of the poll grid, besides the history: the newest value and the replicas.
    fn observe(&mut self, now: Time, running: u32) {
        for (signal, history) in self.policy.signals.iter().zip(&mut self.observations.signals) {
            let at = (now - self.delay).floor_to(signal.poll_step.span(), Span::ZERO);
            let known = self.load.is_observed(at).then(|| self.load.at(at));
            history.newest = known.map(|value| Sample { at, value });
        }
        self.observations.replicas = Some(self.scraped.at(now, running));
    }
}

impl Strategy for Asker<'_> {
    fn wants(&mut self, now: &Moment<'_>) -> Option<f64> {
        let poll = self.policy.signals.first().map_or(Step::QUARTER_MINUTE, |s| s.poll_step);
        let tick = now.at.floor_to(poll.span(), Span::ZERO);
        if let Some((_, _, want)) = self.memory.last.filter(|last| last.0 == tick) {
            return want;
        }
        // Replicas are scraped: their known value is that of the previous poll.
        let running = self.memory.last.map_or(now.desired, |last| last.1);
        self.observe(tick, running);
        let taught = self.memory.exporters.as_mut().map(|exporters| {
            exporters.follow(self.load, now.ready, self.observations, self.policy, tick);
            exporters.taught(self.prepared)
        });
        let prepared = taught.as_ref().unwrap_or(self.prepared);
        let decision = decide(prepared, self.observations, self.policy, tick).ok();
        let used = decision.as_ref().and_then(|d| d.capacity.as_ref()).map(|view| view.used);
        if let Some(used) = used.filter(|used| self.memory.used.last().is_none_or(|last| last.1 != *used)) {
            self.memory.used.push((tick, used));
        }
        let want = decision.as_ref().map(|d| f64::from(d.replicas.get()));
        let is_new = self.memory.views.last().is_none_or(|last| last.0 + self.load.step() <= tick);
        if let Some(view) = decision.and_then(|d| d.forecast) {
            self.memory.trust = Some(view.trust);
            if is_new && self.keeps_views {
                self.memory.views.push((tick, view));
            }
        }
        self.memory.last = Some((tick, now.desired, want));
        want
    }
}
