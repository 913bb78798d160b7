//! Trust: which rule predicts a load; and the accuracy of the forecast.
//!
//! The criterion is the pinball loss at the insured quantile of the peak of the lead window, over the last days. The
//! forecast is compared with three plain rules: persistence, and the seasonal naive of a day and of a week, each with its
//! own error quantiles. Where the forecast is clearly worse, the best of them predicts in its place. If that is
//! persistence, replicas are not asked for ahead of the load. Hysteresis keeps the rule from changing back and forth.
//! Percentage errors are not used.

use std::fmt;

use crate::units::{Quantile, Span};

use super::levels::{LEVELS, MEDIAN};
use super::plain::{NAIVE_DAY, NAIVE_WEEK, PERSISTENCE};
use super::pool::PoolState;
use super::rule::{BACK, EVIDENCE, JUDGED, Rule, best, has_record, is_judged, ratio};
use super::tracker::Tracker;

/// How far the forecast is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrustState {
    /// Nothing predicts the load better than the load now: answers are reactive.
    Distrusted,
    /// Too few forecasts were judged, or the forecast's loss is more than a tenth above the best plain rule's, or a
    /// seasonal naive predicts. Answers follow the rule that predicts all the same.
    Probation,
    /// The forecast predicts, and its loss is at most a tenth above the best plain rule's.
    Trusted,
}

/// The rule that predicts, with the losses behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trust {
    /// The rule that predicts.
    pub rule: Rule,
    /// The plain rule that the forecast is compared with: the one that predicts, else the best.
    pub baseline: Rule,
    /// The loss of the forecast divided by that of the baseline; below 1 the forecast is better.
    pub ratio: f64,
    /// Whether enough forecasts were judged.
    pub is_judged: bool,
    /// The window whose peak was judged.
    pub window: Span,
    /// The quantile whose loss was judged.
    pub quantile: f64,
    /// Rolling loss of the forecast, in the unit of the load.
    pub forecast_loss: f64,
    /// The rolling loss of each plain rule; `None` where its record is too short.
    pub plain_loss: [(Rule, Option<f64>); Rule::PLAIN.len()],
}

/// The accuracy of the forecasts up to an hour ahead, over the last days.
#[derive(Debug, Clone, PartialEq)]
pub struct Accuracy {
    /// The pinball loss divided by that of the seasonal naive of a week (else of a day, else of persistence), over the
    /// published quantiles; below 1 the forecast is better.
    pub skill_ratio: f64,
    /// Share of truths at or below the forecast, for each published quantile.
    pub coverage: Vec<(Quantile, f64)>,
}

/// The longest horizon of the accuracy, in seconds.
const NEAR: i64 = 3_600;
/// The window of [`Tracker::trust`].
const WINDOW: Span = Span::seconds(165);

// === impl TrustState ===

impl TrustState {
    /// The name used for labels: `trusted`, `probation`, `distrusted`.
    pub fn as_str(self) -> &'static str {
        match self {
            TrustState::Distrusted => "distrusted",
            TrustState::Probation => "probation",
            TrustState::Trusted => "trusted",
        }
    }
}

impl fmt::Display for TrustState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Trust ===

impl Trust {
    /// How far the forecast is trusted.
    pub fn state(&self) -> TrustState {
        match self.rule {
            Rule::Forecast if self.is_judged && self.ratio <= 1.0 + f64::from(BACK) => TrustState::Trusted,
            Rule::Forecast | Rule::NaiveDay | Rule::NaiveWeek => TrustState::Probation,
            Rule::Reactive => TrustState::Distrusted,
        }
    }

    /// What it means for the answers, in words.
    pub fn follows(&self) -> &'static str {
        match self.rule {
            Rule::Forecast => "replicas are asked for ahead of the load",
            Rule::NaiveDay | Rule::NaiveWeek => {
                "replicas are asked for ahead of the load, by that rule until the forecast is as good again"
            }
            Rule::Reactive => {
                "answers follow the load now, the schedule and the minimum until something predicts it better"
            }
        }
    }

    fn unknown(window: Span, quantile: Quantile) -> Trust {
        Trust {
            rule: Rule::Forecast,
            baseline: Rule::Reactive,
            ratio: 1.0,
            is_judged: false,
            window,
            quantile: quantile.get(),
            forecast_loss: 0.0,
            plain_loss: Rule::PLAIN.map(|rule| (rule, None)),
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trust { rule, baseline, ratio, window, quantile, .. } = self;
        let judged =
            format!("{ratio:.2} times that of {baseline} (quantile {quantile} of the {window} peak)");
        match rule {
            Rule::Forecast if !self.is_judged => {
                write!(f, "the forecast predicts; too little of it was judged yet")?
            }
            Rule::Forecast => write!(f, "the forecast predicts: its loss is {judged}")?,
            Rule::Reactive => write!(
                f,
                "nothing predicts the load better than the load now: the forecast's loss is {judged}"
            )?,
            Rule::NaiveDay | Rule::NaiveWeek => {
                write!(f, "{rule} predicts: the forecast's loss is {judged}")?
            }
        }
        write!(f, "; {}", self.follows())
    }
}

