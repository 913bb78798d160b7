//! Which kind of scaling benefits a workload: reactive, a schedule, or a forecast, compared at equal risk.
//!
//! Every strategy runs in the same twin over the same span. Each is swept over its insurance, and its cost is read
//! where it is short of replicas for the same share of the time, so no strategy looks cheap because it is unsafe. Two
//! shares are used: 1 %, the usual one, and 0.1 %, at which a few minutes at each rise of the load count. Nothing
//! here reads a file or asks a server, and no saving is reported against unknown replica counts.

mod busy;
mod excess;
mod refine;
mod trim;

pub use busy::BusyHours;
use excess::{Floor, excess};
use trim::{Trim, is_coarse};

use super::run::{Target, run};
use super::{ConfigError, Foreseen, Frontier, Load, Point, Run, Simple, cost_at, ran, run_while_needed};
use crate::history::Series;
use crate::plan::Insured;
use crate::policy::Policy;

/// The subject of the comparison.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The load.
    pub load: &'a Load,
    /// The simulated cluster, and the span that is scored.
    pub target: &'a Target,
    /// The policy that Forescale would follow.
    pub policy: &'a Policy,
    /// The hours of a schedule derived from its pattern, if it has one.
    pub busy: Option<BusyHours>,
    /// The share of the hourly variation that is explained by the time of day and week, 0 to 1.
    pub clock: f64,
    /// The observed ready replicas.
    pub ran: Option<&'a Series>,
    /// The workload's own `minReplicas`.
    pub min_replicas: u32,
}

/// The best way to scale a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// A forecast is cheaper than the others at the same risk, or the only one that is safe.
    Predictive,
    /// A rule for the busy hours is enough.
    Schedule,
    /// A trigger on the current load is enough.
    Reactive,
    /// Far more replicas run than the load needs.
    OverProvisioned,
    /// No strategy prevents it from being short of replicas.
    AtRisk,
    /// Data that the comparison needs is missing.
    CannotTell,
}

/// The reason for a verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Finding {
    /// The forecast costs this share less than the best other strategy, with both short for at most `level` percent.
    Cheaper {
        /// 0 to 1.
        share: f64,
        /// Percent of the time.
        level: f64,
    },
    /// Neither a trigger nor a rule for busy hours is short for at most `level` percent of the time; a forecast is.
    OnlySafe {
        /// Percent of the time.
        level: f64,
    },
    /// A rule for the busy hours is as cheap as a forecast, and reactive scaling is short at each rise.
    BusyHours(BusyHours),
    /// A forecast or a schedule would save at most this share, which is within the noise of another week.
    LittleToGain {
        /// 0 to 1, negative where reactive scaling is cheaper.
        share: f64,
    },
    /// `minReplicas` keeps more than the load needs.
    Floor {
        /// The limit.
        min_replicas: u32,
        /// What the load needs for 95 % of the time.
        usual: u32,
        /// Replica-hours with the limit, divided by those without it.
        ratio: f64,
    },
    /// More replicas ran than the threshold asks for, at every load.
    RanMore {
        /// Replicas that ran, divided by those that the load needs.
        ratio: f64,
    },
    /// The smallest share of the time, in percent, that any strategy was short.
    NeverSafe {
        /// Percent of the time.
        least: f64,
    },
}

/// A strategy at the point of comparison: short for at most the level if it reaches it, otherwise for as little time
/// as it can.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Compared {
    /// Percent of the time with fewer replicas than needed.
    pub short_percent: f64,
    /// Replica-hours over the scored span.
    pub replica_hours: f64,
}

/// The result of the comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assessment {
    /// How it is scaled best.
    pub verdict: Verdict,
    /// Why.
    pub finding: Finding,
    /// What ran, where that is known.
    pub ran: Option<Compared>,
    /// A trigger on the present load.
    pub reactive: Compared,
    /// A rule for the busy hours beside it; as reactive where there are no busy hours.
    pub schedule: Compared,
    /// Forescale.
    pub predictive: Compared,
    /// The percentage of the actual replica-hours that the chosen strategy saves, at equal or better safety.
    pub saving_percent: Option<f64>,
    /// The largest share of the time, in percent, that each strategy is short in these figures, if it can be that
    /// safe.
    pub level: f64,
    /// Days that were scored.
    pub days: f64,
}

