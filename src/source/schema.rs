//! The JSON Schema of a policy file: what an editor completes and checks while people write.
//!
//! The structs here are documentation that compiles; nothing is parsed through them. A test holds their keys equal to
//! those that the reader knows, and the committed `models/policy.schema.json` equal to what is generated.

// Only the derive macro reads the fields.
#![allow(dead_code)]

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::policy::schedule::{RULE_KEYS, RuleForm};

/// How one workload is scaled. Every key can also be in the metadata of a trigger, as a string.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, title = "A Forescale policy")]
struct PolicyFile {
    /// Further signals; the largest need wins. Each has the keys of a query, and `mode: reactive` if it is not to be
    /// forecast.
    signals: Option<Vec<FurtherSignal>>,
    /// A named policy of the server, which supplies the keys that are not given here. In a trigger only.
    policy: Option<String>,
    /// Name of the metric of the HPA. `forescale` unless given.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,63}$"))]
    metric_name: Option<String>,
    #[schemars(flatten)]
    signal: SignalKeys,
    /// Time from a decision to a ready pod: a duration up to 1h, or `auto` to learn the 90th percentile from
    /// kube-state-metrics. 2m unless given.
    lead_time: Option<LeadTime>,
    /// How much to insure, by name: the quantile 0.80 (cost), 0.95 (balanced, the default) or 0.99 (availability).
    objective: Option<Objective>,
    /// How much to insure, as a quantile of the peak load in the lead window: 0.5 to 0.999.
    quantile: Option<Number>,
    /// How much to insure, by cost: a short replica-hour costs as much as this many idle ones, 1 to 999. Insures the
    /// quantile c / (1 + c).
    under_provision_cost: Option<Number>,
    /// How much to insure, by result: the share of time that may be short of replicas, such as 1%. Forescale replays the
    /// history to find the insurance.
    under_provision_target: Option<Number>,
    /// predictive (the default); shadow: compute and publish, but answer without the forecast; or reactive: no forecast.
    mode: Option<Mode>,
    /// Learn the load that one replica carries: advise publishes it (the default if the exporters have the data), auto
    /// uses it, within half and twice `threshold`; off does not learn it.
    capacity: Option<Capacity>,
    /// The share of its CPU request that a replica may use, to learn what it carries. 70% unless given.
    target_utilization: Option<Number>,
    /// PromQL: CPU cores that all replicas use together, to learn what one carries. cAdvisor's metric unless given.
    cpu_query: Option<String>,
    /// PromQL: latency in seconds, to learn what one replica carries within `latencyObjective`.
    latency_query: Option<String>,
    /// The longest latency that users accept, such as 500ms. Twice the latency of quiet times unless given.
    latency_objective: Option<String>,
    /// The fewest replicas that Forescale asks for; 0 permits zero. 1 unless given.
    min_replicas: Option<Count>,
    /// The most replicas that Forescale asks for. 100 unless given.
    max_replicas: Option<Count>,
    /// IANA time zone of the schedule and of daily and weekly patterns, such as Europe/Berlin. UTC unless given; required
    /// with `start`.
    timezone: Option<String>,
    /// Rules that set a floor, a ceiling or a load factor by the clock. If several apply: the highest floor, the lowest
    /// ceiling, and the floor wins.
    schedule: Option<Schedule>,
    /// As in KEDA's cron scaler: when its one window starts.
    start: Option<String>,
    /// As in KEDA's cron scaler: when its one window ends.
    end: Option<String>,
    /// As in KEDA's cron scaler: the replicas in its one window.
    desired_replicas: Option<Count>,
    /// Name of an iCalendar of the server's configuration. Its days count as Sundays.
    calendar: Option<String>,
    /// How long there must be no load before zero. 0s unless given, since KEDA's cooldownPeriod waits as well.
    scale_to_zero_after: Option<Duration>,
    /// How long before an expected load to wake from zero. The lead time unless given.
    wake_ahead: Option<Duration>,
    /// How long a zero of the schedule waits for work in flight. 30m unless given.
    drain_grace: Option<Duration>,
    /// PromQL: the running replicas, for the HPA's tolerance, scaling lag and savings.
    replicas_query: Option<String>,
    /// PromQL: share of requests that fail, 0 to 1. From 0.2 on, a low load is not believed.
    error_query: Option<String>,
    /// PromQL: load that was turned away, in the unit of `query`. It is added to the load.
    rejected_query: Option<String>,
    /// PromQL: work in flight. While it is above 0, the workload does not go to zero.
    in_flight_query: Option<String>,
    /// Time spans not to learn from, such as 2026-11-27T00:00:00Z/2026-11-28T00:00:00Z, separated by commas.
    masked_spans: Option<String>,
    /// Age of the last sample from which on the forecast is no longer followed, and the last need is kept. 1h unless
    /// given.
    max_stale: Option<Duration>,
    /// The HPA's tolerance, which the answer takes into account. 0.1 unless given.
    tolerance: Option<Number>,
    /// The number of replicas is a multiple of this. 1 unless given.
    replica_step: Option<Count>,
    /// The numbers of replicas allowed, ascending, such as 2,4,8,16. Instead of `replicaStep`.
    replica_tiers: Option<Tiers>,
    /// Replicas beyond the need: a number, or the share of all replicas that may be lost, such as 34%. 0 unless given.
    spare_replicas: Option<Spare>,
    /// How long a ready pod takes to reach its full capacity; added to the lead time. 0s unless given.
    warm_up: Option<Duration>,
    /// Kind of the object that is scaled: Deployment, StatefulSet or Rollout. The one with that name unless given.
    target_kind: Option<TargetKind>,
    /// Name of the object that is scaled, if it is not the ScaledObject's.
    target_name: Option<String>,
    /// `none`: no event of the server's configuration applies.
    events: Option<Events>,
    /// A number of replicas set by a person, with an end: replicas=3 until=2026-12-01T18:00:00Z reason=launch.
    r#override: Option<String>,
}

