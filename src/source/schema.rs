//! The JSON Schema of a policy file: what an editor completes and checks while people write.
//!
//! The structs here are documentation that compiles; nothing is parsed through them. A test holds their keys equal to
//! those that the reader knows, and the committed `models/policy.schema.json` equal to what is generated.

// Only the derive macro reads the fields.
#![allow(dead_code)]

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::policy::schedule::{RULE_KEYS, RuleForm};

/// How one workload is to be scaled. Every key may also stand in the metadata of a trigger, as a string.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, title = "A Forescale policy")]
struct PolicyFile {
    /// Further signals, the largest need wins: keys of a query, and `mode: reactive` for what is not to be forecast.
    signals: Option<Vec<FurtherSignal>>,
    /// A policy of the catalogue that supplies what is not given. In a trigger only.
    policy: Option<String>,
    /// Name of the HPA metric, `forescale` unless given.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,63}$"))]
    metric_name: Option<String>,
    #[schemars(flatten)]
    signal: SignalKeys,
    /// Decision to ready pod: a duration up to 1h, or `auto` to learn the 90th percentile from kube-state-metrics.
    lead_time: Option<LeadTime>,
    /// How much to insure by name: cost (0.80), balanced (0.95, the default) or availability (0.99).
    objective: Option<Objective>,
    /// The quantile of the load in the lead window to insure, 0.5 to 0.999.
    quantile: Option<Number>,
    /// Replica-hours that one short replica-hour is worth, 1 to 999; insures the quantile c / (1 + c).
    under_provision_cost: Option<Number>,
    /// Share of time that may be short of replicas, such as 1%; the insurance is found by replaying the history.
    under_provision_target: Option<Number>,
    /// predictive (the default), shadow (decide and publish, answer as reactive) or reactive.
    mode: Option<Mode>,
    /// What becomes of the load that one replica was seen to carry: advise publishes it (the default where the exporters
    /// have what it takes), auto uses it within half and twice `threshold`, off asks nothing.
    capacity: Option<Capacity>,
    /// How much of its CPU request a replica may use. 70% unless given.
    target_utilization: Option<Number>,
    /// PromQL: CPU cores that all replicas use together, to learn what one carries. cAdvisor's unless given.
    cpu_query: Option<String>,
    /// PromQL: latency in seconds, to learn what one replica carries before users notice.
    latency_query: Option<String>,
    /// The latency that users still accept, such as 500ms; twice that of quiet times unless given.
    latency_objective: Option<String>,
    /// Least replicas used in planning; 0 permits zero. 1 unless given.
    min_replicas: Option<Count>,
    /// Most replicas used in planning. 100 unless given.
    max_replicas: Option<Count>,
    /// IANA time zone of schedule and seasons, such as Europe/Berlin. UTC unless given; required beside `start`.
    timezone: Option<String>,
    /// Floors, ceilings and factors by the clock. Overlapping: highest floor, lowest ceiling, the floor wins.
    schedule: Option<Schedule>,
    /// KEDA's cron: when the one window starts.
    start: Option<String>,
    /// KEDA's cron: when the one window ends.
    end: Option<String>,
    /// KEDA's cron: replicas in the one window.
    desired_replicas: Option<Count>,
    /// A named iCalendar of the server's configuration, whose days count as Sunday.
    calendar: Option<String>,
    /// Time without load before zero. 0s unless given: KEDA's cooldownPeriod waits.
    scale_to_zero_after: Option<Duration>,
    /// How long before expected load to wake from zero. The lead time unless given.
    wake_ahead: Option<Duration>,
    /// How long a commanded zero waits for work in flight. 30m unless given.
    drain_grace: Option<Duration>,
    /// PromQL: replicas that run, for the HPA's tolerance, scaling lag and savings.
    replicas_query: Option<String>,
    /// PromQL: share of requests that fail, 0 to 1; from 0.2 on low load is not believed.
    error_query: Option<String>,
    /// PromQL: load turned away, in the unit of `query`; added to it.
    rejected_query: Option<String>,
    /// PromQL: work being done now; no zero while above 0.
    in_flight_query: Option<String>,
    /// Spans not to learn from, such as 2026-11-27T00:00:00Z/2026-11-28T00:00:00Z, comma-separated.
    masked_spans: Option<String>,
    /// Age of the last sample at which a plan is no longer followed. 1h unless given.
    max_stale: Option<Duration>,
    /// The HPA's tolerance to reckon with. 0.1 unless given.
    tolerance: Option<Number>,
    /// Replicas come in multiples of this. 1 unless given.
    replica_step: Option<Count>,
    /// The counts of replicas that there may be, ascending: 2,4,8,16. In place of `replicaStep`.
    replica_tiers: Option<Tiers>,
    /// Replicas beyond the need: a number, or the share of all that may be lost, such as 34%. 0 unless given.
    spare_replicas: Option<Spare>,
    /// How long a ready pod is not yet at full capacity: added to the lead time. 0s unless given.
    warm_up: Option<Duration>,
    /// What is scaled: Deployment, StatefulSet or Rollout; whichever has the name unless given.
    target_kind: Option<TargetKind>,
    /// Its name, where it is not the ScaledObject's.
    target_name: Option<String>,
    /// `none` opts out of the events of the server's configuration.
    events: Option<Events>,
    /// A person's word with an end: replicas=3 until=2026-12-01T18:00:00Z reason=launch.
    r#override: Option<String>,
}

