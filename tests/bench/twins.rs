//! Two server processes over one real Prometheus through a simulated week: every decision of theirs is the same.
//!
//! They share nothing but the source. Each gets the time line by line and answers with a digest of every decision; one
//! of them is killed half-way and begun anew. `TWINS_DAYS` (7), `TWINS_WORKLOADS` (1000), `TWINS_QUERIES` (200) and
//! `TWINS_EACH_MINUTES` (5), how often KEDA asks, shorten it.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench reads the clock and tells what it measured"
)]

#[allow(dead_code, reason = "shared with the integration tests")]
#[path = "../it/support/prometheus.rs"]
mod prometheus;
#[allow(dead_code, reason = "shared with the integration tests")]
#[path = "../it/support/server.rs"]
mod server;

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use forescale::decide::State;
use forescale::keda::DecisionProvider;
use forescale::policy::{SourceRef, WorkloadId};
use forescale::serve::{self, Clock, Registry, SteppedClock};
use forescale::source::{Backend, Backends, DataSources, RangeQuery, Reading, ServerConfig, SourceError};
use forescale::units::{Span, Time};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use prometheus::{Backfill, Prometheus};

/// Series behind the queries; each query is one of them by a factor of its own.
const SERIES: usize = 20;
/// Learned from, before the week begins.
const HISTORY: i64 = 28 * 86_400;

fn count(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|a| a == "--source") {
        Some(at) => serve_by_line(&arguments[at + 1]).await,
        None => compare().await,
    }
}

// === the one that compares ===

async fn compare() {
    let (days, each) = (count("TWINS_DAYS", 7) as i64, 60 * count("TWINS_EACH_MINUTES", 5) as i64);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let begin = (now / 86_400 - days) * 86_400;
    let series: Vec<_> =
        (0..SERIES as i64).map(|n| wave(n, begin - HISTORY - 86_400, begin + days * 86_400)).collect();
    let source = Prometheus::start(&series).await;
    let begun = Instant::now();
    let (mut steady, mut renewed) = (Twin::start(&source.url()), Twin::start(&source.url()));
    let (mut compared, mut with_forecast, mut answers) = (0_usize, 0_usize, BTreeMap::<u32, usize>::new());
    let polls = days * 86_400 / each;
    for poll in 0..polls {
        if poll == polls / 2 {
            renewed = Twin::start(&source.url());
        }
        let at = begin + poll * each;
        steady.tell(at);
        renewed.tell(at);
        let (one, other) = (steady.hear(), renewed.hear());
        assert_eq!(one.len(), count("TWINS_WORKLOADS", 1_000));
        for (i, (one, other)) in one.iter().zip(&other).enumerate() {
            assert_eq!(one, other, "web-{i} at {}", Time::from_epoch(at));
            compared += 1;
            with_forecast += usize::from(one.has_forecast);
            *answers.entry(one.replicas).or_default() += 1;
        }
        if (poll + 1) % (polls / 7).max(1) == 0 {
            println!(
                "  {}: {compared} decisions compared after {:.0?}",
                Time::from_epoch(at),
                begun.elapsed()
            );
        }
    }
    println!(
        "twins: {compared} decisions of two processes over {days} days compared, all the same; {with_forecast} with a \
         forecast, {} different answers, {:.0?}",
        answers.len(),
        begun.elapsed()
    );
    // A comparison of nothing would agree as well.
    assert!(
        with_forecast * 10 >= compared * 9 && answers.len() > 10,
        "{with_forecast} of {compared}: {answers:?}"
    );
}

/// A day's wave and a week's with noise that repeats, one sample a minute.
fn wave(n: i64, from: i64, to: i64) -> Backfill {
    let value = |minute: i64| {
        let day = ((minute + n * 67) as f64 / 1_440.0 * std::f64::consts::TAU).sin();
        let weekend = if (minute / 1_440 + 4) % 7 >= 5 { 0.5 } else { 1.0 };
        let noise = ((minute ^ n).wrapping_mul(2_654_435_761) >> 8 & 0xFF) as f64 / 16.0;
        (40.0 + 7.0 * n as f64) * weekend * (1.2 + day) + noise
    };
    Backfill {
        metric: format!("load_{n}"),
        points: (from / 60..=to / 60).map(|m| (m * 60, value(m))).collect(),
    }
}

/// One server process.
struct Twin {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What was decided for one workload.
#[derive(Debug, PartialEq)]
struct Said {
    replicas: u32,
    has_forecast: bool,
    /// Of the whole decision, reasons and forecast included.
    digest: u64,
}

impl Twin {
    fn start(source: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--source", source])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Twin { child, input, output }
    }

