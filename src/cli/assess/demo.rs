//! `forescale demo --fleet`: assesses a small generated fleet like a real one, with nothing to install.
//!
//! Only the source of the histories differs: the loads are generated from a seed. They show what the report looks
//! like, and say nothing about the forecast's accuracy on real traffic.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::folder::Folder;
use super::history::Reader;
use super::inventory::{Candidate, Level, LoadQuery, PodRequests, TargetRef};
use super::prices::Prices;
use super::{Settings, finish, questions, report, work};
use crate::cli::outcome::{Format, Outcome};
use crate::cli::place::Place;
use crate::cli::runtime;
use crate::cli::scaler::Scaler;
use crate::history::Series;
use crate::source::{Backend, RangeQuery, Reading, SourceError};
use crate::units::{Dice, Span, Step, Time};

/// The end of the histories, a Monday, 00:00 UTC; any fixed instant would do.
const UNTIL: Time = Time::from_epoch(1_773_014_400);
const HISTORY: Span = Span::days(14);
/// The load that one replica of every workload may carry.
const THRESHOLD: f64 = 50.0;
/// The cores that each pod requests, and the price of one core for an hour.
const CORES: f64 = 0.5;
const PRICE: f64 = 0.04;

/// The load at a minute of the day and a weekday (0 is Monday), before noise.
type Shape = fn(minute: f64, day: i64) -> f64;

/// The replicas that ran.
#[derive(Clone, Copy)]
enum Ran {
    /// Not known.
    Unknown,
    /// A fixed number.
    Fixed(f64),
    /// A trigger on the present load: some minutes late, held for a while, at this multiple of the need.
    Trigger(f64),
}

/// One workload of the fleet.
struct Member {
    namespace: &'static str,
    name: &'static str,
    load: Shape,
    /// Relative noise of one sample.
    noise: f64,
    ran: Ran,
    min: u32,
    /// The load per second that a pod would carry at 100 % of its request.
    carries: f64,
}

/// Between 0 and 1: up within `ramp` minutes and down again after `hold`.
fn bump(minute: f64, ramp: f64, hold: f64) -> f64 {
    (minute / ramp).min((ramp + hold - minute) / ramp).clamp(0.0, 1.0)
}

const FLEET: [Member; 9] = [
    Member {
        namespace: "media",
        name: "push",
        // A campaign every two hours.
        load: |minute, _| 100.0 + 900.0 * bump(minute % 120.0, 6.0, 25.0),
        noise: 0.03,
        ran: Ran::Trigger(1.6),
        min: 1,
        carries: 90.0,
    },
    Member {
        namespace: "media",
        name: "live",
        // Broadcasts at fixed times.
        load: |minute, _| {
            let since = [420.0, 750.0, 1_140.0, 1_290.0].map(|start| minute - start);
            150.0 + 1_200.0 * since.map(|since| bump(since, 5.0, 30.0)).iter().sum::<f64>()
        },
        noise: 0.03,
        ran: Ran::Trigger(1.8),
        min: 2,
        carries: 90.0,
    },
    Member {
        namespace: "shop",
        name: "checkout",
        load: |minute, day| {
            let week = if day < 5 { 1.0 } else { 0.6 };
            60.0 + week
                * 700.0
                * (0.5 - 0.5 * ((minute - 240.0) / 1_440.0 * std::f64::consts::TAU).cos()).powi(2)
        },
        noise: 0.04,
        ran: Ran::Fixed(18.0),
        min: 2,
        carries: 90.0,
    },
    Member {
        namespace: "shop",
        name: "images",
        load: |_, _| 190.0,
        noise: 0.03,
        ran: Ran::Fixed(14.0),
        min: 14,
        carries: 90.0,
    },
    Member {
        namespace: "pay",
        name: "desk",
        load: |minute, day| if day < 5 && (480.0..1_020.0).contains(&minute) { 600.0 } else { 55.0 },
        noise: 0.01,
        ran: Ran::Trigger(1.5),
        min: 1,
        carries: 90.0,
    },
    Member {
        namespace: "pay",
        name: "ledger",
        load: |_, _| 310.0,
        noise: 0.02,
        ran: Ran::Fixed(8.0),
        min: 2,
        carries: 90.0,
    },
    Member {
        namespace: "pay",
        name: "fraud",
        load: |minute, _| 220.0 + 150.0 * (minute / 1_440.0 * std::f64::consts::TAU).sin(),
        noise: 0.03,
        ran: Ran::Fixed(10.0),
        min: 2,
        carries: 120.0,
    },
    Member {
        namespace: "shop",
        name: "search",
        load: |_, _| 260.0,
        noise: 0.12,
        ran: Ran::Unknown,
        min: 2,
        carries: 90.0,
    },
    Member {
        namespace: "shop",
        name: "legacy",
        load: |_, _| f64::NAN,
        noise: 0.0,
        ran: Ran::Unknown,
        min: 1,
        carries: 1.0,
    },
];

/// Histories by their queries.
struct Generated(HashMap<String, Series>);

