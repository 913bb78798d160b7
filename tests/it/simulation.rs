//! Whole servers through seeded days of load and faults, by a clock that the test moves.
//!
//! Two servers query one faulty source; the first is killed and restarted at random minutes. At each minute every
//! invariant is checked against the simulated world itself, which the servers see only through the source. A failing
//! seed prints the command that replays it. `FORESCALE_SEEDS=FROM..TO` chooses seeds; by default a few are run.

mod world;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{Datelike, Timelike};
use forescale::decide::{Contributor, Decision, DegradationLevel, Reason, State};
use forescale::keda::DecisionProvider;
use forescale::policy::WorkloadId;
use forescale::serve::{self, Clock, Registry, SteppedClock};
use forescale::units::{Span, Time};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::world::{Fault, Kind, LENGTH, RANGE, Source, Trigger, World};
use crate::support::server::parts;

/// The seeds of a default run.
const SEEDS: std::ops::Range<u64> = 1..9;
/// Seeds that once found a bug.
const FOUND: [u64; 2] = [21, 278];
/// This long after a fault its effects are over: backoff, and the delay of samples.
const RECOVERED: Span = Span::minutes(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_trouble_makes_an_answer_unsafe() {
    let seeds = std::env::var("FORESCALE_SEEDS").ok();
    let seeds: Vec<u64> = match seeds {
        Some(text) => range(&text).expect("FORESCALE_SEEDS: expected FROM..TO").collect(),
        None => SEEDS.chain(FOUND).collect(),
    };
    let mut totals = Totals::default();
    for &seed in &seeds {
        let world = World::new(seed);
        let mut play = Play::new(&world);
        play.run().await;
        assert!(
            play.faults.is_empty(),
            "seed {seed}, play it again with FORESCALE_SEEDS={seed}..{} cargo test --release --test it simulation\n{}",
            seed + 1,
            story(&world, &play.faults)
        );
        totals.add(&play.totals);
    }
    println!("{} seeds: {totals:?}", seeds.len());
    // A check that never had anything to check would prove nothing.
    assert!(totals.decisions > 0 && totals.troubled > 0 && totals.zeros > 0 && totals.agreed > 0);
}

fn range(text: &str) -> Option<std::ops::Range<u64>> {
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

fn story(world: &World, faults: &[String]) -> String {
    let mut out = String::new();
    for Fault { kind, from, to } in &world.faults {
        let _ = writeln!(out, "  {kind:?} from {from} to {to}");
    }
    let _ = writeln!(
        out,
        "  restarts {}",
        world.restarts.iter().map(Time::to_string).collect::<Vec<_>>().join(", ")
    );
    for fault in faults.iter().take(12) {
        let _ = writeln!(out, "{fault}");
    }
    out
}

/// How often each check was made.
#[derive(Debug, Default)]
struct Totals {
    decisions: usize,
    troubled: usize,
    blind: usize,
    zeros: usize,
    agreed: usize,
}

impl Totals {
    fn add(&mut self, other: &Totals) {
        self.decisions += other.decisions;
        self.troubled += other.troubled;
        self.blind += other.blind;
        self.zeros += other.zeros;
        self.agreed += other.agreed;
    }
}

/// One server.
struct Process {
    registry: Arc<Registry>,
    begun: Time,
    _stop: DropGuard,
    /// The previous decision, by workload.
    before: HashMap<&'static str, Arc<Decision>>,
}

/// The run of one seed.
struct Play<'a> {
    world: &'a Arc<World>,
    clock: Arc<SteppedClock>,
    faults: Vec<String>,
    totals: Totals,
    /// Whether the first server read its history while only its last hours were kept.
    is_short: bool,
}

impl<'a> Play<'a> {
    fn new(world: &'a Arc<World>) -> Self {
        let clock = Arc::new(SteppedClock::new(world.begin));
        Play { world, clock, faults: Vec::new(), totals: Totals::default(), is_short: false }
    }

    fn process(&self) -> Process {
        let stop = CancellationToken::new();
        let source = Arc::new(Source::new(self.world, &self.clock));
        let parts = parts(source, self.clock.clone(), &stop);
        let registry = serve::registry(&parts);
        Process { registry, begun: self.clock.now(), _stop: stop.drop_guard(), before: HashMap::new() }
    }

    async fn run(&mut self) {
        let (mut first, mut second) = (self.process(), self.process());
        let minutes = LENGTH.as_seconds() / 60;
        for minute in 0..minutes {
            let now = self.world.begin + Span::minutes(minute);
            self.clock.set(now);
            if self.world.restarts.contains(&now) {
                first = self.process();
                self.is_short = self
                    .world
                    .fault(now)
                    .is_some_and(|f| matches!(f.kind, Kind::Forgetful | Kind::Neighbour));
            }
            for trigger in &self.world.triggers {
                let one = answer(&first, trigger, now).await;
                let two = answer(&second, trigger, now).await;
                self.check(trigger, now, &mut first, &one);
                self.check(trigger, now, &mut second, &two);
                self.compare(trigger, now, &first, (&one, &two));
            }
            if self.faults.len() > 20 {
                return;
            }
        }
    }

    fn fail(&mut self, trigger: &Trigger, now: Time, what: String) {
        self.faults.push(format!("{now} {}: {what}", trigger.name));
    }

    fn check(&mut self, trigger: &Trigger, now: Time, process: &mut Process, state: &State) {
        let before = process.before.get(trigger.name).cloned();
        let decision = match state {
            Ok(decision) => decision,
            Err(blind) => {
                self.totals.blind += 1;
                // A process that started blind has had nothing but an override, and the override ends.
                let began_blind = self.world.fault(now).is_some_and(|f| f.from <= process.begun);
                let by_word = |d: &Decision| d.reason == Reason::Need(Contributor::Override) && began_blind;
                if before.is_some_and(|before| !by_word(&before)) {
                    self.fail(trigger, now, format!("knew nothing any more: {blind}"));
                }
                process.before.remove(trigger.name);
                return;
            }
        };
        self.totals.decisions += 1;
        process.before.insert(trigger.name, Arc::clone(decision));
        let (answer, most) = (decision.replicas.get(), trigger.number("maxReplicas", 100));
        if let Some((from, until, replicas)) = trigger.r#override
            && from <= now
            && now < until + Span::MINUTE
        {
            // At the end of the override, the decision of the previous instant may still be valid.
            if now < until && answer != replicas.min(most) {
                self.fail(trigger, now, format!("{answer} where a person said {replicas}: {decision}"));
            }
            return;
        }
        if decision.at != now {
            self.fail(trigger, now, format!("decided at {}", decision.at));
        }
        let (least, most) = bounds(trigger, now, most);
        if !(least..=most).contains(&answer) {
            self.fail(trigger, now, format!("{answer} is not within {least} to {most}: {decision}"));
        }
        self.check_load(trigger, now, decision, (least, most));
        self.check_trouble(trigger, now, process.begun, decision, before.as_deref());
    }

    /// Never fewer replicas than the visible load needs, and never asleep while there is load.
    fn check_load(&mut self, trigger: &Trigger, now: Time, decision: &Decision, (least, most): (u32, u32)) {
        let answer = decision.replicas.get();
        let load = |at: Time| match trigger.is_rated() {
            true => self.world.whole_rate(at),
            false => self.world.load.slot_before(at).and_then(|i| self.world.load.get(i)).unwrap_or(0.0),
        };
        let visible = match self.world.fault(now) {
            None if self.world.troubled_until(now) + RECOVERED <= now => load(now),
            Some(Fault { kind: Kind::Forgetful | Kind::Skewed, .. }) => load(now),
            // A query without a counter is not affected by a reset.
            Some(Fault { kind: Kind::Reset, .. }) if !trigger.is_rated() => load(now),
            // A neighbour is believed once its ranges have filled; without a range, at once.
            Some(Fault { kind: Kind::Neighbour, .. }) if !trigger.is_rated() => return,
            Some(Fault { kind: Kind::Neighbour, from, .. }) if from + RANGE + Span::MINUTE <= now => return,
            // Samples are back, but do not show the whole load yet.
            None if self.world.is_refilling(now, trigger) => {
                let last = self.world.last_fault(now);
                // A neighbour that was there for longer than its ranges take to fill has shown the load until it went
                // away.
                let has_told = last.kind == Kind::Neighbour && last.from + RANGE + Span::MINUTE < last.to;
                load(if has_told { last.to } else { last.from } - Span::MINUTE)
            }
            // What was seen last.
            Some(fault) if fault.kind != Kind::Late => load(fault.from - Span::MINUTE),
            _ => return,
        };
        let is_awake = visible > f64::from(trigger.number("activationThreshold", 0));
        let needed = if is_awake { (visible / 20.0).ceil() as u32 } else { 0 }.clamp(least, most);
        if answer < needed {
            self.fail(trigger, now, format!("{answer} for a load of {visible} seen: {decision}"));
        }
        if answer == 0 {
            self.totals.zeros += 1;
            let lately = self.world.most(now - Span::minutes(9), now);
            let lately = if trigger.is_rated() { 0.0 } else { lately };
            if self.world.troubled_until(now) + Span::minutes(15) <= now && lately > 0.0 {
                self.fail(trigger, now, format!("asleep with a load of {lately} within ten minutes"));
            }
        }
    }

    /// A fault lowers no answer, and its effects end soon after it.
    fn check_trouble(
        &mut self,
        trigger: &Trigger,
        now: Time,
        begun: Time,
        decision: &Decision,
        before: Option<&Decision>,
    ) {
        let Some(fault) = self.world.fault(now) else {
            let is_over = self.world.troubled_until(now) + RECOVERED == now && begun + RECOVERED <= now;
            let is_short = self.is_short && begun > self.world.begin;
            let is_reactive = trigger.keys.get("mode").is_some_and(|mode| mode == "reactive");
            let expected = if is_reactive { DegradationLevel::ReactiveOnly } else { DegradationLevel::Fresh };
            if is_over && !is_short && decision.rung != expected {
                self.fail(trigger, now, format!("has not recovered: {decision}"));
            }
            if self.world.is_refilling(now, trigger)
                && let Some(before) = before
                && self.is_lowered(trigger, now, decision, before)
            {
                self.fail(trigger, now, format!("not refilled, and lowered {before}\n  to {decision}"));
            }
            return;
        };
        self.totals.troubled += 1;
        let Some(before) = before else { return };
        let hides_load = match fault.kind {
            Kind::Late | Kind::Forgetful => false,
            Kind::Reset => trigger.is_rated(),
            Kind::Neighbour => now < fault.from + RANGE && trigger.is_rated(),
            _ => true,
        };
        // Only once the fault was noticed, because a rate decays before it is gone.
        let decays = trigger.is_rated() && matches!(fault.kind, Kind::Restarted | Kind::Vanished);
        let unnoticed = Span::minutes(2) + if decays { RANGE } else { Span::ZERO };
        let is_noticed = fault.from + unnoticed <= now;
        if hides_load && is_noticed && self.is_lowered(trigger, now, decision, before) {
            self.fail(trigger, now, format!("{:?} lowered {}\n  to {decision}", fault.kind, before));
        }
    }

    /// Lowered by something that must not lower it. The schedule goes on, and a fit that falls due uses what was seen
    /// before.
    fn is_lowered(&self, trigger: &Trigger, now: Time, decision: &Decision, before: &Decision) -> bool {
        let is_new_fit = fit(decision) != fit(before);
        let is_scheduled = bounds(trigger, now, 100) != bounds(trigger, now - Span::MINUTE, 100);
        let by_word = before.reason == Reason::Need(Contributor::Override);
        !is_new_fit && !is_scheduled && !by_word && decision.replicas < before.replicas
    }

    /// Two servers give the same answer.
    fn compare(&mut self, trigger: &Trigger, now: Time, first: &Process, (one, two): (&State, &State)) {
        let (Ok(one), Ok(two)) = (one, two) else { return };
        let is_calm = self.world.fault(now).is_none() && self.world.troubled_until(now) + RECOVERED <= now;
        let is_settled = first.begun + Span::MINUTE <= now;
        let is_divided = fit(one).is_some_and(|fit| self.world.is_divided(now, fit));
        if is_calm && is_settled && !is_divided && !self.is_short {
            self.totals.agreed += 1;
            if (one.replicas, &one.needs, &one.forecast) != (two.replicas, &two.needs, &two.forecast) {
                self.fail(trigger, now, format!("two servers differ:\n  {one}\n  {two}"));
            }
        }
    }
}

fn fit(decision: &Decision) -> Option<Time> {
    decision.forecast.as_ref().map(|view| view.fitted_at)
}

/// The fewest and the most replicas that the keys allow at an instant, by the wall clock.
fn bounds(trigger: &Trigger, now: Time, most: u32) -> (u32, u32) {
    let least = trigger.number("minReplicas", 1);
    if trigger.name != "office" {
        return (least, most);
    }
    let local = now.to_utc().with_timezone(&chrono_tz::America::New_York);
    let is_open = local.weekday().num_days_from_monday() < 5 && (9..18).contains(&local.hour());
    (if is_open { 6 } else { least }, most.min(20))
}

/// Calls as KEDA does, and waits for the answer of this minute.
async fn answer(process: &Process, trigger: &Trigger, now: Time) -> State {
    let id = WorkloadId::new("shop", trigger.name, "forescale").expect("names");
    let metadata = trigger.metadata(now);
    let Ok(served) = process.registry.state(&id, &metadata) else {
        panic!("{}: refused at {now}", trigger.name)
    };
    process.registry.decided(now).await;
    served.state.borrow().clone()
}
