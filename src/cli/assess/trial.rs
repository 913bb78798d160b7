//! Judges one workload: reads its history, builds its policy, compares the strategies.
//!
//! Whatever is missing becomes the reason in its row; a fault of one workload never stops the others.

use std::collections::HashMap;
use std::sync::Arc;

use super::capacity;
use super::folder::safe;
use super::history::History;
use super::inventory::{Candidate, LoadQuery};
use super::row::{Kept, LEVELS, rounded};
use super::{Settings, proposal, report_page};
use crate::cli::backtest::workload::target_of;
use crate::cli::init::survey::Survey;
use crate::history::Series;
use crate::policy::{LeadTime, Policy};
use crate::simulate::{Load, Subject, assess};
use crate::source::Catalogue;
use crate::units::Span;

/// The shortest history that is enough: at least a third of it is for learning, and the rest is scored.
const LEAST: Span = Span::days(3);
/// The longest scored span: two whole weeks, in which every weekday counts the same.
const SCORED: Span = Span::days(14);
/// Points of the small picture: a week in steps of two hours.
const SPARKS: usize = 84;

/// Judges one workload; returns its report as well, if it is wanted and there is something to report.
pub(super) fn judge(history: &History, settings: &Settings, wants_page: bool) -> (Kept, Option<String>) {
    let candidate = &history.candidate;
    let judged = match (&history.load, &candidate.load) {
        (Ok(series), Ok(load)) => judged(history, load, series, settings, wants_page),
        (Err(why), _) | (_, Err(why)) => Err(why.clone()),
    };
    let (mut kept, page) = judged.unwrap_or_else(|why| (Kept::missing(candidate, why), None));
    kept.query = candidate.load.as_ref().ok().map(|load| load.query.clone());
    // The next run asks again for what the source did not answer.
    kept.failed = history.load.is_err() && candidate.load.is_ok();
    (kept, page)
}

fn judged(
    history: &History,
    load: &LoadQuery,
    series: &Arc<Series>,
    settings: &Settings,
    wants_page: bool,
) -> Result<(Kept, Option<String>), String> {
    let candidate = &history.candidate;
    let covers = series.covers();
    if series.observed() == 0 {
        return Err("its query yields no samples".to_owned());
    }
    // The newest sample may not be there yet.
    if covers + series.step().span() < LEAST {
        return Err(format!("{covers} of history, expected {LEAST} at least"));
    }
    let ran = history.ran.as_deref();
    let runs = |ran: &Series| (0..ran.len()).filter_map(|slot| ran.get(slot)).any(|ready| ready >= 1.0);
    if !ran.is_none_or(runs) {
        return Err("no replica of it was ready in the whole history".to_owned());
    }
    let policy = policy(candidate, load, series, settings)?;
    let calendar = policy.calendar.clone();
    let twin = Load::of(series);
    let price = settings.prices.of(candidate.requests);
    let mut target = target_of(&policy, price.unwrap_or(0.0)).map_err(|error| format!("{error:#}"))?;
    let scored = Span::seconds(covers.as_seconds() * 2 / 3).min(SCORED);
    target.from = Some(twin.end() - scored);
    // The hours of a schedule come from the whole history, since whoever writes one looks at all of it. The load for
    // which it is sized comes from before the scored span.
    let survey = Survey::of(series, &calendar);
    let subject = Subject {
        load: &twin,
        target: &target,
        policy: &policy,
        busy: survey.busy(),
        clock: survey.clock(),
        ran,
        min_replicas: candidate.min,
    };
    let (assessment, trials) = assess(&subject).map_err(|error| error.to_string())?;
    let carried = capacity::learned(history, series);
    let kept = Kept::of(candidate, &assessment, survey.clock(), price);
    let hours_at =
        LEVELS.iter().map(|level| trials.hours_at(*level).map(|hours| hours.map(rounded))).collect();
    let mut kept = Kept { hours_at, sparkline: sparkline(series), ..kept };
    if let Some(carried) = &carried {
        carried.told(&mut kept, load);
    }
    proposal::add(&mut kept, candidate, &survey, settings);
    let page = wants_page.then(|| {
        let name = candidate.place.to_string();
        report_page::page(&name, twin, trials, series)
    });
    if page.is_some() {
        kept.report = Some(format!(
            "reports/{}/{}.html",
            safe(&candidate.place.namespace),
            safe(&candidate.place.name)
        ));
    }
    Ok((kept, page))
}

fn policy(
    candidate: &Candidate,
    load: &LoadQuery,
    series: &Series,
    settings: &Settings,
) -> Result<Policy, String> {
    let mut keys: HashMap<String, String> = load.keys.clone();
    keys.retain(|key, _| !matches!(key.as_str(), "mode" | "override" | "serverAddress" | "datasource"));
    let mut set = |key: &str, value: String| drop(keys.insert(key.to_owned(), value));
    set("query", load.query.clone());
    set("threshold", load.per_replica().unwrap_or_default().to_string());
    set("minReplicas", candidate.min.to_string());
    set("maxReplicas", candidate.max.max(candidate.min).max(1).to_string());
    keys.entry("timezone".to_owned()).or_insert_with(|| settings.timezone.name().to_owned());
    keys.entry("leadTime".to_owned()).or_insert_with(|| settings.lead.to_string());
    let mut policy =
        Policy::from_keys(&Catalogue::default().keys(&keys)).map_err(|faults| faults.to_string())?;
    if policy.lead_time == LeadTime::Auto {
        policy.lead_time = LeadTime::Given(settings.lead);
    }
    for signal in &mut policy.signals {
        signal.step = series.step();
    }
    Ok(policy)
}

/// The largest load of every two hours of the last week.
fn sparkline(series: &Series) -> Vec<f32> {
    let Some(end) = series.end() else { return Vec::new() };
    let from = end - Span::WEEK;
    let mut sparks = vec![0.0_f32; SPARKS];
    for slot in series.slot_before(from).unwrap_or(0)..series.len() {
        let place = series.time(slot).since(from).as_seconds() * SPARKS as i64 / Span::WEEK.as_seconds();
        let spark = usize::try_from(place).ok().and_then(|place| sparks.get_mut(place));
        if let (Some(spark), Some(value)) = (spark, series.get(slot)) {
            *spark = spark.max(value as f32);
        }
    }
    sparks
}