impl Tracker {
    /// Trust at quantile 0.95 of the peak of a window of 165 seconds, or of the next longer modelled one.
    pub fn trust(&self) -> Trust {
        self.trust_in(WINDOW, Quantile::BALANCED)
    }

    /// Trust at a quantile (the nearest of 0.8, 0.95 and 0.99) of the peak of a window (the shortest modelled one that is
    /// not shorter, else the longest).
    pub fn trust_in(&self, window: Span, quantile: Quantile) -> Trust {
        let wanted = window.as_seconds();
        let step = self.fit.plan.step;
        let mut peaks = self.fit.tasks.iter().zip(&self.state.standings).filter(|(t, _)| t.task.peak);
        let chosen = peaks
            .clone()
            .find(|(t, _)| t.task.steps as i64 * step >= wanted)
            .or_else(|| peaks.next_back())
            .or_else(|| self.fit.tasks.iter().zip(&self.state.standings).next());
        let distance = |l: usize| (LEVELS[l] - quantile.get()).abs();
        let nearest = JUDGED.into_iter().enumerate().min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
        let (Some((learnt, standing)), Some((place_of, level))) = (chosen, nearest) else {
            return Trust::unknown(window, quantile);
        };
        let (record, rule) = (&standing.record, standing.rules[place_of]);
        let baseline = if rule == Rule::Forecast { best(record, level) } else { rule };
        let load = |loss: f32| self.fit.transform.load(f64::from(loss));
        let [own, _] = record.losses(level, PERSISTENCE);
        // Each rule's loss as if it had been judged at all truths at which the forecast was.
        let of = |rule| load(own / ratio(record, level, rule));
        Trust {
            rule,
            baseline,
            ratio: f64::from(ratio(record, level, baseline)),
            is_judged: is_judged(record),
            window: Span::seconds(learnt.task.steps as i64 * step),
            quantile: LEVELS[level],
            forecast_loss: load(own),
            plain_loss: Rule::PLAIN.map(|rule| (rule, has_record(record, rule).then(|| of(rule)))),
        }
    }

