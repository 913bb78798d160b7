//! A rehearsal of being on call at three in the morning: ten problems are planted, and both the page alone and the
//! command alone must explain each.
//!
//! Every workload is decided by the server's own code, from a history with the problem in it; a real router shows
//! them, and `explain --server` queries it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::live;
use crate::cli::outcome::Format;
use crate::decide::{Moment, Retold, SignalTraces, Traces};
use crate::history::Series;
use crate::http::{
    self, Again, KnownWorkload, Metrics, Overview, Past, Settings, Snapshot, Story, WorkloadStatus,
};
use crate::policy::{Keys, Policy, WorkloadId};
use crate::units::{Span, Step, Time};

/// A problem, and the words that name its cause and its remedy.
struct Trouble {
    name: &'static str,
    keys: Vec<(&'static str, String)>,
    load: Vec<f64>,
    silent: bool,
    /// Words on the page.
    page: &'static [&'static str],
    /// Words printed by `explain --server`.
    command: &'static [&'static str],
}

/// Three o'clock on a Wednesday.
const NOW: Time = Time::from_epoch(1_772_593_200);
/// Minutes of history.
const LONG: usize = 15 * 1_440;

/// A load that rises and falls once a day: 110 in the middle of the night, 500 at noon.
fn wave(minute: usize) -> f64 {
    let at = NOW.epoch() / 60 - (LONG - minute) as i64;
    let noise = ((minute * 7_919) % 101) as f64 / 50.0 - 1.0;
    300.0 - 200.0 * ((at - 120) as f64 / 1_440.0 * std::f64::consts::TAU).cos() + 5.0 * noise
}

/// The wave, with its last minutes changed.
fn changed(change: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    (0..LONG).map(|minute| change(LONG - minute, wave(minute))).collect()
}

/// A load that stopped following the day four days ago, as when a batch fills it up: what was learned misleads.
fn stuck() -> Vec<f64> {
    const SINCE: usize = 4 * 1_440;
    changed(|ago, load| if ago <= SINCE { 500.0 + (ago * 7_919 % 101) as f64 / 50.0 } else { load })
}

/// A problem, with the keys of every workload.
fn of(
    name: &'static str,
    load: Vec<f64>,
    page: &'static [&'static str],
    command: &'static [&'static str],
) -> Trouble {
    Trouble { name, keys: Vec::new(), load, silent: false, page, command }
}

/// The same problem with one more key.
fn with(key: &'static str, value: String, trouble: Trouble) -> Trouble {
    Trouble { keys: vec![(key, value)], ..trouble }
}

fn troubles() -> Vec<Trouble> {
    of_the_load().into_iter().chain(of_people()).collect()
}

/// Problems of the load and its source.
fn of_the_load() -> Vec<Trouble> {
    vec![
        of(
            "spike",
            changed(|ago, load| if ago <= 8 { load * 6.0 } else { load }),
            &[">unusual load</span>", "usual", "maskedSpans"],
            &["unusual_load: ", "usual", "maskedSpans"],
        ),
        of(
            "shift",
            changed(|ago, load| if ago <= 180 { load * 4.0 } else { load }),
            &[">unusual load</span>", "usual", "the same time last week"],
            &["unusual_load: ", "usual"],
        ),
        with(
            "maxReplicas",
            "20".to_owned(),
            of(
                "limit",
                changed(|ago, load| if ago <= 45 { load * 4.0 } else { load }),
                &[
                    ">at its limit</span>",
                    "replicas are needed, and maxReplicas allows 20",
                    "; at the limit since 02:",
                    "Raise maxReplicas",
                ],
                &["at_limit: ", "replicas are needed, and maxReplicas allows 20", "Raise maxReplicas"],
            ),
        ),
        of(
            "reading",
            changed(|ago, load| if ago == 40 { load * 1_000.0 } else { load }),
            &["1 sample ignored", "maskedSpans: '"],
            &["1 sample ignored"],
        ),
        of(
            "blind",
            changed(|ago, load| if ago <= 120 { f64::NAN } else { load }),
            &[
                ">stale</span>",
                "the last sample is 2h",
                "<figcaption>Last measured ",
                "Find out why the data source does not answer",
            ],
            &["stale: the last sample is 2h", "Find out why the data source does not answer"],
        ),
        of(
            "distrusted",
            stuck(),
            &[
                ">forecast not used</span>",
                "the forecast does not count: its loss is ",
                "nothing predicts the load better than the load now: ",
                "The load now decides",
                "<td class=\"words\">no</td>",
            ],
            &[
                "forecast_unused: the forecast does not count: its loss is ",
                "(does not count)",
                "The load now decides",
            ],
        ),
    ]
}

