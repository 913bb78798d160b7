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
    /// Degradation level: fresh, held, stale, `reactive_only` or `schedule_only`.
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

/// A page of all workloads, with what all chosen ones come to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Fleet", deny_unknown_fields)]
pub(super) struct FleetView {
    /// Version of this form.
    pub schema: u32,
    /// This page, counted from 0.
    pub page: usize,
    /// How many there are.
    pub pages: usize,
    /// Workloads chosen, on all pages; so are the sums below.
    pub workloads: usize,
    /// Of them in trouble.
    pub bad: usize,
    /// Of them to look at.
    pub warnings: usize,
    /// Replicas asked for.
    pub replicas: u64,
    /// Replicas that the load now needs.
    pub needed_now: u64,
    /// Replicas that the forecast needs while pods started now come up.
    pub expected: u64,
    /// What the forecasts have been worth, net.
    pub worth: WorthView,
    /// The same in money; absent where no price is configured.
    pub money_saved: Option<f64>,
    /// The rows of this page.
    pub rows: Vec<FleetRowView>,
}

/// What forecasts have been worth beside a reactive trigger since this server began.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Worth", deny_unknown_fields)]
pub(super) struct WorthView {
    /// Replica-hours saved; negative where they were spent.
    pub replica_hours_saved: f64,
    /// Hours with too few replicas that were avoided; negative where there were more.
    pub hours_short_avoided: f64,
    /// Hours that were counted; in a sum, of the workload that was counted longest.
    pub hours_counted: f64,
}

/// One workload of the fleet.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FleetRow", deny_unknown_fields)]
pub(super) struct FleetRowView {
    /// Namespace of the ScaledObject.
    pub namespace: String,
    /// Name of the ScaledObject.
    pub name: String,
    /// Name of the metric.
    pub metric: String,
    /// How it is doing, the worst first; never empty.
    pub states: Vec<StateView>,
    /// The answer to KEDA.
    pub replicas: Option<u32>,
    /// Why it is that.
    pub because: Option<String>,
    /// The newest load.
    pub load: Option<f64>,
    /// The largest load that is likely while pods started now come up.
    pub peak: Option<f64>,
    /// Why there is no answer.
    pub unavailable: Option<String>,
    /// What its forecast has been worth; absent where that is not counted.
    pub worth: Option<WorthView>,
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

/// Who asked for how many replicas, decided again from history.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Why", deny_unknown_fields)]
pub(super) struct WhyView {
    /// Version of this form.
    pub schema: u32,
    /// Distance of the moments.
    pub every_seconds: i64,
    /// Oldest first.
    pub moments: Vec<MomentView>,
}

/// What was asked for at an instant.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Moment", deny_unknown_fields)]
pub(super) struct MomentView {
    /// When.
    pub at: String,
    /// The answer; absent where too little was known.
    pub replicas: Option<u32>,
    /// Why it was that.
    pub reason: Option<&'static str>,
    /// What every contributor asked for.
    pub needs: Vec<NeedView>,
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
    /// Degradation level.
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
