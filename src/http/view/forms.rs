//! The types of the JSON API's answers. The doc comments of their fields become descriptions in the JSON Schema.

use schemars::JsonSchema;
use serde::Serialize;

/// A decision with every contributor, rule and note.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Decision", deny_unknown_fields)]
pub(super) struct DecisionView {
    /// Version of this format.
    pub schema: u32,
    /// The instant it was made for (RFC 3339, UTC).
    pub at: String,
    /// The answer to KEDA.
    pub replicas: u32,
    /// Whether the workload should run at all.
    pub active: bool,
    /// What the answer would be with the forecast included; equal to `replicas` in predictive mode.
    pub predictive: u32,
    /// Degradation level: fresh, held, stale, `reactive_only` or `schedule_only`.
    pub rung: &'static str,
    /// Why the answer is this number, as in metrics.
    pub reason: &'static str,
    /// The reason in words.
    pub because: String,
    /// What every contributor asked for; the largest that counts wins.
    pub needs: Vec<NeedView>,
    /// Other things worth knowing.
    pub notes: Vec<NoteView>,
    /// The newest load, in the unit of the query.
    pub load: Option<f64>,
    /// Age of the newest sample.
    pub history_age_seconds: Option<i64>,
    /// What the forecast said.
    pub forecast: Option<PeakView>,
    /// What one replica carries; absent if the policy does not ask for it, or nothing was read yet.
    pub capacity: Option<CapacityForm>,
    /// How far ahead the limit on replicas is likely to be reached.
    pub capped_in_seconds: Option<i64>,
    /// The probability of that.
    pub capped_probability: Option<f64>,
    /// The next change of override or schedule; the schedule is searched for eight days. Only set for a single
    /// workload.
    pub next_change: Option<ComingView>,
    /// How it is doing, worst first; only filled for a single workload.
    pub states: Vec<StateView>,
    /// Its queries that fail now; only filled for a single workload.
    pub failing: Vec<FailingView>,
}

/// Queries that fail in the same way.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Failing", deny_unknown_fields)]
pub(super) struct FailingView {
    /// The keys that give the queries.
    pub keys: Vec<String>,
    /// What is the case, without the query and without what the data source said.
    pub text: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// One condition of a workload.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "State", deny_unknown_fields)]
pub(super) struct StateView {
    /// Its name, as in `forescale_state`.
    pub state: &'static str,
    /// In words.
    pub text: String,
    /// What to do about it; empty if there is nothing to do.
    pub advice: &'static str,
}

/// The end of an override, or the schedule's next change.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Coming", deny_unknown_fields)]
pub(super) struct ComingView {
    /// When (RFC 3339, UTC).
    pub at: String,
    /// The same on the wall clock of the policy's time zone.
    pub local: String,
    /// What applies from then on, in words.
    pub to: String,
}

/// What one contributor asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Need", deny_unknown_fields)]
pub(super) struct NeedView {
    /// Who asked.
    pub contributor: &'static str,
    /// How many replicas.
    pub replicas: u32,
    /// Whether it counts for the answer.
    pub counts: bool,
}

/// A note for the reader.
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
    /// The insured quantile.
    pub quantile: f64,
    /// The largest load of the window at that quantile.
    pub load: f64,
    /// The same at the published quantiles.
    pub quantiles: std::collections::BTreeMap<String, f64>,
    /// The grid point of the fit.
    pub fitted_at: String,
    /// trusted, probation or distrusted.
    pub trust: &'static str,
    /// Which rule predicts, and why.
    pub verdict: VerdictView,
}

/// What one replica carries, and how it is used.
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
    /// The lower end of the range that contains it nine times out of ten.
    pub low: Option<f64>,
    /// The upper end of that range.
    pub high: Option<f64>,
    /// What bounds it: cpu, latency, throughput or demonstrated.
    pub bound: Option<&'static str>,
    /// The configured threshold.
    pub given: f64,
    /// The load per replica that the decision used.
    pub used: f64,
    /// In words.
    pub text: String,
    /// If it cannot be determined, what would make that possible.
    pub would_tell: Option<&'static str>,
    /// What was missing to learn from, and where it would come from.
    pub missing: Vec<String>,
}

/// Which rule predicts the load, and why.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Verdict", deny_unknown_fields)]
pub(super) struct VerdictView {
    /// forecast, naive_day, naive_week or reactive (no rule predicts).
    pub rule: &'static str,
    /// The plain rule that the forecast is compared with.
    pub baseline: &'static str,
    /// Loss of the forecast divided by that of the baseline; below 1 the forecast is better.
    pub ratio: f64,
    /// The quantile whose loss was compared.
    pub quantile: f64,
    /// The window whose peak was compared.
    pub window_seconds: i64,
    /// In words, with the consequence.
    pub text: String,
}

