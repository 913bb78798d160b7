//! Plays a scenario: processes read the recordings and decide, exactly as the server's loops do.

use std::collections::{BTreeMap, HashMap};

use forescale::decide::{Blind, Circumstances, Decision, Recording, Session, SignalTraces, Traces};
use forescale::history::{LeadSample, Series};
use forescale::policy::{Event, Policy, ServiceRate, SignalKind};
use forescale::source::{Catalogue, ServerConfig};
use forescale::units::{Span, Step, Time};

use super::report;
use super::script::{Ask, Script};

type Answer = Result<Decision, Blind>;

/// The text of the scenario with the actual decisions in place of the expected ones.
pub(super) fn play(script: &Script) -> Result<String, String> {
    let world = World::new(script)?;
    let mut out = String::new();
    let mut copied = 0;
    for question in &script.questions {
        let told = match &question.ask {
            Ask::At(instants) => world.at(instants, question.relative),
            Ask::Changes(from, to, every) => world.changes(*from, *to, *every, question.relative),
            Ask::Explain(at) => world.explain(*at),
        };
        script.lines[copied..=question.line].iter().for_each(|line| out.extend([line, "\n"]));
        told.iter().for_each(|line| out.extend(["    ", line, "\n"]));
        // Blank lines after the expectations are kept.
        copied = question.until;
    }
    script.lines[copied..].iter().for_each(|line| out.extend([line.as_str(), "\n"]));
    Ok(out)
}

/// The events of a server's configuration.
fn events(block: &str) -> Result<Vec<Event>, String> {
    if block.is_empty() {
        return Ok(Vec::new());
    }
    let indented: String = block.lines().map(|line| format!("  {line}\n")).collect();
    let config = ServerConfig::parse(&format!("events:\n{indented}"), &BTreeMap::new());
    config.map(|config| config.events).map_err(|e| e.to_string())
}

struct World<'a> {
    script: &'a Script,
    /// Policies by the instant from which they apply, each with the recordings of its queries.
    policies: Vec<(Time, Policy, Recording)>,
}

/// One running scaler: its session starts afresh with each process and each policy.
struct Process {
    begun: Time,
    session: Option<(Time, Session)>,
    /// The last instant asked about.
    asked: Option<Time>,
}

impl<'a> World<'a> {
    fn new(script: &'a Script) -> Result<Self, String> {
        let mut catalogue = Catalogue::new(script.start);
        for (name, text) in &script.calendars {
            catalogue.add_calendar(name, text).map_err(|e| e.to_string())?;
        }
        catalogue.set_events(events(&script.events)?);
        catalogue.add("scenario", &script.policy).map_err(|e| e.to_string())?;
        let begin = (Time::MIN, BTreeMap::new());
        let mut policies = Vec::new();
        for (from, patch) in std::iter::once(&begin).chain(&script.patches) {
            let mut metadata: HashMap<String, String> =
                patch.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            metadata.insert("policy".to_owned(), "scenario".to_owned());
            let keys = catalogue.keys_with(&metadata, &catalogue.events_of("shop", "web"));
            let policy = Policy::from_keys(&keys).map_err(|e| e.to_string())?;
            let recording = recording(script, &policy);
            policies.push((*from, policy, recording));
        }
        Ok(World { script, policies })
    }

    fn at(&self, instants: &[Time], relative: bool) -> Vec<String> {
        let mut first = self.process(None);
        let mut second = self.process(self.script.replica);
        let mut told = Vec::new();
        for &at in instants {
            let answer = self.ask(&mut first, at);
            told.push(report::line(&self.stamp(at, relative), &answer));
            if self.script.replica.is_some_and(|begun| begun <= at) {
                let other = self.ask(&mut second, at);
                told.push(match other == answer {
                    true => format!("{}  the second replica answers the same", self.stamp(at, relative)),
                    false => report::line(&format!("{} second replica:", self.stamp(at, relative)), &other),
                });
            }
        }
        told
    }

