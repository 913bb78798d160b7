//! Whole servers through weeks and months of quiet days: two of them decide the same, and none leaks memory or tasks.
//!
//! The test moves the clock; the load is a function of the instant and the query. The run is short by default;
//! `SOAK_DAYS`, `SOAK_WORKLOADS`, `SOAK_QUERIES`, and `SOAK_SERVERS` set its size (see `tests/full/soak`).

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use forescale::decide::State;
use forescale::keda::DecisionProvider;
use forescale::policy::WorkloadId;
use forescale::serve::{self, Clock, Registry, SteppedClock};
use forescale::source::{Backend, RangeQuery, Reading, SourceError};
use forescale::units::{Span, Time};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::server::parts;

/// A Monday, UTC.
const BEGIN: Time = Time::from_epoch(1_791_763_200);
/// How often a workload is polled; the longest poll step allowed.
const POLL: Span = Span::minutes(5);
/// The largest ratio allowed between the memory of the last third and that of the second.
const FLAT: f64 = 1.02;

fn count(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A daily and a weekly wave with a height and a phase that depend on the query, and reproducible noise.
fn load(query: &str, at: Time) -> f64 {
    let seed = query.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let minute = at.epoch() / 60;
    let day = ((minute + (seed % 1_440) as i64) as f64 / 1_440.0 * std::f64::consts::TAU).sin();
    let weekend = if (minute / 1_440 + 4) % 7 >= 5 { 0.5 } else { 1.0 };
    let mut noise = (minute as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ seed.wrapping_mul(0xBF58_476D);
    noise ^= noise >> 29;
    (60.0 + (seed % 90) as f64) * weekend * (1.2 + day) + (noise % 16) as f64
}

struct Waves(Arc<SteppedClock>);

#[tonic::async_trait]
impl Backend for Waves {
    async fn range(&self, query: &RangeQuery) -> Result<Reading, SourceError> {
        let now = self.0.now();
        Ok(query.answer(|at| (at <= now).then(|| load(&query.query, at))))
    }

    async fn instant(&self, query: &str, at: Time) -> Result<Option<f64>, SourceError> {
        Ok(Some(load(query, at)))
    }

    fn clock_skew(&self, _now: Time) -> Option<Span> {
        None
    }

    fn label(&self) -> &str {
        "waves"
    }
}

/// One server, and the states it has given to KEDA.
struct Server {
    registry: Arc<Registry>,
    states: Vec<watch::Receiver<State>>,
    _stop: DropGuard,
}

impl Server {
    fn new(clock: &Arc<SteppedClock>) -> Self {
        let stop = CancellationToken::new();
        let source = Arc::new(Arc::new(Waves(Arc::clone(clock))));
        let parts = parts(source, clock.clone(), &stop);
        Server { registry: serve::registry(&parts), states: Vec::new(), _stop: stop.drop_guard() }
    }

    /// Calls as KEDA does: for each workload, and reads the state it gets.
    async fn ask(&mut self, workloads: usize, queries: usize, now: Time) {
        let state = |i: usize| {
            let name = format!("web-{i}");
            let id = WorkloadId::new("shop", &name, "forescale").expect("names");
            let query = format!("load_{}", i % queries);
            let pairs = [
                ("query", query.as_str()),
                ("threshold", "12.5"),
                ("pollStep", "5m"),
                ("objective", ["cost", "balanced", "availability"][i % 3]),
                ("leadTime", ["1m", "3m", "8m", "20m"][i % 4]),
            ];
            let keys: HashMap<_, _> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let Ok(served) = self.registry.state(&id, &keys) else { panic!("good keys are refused") };
            served.state
        };
        self.states = (0..workloads).map(state).collect();
        self.registry.decided(now).await;
    }
}

/// Resident memory of this process in bytes; `None` if the system does not report it.
fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? * 1_024.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_agree_and_leave_nothing_behind() {
    let (days, workloads) = (count("SOAK_DAYS", 1), count("SOAK_WORKLOADS", 12));
    let (queries, servers) = (count("SOAK_QUERIES", 4), count("SOAK_SERVERS", 2));
    let clock = Arc::new(SteppedClock::new(BEGIN));
    let mut servers: Vec<Server> = (0..servers).map(|_| Server::new(&clock)).collect();
    let (mut compared, mut decisions, mut least_seen) = (0_usize, 0_usize, u32::MAX);
    let mut marks = Vec::new();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let polls = days as i64 * 86_400 / POLL.as_seconds();
    for poll in 0..polls {
        let now = BEGIN + Span::seconds(poll * POLL.as_seconds());
        clock.set(now);
        if poll == polls / 2 && servers.len() > 1 {
            // One of them is restarted, as in a rolling upgrade.
            *servers.last_mut().expect("there are two") = Server::new(&clock);
        }
        for server in &mut servers {
            server.ask(workloads, queries, now).await;
        }
        for i in 0..workloads {
            let states: Vec<State> = servers.iter().map(|server| server.states[i].borrow().clone()).collect();
            let first = states[0].as_ref().unwrap_or_else(|blind| panic!("{now} web-{i}: {blind}"));
            // A whole number of replicas must not be rounded up because of a rounding error in the division.
            let needed = (load(&format!("load_{}", i % queries), now) / 12.5 - 1e-9).ceil() as u32;
            assert!(first.at == now && first.replicas.get() >= needed.min(100), "{now} web-{i}: {first}");
            least_seen = least_seen.min(first.replicas.get());
            decisions += 1;
            for other in &states[1..] {
                assert_eq!(Ok(first), other.as_ref(), "{now} web-{i}");
                compared += 1;
            }
        }
        if (poll + 1) % (polls / 9).max(1) == 0 {
            marks.push((resident().unwrap_or(0.0), tasks()));
            println!("{now}: {:.1} MiB, {} tasks", marks[marks.len() - 1].0 / 1_048_576.0, tasks());
        }
    }
    println!(
        "{decisions} decisions of {workloads} workloads on {queries} queries, {compared} compared, {days} days"
    );
    assert!(least_seen < u32::MAX && decisions > 0);
    // A peak in the middle of a fit is not a leak, so compare means over a third of the time each.
    let third = marks.len() / 3;
    let mean = |marks: &[(f64, usize)]| marks.iter().map(|mark| mark.0).sum::<f64>() / marks.len() as f64;
    let (early, late) = (&marks[third..2 * third], &marks[2 * third..]);
    let grown = mean(late) / mean(early);
    println!("memory of the last third: {grown:.4} times that of the second");
    let most = |marks: &[(f64, usize)]| marks.iter().map(|mark| mark.1).max().unwrap_or(0);
    assert!(most(late) <= most(early) + 2, "tasks: {marks:?}");
    // In a short run other tests share the process.
    if days >= 84 {
        assert!(grown <= FLAT, "memory: {marks:?}");
    }
}
