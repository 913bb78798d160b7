//! The largest load of a window: from the windows that are modelled, and never below what is said of an instant in it.
//!
//! A few windows are calibrated as targets of their own; what lies between two is interpolated. The largest load of a
//! window is never below that of an instant in it, and nor are its quantiles. Nothing here looks at a sample.

use super::pool::L;
use super::tracker::Tracker;
use super::trust::Rule;

/// Peaks of the windows that are modelled and loads of single instants, as of one instant.
#[derive(Debug, Clone, Default)]
pub struct Rungs {
    peaks: Vec<((Rule, i64), [f64; L])>,
    points: Vec<((Rule, i64), [f64; L])>,
}

impl Tracker {
    /// Quantiles of the largest load of a window at the modelled levels, in units of the scale. No window's peak is below
    /// what is said of an instant in it; beyond the longest window that is modelled, each instant counts with what that
    /// window's peak has over its own instants.
    pub(super) fn peak_levels(&self, rule: Rule, window: i64, notes: &mut Rungs) -> [f64; L] {
        let step = self.fit.plan.step;
        let modelled = self.tasks_about(true, window).map(|(_, t)| t.task.steps as i64 * step).max();
        let near = window.min(modelled.unwrap_or(0));
        let peak = self.modelled_peak(rule, near, notes);
        let inside = self.highest(rule, 0, near, notes);
        let beyond = self.highest(rule, near, window, notes);
        let mut least = 0.0f64;
        std::array::from_fn(|l| {
            let excess = (peak[l] - inside[l]).max(0.0);
            least = least.max(peak[l]).max(inside[l]).max(beyond[l] + excess);
            least
        })
    }

    /// The peak of a window that is not beyond the longest modelled one. A longer window holds the shorter one, so its
    /// peak is never below: each rung counts for all beyond it, and what lies between two is interpolated.
    fn modelled_peak(&self, rule: Rule, window: i64, notes: &mut Rungs) -> [f64; L] {
        let (mut shorter, mut levels) = (0i64, [0.0f64; L]);
        for (i, t) in self.tasks_about(true, window) {
            let length = t.task.steps as i64 * self.fit.plan.step;
            let peak = noted(&mut notes.peaks, (rule, length), || self.task_levels(rule, i, length));
            let longer: [f64; L] = std::array::from_fn(|l| peak[l].max(levels[l]));
            if length >= window {
                return part_of_the_way(window, (shorter, levels), (length, longer));
            }
            (shorter, levels) = (length, longer);
        }
        levels
    }

    /// The highest that is said of an instant after the first number of seconds and up to the second, by level. What lies
    /// between two of the instants that are looked at is interpolated.
    fn highest(&self, rule: Rule, after: i64, until: i64, notes: &mut Rungs) -> [f64; L] {
        let (mut before, mut levels) = (0i64, [0.0f64; L]);
        if after >= until {
            return levels;
        }
        for instant in instants(self.fit.plan.step).skip_while(|&instant| instant <= after) {
            if before >= until {
                break;
            }
            let said = noted(&mut notes.points, (rule, instant), || self.levels(rule, instant));
            let higher: [f64; L] = std::array::from_fn(|l| said[l].max(levels[l]));
            if instant >= until {
                return part_of_the_way(until, (before, levels), (instant, higher));
            }
            (before, levels) = (instant, higher);
        }
        levels
    }
}

/// Whole steps ahead at which a window looks at the single instants in it: few where windows are short and asked for at
/// every sample; the shape of a day beyond.
fn instants(step: i64) -> impl Iterator<Item = i64> {
    const FEW: [i64; 4] = [60, 300, 900, 1_800];
    let beyond =
        (2..=16).map(|k| 1_800 * k).chain((9..=48).map(|k| 3_600 * k)).chain((17..=160).map(|k| 10_800 * k));
    let mut last = 0;
    FEW.into_iter().chain(beyond).filter_map(move |seconds| {
        let whole = step * (seconds / step).max(1);
        (whole > last).then(|| {
            last = whole;
            whole
        })
    })
}

/// Levels at a place between two others, by the ratio of their distances; at the farther one where nothing is nearer.
fn part_of_the_way(place: i64, (a, low): (i64, [f64; L]), (b, high): (i64, [f64; L])) -> [f64; L] {
    if a <= 0 {
        return high;
    }
    let share = (place as f64 / a as f64).ln() / (b as f64 / a as f64).ln();
    std::array::from_fn(|l| low[l] + share * (high[l] - low[l]))
}

/// What was noted under a key, or is now.
fn noted<K: PartialEq + Copy>(
    notes: &mut Vec<(K, [f64; L])>,
    key: K,
    ask: impl FnOnce() -> [f64; L],
) -> [f64; L] {
    if let Some((_, levels)) = notes.iter().find(|(noted, _)| *noted == key) {
        return *levels;
    }
    let levels = ask();
    notes.push((key, levels));
    levels
}
