//! The workloads of a backtest: loads from traces, Prometheus or recipes, each with its policy and its twin.
//!
//! A policy is parsed by the same reader as in the server, so its faults have the same words. Nothing is scored here.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::args::BacktestArgs;
use super::entry::{Entrant, Entry};
use super::level::{Level, Part};
use crate::cli::init::survey::Survey;
use crate::cli::{described, live};
use crate::history::Series;
use crate::policy::{Faults, LeadTime, Policy};
use crate::serve::{Clock, SystemClock};
use crate::simulate::{Behavior, BusyHours, Curve, Load, Target, TwinConfig};
use crate::source::synthetic::Recipe;
use crate::source::trace::Flaws;
use crate::source::{Catalogue, trace};
use crate::units::{Span, Step, Time, counted};

/// One load, with everything that is simulated around it.
pub(in crate::cli) struct Workload {
    /// Its name in results, unique.
    pub name: String,
    pub load: Load,
    pub target: Target,
    pub policy: Policy,
    /// What really ran.
    pub actual: Option<Series>,
    /// The hours of a schedule derived from its pattern, if it has one.
    pub busy: Option<BusyHours>,
    /// Irregularities of the traces, one sentence each.
    pub flaws: Vec<String>,
}

/// The results of one workload so far.
pub(super) struct Outcome<'a> {
    pub workload: &'a Workload,
    /// In the order of the strategies, without those not finished yet.
    pub entries: Vec<Entry>,
}

/// The daily peak of a generated load; for a load test, the requests per second of each user.
const PEAK: f64 = 1_000.0;
/// The day at which generated loads start, a Monday; any fixed instant would do.
const GENERATED_FROM: Time = Time::from_epoch(1_772_409_600);
/// The longest history that is excluded from the score for learning, unless configured otherwise.
const MOST_LEARNING: Span = Span::days(28);

/// Reads everything that the arguments name.
pub(super) fn read_all(args: &BacktestArgs) -> anyhow::Result<Vec<Workload>> {
    let mut loads: Vec<(String, (Series, Flaws))> = Vec::new();
    for path in &args.trace {
        loads.push((name_of(path), trace::read_with_flaws(path)?));
    }
    for &profile in &args.generate {
        let scale = if profile.length() < Span::DAY { 1.0 } else { PEAK };
        let recipe = Recipe::of(profile, GENERATED_FROM, scale, 7);
        loads.push((profile.name().to_owned(), (recipe.series(), Flaws::default())));
    }
    if let Some(url) = &args.prometheus {
        let query = query(args)?;
        loads.push((query.clone(), with_flaws(read_live(url, &query, args.history)?)));
    }
    if loads.is_empty() {
        bail!("nothing to run: expected --trace, --generate or --prometheus with --query or --policy");
    }
    let actual = args.actual_replicas.as_deref().map(|given| match &args.prometheus {
        Some(url) => read_live(url, given, args.history).map(with_flaws),
        None => Ok(trace::read_with_flaws(Path::new(given))?),
    });
    let (actual, of_actual) = actual.transpose()?.unzip();
    let of_actual: Vec<_> =
        of_actual.iter().flat_map(Flaws::told).map(|f| format!("--actual-replicas: {f}")).collect();
    let mut workloads = Vec::with_capacity(loads.len());
    for (name, (series, flaws)) in loads {
        let known = workloads.iter().filter(|w: &&Workload| w.name == name).count();
        let name = if known > 0 { format!("{name}-{}", known + 1) } else { name };
        let flaws = [flaws.told(), of_actual.clone()].concat();
        let tried: Vec<Option<Level>> = match args.threshold.as_slice() {
            [] => vec![None],
            levels => levels.iter().copied().map(Some).collect(),
        };
        for &level in &tried {
            let workload =
                workload(args, level, &name, &series, actual.clone()).with_context(|| name.clone())?;
            let of = workload.target.threshold.get();
            let name = if tried.len() > 1 { format!("{name}-at-{of}") } else { name.clone() };
            workloads.push(Workload { name, flaws: flaws.clone(), ..workload });
        }
    }
    Ok(workloads)
}

/// The query of the load: as given, or that of the policy's first signal.
fn query(args: &BacktestArgs) -> anyhow::Result<String> {
    if let Some(query) = &args.query {
        return Ok(query.clone());
    }
    let Some(path) = &args.policy else {
        bail!("--prometheus: expected --query, or --policy with a file that has a query");
    };
    let mut catalogue = Catalogue::default();
    let metadata = described::read(path, None, &mut catalogue)?.metadata;
    let own = catalogue.keys(&metadata).values.remove("query").filter(|query| !query.trim().is_empty());
    own.with_context(|| format!("--policy {}: found no query in it, give one with --query", path.display()))
}

/// The series of a live server, with the flaws that are still visible in it.
fn with_flaws(series: Series) -> (Series, Flaws) {
    let flaws = Flaws::of_series(&series);
    (series, flaws)
}

