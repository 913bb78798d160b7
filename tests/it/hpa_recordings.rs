//! Recorded trajectories of the real HPA and a real KEDA, simulated freely by the twin.
//!
//! The twin gets only the ScaledObject and the scaler's timeline, never the recorded calls and replicas. The folder
//! of recordings is given by `FORESCALE_HPA_RECORDINGS`; recordings computed by an independent script
//! (`tests/recordings/`) are always replayed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use forescale::simulate::{
    Amount, Behavior, Fallback, FallbackBehavior, MetricType, Millis, Pause, PodTiming, Policy, Row, Rules,
    ScalerResponse, Select, Timeline, Trigger, Twin, TwinConfig,
};
use forescale::units::Time;
use serde::Deserialize;

/// A change may come this much earlier or later than recorded, in seconds.
const LEEWAY: f64 = 2.0;

/// Recordings in which two controllers acted within milliseconds of each other (their README names them).
const RACES: [&str; 2] = ["value-slow-60", "zero-poll10"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recording {
    started_at: String,
    #[serde(default)]
    created_after: f64,
    duration: f64,
    scaled_object: ScaledObject,
    initial_replicas: u32,
    #[serde(default)]
    pod_ready_delay: f64,
    #[serde(default)]
    timeline: Vec<Line>,
    #[serde(default)]
    timelines: BTreeMap<String, Vec<Line>>,
    replicas: Vec<(f64, u32, u32, u32)>,
}

/// `[t, value, active, failMetrics, failSpec]`.
type Line = (f64, f64, bool, bool, bool);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScaledObject {
    min_replica_count: Option<u32>,
    max_replica_count: Option<u32>,
    idle_replica_count: Option<u32>,
    polling_interval: Option<f64>,
    cooldown_period: Option<f64>,
    initial_cooldown_period: Option<f64>,
    fallback: Option<RecordedFallback>,
    behavior: Option<RecordedBehavior>,
    triggers: Vec<RecordedTrigger>,
    /// `[from, until or null, pausedReplicas or null]`; only in our own recordings.
    #[serde(default)]
    pauses: Vec<(f64, Option<f64>, Option<u32>)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedFallback {
    failure_threshold: u32,
    replicas: u32,
    behavior: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedBehavior {
    scale_up: Option<RecordedRules>,
    scale_down: Option<RecordedRules>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedRules {
    stabilization_window_seconds: Option<f64>,
    select_policy: Option<String>,
    policies: Option<Vec<RecordedPolicy>>,
    tolerance: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedPolicy {
    r#type: String,
    value: u32,
    period_seconds: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedTrigger {
    r#type: String,
    metric_type: Option<String>,
    target: f64,
    name: String,
    #[serde(default)]
    use_cached_metrics: bool,
}

#[test]
#[expect(clippy::print_stdout, reason = "one line for each recording is what this test is read for")]
fn hpa_recordings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let given = std::env::var_os("FORESCALE_HPA_RECORDINGS").map(PathBuf::from);
    let theirs = given.unwrap_or_else(|| root.join("../shared/hpa-recordings"));
    let own = files(&root.join("tests/recordings"));
    assert!(own.len() >= 4, "recordings of our own are missing");
    let mut recorded = files(&theirs);
    recorded.extend(files(&theirs.join("run-b")));
    if recorded.is_empty() {
        println!("no recordings in {}, only our own are replayed", theirs.display());
    }
    let mut failures = Vec::new();
    for path in own.iter().chain(&recorded) {
        let name = name_of(path);
        match replay(path) {
            Ok(()) => println!("ok {name}"),
            Err(difference) => {
                println!("differs {name} {difference}");
                if !RACES.contains(&name.as_str()) {
                    failures.push(name);
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} differ: {failures:?}", failures.len(), own.len() + recorded.len());
}

/// The recordings of a folder, by name; none if the folder does not exist.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    paths.sort();
    paths
}

fn name_of(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let run_b = path.parent().is_some_and(|folder| folder.ends_with("run-b"));
    if run_b { format!("{stem}/run-b") } else { stem.into_owned() }
}

fn replay(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let recording: Recording = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let mut twin = Twin::new(recording.config()?).map_err(|e| e.to_string())?;
    let until = recording.duration - recording.created_after + LEEWAY;
    twin.advance(&mut recording.scaler(), Millis::from_secs(until));
    let offset = recording.created_after;
    let ours: Vec<_> = twin.desired().iter().map(|c| (c.at.as_secs() + offset, c.replicas)).collect();
    compare(&recording.desired(), &ours, recording.duration)
}

/// Checks for the same replicas in the same order, each change within the leeway. Changes within the leeway of the
/// end are ignored on both sides.
fn compare(recorded: &[(f64, u32)], ours: &[(f64, u32)], duration: f64) -> Result<(), String> {
    let late = |change: &(f64, u32)| change.0 > duration - LEEWAY;
    let show = |changes: &[(f64, u32)]| {
        changes.iter().map(|(t, n)| format!("{n}@{t:.1}")).collect::<Vec<_>>().join(" ")
    };
    for i in 0..recorded.len().max(ours.len()) {
        let fits = match (recorded.get(i), ours.get(i)) {
            (Some(a), Some(b)) => (a.1 == b.1 && (a.0 - b.0).abs() <= LEEWAY) || (late(a) && late(b)),
            (Some(only), None) | (None, Some(only)) => late(only),
            (None, None) => true,
        };
        if !fits {
            return Err(format!("recorded {} | twin {}", show(recorded), show(ours)));
        }
    }
    Ok(())
}

impl Recording {
    /// The recorded changes of `spec.replicas`, starting with the initial state.
    fn desired(&self) -> Vec<(f64, u32)> {
        let mut changes: Vec<(f64, u32)> = self.replicas.iter().map(|row| (row.0, row.1)).collect();
        changes.dedup_by_key(|change| change.1);
        changes
    }

    fn config(&self) -> Result<TwinConfig, String> {
        let so = &self.scaled_object;
        let default = TwinConfig::default();
        let seconds = |given: Option<f64>, default: Millis| given.map_or(default, Millis::from_secs);
        let since = |t: f64| Millis::from_secs(t - self.created_after);
        let pauses = so.pauses.iter().map(|&(from, until, replicas)| Pause {
            from: since(from),
            until: until.map_or(Millis::NEVER, since),
            replicas,
        });
        Ok(TwinConfig {
            // KEDA's own default is 0.
            min_replicas: so.min_replica_count.unwrap_or(0),
            max_replicas: so.max_replica_count.unwrap_or(default.max_replicas),
            idle_replicas: so.idle_replica_count,
            polling_interval: seconds(so.polling_interval, default.polling_interval),
            cooldown: seconds(so.cooldown_period, default.cooldown),
            initial_cooldown: seconds(so.initial_cooldown_period, default.initial_cooldown),
            fallback: so.fallback.as_ref().map(RecordedFallback::read).transpose()?,
            behavior: so.behavior.as_ref().map(RecordedBehavior::read).transpose()?,
            triggers: so.triggers.iter().map(RecordedTrigger::read).collect::<Result<_, _>>()?,
            pauses: pauses.collect(),
            pods: PodTiming { ready: Millis::from_secs(self.pod_ready_delay), ..default.pods },
            initial_replicas: self.initial_replicas,
            created_at: self.created_at()?,
            ..default
        })
    }

    fn created_at(&self) -> Result<Millis, String> {
        let whole = Time::parse(&self.started_at).map_err(|e| e.to_string())?.epoch() * 1_000;
        let fraction = self.started_at.split_once('.').map_or("0", |(_, rest)| rest.trim_end_matches('Z'));
        let fraction: f64 = format!("0.{fraction}").parse().map_err(|_| self.started_at.clone())?;
        Ok(Millis(whole) + Millis::from_secs(fraction + self.created_after))
    }

    fn scaler(&self) -> Timeline {
        let lines = |trigger: &RecordedTrigger| self.timelines.get(&trigger.name).unwrap_or(&self.timeline);
        let row = |trigger: &RecordedTrigger, &(t, value, active, fail_metrics, fail_spec): &Line| Row {
            from: if t <= 0.0 { Millis::ZERO } else { Millis::from_secs(t - self.created_after) },
            answer: ScalerResponse {
                value: (!fail_metrics).then_some(value),
                active: (!fail_metrics).then_some(active),
                target: (!fail_spec).then_some(trigger.target),
            },
        };
        let triggers = self.scaled_object.triggers.iter();
        Timeline::new(triggers.map(|t| lines(t).iter().map(|line| row(t, line)).collect()).collect())
    }
}

impl RecordedFallback {
    fn read(&self) -> Result<Fallback, String> {
        let behavior = match self.behavior.as_deref() {
            None | Some("static") => FallbackBehavior::Static,
            Some("currentReplicas") => FallbackBehavior::CurrentReplicas,
            Some("currentReplicasIfHigher") => FallbackBehavior::CurrentReplicasIfHigher,
            Some("currentReplicasIfLower") => FallbackBehavior::CurrentReplicasIfLower,
            Some(other) => return Err(format!("fallback behavior {other}")),
        };
        Ok(Fallback { failure_threshold: self.failure_threshold, replicas: self.replicas, behavior })
    }
}

impl RecordedBehavior {
    fn read(&self) -> Result<Behavior, String> {
        let rules =
            |given: &Option<RecordedRules>| given.as_ref().map_or(Ok(Rules::default()), RecordedRules::read);
        Ok(Behavior { scale_up: rules(&self.scale_up)?, scale_down: rules(&self.scale_down)? })
    }
}

impl RecordedRules {
    fn read(&self) -> Result<Rules, String> {
        let select = match self.select_policy.as_deref() {
            None => None,
            Some("Max") => Some(Select::Max),
            Some("Min") => Some(Select::Min),
            Some("Disabled") => Some(Select::Disabled),
            Some(other) => return Err(format!("selectPolicy {other}")),
        };
        let policies = self.policies.as_ref().map(|all| all.iter().map(RecordedPolicy::read).collect());
        Ok(Rules {
            stabilization: self.stabilization_window_seconds.map(Millis::from_secs),
            select,
            policies: policies.transpose()?,
            tolerance: self.tolerance.as_ref().map(quantity).transpose()?,
        })
    }
}

impl RecordedPolicy {
    fn read(&self) -> Result<Policy, String> {
        let amount = match self.r#type.as_str() {
            "Pods" => Amount::Pods(self.value),
            "Percent" => Amount::Percent(self.value),
            other => return Err(format!("policy type {other}")),
        };
        Ok(Policy { amount, period: Millis::from_secs(self.period_seconds) })
    }
}

impl RecordedTrigger {
    fn read(&self) -> Result<Trigger, String> {
        let metric_type = match self.metric_type.as_deref() {
            None | Some("AverageValue") => MetricType::AverageValue,
            Some("Value") => MetricType::Value,
            Some(other) => return Err(format!("metricType {other}")),
        };
        let push = self.r#type == "external-push";
        Ok(Trigger { metric_type, push, cached: self.use_cached_metrics })
    }
}

/// A Kubernetes quantity without exponent: `0`, `"0.05"`, `"50m"`.
fn quantity(value: &serde_json::Value) -> Result<f64, String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (digits, unit) = text.strip_suffix('m').map_or((text.as_str(), 1.0), |digits| (digits, 1e-3));
    digits.parse::<f64>().map(|number| number * unit).map_err(|_| format!("quantity {text}"))
}
