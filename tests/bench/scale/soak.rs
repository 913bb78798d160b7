//! A server at speed for a long while: its memory, files and threads stay what they were once it was warm.

use std::time::{Duration, Instant};

use super::child::{Process, Usage};
use super::{ages, count, fake, rpc, warm};

/// What the memory may have grown by, from the end of the first third to the end.
const FLAT: f64 = 1.02;
/// Runs of at least this long are held to it.
const SETTLED: Duration = Duration::from_secs(20 * 60);
/// Readings of which the least counts: an answer that is just being written is no leak.
const READINGS: usize = 5;

/// Asks without a pause for `SOAK_MINUTES`; prints a row each tenth of that, asserts at the end.
pub async fn run() {
    let (workloads, queries) = (count("SOAK_WORKLOADS", 1_000), count("SOAK_QUERIES", 200));
    let length = Duration::from_secs(60 * count("SOAK_MINUTES", 30) as u64);
    let rate = count("SOAK_RATE", 1_000);
    let source = fake::serve().await;
    let server = Process::serve(&format!("http://{source}"), None, "");
    let warm = warm(&server, workloads, queries).await;
    println!("soak: {workloads} workloads on {queries} queries, all with a forecast after {warm:.1?}");
    let (begun, tenth) = (Instant::now(), length / 10);
    let (mut rows, mut calls, mut oldest) = (Vec::new(), 0, 0);
    while begun.elapsed() < length {
        let run = rpc::run(server.grpc, rate, tenth, workloads, queries).await;
        assert!(run.errors.is_empty(), "{:?}", run.errors.first());
        calls += run.micros.len();
        oldest = oldest.max(ages(&server).await.1);
        let row = settled(&server).await;
        println!(
            "  {:>6.1} min: {:.1} MiB resident, {} files, {} threads",
            begun.elapsed().as_secs_f64() / 60.0,
            row.resident_mib,
            row.files,
            row.threads
        );
        rows.push(row);
    }
    let (early, late) = (rows[rows.len() / 3], rows[rows.len() - 1]);
    println!(
        "soak: {calls} calls without an error in {:.0?}, memory {:.3} times that of the first third, oldest decision \
         {oldest} s",
        begun.elapsed(),
        late.resident_mib / early.resident_mib
    );
    // Within minutes one step of the allocator is more than that.
    assert!(length < SETTLED || late.resident_mib <= early.resident_mib * FLAT, "the memory grows");
    assert!(late.files <= early.files + 2 && late.threads <= early.threads, "files or threads are left");
    assert!(oldest < 60, "a decision {oldest} s old");
}

/// The least of a few readings between calls, each figure for itself: files of connections that just end are no leak.
async fn settled(server: &Process) -> Usage {
    let mut least = server.usage();
    for _ in 1..READINGS {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let usage = server.usage();
        least.resident_mib = least.resident_mib.min(usage.resident_mib);
        least.files = least.files.min(usage.files);
        least.threads = least.threads.min(usage.threads);
    }
    least
}
