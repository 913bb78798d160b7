//! `--assert`: conditions that a backtest must meet to pass in CI.

use std::io::Write;

use anyhow::bail;

use super::files::entry_json;
use super::workload::Outcome;
use crate::cli::rows::scorecard_json;
use crate::simulate::{MATCHED_TAU_U, Scorecard};

/// A condition such as `predictive.tau_u <= 0.5`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gate {
    text: String,
    strategy: String,
    /// The path inside the strategy's row, such as `matched.rh_ratio`.
    figure: Vec<String>,
    sign: Sign,
    bound: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    AtMost,
    AtLeast,
    Below,
    Above,
    Equal,
}

/// Comparison signs by their text; those of two characters come first.
const SIGNS: [(&str, Sign); 5] = [
    ("<=", Sign::AtMost),
    (">=", Sign::AtLeast),
    ("==", Sign::Equal),
    ("<", Sign::Below),
    (">", Sign::Above),
];

// === impl Gate ===

impl Gate {
    /// Parses a condition.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fault = || format!("found '{text}', expected STRATEGY.FIGURE <= NUMBER (or >=, <, >, ==)");
        let (at, (sign_text, sign)) = SIGNS
            .iter()
            .filter_map(|sign| text.find(sign.0).map(|at| (at, *sign)))
            .min_by_key(|(at, sign)| (*at, 2 - sign.0.len()))
            .ok_or_else(fault)?;
        let (left, right) = text.split_at(at);
        let bound = right.trim_start_matches(sign_text).trim().parse::<f64>().map_err(|_| fault())?;
        let (strategy, figure) = left.trim().split_once('.').ok_or_else(fault)?;
        let figure: Vec<String> = figure.split('.').map(|part| part.trim().to_owned()).collect();
        Ok(Gate { text: text.trim().to_owned(), strategy: strategy.trim().to_owned(), figure, sign, bound })
    }

    fn holds(&self, found: f64) -> bool {
        match self.sign {
            Sign::AtMost => found <= self.bound,
            Sign::AtLeast => found >= self.bound,
            Sign::Below => found < self.bound,
            Sign::Above => found > self.bound,
            Sign::Equal => found == self.bound,
        }
    }
}

/// Checks, before anything is run, that every condition names a strategy that takes part and an existing figure.
pub(super) fn check(gates: &[Gate], strategies: &[&str]) -> anyhow::Result<()> {
    let mut row = scorecard_json("", &Scorecard::default(), Some((MATCHED_TAU_U, None)));
    // Only strategies with a forecast have this figure.
    row["distrusted"] = serde_json::Value::Null;
    for gate in gates {
        if !strategies.contains(&gate.strategy.as_str()) {
            let known = strategies.join(", ");
            bail!(
                "--assert '{}': no strategy '{}' was run, expected one of {known}",
                gate.text,
                gate.strategy
            );
        }
        if !has_figure(&row, &gate.figure) {
            let keys = row.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
            let known: Vec<_> = keys.filter(|key| *key != "name" && *key != "matched").collect();
            let (figure, known) = (gate.figure.join("."), known.join(", "));
            bail!(
                "--assert '{}': there is no figure '{figure}', expected {known} or matched.rh_ratio",
                gate.text
            );
        }
    }
    Ok(())
}

/// Whether any condition fails on any workload; the values found are printed to standard error.
pub(super) fn judge(gates: &[Gate], results: &[Outcome<'_>]) -> anyhow::Result<bool> {
    let mut failed = false;
    let mut err = std::io::stderr().lock();
    for gate in gates {
        for result in results {
            let Some(entry) = result.entries.iter().find(|entry| entry.name == gate.strategy) else {
                continue;
            };
            let row = entry_json(entry);
            let mut value = &row;
            for part in &gate.figure {
                value = &value[part];
            }
            let found = value.as_f64();
            if !found.is_some_and(|found| gate.holds(found)) {
                failed = true;
                let found = found.map_or_else(|| "none".to_owned(), |found| found.to_string());
                writeln!(err, "assertion failed: {}: found {found} on {}", gate.text, result.workload.name)?;
            }
        }
    }
    Ok(failed)
}

fn has_figure(row: &serde_json::Value, path: &[String]) -> bool {
    let mut value = row;
    for part in path {
        match value.get(part) {
            Some(inner) => value = inner,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_and_judged() {
        for (text, found, holds) in [
            ("predictive.tau_u <= 0.5", 0.5, true),
            ("a.b<1", 1.0, false),
            ("a.matched.rh_ratio >= 1e1", 10.0, true),
            ("a.b > -2", -3.0, false),
            ("a.b == 3", 3.0, true),
        ] {
            assert_eq!(Gate::parse(text).expect(text).holds(found), holds, "{text}");
        }
        let gate = Gate::parse(" a . matched.tau_u<= 2 ").expect("spaces");
        assert_eq!((gate.strategy.as_str(), gate.figure.join(".").as_str()), ("a", "matched.tau_u"));
        for text in ["", "a.b", "a <= 1", "a.b <= x", "a.b = 1"] {
            assert!(Gate::parse(text).is_err(), "{text}");
        }
    }
}
