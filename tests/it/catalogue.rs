//! The OctoLLM catalogue: every policy and every trigger is valid, they agree, and they have the guide's values.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use forescale::policy::{Limits, Policy};
use forescale::source::{Catalogue, yaml};
use forescale::units::{Replicas, Time};
use serde_json::Value;

use crate::support::{files, root};

/// What the guide requires of a component: limits, CPU and memory as shares of the request, load per replica, latency
/// in seconds.
struct Wanted {
    name: &'static str,
    limits: (u32, u32),
    cpu: f64,
    memory: Option<f64>,
    load: f64,
    latency: Option<f64>,
}

const GUIDE: [Wanted; 8] = [
    Wanted {
        name: "orchestrator",
        limits: (2, 10),
        cpu: 0.7,
        memory: Some(0.8),
        load: 10.0,
        latency: Some(0.5),
    },
    Wanted {
        name: "reflex-layer",
        limits: (3, 20),
        cpu: 0.6,
        memory: Some(0.75),
        load: 500.0,
        latency: None,
    },
    Wanted { name: "planner", limits: (1, 5), cpu: 0.75, memory: None, load: 5.0, latency: None },
    Wanted { name: "executor", limits: (1, 10), cpu: 0.7, memory: Some(0.8), load: 8.0, latency: None },
    Wanted { name: "coder", limits: (1, 8), cpu: 0.75, memory: None, load: 6.0, latency: None },
    Wanted { name: "judge", limits: (1, 5), cpu: 0.7, memory: None, load: 0.7, latency: None },
    Wanted { name: "guardian", limits: (2, 10), cpu: 0.65, memory: None, load: 100.0, latency: None },
    Wanted { name: "retriever", limits: (1, 8), cpu: 0.7, memory: None, load: 0.7, latency: Some(0.2) },
];

fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::new(Time::from_epoch(1_790_000_000));
    for path in files(&root("models/octollm"), "yaml") {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a policy");
        catalogue.add(&format!("octollm/{name}"), &text).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    catalogue
}

fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a manifest");
    let parse = |text: &str| yaml::from_str(text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.split("\n---\n").map(parse).collect()
}

fn manifests(below: &str) -> Vec<(PathBuf, Value)> {
    let of = |path: PathBuf| documents(&path).into_iter().map(move |d| (path.clone(), d));
    files(&root(below), "yaml").into_iter().flat_map(of).collect()
}

fn triggers<'a>(object: &'a Value, kind: &str) -> Vec<&'a Value> {
    let all = object["spec"]["triggers"].as_array().expect("triggers");
    all.iter().filter(|t| t["type"] == kind).collect()
}

fn metadata(trigger: &Value) -> HashMap<String, String> {
    let map = trigger["metadata"].as_object().expect("metadata");
    let text = |v: &Value| v.as_str().expect("KEDA wants texts").to_owned();
    map.iter().map(|(k, v)| (k.clone(), text(v))).collect()
}

fn policy(catalogue: &Catalogue, metadata: &HashMap<String, String>) -> Policy {
    let keys = catalogue.keys(metadata);
    Policy::from_keys(&keys).unwrap_or_else(|e| panic!("{metadata:?}: {e}"))
}

fn count(value: &Value) -> Replicas {
    Replicas::covering(value.as_f64().expect("a number"))
}

#[test]
fn the_guides_values_stand_in_policies_and_objects() {
    let catalogue = catalogue();
    assert_eq!(catalogue.names().count(), GUIDE.len());
    for wanted in GUIDE {
        let path = root("deploy/octollm").join(format!("{}.yaml", wanted.name));
        let object = documents(&path).into_iter().find(|d| d["kind"] == "ScaledObject").expect("an object");
        let [ours] = triggers(&object, "external")[..] else { panic!("{}: one trigger", wanted.name) };
        let ours = metadata(ours);
        assert_eq!(ours["policy"], format!("octollm/{}", wanted.name));
        let policy = policy(&catalogue, &ours);
        let limits = Limits {
            min: Replicas::covering(f64::from(wanted.limits.0)),
            max: Replicas::covering(f64::from(wanted.limits.1)),
        };
        assert_eq!(policy.limits, limits, "{}", wanted.name);
        assert_eq!(policy.signals[0].threshold.get(), wanted.load, "{}", wanted.name);
        assert_eq!(policy.tolerance, 0.0, "{}", wanted.name);
        // One metric in the HPA: the guide's other metrics are further signals of the policy.
        assert_eq!(object["spec"]["triggers"].as_array().map(Vec::len), Some(1), "{}", wanted.name);
        let level = |of: &str| {
            let mut found = policy.signals.iter().enumerate().filter(|(_, signal)| signal.query.contains(of));
            let (place, signal) = found.next()?;
            assert!(found.next().is_none(), "{}: {of} twice", wanted.name);
            // A metric that follows the replicas as much as the load is not forecast, unless it is the only one.
            assert_eq!(signal.is_forecast, place == 0, "{}: {of}", wanted.name);
            Some(signal.threshold.get())
        };
        assert_eq!(level("container_cpu_usage"), Some(wanted.cpu), "{}", wanted.name);
        assert_eq!(level("container_memory_working_set"), wanted.memory, "{}", wanted.name);
        assert_eq!(level("latency_p95"), wanted.latency, "{}", wanted.name);
    }
}

#[test]
fn objects_and_their_policies_agree() {
    let catalogue = catalogue();
    let mut seen = 0;
    for (path, object) in manifests("deploy/octollm").into_iter().chain(manifests("deploy/extras")) {
        if object["kind"] != "ScaledObject" {
            continue;
        }
        let shown = path.display();
        for trigger in triggers(&object, "external-push").into_iter().chain(triggers(&object, "external")) {
            let policy = policy(&catalogue, &metadata(trigger));
            let spec = &object["spec"];
            // A formula changes the answer into another number.
            if spec["advanced"]["scalingModifiers"].is_null() {
                assert_eq!(policy.limits.max, count(&spec["maxReplicaCount"]), "{shown}");
            }
            assert_eq!(policy.limits.min, count(&spec["minReplicaCount"]), "{shown}");
            assert_eq!(spec["fallback"]["behavior"], "currentReplicasIfHigher", "{shown}");
            assert!(count(&spec["fallback"]["replicas"]) >= policy.limits.min, "{shown}");
            seen += 1;
        }
    }
    assert!(seen > GUIDE.len(), "only {seen} triggers");
}

#[test]
fn every_query_is_promql() {
    let catalogue = catalogue();
    let mut queries = Vec::new();
    for (_, object) in manifests("deploy/octollm").into_iter().chain(manifests("deploy/extras")) {
        if object["kind"] != "ScaledObject" {
            continue;
        }
        for trigger in object["spec"]["triggers"].as_array().expect("triggers") {
            if ["external", "external-push"].iter().any(|kind| trigger["type"] == *kind) {
                let policy = policy(&catalogue, &metadata(trigger));
                queries.extend(policy.signals.into_iter().map(|s| s.query));
                queries.extend(policy.queries.replicas);
            }
            queries.extend(trigger["metadata"]["query"].as_str().map(str::to_owned));
        }
    }
    let rules: Vec<_> = queries
        .iter()
        .enumerate()
        .map(|(i, query)| serde_json::json!({ "record": format!("query:{i}"), "expr": query }))
        .collect();
    let rules = serde_json::json!({ "groups": [{ "name": "queries", "rules": rules }] });
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("rules.json");
    fs::write(&file, rules.to_string()).expect("written");
    let output =
        Command::new("promtool").args(["check", "rules"]).arg(&file).output().expect("promtool runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