/// The trials: each way of scaling at its own setting, and over its sweep.
#[derive(Debug, Clone)]
pub struct Trials {
    /// The cluster of the comparison: the subject's, without a minimum that hides everything else.
    pub target: Target,
    /// The policy of the comparison, likewise.
    pub policy: Policy,
    /// What ran, where that is known.
    pub ran: Option<Run>,
    /// A trigger on the present load.
    pub reactive: (Run, Frontier),
    /// A rule for the busy hours beside it, where there are any.
    pub schedule: Option<(Run, Frontier)>,
    /// Replicas by the hour of the week, from the previous month. Nobody maintains such a table, but a forecast that
    /// is no cheaper is not worth having.
    pub by_hour: Frontier,
    /// Forescale.
    pub predictive: (Foreseen, Frontier),
    /// Forescale at those penalties between the coarse ones that were run to the end.
    fine: Vec<Point>,
    /// Why far more replicas run than the load needs, if so.
    excess: Option<Finding>,
}

/// Strategies are compared at these shares of the time, in percent: the usual one, and one at which the minutes of a
/// rise count.
const LEVELS: [f64; 2] = [super::MATCHED_TAU_U, 0.1];
/// A difference below this share is lost in the noise of another week.
const WORTH: f64 = 0.05;
/// A schedule needs no server: it is enough if it costs at most this much more than a forecast.
const AS_CHEAP: f64 = 1.1;
/// From this share on the load follows the clock.
const FOLLOWS: f64 = 0.3;
/// Ten times better safety is worth at most this factor of the usual cost.
const SAFER: f64 = 1.25;
/// Insurance factors of the simple strategies: a coarse subset of [`super::SWEEP`].
const FACTORS: [f64; 12] = [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5, 1.8, 2.0, 2.5, 3.0];
/// Penalties of a short hour for Forescale: a subset of [`crate::plan::PENALTIES`] as coarse as [`FACTORS`].
const PENALTIES: [f64; 10] = [1.0, 3.0, 6.5, 13.0, 26.0, 60.0, 160.0, 700.0, 5_000.0, 100_000.0];

/// Compares the strategies over the scored span.
///
/// # Errors
/// Where the cluster would refuse the configuration.
pub fn assess(subject: &Subject<'_>) -> Result<(Assessment, Trials), ConfigError> {
    let floor = Floor::of(subject);
    let mut target = subject.target.clone();
    let mut policy = subject.policy.clone();
    if floor.is_too_high() {
        // Judged without the limit that would hide everything else.
        target.twin.min_replicas = target.twin.min_replicas.min(1);
        policy.limits.min = policy.limits.min.min(crate::units::Replicas::ONE);
    }
    let mut trials = Trials::of(subject, &floor, target, policy)?;
    let reference = trials.reactive.0.scorecard;
    let ran = trials.ran.as_ref().map(|ran| ran.scorecard);
    let (verdict, finding, level) = trials.judge(subject);
    if let Some(ran) = ran {
        trials.refine(subject, verdict, ran.tau_u.min(level))?;
    }
    // At least as safe as what ran, and never less safe than promised.
    let safe = ran.zip(trials.frontier(verdict)).and_then(|(ran, best)| {
        let level = ran.tau_u.min(level);
        cost_at(&best.points, level).filter(|_| ran.replica_hours > 0.0).map(|cost| (level, cost, ran))
    });
    let saving = safe.map(|(_, cost, ran)| 100.0 * (1.0 - cost * reference.demand_hours / ran.replica_hours));
    // If a saving is reported, the figures next to it are for the same safety.
    let level = safe.map_or(level, |(level, ..)| level);
    let shown = |frontier: &Frontier| compared(frontier, level, reference.demand_hours);
    let reactive = shown(&trials.reactive.1);
    let assessment = Assessment {
        verdict,
        finding,
        ran: ran.map(|card| Compared { short_percent: card.tau_u, replica_hours: card.replica_hours }),
        reactive,
        schedule: trials.schedule.as_ref().map_or(reactive, |schedule| shown(&schedule.1)),
        predictive: shown(&trials.predictive.1),
        saving_percent: saving,
        level,
        days: reference.days,
    };
    Ok((assessment, trials))
}

// === impl Trials ===

impl Trials {
    fn of(subject: &Subject<'_>, floor: &Floor, target: Target, policy: Policy) -> Result<Self, ConfigError> {
        let load = subject.load;
        let studied = Simple::Reactive.study(load, &target, &policy.calendar);
        let reactive = sweep(|factor| run(load, &target, &mut *studied.insured(factor)))?;
        let sized = subject.busy.and_then(|busy| busy.sized(load, &target, &policy.calendar));
        let schedule = sized.map(|busy| {
            sweep(|factor| {
                let beside = studied.insured(factor);
                run(load, &target, &mut *busy.beside(beside, &target, policy.calendar.clone(), factor))
            })
        });
        let table = Simple::Cron.study(load, &target, &policy.calendar);
        let by_hour = sweep(|factor| run(load, &target, &mut *table.insured(factor)))?.1;
        let schedule = schedule.transpose()?;
        drop((studied, table));
        let ran = subject.ran.map(|replicas| ran(load, &target, replicas));
        let excess = excess(subject, floor, &target, ran.as_ref(), reactive.0.scorecard.demand_hours);
        // A forecast's saving over what ran is read between the coarse insurances.
        let trim = Trim { ran: ran.as_ref().filter(|_| excess.is_none()).map(|ran| ran.scorecard.tau_u) };
        let (own, points) = foreseen(load, &target, &policy, trim)?;
        let (coarse, fine) = points.into_iter().partition(|point| is_coarse(point.insurance));
        let predictive = (own, Frontier::of(coarse));
        Ok(Trials { target, policy, ran, excess, reactive, schedule, by_hour, predictive, fine })
    }

