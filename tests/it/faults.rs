//! Every fault of a data source in every state of a workload: no answer falls, none becomes zero, and all recover.
//!
//! Each fault has its own server and proxy; all run at once against one real Prometheus.

mod returns;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::Code;

use crate::support::keda::Keda;
use crate::support::prometheus::{Backfill, Prometheus};
use crate::support::proxy::{Fault, Proxy, samples};
use crate::support::{load, server, until};

const PATIENCE: Duration = Duration::from_secs(120);
/// The load, and the replicas it needs at ten per replica.
const LOAD: f64 = 95.0;
const NEED: u32 = 10;
/// Longer than a decision counts as fresh with these settings.
const FAULTY: Duration = Duration::from_secs(26);
/// From the end of a fault to the next decision on fresh data: the longest backoff plus a poll.
const RECOVERY: Duration = Duration::from_secs(15 + 5 + 2);
const SETTINGS: [(&str, &str); 7] = [
    ("threshold", "10"),
    ("leadTime", "1m"),
    ("queryStep", "10s"),
    ("pollStep", "5s"),
    ("settle", "0s"),
    ("historyTimeWindow", "1d"),
    ("minReplicas", "0"),
];

const JSON: &str = "content-type: application/json\r\n";
const HTML: &str = "content-type: text/html\r\n";
const PAGE: &str = "<html><body><h1>Sign in</h1><form action='/login'></form></body></html>";
const ERROR: &str = r#"{"status":"error","errorType":"execution","error":"out of memory"}"#;

