//! A fit: everything that was learned up to a grid point. It never changes and can be shared.

use std::sync::Arc;

use crate::history::{Calendar, Series};
use crate::units::{Span, Step, Time};

use super::analogue::Analogues;
use super::backcast::backcast;
use super::bins::{Bins, LocalBins};
use super::learn::{Lesson, learn};
use super::models::{Model, fit_design};
use super::now::Now;
use super::pattern::Pattern;
use super::pool::{Errors, PoolState};
use super::profile::Profile;
use super::shift::{RECENT, factor_since};
use super::sift::{Sift, sift};
use super::tasks::{DAY, Plan, Task};
use super::tracker::Tracker;
use super::transform::{Transform, stabilise};

/// Models, error quantiles and the initial adaptive state as of a grid point; a clone is cheap.
#[derive(Debug, Clone)]
pub struct Fitted(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub at: Time,
    pub plan: Plan,
    pub transform: Transform,
    pub profile: Profile,
    pub pattern: Pattern,
    pub local: LocalBins,
    pub bins: Bins,
    pub now: Now,
    /// The filters of glitches, climbs and falls.
    pub sifts: [Sift; 3],
    /// If the level shifted within the last day: a second fit, to a history that is rescaled to the new level.
    pub shifted: Option<Arc<Inner>>,
    /// The fitted tasks: points ascending, then peaks ascending.
    pub tasks: Vec<Learnt>,
    pub quality: HistoryQuality,
    /// The largest load in the window, in units of the scale.
    pub top: f64,
}

/// A task with its model, its error quantiles and its pool's initial state.
#[derive(Debug)]
pub(super) struct Learnt {
    pub task: Task,
    pub model: Model,
    pub errors: Errors,
    pub standing: PoolState,
}

/// How much history a fit is based on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistoryQuality {
    /// Days from the first sample in the window to the grid point.
    pub days: f64,
    /// Share of the slots in that time that hold a sample, 0 to 1.
    pub observed: f64,
    /// Whether there are less than two weeks of history, too little to tell weekdays apart with confidence.
    pub short: bool,
}

/// Why there is no fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// Too few samples in the window.
    #[error("{have} samples in the window, expected at least {need}")]
    TooShort {
        /// Samples in the window.
        have: usize,
        /// The fewest that are enough.
        need: usize,
    },
    /// The samples are so far apart that no error of a forecast can be measured.
    #[error("{have} samples in {slots} slots: no two are close enough to learn from")]
    TooSparse {
        /// Samples in the window.
        have: usize,
        /// Slots in the window.
        slots: usize,
    },
}

/// The fewest samples for a fit.
const FEWEST: usize = 10;
/// Longer windows are cut to their newest slots: 84 days at a step of a minute, two weeks at ten seconds. It bounds the
/// work of a fit.
const MOST_SLOTS: usize = 120_960;
/// For how long bin means are kept, in seconds: two weeks and an hour.
pub(super) const KEPT: i64 = 14 * DAY + 3_600;
/// For how long bin maxima are kept, in seconds: they are looked up a week back.
pub(super) const PEAKS_KEPT: i64 = 7 * DAY + 3_600;

/// The reach of a fit that answers questions at every horizon.
pub(crate) const UNLIMITED: Span = Span::seconds(i64::MAX);

/// Fits the models to the samples in the `window` that ends at `at`, and takes the initial adaptive state from a
/// backcast. If the level shifted within the last day, there is a second fit to the rescaled history.
pub fn fit(history: &Series, calendar: &Calendar, at: Time, window: Span) -> Result<Fitted, FitError> {
    fit_within(history, calendar, at, window, UNLIMITED)
}

/// The same for questions up to `reach` ahead, which it answers the same, in less time. Beyond, its longest horizon
/// answers.
pub(crate) fn fit_within(
    history: &Series,
    calendar: &Calendar,
    at: Time,
    window: Span,
    reach: Span,
) -> Result<Fitted, FitError> {
    let step = history.step();
    let seen = history.window(at - window, at);
    let values = seen.values();
    let observed = |v: &[f64]| v.iter().filter(|x| !x.is_nan()).count();
    let first = values.iter().position(|v| !v.is_nan()).unwrap_or(values.len());
    let first = first.max(values.len().saturating_sub(MOST_SLOTS));
    let mut values = values.get(first..).unwrap_or_default().to_vec();
    let start = seen.time(first);
    let have = observed(&values);
    if have < FEWEST {
        return Err(FitError::TooShort { have, need: FEWEST });
    }
    // Extended to the grid point, so that a gap at the end counts as one.
    let slots = step.count_in(at.since(start)) + 1;
    values.resize(slots.min(values.len() + MOST_SLOTS), f64::NAN);
    let plan = Plan::within(step, values.len() / 2, reach.as_seconds());
    let (mut inner, shift) = fit_values(&plan, calendar, start, &values)?;
    if let Some(slot) = shift
        && let Some(by) = factor_since(&plan, &values, slot)
    {
        values.iter_mut().take(slot).for_each(|v| *v *= by);
        inner.shifted = fit_values(&plan, calendar, start, &values).ok().map(|(inner, _)| Arc::new(inner));
    }
    Ok(Fitted(Arc::new(inner)))
}

