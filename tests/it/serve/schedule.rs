//! Workloads that only follow the clock: KEDA's cron keys, with nothing changed but the trigger's type.

use std::time::{Duration, Instant};

use tonic::Code;

use crate::support::forescale::Forescale;
use crate::support::keda::Keda;
use crate::support::load;

/// A daily cron expression for the minute `minutes` from now.
fn cron(minutes: i64) -> String {
    let minute = load::now().div_euclid(60) + minutes;
    format!("{} {} * * *", minute.rem_euclid(60), minute.div_euclid(60).rem_euclid(24))
}

#[tokio::test]
async fn cron_keys_alone_are_answered_at_once_inside_and_outside_their_hours() {
    // No data source at all; streams and connections end after ten seconds.
    let server = Forescale::start("grpc: {maxConnectionAge: 10s}").await;
    let (before, after, later) = (cron(-120), cron(120), cron(240));
    let keys = |start, end| [("start", start), ("end", end), ("timezone", "UTC"), ("desiredReplicas", "2")];
    let mut inside = Keda::connect(server.grpc, "octollm", "dev", &keys(&before, &after)).await;
    let mut outside = inside.like("night", &keys(&after, &later));
    assert_eq!(inside.replicas().await.expect("it never warms up"), 2);
    assert!(inside.active().await.expect("known"));
    assert_eq!(outside.replicas().await.expect("it never warms up"), 0);
    assert!(!outside.active().await.expect("known"));
    let decision = server.decision("octollm", "dev").await.expect("one");
    assert_eq!(
        (decision["rung"].as_str(), decision["reason"].as_str()),
        (Some("schedule_only"), Some("schedule"))
    );

    // The stream reports the state when it opens, and ends cleanly when it is old, so that KEDA spreads over new
    // replicas.
    let begun = Instant::now();
    let mut stream = inside.stream().await.expect("open");
    assert!(stream.message().await.expect("a state").expect("a state").result);
    let end = tokio::time::timeout(Duration::from_secs(40), stream.message()).await.expect("in time");
    println!("a stream of at most 10 s ended after {:?}: {end:?}", begun.elapsed());
    assert!(end.expect("with OK").is_none());
    // The old connection may be closing, so a client opens another.
    let mut again = Keda::connect(server.grpc, "octollm", "dev", &keys(&before, &after)).await;
    assert_eq!(again.replicas().await.expect("served on"), 2);

    let faulty =
        again.like("half", &[("start", before.as_str()), ("desiredReplicas", "two")]).replicas().await;
    let faulty = faulty.expect_err("faults");
    assert_eq!(faulty.code(), Code::InvalidArgument);
    assert!(faulty.message().contains("end: found nothing"), "{faulty}");
}