    /// The accuracy up to an hour ahead, over the last days.
    pub fn accuracy(&self) -> Accuracy {
        let step = self.fit.plan.step;
        let first = self.fit.tasks.first().map_or(1, |t| t.task.steps);
        let near: Vec<&PoolState> = self
            .fit
            .tasks
            .iter()
            .zip(&self.state.standings)
            .filter(|(t, _)| !t.task.peak && (t.task.steps as i64 * step <= NEAR || t.task.steps == first))
            .map(|(_, s)| s)
            .collect();
        let published = || Quantile::PUBLISHED.into_iter().zip(MEDIAN..LEVELS.len());
        // The seasonal naive of a week if it has a record, else that of a day, else persistence.
        let naive = [NAIVE_WEEK, NAIVE_DAY]
            .into_iter()
            .find(|&rule| near.iter().all(|s| s.record.count(rule) >= EVIDENCE));
        let naive = naive.unwrap_or(PERSISTENCE);
        let total = |k: usize| -> f64 {
            let lost = |s: &PoolState, l: usize| f64::from(s.record.losses(l, naive)[k]);
            near.iter().flat_map(|s| published().map(move |(_, l)| lost(s, l))).sum()
        };
        let count: f64 = near.iter().map(|s| f64::from(s.record.count(PERSISTENCE))).sum();
        let coverage = published().map(|(q, l)| {
            let covered: f64 = near.iter().map(|s| f64::from(s.cover[l])).sum();
            (q, if count > 0.0 { (covered / count).min(1.0) } else { q.get() })
        });
        // For a constant series both losses are zero.
        let epsilon = 1e-9 * count;
        Accuracy {
            skill_ratio: (total(0) + epsilon) / (total(1) + epsilon).max(f64::MIN_POSITIVE),
            coverage: coverage.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::levels::L;
    use super::super::plain::{RULES, Record};
    use super::*;

    const LEVEL: usize = JUDGED[1];

    /// The record after 200 truths with these losses at each: of the forecast, and of persistence and the seasonal naive
    /// of a day and of a week. `None` is a lag in a gap.
    fn record(forecast: f32, rules: [Option<f32>; RULES]) -> Record {
        let mut record = Record::new();
        let knots = [[0.0; RULES]; L];
        // The pinball loss of a quantile that lies m below the truth is m times the level.
        let truth = 10_000.0f32;
        let said = |lost: f32| truth - lost / LEVELS[LEVEL] as f32;
        // On the variance-stabilised scale.
        let stabilise = |normal: f32| super::super::transform::stabilise(f64::from(normal)) as f32;
        let values = rules.map(|lost| lost.map_or(f32::NAN, |lost| stabilise(said(lost))));
        for _ in 0..200 {
            record.learn(&knots, values, 1.0, &[said(forecast); L], truth, 0.99);
        }
        record
    }

    fn after(held: Rule, forecast: f32, rules: [Option<f32>; RULES]) -> Rule {
        held.next(&record(forecast, rules), LEVEL)
    }

    #[test]
    fn a_forecast_that_a_seasonal_naive_beats_gives_way_to_it_and_not_to_the_load_now() {
        let losses = |naive: f32| [Some(270.0), Some(300.0), Some(naive)];
        // A ratio of 1.26 is not clearly worse; 1.4 is, and then the naive predicts.
        assert_eq!(after(Rule::Forecast, 108.0, losses(86.0)), Rule::Forecast);
        assert_eq!(after(Rule::Forecast, 120.0, losses(86.0)), Rule::NaiveWeek);
        assert_eq!(after(Rule::NaiveWeek, 108.0, losses(86.0)), Rule::NaiveWeek);
        assert_eq!(after(Rule::NaiveWeek, 90.0, losses(86.0)), Rule::Forecast);
        // The same if persistence was the rule until now.
        assert_eq!(after(Rule::Reactive, 108.0, losses(86.0)), Rule::NaiveWeek);
        assert_eq!(after(Rule::Forecast, 120.0, [Some(270.0), Some(86.0), Some(300.0)]), Rule::NaiveDay);
    }

    #[test]
    fn the_rarer_the_truths_above_a_level_the_more_it_takes_to_change() {
        let at = |level: usize, forecast: f32| {
            // The same ratio of losses at every level: a quantile below the truth loses in proportion to its level.
            let record = record(forecast, [Some(100.0), Some(300.0), Some(300.0)]);
            Rule::Forecast.next(&record, level)
        };
        assert_eq!([JUDGED[0], JUDGED[1], JUDGED[2]].map(|level| LEVELS[level]), [0.8, 0.95, 0.99]);
        assert_eq!(JUDGED.map(|level| at(level, 140.0)), [Rule::Reactive, Rule::Reactive, Rule::Forecast]);
        assert_eq!(JUDGED.map(|level| at(level, 180.0)), [Rule::Reactive; 3]);
    }

    #[test]
    fn only_persistence_makes_the_answer_reactive() {
        assert_eq!(after(Rule::Forecast, 140.0, [Some(100.0), Some(300.0), Some(300.0)]), Rule::Reactive);
        assert_eq!(after(Rule::Reactive, 120.0, [Some(100.0), Some(300.0), Some(300.0)]), Rule::Reactive);
        assert_eq!(after(Rule::Reactive, 105.0, [Some(100.0), Some(300.0), Some(300.0)]), Rule::Forecast);
        // Of two plain rules the one that predicts keeps its place until the other is clearly better.
        assert_eq!(after(Rule::NaiveWeek, 200.0, [Some(300.0), Some(95.0), Some(100.0)]), Rule::NaiveWeek);
        assert_eq!(after(Rule::NaiveWeek, 200.0, [Some(300.0), Some(80.0), Some(100.0)]), Rule::NaiveDay);
    }

    #[test]
    fn a_lag_that_does_not_exist_earns_no_record() {
        assert_eq!(after(Rule::Forecast, 200.0, [Some(150.0), Some(100.0), None]), Rule::NaiveDay);
        assert_eq!(after(Rule::NaiveWeek, 200.0, [Some(150.0), Some(100.0), None]), Rule::NaiveDay);
        assert_eq!(after(Rule::Forecast, 200.0, [Some(100.0), None, None]), Rule::Reactive);
        assert_eq!(Rule::Reactive.next(&Record::new(), LEVEL), Rule::Forecast, "nothing was judged");
    }

    #[test]
    fn the_verdict_names_the_baseline_the_factor_and_what_follows() {
        let trust = |rule, baseline, ratio| Trust {
            rule,
            baseline,
            ratio,
            is_judged: true,
            ..Trust::unknown(Span::minutes(5), Quantile::BALANCED)
        };
        for (trust, state, begins, ends) in [
            (
                trust(Rule::Forecast, Rule::NaiveWeek, 0.72),
                TrustState::Trusted,
                "the forecast predicts: its loss is 0.72 times that of the seasonal naive of a week (quantile 0.95 \
                 of the 5m peak)",
                "ahead of the load",
            ),
            (
                trust(Rule::NaiveWeek, Rule::NaiveWeek, 1.4),
                TrustState::Probation,
                "the seasonal naive of a week predicts: the forecast's loss is 1.40 times that of the seasonal naive",
                "until the forecast is as good again",
            ),
            (
                trust(Rule::Reactive, Rule::Reactive, 1.5),
                TrustState::Distrusted,
                "nothing predicts the load better than the load now: the forecast's loss is 1.50 times that of \
                 persistence",
                "until something predicts it better",
            ),
            (
                trust(Rule::Forecast, Rule::NaiveDay, 1.2),
                TrustState::Probation,
                "the forecast predicts: its loss is 1.20 times",
                "ahead of the load",
            ),
        ] {
            let told = trust.to_string();
            assert!(told.starts_with(begins) && told.ends_with(ends), "{told}");
            assert_eq!(trust.state(), state, "{told}");
        }
    }
}
