//! The fleet of ten thousand on the page, as JSON and as CSV: the time to the first byte, without and with KEDA's calls
//! beside it; and those calls without and with readers of the page. Each workload has its decision; the forecasts are
//! shared by few queries, which makes no difference to a reader.
//! `PAGE_WORKLOADS`, `PAGE_QUERIES`, `PAGE_SECONDS` and `SCALE_RATE` change it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::child::{Process, machine_load};
use super::{count, fake, prometheus, rpc, warm};

/// What people and programs read.
const PATHS: [(&str, &str); 5] = [
    ("the page", "/"),
    ("the page, sorted by load", "/?sort=load"),
    ("the page, filtered", "/?namespace=team-7&sort=replicas&page=1"),
    ("JSON", "/api/v1/fleet?sort=saved"),
    ("CSV", "/api/v1/fleet.csv"),
];
/// The bar for the first byte, in milliseconds.
const BAR: f64 = 100.0;
/// The pause between two readers: about one a second looks at something.
const PAUSE: Duration = Duration::from_millis(200);

/// Milliseconds to the first byte and to the last, and the bytes.
struct Read {
    first: f64,
    last: f64,
    bytes: usize,
}

async fn read(client: &reqwest::Client, server: &Process, path: &str) -> Read {
    let begun = Instant::now();
    let mut answer = client.get(format!("http://{}{path}", server.http)).send().await.expect("answered");
    assert_eq!(answer.status(), 200, "{path}");
    let mut bytes = answer.chunk().await.expect("a piece").map_or(0, |piece| piece.len());
    let first = begun.elapsed().as_secs_f64() * 1_000.0;
    while let Some(piece) = answer.chunk().await.expect("a piece") {
        bytes += piece.len();
    }
    Read { first, last: begun.elapsed().as_secs_f64() * 1_000.0, bytes }
}

/// Reads all paths in turn until the time is over; for each path what was measured.
async fn look(server: &Process, until: &AtomicBool) -> Vec<Vec<Read>> {
    let client = prometheus::client();
    let mut all: Vec<Vec<Read>> = PATHS.iter().map(|_| Vec::new()).collect();
    while !until.load(Ordering::Relaxed) {
        for ((_, path), reads) in PATHS.iter().zip(&mut all) {
            reads.push(read(&client, server, path).await);
            tokio::time::sleep(PAUSE).await;
        }
    }
    all
}

/// The value that a share of the sorted values does not exceed.
fn at(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[((values.len() as f64 * share) as usize).min(values.len() - 1)]
}

/// Prints what readers waited for; returns the largest median.
fn tell(beside: &str, all: &[Vec<Read>]) -> f64 {
    let mut worst = 0.0_f64;
    for ((name, _), reads) in PATHS.iter().zip(all) {
        let first = |share| at(reads.iter().map(|read| read.first), share);
        worst = worst.max(first(0.5));
        println!(
            "  {name}, {beside}: first byte p50 {:.1} ms, p99 {:.1} ms; last byte p50 {:.1} ms; {:.0} kB, {} reads",
            first(0.5),
            first(0.99),
            at(reads.iter().map(|read| read.last), 0.5),
            reads[0].bytes as f64 / 1e3,
            reads.len()
        );
    }
    worst
}

fn tell_calls(beside: &str, run: &rpc::Run) {
    println!("  {beside}: {run}");
    assert!(run.errors.is_empty(), "{:?}", run.errors.first());
}

pub async fn run() {
    let (workloads, queries) = (count("PAGE_WORKLOADS", 10_000), count("PAGE_QUERIES", 100));
    let (length, rate) = (count("PAGE_SECONDS", 60), count("SCALE_RATE", 3_000));
    let length = Duration::from_secs(length as u64);
    let source = fake::serve().await;
    let server = Process::serve(&format!("http://{source}"), None, "");
    let warm = warm(&server, workloads, queries).await;
    println!(
        "page: {workloads} workloads on {queries} queries, all with a forecast after {warm:.0?}; load {}",
        machine_load()
    );
    let over = AtomicBool::new(false);
    let (alone, ()) = tokio::join!(look(&server, &over), async {
        tokio::time::sleep(length).await;
        over.store(true, Ordering::Relaxed);
    });
    let idle = tell("nobody calls", &alone);
    println!("  load {}", machine_load());
    let quiet = rpc::run(server.grpc, rate, length, workloads, queries).await;
    tell_calls("nobody reads", &quiet);
    println!("  load {}", machine_load());
    over.store(false, Ordering::Relaxed);
    let (beside, busy) = tokio::join!(look(&server, &over), async {
        let run = rpc::run(server.grpc, rate, length, workloads, queries).await;
        over.store(true, Ordering::Relaxed);
        run
    });
    tell(&format!("{rate} calls a second"), &beside);
    tell_calls("with readers", &busy);
    println!("  load {}; {:.0} MiB", machine_load(), server.usage().resident_mib);
    assert!(idle < BAR, "the first byte of a page takes {idle:.0} ms, expected {BAR} at most");
}