/// A further measure of load.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct FurtherSignal {
    #[schemars(flatten)]
    keys: SignalKeys,
    /// predictive (the default), or reactive: it counts as it is now. For CPU, memory and latency, which follow the
    /// replicas as much as the load.
    mode: Option<FurtherMode>,
}

/// What load is measured by.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct SignalKeys {
    /// PromQL that yields one series.
    query: Option<String>,
    /// Load per replica, above 0.
    threshold: Option<Number>,
    /// Wakes from zero strictly above this load. 0 unless given.
    activation_threshold: Option<Number>,
    /// rate (load by threshold, the default) or queue (depth by threshold, or a deadline).
    signal: Option<SignalKind>,
    /// Queue with a deadline, PromQL: arrivals per second.
    arrival_query: Option<String>,
    /// Queue with a deadline: work that one replica does per second.
    service_rate: Option<Number>,
    /// Queue with a deadline, PromQL: completions per second of all replicas, in place of serviceRate.
    completions_query: Option<String>,
    /// Queue with a deadline: time to drain the backlog.
    drain_within: Option<Duration>,
    /// A Prometheus of the server's configuration. `default` unless given.
    datasource: Option<String>,
    /// The URL of a Prometheus, where the server's allow-list admits it.
    server_address: Option<String>,
    /// History to learn from. 28d unless given.
    history_time_window: Option<Duration>,
    /// Grid of the history. 1m unless given.
    query_step: Option<Duration>,
    /// Grid of the instant values. 15s unless given.
    poll_step: Option<Duration>,
    /// Age at which a sample counts. 30s unless given.
    settle: Option<Duration>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Objective {
    Cost,
    Balanced,
    Availability,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Mode {
    Predictive,
    Shadow,
    Reactive,
}

#[derive(JsonSchema)]
enum TargetKind {
    Deployment,
    StatefulSet,
    Rollout,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Events {
    None,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Capacity {
    Off,
    Advise,
    Auto,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum FurtherMode {
    Predictive,
    Reactive,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum SignalKind {
    Rate,
    Queue,
}

/// Texts whose form has no type of its own: each names itself, so that editors show what is expected.
macro_rules! forms {
    ($($name:ident => $schema:tt;)*) => {$(
        struct $name;
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

forms! {
    Duration => {
        "description": "A duration as Prometheus and Kubernetes write it: 30s, 1h30m, 28d",
        "type": ["string", "integer"], "pattern": "^(0|([0-9]+(ms|s|m|h|d|w|y))+)$", "minimum": 0, "maximum": 0
    };
    LeadTime => {
        "description": "A duration, or auto", "type": "string", "pattern": "^(auto|0|([0-9]+(ms|s|m|h))+)$"
    };
    Number => {
        "description": "A number, plain or as text; also 1%, 500m and 2k as Kubernetes writes quantities",
        "type": ["number", "string"], "minLength": 1
    };
    Count => {
        "description": "A whole number, plain or as text",
        "type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+$"
    };
    Tiers => {
        "description": "Ascending whole numbers separated by commas",
        "type": "string", "pattern": "^ *[0-9]+ *(, *[0-9]+ *)*$"
    };
    Spare => {
        "description": "A whole number, or a share such as 25%",
        "type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+(\\.[0-9]+)?%?$"
    };
    OneOrMore => {
        "description": "One text, or a list of texts",
        "type": ["string", "array"], "items": { "type": "string" }
    };
}

/// The rule of a schedule, as the reader of rules describes its keys.
struct Rule;

impl JsonSchema for Rule {
    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = serde_json::Map::new();
        for key in &RULE_KEYS {
            let mut schema = match key.form {
                RuleForm::Text => generator.subschema_for::<Option<String>>(),
                RuleForm::Texts => generator.subschema_for::<Option<OneOrMore>>(),
                RuleForm::Count => generator.subschema_for::<Option<Count>>(),
                RuleForm::Number => generator.subschema_for::<Option<Number>>(),
            };
            schema.insert("description".to_owned(), key.meaning.into());
            properties.insert(key.name.to_owned(), schema.to_value());
        }
        json_schema!({
            "description": "A window of the clock and what holds in it.",
            "type": "object", "properties": properties, "additionalProperties": false
        })
    }
}

struct Schedule;

impl JsonSchema for Schedule {
    fn schema_name() -> Cow<'static, str> {
        "Schedule".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let rule = generator.subschema_for::<Rule>();
        json_schema!({ "type": "array", "items": rule })
    }
}

/// The schema as it is published, with stable formatting.
pub fn policy_schema() -> String {
    let mut schema = schemars::schema_for!(PolicyFile);
    schema.insert("$id".to_owned(), "policy.schema.json".into());
    format!("{schema:#}\n", schema = schema.as_value())
}

/// The description of every key of a policy, of a schedule rule and of the server's configuration, as Markdown.
pub fn reference() -> String {
    let schema = schemars::schema_for!(PolicyFile).to_value();
    let mut out = String::from(
        "# Every key\n\nWritten by `forescale schema --reference`. Every key may stand in a trigger's metadata, as a \
         string,\nor in a named policy; there, the keys of a query also stand in each entry of `signals`.\n",
    );
    let tables = [
        ("A workload", &schema["properties"]),
        ("A rule of `schedule`", &schema["$defs"]["Rule"]["properties"]),
    ];
    for (title, properties) in tables {
        out += &format!("\n## {title}\n\n| key | form | meaning |\n| --- | --- | --- |\n");
        for (key, value) in properties.as_object().into_iter().flatten() {
            let meaning = value["description"].as_str().unwrap_or_default().replace('|', "\\|");
            out += &format!("| `{key}` | {} | {meaning} |\n", form(value));
        }
    }
    out += "\n## The server's configuration\n\nA YAML file, given by `forescale serve --config`. `${NAME}` is replaced \
            from the environment. NAME is yours to choose.\n\n";
    out += &super::config::reference::table();
    out + "\n## Forms\n\n- duration: as Prometheus and Kubernetes write it, `30s`, `1h30m`, `28d`\n\
           - number: plain or as text; also `1%`, `500m` and `2k` as Kubernetes writes quantities\n\
           - list: one text, or several\n"
}

/// The form of a value in one word, or the values allowed.
fn form(value: &serde_json::Value) -> String {
    let choices = value["anyOf"].as_array().into_iter().flatten();
    let reference = choices.chain([value]).find_map(|choice| choice["$ref"].as_str());
    match reference.and_then(|path| path.rsplit('/').next()) {
        Some("Duration") => "duration".to_owned(),
        Some("LeadTime") => "duration or `auto`".to_owned(),
        Some("Number") => "number".to_owned(),
        Some("Count") => "whole number".to_owned(),
        Some("Spare") => "whole number or share".to_owned(),
        Some("OneOrMore") => "list".to_owned(),
        Some("Schedule") => "rules".to_owned(),
        Some(name @ ("Objective" | "Mode" | "SignalKind" | "Events" | "TargetKind" | "Capacity")) => {
            format!("`{}`", name_choices(name).join("`, `"))
        }
        _ if key_is_list(value) => "list".to_owned(),
        _ => "text".to_owned(),
    }
}

fn name_choices(name: &str) -> Vec<String> {
    let schema = schemars::schema_for!(PolicyFile).to_value();
    let choices = schema["$defs"][name]["enum"].as_array().into_iter().flatten();
    choices.filter_map(|choice| choice.as_str().map(ToOwned::to_owned)).collect()
}

fn key_is_list(value: &serde_json::Value) -> bool {
    value["type"].as_array().into_iter().flatten().any(|kind| kind == "array")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::policy::KNOWN_KEYS;

    fn keys(value: &serde_json::Value, pointer: &str) -> BTreeSet<String> {
        let map = value.pointer(pointer).and_then(|v| v.as_object());
        map.map(|m| m.keys().cloned().collect()).unwrap_or_default()
    }

    #[test]
    fn the_schema_knows_the_keys_that_the_reader_knows() {
        let schema: serde_json::Value = serde_json::from_str(&policy_schema()).expect("JSON");
        let mut known: BTreeSet<String> = KNOWN_KEYS.iter().map(|k| (*k).to_owned()).collect();
        known.insert("signals".to_owned());
        assert_eq!(keys(&schema, "/properties"), known);
    }

    #[test]
    fn the_committed_reference_is_the_generated_one_and_knows_every_key() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/reference.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, reference()).expect("written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, reference(), "write it anew: UPDATE=1 cargo test reference");
        for key in KNOWN_KEYS.iter().copied().chain(RULE_KEYS.map(|key| key.name)) {
            assert!(committed.contains(&format!("| `{key}` | ")), "{key}");
        }
    }

    #[test]
    fn the_committed_schema_is_the_generated_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/policy.schema.json");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, policy_schema()).expect("written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, policy_schema(), "write it anew: forescale schema > models/policy.schema.json");
    }
}
