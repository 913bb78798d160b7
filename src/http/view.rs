//! The JSON API's formats and their JSON Schema.
//!
//! Each answer carries `schema`, the version of its format. Within a version, keys may be added, but none is removed
//! or changes its meaning.

mod forms;

use forms::{
    CapacityForm, ChangeView, ComingView, DecisionView, FailingView, FleetRowView, FleetView, ForecastView,
    HistoryView, HourView, MomentView, NeedView, NoteView, PeakView, PointView, ProblemView, StateView,
    VerdictView, WhyView, WorkloadView, WorkloadsView, WorthView,
};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Value, json};

use super::fleet::{Choice, Fleet, Row};
use super::overview::{Change, FailingQuery, KnownWorkload, Story, Worth};
use crate::capacity::{Verdict, Why};
use crate::decide::{
    CapacityView, Carried, Coming, Condition, Decision, Moment, SignalPlan, Stretch, coming,
};
use crate::forecast::Trust;
use crate::policy::Policy;
use crate::units::{Quantile, Replicas, Span, Time};

/// The version of all formats.
const VERSION: u32 = 1;

/// The decision as JSON, for `explain` and the API. With the policy it also contains the next change of override or
/// schedule.
pub fn decision_json(decision: &Decision, policy: Option<&Policy>, now: Time) -> Value {
    let next_change = policy.and_then(|policy| coming(policy, now)).map(ComingView::of);
    let states = policy.map_or_else(Vec::new, |policy| Condition::of(decision, policy));
    let states = states.iter().map(StateView::of).collect();
    value(&DecisionView { next_change, states, ..DecisionView::of(decision) })
}

/// Every workload.
pub(super) fn workloads_json(known: &[KnownWorkload], now: Time, exposes: bool) -> Value {
    let row = |known: &KnownWorkload| WorkloadView {
        namespace: known.id.namespace().to_owned(),
        name: known.id.name().to_owned(),
        metric: known.id.metric().to_owned(),
        last_asked: known.last_asked.to_string(),
        decision: known.status.decision().map(DecisionView::of),
        unavailable: known.trouble(exposes),
        states: known.conditions(now).iter().map(StateView::of).collect(),
        failing: known.failing.iter().map(FailingView::of).collect(),
    };
    value(&WorkloadsView { schema: VERSION, workloads: known.iter().map(row).collect() })
}

/// The newest decision of a workload, with all conditions that the server knows, including that KEDA is silent.
pub(super) fn newest_json(decision: &Decision, known: &KnownWorkload, now: Time) -> Value {
    let mut document = decision_json(decision, known.policy.as_deref(), now);
    let states: Vec<StateView> = known.conditions(now).iter().map(StateView::of).collect();
    document["states"] = value(&states);
    document["failing"] = value(&known.failing.iter().map(FailingView::of).collect::<Vec<_>>());
    document
}

/// A page of the fleet, with the totals of all selected rows.
pub(super) fn fleet_json(
    fleet: &Fleet<'_>,
    choice: &Choice,
    price: Option<f64>,
    now: Time,
    exposes: bool,
) -> Value {
    let (page, rows) = fleet.page(choice);
    let totals = fleet.totals;
    value(&FleetView {
        schema: VERSION,
        page,
        pages: fleet.last_page() + 1,
        workloads: totals.workloads,
        bad: totals.bad,
        warnings: totals.warnings,
        replicas: totals.replicas,
        needed_now: totals.needed,
        expected: totals.expected,
        worth: WorthView::of(&totals.worth),
        money_saved: price.map(|price| price * totals.worth.saved),
        rows: rows.iter().map(|row| FleetRowView::of(row, now, exposes)).collect(),
    })
}

/// The load after `since`, and the changes of the answer.
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

/// Who asked for how many replicas, for each moment.
pub(super) fn why_json(moments: &[Moment], span: Span) -> Value {
    let view = |moment: &Moment| MomentView {
        at: moment.at.to_string(),
        replicas: moment.answer.map(|(replicas, _)| replicas.get()),
        reason: moment.answer.map(|(_, reason)| reason.as_str()),
        needs: moment.needs.iter().map(NeedView::of).collect(),
    };
    value(&WhyView {
        schema: VERSION,
        every_seconds: Moment::distance(span).as_seconds(),
        moments: moments.iter().map(view).collect(),
    })
}

/// The stretches from `from` to `to`.
pub(super) fn forecast_json(story: &Story, trust: Option<Trust>, from: Time, to: Time) -> Value {
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
        trust: trust.map(|trust| trust.state().as_str()),
        verdict: trust.map(|trust| VerdictView::of(&trust)),
        skill_ratio: accuracy.as_ref().map(|a| a.skill_ratio),
        coverage: coverage.collect(),
        hours: hours.unwrap_or_default().iter().map(HourView::of).collect(),
    })
}

/// Which rule predicts, and why; the same format in the API, `explain` and `forecast --explain`.
pub fn verdict_json(trust: &Trust) -> Value {
    value(&VerdictView::of(trust))
}

/// Why there is no answer.
pub(super) fn problem_json(text: &str) -> Value {
    value(&ProblemView { error: text.to_owned() })
}

