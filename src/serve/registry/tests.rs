//! The registry with a clock that stands still until it is moved, and with scripted sources.

mod fits;
mod moment;
mod shared;

use std::time::Duration;

use tonic::Code;

use super::*;
use crate::history::Series;
use crate::http::Overview as _;
use crate::policy::SourceRef;
use crate::serve::Fit;
use crate::serve::SteppedClock;
use crate::source::{Backend, Backends, RangeQuery, Reading, Recorded, ServerConfig, SourceError};
use crate::units::Step;

const BEGIN: Time = Time::from_epoch(1_764_000_000);
/// More than any turn takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Three days of a steady load of 45, and sources that panic.
struct Sources(Arc<Recorded>);
struct Panics;

#[tonic::async_trait]
impl Backend for Panics {
    async fn range(&self, _query: &RangeQuery) -> Result<Reading, SourceError> {
        panic!("on purpose")
    }
    async fn instant(&self, _query: &str, _at: Time) -> Result<Option<f64>, SourceError> {
        Ok(Some(1.0))
    }
    fn clock_skew(&self, _now: Time) -> Option<Span> {
        panic!("on purpose")
    }
    fn label(&self) -> &str {
        "panics"
    }
}

impl Backends for Sources {
    fn resolve(&self, source: &SourceRef, _namespace: &str) -> Result<Arc<dyn Backend>, SourceError> {
        match source {
            SourceRef::Named(name) if name == "panics" => Ok(Arc::new(Panics)),
            _ => Ok(Arc::clone(&self.0) as Arc<dyn Backend>),
        }
    }
}

struct Bench {
    clock: Arc<SteppedClock>,
    registry: Arc<Registry>,
}

fn bench(catalogue: Catalogue, config: &str) -> Bench {
    bench_fitting(catalogue, config, crate::serve::fit())
}

fn bench_fitting(catalogue: Catalogue, config: &str, fit: Fit) -> Bench {
    bench_of(|_| 45.0, catalogue, config, fit)
}

/// A load by the minutes since [`BEGIN`].
fn bench_of(load: impl Fn(i64) -> f64, catalogue: Catalogue, config: &str, fit: Fit) -> Bench {
    let values = (-3 * 1_440..720).map(load);
    let series = Series::from_values(BEGIN - Span::days(3), Step::MINUTE, values);
    let clock = Arc::new(SteppedClock::new(BEGIN));
    let parts = Parts {
        config: ServerConfig::parse(config, &std::collections::BTreeMap::new()).expect("valid"),
        catalogue,
        backends: Arc::new(Sources(Recorded::new("recorded", series))),
        fit,
        clock: clock.clone(),
        workers: tokio::runtime::Handle::current(),
        shutdown: CancellationToken::new(),
    };
    Bench { clock, registry: crate::serve::registry(&parts) }
}

fn id(name: &str) -> WorkloadId {
    WorkloadId::new("shop", name, "forescale").expect("names")
}

