//! The tracker: the adaptive state that follows a series from a grid point on, and makes the forecasts.
//!
//! Each sample updates running means and is the truth of the forecasts that are due; at some samples a new forecast is
//! stored, to be judged later. Asking for a forecast changes nothing.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use crate::history::Series;
use crate::units::{Quantile, Span, Time};

use super::analogue::Near;
use super::backcast::memory;
use super::bins::{Bins, Past};
use super::experts::{Expert, outlook};
use super::fitted::{HistoryQuality, Inner, KEPT, Learnt, PEAKS_KEPT};
use super::levels::{L, between};
use super::now::{Now, record};
use super::peaks::PeakCache;
use super::plain::{peak_lags, point_lags};
use super::pool::{Pending, PoolState, Weights};
use super::rule::Rule;
use super::shift::Shifted;
use super::sift::{Finding, Sift};
use super::tasks::{DAY, Task};
use super::transform::stabilise;

/// A fit with the adaptive state up to an instant.
#[derive(Debug, Clone)]
pub struct Tracker {
    pub(super) fit: Arc<Inner>,
    pub(super) state: State,
    glitches: Sift,
    /// While a possible glitch is open: the state that takes its samples as gaps, to continue from if it does not last.
    calm: Option<Box<State>>,
    /// The filters of climbs and falls. While one is open: the state that takes its samples as gaps, from which the
    /// second hypothesis starts.
    shifts: [(Sift, Option<Box<State>>); 2],
    /// The second hypothesis after a shift.
    shifted: Option<Box<Shifted>>,
}

/// The adaptive state: everything that changes with a sample.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub now: Now,
    pub bins: Bins,
    near: Option<Near>,
    pub standings: Vec<PoolState>,
    waiting: Vec<VecDeque<Waiting>>,
    /// The weights of each task's pool, kept until it learns again; empty if they are not kept.
    kept: Vec<OnceLock<Box<Weights>>>,
    /// Slots folded since the grid point.
    slots: usize,
}

/// A forecast whose truth is still to come.
#[derive(Debug, Clone)]
struct Waiting {
    due: usize,
    top: f32,
    forecast: Pending,
}

/// A climb or fall that is open for this many seconds leads to a second hypothesis.
const SOON: i64 = 60;
/// No quantile exceeds this many times the larger of the largest load in the window and the present load: a safeguard,
/// far outside any usual forecast.
const CAP: f64 = 4.0;

impl Tracker {
    pub(super) fn new(fit: Arc<Inner>) -> Self {
        let state = State::new(&fit);
        let [glitches, climbs, falls] = fit.sifts.clone();
        let open = |sift: &Sift| sift.open_from().map(|_| Box::new(state.clone()));
        let shifts = [climbs, falls].map(|sift| {
            let before = open(&sift);
            (sift, before)
        });
        let shifted = fit.shifted.as_ref().map(|fit| {
            Box::new(Shifted { state: State::new(fit), fit: Arc::clone(fit), by: 1.0, is_lasting: true })
        });
        Tracker { calm: open(&glitches), fit, state, glitches, shifts, shifted }
    }

    /// Keeps the weights of the pools between two truths. It answers the same and faster, for a fifth more memory: for a
    /// simulation, which asks often, and not for a server of many series.
    pub fn remember(&mut self) {
        self.state.kept = self.state.standings.iter().map(|_| OnceLock::new()).collect();
    }

    /// The last slot taken in.
    pub fn at(&self) -> Time {
        Time::from_epoch(self.state.now.at)
    }

    /// The grid point of its fit.
    pub fn fitted_at(&self) -> Time {
        self.fit.at
    }

    /// How much history its fit is based on.
    pub fn quality(&self) -> HistoryQuality {
        self.fit.quality
    }

    /// How many samples were not learned because the rise they belong to was gone within minutes; zero if the last of
    /// them is more than a day ago.
    pub fn ignored(&self) -> usize {
        self.glitches.ignored(self.state.now.at)
    }

    /// Takes in the next slot. `None` is a gap, and so is a value that cannot be a load.
    pub fn observe(&mut self, value: Option<f64>) {
        let fit = Arc::clone(&self.fit);
        let normal = value.filter(|v| (0.0..=1e30).contains(v)).map(|v| fit.transform.normal(v));
        let z = normal.map(stabilise);
        let at = self.state.now.at + fit.plan.step;
        let is_sudden = z.is_some_and(|z| self.sift(&fit, at, z));
        // A single sample that no later one confirms yet does not raise the forecast.
        let z = z.filter(|_| !is_sudden);
        let shifts = self.shifts.iter_mut().filter_map(|(_, before)| before.as_mut());
        for gap in shifts.chain(self.calm.as_mut()) {
            gap.fold(&fit, None, None);
        }
        if let Some(shifted) = &mut self.shifted {
            let own = normal.filter(|_| !is_sudden).map(|normal| shifted.stabilise(&fit, normal));
            shifted.state.fold(&shifted.fit, own, None);
        }
        self.state.fold(&fit, z, self.shifted.as_deref());
    }

