//! Data read for one workload is reused by the next, and reading for one blocks nobody else.

use super::*;
use crate::decide::Contributor;

#[tokio::test]
async fn a_workload_whose_query_is_shared_has_its_decision_with_the_first_call() {
    let bench = bench(Catalogue::default(), "");
    let predictive = [("mode", "predictive")];
    bench.number("web", &predictive).await;
    let first = bench.ask("other", &[("mode", "predictive"), ("threshold", "5")]).expect("served");
    let first = first.expect("all it needs is in memory");
    assert!(first.forecast.is_some() && first.need(Contributor::Reactive).is_some(), "{first}");
    bench.settled().await;
    let later = bench.ask("other", &[("mode", "predictive"), ("threshold", "5")]).expect("served");
    assert_eq!(later.expect("decided").replicas, first.replicas);
    // Its queries besides the load may matter, and their data is not known yet.
    let unknown = [("replicasQuery", "r"), ("rejectedQuery", "r"), ("inFlightQuery", "f"), ("query", "else")];
    for (i, more) in unknown.into_iter().enumerate() {
        let state = bench.ask(&format!("lacks-{i}"), &[("mode", "predictive"), more]).expect("served");
        assert!(matches!(&state, Err(Blind::Warming { .. })), "{more:?}: {state:?}");
    }
}

#[tokio::test]
async fn what_is_old_in_memory_is_asked_for_anew_before_it_is_answered_with() {
    let bench = bench(Catalogue::default(), "");
    bench.number("web", &[]).await;
    bench.clock.set(BEGIN + Span::minutes(9));
    let state = bench.ask("other", &[]).expect("served");
    assert!(matches!(&state, Err(Blind::Warming { .. })), "{state:?}");
}

/// Records whether the registry was accessible while keys were read.
struct Nosy {
    inner: Sources,
    registry: Mutex<Option<Arc<Registry>>>,
    was_free: AtomicBool,
}

impl Backends for Nosy {
    fn resolve(&self, source: &SourceRef, namespace: &str) -> Result<Arc<dyn Backend>, SourceError> {
        let registry = self.registry.lock().expect("no panic").clone();
        let is_free = registry.is_none_or(|registry| registry.entries.try_lock().is_ok());
        self.was_free.fetch_and(is_free, Ordering::SeqCst);
        self.inner.resolve(source, namespace)
    }
}

#[tokio::test]
async fn keys_are_read_once_for_each_content_while_nobody_waits() {
    let series = Series::from_values(BEGIN - Span::days(1), Step::MINUTE, (0..1_440).map(|_| 45.0));
    let nosy = Arc::new(Nosy {
        inner: Sources(Recorded::new("recorded", series)),
        registry: Mutex::default(),
        was_free: AtomicBool::new(true),
    });
    let parts = Parts {
        config: ServerConfig::parse("", &BTreeMap::new()).expect("valid"),
        catalogue: Catalogue::default(),
        backends: Arc::clone(&nosy) as Arc<dyn Backends>,
        fit: crate::serve::fit(),
        clock: Arc::new(SteppedClock::new(BEGIN)),
        workers: tokio::runtime::Handle::current(),
        shutdown: CancellationToken::new(),
    };
    let registry = crate::serve::registry(&parts);
    *nosy.registry.lock().expect("no panic") = Some(Arc::clone(&registry));
    for name in ["a", "b"] {
        registry.state(&id(name), &metadata(&[])).expect("served");
    }
    registry.state(&id("c"), &metadata(&[("threshold", "7")])).expect("served");
    assert!(nosy.was_free.load(Ordering::SeqCst), "others wait while keys are read");
    let policies: Vec<_> = registry.workloads().into_iter().filter_map(|known| known.policy).collect();
    assert!(Arc::ptr_eq(&policies[0], &policies[1]) && !Arc::ptr_eq(&policies[0], &policies[2]));
    *nosy.registry.lock().expect("no panic") = None;
}