fn metadata(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    let all = [("query", "load"), ("threshold", "10"), ("mode", "reactive")].iter().chain(pairs);
    all.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

impl Bench {
    fn ask(&self, name: &str, pairs: &[(&str, &str)]) -> Result<State, Refusal> {
        self.registry.state(&id(name), &metadata(pairs)).map(|served| served.state.borrow().clone())
    }

    /// The number of replicas after every loop has reached the present.
    async fn number(&self, name: &str, pairs: &[(&str, &str)]) -> u32 {
        self.ask(name, pairs).expect("served").ok();
        self.settled().await;
        self.ask(name, pairs).expect("served").expect("decided").replicas.get()
    }

    async fn settled(&self) {
        let at = self.registry.shared.clock.now().floor_to(Span::seconds(15), Span::ZERO);
        tokio::time::timeout(PATIENCE, self.registry.decided(at)).await.expect("in time");
    }

    fn pass(&self, span: Span) {
        self.clock.set(self.registry.shared.clock.now() + span);
    }
}

#[tokio::test]
async fn a_patch_may_be_under_way_for_two_minutes_and_then_is_a_conflict() {
    let bench = bench(Catalogue::default(), "");
    assert_eq!(bench.number("web", &[]).await, 5);
    bench.pass(Span::seconds(30));
    let patched = [("threshold", "5")];
    let state = bench.ask("web", &patched).expect("two sets are legal");
    assert_eq!(state.expect("the old decision stands").replicas.get(), 5);
    assert_eq!(bench.number("web", &patched).await, 9);
    for _ in 0..4 {
        bench.pass(Span::seconds(30));
        assert_eq!(bench.number("web", &[]).await, 5, "both are served by their own keys");
        assert_eq!(bench.number("web", &patched).await, 9);
    }
    bench.pass(Span::seconds(15));
    bench.ask("web", &[]).ok();
    let refusal = bench.ask("web", &patched).expect_err("longer than two minutes");
    assert!(matches!(&refusal, Refusal::Conflict(text) if text.contains("metricName")), "{refusal}");
    // And the pages do not show the one that KEDA used last as if all were well.
    let told = |bench: &Bench| bench.registry.workloads()[0].trouble(false);
    assert!(
        told(&bench).is_some_and(|text| text.contains("faulty metadata: metricName")),
        "{:?}",
        told(&bench)
    );
    // Once the old set is no longer used, the new one is served again.
    bench.pass(Span::seconds(90));
    let _ = bench.ask("web", &patched);
    bench.pass(Span::seconds(60));
    assert_eq!(bench.number("web", &patched).await, 9);
    assert_eq!(told(&bench), None);
}

#[tokio::test]
async fn a_patch_that_is_taken_up_late_by_one_caller_is_no_conflict() {
    let bench = bench(Catalogue::default(), "");
    bench.number("web", &[]).await;
    bench.ask("web", &[("threshold", "5")]).expect("legal").ok();
    bench.pass(Span::seconds(60));
    bench.ask("web", &[]).expect("legal").ok();
    for _ in 0..6 {
        bench.pass(Span::seconds(30));
        bench
            .ask("web", &[("threshold", "5")])
            .expect("the old set was last asked for within the patch")
            .ok();
    }
}

#[tokio::test]
async fn sets_of_keys_without_end_are_refused() {
    let bench = bench(Catalogue::default(), "");
    let texts: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
    let refused = texts.iter().filter(|text| bench.ask("web", &[("threshold", text)]).is_err()).count();
    assert_eq!(refused, 16);
    let small = super::tests::bench(Catalogue::default(), "limits: {workloads: 2}");
    assert!(small.ask("a", &[]).is_ok() && small.ask("b", &[]).is_ok() && small.ask("a", &[]).is_ok());
    assert!(matches!(small.ask("c", &[]), Err(Refusal::Full(_))));
}

#[tokio::test]
async fn who_is_not_asked_for_is_forgotten_with_its_metrics_and_its_series() {
    let bench = bench(Catalogue::default(), "");
    bench.number("web", &[]).await;
    assert!(bench.registry.metrics().encode().contains("name=\"web\""));
    for _ in 0..13 {
        bench.ask("other", &[("query", "another")]).expect("served").ok();
        bench.pass(Span::MINUTE);
        bench.settled().await;
    }
    let gone = async {
        while bench.registry.workloads().len() > 1 || bench.registry.shared.hub.size().0 > 0 {
            bench.pass(Span::MINUTE);
            bench.ask("other", &[("query", "another"), ("mode", "reactive")]).expect("served").ok();
            tokio::task::yield_now().await;
            if bench.registry.workloads().len() == 1 {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("forgotten");
    let labels = bench.registry.metrics().encode();
    let gauges: Vec<_> =
        labels.lines().filter(|l| l.contains("name=\"web\"") && l.contains("desired")).collect();
    assert!(gauges.is_empty(), "{gauges:?}");
}

#[tokio::test]
async fn the_ledger_of_a_shadow_is_kept_by_twins() {
    let bench = bench(Catalogue::default(), "");
    bench.number("web", &[("mode", "shadow")]).await;
    for _ in 0..20 {
        bench.pass(Span::seconds(15));
        bench.settled().await;
    }
    let text = bench.registry.metrics().encode();
    let values = |family: &str| {
        let lines = text.lines().filter(|line| line.starts_with(&format!("forescale_{family}_total{{")));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect::<Vec<f64>>()
    };
    // Both answers hold a steady load, so nothing is saved: both run the same replica-seconds, which are reported.
    assert_eq!(values("short_seconds"), [0.0, 0.0], "{text}");
    let ran = values("replica_seconds");
    assert!(ran.len() == 2 && ran[0] == ran[1] && ran[0] > 0.0, "{text}");
}

#[tokio::test]
async fn a_changed_catalogue_reaches_running_workloads_without_warming_up() {
    let with = |threshold: &str| {
        let mut catalogue = Catalogue::default();
        catalogue.add("p", &format!("query: load\nthreshold: {threshold}\nmode: reactive")).expect("valid");
        catalogue
    };
    let bench = bench(with("10"), "");
    let named = HashMap::from([("policy".to_owned(), "p".to_owned())]);
    let ask = || bench.registry.state(&id("web"), &named).map(|served| served.state.borrow().clone());
    ask().expect("served").ok();
    bench.settled().await;
    assert_eq!(ask().expect("served").expect("decided").replicas.get(), 5);
    bench.registry.reload(with("5"));
    assert_eq!(ask().expect("served").expect("never warming up again").replicas.get(), 5);
    bench.settled().await;
    assert_eq!(ask().expect("served").expect("decided").replicas.get(), 9);
    bench.registry.reload(Catalogue::default());
    assert!(matches!(ask(), Err(Refusal::Faulty(_))), "the policy is gone");
}

#[tokio::test]
async fn a_workload_at_its_limit_says_so_everywhere() {
    let bench = bench(Catalogue::default(), "");
    // The load needs five.
    for (name, most, text) in [
        ("passed", "4", "5 replicas are needed, and maxReplicas allows 4"),
        ("reached", "5", "all 5 replicas that maxReplicas allows are needed"),
    ] {
        bench.ask(name, &[("maxReplicas", most)]).ok();
        bench.settled().await;
        let known = bench.registry.triggers("shop", name);
        let now = bench.registry.shared.clock.now();
        let state = known[0].condition(now);
        assert_eq!((state.as_str(), state.to_string().as_str()), ("at_limit", text));
        let metrics = crate::http::Overview::metrics(&*bench.registry).encode();
        let row = format!("name=\"{name}\",metric=\"forescale\",state=\"at_limit\"}} 1");
        assert!(metrics.contains(&row), "{row} in {metrics}");
    }
    // A workload that KEDA no longer asks for says so, and its worst condition is still first.
    bench.pass(Span::minutes(3));
    bench.settled().await;
    let now = bench.registry.shared.clock.now();
    let states = bench.registry.triggers("shop", "passed")[0].conditions(now);
    let names: Vec<&str> = states.iter().map(crate::decide::Condition::as_str).collect();
    assert!(names.first() == Some(&"at_limit") && names.contains(&"keda_silent"), "{names:?}");
}

#[tokio::test]
async fn a_changed_event_reaches_the_workloads_that_it_concerns() {
    let with = |workloads: &str| {
        let config = format!(
            "events: [{{name: sale, start: '{}', end: '{}', workloads: ['{workloads}'], factor: 3}}]",
            BEGIN - Span::HOUR,
            BEGIN + Span::HOUR
        );
        let mut catalogue = Catalogue::default();
        let config = ServerConfig::parse(&config, &std::collections::BTreeMap::new()).expect("valid");
        catalogue.set_events(config.events);
        catalogue
    };
    let bench = bench(with("shop/w*"), "");
    // The same keys: only the name differs.
    let settled = async |name| {
        bench.ask(name, &[]).ok();
        bench.settled().await;
        bench.ask(name, &[]).expect("served").expect("decided").replicas.get()
    };
    assert_eq!((settled("web").await, settled("api").await), (14, 5));
    let text = bench.registry.shared.metrics.encode();
    assert!(
        text.contains("forescale_events_open{namespace=\"shop\",name=\"web\",metric=\"forescale\"} 1"),
        "{text}"
    );
    bench.registry.reload(with("shop/api"));
    assert_eq!((settled("web").await, settled("api").await), (5, 14));
    assert_eq!(settled("api").await, 14);
}

#[tokio::test]
async fn a_panic_is_the_error_of_one_workload() {
    let bench = bench(Catalogue::default(), "");
    let broken = [("datasource", "panics")];
    bench.ask("broken", &broken).expect("served").expect_err("not yet");
    assert_eq!(bench.number("web", &[]).await, 5);
    for _ in 0..3 {
        bench.pass(Span::seconds(15));
        bench.settled().await;
        let blind = bench.ask("broken", &broken).expect("served").expect_err("an error, never a zero");
        assert!(matches!(&blind, Blind::NoData { why } if why == "internal error"), "{blind}");
        assert_eq!(bench.number("web", &[]).await, 5);
    }
}

#[tokio::test]
async fn a_schedule_alone_is_answered_by_the_first_call() {
    let bench = bench(Catalogue::default(), "");
    let cron = [
        ("start", "0 9 * * 1-5"),
        ("end", "0 18 * * 1-5"),
        ("timezone", "America/Los_Angeles"),
        ("desiredReplicas", "2"),
    ];
    let metadata = cron.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    for (name, at, want) in
        [("noon", "2026-11-24T12:00:00-08:00", 2), ("evening", "2026-11-24T20:00:00-08:00", 0)]
    {
        bench.clock.set(Time::parse(at).expect("valid"));
        let state = bench.registry.state(&id(name), &metadata).expect("served").state.borrow().clone();
        assert_eq!(state.expect("never warming up").replicas.get(), want, "{at}");
    }
    bench.registry.answered("GetMetrics", Code::Ok, 0.001);
    assert!(bench.registry.metrics().encode().contains("code=\"Ok\""));
}