    /// Classifies a sample and updates the hypotheses. Returns whether it may be a glitch that begins.
    fn sift(&mut self, fit: &Arc<Inner>, at: i64, z: f64) -> bool {
        for (sift, before) in &mut self.shifts {
            let was = sift.open_mean();
            let finding = sift.take(&fit.plan, at, z);
            match finding {
                Finding::Sudden => *before = Some(Box::new(self.state.clone())),
                Finding::Rising | Finding::Lasting => {
                    let is_late = sift.open_from().is_none_or(|from| at - from >= SOON);
                    let mean = sift.open_mean().or(was);
                    if let (true, Some(state), Some(mean)) = (is_late, before.as_ref(), mean) {
                        let shifted = Shifted::new(fit, state, &self.state, mean);
                        self.shifted = shifted.or(self.shifted.take().filter(|s| s.is_lasting));
                    }
                    if finding == Finding::Lasting {
                        *before = None;
                        self.shifted.iter_mut().for_each(|shifted| shifted.is_lasting = true);
                    }
                }
                Finding::Gone => {
                    *before = None;
                    self.shifted = self.shifted.take().filter(|shifted| shifted.is_lasting);
                }
                Finding::Usual => {}
            }
        }
        let finding = self.glitches.take(&fit.plan, at, z);
        match finding {
            Finding::Sudden => self.calm = Some(Box::new(self.state.clone())),
            Finding::Gone => {
                if let Some(calm) = self.calm.take() {
                    self.state = *calm;
                }
            }
            Finding::Lasting => self.calm = None,
            Finding::Usual | Finding::Rising => {}
        }
        finding == Finding::Sudden
    }

    /// Takes in all slots of a series after the present one and up to `until`; slots that the series lacks are gaps.
    pub fn follow(&mut self, history: &Series, until: Time) {
        let step = Span::seconds(self.fit.plan.step);
        while self.at() + step <= until {
            let next = self.at() + step;
            let slot = history.slot_before(next).filter(|&i| history.time(i) == next);
            self.observe(slot.and_then(|i| history.get(i)));
        }
    }

    /// The quantiles of the load `horizon` after the present slot: ascending with `q`, finite, not negative. Between
    /// modelled horizons they are interpolated.
    pub fn quantiles(&self, horizon: Span, q: &[Quantile]) -> Vec<f64> {
        self.quantiles_by(Rule::Forecast, horizon, q)
    }

    /// The same by any rule; a plain rule has its own error quantiles.
    pub fn quantiles_by(&self, rule: Rule, horizon: Span, q: &[Quantile]) -> Vec<f64> {
        let levels = self.levels(rule, self.within_reach(horizon));
        self.at_levels(&levels, q)
    }

    /// The quantiles of the peak load from the next slot up to `window` after the present one; never below those of a
    /// shorter window.
    pub fn peak(&self, window: Span, q: &[Quantile]) -> Vec<f64> {
        self.peak_by(Rule::Forecast, window, q, &mut PeakCache::default())
    }

    /// The same by any rule. `notes` keeps what was computed for one window for use in the next; it is valid for this
    /// origin only.
    pub fn peak_by(&self, rule: Rule, window: Span, q: &[Quantile], notes: &mut PeakCache) -> Vec<f64> {
        let levels = self.peak_levels(rule, self.within_reach(window), notes);
        self.at_levels(&levels, q)
    }

    /// Makes a rule predict until the next truth.
    #[cfg(test)]
    pub(crate) fn led_by(&mut self, rule: Rule) {
        self.state.standings.iter_mut().for_each(|standing| standing.rules.fill(rule));
    }

    /// Bytes held on the heap, without the fit, which is shared.
    pub fn heap_bytes(&self) -> usize {
        let shifts = self.shifts.iter().filter_map(|(_, before)| before.as_ref());
        let more = shifts.chain(&self.calm).map(|state| &**state);
        let more = more.chain(self.shifted.as_ref().map(|shifted| &shifted.state));
        self.state.heap_bytes() + more.map(|state| size_of::<State>() + state.heap_bytes()).sum::<usize>()
    }

    fn within_reach(&self, ahead: Span) -> i64 {
        ahead.as_seconds().clamp(self.fit.plan.step, 20 * DAY)
    }