/// Fits the models to loads on a grid that begins at `start`. Also returns the slot at which a shift within the last day
/// began.
fn fit_values(
    plan: &Plan,
    calendar: &Calendar,
    start: Time,
    values: &[f64],
) -> Result<(Inner, Option<usize>), FitError> {
    let have = values.iter().filter(|v| !v.is_nan()).count();
    let transform = Transform::of(values);
    let top = values.iter().copied().filter(|v| !v.is_nan()).fold(0.0, f64::max);
    let mut z: Vec<f64> =
        values.iter().map(|&v| if v.is_nan() { v } else { stabilise(transform.normal(v)) }).collect();
    let (sifts, shift) = sift(plan, start.epoch(), &mut z);
    let lesson = learn(plan, calendar, start.epoch(), &z);
    let tasks = fit_tasks(plan, start.epoch(), &lesson, &z);
    if tasks.is_empty() {
        return Err(FitError::TooSparse { have, slots: z.len() });
    }
    let end = lesson.now.at;
    let mut bins = lesson.bins;
    bins.keep_from((end - KEPT).div_euclid(plan.bin), (end - PEAKS_KEPT).div_euclid(plan.bin));
    bins.shrink();
    let days = (z.len() as i64 * plan.step) as f64 / DAY as f64;
    let quality = HistoryQuality { days, observed: have as f64 / z.len() as f64, short: days < 14.0 };
    let inner = Inner {
        at: Time::from_epoch(end),
        transform,
        profile: lesson.profile,
        pattern: lesson.pattern,
        local: lesson.local.tail(end - DAY),
        bins,
        now: lesson.now,
        sifts,
        shifted: None,
        tasks,
        quality,
        top: transform.normal(top),
        plan: plan.clone(),
    };
    let is_recent = |slot: &usize| (z.len() - slot) as i64 * plan.step <= RECENT;
    Ok((inner, shift.filter(is_recent)))
}

fn fit_tasks(plan: &Plan, start: i64, lesson: &Lesson, z: &[f64]) -> Vec<Learnt> {
    let truth = |task: &Task, slot: usize| {
        let to = slot + task.steps;
        let at = z.get(to).copied().filter(|v| !v.is_nan())?;
        if !task.peak {
            return Some(at);
        }
        Some(z.get(slot + 1..=to)?.iter().copied().filter(|v| !v.is_nan()).fold(at, f64::max))
    };
    let none = Bins::default();
    let past = lesson.past(plan, &none);
    let mut analogues = Analogues::new(plan, past, start, (z.len(), lesson.origins));
    let mut learnt = Vec::new();
    for (design, rows) in lesson.rows.iter().enumerate() {
        let tasks: Vec<Task> = plan.tasks.iter().copied().filter(|t| t.design == design).collect();
        for (task, (model, trials)) in tasks.iter().zip(fit_design(plan, rows, &tasks, z.len(), truth)) {
            if let Some((errors, standing)) = backcast(plan, task, z.len(), &trials, &mut analogues) {
                learnt.push(Learnt { task: *task, model, errors, standing });
            }
        }
    }
    learnt.sort_by_key(|l| (l.task.peak, l.task.steps));
    learnt.shrink_to_fit();
    learnt
}

// === impl Fitted ===

impl Fitted {
    /// The grid point: the last slot of the window.
    pub fn at(&self) -> Time {
        self.0.at
    }

    /// The step of the history.
    pub fn step(&self) -> Step {
        Step::new(Span::seconds(self.0.plan.step)).unwrap_or(Step::MINUTE)
    }

    /// A tracker that starts at the grid point from the state after the backcast.
    pub fn tracker(&self) -> Tracker {
        Tracker::new(Arc::clone(&self.0))
    }

    /// How much history the fit is based on.
    pub fn quality(&self) -> HistoryQuality {
        self.0.quality
    }

    /// Bytes held on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

impl Inner {
    fn heap_bytes(&self) -> usize {
        size_of::<Inner>()
            + self.profile.heap_bytes()
            + self.pattern.heap_bytes()
            + self.local.heap_bytes()
            + self.bins.heap_bytes()
            + self.tasks.capacity() * size_of::<Learnt>()
            + self.shifted.as_ref().map_or(0, |shifted| shifted.heap_bytes())
    }
}
