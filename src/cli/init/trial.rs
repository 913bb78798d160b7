//! Tries the proposal on the history it was made from: how much to insure, and what that would have saved.
//!
//! The scored forecasts did not see the scored days. The threshold and the schedule were proposed from the whole
//! history, as any setting is.

use serde_json::{Value, json};

use super::InitArgs;
use super::manifest::Proposal;
use crate::cli::backtest::workload::target_of;
use crate::cli::rows::scorecard_json;
use crate::forecast::Trust;
use crate::history::Series;
use crate::http::verdict_json;
use crate::plan::Insured;
use crate::policy::Policy;
use crate::simulate::{DEAREST, Load, Scorecard, Simple, cost_at, ran, run, run_forescale, sweep};
use crate::source::Catalogue;
use crate::units::{Quantile, Span, percentile};

/// The score of the proposal, and what it is compared with.
pub(super) struct Trial {
    days: f64,
    wanted: f64,
    quantile: f64,
    forescale: Scorecard,
    /// A reactive trigger with the margin that leaves as little short; `None` if no margin does.
    reactive: Option<f64>,
    /// The fixed number of replicas that leaves as little short.
    fixed: f64,
    actual: Option<Scorecard>,
    /// The rule that predicted at the end, with the proposed quantile.
    trust: Option<Trust>,
}

/// The quantiles that are tried, ascending.
const TRIED: [f64; 5] = [0.8, 0.9, 0.95, 0.99, 0.999];
/// A week shows every weekday.
const MOST: Span = Span::days(7);

// === impl Trial ===

impl Trial {
    /// Tries the quantiles and puts the cheapest one that is short no longer than wanted into the proposal (otherwise
    /// the one that is short least). Scores it and the alternatives over the last third of the history, at most a
    /// week.
    pub(super) fn run(
        proposal: &mut Proposal,
        series: &Series,
        actual: Option<&Series>,
        args: &InitArgs,
    ) -> anyhow::Result<Trial> {
        let mut policy = Policy::from_keys(&Catalogue::default().keys(&proposal.keys()))?;
        for signal in &mut policy.signals {
            signal.step = series.step();
        }
        let load = Load::of(series);
        let mut target = target_of(&policy, args.price)?;
        let third = Span::seconds(load.end().since(load.start()).as_seconds() / 3);
        target.from = Some(load.end() - third.min(MOST));
        let quantiles: Vec<Quantile> = TRIED.iter().filter_map(|q| Quantile::new(*q).ok()).collect();
        let insured: Vec<_> = quantiles.iter().map(|q| Some(Insured::Quantile(*q))).collect();
        let cards: Vec<(f64, Scorecard, Option<Trust>)> = run_forescale(&load, &target, &policy, &insured)?
            .into_iter()
            .zip(quantiles)
            .map(|(seen, quantile)| (quantile.get(), seen.run.scorecard, seen.trust))
            .collect();
        let least = cards.iter().map(|card| card.1.tau_u).fold(f64::INFINITY, f64::min);
        let chosen = cards.iter().find(|card| card.1.tau_u <= args.short.max(least));
        let (quantile, forescale, trust) = *chosen.ok_or_else(|| anyhow::anyhow!("nothing was tried"))?;
        proposal.quantile = quantile;
        let studied = Simple::Reactive.study(&load, &target, &policy.calendar);
        let level = forescale.tau_u.max(args.short);
        let swept = sweep(level, |factor| {
            run(&load, &target, &mut *studied.insured(factor)).map(|run| run.scorecard)
        })?;
        let demanded = forescale.replica_hours / forescale.rh_ratio.unwrap_or(1.0);
        let measure = target.measure(&load);
        let hours = measure.until.since(measure.from).as_hours();
        Ok(Trial {
            days: hours / 24.0,
            wanted: args.short,
            quantile,
            forescale,
            reactive: cost_at(&swept.points, level)
                .filter(|ratio| *ratio <= DEAREST)
                .map(|ratio| ratio * demanded),
            fixed: fixed(&load, &target, level) * hours,
            actual: actual.map(|replicas| ran(&load, &target, replicas).scorecard),
            trust,
        })
    }