/// The JSON Schema of all answers, with one definition each.
pub fn api_schema() -> Value {
    let mut generator: SchemaGenerator = SchemaSettings::draft2020_12().into_generator();
    let answers = [
        generator.subschema_for::<WorkloadsView>(),
        generator.subschema_for::<FleetView>(),
        generator.subschema_for::<DecisionView>(),
        generator.subschema_for::<HistoryView>(),
        generator.subschema_for::<WhyView>(),
        generator.subschema_for::<ForecastView>(),
        generator.subschema_for::<ProblemView>(),
    ];
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Answers of Forescale's HTTP API, version 1",
        "description": "GET api/v1/workloads is Workloads, and api/v1/fleet is Fleet: sorted by `sort=`, chosen by `q=`, \
            `namespace=`, `state=` and `saving=`, a hundred rows at a `page=`; api/v1/fleet.csv is all of it as CSV. \
            Below api/v1/workloads/{namespace}/{name}, `decision` is Decision (of another instant with `at=`), \
            `history?hours=` History, `why?hours=` Why and `forecast?hours=` Forecast; `metric=` tells several metrics \
            of one workload apart. Every refusal is a Problem.",
        "anyOf": answers,
        "$defs": generator.take_definitions(true),
    })
}

/// This cannot fail: these formats have no map with non-string keys and no number that JSON lacks.
fn value(form: &impl Serialize) -> Value {
    serde_json::to_value(form).unwrap_or(Value::Null)
}

// === impl views ===

impl WorthView {
    fn of(worth: &Worth) -> Self {
        WorthView {
            replica_hours_saved: worth.saved,
            hours_short_avoided: worth.avoided,
            hours_counted: worth.hours,
        }
    }
}

impl FleetRowView {
    fn of(row: &Row<'_>, now: Time, exposes: bool) -> Self {
        let Row { known, .. } = row;
        let decision = known.status.decision();
        FleetRowView {
            namespace: known.id.namespace().to_owned(),
            name: known.id.name().to_owned(),
            metric: known.id.metric().to_owned(),
            states: known.conditions(now).iter().map(StateView::of).collect(),
            replicas: decision.map(|decision| decision.replicas.get()),
            because: decision.map(|decision| decision.reason.to_string()),
            load: decision.and_then(|decision| decision.load),
            peak: decision.and_then(|decision| decision.forecast.as_ref()).map(|view| view.load),
            unavailable: known.trouble(exposes),
            failing: known.failing.iter().map(FailingView::of).collect(),
            worth: known.worth.as_ref().map(WorthView::of),
        }
    }
}

impl DecisionView {
    fn of(decision: &Decision) -> Self {
        DecisionView {
            schema: VERSION,
            at: decision.at.to_string(),
            replicas: decision.replicas.get(),
            active: decision.active(),
            predictive: decision.predictive.get(),
            rung: decision.rung.as_str(),
            reason: decision.reason.as_str(),
            because: decision.reason.to_string(),
            needs: decision.needs.iter().map(NeedView::of).collect(),
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
                trust: view.trust.state().as_str(),
                verdict: VerdictView::of(&view.trust),
            }),
            capacity: decision.capacity.as_ref().map(CapacityForm::of),
            capped_in_seconds: decision.capped_in.map(|(span, _)| span.as_seconds()),
            capped_probability: decision.capped_in.map(|(_, probability)| probability),
            next_change: None,
            states: Vec::new(),
            failing: Vec::new(),
        }
    }
}

impl NeedView {
    fn of(need: &crate::decide::Need) -> Self {
        NeedView {
            contributor: need.contributor.as_str(),
            replicas: need.replicas.get(),
            counts: need.counts,
        }
    }
}

impl StateView {
    fn of(condition: &Condition) -> Self {
        StateView { state: condition.as_str(), text: condition.to_string(), advice: condition.advice() }
    }
}

impl FailingView {
    fn of(query: &FailingQuery) -> Self {
        FailingView { keys: query.keys.clone(), text: query.text.clone(), advice: query.advice }
    }
}

impl CapacityForm {
    fn of(view: &CapacityView) -> Self {
        let Carried { at, verdict, missing, .. } = &*view.carried;
        let known = verdict.known();
        let whys = match verdict {
            Verdict::CannotTell(whys) => whys.first(),
            Verdict::Known(_) => None,
        };
        CapacityForm {
            mode: view.mode.as_str(),
            learned_at: at.to_string(),
            verdict: if known.is_some() { "known" } else { "cannot_tell" },
            per_replica: known.map(|known| known.carried.value),
            low: known.map(|known| known.carried.low),
            high: known.map(|known| known.carried.high),
            bound: known.map(|known| known.bound.as_str()),
            given: view.carried.given().get(),
            used: view.used.get(),
            text: view.to_string(),
            would_tell: whys.map(Why::experiment),
            missing: missing.clone(),
        }
    }
}

impl VerdictView {
    fn of(trust: &Trust) -> Self {
        VerdictView {
            rule: trust.rule.as_str(),
            baseline: trust.baseline.as_str(),
            ratio: trust.ratio,
            quantile: trust.quantile,
            window_seconds: trust.window.as_seconds(),
            text: trust.to_string(),
        }
    }
}

impl ComingView {
    fn of(coming: Coming) -> Self {
        let Coming { at, local, zone, to } = coming;
        ComingView { at: at.to_string(), local: format!("{local} {zone}"), to }
    }
}

impl ChangeView {
    fn of(change: &Change) -> Self {
        ChangeView {
            at: change.at.to_string(),
            replicas: change.replicas.get(),
            reason: change.reason.as_str(),
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