    /// The loads at the quantiles asked for, from those at the modelled levels.
    fn at_levels(&self, levels: &[f64; L], q: &[Quantile]) -> Vec<f64> {
        let top =
            CAP * self.fit.top.max(super::transform::unstabilise(self.state.now.signal[super::now::LOAD]));
        let mut out: Vec<f64> =
            q.iter().map(|q| self.fit.transform.load(between(levels, q.get()).min(top))).collect();
        // Rounding could still leave two neighbours in the wrong order by a bit.
        let mut order: Vec<usize> = (0..q.len()).collect();
        order.sort_by(|&a, &b| q[a].get().total_cmp(&q[b].get()));
        let mut least = 0.0f64;
        for i in order {
            least = least.max(out[i]);
            out[i] = least;
        }
        out
    }

    /// The quantiles at the modelled levels, in units of the scale. Between two modelled horizons each of their tasks
    /// forecasts this horizon, and the results are interpolated.
    pub(super) fn levels(&self, rule: Rule, ahead: i64) -> [f64; L] {
        let step = self.fit.plan.step;
        let (mut below, mut above) = (None, None);
        for (i, t) in self.tasks_about(false, ahead) {
            let horizon = t.task.steps as i64 * step;
            if horizon <= ahead {
                below = Some((i, horizon));
            } else if above.is_none() {
                above = Some((i, horizon));
            }
        }
        let ask = |i: usize| self.task_levels(rule, i, ahead);
        match (below, above) {
            (Some((i, a)), Some((j, b))) if a < ahead => {
                let share = (ahead as f64 / a as f64).ln() / (b as f64 / a as f64).ln();
                let (x, y) = (ask(i), ask(j));
                std::array::from_fn(|l| x[l] + share * (y[l] - x[l]))
            }
            (Some((i, _)), _) | (None, Some((i, _))) => ask(i),
            (None, None) => [0.0; L],
        }
    }

    /// The task to explain a horizon with: the longest not beyond it, or the first.
    pub(super) fn task_for(&self, peak: bool, ahead: i64) -> Option<usize> {
        let step = self.fit.plan.step;
        let first = self.tasks_about(peak, ahead).next().map(|(i, _)| i);
        self.tasks_about(peak, ahead)
            .rfind(|(_, t)| t.task.steps as i64 * step <= ahead)
            .map(|(i, _)| i)
            .or(first)
    }

    /// The tasks that may be used for a horizon, ascending.
    pub(super) fn tasks_about(
        &self,
        peak: bool,
        ahead: i64,
    ) -> impl DoubleEndedIterator<Item = (usize, &Learnt)> {
        let plan = &self.fit.plan;
        let speaks = move |task: &Task| {
            task.peak == peak && (!task.is_echo(plan) || task.steps as i64 * plan.step == ahead)
        };
        self.fit.tasks.iter().enumerate().filter(move |(_, t)| speaks(&t.task))
    }

    pub(super) fn task_levels(&self, rule: Rule, i: usize, ahead: i64) -> [f64; L] {
        let (Some(learnt), Some(mut p)) = (self.fit.tasks.get(i), self.state.forecast(&self.fit, i, ahead))
        else {
            return [0.0; L];
        };
        p.pooled = self.state.joined(&self.fit, learnt, p.pooled, self.shifted.as_deref(), ahead);
        p.by(rule, &learnt.errors).map(f64::from)
    }
}

impl State {
    fn new(fit: &Inner) -> Self {
        let none = Bins::default();
        State {
            near: Near::of(&fit.plan, &past(fit, &none), &fit.now),
            now: fit.now.clone(),
            bins: Bins::default(),
            standings: fit.tasks.iter().map(|t| t.standing.clone()).collect(),
            waiting: fit.tasks.iter().map(|t| VecDeque::with_capacity(t.task.waiting())).collect(),
            kept: Vec::new(),
            slots: 0,
        }
    }