/// Problems caused by people, and by KEDA.
fn of_people() -> Vec<Trouble> {
    let calm = || changed(|_, load| load);
    let word = format!("replicas=30 until={} reason='sale of last week'", NOW + Span::days(5));
    let rules = "- {days: mon-sun, start: '02:55', end: '04:00', min: 25, name: nightly batch}".to_owned();
    vec![
        with(
            "override",
            word,
            of(
                "forgotten",
                calm(),
                &[
                    ">override</span>",
                    "<h2>Why 30</h2>",
                    "sale of last week",
                    "Lift the override that is in force",
                ],
                &["30 replicas at ", "overridden: an override holds until ", "Lift it with"],
            ),
        ),
        with(
            "schedule",
            rules,
            of(
                "crossing",
                calm(),
                &["<h2>Why 25</h2>", "the schedule", "nightly batch"],
                &["25 replicas at ", "schedule asks for 25", "next change: "],
            ),
        ),
        Trouble {
            silent: true,
            ..of(
                "silent",
                calm(),
                &[">KEDA is silent</span>", "KEDA asked last at ", "paused or gone"],
                &["keda_silent: KEDA asked last at ", "paused or gone"],
            )
        },
        with(
            "threshold",
            "1".to_owned(),
            of(
                "threshold",
                calm(),
                &[
                    ">at its limit</span>",
                    "maxReplicas allows 60",
                    "the threshold if one replica carries more",
                ],
                &["at_limit: ", "maxReplicas allows 60", "the threshold if one replica carries more"],
            ),
        ),
    ]
}

/// Decided workloads, shown as a server shows its own.
struct Night {
    metrics: Metrics,
    workloads: Vec<(KnownWorkload, Story, Traces)>,
}

impl Night {
    fn of(troubles: &[Trouble]) -> Self {
        Night { metrics: Metrics::new(), workloads: troubles.iter().map(Self::workload).collect() }
    }

    fn workload(trouble: &Trouble) -> (KnownWorkload, Story, Traces) {
        let plain =
            [("query", "sum(load)"), ("threshold", "10"), ("minReplicas", "1"), ("maxReplicas", "60")];
        let mut values: BTreeMap<String, String> =
            plain.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        values.extend(trouble.keys.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        let schedule = values.remove("schedule");
        let catalogue = crate::source::Catalogue::new(NOW);
        let metadata: std::collections::HashMap<String, String> =
            values.into_iter().chain(schedule.map(|rules| ("schedule".to_owned(), rules))).collect();
        let keys: Keys = catalogue.keys(&metadata);
        let policy = Arc::new(Policy::from_keys(&keys).expect("valid"));
        let load =
            Series::from_values(NOW - Step::MINUTE.times(LONG), Step::MINUTE, trouble.load.iter().copied());
        let traces = Traces {
            signals: vec![SignalTraces { load: Some(load.clone()), ..SignalTraces::default() }],
            ..Traces::default()
        };
        let mut retold = Retold::new(&policy, traces.clone(), NOW);
        let status = match retold.at(NOW) {
            Ok(decision) => WorkloadStatus::Decided(Arc::new(decision)),
            Err(blind) => WorkloadStatus::Blind(blind),
        };
        let story = Story {
            policy: Arc::clone(&policy),
            keys: BTreeMap::new(),
            prepared: Some(retold.session().prepared().clone()),
            load: Some(Arc::new(load)),
            running: None,
            changes: Vec::new(),
        };
        let known = KnownWorkload {
            id: WorkloadId::new("night", trouble.name, "forescale").expect("valid"),
            status,
            policy: Some(policy),
            last_asked: if trouble.silent { NOW - Span::minutes(20) } else { NOW },
            most_age: Span::MINUTE,
            worth: None,
            failing: Arc::default(),
        };
        (known, story, traces)
    }

    fn find(&self, id: &WorkloadId) -> Option<&(KnownWorkload, Story, Traces)> {
        self.workloads.iter().find(|(known, ..)| known.id == *id)
    }
}

impl Overview for Night {
    fn workloads(&self) -> Vec<KnownWorkload> {
        self.workloads.iter().map(|(known, ..)| known.clone()).collect()
    }

    fn triggers(&self, namespace: &str, name: &str) -> Vec<KnownWorkload> {
        let is_meant = |known: &KnownWorkload| known.id.namespace() == namespace && known.id.name() == name;
        self.workloads().into_iter().filter(is_meant).collect()
    }

    fn snapshot(&self, id: &WorkloadId) -> Option<Snapshot> {
        let (known, story, _) = self.find(id)?;
        Some(Snapshot { now: NOW, known: known.clone(), story: Some(story.clone()) })
    }

    fn past(&self, snapshot: &Snapshot, span: Span) -> Past {
        match self.find(&snapshot.known.id) {
            Some((_, story, traces)) => {
                Past::Told(Moment::all(&story.policy, traces.clone(), span, NOW).into())
            }
            None => Past::Unknown,
        }
    }

    fn again(&self, known: &KnownWorkload, at: Time) -> Again {
        let Some((_, story, traces)) = self.find(&known.id) else { return Again::Unknown };
        match Retold::new(&story.policy, traces.clone(), at).at(at) {
            Ok(decision) => Again::Decided(Box::new(decision)),
            Err(blind) => Again::Blind(blind),
        }
    }

