//! Which horizons and windows are modelled for a step, and how often each is looked back on.
//!
//! Models exist for a grid of horizons; what lies between two of them is interpolated. The grid is in wall time, not in
//! steps, so that a load is treated alike whatever its step.

use crate::units::Step;

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// One thing that is forecast: the load `steps` ahead, or the largest load within `steps`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Task {
    /// Whether it is the largest load within the steps.
    pub peak: bool,
    /// How far ahead, in steps.
    pub steps: usize,
    /// Which of the plan's designs holds its features.
    pub design: usize,
    /// Slots between two origins that the tracker looks back on.
    pub stride: usize,
    /// Half-life of losses, in seconds.
    pub memory: f64,
}

/// What follows from the step alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// Seconds between samples.
    pub step: i64,
    /// Seconds of a bin of the profiles: divides the day, at least five minutes and the step.
    pub bin: i64,
    /// Horizons with their own features, in steps, ascending.
    pub designs: Vec<usize>,
    /// Point tasks ascending, then peak tasks ascending.
    pub tasks: Vec<Task>,
    /// Decay of each running mean over one step, fastest first.
    pub decays: [f64; MEANS],
    /// Decay of the slow level over one step.
    pub level: f64,
    /// Decay of the two noises over one step.
    pub noise: [f64; 2],
    /// Fading of the recent maximum over one step.
    pub fade: f64,
    /// Return to the profile over one step of a gap.
    pub calm: f64,
    /// Decay over one step of the mean that sudden rises are told from.
    pub sift: f64,
}

/// Running means at so many half-lives.
pub(super) const MEANS: usize = 6;

/// Horizons of the grid in seconds. Doubling steps up to the third of a day; beyond, horizons away from whole days, which
/// speak for all that lies between them; and the day itself, which speaks for itself alone (see [`Task::is_echo`]).
const RUNGS: [i64; 11] = [60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 64_800, 86_400, 388_800];
/// Windows whose peak is calibrated, in seconds: what pods need to start, doubled up to the hour and beyond.
const WINDOWS: [i64; 6] = [60, 300, 900, 1_800, 3_600, 14_400];
/// Half-lives of the running means: at least so many steps and so many seconds.
const HALF_LIVES: [(f64, f64); MEANS] =
    [(1.0, 0.0), (2.5, 180.0), (6.0, 900.0), (12.0, 3_600.0), (24.0, 14_400.0), (48.0, 86_400.0)];
/// Half-life of losses: two days; but four times the horizon, whose errors overlap, and 120 steps, so that
/// coarse series are judged on enough truths.
const MEMORY: (f64, f64, f64) = (2.0 * DAY as f64, 4.0, 120.0);
/// More steps and more seconds than this are far.
const FAR: (usize, i64) = (24, 3 * 3_600);
/// Half-life of the slow level, in seconds: a few days, so that it spans the day's shape yet follows growth.
const LEVEL: f64 = 6.0 * DAY as f64;
/// Half-lives of the noise.
const NOISE: [(f64, f64); 2] = [(8.0, 1_800.0), (40.0, 21_600.0)];
/// Half-life of the fading maximum.
const HIGH: (f64, f64) = (4.0, 900.0);
/// In a gap the load returns to its profile with this half-life.
const CALM: (f64, f64) = (0.0, 10_800.0);

impl Task {
    /// Whether the target is so far off that neighbouring origins tell much the same about it.
    pub fn is_far(&self, plan: &Plan) -> bool {
        plan.is_far(self.steps)
    }

    /// Whether it looks whole days ahead. Then the present load is yesterday's at the target's time of day, a good
    /// expert; an hour earlier or later it is not. What such a task learnt holds for its own horizon only.
    pub fn is_echo(&self, plan: &Plan) -> bool {
        !self.peak && plan.step < DAY && (self.steps as i64 * plan.step) % DAY == 0
    }

    /// The most forecasts that wait for their truth at a time.
    pub fn waiting(&self) -> usize {
        self.steps / self.stride + 1
    }
}

impl Plan {
    /// The plan for a step; designs whose horizon is beyond `longest` steps are left out, but never the
    /// first.
    pub fn new(step: Step, longest: usize) -> Self {
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
        let task = |peak: bool, h: usize| Task {
            peak,
            steps: h,
            design: design(h),
            stride: h.div_ceil(2).max(usize::try_from(120 / step).unwrap_or(1)).max(1),
            memory: MEMORY.0.max(MEMORY.1 * (h as i64 * step) as f64).max(MEMORY.2 * step as f64),
        };
        let tasks = designs.iter().map(|&h| task(false, h)).chain(windows.iter().map(|&h| task(true, h)));
        let decay = |(n, seconds): (f64, f64)| 0.5f64.powf(1.0 / n.max(seconds / step as f64));
        Plan {
            step,
            bin: bin(step),
            tasks: tasks.collect(),
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
    /// Whether a horizon is so far off that neighbouring origins tell much the same about it.
    pub fn is_far(&self, steps: usize) -> bool {
        steps > FAR.0 && steps as i64 * self.step > FAR.1
    }
}

/// The smallest divisor of the day that is at least the step and five minutes.
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