/// A further signal.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct FurtherSignal {
    #[schemars(flatten)]
    keys: SignalKeys,
    /// predictive (the default), or reactive: only its present value counts. For CPU, memory and latency, which depend on
    /// the replicas as much as on the load.
    mode: Option<FurtherMode>,
}

/// What measures the load.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct SignalKeys {
    /// PromQL of the load; its result is one series.
    query: Option<String>,
    /// Load per replica, above 0.
    threshold: Option<Number>,
    /// The workload wakes from zero if the load is above this. 0 unless given.
    activation_threshold: Option<Number>,
    /// rate (the default): the load divided by `threshold`; or queue: the depth of a queue, divided by `threshold` or
    /// with a deadline.
    signal: Option<SignalKind>,
    /// Queue with a deadline. PromQL: arrivals per second.
    arrival_query: Option<String>,
    /// Queue with a deadline: items that one replica completes per second.
    service_rate: Option<Number>,
    /// Queue with a deadline. PromQL: completions per second of all replicas, instead of `serviceRate`.
    completions_query: Option<String>,
    /// Queue with a deadline: the time in which the backlog is to be drained.
    drain_within: Option<Duration>,
    /// Name of a data source of the server's configuration. `default` unless given.
    datasource: Option<String>,
    /// URL of a Prometheus. The server's `serverAddressAllow` has to allow it.
    server_address: Option<String>,
    /// How much history to learn from. 28d unless given.
    history_time_window: Option<Duration>,
    /// Time between two samples of the history. 1m unless given.
    query_step: Option<Duration>,
    /// Time between two queries of the newest value. 15s unless given.
    poll_step: Option<Duration>,
    /// Age from which on a sample counts, because younger ones may still be incomplete. 30s unless given.
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
            "description": "A rule of the schedule: a window by the clock, and what applies in it.",
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
        "# Every key\n\nWritten by `forescale schema --reference`. Every key can be in a trigger's metadata, as a \
         string,\nor in a named policy. In a policy, the keys of a query can be in each entry of `signals` too.\n",
    );
    let tables = [
        ("A workload", &schema["properties"]),
        ("A rule of `schedule`", &schema["$defs"]["Rule"]["properties"]),
    ];
    for (title, properties) in tables {
        out += &format!("\n## {title}\n\n| key | form | meaning |\n| --- | --- | --- |\n");
        for (key, value) in properties.as_object().into_iter().flatten() {
            let meaning =
                value["description"].as_str().unwrap_or_default().replace('|', "\\|").replace('\n', " ");
            out += &format!("| `{key}` | {} | {meaning} |\n", form(value));
        }
    }
    out += "\n## The server's configuration\n\nA YAML file for `forescale serve --config`. `${VARIABLE}` is replaced \
            by the environment variable. In a key, NAME is a name that you choose.\n\n";
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
        let broken = committed.lines().find(|line| line.starts_with('|') != line.ends_with(" |"));
        assert_eq!(broken, None, "a row of a table is one line");
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