    /// Replica-hours saved, relative to an alternative.
    fn saved(&self, other: f64) -> f64 {
        1.0 - self.forescale.replica_hours / other
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "days": self.days,
            "verdict": self.trust.as_ref().map(verdict_json),
            "forescale": scorecard_json("predictive", &self.forescale, None),
            "reactive_replica_hours": self.reactive,
            "fixed_replica_hours": self.fixed,
            "actual": self.actual.map(|card| scorecard_json("actual", &card, None)),
            "saving": {
                "reactive": self.reactive.map(|hours| self.saved(hours)),
                "fixed": self.saved(self.fixed),
                "actual": self.actual.map(|card| self.saved(card.replica_hours)),
            },
        })
    }

    pub(super) fn told(&self, price: f64) -> Vec<String> {
        let Trial { days, quantile, forescale, wanted, .. } = self;
        let why = if forescale.tau_u <= *wanted {
            format!("the least of those tried ({}) that is short at most {wanted} % of the time", tried())
        } else {
            format!(
                "the one that is short the least of those tried ({}); none is short at most {wanted} % \
                 of the time",
                tried()
            )
        };
        let mut told = vec![
            format!("quantile {quantile}: {why} over the last {days:.1} days."),
            format!(
                "Backtest: short {:.2} % of the time with {:.0} replica-hours, {:.2} times the fewest possible.",
                forescale.tau_u,
                forescale.replica_hours,
                forescale.rh_ratio.unwrap_or(1.0)
            ),
        ];
        let month = |saved: f64| {
            if price > 0.0 { format!(", {:.2} a month", saved * price * 30.0 / days) } else { String::new() }
        };
        let beside = |what: &str, hours: f64| {
            let (saved, share) = (hours - forescale.replica_hours, 100.0 * self.saved(hours));
            let word = if saved >= 0.0 { "saves" } else { "costs" };
            format!("  {word} {:.0} % against {what} ({hours:.0} replica-hours){}", share.abs(), month(saved))
        };
        told.push(match self.reactive {
            Some(hours) => beside("a reactive trigger with a margin that is equally safe", hours),
            None => "  a reactive trigger is short for longer with any margin up to three times".to_owned(),
        });
        told.push(beside("a fixed number of replicas that is equally safe", self.fixed));
        told.extend(self.actual.map(|actual| {
            beside(&format!("what ran, short {:.2} % of the time", actual.tau_u), actual.replica_hours)
        }));
        told.extend(self.trust.map(|trust| format!("Forecast: {trust}.")));
        told.push(self.worth());
        told
    }

    /// Whether it is worth using, in one sentence.
    fn worth(&self) -> String {
        /// A smaller saving is lost in the noise of another week.
        const WORTH: f64 = 0.03;
        match self.reactive.map(|hours| self.saved(hours)) {
            Some(saved) if saved < WORTH => {
                "Worth: on this load no better than a reactive trigger with a margin; it saves only the \
                 work of finding that margin."
                    .to_owned()
            }
            Some(saved) => {
                format!("Worth: {:.0} % fewer replica-hours at equal safety.", 100.0 * saved)
            }
            None => "Worth: safer than a reactive trigger with any margin.".to_owned(),
        }
    }
}

fn tried() -> String {
    TRIED.map(|quantile| quantile.to_string()).join(", ")
}

/// The fewest replicas that, kept all the time, are short for at most `level` percent of it.
fn fixed(load: &Load, target: &crate::simulate::Target, level: f64) -> f64 {
    let measure = target.measure(load);
    let demand = |load: f64| f64::from(target.threshold.replicas_for(load).get().max(measure.min_replicas));
    let demands = load.observed(measure.from, measure.until).map(|(_, load)| demand(load));
    percentile(demands.collect(), 1.0 - level / 100.0).unwrap_or_default()
}