    /// The frontier of the strategy that a verdict recommends.
    fn frontier(&mut self, verdict: Verdict) -> Option<&mut Frontier> {
        match verdict {
            Verdict::Predictive => Some(&mut self.predictive.1),
            Verdict::Schedule => self.schedule.as_mut().map(|schedule| &mut schedule.1),
            Verdict::Reactive | Verdict::OverProvisioned => Some(&mut self.reactive.1),
            Verdict::AtRisk | Verdict::CannotTell => None,
        }
    }

    /// The verdict, why, and the share of the time at which it was reached.
    fn judge(&self, subject: &Subject<'_>) -> (Verdict, Finding, f64) {
        let [usual, fine] = LEVELS;
        if let Some(finding) = self.excess {
            return (Verdict::OverProvisioned, finding, usual);
        }
        let usual_pays = self.forecast_pays(usual);
        let simple = self.simple(usual);
        // Ten times safer is worth a little more if the load follows the clock; noise is not.
        let follows = subject.clock >= FOLLOWS;
        let is_affordable = |cost: &f64| follows && simple.is_none_or(|usual| *cost <= SAFER * usual);
        if let Some(busy) =
            subject.busy.filter(|_| !usual_pays.is_some_and(is_much) && self.schedule_holds(&is_affordable))
        {
            return (Verdict::Schedule, Finding::BusyHours(busy), fine);
        }
        if let Some(finding) = usual_pays {
            return (Verdict::Predictive, finding, usual);
        }
        let [.., safer] = self.costs(fine);
        if let Some(finding) = self.forecast_pays(fine).filter(|_| safer.as_ref().is_some_and(&is_affordable))
        {
            return (Verdict::Predictive, finding, fine);
        }
        let [reactive, schedule, predictive] = self.costs(usual);
        let gain = simple.zip(predictive).map_or(0.0, |(simple, own)| 1.0 - own / simple);
        match (reactive, schedule, subject.busy) {
            (None, Some(_), Some(busy)) => (Verdict::Schedule, Finding::BusyHours(busy), usual),
            (Some(cost), Some(other), Some(busy)) if other <= cost * (1.0 - WORTH) => {
                (Verdict::Schedule, Finding::BusyHours(busy), usual)
            }
            (Some(_), ..) => (Verdict::Reactive, Finding::LittleToGain { share: gain }, usual),
            // An hourly table is as safe and about as cheap, but nobody maintains one.
            (None, ..) if predictive.is_some() && gain >= 1.0 - AS_CHEAP => {
                (Verdict::Predictive, Finding::OnlySafe { level: usual }, usual)
            }
            _ => (Verdict::AtRisk, Finding::NeverSafe { least: self.least() }, usual),
        }
    }

    /// Whether a rule for the busy hours is safer than reactive scaling and about as cheap as a forecast.
    fn schedule_holds(&self, is_affordable: &impl Fn(&f64) -> bool) -> bool {
        let [reactive, schedule, predictive] = self.costs(LEVELS[1]);
        schedule.filter(is_affordable).is_some_and(|cost| {
            reactive.is_none_or(|other| cost <= other * (1.0 - WORTH))
                && predictive.is_none_or(|other| cost <= AS_CHEAP * other)
        })
    }

    /// Why a forecast pays at a given share of the time, if it does.
    fn forecast_pays(&self, level: f64) -> Option<Finding> {
        let [.., predictive] = self.costs(level);
        match (predictive?, self.simple(level)) {
            (_, None) => Some(Finding::OnlySafe { level }),
            (own, Some(other)) => {
                let share = 1.0 - own / other;
                (share >= WORTH).then_some(Finding::Cheaper { share, level })
            }
        }
    }

    /// Replica-hours of reactive, schedule (same as reactive if there is none) and forecast, where each is short for
    /// at most `level` percent of the time.
    pub fn hours_at(&self, level: f64) -> [Option<f64>; 3] {
        let demand = self.reactive.0.scorecard.demand_hours;
        let [reactive, schedule, predictive] = self.costs(level);
        let schedule = if self.schedule.is_some() { schedule } else { reactive };
        [reactive, schedule, predictive].map(|cost| cost.map(|cost| cost * demand))
    }

