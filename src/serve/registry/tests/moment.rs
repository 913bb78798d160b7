//! A page shows one moment: its parts are read together and never contradict each other.

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::http::{Again, Past, Snapshot};

/// The page of a workload, as a browser gets it.
async fn page(bench: &Bench, path: &str) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    let router = crate::http::router(bench.registry.clone());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let answer = reqwest::get(format!("{base}{path}")).await.expect("an answer");
    let page = answer.text().await.expect("a page");
    serving.abort();
    page
}

#[tokio::test]
async fn the_drawing_of_who_asked_ends_with_the_decision_beside_it() {
    let load = |minute: i64| if minute < 4 { 45.0 } else { 195.0 };
    let bench = bench_of(load, Catalogue::default(), "", crate::serve::fit());
    bench.number("web", &[]).await;
    bench.pass(Span::minutes(9));
    assert_eq!(bench.number("web", &[]).await, 20);
    // At 24 hours a moment of the past is drawn every ten minutes; the last of them was before the load rose.
    let page = page(&bench, "/workloads/shop/web?hours=24").await;
    assert!(page.contains("<h2>Why 20</h2>"), "{page}");
    let last = page.split("data-tip=\"").last().and_then(|tip| tip.split('"').next());
    assert!(last.is_some_and(|tip| tip.contains(": 20 replicas because ")), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_taken_during_a_turn_shows_all_of_it_or_nothing() {
    const TURNS: i64 = 200;
    let load = |minute: i64| 45.0 + 10.0 * minute.max(0) as f64;
    let bench = bench_of(load, Catalogue::default(), "", crate::serve::fit());
    let keys = [("maxReplicas", "1000")];
    bench.number("web", &keys).await;
    let (done, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let reader = tokio::task::spawn_blocking({
        let (registry, done, taken) = (bench.registry.clone(), done.clone(), taken.clone());
        move || {
            while !done.load(Ordering::Relaxed) {
                let Snapshot { known, story, now } = registry.snapshot(&id("web")).expect("known");
                let (decided, story) =
                    (known.status.decision().expect("decided"), story.expect("valid keys"));
                assert!(decided.at <= now);
                assert_eq!(story.changes.last().map(|change| change.replicas), Some(decided.replicas));
                taken.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    for _ in 0..TURNS {
        bench.pass(Span::MINUTE);
        // Asked for, or it is forgotten after some minutes.
        bench.number("web", &keys).await;
    }
    done.store(true, Ordering::Relaxed);
    reader.await.expect("no part contradicts another");
    assert!(taken.load(Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn the_past_of_a_snapshot_is_told_by_its_own_keys() {
    let bench = bench(Catalogue::default(), "");
    assert_eq!(bench.number("web", &[]).await, 5);
    let before = bench.registry.snapshot(&id("web")).expect("known");
    bench.pass(Span::seconds(30));
    assert_eq!(bench.number("web", &[("threshold", "5")]).await, 9);
    let last = |snapshot: &Snapshot| match bench.registry.past(snapshot, Span::hours(6)) {
        Past::Told(moments) => moments.last().map(|last| (last.at, last.answer.expect("decided").0.get())),
        other => panic!("{other:?}"),
    };
    assert_eq!(last(&before), Some((BEGIN, 5)));
    let after = bench.registry.snapshot(&id("web")).expect("known");
    assert_eq!(last(&after), Some((BEGIN, 9)));
    for (snapshot, replicas) in [(&before, 5), (&after, 9)] {
        let again = bench.registry.again(&snapshot.known, BEGIN);
        assert!(matches!(&again, Again::Decided(told) if told.replicas.get() == replicas), "{again:?}");
    }
}

#[tokio::test]
async fn a_decision_that_keda_no_longer_gets_is_not_shown_as_if_all_were_well() {
    let bench = bench(Catalogue::default(), "");
    bench.number("web", &[("pollStep", "60s")]).await;
    let states = |bench: &Bench, after: Span| {
        let known = bench.registry.snapshot(&id("web")).expect("known").known;
        let at = known.status.decision().expect("decided").at;
        known.conditions(at + after).iter().map(|state| state.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(states(&bench, Span::seconds(60)), ["healthy"]);
    assert_eq!(states(&bench, Span::minutes(4)), ["keda_silent"]);
    assert_eq!(states(&bench, Span::minutes(5)), ["outdated", "keda_silent"]);
}
