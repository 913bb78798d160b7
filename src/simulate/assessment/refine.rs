//! A saving as exact as that of the full backtest, at the cost of a few runs.
//!
//! A verdict needs only a coarse sweep. The saving that is reported with it is the cost at one level of safety, so only
//! the insurances around that level are added: those of Forescale are known already, a simple strategy is run at them.
//! It never changes a verdict.

use super::{Simple, Subject, Trials, Verdict};
use crate::plan::PENALTIES;
use crate::simulate::{ConfigError, Frontier, Point, SWEEP, matched};

impl Trials {
    /// Adds the runs of the verdict's strategy at the insurances between the two that enclose `level`: a saving is then
    /// as exact as that of the full backtest.
    pub(super) fn refine(
        &mut self,
        subject: &Subject<'_>,
        verdict: Verdict,
        level: f64,
    ) -> Result<(), ConfigError> {
        let all: &[f64] = if verdict == Verdict::Predictive { &PENALTIES } else { &SWEEP };
        let between = self.frontier(verdict).map(|frontier| enclosing(&frontier.points, level, all));
        let Some(between) = between.filter(|between| !between.is_empty()) else { return Ok(()) };
        let (load, target, calendar) = (subject.load, &self.target, &self.policy.calendar);
        let more: Vec<Point> = if verdict == Verdict::Predictive {
            self.fine.iter().filter(|point| between.contains(&point.insurance)).copied().collect()
        } else {
            let reactive = Simple::Reactive.study(load, target, calendar);
            let busy = subject.busy.filter(|_| verdict == Verdict::Schedule);
            let busy = busy.and_then(|busy| busy.sized(load, target, calendar));
            let strategy = |factor| match busy {
                Some(busy) => busy.beside(reactive.insured(factor), target, calendar.clone(), factor),
                None => reactive.insured(factor),
            };
            matched(load, target, &between, strategy)?.points
        };
        if let Some(frontier) = self.frontier(verdict) {
            let mut points = std::mem::take(&mut frontier.points);
            points.extend(more);
            points.sort_by(|a, b| a.insurance.total_cmp(&b.insurance));
            *frontier = Frontier::of(points);
        }
        Ok(())
    }
}

/// Of all insurances, those between the last point that is short for more than `level` percent of the time and the
/// first one that is not.
fn enclosing(points: &[Point], level: f64, all: &[f64]) -> Vec<f64> {
    let Some(safe) = points.iter().position(|point| point.scorecard.tau_u <= level) else {
        return Vec::new();
    };
    let below = safe.checked_sub(1).map_or(0.0, |short| points[short].insurance);
    all.iter().copied().filter(|one| below < *one && *one < points[safe].insurance).collect()
}
