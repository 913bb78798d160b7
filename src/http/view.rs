//! The wire forms of the JSON API, and their JSON Schema.
//!
//! Each answer carries `schema`, the version of its form: keys may be added under one number, and none is taken
//! away or changes its meaning.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};

use super::overview::{Change, Known, Story};
use crate::decide::{Decision, SignalPlan, Stretch};
use crate::units::{Quantile, Replicas, Span, Time};

/// A decision with every contributor, rule and note.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Decision", deny_unknown_fields)]
struct DecisionView {
    /// Version of this form.
    schema: u32,
    /// The instant it was made for (RFC 3339, UTC).
    at: String,
    /// The answer to KEDA.
    replicas: u32,
    /// Whether the workload should run at all.
    active: bool,
    /// The answer had the forecast counted; equal to `replicas` in predictive mode.
    predictive: u32,
    /// Rung of the ladder of failures: fresh, held, stale, `reactive_only` or `schedule_only`.
    rung: &'static str,
    /// Why it is this number, as in metrics.
    reason: &'static str,
    /// The same in words.
    because: String,
    /// What every contributor asked for; the largest that counts wins.
    needs: Vec<NeedView>,
    /// What else the reader should know.
    notes: Vec<NoteView>,
    /// The newest load, in the unit of the query.
    load: Option<f64>,
    /// Age of the newest sample.
    history_age_seconds: Option<i64>,
    /// What the forecast said.
    forecast: Option<PeakView>,
    /// How far ahead the limit on replicas is likely to bind.
    capped_in_seconds: Option<i64>,
    /// The probability of that.
    capped_probability: Option<f64>,
}

/// What one contributor asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Need", deny_unknown_fields)]
struct NeedView {
    /// Who.
    contributor: &'static str,
    /// How many.
    replicas: u32,
    /// Whether it counts in the answer.
    counts: bool,
}

/// Something that a reader should know.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Note", deny_unknown_fields)]
struct NoteView {
    /// Its name.
    note: &'static str,
    /// In words.
    text: String,
}

/// The peak of the lead window.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Peak", deny_unknown_fields)]
struct PeakView {
    /// How far ahead the decision looked.
    window_seconds: i64,
    /// The quantile that was insured.
    quantile: f64,
    /// The largest load of the window at that quantile.
    load: f64,
    /// The same at the published quantiles.
    quantiles: std::collections::BTreeMap<String, f64>,
    /// The grid point the fit belongs to.
    fitted_at: String,
    /// trusted, probation or distrusted.
    trust: &'static str,
}

/// Every workload that KEDA asks for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Workloads", deny_unknown_fields)]
struct WorkloadsView {
    /// Version of this form.
    schema: u32,
    /// In the order of namespace, name and metric.
    workloads: Vec<WorkloadView>,
}

/// One workload.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Workload", deny_unknown_fields)]
struct WorkloadView {
    /// Namespace of the ScaledObject.
    namespace: String,
    /// Name of the ScaledObject.
    name: String,
    /// Name of the metric.
    metric: String,
    /// When KEDA last asked for it.
    last_asked: String,
    /// The newest decision.
    decision: Option<DecisionView>,
    /// Why there is none.
    unavailable: Option<String>,
}

/// The load as it was read, and the answers that changed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "History", deny_unknown_fields)]
struct HistoryView {
    /// Version of this form.
    schema: u32,
    /// Distance of the points.
    step_seconds: i64,
    /// Samples that are there; a gap is left out.
    points: Vec<PointView>,
    /// Answers that differed from the one before, oldest first; the last 64 since this server began.
    changes: Vec<ChangeView>,
}

/// One sample.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Point", deny_unknown_fields)]
struct PointView {
    /// When.
    at: String,
    /// How much.
    load: f64,
}

/// An answer that differed from the one before.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Change", deny_unknown_fields)]
struct ChangeView {
    /// When.
    at: String,
    /// From then on.
    replicas: u32,
    /// Why.
    reason: &'static str,
    /// Rung of the ladder of failures.
    rung: &'static str,
}

/// What the coming hours are expected to bring.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Forecast", deny_unknown_fields)]
struct ForecastView {
    /// Version of this form.
    schema: u32,
    /// The last sample it knows; absent where there is no forecast.
    known_until: Option<String>,
    /// The grid point the fit belongs to.
    fitted_at: Option<String>,
    /// trusted, probation or distrusted.
    trust: Option<&'static str>,
    /// Loss over that of the seasonal naive, recently; below 1 is better.
    skill_ratio: Option<f64>,
    /// Share of samples at or below each quantile, recently.
    coverage: std::collections::BTreeMap<String, f64>,
    /// Stretches of time, without gaps.
    hours: Vec<HourView>,
}

/// A stretch of time to come.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Hour", deny_unknown_fields)]
struct HourView {
    /// Where it begins.
    from: String,
    /// Load that is exceeded with probability 0.75.
    load_low: f64,
    /// Load that is exceeded with probability 0.5.
    load_median: f64,
    /// Load that is not exceeded with probability `quantile`.
    load_insured: f64,
    /// The insured probability.
    quantile: f64,
    /// Replicas that will be asked for.
    replicas: u32,
    /// The least that limits, schedule and override allow.
    least: u32,
    /// The most that they allow.
    most: u32,
    /// What the insured load needs, where that is more.
    capped_from: Option<u32>,
}

/// Why there is no answer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem", deny_unknown_fields)]
struct ProblemView {
    /// In words.
    error: String,
}

/// Version of every form.
const VERSION: u32 = 1;

/// The decision as JSON: the wire form of `explain` and of the API.
pub fn decision_json(decision: &Decision) -> Value {
    value(&DecisionView::of(decision))
}

