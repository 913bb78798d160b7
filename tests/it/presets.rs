//! The presets: each is a valid policy, uses only keys of the schema, and does what its comment says.

use std::collections::{BTreeMap, HashMap};

use forescale::policy::{LeadTime, Policy, SignalKind};
use forescale::source::{Catalogue, schema, yaml};
use forescale::units::{Replicas, Time};

use crate::support::{files, root};

fn presets() -> BTreeMap<String, (String, Policy)> {
    let mut found = BTreeMap::new();
    for path in files(&root("models/presets"), "yaml") {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a preset");
        let mut catalogue = Catalogue::new(Time::from_epoch(1_790_000_000));
        catalogue.add(&name, &text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let keys = catalogue.keys(&HashMap::from([("policy".to_owned(), name.clone())]));
        let policy = Policy::from_keys(&keys).unwrap_or_else(|e| panic!("{name}: {e}"));
        found.insert(name, (text, policy));
    }
    found
}

#[test]
fn every_preset_is_a_policy_whose_keys_the_schema_knows() {
    let schema: serde_json::Value = serde_json::from_str(&schema::policy_schema()).expect("JSON");
    let presets = presets();
    assert!(presets.len() >= 6, "{:?}", presets.keys());
    let readme = std::fs::read_to_string(root("models/README.md"));
    let readme = readme.expect("models/README.md");
    for (name, (text, _)) in &presets {
        assert!(text.starts_with("# "), "{name} begins with what it is for");
        assert!(readme.contains(&format!("`{name}`")), "{name} is missing in models/README.md");
        let values: BTreeMap<String, serde_json::Value> = yaml::from_str(text).expect("YAML");
        for key in values.keys() {
            assert!(schema["properties"].get(key).is_some(), "{name}: the schema lacks {key}");
        }
    }
}

#[test]
fn presets_do_what_they_say() {
    let presets = presets();
    let replicas = |n: u32| Replicas::new(n).expect("small");
    let at = |text: &str| Time::parse(text).expect("an instant");
    let dev = &presets["dev"].1;
    assert!(dev.is_schedule_only());
    // A Tuesday in New York, and the following Saturday.
    for (text, floor) in [
        ("2026-11-03T13:59:00Z", None),
        ("2026-11-03T14:00:00Z", Some(1)),
        ("2026-11-03T22:59:00Z", Some(1)),
        ("2026-11-03T23:00:00Z", None),
        ("2026-11-07T15:00:00Z", None),
    ] {
        let found = dev.schedule.at(at(text)).floor.map(|b| b.replicas.get());
        assert_eq!(found, floor, "{text}");
    }
    let batch = &presets["batch-nightly"].1;
    assert!(batch.schedule.at(at("2026-11-03T12:00:00Z")).commands_zero());
    let night = batch.schedule.at(at("2026-11-03T23:00:00Z"));
    assert_eq!(night.floor.map(|b| b.replicas), Some(replicas(4)));
    assert!(matches!(presets["queue-deadline"].1.signals[0].kind, SignalKind::Queue(Some(_))));
    assert_eq!(presets["web"].1.lead_time, LeadTime::Auto);
    // Prefill and decode are forecast, the queue is not.
    for name in ["llm-vllm", "llm-sglang", "llm-llmd"] {
        let signals = &presets[name].1.signals;
        let tokens = signals.iter().filter(|signal| signal.query.contains("_tokens_total"));
        assert!(tokens.clone().count() == 2 && tokens.clone().all(|signal| signal.is_forecast), "{name}");
        assert!(signals.iter().any(|signal| !signal.is_forecast), "{name}");
    }
}