/// Assesses the fleet, prints it and writes the folder.
pub(in crate::cli) fn run(out: &Path, format: Format) -> anyhow::Result<Outcome> {
    let mut histories = HashMap::new();
    let candidates: Vec<Candidate> =
        FLEET.iter().enumerate().map(|(seed, member)| member.add(seed as u64, &mut histories)).collect();
    let settings = Settings {
        lead: Span::minutes(2),
        timezone: chrono_tz::UTC,
        scaler: Scaler::default(),
        prices: Prices::by_cpu(PRICE),
    };
    let runtime = runtime::beside(1)?;
    let reader = Reader::new(Arc::new(Generated(histories)), (UNTIL, HISTORY), false, &candidates);
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // Nothing is resumed: a demo always starts afresh.
    let folder = Folder::new(out);
    let mut all =
        work::judge_all(candidates, reader, &runtime, &settings, work::Keeping::Reports(&folder), jobs)?;
    report::sort(&mut all);
    finish(&all, Some(&folder), &UNTIL.to_string(), format)?;
    if format == Format::Text {
        let page = out.join("fleet.html");
        writeln!(
            std::io::stdout(),
            "\nOpen {}. Your own fleet: forescale assess --prometheus http://HOST:9090 --out fleet",
            page.display()
        )?;
    }
    Ok(Outcome::Fine)
}

// === impl Member ===

impl Member {
    /// Adds its histories by their queries; returns the workload itself.
    fn add(&self, seed: u64, histories: &mut HashMap<String, Series>) -> Candidate {
        let begin = UNTIL - HISTORY;
        let mut dice = Dice::new(seed + 1);
        let minutes = HISTORY.as_seconds() / 60;
        let loads = (0..=minutes).map(|k| {
            let at = begin.epoch() / 60 + k;
            // The epoch was a Thursday.
            let (minute, day) = (at.rem_euclid(1_440) as f64, (at.div_euclid(1_440) + 3).rem_euclid(7));
            let load = (self.load)(minute, day) * (1.0 + self.noise * dice.normal());
            if load < 0.0 { 0.0 } else { load }
        });
        let loads: Vec<f64> = loads.collect();
        let target = TargetRef { kind: "Deployment".to_owned(), name: self.name.to_owned() };
        let query = format!("sum(rate(requests_total{{app=\"{}\"}}[2m]))", self.name);
        if let Some(ready) = self.ran.of(&loads) {
            let cpu =
                loads.iter().zip(&ready).map(|(load, ready)| 0.02 * ready + load * CORES / self.carries);
            let asked = questions::cpu_used(self.namespace, &target.kind, self.name);
            histories.extend(asked.map(|asked| (asked, Series::from_values(begin, Step::MINUTE, cpu))));
            let asked = questions::ready(self.namespace, &target.kind, self.name);
            histories.extend(asked.map(|asked| (asked, Series::from_values(begin, Step::MINUTE, ready))));
        }
        histories.insert(query.clone(), Series::from_values(begin, Step::MINUTE, loads));
        Candidate {
            place: Place { namespace: self.namespace.to_owned(), name: self.name.to_owned() },
            target,
            min: self.min,
            max: 60,
            requests: PodRequests { cores: Some(CORES), memory: None },
            load: Ok(LoadQuery {
                query,
                threshold: Level::Given(THRESHOLD),
                threshold_source: "threshold of its prometheus trigger".to_owned(),
                keys: HashMap::new(),
            }),
        }
    }
}

// === impl Ran ===

impl Ran {
    /// Ready replicas by minute.
    fn of(self, loads: &[f64]) -> Option<Vec<f64>> {
        /// How many minutes metrics, the HPA and a pod start take, and for how many minutes replicas are held.
        const LATE: usize = 4;
        const HELD: usize = 10;
        let need = |load: &f64| (load / THRESHOLD).ceil().max(1.0);
        let seen = |minute: usize| {
            let until = (minute + 1).saturating_sub(LATE).max(1);
            let from = until.saturating_sub(HELD);
            loads.get(from..until).into_iter().flatten().map(need).fold(1.0, f64::max)
        };
        match self {
            Ran::Unknown => None,
            Ran::Fixed(count) => Some(vec![count; loads.len()]),
            Ran::Trigger(times) => {
                Some((0..loads.len()).map(|minute| (times * seen(minute)).ceil()).collect())
            }
        }
    }
}

// === impl Generated ===

#[tonic::async_trait]
impl Backend for Generated {
    async fn range(&self, query: &RangeQuery) -> Result<Reading, SourceError> {
        let series = self.0.get(&query.query);
        Ok(query.answer(|at| series.and_then(|series| series.get(series.slot_before(at)?))))
    }

    async fn instant(&self, _query: &str, _at: Time) -> Result<Option<f64>, SourceError> {
        Ok(None)
    }

    fn clock_skew(&self, _now: Time) -> Option<Span> {
        None
    }

    fn label(&self) -> &'static str {
        "generated"
    }
}
