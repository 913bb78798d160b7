//! Which rule predicts: the forecast, a seasonal naive, or none.
//!
//! A change of the rule follows from the record of losses alone, with hysteresis, so that it does not change back and
//! forth. What the rule means for an answer is told in `trust`.

use std::fmt;

use super::levels::{LEVELS, UPPER};
use super::plain::{NAIVE_DAY, NAIVE_WEEK, PERSISTENCE, Record};

/// The rule that predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Rule {
    /// The forecast.
    #[default]
    Forecast,
    /// The seasonal naive of a day: the load at the same time yesterday, with its own error quantiles.
    NaiveDay,
    /// The seasonal naive of a week: the load at the same time a week ago, with its own error quantiles.
    NaiveWeek,
    /// None: nothing predicts the load better than persistence, the load now with its own error quantiles.
    Reactive,
}

/// Hysteresis. The forecast stops predicting if its loss exceeds the best plain rule's by the first share, and predicts
/// again below the second; both are larger at rarer quantiles. A plain rule stops predicting if the loss of the best one
/// is lower by more than the third, a factor.
const GONE: f32 = 0.3;
pub(super) const BACK: f32 = 0.1;
const BETTER: f32 = 1.1;
/// A record is too short below this decayed number of truths, as a share of its limit.
pub(super) const EVIDENCE: f32 = 0.15;
/// The levels at which trust is judged: those of the objectives cost, balanced and availability.
pub(super) const JUDGED: [usize; 3] = [2, 4, 5];

// === impl Rule ===

impl Rule {
    /// The rules that need no forecast.
    pub const PLAIN: [Rule; 3] = [Rule::Reactive, Rule::NaiveDay, Rule::NaiveWeek];

    /// The name in metrics and JSON: `forecast`, `naive_day`, `naive_week`, `reactive`.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::Forecast => "forecast",
            Rule::NaiveDay => "naive_day",
            Rule::NaiveWeek => "naive_week",
            Rule::Reactive => "reactive",
        }
    }

    /// The rule that predicts after one more truth.
    pub(super) fn next(self, record: &Record, level: usize) -> Rule {
        if !is_judged(record) {
            return Rule::Forecast;
        }
        let best = best(record, level);
        let over = |rule| ratio(record, level, rule);
        match self {
            Rule::Forecast if over(best) > 1.0 + noise(level) * GONE => best,
            Rule::Forecast => Rule::Forecast,
            _ if over(best) <= 1.0 + noise(level) * BACK => Rule::Forecast,
            held if has_record(record, held) && over(best) <= BETTER * over(held) => held,
            _ => best,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::Forecast => "the forecast",
            Rule::NaiveDay => "the seasonal naive of a day",
            Rule::NaiveWeek => "the seasonal naive of a week",
            Rule::Reactive => "persistence",
        })
    }
}

/// The place of a plain rule in the record.
fn place(rule: Rule) -> usize {
    match rule {
        Rule::NaiveDay => NAIVE_DAY,
        Rule::NaiveWeek => NAIVE_WEEK,
        Rule::Forecast | Rule::Reactive => PERSISTENCE,
    }
}

/// Whether enough forecasts were judged.
pub(super) fn is_judged(record: &Record) -> bool {
    has_record(record, Rule::Reactive)
}

/// Whether a plain rule was judged often enough.
pub(super) fn has_record(record: &Record, rule: Rule) -> bool {
    record.count(place(rule)) >= EVIDENCE
}

/// The forecast's loss divided by a plain rule's, at the truths at which both were judged.
pub(super) fn ratio(record: &Record, level: usize, rule: Rule) -> f32 {
    record.ratio(level, place(rule))
}

/// How uncertain a ratio of losses is at a level, relative to 0.95; at least one. The loss at a high quantile depends on
/// the few truths above it, so its standard error grows with the root of their rarity.
fn noise(level: usize) -> f32 {
    let rare = (1.0 - LEVELS[UPPER]) / (1.0 - LEVELS[level]);
    rare.sqrt().max(1.0) as f32
}

/// The plain rule with the smallest loss relative to the forecast's. Of equal ones a seasonal naive, which sees ahead.
pub(super) fn best(record: &Record, level: usize) -> Rule {
    let known = Rule::PLAIN.into_iter().filter(|rule| has_record(record, *rule));
    known
        .max_by(|a, b| ratio(record, level, *a).total_cmp(&ratio(record, level, *b)))
        .unwrap_or(Rule::Reactive)
}