/// The faults by name, and whether the load is still visible during each.
const FAULTS: &[(&str, Fault, bool)] = &[
    ("refused", Fault::Refused, false),
    ("reset", Fault::Reset, false),
    ("slow", Fault::Slow, true),
    ("hanging", Fault::Hanging, false),
    ("half an answer", Fault::Half, false),
    ("half, then nothing", Fault::Stalled, false),
    ("400", Fault::Instead(400, JSON, ERROR), false),
    ("401", Fault::Instead(401, HTML, PAGE), false),
    ("404", Fault::Instead(404, "", ""), false),
    ("422", Fault::Instead(422, JSON, ERROR), false),
    ("429, Retry-After 2", Fault::Instead(429, "retry-after: 2\r\n", ""), false),
    ("500", Fault::Instead(500, JSON, ERROR), false),
    ("503, Retry-After 2", Fault::Instead(503, "retry-after: 2\r\n", "busy"), false),
    ("302", Fault::Instead(302, "location: http://169.254.169.254/\r\n", ""), false),
    ("a page of HTML", Fault::Instead(200, HTML, PAGE), false),
    ("HTML called JSON", Fault::Instead(200, JSON, PAGE), false),
    ("an error with 200", Fault::Instead(200, JSON, ERROR), false),
    ("nothing at all", Fault::Instead(200, JSON, ""), false),
    ("{}", Fault::Instead(200, JSON, "{}"), false),
    ("JSON cut short", Fault::Instead(200, JSON, r#"{"status":"success","data":{"resultType":"ma"#), false),
    ("a scalar", Fault::Instead(200, JSON, r#"{"status":"success","data":{"resultType":"scalar"}}"#), false),
    ("bytes without end", Fault::Enormous, false),
    ("metric renamed", Fault::Changed(|a| a["data"]["result"] = json!([])), false),
    (
        "two series",
        Fault::Changed(|a| {
            let twice = a["data"]["result"].as_array().map(|r| [r.clone(), r.clone()].concat());
            a["data"]["result"] = json!(twice);
        }),
        false,
    ),
    ("NaN", Fault::Changed(|a| samples(a, |s| s.iter_mut().for_each(|s| s[1] = json!("NaN")))), false),
    ("negative", Fault::Changed(|a| samples(a, |s| s.iter_mut().for_each(|s| s[1] = json!("-95")))), false),
    ("infinite", Fault::Changed(|a| samples(a, |s| s.iter_mut().for_each(|s| s[1] = json!("+Inf")))), false),
    (
        "no numbers",
        Fault::Changed(|a| samples(a, |s| s.iter_mut().for_each(|s| s[1] = json!("many")))),
        false,
    ),
    (
        "out of order, twice",
        Fault::Changed(|a| {
            samples(a, |s| {
                s.reverse();
                s.extend(s.clone());
            })
        }),
        true,
    ),
    (
        "off the grid",
        Fault::Changed(|a| {
            samples(a, |s| {
                s.iter_mut().for_each(|s| s[0] = json!(s[0].as_f64().unwrap_or(0.0) + 0.5));
            })
        }),
        true,
    ),
    (
        "retention cut",
        Fault::Changed(|a| {
            samples(a, |s| {
                s.drain(..s.len().saturating_sub(30));
            })
        }),
        true,
    ),
    ("clock an hour ahead", Fault::Clock(3_600), true),
    ("clock an hour behind", Fault::Clock(-3_600), true),
];

/// The answers to one workload during a fault.
#[derive(Default)]
struct Seen {
    numbers: BTreeSet<u32>,
    unavailable: usize,
}

impl Seen {
    /// Calls once; the answer must be an allowed one.
    async fn ask(&mut self, keda: &mut Keda, least: u32, may_be_unknown: bool, place: &str) {
        let (number, active) = (keda.replicas().await, keda.active().await);
        match number {
            Ok(number) => {
                assert!(number >= least, "{place}: {number}, at least {least} was needed");
                self.numbers.insert(number);
            }
            Err(status) => {
                assert!(may_be_unknown && status.code() == Code::Unavailable, "{place}: {status}");
                self.unavailable += 1;
            }
        }
        if let Ok(active) = active {
            assert!(active || least == 0, "{place}: inactive");
        }
    }

    fn shown(&self) -> String {
        let numbers: Vec<_> = self.numbers.iter().map(ToString::to_string).collect();
        match (numbers.is_empty(), self.unavailable) {
            (true, _) => "unavailable".to_owned(),
            (false, 0) => numbers.join(" "),
            (false, _) => format!("unavailable, then {}", numbers.join(" ")),
        }
    }
}

async fn rung(http: &str, name: &str) -> Option<String> {
    let url = format!("{http}/api/v1/workloads/shop/{name}/decision");
    let answer = crate::support::prometheus::client().get(url).send().await.ok()?;
    let decision: Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
    decision["rung"].as_str().map(str::to_owned)
}

async fn one(name: &str, fault: Fault, sees_load: bool, upstream: &str) -> String {
    let mut proxy = Proxy::start(upstream).await;
    let config = format!(
        "datasources: {{default: {{url: 'http://{}', timeout: 2s}}}}\nstartupGrace: 5s\n\
         limits: {{responseBytes: 1000000}}",
        proxy.address
    );
    let grpc = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let http = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (address, page) = (grpc.local_addr().expect("bound"), http.local_addr().expect("bound"));
    let page = format!("http://{page}");
    let _server = server::start(&config, grpc, http);
    let with = |query| SETTINGS.into_iter().chain([("query", query)]).collect::<Vec<_>>();
    let mut busy = Keda::connect(address, "shop", "busy", &with("sum(load)")).await;
    let mut idle = busy.like("idle", &with("sum(idle)"));
    let mut new = busy.like("new", &with("sum(load) + 0"));
    let fresh = async || (rung(&page, "busy").await? == "fresh").then_some(());
    let (before, _) = busy.first_number(PATIENCE).await;
    assert_eq!(idle.first_number(PATIENCE).await.0, 0);
    until(PATIENCE, "fresh", fresh).await;

    // A workload that is new, one that was fresh, one at zero; then the same fault again for one that is already
    // held.
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for (state, fault, length) in [
        ("fresh", fault, FAULTY),
        ("between", Fault::Refused, if sees_load { FAULTY } else { Duration::ZERO }),
        ("held", fault, FAULTY / 2),
    ] {
        proxy.set(fault).await;
        let begun = Instant::now();
        while begun.elapsed() < length
            || (state == "held" && !sees_load && rung(&page, "busy").await.is_none())
        {
            let place = |of: &str| format!("{name}, {of}");
            seen.entry(state).or_default().ask(&mut busy, before, false, &place(state)).await;
            seen.entry("at zero").or_default().ask(&mut idle, 0, false, &place("at zero")).await;
            seen.entry("new").or_default().ask(&mut new, NEED, true, &place("new")).await;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        if state == "fresh" && !matches!(fault, Fault::Refused) {
            assert!(proxy.met() >= 2, "{name}: met {} questions", proxy.met());
        }
    }
    let held = rung(&page, "busy").await;
    proxy.set(Fault::None).await;
    let begun = Instant::now();
    let again = async || {
        assert!(busy.replicas().await.expect("a number") >= before, "{name}: lower after the fault");
        let numbers = (new.replicas().await.ok()?, idle.replicas().await.ok()?);
        assert!(numbers.0 >= NEED && numbers.1 == 0, "{name}: {numbers:?} after the fault");
        let rungs = (rung(&page, "busy").await?, rung(&page, "new").await?, rung(&page, "idle").await?);
        // With five minutes of history a workload is young, and its fit is made at the next grid point.
        let young = name == "retention cut" && rungs.1 == "reactive_only";
        (rungs.0 == "fresh" && rungs.2 == "fresh" && (rungs.1 == "fresh" || young)).then_some(())
    };
    until(PATIENCE, &format!("{name}: all are fresh again"), again).await;
    let recovered = begun.elapsed();
    let slack: u32 = std::env::var("FORESCALE_SLACK").ok().and_then(|t| t.parse().ok()).unwrap_or(4);
    assert!(recovered < RECOVERY * slack, "{name}: {recovered:?}");
    until(PATIENCE, "no connection is left", async || (proxy.open() <= 4).then_some(())).await;
    format!(
        "{name:<22} {:<12} {:<14} {:<9} {:<24} {:>5.1} s",
        seen["fresh"].shown(),
        format!("{} ({})", seen["held"].shown(), held.unwrap_or_default()),
        seen["at zero"].shown(),
        seen["new"].shown(),
        recovered.as_secs_f64()
    )
}

/// Runs on its own runtime, to show that no task is left when it has ended.
fn alone(run: impl Future<Output = String>) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let row = run.await;
        let handle = tokio::runtime::Handle::current();
        // Tasks are not aborted here: each must end by itself.
        let none = async || (handle.metrics().num_alive_tasks() == 0).then_some(());
        until(PATIENCE, "no task is left", none).await;
        row
    })
}

#[tokio::test]
async fn no_fault_lowers_an_answer_in_any_state() {
    let minutes = load::now() / 60 - 2 * 1_440..=load::now() / 60 + 30;
    let steady = |metric: &str, value: f64| Backfill {
        metric: metric.to_owned(),
        points: minutes.clone().map(|minute| (minute * 60, value)).collect(),
    };
    let prometheus = Prometheus::start(&[steady("load", LOAD), steady("idle", 0.0)]).await;
    // To run a single fault, by name.
    let only = std::env::var("FAULT").ok();
    let runs: Vec<_> = FAULTS
        .iter()
        .copied()
        .filter(|(name, ..)| only.as_ref().is_none_or(|only| only == name))
        .map(|(name, fault, sees_load)| {
            let url = prometheus.url();
            std::thread::spawn(move || alone(one(name, fault, sees_load, &url)))
        })
        .collect();
    println!("{:<22} {:<12} {:<14} {:<9} {:<24} recovered", "fault", "fresh", "held", "at zero", "new");
    let mut failures = Vec::new();
    for run in runs {
        match run.join() {
            Ok(row) => println!("{row}"),
            Err(why) => failures.push(why.downcast_ref::<String>().cloned()),
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test]
async fn a_counter_that_restarts_is_neither_a_dip_nor_a_peak() {
    let now = load::now() / 60;
    // Yesterday, three hours ago, and within the window of the newest rate.
    let restarts = [now - 1_440, now - 180, now - 2];
    let mut count = 0.0;
    let points = (now - 2 * 1_440..=now + 30).map(|minute| {
        count = if restarts.contains(&minute) { 0.0 } else { count } + LOAD * 60.0;
        (minute * 60, count)
    });
    let counter = Backfill { metric: "requests_total".to_owned(), points: points.collect() };
    let prometheus = Prometheus::start(&[counter]).await;
    let grpc = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let http = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (address, page) = (grpc.local_addr().expect("bound"), http.local_addr().expect("bound"));
    let _server =
        server::start(&format!("datasources: {{default: {{url: '{}'}}}}", prometheus.url()), grpc, http);
    let keys: Vec<_> = SETTINGS.into_iter().chain([("query", "sum(rate(requests_total[5m]))")]).collect();
    let mut keda = Keda::connect(address, "shop", "counted", &keys).await;
    let page = format!("http://{page}");
    until(PATIENCE, "fresh", async || {
        // The first call for this workload.
        let number = keda.replicas().await.ok()?;
        assert!((NEED..=NEED + 1).contains(&number), "{number} for a steady load");
        (rung(&page, "counted").await? == "fresh").then_some(())
    })
    .await;
}