    fn changes(&self, from: Time, to: Time, every: Span, relative: bool) -> Vec<String> {
        let mut process = self.process(None);
        let (mut told, mut before) = (Vec::new(), String::new());
        let mut at = from;
        while at <= to {
            let line = report::short(&self.ask(&mut process, at));
            if line != before {
                told.push(format!("{}  {line}", self.stamp(at, relative)));
                before = line;
            }
            at = at + every;
        }
        told
    }

    fn explain(&self, at: Time) -> Vec<String> {
        match self.ask(&mut self.process(None), at) {
            Ok(decision) => decision.to_string().lines().map(str::to_owned).collect(),
            Err(blind) => vec![format!("UNAVAILABLE {blind}")],
        }
    }

    /// A scaler that has been running for long, or since `begun`.
    fn process(&self, begun: Option<Time>) -> Process {
        Process { begun: begun.unwrap_or(self.script.start - Span::days(1)), session: None, asked: None }
    }

    fn ask(&self, process: &mut Process, at: Time) -> Answer {
        // Between two instants only the skew of clocks is remembered: then every poll must be run.
        let grid = Step::QUARTER_MINUTE.span();
        if let Some((from, _, _)) = self.script.skewed.iter().find(|s| s.0 <= at && at < s.1) {
            let mut poll = process.asked.map_or(*from - grid, |asked| (asked + grid).max(*from - grid));
            while poll < at {
                let _ = self.tick(process, poll);
                poll = poll + grid;
            }
        }
        process.asked = Some(at);
        self.tick(process, at)
    }

    fn tick(&self, process: &mut Process, at: Time) -> Answer {
        let restart = self.script.restarts.iter().copied().filter(|r| *r <= at).max();
        if let Some(restart) = restart.filter(|r| process.begun < *r) {
            process.begun = restart;
            process.session = None;
        }
        let Some((since, policy, recording)) = self.policies.iter().rfind(|p| p.0 <= at) else {
            return Err(Blind::Warming { missing: "a policy".to_owned() });
        };
        if process.session.as_ref().is_none_or(|(of, _)| of != since) {
            process.session = Some((*since, Session::new(policy, self.script.phase, at)));
        }
        let seen = recording.known_at(policy, self.script.phase, process.begun, at);
        match &mut process.session {
            Some((_, session)) => session.step(&seen, policy, at),
            None => Err(Blind::Warming { missing: "a session".to_owned() }),
        }
    }

    fn stamp(&self, at: Time, relative: bool) -> String {
        report::stamp(at, relative.then_some(self.script.start), self.script.zone)
    }
}

/// The series named by the policy's queries.
fn recording(script: &Script, policy: &Policy) -> Recording {
    let named = |query: &str| -> Option<Series> { script.series.get(query).cloned() };
    let signals = policy.signals.iter().map(|signal| {
        let mut traces = SignalTraces { load: named(&signal.query), ..SignalTraces::default() };
        if let SignalKind::Queue(Some(drain)) = &signal.kind {
            traces.arrivals = named(&drain.arrivals);
            if let ServiceRate::Measured(query) = &drain.service {
                traces.completions = named(query);
            }
        }
        traces
    });
    let of = |query: &Option<String>| named(query.as_ref()?);
    let lead = |&(at, seconds, from_zero): &(Time, f64, bool)| LeadSample { at, seconds, from_zero };
    let traces = Traces {
        signals: signals.collect(),
        replicas: of(&policy.queries.replicas),
        errors: of(&policy.queries.errors),
        rejected: of(&policy.queries.rejected),
        in_flight: of(&policy.queries.in_flight),
        leads: script.leads.iter().map(lead).collect(),
        service: None,
    };
    let circumstances = Circumstances {
        down: script.down.clone(),
        unread: script.unread.clone(),
        skewed: script.skewed.clone(),
        grace: script.grace,
    };
    Recording::new(policy, traces, circumstances)
}
