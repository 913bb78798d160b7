//! The patch that sets or removes an override: for programs, for kubectl and for Git.
//!
//! Nothing here reads a file or a clock, and nothing applies the patch: Kubernetes decides who may override.

use serde_json::{Value, json};

use crate::policy::Override;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Set this override; it replaces an existing one.
    Set(Override),
    /// Remove the override.
    Lift,
}

/// The object to patch, and what must be found there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub namespace: String,
    pub name: String,
    pub trigger: usize,
    pub kind: String,
    pub address: Option<String>,
    pub metric_name: Option<String>,
}

/// The JSON Patch (RFC 6902). `add` replaces an existing override; `remove` fails if there is none.
pub(crate) fn json(target: &Target, action: &Action) -> Value {
    Value::Array(operations(target, action))
}

/// The same as a shell command.
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

/// Quotes a word for a POSIX shell.
fn shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A YAML scalar: in single quotes unless every reader takes it for a string.
fn yaml(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && !["true", "false", "null", "yes", "no", "on", "off"].contains(&text);
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// One operation as a line of YAML.
fn flow(operation: &Value) -> String {
    let field = |key: &str| operation.get(key).and_then(Value::as_str);
    let keys = ["op", "path", "value"].into_iter().filter_map(|key| Some((key, field(key)?)));
    let fields: Vec<String> = keys.map(|(key, value)| format!("{key}: {}", yaml(value))).collect();
    format!("{{{}}}", fields.join(", "))
}
