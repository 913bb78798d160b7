//! The workloads of a backtest: loads from traces, Prometheus or recipes, each with its policy and its twin.
//!
//! A policy is parsed by the same reader as in the server, so its faults have the same words. Nothing is scored here.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::BacktestArgs;
use super::contest::Entrant;
use crate::cli::init::survey::Survey;
use crate::cli::{described, live};
use crate::history::Series;
use crate::policy::{Faults, LeadTime, Policy};
use crate::serve::{Clock, SystemClock};
use crate::simulate::{Behavior, BusyHours, Curve, Load, Target, TwinConfig};
use crate::source::synthetic::{Profile, Recipe};
use crate::source::trace::Flaws;
use crate::source::{Catalogue, trace};
use crate::units::{Span, Step, Threshold, Time, counted};

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

/// The load of one replica, as given on the command line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cli) enum Level {
    /// A number.
    Given(Threshold),
    /// This percentile of the load is carried by this many replicas.
    Share { percentile: f64, replicas: f64 },
}

/// A part of `--capacity`: from an instant on, a replica carries this much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    from: Time,
    level: Level,
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

/// Parses the name of a generated load.
pub(super) fn parse_profile(text: &str) -> Result<Profile, String> {
    let names: Vec<_> = Profile::ALL.iter().map(|p| p.name()).collect();
    Profile::parse(text).ok_or_else(|| format!("found '{text}', expected {}", names.join(", ")))
}

/// Parses a loss of pods: `34%@2026-10-05T12:00:00Z`.
pub(super) fn parse_loss(text: &str) -> Result<(Time, f64), String> {
    let fault =
        || format!("found '{text}', expected a share and an instant, such as 34%@2026-10-05T12:00:00Z");
    let (share, at) = text.split_once('@').ok_or_else(fault)?;
    let share = share.trim().strip_suffix('%').and_then(|digits| digits.trim().parse::<f64>().ok());
    let share = share.map(|percent| percent / 100.0).filter(|share| (0.0..=1.0).contains(share));
    Ok((Time::parse(at.trim()).map_err(|_| fault())?, share.ok_or_else(fault)?))
}

/// Parses `100`, or `50@2026-03-04T10:00:00Z`.
pub(super) fn parse_part(text: &str) -> Result<Part, String> {
    let (level, from) = text.split_once('@').map_or((text, None), |(level, from)| (level, Some(from)));
    let from =
        from.map_or(Ok(Time::MIN), |from| Time::parse(from.trim()).map_err(|fault| fault.to_string()))?;
    Ok(Part { from, level: Level::parse(level.trim())? })
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

// === impl Level ===

impl Level {
    /// Parses a number or `pPERCENTILE/REPLICAS`.
    pub(in crate::cli) fn parse(text: &str) -> Result<Self, String> {
        let fault = || {
            format!(
                "found '{text}', expected a number above 0, or a percentile of the load divided by a number of replicas, \
                 such as p99.9/20"
            )
        };
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|v| v.is_finite() && *v > 0.0);
        match text.strip_prefix('p').and_then(|share| share.split_once('/')) {
            Some((percentile, replicas)) => {
                let percentile = number(percentile).filter(|p| *p <= 100.0).ok_or_else(fault)?;
                Ok(Level::Share { percentile, replicas: number(replicas).ok_or_else(fault)? })
            }
            None => {
                let value = number(text).ok_or_else(fault)?;
                Threshold::new(value).map(Level::Given).map_err(|_| fault())
            }
        }
    }

    pub(in crate::cli) fn threshold(self, series: &Series) -> anyhow::Result<Threshold> {
        let (percentile, replicas) = match self {
            Level::Given(threshold) => return Ok(threshold),
            Level::Share { percentile, replicas } => (percentile, replicas),
        };
        let mut values = series.values();
        values.retain(|v| !v.is_nan());
        values.sort_unstable_by(f64::total_cmp);
        // Linear interpolation between ranks, like numpy's percentile.
        let rank = percentile / 100.0 * (values.len() as f64 - 1.0);
        let at = |i: f64| values.get(i as usize).copied().unwrap_or(0.0);
        let value = at(rank.floor()) + rank.fract() * (at(rank.ceil()) - at(rank.floor()));
        Threshold::new(value / replicas).with_context(|| format!("the {percentile}th percentile is {value}"))
    }
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
    fn levels_are_numbers_or_shares() {
        let threshold = Level::parse("12.5").expect("a number").threshold(&series());
        assert_eq!(threshold.expect("given").get(), 12.5);
        let threshold = Level::parse("p50/4").expect("a share").threshold(&series());
        assert_eq!(threshold.expect("half of the load").get(), 0.5);
        for text in ["", "0", "-1", "p/4", "p101/4", "p50/0", "nan", "p50"] {
            assert!(Level::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_capacity_holds_from_an_instant_on() {
        let part = parse_part("50@2026-03-04T10:00:00Z").expect("a part");
        assert_eq!(part.from, Time::parse("2026-03-04T10:00:00Z").expect("an instant"));
        assert_eq!(part.level.threshold(&series()).expect("given").get(), 50.0);
        assert_eq!(parse_part("p50/4").expect("a share").from, Time::MIN);
        assert!(parse_part("50@noon").is_err() && parse_part("@2026-03-04T10:00:00Z").is_err());
    }

    fn series() -> Series {
        Series::from_values(Time::from_epoch(0), Step::MINUTE, [1.0, f64::NAN, 3.0, 2.0])
    }

    #[test]
    fn names_come_from_files() {
        assert_eq!(name_of(Path::new("/a/web_x_1min.csv.gz")), "web_x_1min");
        assert_eq!(name_of(Path::new("b.json")), "b");
    }
}
