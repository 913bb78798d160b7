//! One workload judged: its history read, its policy made, the strategies compared.
//!
//! What is missing becomes the reason of its row; a fault of one workload never ends the others.

use std::collections::HashMap;
use std::sync::Arc;

use super::history::Reader;
use super::inventory::{Candidate, LoadQuery};
use super::row::Kept;
use super::{Settings, proposal, questions};
use crate::cli::backtest::workload::target_of;
use crate::cli::init::survey::Survey;
use crate::history::Series;
use crate::policy::{LeadTime, Policy};
use crate::simulate::{Load, Subject, assess};
use crate::source::Catalogue;
use crate::units::Span;

/// Less history tells nothing: a third of it is learned from and the rest is scored.
const LEAST: Span = Span::days(3);
/// Points of the small picture: a week by two hours.
const SPARKS: usize = 84;

/// Judges one workload.
pub(super) fn judge(candidate: &Candidate, reader: &Reader<'_>, settings: &Settings) -> Kept {
    let load = match &candidate.load {
        Ok(load) => load,
        Err(why) => return Kept::missing(candidate, why.clone()),
    };
    let judged = judged(candidate, load, reader, settings);
    let mut kept = judged.unwrap_or_else(|why| Kept::missing(candidate, why));
    kept.query = Some(load.query.clone());
    kept
}

fn judged(
    candidate: &Candidate,
    load: &LoadQuery,
    reader: &Reader<'_>,
    settings: &Settings,
) -> Result<Kept, String> {
    let series = reader.series(&load.query)?;
    let covers = series.end().map_or(Span::ZERO, |end| end.since(series.start()));
    if series.observed() == 0 {
        return Err("its query yields no samples".to_owned());
    }
    if covers < LEAST {
        return Err(format!("{covers} of history, expected {LEAST} at least"));
    }
    let ran = ran(candidate, reader)?;
    let policy = policy(candidate, load, &series, settings)?;
    let calendar = policy.calendar.clone();
    let twin = Load::of(&series);
    let mut target = target_of(&policy, 0.0).map_err(|error| format!("{error:#}"))?;
    let learning = Span::seconds(covers.as_seconds() / 3);
    target.from = Some(twin.start() + learning);
    // The hours of a schedule come from all of the history, as whoever writes one looks at all of it; the load that it is
    // sized for is that of before the scored span.
    let survey = Survey::of(&series, &calendar);
    let subject = Subject {
        load: &twin,
        target: &target,
        policy: &policy,
        busy: survey.busy(),
        clock: survey.clock(),
        ran: ran.as_deref(),
        min_replicas: candidate.min,
    };
    let assessment = assess(&subject).map_err(|error| error.to_string())?;
    let kept = Kept::of(candidate, &assessment, survey.clock(), settings.price);
    let mut kept = Kept { sparkline: sparkline(&series), ..kept };
    proposal::add(&mut kept, candidate, &survey, settings);
    Ok(kept)
}

/// Ready replicas; `None` where nothing tells of them.
fn ran(candidate: &Candidate, reader: &Reader<'_>) -> Result<Option<Arc<Series>>, String> {
    let Some(query) = questions::ready(&candidate.namespace, &candidate.target.kind, &candidate.target.name)
    else {
        return Ok(None);
    };
    // What ran is a comparison; the rest can be told without it.
    let Ok(series) = reader.series(&query) else { return Ok(None) };
    if series.observed() == 0 {
        return Ok(None);
    }
    let runs = (0..series.len()).filter_map(|slot| series.get(slot)).any(|ready| ready >= 1.0);
    if runs { Ok(Some(series)) } else { Err("no replica of it was ready in the whole history".to_owned()) }
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
    set("threshold", load.threshold.to_string());
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
