//! Additive Holt–Winters with a daily season (Hyndman and Athanasopoulos, *Forecasting: Principles and Practice*,
//! 8.3).
//!
//! A daily grid search finds the three weights with the least sum of squared one-step errors over the history;
//! between searches the state is updated bin by bin. It does not know weekdays.

use super::means::{Bins, Model};

/// The model with its current weights.
#[derive(Default)]
pub(super) struct HoltWinters {
    state: Option<State>,
}

#[derive(Debug, Clone)]
struct State {
    weights: [f64; 3],
    level: f64,
    trend: f64,
    /// One entry for each bin of the day; bin `i` is at `i % len`.
    season: Vec<f64>,
    /// The number of bins processed.
    known: usize,
    searched: usize,
}

const ALPHA: [f64; 6] = [0.02, 0.05, 0.1, 0.2, 0.4, 0.8];
const BETA: [f64; 3] = [0.0, 0.000_1, 0.001];
const GAMMA: [f64; 5] = [0.02, 0.05, 0.1, 0.2, 0.4];

// === impl HoltWinters ===

impl Model for HoltWinters {
    fn expects(&mut self, bins: &Bins, known: usize, ahead: usize) -> Option<Vec<f64>> {
        let day = bins.of_a_day();
        if day < 2 || known < 2 * day {
            return None;
        }
        let due = self.state.as_ref().is_none_or(|state| known >= state.searched + day);
        if due {
            self.state = search(bins, known, day);
        }
        let state = self.state.as_mut()?;
        while state.known < known {
            state.follow(*bins.means.get(state.known)?);
        }
        Some((0..ahead).map(|step| state.expects(step).max(0.0)).collect())
    }
}

/// The state with the weights that would have been best, updated up to `known`.
fn search(bins: &Bins, known: usize, day: usize) -> Option<State> {
    let values = bins.newest(known);
    let mut best: Option<(f64, State)> = None;
    for (a, b, c) in ALPHA.iter().flat_map(|a| BETA.iter().flat_map(move |b| GAMMA.map(|c| (*a, *b, c)))) {
        let mut state = State::begun(values, known, day, [a, b, c])?;
        let mut squares = 0.0;
        for value in values.get(day..)? {
            squares += state.follow(*value).powi(2);
        }
        if best.as_ref().is_none_or(|best| squares < best.0) {
            best = Some((squares, state));
        }
    }
    best.map(|(_, state)| State { searched: known, ..state })
}

// === impl State ===

impl State {
    /// The state after the first day: its mean as level, each bin's deviation from it as season, the step to the next
    /// day's mean as trend.
    fn begun(values: &[f64], known: usize, day: usize, weights: [f64; 3]) -> Option<Self> {
        let mean = |part: &[f64]| part.iter().sum::<f64>() / day as f64;
        let (first, second) = (values.get(..day)?, values.get(day..2 * day)?);
        let (level, next) = (mean(first), mean(second));
        let begins = known - values.len();
        let mut season = vec![0.0; day];
        for (i, value) in first.iter().enumerate() {
            season[(begins + i) % day] = value - level;
        }
        let trend = (next - level) / day as f64;
        Some(State { weights, level, trend, season, known: begins + day, searched: known })
    }

    /// The expected value of the bin `step` after the next.
    fn expects(&self, step: usize) -> f64 {
        let season = self.season.get((self.known + step) % self.season.len().max(1)).copied().unwrap_or(0.0);
        self.level + (step + 1) as f64 * self.trend + season
    }

    /// Learns from the next bin; returns the one-step error.
    fn follow(&mut self, value: f64) -> f64 {
        let missed = value - self.expects(0);
        let [alpha, beta, gamma] = self.weights;
        let place = self.known % self.season.len().max(1);
        let (level, trend) = (self.level, self.trend);
        if let Some(season) = self.season.get_mut(place) {
            self.level = alpha * (value - *season) + (1.0 - alpha) * (level + trend);
            self.trend = beta * (self.level - level) + (1.0 - beta) * trend;
            *season = gamma * (value - level - trend) + (1.0 - gamma) * *season;
        }
        self.known += 1;
        missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_follows_the_textbook() {
        // Computed by hand, with alpha 0.5, beta 0.2, gamma 0.4: level 10, trend 1, season of the next bin 3, value
        // 16.
        let season = vec![3.0, -3.0];
        let mut state =
            State { weights: [0.5, 0.2, 0.4], level: 10.0, trend: 1.0, season, known: 0, searched: 0 };
        assert_eq!(state.expects(0), 14.0);
        assert_eq!(state.follow(16.0), 2.0);
        // level = 0.5 (16 - 3) + 0.5 (10 + 1) = 12; trend = 0.2 (12 - 10) + 0.8; season = 0.4 (16 - 11) + 0.6 * 3.
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} and {b}");
        close(state.level, 12.0);
        close(state.trend, 1.2);
        close(state.season[0], 3.8);
        close(state.expects(0), 12.0 + 1.2 - 3.0);
        close(state.expects(1), 12.0 + 2.4 + 3.8);
    }
}
