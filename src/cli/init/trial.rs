//! The proposal tried on the history it was made from: how much to insure, and what that would have saved.
//!
//! The days that are scored were not seen by the forecasts that are scored; threshold and schedule were proposed from
//! all of them, as any setting is.

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

/// How the proposal fared, and what it is held against.
pub(super) struct Trial {
    days: f64,
    wanted: f64,
    quantile: f64,
    forescale: Scorecard,
    /// A reactive trigger with the margin that leaves as little short; `None` where no margin does.
    reactive: Option<f64>,
    /// So many replicas all the time leave as little short.
    fixed: f64,
    actual: Option<Scorecard>,
    /// Who predicted at the end with the quantile proposed.
    trust: Option<Trust>,
}

/// The quantiles that are tried, ascending.
const TRIED: [f64; 5] = [0.8, 0.9, 0.95, 0.99, 0.999];
/// A week shows every weekday.
const MOST: Span = Span::days(7);

// === impl Trial ===

impl Trial {
    /// Tries the quantiles, puts the cheapest that is short no longer than wanted into the proposal (else the one that
    /// is short least), and scores it beside the others over the last third of the history, at most a week.
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

    /// Replica-hours saved, as a share of another's.
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

    /// Whether it is worth having, in a sentence.
    fn worth(&self) -> String {
        /// What is saved below this share is lost again in the noise of another week.
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

/// The fewest replicas that, all the time, are short for at most `level` percent of it.
fn fixed(load: &Load, target: &crate::simulate::Target, level: f64) -> f64 {
    let measure = target.measure(load);
    let demand = |load: f64| f64::from(target.threshold.replicas_for(load).get().max(measure.min_replicas));
    let demands = load.observed(measure.from, measure.until).map(|(_, load)| demand(load));
    percentile(demands.collect(), 1.0 - level / 100.0).unwrap_or_default()
}
