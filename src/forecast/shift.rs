//! A second hypothesis while the level has just shifted: all is as it was, times a factor.
//!
//! A tracker that follows the load through a shift takes hours to move its experts, its scale of errors and its
//! correction. Beside it stands one whose history is rescaled to the new level. Neither replaces the other: either may be
//! true, each with a probability by what it lost in the hours just past, so that a flash crowd or a holiday, which is no
//! shift, takes the weight away from it again. Nothing here switches.

use std::sync::Arc;

use super::fitted::Inner;
use super::pool::{EPSILON, L, decline};
use super::tasks::Plan;
use super::tracker::State;
use super::transform::{stabilise, unstabilise};

/// A state whose history is rescaled.
#[derive(Debug, Clone)]
pub(super) struct Shifted {
    pub fit: Arc<Inner>,
    pub state: State,
    /// Loads of the fit times this are loads.
    pub by: f64,
    /// Whether the rise or fall that begs the question has lasted.
    pub is_lasting: bool,
}

/// Samples further apart than this tell the climbs of a usual day from a shift too late.
const COARSE: i64 = 900;
/// How strongly the smaller loss is preferred.
const LEARNING_RATE: f32 = 8.0;
/// A new hypothesis starts as one that lost so many times what the other did.
const NEWCOMER: f32 = 1.1;
/// A factor that is nearer to one is no shift, and none is further off.
const LEAST: f64 = 1.4;
const MOST: f64 = 100.0;
/// A shift is recent for so long; then the models know it.
pub(super) const RECENT: i64 = 86_400;

impl Shifted {
    /// The hypothesis that what was expected came times a factor; `None` where that is hardly one. It has no record of
    /// its own yet and starts with that of the other.
    pub fn new(fit: &Arc<Inner>, before: &State, now: &State, mean: f64) -> Option<Box<Self>> {
        if fit.plan.step > COARSE {
            return None;
        }
        let expected = unstabilise(before.now.signal[super::now::LOAD]);
        let by = factor(unstabilise(mean), expected)?;
        let mut state = before.clone();
        for (own, other) in state.standings.iter_mut().zip(&now.standings) {
            own.fresh = other.fresh.map(|loss| NEWCOMER * loss / by as f32);
        }
        Some(Box::new(Shifted { fit: Arc::clone(fit), state, by, is_lasting: false }))
    }

    /// A load in units of the other fit's scale, on the variance-stabilised scale of its own fit.
    pub fn stabilise(&self, other: &Inner, normal: f64) -> f64 {
        stabilise(normal / self.unit(other))
    }

    /// Quantiles of a task, in units of the scale of the other fit.
    pub fn levels(&self, other: &Inner, peak: bool, steps: usize, ahead: i64) -> Option<[f32; L]> {
        let same = |t: &super::fitted::Learnt| t.task.peak == peak && t.task.steps == steps;
        let task = self.fit.tasks.iter().position(same)?;
        let (learnt, standing) = (self.fit.tasks.get(task)?, self.state.standings.get(task)?);
        let p = self.state.forecast(&self.fit, learnt, standing, ahead);
        let unit = self.unit(other) as f32;
        Some(p.pooled.map(|q| q * unit))
    }

    /// The probability that it is the true one, by what it and the other lost at each level.
    pub fn share(&self, other: &Inner, state: &State) -> [f32; L] {
        let unit = self.unit(other) as f32;
        let sum = |s: &State, l: usize| s.standings.iter().map(|s| s.fresh[l]).sum::<f32>();
        std::array::from_fn(|l| {
            let (own, other) = (unit * sum(&self.state, l) + EPSILON, sum(state, l) + EPSILON);
            let least = own.min(other);
            let [own, other] = [own, other].map(|loss| decline(LEARNING_RATE * (loss / least - 1.0)));
            own / (own + other)
        })
    }

    /// Units of the scale of its fit in units of the other's.
    fn unit(&self, other: &Inner) -> f64 {
        self.by * self.fit.transform.load(1.0) / other.transform.load(1.0)
    }
}

fn factor(came: f64, expected: f64) -> Option<f64> {
    let by = came / expected.max(1e-9);
    let size = by.max(1.0 / by.max(1e-9));
    (LEAST..=MOST).contains(&size).then_some(by)
}

/// The factor of a shift at a slot of a window of loads: what came since over what came at the same times a day before.
pub(super) fn factor_since(plan: &Plan, values: &[f64], slot: usize) -> Option<f64> {
    if plan.step > COARSE {
        return None;
    }
    let day = usize::try_from(86_400 / plan.step).ok()?;
    let pairs =
        (slot..values.len()).filter_map(|i| Some((*values.get(i)?, *values.get(i.checked_sub(day)?)?)));
    let known = pairs.filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let (came, before) = known.fold((0.0, 0.0), |(x, y), (a, b)| (x + a, y + b));
    factor(came, before)
}