/// Every workload that KEDA asks for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Workloads", deny_unknown_fields)]
pub(super) struct WorkloadsView {
    /// Version of this format.
    pub schema: u32,
    /// Sorted by namespace, name and metric.
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
    /// Why there is no decision.
    pub unavailable: Option<String>,
    /// How it is doing, worst first; never empty.
    pub states: Vec<StateView>,
    /// Its queries that fail now.
    pub failing: Vec<FailingView>,
}

/// A page of all workloads, with the totals of all selected ones.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Fleet", deny_unknown_fields)]
pub(super) struct FleetView {
    /// Version of this format.
    pub schema: u32,
    /// This page, counted from 0.
    pub page: usize,
    /// The number of pages.
    pub pages: usize,
    /// Selected workloads on all pages; the totals below cover the same.
    pub workloads: usize,
    /// How many of them are bad.
    pub bad: usize,
    /// How many of them have a warning.
    pub warnings: usize,
    /// Replicas asked for.
    pub replicas: u64,
    /// Replicas that the load now needs.
    pub needed_now: u64,
    /// Replicas that the forecast needs while pods started now become ready.
    pub expected: u64,
    /// What the forecasts have been worth, net.
    pub worth: WorthView,
    /// The same in money; absent if no price is configured.
    pub money_saved: Option<f64>,
    /// The rows of this page.
    pub rows: Vec<FleetRowView>,
}

/// What forecasts have been worth compared with a reactive trigger since this server started.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Worth", deny_unknown_fields)]
pub(super) struct WorthView {
    /// Replica-hours saved; negative if more were spent.
    pub replica_hours_saved: f64,
    /// Under-provisioned hours avoided; negative if there were more.
    pub hours_short_avoided: f64,
    /// Hours compared; in a total, those of the workload that was compared longest.
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
    /// How it is doing, worst first; never empty.
    pub states: Vec<StateView>,
    /// The answer to KEDA.
    pub replicas: Option<u32>,
    /// The reason in words.
    pub because: Option<String>,
    /// The newest load.
    pub load: Option<f64>,
    /// The largest load that is likely while pods started now become ready.
    pub peak: Option<f64>,
    /// Why there is no answer.
    pub unavailable: Option<String>,
    /// Its queries that fail now.
    pub failing: Vec<FailingView>,
    /// What its forecast has been worth; absent if that is not computed.
    pub worth: Option<WorthView>,
}

/// The load as it was read, and the changes of the answer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "History", deny_unknown_fields)]
pub(super) struct HistoryView {
    /// Version of this format.
    pub schema: u32,
    /// Spacing of the points.
    pub step_seconds: i64,
    /// The samples that exist; gaps are left out.
    pub points: Vec<PointView>,
    /// Answers that differed from the previous one, oldest first; the last 64 since this server started.
    pub changes: Vec<ChangeView>,
}

/// Who asked for how many replicas, decided again from history.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Why", deny_unknown_fields)]
pub(super) struct WhyView {
    /// Version of this format.
    pub schema: u32,
    /// Spacing of the moments.
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
    /// The answer; absent if too little was known.
    pub replicas: Option<u32>,
    /// The reason for the answer.
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
    /// The load.
    pub load: f64,
}

/// An answer that differed from the previous one.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Change", deny_unknown_fields)]
pub(super) struct ChangeView {
    /// When.
    pub at: String,
    /// The replicas from then on.
    pub replicas: u32,
    /// The reason.
    pub reason: &'static str,
    /// Degradation level.
    pub rung: &'static str,
}

/// What the coming hours are expected to bring.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Forecast", deny_unknown_fields)]
pub(super) struct ForecastView {
    /// Version of this format.
    pub schema: u32,
    /// The last sample it knows; absent if there is no forecast.
    pub known_until: Option<String>,
    /// The grid point of the fit.
    pub fitted_at: Option<String>,
    /// trusted, probation or distrusted.
    pub trust: Option<&'static str>,
    /// Which rule predicts, and why; absent if there is no forecast.
    pub verdict: Option<VerdictView>,
    /// Loss divided by that of the seasonal naive, recently; below 1 is better.
    pub skill_ratio: Option<f64>,
    /// Share of samples at or below each quantile, recently.
    pub coverage: std::collections::BTreeMap<String, f64>,
    /// Stretches of time, without gaps.
    pub hours: Vec<HourView>,
}

/// A future stretch of time.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Hour", deny_unknown_fields)]
pub(super) struct HourView {
    /// When it starts.
    pub from: String,
    /// Load that is exceeded with probability 0.75.
    pub load_low: f64,
    /// Load that is exceeded with probability 0.5.
    pub load_median: f64,
    /// Load that is not exceeded with probability `quantile`.
    pub load_insured: f64,
    /// The insured quantile.
    pub quantile: f64,
    /// Replicas that will be requested.
    pub replicas: u32,
    /// The least that limits, schedule and override allow.
    pub least: u32,
    /// The most that they allow.
    pub most: u32,
    /// Replicas that the insured load needs, if that is more than allowed.
    pub capped_from: Option<u32>,
}

/// Why there is no answer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem", deny_unknown_fields)]
pub(super) struct ProblemView {
    /// In words.
    pub error: String,
}
