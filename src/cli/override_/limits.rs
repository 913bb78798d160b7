//! Warnings from the file of a ScaledObject: what in it will keep an override from having its intended effect.

use crate::http::patch::Action;
use crate::source::manifest::{DEFAULT_MAX_COUNT, ScaledObject, Trigger};
use crate::units::Replicas;

/// What in the file will keep the override from having its intended effect.
pub(super) fn of(object: &ScaledObject<'_>, trigger: &Trigger<'_>, action: &Action) -> Vec<String> {
    let Action::Set(word) = action else { return Vec::new() };
    let mut notes = Vec::new();
    let wanted = word.replicas.get();
    let max = trigger.metadata.get("maxReplicas").and_then(|t| t.trim().parse::<u32>().ok());
    if let Some(max) = max.filter(|max| *max < wanted) {
        notes.push(format!("maxReplicas is {max}: it runs at {max}, not at {wanted}"));
    }
    // KEDA's defaults for fields that the ScaledObject does not set.
    let count =
        |key: &str, default: i64| object.spec().and_then(|spec| spec.count_of(key)).unwrap_or(default);
    let (least, most) = (count("minReplicaCount", 0), count("maxReplicaCount", i64::from(DEFAULT_MAX_COUNT)));
    if i64::from(wanted) > most {
        notes.push(format!("maxReplicaCount is {most}: the HPA goes no higher"));
    }
    if i64::from(wanted) < least {
        notes.push(format!("minReplicaCount is {least}: the HPA goes no lower"));
    }
    if object.triggers.len() > 1 {
        let also = if word.replicas == Replicas::ZERO { ", and stays awake while any is active" } else { "" };
        notes.push(format!(
            "the ScaledObject has {} triggers: KEDA takes the largest of them{also}",
            object.triggers.len()
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    use crate::http::patch::{Target, json, text};
    use crate::policy::Override;
    use crate::units::Time;

    fn target() -> Target {
        Target {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            trigger: 1,
            kind: "external".to_owned(),
            address: Some("forescale.keda:6000".to_owned()),
            metric_name: None,
        }
    }

    fn set(reason: &str) -> Action {
        Action::Set(Override {
            replicas: Replicas::new(3).expect("in range"),
            from: None,
            until: Time::parse("2026-12-01T18:00:00Z").expect("an instant"),
            reason: reason.to_owned(),
        })
    }

    #[test]
    fn the_patch_tests_before_it_changes() {
        assert_eq!(
            json(&target(), &set("launch")),
            serde_json::json!([
                {"op": "test", "path": "/spec/triggers/1/type", "value": "external"},
                {"op": "test", "path": "/spec/triggers/1/metadata/scalerAddress", "value": "forescale.keda:6000"},
                {"op": "add", "path": "/spec/triggers/1/metadata/override",
                 "value": "replicas=3 until=2026-12-01T18:00:00Z reason=\"launch\""},
            ])
        );
        let lift = json(&target(), &Action::Lift);
        assert_eq!(
            lift[2],
            serde_json::json!({"op": "remove", "path": "/spec/triggers/1/metadata/override"})
        );
    }

    #[test]
    fn every_form_is_read_back_as_the_same_patch() {
        for reason in ["", "launch", "it's 50% off: #1", "say \"go\""] {
            let action = set(reason);
            let want = json(&target(), &action);
            let text = text(&target(), &action);
            let snippet = text.split("kustomization.yaml:\n").nth(1).expect("the snippet");
            let document: Value = crate::source::yaml::from_str(snippet).expect("valid YAML");
            let inner = document["patches"][0]["patch"].as_str().expect("a text");
            let read: Value = crate::source::yaml::from_str(inner).expect("valid YAML");
            assert_eq!(read, want, "{reason}");
            let quoted = text.split("--patch ").nth(1).and_then(|t| t.lines().next()).expect("the command");
            let unquoted = quoted.trim_matches('\'').replace(r"'\''", "'");
            assert_eq!(serde_json::from_str::<Value>(&unquoted).expect("JSON"), want, "{reason}");
        }
    }
}
