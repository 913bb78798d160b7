//! The patch that sets or lifts an override: as a program reads it, as kubectl takes it and as Git keeps it. Nothing here reads a file or a clock.

use serde_json::{Value, json};

use super::manifest::{ScaledObject, Trigger};
use crate::policy::Override;
use crate::units::Replicas;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Set this override, in place of one that is there.
    Set(Override),
    /// Take it away.
    Lift,
}

/// Where, and what must be found there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub namespace: String,
    pub name: String,
    pub trigger: usize,
    pub kind: String,
    pub address: Option<String>,
    pub metric_name: Option<String>,
}

/// The JSON Patch (RFC 6902). `add` replaces an override that is there; `remove` fails where there is none.
pub(crate) fn json(target: &Target, action: &Action) -> Value {
    Value::Array(operations(target, action))
}

/// The same as a line for a shell.
pub(crate) fn command(target: &Target, action: &Action) -> String {
    format!(
        "kubectl --namespace {} patch scaledobject {} --type json --patch {}",
        shell(&target.namespace),
        shell(&target.name),
        shell(&json(target, action).to_string())
    )
}

/// For people: the command, and the same for Git.
pub(crate) fn text(target: &Target, action: &Action) -> String {
    let Target { namespace, name, trigger, .. } = target;
    let command = command(target, action);
    let (does, line) = match action {
        Action::Set(word) => (
            match word.from {
                Some(from) => {
                    format!("# {name} runs at {} from {from} until {}.", word.replicas.in_words(), word.until)
                }
                None => format!("# {name} runs at {} until {}.", word.replicas.in_words(), word.until),
            },
            format!("        override: {}   # spec.triggers[{trigger}].metadata", yaml(&word.to_string())),
        ),
        Action::Lift => (
            format!("# {name} follows its forecast and schedule again."),
            format!("        # spec.triggers[{trigger}].metadata: without the key 'override'"),
        ),
    };
    let operations = operations(target, action);
    let operations: Vec<String> = operations.iter().map(|op| format!("      - {}\n", flow(op))).collect();
    format!(
        "{does}\n{command}\n\n# In Git, in the ScaledObject itself:\n{line}\n\n\
         # or in a kustomization.yaml:\npatches:\n  - target: {{kind: ScaledObject, namespace: {}, name: {}}}\n    \
         patch: |\n{}",
        yaml(namespace),
        yaml(name),
        operations.concat()
    )
}

/// What the file says that will keep the override from doing what was meant.
pub(crate) fn limits_of(object: &ScaledObject<'_>, trigger: &Trigger<'_>, action: &Action) -> Vec<String> {
    let Action::Set(word) = action else { return Vec::new() };
    let mut notes = Vec::new();
    let wanted = word.replicas.get();
    let max = trigger.metadata.get("maxReplicas").and_then(|t| t.trim().parse::<u32>().ok());
    if let Some(max) = max.filter(|max| *max < wanted) {
        notes.push(format!("maxReplicas is {max}: it runs at {max}, not at {wanted}"));
    }
    // KEDA's own defaults where the ScaledObject says nothing.
    let count =
        |key: &str, default: i64| object.spec().and_then(|spec| spec.count_of(key)).unwrap_or(default);
    let (least, most) = (count("minReplicaCount", 0), count("maxReplicaCount", 100));
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

fn operations(target: &Target, action: &Action) -> Vec<Value> {
    let base = format!("/spec/triggers/{}", target.trigger);
    let test = |path: String, value: &str| json!({ "op": "test", "path": path, "value": value });
    let mut operations = vec![test(format!("{base}/type"), &target.kind)];
    for (key, value) in [("scalerAddress", &target.address), ("metricName", &target.metric_name)] {
        operations.extend(value.as_ref().map(|value| test(format!("{base}/metadata/{key}"), value)));
    }
    let path = format!("{base}/metadata/override");
    operations.push(match action {
        Action::Set(word) => json!({ "op": "add", "path": path, "value": word.to_string() }),
        Action::Lift => json!({ "op": "remove", "path": path }),
    });
    operations
}

/// A word for a POSIX shell.
fn shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A scalar for YAML: single quotes, unless no reader could take it for anything but a text.
fn yaml(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && !["true", "false", "null", "yes", "no", "on", "off"].contains(&text);
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// One operation as YAML on a line.
fn flow(operation: &Value) -> String {
    let field = |key: &str| operation.get(key).and_then(Value::as_str);
    let keys = ["op", "path", "value"].into_iter().filter_map(|key| Some((key, field(key)?)));
    let fields: Vec<String> = keys.map(|(key, value)| format!("{key}: {}", yaml(value))).collect();
    format!("{{{}}}", fields.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
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
