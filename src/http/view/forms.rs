//! What the answers of the JSON API are made of; the words beside the keys become the schema's descriptions.

use schemars::JsonSchema;
use serde::Serialize;

/// A decision with every contributor, rule and note.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Decision", deny_unknown_fields)]
pub(super) struct DecisionView {
    /// Version of this form.
    pub schema: u32,
    /// The instant it was made for (RFC 3339, UTC).
    pub at: String,
    /// The answer to KEDA.
    pub replicas: u32,
    /// Whether the workload should run at all.
    pub active: bool,
    /// The answer had the forecast counted; equal to `replicas` in predictive mode.
    pub predictive: u32,
    /// Rung of the ladder of failures: fresh, held, stale, `reactive_only` or `schedule_only`.
    pub rung: &'static str,
    /// Why it is this number, as in metrics.
    pub reason: &'static str,
    /// The same in words.
    pub because: String,
    /// What every contributor asked for; the largest that counts wins.
    pub needs: Vec<NeedView>,
    /// What else the reader should know.
    pub notes: Vec<NoteView>,
    /// The newest load, in the unit of the query.
    pub load: Option<f64>,
    /// Age of the newest sample.
    pub history_age_seconds: Option<i64>,
    /// What the forecast said.
    pub forecast: Option<PeakView>,
    /// What one replica carries; absent where nobody asks, or nothing was read yet.
    pub capacity: Option<CapacityForm>,
    /// How far ahead the limit on replicas is likely to bind.
    pub capped_in_seconds: Option<i64>,
    /// The probability of that.
    pub capped_probability: Option<f64>,
    /// What people said changes next, within a week; told only where one workload is asked for.
    pub next_change: Option<ComingView>,
    /// How it is doing, the worst first; told only where one workload is asked for.
    pub states: Vec<StateView>,
}

/// One thing that is to be said of how a workload is doing.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "State", deny_unknown_fields)]
pub(super) struct StateView {
    /// Its name, as in `forescale_state`.
    pub state: &'static str,
    /// In words.
    pub text: String,
    /// What to do about it; empty where nothing is to be done.
    pub advice: &'static str,
}

/// The end of an override, or the schedule's next change.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Coming", deny_unknown_fields)]
pub(super) struct ComingView {
    /// When (RFC 3339, UTC).
    pub at: String,
    /// The same on the wall clock of the policy's zone.
    pub local: String,
    /// What holds from then on, in words.
    pub to: String,
}

/// What one contributor asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Need", deny_unknown_fields)]
pub(super) struct NeedView {
    /// Who.
    pub contributor: &'static str,
    /// How many.
    pub replicas: u32,
    /// Whether it counts in the answer.
    pub counts: bool,
}

/// Something that a reader should know.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Note", deny_unknown_fields)]
pub(super) struct NoteView {
    /// Its name.
    pub note: &'static str,
    /// In words.
    pub text: String,
}

/// The peak of the lead window.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Peak", deny_unknown_fields)]
pub(super) struct PeakView {
    /// How far ahead the decision looked.
    pub window_seconds: i64,
    /// The quantile that was insured.
    pub quantile: f64,
    /// The largest load of the window at that quantile.
    pub load: f64,
    /// The same at the published quantiles.
    pub quantiles: std::collections::BTreeMap<String, f64>,
    /// The grid point the fit belongs to.
    pub fitted_at: String,
    /// trusted, probation or distrusted.
    pub trust: &'static str,
    /// Who predicts, and why.
    pub verdict: VerdictView,
}

/// What one replica carries, and what becomes of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Capacity", deny_unknown_fields)]
pub(super) struct CapacityForm {
    /// advise or auto.
    pub mode: &'static str,
    /// The grid point it was learned at.
    pub learned_at: String,
    /// known or `cannot_tell`.
    pub verdict: &'static str,
    /// What one replica carries, in the unit of the first query.
    pub per_replica: Option<f64>,
    /// The lower end of the range that holds it nine times of ten.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// What bounds it: cpu, latency, throughput or demonstrated.
    pub bound: Option<&'static str>,
    /// The threshold that was given.
    pub given: f64,
    /// The load per replica that the decision counted on.
    pub used: f64,
    /// In words.
    pub text: String,
    /// Where it cannot be told, what would tell.
    pub would_tell: Option<&'static str>,
    /// What could not be had to learn from, and who has it.
    pub missing: Vec<String>,
}

