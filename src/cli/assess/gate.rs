//! `--assert`: a condition on the whole fleet, for use in CI.

use anyhow::Context;

use super::report;
use super::row::Kept;
use crate::simulate::Verdict;

/// A condition on the fleet.
pub(super) struct Gate {
    pub text: String,
    figure: String,
    sign: &'static str,
    bound: f64,
}

// === impl Gate ===

impl Gate {
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        const SIGNS: [&str; 5] = ["<=", ">=", "==", "<", ">"];
        const TOTALS: [&str; 3] = ["saving_percent", "saved_hours_a_month", "short_hours_a_month"];
        let figures = || Verdict::ALL.iter().map(|v| v.as_str()).chain(TOTALS);
        let read = || {
            let sign = SIGNS.into_iter().find(|sign| text.contains(sign))?;
            let (figure, bound) = text.split_once(sign)?;
            let figure = figures().find(|known| *known == figure.trim())?;
            Some(Gate {
                text: text.trim().to_owned(),
                figure: figure.to_owned(),
                sign,
                bound: bound.trim().parse().ok()?,
            })
        };
        read().with_context(|| {
            let known: Vec<&str> = figures().collect();
            format!(
                "--assert: found '{text}', expected FIGURE <= NUMBER (or >=, <, >, ==) with FIGURE one of {}",
                known.join(", ")
            )
        })
    }

    /// Whether it holds for the fleet.
    pub(super) fn holds(&self, all: &[Kept]) -> bool {
        let totals = report::totals(all);
        let found = match self.figure.as_str() {
            "saving_percent" => totals.saving_percent.unwrap_or(0.0),
            "saved_hours_a_month" => totals.saved_hours_a_month,
            "short_hours_a_month" => totals.short_hours_a_month,
            verdict => totals.verdicts.get(verdict).copied().unwrap_or(0) as f64,
        };
        match self.sign {
            "<=" => found <= self.bound,
            ">=" => found >= self.bound,
            "==" => found == self.bound,
            "<" => found < self.bound,
            _ => found > self.bound,
        }
    }
}