    /// Replica-hours relative to demand of reactive, schedule and forecast, where each is short for at most `level`
    /// percent.
    fn costs(&self, level: f64) -> [Option<f64>; 3] {
        let at = |frontier: &Frontier| cost_at(&frontier.points, level);
        [at(&self.reactive.1), self.schedule.as_ref().and_then(|s| at(&s.1)), at(&self.predictive.1)]
    }

    /// The cheapest strategy that is not a forecast.
    fn simple(&self, level: f64) -> Option<f64> {
        let [reactive, schedule, _] = self.costs(level);
        let by_hour = cost_at(&self.by_hour.points, level);
        reactive.into_iter().chain(schedule).chain(by_hour).reduce(f64::min)
    }

    fn least(&self) -> f64 {
        let schedule = self.schedule.as_ref().map(|schedule| &schedule.1);
        let all = [Some(&self.reactive.1), schedule, Some(&self.predictive.1)];
        let points = all.into_iter().flatten().flat_map(|frontier| &frontier.points);
        points.map(|point| point.scorecard.tau_u).fold(f64::INFINITY, f64::min)
    }
}

/// Forescale's run with its own insurance, and its points at those penalties that had to be run to the end.
fn foreseen(
    load: &Load,
    target: &Target,
    policy: &Policy,
    trim: Trim,
) -> Result<(Foreseen, Vec<Point>), ConfigError> {
    let penalties = trim.penalties();
    let worths = penalties.iter().map(|&worth| Some(Insured::Penalty(worth)));
    // The policy's own stands behind them and is never given up.
    let insured: Vec<_> = worths.chain([None]).collect();
    let mut runs = run_while_needed(load, target, policy, &insured, &mut |progress| {
        trim.given_up(&penalties, progress)
    })?;
    let own = runs.pop().flatten().unwrap_or_default();
    let (kept, runs): (Vec<f64>, Vec<Foreseen>) =
        penalties.iter().zip(runs).filter_map(|(&penalty, run)| Some((penalty, run?))).unzip();
    Ok((own, Point::foreseen(&kept, runs)))
}

/// Whether a forecast is so much cheaper that a schedule is not as good.
fn is_much(finding: Finding) -> bool {
    matches!(finding, Finding::Cheaper { share, .. } if share >= 2.0 * WORTH)
}

/// The run at its own setting, the factor 1, and the frontier.
fn sweep(at: impl Fn(f64) -> Result<Run, ConfigError>) -> Result<(Run, Frontier), ConfigError> {
    let (mut own, mut points) = (Run::default(), Vec::with_capacity(FACTORS.len()));
    for insurance in FACTORS {
        let run = at(insurance)?;
        points.push(Point { insurance, scorecard: run.scorecard });
        if insurance == 1.0 {
            own = run;
        }
    }
    Ok((own, Frontier::of(points)))
}

fn compared(frontier: &Frontier, level: f64, demand_hours: f64) -> Compared {
    if let Some(cost) = cost_at(&frontier.points, level) {
        let safe = frontier.points.iter().map(|point| point.scorecard).filter(|card| card.tau_u <= level);
        let cheapest = safe.min_by(|a, b| a.replica_hours.total_cmp(&b.replica_hours));
        // Between two settings, the share of the time equals the level.
        let is_setting = cheapest.is_some_and(|card| card.rh_ratio.is_some_and(|ratio| ratio <= cost));
        let short = cheapest.filter(|_| is_setting).map_or(level, |card| card.tau_u);
        return Compared { short_percent: short, replica_hours: cost * demand_hours };
    }
    let cards = frontier.points.iter().map(|point| point.scorecard);
    let least = cards.min_by(|a, b| a.tau_u.total_cmp(&b.tau_u)).unwrap_or_default();
    Compared { short_percent: least.tau_u, replica_hours: least.replica_hours }
}

// === impl Verdict ===

impl Verdict {
    /// All verdicts, those that save most first.
    pub const ALL: [Verdict; 6] = [
        Verdict::Predictive,
        Verdict::Schedule,
        Verdict::Reactive,
        Verdict::OverProvisioned,
        Verdict::AtRisk,
        Verdict::CannotTell,
    ];

    /// The name in results.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Predictive => "predictive",
            Verdict::Schedule => "schedule",
            Verdict::Reactive => "reactive",
            Verdict::OverProvisioned => "over_provisioned",
            Verdict::AtRisk => "at_risk",
            Verdict::CannotTell => "cannot_tell",
        }
    }
}

#[cfg(test)]
mod tests;
