//! Which horizons and windows are modelled for a step, and how often their forecasts are judged.
//!
//! There are models for a grid of horizons; between two of them forecasts are interpolated. Except for its first horizon,
//! one step, the grid is in wall time, so that a load is treated alike at any step.

use crate::units::Step;

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// A forecasting task: the load `steps` ahead, or the peak load within `steps`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Task {
    /// Whether the target is the peak load within `steps`.
    pub peak: bool,
    /// How far ahead, in steps.
    pub steps: usize,
    /// The index of its horizon in the plan's `designs`.
    pub design: usize,
    /// The tracker makes a forecast to be judged every so many slots.
    pub stride: usize,
    /// Added to the number of the slot, so that not all tasks make theirs at once.
    pub phase: usize,
    /// Half-life of the rolling losses, in seconds.
    pub memory: f64,
}

/// Everything that follows from the step and the longest horizon.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// Seconds between samples.
    pub step: i64,
    /// Length of a bin, in seconds: the shortest divisor of a day that is no shorter than five minutes and the step.
    pub bin: i64,
    /// The horizons for which rows of features are made, in steps, ascending.
    pub designs: Vec<usize>,
    /// Point tasks ascending, then peak tasks ascending.
    pub tasks: Vec<Task>,
    /// Decay of each running mean per step, fastest first.
    pub decays: [f64; MEANS],
    /// Decay of the slow level per step.
    pub level: f64,
    /// Decay of the two noises per step.
    pub noise: [f64; 2],
    /// Decay of the recent maximum per step.
    pub fade: f64,
    /// Decay per step of the departure from the profile in a gap.
    pub calm: f64,
    /// Decay per step of the running mean that sudden rises are compared with.
    pub sift: f64,
}

/// The number of half-lives of running means.
pub(super) const MEANS: usize = 6;

/// The modelled horizons, in seconds. Up to eight hours each is two to five times the one before. Beyond, two (18 hours
/// and four and a half days) lie away from whole days and stand for all between them; the model of one day holds for that
/// horizon alone (see [`Task::is_echo`]).
const RUNGS: [i64; 11] = [60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 64_800, 86_400, 388_800];
/// The windows whose peak is modelled, in seconds: from the shortest time a pod needs to start, up to four hours.
const WINDOWS: [i64; 6] = [60, 300, 900, 1_800, 3_600, 14_400];
/// Half-lives of the running means: the larger of a number of steps and a number of seconds.
const HALF_LIVES: [(f64, f64); MEANS] =
    [(1.0, 0.0), (2.5, 180.0), (6.0, 900.0), (12.0, 3_600.0), (24.0, 14_400.0), (48.0, 86_400.0)];
/// Half-life of the rolling losses: the largest of two days, of four times the horizon, because errors at long horizons
/// overlap, and of 120 steps, so that coarse series are judged on enough truths.
const MEMORY: (f64, f64, f64) = (2.0 * DAY as f64, 4.0, 120.0);
/// Horizons up to this many seconds say which of two hypotheses fits the present, and are part of every plan.
const NEAR: i64 = 1_800;
/// A horizon is far if it is more than this many steps and more than this many seconds.
const FAR: (usize, i64) = (24, 3 * 3_600);
/// Half-life of the slow level, in seconds: a few days, so that it averages over the day's shape but follows growth.
const LEVEL: f64 = 6.0 * DAY as f64;
/// Half-lives of the two noises, in steps and seconds.
const NOISE: [(f64, f64); 2] = [(8.0, 1_800.0), (40.0, 21_600.0)];
/// Half-life of the recent maximum, in steps and seconds.
const HIGH: (f64, f64) = (4.0, 900.0);
/// Half-life of the return to the profile in a gap, in steps and seconds.
const CALM: (f64, f64) = (0.0, 10_800.0);

impl Task {
    /// Whether the horizon is so far that neighbouring origins say nearly the same about it.
    pub fn is_far(&self, plan: &Plan) -> bool {
        plan.is_far(self.steps)
    }

    /// Whether its truths come soon enough to tell what the load does now; always for the shortest horizon.
    pub fn is_near(&self, plan: &Plan) -> bool {
        self.steps == 1 || self.steps as i64 * plan.step <= NEAR
    }

