//! A push trigger at zero: how soon the sample that wakes the workload reaches the stream that KEDA keeps open.
//!
//! It runs the real server over a socket, with a recorded load and a clock that the test moves, so that the instant
//! of the sample is known exactly. What is measured is real time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forescale::history::Series;
use forescale::serve::{self, SteppedClock};
use forescale::source::Recorded;
use forescale::units::{Span, Step, Time};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::keda::Keda;
use crate::support::server::parts;

/// A Tuesday morning.
const BEGIN: Time = Time::from_epoch(1_792_483_200);
/// The limit of the contract.
const WITHIN: Duration = Duration::from_secs(1);
/// How many times the workload wakes and sleeps.
const ROUNDS: usize = 20;

/// Three days without load, then alternately a minute with load and a minute without.
fn load() -> Series {
    let before = 3 * 86_400 / 15;
    let values = (0..before + 8 * ROUNDS + 8).map(|i| match i.checked_sub(before) {
        Some(i) if i % 8 >= 4 => 25.0,
        _ => 0.0,
    });
    Series::from_values(BEGIN - Span::days(3), Step::QUARTER_MINUTE, values)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_that_wakes_reaches_a_waiting_stream_within_a_second() {
    let clock = Arc::new(SteppedClock::new(BEGIN));
    let shutdown = CancellationToken::new();
    let source = Arc::new(Recorded::new("recorded", load()));
    let parts = parts(source, clock.clone(), &shutdown);
    let registry = serve::registry(&parts);
    let grpc = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let http = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = grpc.local_addr().expect("bound");
    let server = tokio::spawn(serve::run(parts, registry, grpc, http));
    let metadata = [("query", "load"), ("threshold", "10"), ("minReplicas", "0"), ("mode", "reactive")];
    let mut keda = Keda::connect(address, "dev", "preview", &metadata).await;
    let mut stream = keda.stream().await.expect("open");
    let mut said = async || {
        let next = tokio::time::timeout(Duration::from_secs(10), stream.message()).await.expect("in time");
        next.expect("no error").expect("no end").result
    };
    assert!(!said().await, "asleep on open");
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        // KEDA polls in addition to the stream; a workload that is never polled is forgotten.
        keda.active().await.expect("known");
        for (part, active) in [(60, true), (120, false)] {
            // The sample for this instant exists as soon as the clock shows it.
            let at = BEGIN + Span::seconds(120 * round as i64 + part);
            let begun = Instant::now();
            clock.set(at);
            // While the workload is active, the stream repeats itself; only a change matters.
            while said().await != active {}
            slowest = slowest.max(begun.elapsed());
        }
    }
    println!("{ROUNDS} wakes and sleeps, the slowest after {slowest:?}");
    assert!(slowest < WITHIN, "{slowest:?}");
    shutdown.cancel();
    drop(stream);
    server.await.expect("no panic").expect("ends well");
}
