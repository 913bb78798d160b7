//! `--assert`: a condition that a backtest must meet to pass in CI.

/// A condition such as `predictive.tau_u <= 0.5`.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Gate {
    pub text: String,
    pub strategy: String,
    /// The path inside the strategy's row, such as `matched.rh_ratio`.
    pub figure: Vec<String>,
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

    pub(super) fn holds(&self, found: f64) -> bool {
        match self.sign {
            Sign::AtMost => found <= self.bound,
            Sign::AtLeast => found >= self.bound,
            Sign::Below => found < self.bound,
            Sign::Above => found > self.bound,
            Sign::Equal => found == self.bound,
        }
    }
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
