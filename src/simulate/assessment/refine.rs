//! A saving as exact as that of the full backtest, at the cost of a few runs.
//!
//! A verdict needs only a coarse sweep. The saving that is reported with it is the cost at one level of safety, so only
//! the insurances around that level are added: Forescale's runs are there already, a simple strategy is run again.
//! It never changes a verdict.

use super::{Simple, Subject, Trials, Verdict};
use crate::simulate::{ConfigError, Frontier, Point, SWEEP, matched};

impl Trials {
    /// Adds the runs of the verdict's strategy at more insurances around `level`: a saving is then as exact as that of
    /// the full backtest.
    pub(super) fn refine(
        &mut self,
        subject: &Subject<'_>,
        verdict: Verdict,
        level: f64,
    ) -> Result<(), ConfigError> {
        let more: Vec<Point> = if verdict == Verdict::Predictive {
            std::mem::take(&mut self.fine)
        } else {
            let Some(between) = self.frontier(verdict).map(|frontier| enclosing(&frontier.points, level))
            else {
                return Ok(());
            };
            self.more_of(subject, verdict, &between)?
        };
        if let Some(frontier) = self.frontier(verdict) {
            let mut points = std::mem::take(&mut frontier.points);
            points.extend(more);
            points.sort_by(|a, b| a.insurance.total_cmp(&b.insurance));
            *frontier = Frontier::of(points);
        }
        Ok(())
    }

    /// Runs a simple strategy with more insurances.
    fn more_of(
        &self,
        subject: &Subject<'_>,
        verdict: Verdict,
        factors: &[f64],
    ) -> Result<Vec<Point>, ConfigError> {
        if factors.is_empty() {
            return Ok(Vec::new());
        }
        let (load, target, calendar) = (subject.load, &self.target, &self.policy.calendar);
        let reactive = Simple::Reactive.study(load, target, calendar);
        let busy = subject.busy.filter(|_| verdict == Verdict::Schedule);
        let busy = busy.and_then(|busy| busy.sized(load, target, calendar));
        let strategy = |factor| match busy {
            Some(busy) => busy.beside(reactive.insured(factor), target, calendar.clone(), factor),
            None => reactive.insured(factor),
        };
        Ok(matched(load, target, factors, strategy)?.points)
    }
}

/// Of all factors, those between the last point that is short for more than `level` percent of the time and the
/// first one that is not.
fn enclosing(points: &[Point], level: f64) -> Vec<f64> {
    let Some(safe) = points.iter().position(|point| point.scorecard.tau_u <= level) else {
        return Vec::new();
    };
    let below = safe.checked_sub(1).map_or(0.0, |short| points[short].insurance);
    SWEEP.into_iter().filter(|&factor| below < factor && factor < points[safe].insurance).collect()
}
