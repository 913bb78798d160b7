//! A saving as exact as that of the full backtest, at the cost of a few runs.
//!
//! A verdict needs only a coarse sweep. The saving that is reported with it is the cost at one level of safety, so only
//! the insurances around that level are run in addition. It never changes a verdict.

use super::{Simple, Subject, Trials, Verdict};
use crate::plan::{Insured, PENALTIES};
use crate::simulate::{ConfigError, Frontier, Point, SWEEP, Scorecard, run, run_forescale};

impl Trials {
    /// Runs the verdict's strategy at the insurances between the two that enclose `level`: a saving is then as exact as
    /// that of the full backtest.
    pub(super) fn refine(
        &mut self,
        subject: &Subject<'_>,
        verdict: Verdict,
        level: f64,
    ) -> Result<(), ConfigError> {
        let (load, target, calendar) = (subject.load, &self.target, &self.policy.calendar);
        let studied = || Simple::Reactive.study(load, target, calendar);
        let (frontier, all): (&mut Frontier, &[f64]) = match (verdict, &mut self.schedule) {
            (Verdict::Predictive, _) => (&mut self.predictive.1, &PENALTIES),
            (Verdict::Schedule, Some(schedule)) => (&mut schedule.1, &SWEEP),
            (Verdict::Reactive | Verdict::OverProvisioned, _) => (&mut self.reactive.1, &SWEEP),
            _ => return Ok(()),
        };
        let between = enclosing(&frontier.points, level, all);
        let cards: Vec<Scorecard> = match (verdict, subject.busy) {
            (Verdict::Predictive, _) => {
                let worths: Vec<_> = between.iter().map(|&worth| Some(Insured::Penalty(worth))).collect();
                let runs = run_forescale(load, target, &self.policy, &worths)?;
                runs.into_iter().map(|seen| seen.run.scorecard).collect()
            }
            (Verdict::Schedule, Some(busy)) => {
                let (busy, studied) = (busy.sized(load, target, calendar), studied());
                let one = |&factor: &f64| {
                    let beside = studied.insured(factor);
                    let mut strategy = busy.as_ref()?.beside(beside, target, calendar.clone(), factor);
                    Some(run(load, target, &mut *strategy).map(|run| run.scorecard))
                };
                between.iter().filter_map(one).collect::<Result<_, _>>()?
            }
            _ => {
                let studied = studied();
                let one = |&factor: &f64| run(load, target, &mut *studied.insured(factor));
                between.iter().map(|factor| one(factor).map(|run| run.scorecard)).collect::<Result<_, _>>()?
            }
        };
        let mut points = std::mem::take(&mut frontier.points);
        let more = between.into_iter().zip(cards);
        points.extend(more.map(|(insurance, scorecard)| Point { insurance, scorecard }));
        points.sort_by(|a, b| a.insurance.total_cmp(&b.insurance));
        *frontier = Frontier::of(points);
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