/// Who predicts the load, and why.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Verdict", deny_unknown_fields)]
pub(super) struct VerdictView {
    /// forecast, naive_day, naive_week or reactive (nobody).
    pub rule: &'static str,
    /// The plain rule that the forecast is held against.
    pub baseline: &'static str,
    /// Loss of the forecast over that of the baseline; below 1 the forecast is better.
    pub ratio: f64,
    /// The quantile whose loss was judged.
    pub quantile: f64,
    /// The window whose peak was judged.
    pub window_seconds: i64,
    /// In words, with what follows.
    pub text: String,
}

/// Every workload that KEDA asks for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Workloads", deny_unknown_fields)]
pub(super) struct WorkloadsView {
    /// Version of this form.
    pub schema: u32,
    /// In the order of namespace, name and metric.
    pub workloads: Vec<WorkloadView>,
}

/// One workload.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Workload", deny_unknown_fields)]
pub(super) struct WorkloadView {
    /// Namespace of the ScaledObject.
    pub namespace: String,
    /// Name of the ScaledObject.
    pub name: String,
    /// Name of the metric.
    pub metric: String,
    /// When KEDA last asked for it.
    pub last_asked: String,
    /// The newest decision.
    pub decision: Option<DecisionView>,
    /// Why there is none.
    pub unavailable: Option<String>,
    /// How it is doing, the worst first; never empty.
    pub states: Vec<StateView>,
}

/// The load as it was read, and the answers that changed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "History", deny_unknown_fields)]
pub(super) struct HistoryView {
    /// Version of this form.
    pub schema: u32,
    /// Distance of the points.
    pub step_seconds: i64,
    /// Samples that are there; a gap is left out.
    pub points: Vec<PointView>,
    /// Answers that differed from the one before, oldest first; the last 64 since this server began.
    pub changes: Vec<ChangeView>,
}

/// One sample.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Point", deny_unknown_fields)]
pub(super) struct PointView {
    /// When.
    pub at: String,
    /// How much.
    pub load: f64,
}

/// An answer that differed from the one before.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Change", deny_unknown_fields)]
pub(super) struct ChangeView {
    /// When.
    pub at: String,
    /// From then on.
    pub replicas: u32,
    /// Why.
    pub reason: &'static str,
    /// Rung of the ladder of failures.
    pub rung: &'static str,
}

/// What the coming hours are expected to bring.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Forecast", deny_unknown_fields)]
pub(super) struct ForecastView {
    /// Version of this form.
    pub schema: u32,
    /// The last sample it knows; absent where there is no forecast.
    pub known_until: Option<String>,
    /// The grid point the fit belongs to.
    pub fitted_at: Option<String>,
    /// trusted, probation or distrusted.
    pub trust: Option<&'static str>,
    /// Who predicts, and why; absent where there is no forecast.
    pub verdict: Option<VerdictView>,
    /// Loss over that of the seasonal naive, recently; below 1 is better.
    pub skill_ratio: Option<f64>,
    /// Share of samples at or below each quantile, recently.
    pub coverage: std::collections::BTreeMap<String, f64>,
    /// Stretches of time, without gaps.
    pub hours: Vec<HourView>,
}

/// A stretch of time to come.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Hour", deny_unknown_fields)]
pub(super) struct HourView {
    /// Where it begins.
    pub from: String,
    /// Load that is exceeded with probability 0.75.
    pub load_low: f64,
    /// Load that is exceeded with probability 0.5.
    pub load_median: f64,
    /// Load that is not exceeded with probability `quantile`.
    pub load_insured: f64,
    /// The insured probability.
    pub quantile: f64,
    /// Replicas that will be asked for.
    pub replicas: u32,
    /// The least that limits, schedule and override allow.
    pub least: u32,
    /// The most that they allow.
    pub most: u32,
    /// What the insured load needs, where that is more.
    pub capped_from: Option<u32>,
}

/// Why there is no answer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem", deny_unknown_fields)]
pub(super) struct ProblemView {
    /// In words.
    pub error: String,
}
