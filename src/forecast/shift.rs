//! The second hypothesis after a level shift: the load is as before, times a factor.
//!
//! After a shift, the experts, the scale of the error and the correction of a tracker need hours to adapt. So there is a
//! second state, whose history is rescaled to the new level. The forecast is a mixture of the two: the probability of
//! each follows from its recent loss. A flash crowd or a holiday is no shift, and then the second state soon loses its
//! weight. There is no switch from one to the other.

use std::sync::Arc;

use super::fitted::Inner;
use super::levels::L;
use super::tasks::Plan;
use super::tracker::State;
use super::transform::{stabilise, unstabilise};
use super::weights::{EPSILON, decline};

/// A state whose history is rescaled: by a second fit to rescaled loads, or by dividing each later load by the factor.
#[derive(Debug, Clone)]
pub(super) struct Shifted {
    pub fit: Arc<Inner>,
    pub state: State,
    /// The factor from the loads of `fit` and `state` to real loads.
    pub by: f64,
    /// Whether the climb or fall behind the hypothesis has lasted.
    pub is_lasting: bool,
}

/// The coarsest step with a second hypothesis, in seconds. With coarser steps it takes too long to tell a shift from the
/// climbs of a usual day.
const COARSE: i64 = 900;
/// The learning rate of the probabilities of the two hypotheses.
const LEARNING_RATE: f32 = 8.0;
/// The recent loss with which a new hypothesis starts, as a multiple of the other's.
const NEWCOMER: f32 = 1.1;
/// Factors (or their inverse) below the first bound are no shift; those above the second are not believed.
const LEAST: f64 = 1.4;
const MOST: f64 = 100.0;
/// For how many seconds a shift is recent; later, a fit needs no second hypothesis for it.
pub(super) const RECENT: i64 = 86_400;

impl Shifted {
    /// The hypothesis that the load is the one expected before the shift (the state `before`, followed through a gap)
    /// times a factor. `mean` is the mean of the samples since. `None` if the factor is out of bounds. It has no recent
    /// loss of its own yet and starts from that of the other state.
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

    /// Converts a load from units of the other fit's scale to the variance-stabilised scale of its own fit.
    pub fn stabilise(&self, other: &Inner, normal: f64) -> f64 {
        stabilise(normal / self.unit(other))
    }

    /// The quantiles of a task, in units of the other fit's scale.
    pub fn levels(&self, other: &Inner, peak: bool, steps: usize, ahead: i64) -> Option<[f32; L]> {
        let same = |t: &super::fitted::Learnt| t.task.peak == peak && t.task.steps == steps;
        let task = self.fit.tasks.iter().position(same)?;
        let p = self.state.forecast(&self.fit, task, ahead)?;
        let unit = self.unit(other) as f32;
        Some(p.pooled.map(|q| q * unit))
    }

    /// The probability of this hypothesis, by level, from its recent loss and that of the other state at near horizons.
    pub fn share(&self, other: &Inner, state: &State) -> [f32; L] {
        let unit = self.unit(other) as f32;
        let near = |fit: &Inner, state: &State, l: usize| {
            let tasks = fit.tasks.iter().zip(&state.standings);
            tasks.filter(|(t, _)| t.task.is_near(&fit.plan)).map(|(_, s)| s.fresh[l]).sum::<f32>()
        };
        std::array::from_fn(|l| {
            let (own, other) =
                (unit * near(&self.fit, &self.state, l) + EPSILON, near(other, state, l) + EPSILON);
            let least = own.min(other);
            let [own, other] = [own, other].map(|loss| decline(LEARNING_RATE * (loss / least - 1.0)));
            own / (own + other)
        })
    }

    /// The factor from units of its own fit's scale to units of the other's.
    fn unit(&self, other: &Inner) -> f64 {
        self.by * self.fit.transform.load(1.0) / other.transform.load(1.0)
    }
}

fn factor(came: f64, expected: f64) -> Option<f64> {
    let by = came / expected.max(1e-9);
    let size = by.max(1.0 / by.max(1e-9));
    (LEAST..=MOST).contains(&size).then_some(by)
}

/// The factor of a shift that began at a slot of a window: the loads since, over those at the same times a day before.
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