    /// The weights of a task's pool.
    fn weights(&self, task: usize, standing: &PoolState) -> Cow<'_, Weights> {
        match self.kept.get(task) {
            Some(kept) => Cow::Borrowed(kept.get_or_init(|| Box::new(standing.weights()))),
            None => Cow::Owned(standing.weights()),
        }
    }

    /// The pool's quantiles mixed with those of the second hypothesis, if there is one.
    fn joined(
        &self,
        fit: &Inner,
        learnt: &Learnt,
        levels: [f32; L],
        shifted: Option<&Shifted>,
        ahead: i64,
    ) -> [f32; L] {
        let Some(shifted) = shifted else { return levels };
        let other = shifted.levels(fit, learnt.task.peak, learnt.task.steps, ahead);
        let Some(other) = other else { return levels };
        super::levels::either(&levels, &other, shifted.share(fit, self))
    }

    fn heap_bytes(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(|w| w.capacity() * size_of::<Waiting>()).sum();
        let kept = self.kept.capacity() * size_of::<Weights>();
        self.standings.capacity() * size_of::<PoolState>() + kept + waiting + self.bins.heap_bytes()
    }

    /// Takes in the next slot, on the variance-stabilised scale; `None` is a gap. Forecasts that are stored to be judged
    /// are mixed with those of the second hypothesis.
    pub fn fold(&mut self, fit: &Inner, z: Option<f64>, shifted: Option<&Shifted>) {
        let past = past(fit, &self.bins);
        let closed = self.now.fold(&fit.plan, &past, z);
        record(&mut self.bins, closed);
        if self.bins.len() as i64 > 2 * KEPT / fit.plan.bin {
            let first = |kept: i64| (self.now.at - kept).div_euclid(fit.plan.bin);
            self.bins.keep_from(first(KEPT), first(PEAKS_KEPT));
        }
        if self.now.completes(&fit.plan).is_some() {
            self.near = Near::of(&fit.plan, &self::past(fit, &self.bins), &self.now);
        }
        self.slots += 1;
        for task in 0..fit.tasks.len() {
            self.judge(fit, task, z);
            let Task { phase, stride, .. } = fit.tasks[task].task;
            if (self.slots + phase).is_multiple_of(stride) {
                self.await_truth(fit, task, shifted);
            }
        }
    }

    /// The forecast of a task at a horizon, without the second hypothesis; `None` if there is no such task.
    pub fn forecast(&self, fit: &Inner, task: usize, ahead: i64) -> Option<Pending> {
        let (learnt, standing) = (fit.tasks.get(task)?, self.standings.get(task)?);
        let past = past(fit, &self.bins);
        let view = outlook(&self.now, &past, ahead);
        let lags = if learnt.task.peak { peak_lags } else { point_lags };
        let (mut experts, mut asleep) = (learnt.model.complete(&view), view.asleep);
        let at = (self.now.at, ahead);
        let followed = self.near.as_ref().and_then(|near| near.followed(&fit.plan, &past, &learnt.task, at));
        if let Some(followed) = followed {
            asleep.wake(Expert::Analogues);
            experts[Expert::Analogues.place()] = followed.mean;
        }
        let mut p = Pending {
            experts,
            asleep,
            followed: followed.unwrap_or_default(),
            scale: learnt.model.scale(&view.noise.map(|n| n as f32)),
            own: standing.own,
            lags: lags(&past, self.now.at, ahead),
            raw: [0.0; L],
            pooled: [0.0; L],
        };
        standing.predict(&p.said(&learnt.errors), &self.weights(task, standing), &mut p);
        Some(p)
    }

    /// The pool of a task learns from the truths that are due. In a gap they are dropped.
    fn judge(&mut self, fit: &Inner, task: usize, z: Option<f64>) {
        let (Some(waiting), Some(standing)) = (self.waiting.get_mut(task), self.standings.get_mut(task))
        else {
            return;
        };
        let learnt = &fit.tasks[task];
        if learnt.task.peak
            && let Some(z) = z
        {
            for w in waiting.iter_mut() {
                w.top = w.top.max(z as f32);
            }
        }
        while waiting.front().is_some_and(|w| w.due <= self.slots) {
            let (Some(w), Some(z)) = (waiting.pop_front(), z) else { continue };
            let z = if learnt.task.peak { w.top } else { z as f32 };
            let truth = super::transform::unstabilise(f64::from(z)) as f32;
            let stride = learnt.task.stride;
            let memory = memory(&fit.plan, &learnt.task, (stride as f32, 1.0), stride);
            let kept = self.kept.get_mut(task).and_then(OnceLock::take);
            let weights = kept.map_or_else(|| standing.weights(), |kept| *kept);
            let said = w.forecast.said(&learnt.errors);
            standing.learn(&learnt.errors, &weights, (&w.forecast, &said), (truth, z), memory);
        }
    }

    /// Stores the present forecast of a task, to be judged when its truth is observed.
    fn await_truth(&mut self, fit: &Inner, task: usize, shifted: Option<&Shifted>) {
        let Some(learnt) = fit.tasks.get(task).filter(|_| self.now.seen > 0) else { return };
        let ahead = learnt.task.steps as i64 * fit.plan.step;
        let Some(mut forecast) = self.forecast(fit, task, ahead) else { return };
        forecast.pooled = self.joined(fit, learnt, forecast.pooled, shifted, ahead);
        let due = self.slots + learnt.task.steps;
        if let Some(waiting) = self.waiting.get_mut(task) {
            waiting.push_back(Waiting { due, top: 0.0, forecast });
        }
    }
}

pub(super) fn past<'a>(fit: &'a Inner, new: &'a Bins) -> Past<'a> {
    Past {
        profile: &fit.profile,
        local: &fit.local,
        old: &fit.bins,
        new,
        pattern: &fit.pattern,
        bin: fit.plan.bin,
        step: fit.plan.step,
    }
}