    fn ready(&self) -> bool {
        true
    }

    fn silence(&self) -> Option<Duration> {
        None
    }

    fn load(&self, id: &WorkloadId) -> Option<Arc<Series>> {
        self.find(id)?.1.load.clone()
    }

    fn settings(&self) -> &Settings {
        const NONE: &Settings = &Settings { price: None, grafana: None };
        NONE
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn now(&self) -> Time {
        NOW
    }

    fn exposes_queries(&self) -> bool {
        false
    }
}

/// The same pages in a real browser, if its driver is available: `tests/full/page`.
async fn in_a_browser(base: &str, paths: Vec<String>) {
    if std::env::var_os("FORESCALE_NODE_MODULES").is_none() {
        return;
    }
    let mut node = std::process::Command::new("node");
    node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/page.mjs")).arg(base).args(paths);
    let status =
        tokio::task::spawn_blocking(move || node.status().expect("node runs")).await.expect("it ends");
    assert!(status.success(), "the browser found faults");
}

async fn page(base: &str, path: &str) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answer = reqwest::get(format!("{base}{path}")).await.expect("an answer");
    answer.text().await.expect("a page")
}

/// A sentence about the coming hours that the present contradicts.
fn contradiction(page: &str) -> Option<String> {
    if page.contains(">at its limit</span>") && page.contains("<span>capped in</span>") {
        return Some("a limit that is reached is said to be ahead".to_owned());
    }
    let caption = page.split("<figcaption>Now ").find(|told| told.contains("; up to "))?;
    let (now, ahead) = caption.split_once("; up to ")?;
    let count = |text: &str| text.split(' ').next().and_then(|count| count.parse::<u32>().ok());
    (count(ahead)? < count(now)?).then(|| format!("Now {now}; up to {ahead}"))
}

#[test]
fn a_contradiction_is_found() {
    let caption = |text: &str| format!("<figcaption>{text} in the next 12 hours.</figcaption>");
    assert!(contradiction(&caption("Now 20; up to 8")).is_some());
    assert_eq!(contradiction(&caption("Now 8; up to 20")), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_troubles_are_told_by_the_page_alone_and_by_the_command_alone() {
    let troubles = troubles();
    assert_eq!(troubles.len(), 10);
    let night = Arc::new(Night::of(&troubles));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    let router = http::router(night);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let fleet = page(&base, "/").await;
    let mut missing = Vec::new();
    for trouble in &troubles {
        let story = page(&base, &format!("/workloads/night/{}?hours=6", trouble.name)).await;
        let server = base.clone();
        let place = format!("night/{}", trouble.name);
        let ask = move || live::ask(&server, &place, None, None, Format::Text).expect("an answer").text;
        let words = tokio::task::spawn_blocking(ask).await.expect("it ends");
        let mut expect = |place: &str, text: &str, wanted: &[&'static str]| {
            for want in wanted.iter().filter(|want| !text.contains(**want)) {
                missing.push(format!("{} in {place}: '{want}'; explained as:\n{words}", trouble.name));
            }
        };
        expect("the page", &story, trouble.page);
        assert_eq!(contradiction(&story), None, "{}", trouble.name);
        expect("explain", &words, trouble.command);
        // The fleet page links there, with the most serious problem.
        expect("the fleet", &fleet, &["workloads/night/"]);
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    let paths = troubles.iter().map(|trouble| format!("/workloads/night/{}?hours=6", trouble.name));
    in_a_browser(&base, std::iter::once("/".to_owned()).chain(paths).collect()).await;
    // Healthy workloads are not listed, and the most serious problem comes first.
    let first = fleet.split("<tr>").nth(2).expect("a row");
    assert!(first.contains(">stale</span>"), "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instant_is_explained_by_the_server_as_the_picture_shows_it() {
    let troubles = troubles();
    let night = Arc::new(Night::of(&troubles[..1]));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    let router = http::router(night);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let why: serde_json::Value =
        serde_json::from_str(&page(&base, "/api/v1/workloads/night/spike/why?hours=6").await).expect("JSON");
    let moments = why["moments"].as_array().expect("moments");
    assert_eq!((moments.len(), &why["every_seconds"]), (181, &serde_json::json!(120)));
    for moment in [&moments[3], &moments[90], &moments[180]] {
        let at = Time::parse(moment["at"].as_str().expect("an instant")).expect("an instant");
        let server = base.clone();
        let ask = move || live::ask(&server, "night/spike", None, Some(at), Format::Json).expect("an answer");
        let told = tokio::task::spawn_blocking(ask).await.expect("it ends");
        let decision: serde_json::Value = serde_json::from_str(&told.text).expect("JSON");
        assert_eq!(decision["at"], moment["at"]);
        assert_eq!((&decision["replicas"], &decision["needs"]), (&moment["replicas"], &moment["needs"]));
    }
}
