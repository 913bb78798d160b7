//! The peak load of a window, from the modelled windows and the point forecasts inside it.
//!
//! A few windows are modelled as targets of their own; between two of them the quantiles are interpolated. The peak of a
//! window is never below the load at an instant in it, and the same holds for the quantiles.

use super::levels::L;
use super::rule::Rule;
use super::tracker::Tracker;

/// Forecasts already computed at one origin: of the peaks of modelled windows, and of the load at single instants.
#[derive(Debug, Clone, Default)]
pub struct PeakCache {
    peaks: Vec<((Rule, i64), [f64; L])>,
    points: Vec<((Rule, i64), [f64; L])>,
}

impl Tracker {
    /// The quantiles of the peak load of a window at the modelled levels, in units of the scale. They are never below
    /// those of an instant in the window. Beyond the longest modelled window, each instant is raised by the difference
    /// between that window's peak and its highest instant.
    pub(super) fn peak_levels(&self, rule: Rule, window: i64, notes: &mut PeakCache) -> [f64; L] {
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

    /// The peak of a window no longer than the longest modelled one, interpolated between the two modelled windows around
    /// it. A longer window contains the shorter ones, so its quantiles are never below theirs.
    fn modelled_peak(&self, rule: Rule, window: i64, notes: &mut PeakCache) -> [f64; L] {
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

    /// The highest quantiles of the instants later than `after` and up to `until` (seconds ahead), by level. Between two
    /// of the sampled instants they are interpolated.
    fn highest(&self, rule: Rule, after: i64, until: i64, notes: &mut PeakCache) -> [f64; L] {
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

/// The instants at which point forecasts inside a window are sampled, in whole steps ahead: few in short windows, which
/// are asked for at every sample; every half hour, then every one and three hours beyond.
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

/// Quantiles at a place between two others, interpolated over the logarithm of the distance; those of the farther one if
/// there is no nearer one.
fn part_of_the_way(place: i64, (a, low): (i64, [f64; L]), (b, high): (i64, [f64; L])) -> [f64; L] {
    if a <= 0 {
        return high;
    }
    let share = (place as f64 / a as f64).ln() / (b as f64 / a as f64).ln();
    std::array::from_fn(|l| low[l] + share * (high[l] - low[l]))
}

/// The quantiles noted under a key. If there are none, they are computed and noted.
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