fn workload(
    args: &BacktestArgs,
    level: Option<Level>,
    name: &str,
    series: &Series,
    actual: Option<Series>,
) -> anyhow::Result<Workload> {
    if series.observed() < 2 {
        bail!("found {}, expected at least 2", counted(series.observed(), "sample"));
    }
    let (policy, behavior) = policy(args, level, name, series)?;
    let load = Load::of(series);
    let mut target = target_of(&policy, args.price)?;
    target.twin.behavior = behavior;
    target.losses.clone_from(&args.lose);
    let part = |part: &Part| Ok((part.from, part.level.threshold(series)?));
    target.truth = Curve::new(args.capacity.iter().map(part).collect::<anyhow::Result<_>>()?);
    let learning = Span::seconds(load.end().since(load.start()).as_seconds() / 3).min(MOST_LEARNING);
    let until = args.to.unwrap_or(load.end()).min(load.end());
    let from = args.last.map_or(args.from, |last| Some(until - last));
    target.from = Some(from.unwrap_or(load.start() + learning).max(load.start()));
    target.until = Some(until);
    if target.from >= target.until {
        bail!("--from and --to: the load reaches from {} to {}", load.start(), load.end());
    }
    let is_scheduled = args.strategies.contains(&Entrant::Schedule);
    let busy = is_scheduled.then(|| Survey::of(series, &policy.calendar).busy()).flatten();
    Ok(Workload { name: name.to_owned(), load, target, policy, actual, busy, flaws: Vec::new() })
}

/// The cluster in which a policy is simulated; its pods take the lead time to start.
pub(in crate::cli) fn target_of(policy: &Policy, price: f64) -> anyhow::Result<Target> {
    let signal = policy.signals.first().context("the policy has no query to forecast")?;
    if policy.lead_time == LeadTime::Auto {
        bail!("leadTime: found auto, expected a duration; set one with --lead");
    }
    Ok(Target { twin: TwinConfig::of(policy), price, ..Target::new(signal.threshold) })
}

/// The policy from the file and the keys on the command line, for this load; with the `behavior` of its ScaledObject.
fn policy(
    args: &BacktestArgs,
    level: Option<Level>,
    name: &str,
    series: &Series,
) -> anyhow::Result<(Policy, Option<Behavior>)> {
    let mut catalogue = Catalogue::default();
    let described =
        args.policy.as_deref().map(|path| described::read(path, None, &mut catalogue)).transpose()?;
    let (mut keys, behavior) = described.map_or_else(Default::default, |d| (d.metadata, d.behavior));
    for pair in &args.set {
        let (key, value) =
            pair.split_once('=').with_context(|| format!("--set {pair}: expected KEY=VALUE"))?;
        if key.trim() == "threshold" && level.is_some() {
            bail!("--set {pair}: --threshold is set as well; use one of the two");
        }
        keys.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    let mut set = |key: &str, value: String| keys.insert(key.to_owned(), value);
    set("query", args.query.clone().unwrap_or_else(|| name.to_owned()));
    if let Some(level) = level {
        set("threshold", level.threshold(series)?.get().to_string());
    }
    if let Some(lead) = args.lead {
        set("leadTime", lead.to_string());
    }
    let mut policy = Policy::from_keys(&catalogue.keys(&keys)).map_err(with_options)?;
    // A trace is the load of the first signal, in its unit; nothing is known about further signals.
    policy.signals.truncate(1);
    // The grid of the history is that of the trace, whatever a server would be queried with.
    for signal in &mut policy.signals {
        signal.step = series.step();
    }
    Ok((policy, behavior))
}

/// The faults, with the option that gives a missing key.
fn with_options(mut faults: Faults) -> Faults {
    for fault in faults.0.iter_mut().filter(|fault| fault.key == "threshold" && fault.found.is_empty()) {
        fault.expected += "; give --threshold";
    }
    faults
}

fn name_of(path: &Path) -> String {
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let stem = file.trim_end_matches(".gz");
    PathBuf::from(stem).file_stem().map_or(file.clone(), |stem| stem.to_string_lossy().into_owned())
}

/// The last `history` of a query.
pub(in crate::cli) fn read_live(url: &str, query: &str, history: Span) -> anyhow::Result<Series> {
    let now = SystemClock.now();
    live::read_load(url, query, Step::MINUTE, now - history, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_threshold_names_its_option() {
        let fault = |found: &str| {
            let faults = Faults(vec![crate::policy::Fault::new("threshold", found, "a number above 0")]);
            with_options(faults).to_string()
        };
        assert_eq!(fault(""), "threshold: found nothing, expected a number above 0; give --threshold");
        assert_eq!(fault("x"), "threshold: found 'x', expected a number above 0");
    }

    #[test]
    fn names_come_from_files() {
        assert_eq!(name_of(Path::new("/a/web_x_1min.csv.gz")), "web_x_1min");
        assert_eq!(name_of(Path::new("b.json")), "b");
    }
}