/// Every workload.
pub(super) fn workloads_json(known: &[Known], exposes: bool) -> Value {
    let row = |known: &Known| WorkloadView {
        namespace: known.id.namespace.clone(),
        name: known.id.name.clone(),
        metric: known.id.metric.clone(),
        last_asked: known.last_asked.to_string(),
        decision: known.standing.decision().map(DecisionView::of),
        unavailable: known.standing.trouble(exposes),
    };
    value(&WorkloadsView { schema: VERSION, workloads: known.iter().map(row).collect() })
}

/// The load after `since`, and the answers that changed.
pub(super) fn history_json(story: &Story, since: Time) -> Value {
    let signal = story.policy.signals.first();
    let points = story.load.iter().flat_map(|series| {
        (0..series.len()).filter_map(|i| Some((series.time(i), series.get(i)?))).filter(|(at, _)| *at > since)
    });
    value(&HistoryView {
        schema: VERSION,
        step_seconds: signal.map_or(0, |s| s.step.as_seconds()),
        points: points.map(|(at, load)| PointView { at: at.to_string(), load }).collect(),
        changes: story.changes.iter().map(ChangeView::of).collect(),
    })
}

/// The stretches from `from` to `to`.
pub(super) fn forecast_json(story: &Story, from: Time, to: Time) -> Value {
    let plan = story.prepared.as_ref().and_then(|prepared| prepared.signals.first());
    let tracker = match plan {
        Some(SignalPlan::Ready { tracker, .. }) => Some(tracker),
        _ => None,
    };
    let accuracy = tracker.map(|tracker| tracker.accuracy());
    let coverage = accuracy.iter().flat_map(|a| &a.coverage).map(|(q, share)| (q.to_string(), *share));
    let hours = tracker.map(|t| crate::decide::ahead(t, &story.policy, from, to, Span::HOUR));
    value(&ForecastView {
        schema: VERSION,
        known_until: tracker.map(|t| t.at().to_string()),
        fitted_at: tracker.map(|t| t.fitted_at().to_string()),
        trust: tracker.map(|t| t.trust().state.as_str()),
        skill_ratio: accuracy.as_ref().map(|a| a.skill_ratio),
        coverage: coverage.collect(),
        hours: hours.unwrap_or_default().iter().map(HourView::of).collect(),
    })
}

/// Why there is no answer.
pub(super) fn problem_json(text: &str) -> Value {
    value(&ProblemView { error: text.to_owned() })
}

/// The JSON Schema of every answer, one definition each.
pub fn api_schema() -> Value {
    let mut generator: SchemaGenerator = SchemaSettings::draft2020_12().into_generator();
    let answers = [
        generator.subschema_for::<WorkloadsView>(),
        generator.subschema_for::<DecisionView>(),
        generator.subschema_for::<HistoryView>(),
        generator.subschema_for::<ForecastView>(),
        generator.subschema_for::<ProblemView>(),
    ];
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Answers of Forescale's HTTP API, version 1",
        "description": "GET api/v1/workloads is Workloads; below api/v1/workloads/{namespace}/{name}, `decision` is \
            Decision, `history?hours=` History and `forecast?hours=` Forecast; `metric=` tells several metrics of one \
            workload apart. Every refusal is a Problem.",
        "anyOf": answers,
        "$defs": generator.take_definitions(true),
    })
}

/// These forms have no map with other keys than strings and no number that JSON lacks, so this does not fail.
fn value(form: &impl Serialize) -> Value {
    serde_json::to_value(form).unwrap_or(Value::Null)
}

// === impl views ===

impl DecisionView {
    fn of(decision: &Decision) -> Self {
        let need = |n: &crate::decide::Need| NeedView {
            contributor: n.contributor.as_str(),
            replicas: n.replicas.get(),
            counts: n.counts,
        };
        DecisionView {
            schema: VERSION,
            at: decision.at.to_string(),
            replicas: decision.replicas.get(),
            active: decision.active(),
            predictive: decision.predictive.get(),
            rung: decision.rung.as_str(),
            reason: decision.reason.as_str(),
            because: decision.reason.to_string(),
            needs: decision.needs.iter().map(need).collect(),
            notes: decision
                .notes
                .iter()
                .map(|n| NoteView { note: n.as_str(), text: n.to_string() })
                .collect(),
            load: decision.load,
            history_age_seconds: decision.history_age.map(Span::as_seconds),
            forecast: decision.forecast.as_ref().map(|view| PeakView {
                window_seconds: view.window.as_seconds(),
                quantile: view.quantile.get(),
                load: view.load,
                quantiles: Quantile::PUBLISHED
                    .iter()
                    .zip(view.published)
                    .map(|(q, load)| (q.to_string(), load))
                    .collect(),
                fitted_at: view.fitted_at.to_string(),
                trust: view.trust,
            }),
            capped_in_seconds: decision.capped_in.map(|(span, _)| span.as_seconds()),
            capped_probability: decision.capped_in.map(|(_, probability)| probability),
        }
    }
}

impl ChangeView {
    fn of(change: &Change) -> Self {
        ChangeView {
            at: change.at.to_string(),
            replicas: change.replicas.get(),
            reason: change.reason,
            rung: change.rung,
        }
    }
}

impl HourView {
    fn of(stretch: &Stretch) -> Self {
        let Stretch { from, load: [low, median, insured], quantile, replicas, allowed, capped, .. } =
            *stretch;
        HourView {
            from: from.to_string(),
            load_low: low,
            load_median: median,
            load_insured: insured,
            quantile: quantile.get(),
            replicas: replicas.get(),
            least: allowed.0.get(),
            most: allowed.1.get(),
            capped_from: capped.map(Replicas::get),
        }
    }
}
