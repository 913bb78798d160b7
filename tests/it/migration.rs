//! The pairs in `deploy/migration`: the second file of each pair asks for the same as the first.
//!
//! Open hours are compared every five minutes, across a clock change: the windows of KEDA's cron trigger within one
//! day (open from start to end on the weekdays that both name, by the wall clock) against `forescale timeline`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{Datelike, Timelike};
use chrono_tz::Tz;
use forescale::lint::{Input, Settings, lint};
use forescale::units::{Shards, Span, Time};
use serde_json::Value;

const DAYS: i64 = 60;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/migration")
}

fn begin() -> Time {
    Time::parse("2026-10-05T00:00:00Z").expect("an instant")
}

fn names() -> Vec<String> {
    let files = std::fs::read_dir(folder()).expect("the folder").flatten();
    let names = files.filter_map(|f| Some(f.file_name().to_str()?.strip_suffix(".before.yaml")?.to_owned()));
    names.collect()
}

fn text(name: &str, side: &str) -> String {
    std::fs::read_to_string(folder().join(format!("{name}.{side}.yaml"))).expect("readable")
}

/// Every scalar of a document, by the last part of its key; repeated keys keep all values.
fn scalars(text: &str) -> BTreeMap<String, Vec<String>> {
    fn walk(key: &str, value: &Value, into: &mut BTreeMap<String, Vec<String>>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| walk(key, value, into)),
            Value::Array(items) => items.iter().for_each(|item| walk(key, item, into)),
            Value::String(text) => into.entry(key.to_owned()).or_default().push(text.clone()),
            Value::Null => {}
            other => into.entry(key.to_owned()).or_default().push(other.to_string()),
        }
    }
    let mut found = BTreeMap::new();
    for document in text.split("\n---\n") {
        walk("", &serde_saphyr::from_str::<Value>(document).expect("YAML"), &mut found);
    }
    found
}

/// The start or end of a window: the minute of the day, and weekdays starting with Sunday.
struct Edge {
    minute: u32,
    days: Vec<u32>,
}

impl Edge {
    /// Parses `30 7 * * 1-5`.
    fn of(cron: &str) -> Self {
        let fields: Vec<&str> = cron.split(' ').collect();
        let number = |text: &str| text.parse::<u32>().expect("a number");
        let [minute, hour, "*", "*", days] = fields.as_slice() else { panic!("{cron}: not of one day") };
        let days = match days.split_once('-') {
            _ if *days == "*" => (0..7).collect(),
            Some((from, to)) => (number(from)..=number(to)).collect(),
            None => vec![number(days)],
        };
        Edge { minute: number(hour) * 60 + number(minute), days }
    }
}

#[test]
fn nothing_is_found_in_what_people_are_told_to_write() {
    let names = names();
    assert_eq!(names.len(), 5, "{names:?}");
    for name in &names {
        let settings = Settings {
            now: begin(),
            scrape_interval: Span::seconds(15),
            retention: Some(Span::days(30)),
            catalogue: None,
            shards: Shards::ONE,
            env: Default::default(),
            told: Default::default(),
        };
        let report = lint(&[Input { name: name.clone(), text: text(name, "after") }], &settings);
        // Whether KEDA's traffic is encrypted depends on the installation, not on the migration.
        let found = report.findings.iter().filter(|f| f.rule.name != "plaintext-across-namespaces");
        let found: Vec<_> = found.map(|f| format!("{}: {}", f.rule.name, f.message)).collect();
        assert!(found.is_empty() && report.judged == 1, "{name}: {found:?}");
    }
}

#[test]
fn query_threshold_and_limits_stay() {
    // Keys with the same meaning under another name: threshold, fewest and most replicas.
    let same = [
        ("query", &["query"][..]),
        ("threshold", &["threshold", "targetPerPod", "averageValue"]),
        ("minReplicaCount", &["minReplicaCount", "minReplicas"]),
        ("maxReplicaCount", &["maxReplicaCount", "maxReplicas"]),
        ("maxReplicas", &["maxReplicaCount", "maxReplicas"]),
        ("leadTime", &["leadTime", "predictHorizon"]),
        ("historyTimeWindow", &["historyTimeWindow"]),
        ("queryStep", &["queryStep"]),
    ];
    for name in names() {
        let (before, after) = (scalars(&text(&name, "before")), scalars(&text(&name, "after")));
        let mut compared = 0;
        for (ours, theirs) in &same {
            let Some(theirs) = theirs.iter().find_map(|key| before.get(*key)) else { continue };
            // PHPA names a metric, not a query.
            let Some(ours) = after.get(*ours) else { panic!("{name}: no {ours}") };
            let plain = |text: &String| text.trim_end_matches(".0").to_owned();
            assert_eq!(plain(&ours[0]), plain(&theirs[0]), "{name}");
            compared += 1;
        }
        assert!(compared >= 3, "{name}: only {compared} keys are compared");
    }
}

#[test]
fn schedules_open_and_shut_at_the_same_minute() {
    let mut compared = 0;
    for name in names() {
        let before = scalars(&text(&name, "before"));
        let Some(starts) = before.get("start") else { continue };
        let zone: Tz = before["timezone"][0].parse().expect("a zone");
        let rules: Vec<(Edge, Edge, u64)> = (0..starts.len())
            .map(|i| {
                let desired = before["desiredReplicas"][i].parse().expect("a number");
                (Edge::of(&starts[i]), Edge::of(&before["end"][i]), desired)
            })
            .collect();
        let output = Command::new(env!("CARGO_BIN_EXE_forescale"))
            .args([
                "timeline",
                "--format",
                "json",
                "--from",
                &begin().to_string(),
                "--days",
                &DAYS.to_string(),
            ])
            .arg(folder().join(format!("{name}.after.yaml")))
            .output()
            .expect("it runs");
        let timeline: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let stretches = timeline["stretches"].as_array().expect("stretches");
        let floors: Vec<(Time, u64)> = stretches
            .iter()
            .map(|s| {
                (
                    Time::parse(s["from"].as_str().expect("text")).expect("one"),
                    s["floor"].as_u64().unwrap_or(0),
                )
            })
            .collect();
        let mut opened = std::collections::BTreeSet::new();
        for minute in (0..DAYS * 1_440).step_by(5) {
            let at = begin() + Span::minutes(minute) + Span::seconds(1);
            let local = at.to_utc().with_timezone(&zone);
            let (day, now) = (local.weekday().num_days_from_sunday(), local.hour() * 60 + local.minute());
            let is_open = |(start, end, _): &&(Edge, Edge, u64)| {
                start.days.contains(&day) && start.minute <= now && now < end.minute
            };
            let open = rules.iter().filter(is_open);
            let keda = open.map(|(_, _, desired)| *desired).max().unwrap_or(0);
            let ours = floors.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, floor)| *floor);
            assert_eq!(ours, keda, "{name} at {local}");
            opened.insert(keda);
        }
        assert!(opened.len() > 1, "{name}: it never opens or never shuts");
        compared += 1;
    }
    assert_eq!(compared, 2, "pairs with hours");
}