    fn tell(&mut self, at: i64) {
        writeln!(self.input, "{at}").expect("it lives");
    }

    fn hear(&mut self) -> Vec<Said> {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it lives");
        let one = |text: &str| {
            let mut parts = text.split(':');
            let mut next = || parts.next().unwrap_or_else(|| panic!("'{text}'"));
            Said {
                replicas: next().parse().expect("a number"),
                has_forecast: next() == "1",
                digest: u64::from_str_radix(next(), 16).expect("a digest"),
            }
        };
        line.split_whitespace().map(one).collect()
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === the one that serves ===

/// The source as it would be at the time that is played: its clock is the reader's.
struct InTime(Arc<dyn Backend>);

#[tonic::async_trait]
impl Backend for InTime {
    async fn range(&self, query: &RangeQuery) -> Result<Reading, SourceError> {
        self.0.range(query).await
    }

    async fn instant(&self, query: &str, at: Time) -> Result<Option<f64>, SourceError> {
        self.0.instant(query, at).await
    }

    fn clock_skew(&self, _now: Time) -> Option<Span> {
        None
    }

    fn label(&self) -> &str {
        self.0.label()
    }
}

/// Asks for every workload at each instant that comes in, and tells what was decided.
async fn serve_by_line(source: &str) {
    let config =
        format!("datasources: {{default: {{url: '{source}', maxConcurrent: 16, maxPerSecond: 100000}}}}");
    let config = ServerConfig::parse(&config, &BTreeMap::new()).expect("a configuration");
    let source =
        DataSources::new(&config).resolve(&SourceRef::Named("default".to_owned()), "shop").expect("known");
    let source = Arc::new(Arc::new(InTime(source)));
    let stop = CancellationToken::new();
    let clock = Arc::new(SteppedClock::new(Time::MIN));
    let mut registry: Option<Arc<Registry>> = None;
    for line in std::io::stdin().lines() {
        let at = Time::from_epoch(line.expect("a line").parse().expect("an instant"));
        let registry = match &registry {
            Some(registry) => registry,
            None => {
                // It begins an hour before it has to answer: four weeks of two hundred queries are no matter of a moment.
                clock.set(at - Span::HOUR);
                let begun = serve::registry(&server::parts(
                    source.clone(),
                    Arc::clone(&clock) as Arc<dyn Clock>,
                    &stop,
                ));
                for minutes in (5..=60).rev().step_by(5) {
                    decided(&begun, &clock, at - Span::minutes(minutes)).await;
                }
                registry.insert(begun)
            }
        };
        let states = decided(registry, &clock, at).await;
        let said: Vec<_> = states.iter().map(|state| told(state, at)).collect();
        println!("{}", said.join(" "));
    }
}

/// What is decided for each workload at an instant.
async fn decided(registry: &Registry, clock: &SteppedClock, at: Time) -> Vec<State> {
    clock.set(at);
    let states: Vec<_> = (0..count("TWINS_WORKLOADS", 1_000)).map(|i| ask(registry, i)).collect();
    registry.decided(at).await;
    states.iter().map(|state| state.borrow().clone()).collect()
}

fn ask(registry: &Registry, i: usize) -> watch::Receiver<State> {
    let id = WorkloadId::new("shop", &format!("web-{i}"), "forescale").expect("names");
    let n = i % count("TWINS_QUERIES", 200);
    let query = format!("load_{} * {}", n % SERIES, 1 + n / SERIES);
    let pairs = [
        ("query", query.as_str()),
        ("threshold", "12.5"),
        ("pollStep", "5m"),
        ("maxReplicas", "400"),
        ("objective", ["cost", "balanced", "availability"][i % 3]),
        ("leadTime", ["1m", "3m", "8m", "20m"][i % 4]),
    ];
    let keys: HashMap<_, _> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let Ok(served) = registry.state(&id, &keys) else { panic!("good keys are refused") };
    served.state
}

fn told(state: &State, at: Time) -> String {
    let decision = state.as_ref().unwrap_or_else(|blind| panic!("{at}: {blind}"));
    assert_eq!(decision.at, at, "{decision}");
    let mut digest = DefaultHasher::new();
    format!("{decision:?}").hash(&mut digest);
    format!("{}:{}:{:016x}", decision.replicas, u8::from(decision.forecast.is_some()), digest.finish())
}