    /// Whether the horizon of a point task is a whole number of days. Then the last value is a good expert, because it is
    /// the load at the same time of day; at a horizon an hour shorter or longer it is not. So what such a task learned
    /// holds for its own horizon only.
    pub fn is_echo(&self, plan: &Plan) -> bool {
        !self.peak && plan.step < DAY && (self.steps as i64 * plan.step) % DAY == 0
    }

    /// The most forecasts that wait for their truth at once.
    pub fn waiting(&self) -> usize {
        self.steps / self.stride + 1
    }
}

impl Plan {
    /// A plan with all horizons.
    #[cfg(test)]
    pub fn new(step: Step, longest: usize) -> Self {
        Plan::within(step, longest, i64::MAX)
    }

    /// The plan for a step. Horizons longer than `longest` steps are left out, except the first, which is one step; so
    /// are those that no question up to `reach` seconds ahead needs. What is left forecasts the same as in a whole plan.
    pub fn within(step: Step, longest: usize, reach: i64) -> Self {
        let step = step.as_seconds();
        let steps = |seconds: i64| usize::try_from((2 * seconds + step) / (2 * step)).unwrap_or(0).max(1);
        let grid = |rungs: &[i64]| {
            let mut out = vec![1];
            out.extend(rungs.iter().map(|&r| steps(r)));
            out.dedup();
            out.retain(|&h| h == 1 || h <= longest);
            out
        };
        let windows = grid(&WINDOWS);
        let mut designs = grid(&RUNGS);
        designs.extend(windows.iter().copied().filter(|h| !designs.contains(h)).collect::<Vec<_>>());
        designs.sort_unstable();
        let design = |h: usize| designs.iter().position(|&d| d == h).unwrap_or(0);
        let all = designs.iter().map(|&h| (false, h)).chain(windows.iter().map(|&h| (true, h)));
        let task = |(phase, (peak, h)): (usize, (bool, usize))| Task {
            peak,
            steps: h,
            phase,
            design: design(h),
            stride: h.div_ceil(2).max(usize::try_from(120 / step).unwrap_or(1)).max(1),
            memory: MEMORY.0.max(MEMORY.1 * (h as i64 * step) as f64).max(MEMORY.2 * step as f64),
        };
        let mut tasks: Vec<Task> = all.enumerate().map(task).collect();
        // The next longer of both kinds, since a horizon of both is fitted for both at once.
        let next = |rungs: &[i64]| rungs.iter().copied().find(|&rung| rung >= reach.max(NEAR));
        if let (Some(horizon), Some(window)) = (next(&RUNGS), next(&WINDOWS)) {
            let last = steps(horizon.max(window));
            designs.retain(|&h| h <= last);
            tasks.retain(|task| task.steps <= last);
        }
        let decay = |(n, seconds): (f64, f64)| 0.5f64.powf(1.0 / n.max(seconds / step as f64));
        Plan {
            step,
            bin: bin(step),
            tasks,
            designs,
            decays: HALF_LIVES.map(decay),
            level: decay((0.0, LEVEL)),
            noise: NOISE.map(decay),
            fade: decay(HIGH),
            calm: decay(CALM),
            sift: super::sift::decay(step),
        }
    }
}

impl Plan {
    /// Whether a horizon is so far that neighbouring origins say nearly the same about it.
    pub fn is_far(&self, steps: usize) -> bool {
        steps > FAR.0 && steps as i64 * self.step > FAR.1
    }
}

/// The smallest divisor of a day that is no shorter than the step and five minutes.
fn bin(step: i64) -> i64 {
    (step.max(300)..=DAY).find(|b| DAY % b == 0).unwrap_or(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    #[test]
    fn the_grid_fits_the_step() {
        let plan = |s| Plan::new(Step::new(Span::seconds(s)).expect("a step"), 1_000_000);
        assert_eq!(plan(600).designs[..4], [1, 2, 3, 6]);
        assert_eq!(plan(60).designs[..5], [1, 5, 15, 30, 60]);
        assert_eq!((plan(60).bin, plan(420).bin, plan(3600).bin), (300, 432, 3600));
        for s in [10, 57, 60, 300, 1800, 3600] {
            let p = plan(s);
            assert!(p.tasks.iter().all(|t| p.designs[t.design] == t.steps), "{s}");
        }
    }
}
