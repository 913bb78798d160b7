//! A schedule as an engineer would write it from last month's dashboard: replicas by weekday and hour.
//!
//! It is written once, before the scored span, and then followed without change, as a cron trigger is.

use crate::history::{Calendar, LocalTime};
use crate::simulate::{Load, Moment, Strategy, Target};
use crate::units::{Span, Threshold, Time};

/// Replicas by hour of the local week.
pub(super) struct Cron {
    calendar: Calendar,
    lead: Span,
    replicas: Vec<f64>,
    /// The last answer, and the instant until which it is valid.
    last: Option<(Time, f64)>,
}

const HOURS: usize = 7 * 24;
/// How far back the schedule's author looks.
const LOOK_BACK: Span = Span::days(28);
/// The author reads the level that the load almost never exceeds, ignoring the one outlier of the month.
const LEVEL: f64 = 0.95;

impl Cron {
    /// Derives the schedule from the month before the scored span. An hour without samples takes the mean of the same
    /// hour on other days; without any history the schedule asks for nothing.
    pub(super) fn written_from(load: &Load, target: &Target, calendar: &Calendar, insurance: f64) -> Self {
        let until = target.measure(load).from;
        let begin = (until - LOOK_BACK).max(load.start());
        let mut cells: Vec<Vec<f64>> = vec![Vec::new(); HOURS];
        let mut clock = calendar.clock();
        let mut at = begin;
        while at < until {
            if load.is_observed(at)
                && let Some(cell) = cells.get_mut(hour(clock.local(at)))
            {
                cell.push(load.at(at));
            }
            at = at + load.step();
        }
        let levels: Vec<Option<f64>> = cells.into_iter().map(level).collect();
        let replicas = (0..HOURS).map(|h| {
            let same = levels.iter().skip(h % 24).step_by(24).copied().flatten();
            let (sum, count) = same.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
            let load = levels[h].unwrap_or(if count > 0.0 { sum / count } else { 0.0 });
            whole(target.threshold, load, insurance)
        });
        Cron { calendar: calendar.clone(), lead: target.lead(), replicas: replicas.collect(), last: None }
    }
}

impl Strategy for Cron {
    fn wants(&mut self, now: &Moment<'_>) -> Option<f64> {
        if let Some((_, want)) = self.last.filter(|last| now.at < last.0) {
            return Some(want);
        }
        let at = |time| self.replicas.get(hour(self.calendar.local(time))).copied().unwrap_or(0.0);
        // The rule of the next hour starts early enough for its pods to be ready.
        let want = at(now.at).max(at(now.at + self.lead));
        self.last = Some((now.at.floor_to(Span::MINUTE, Span::ZERO) + Span::MINUTE, want));
        Some(want)
    }
}

/// A schedule has whole numbers of replicas.
fn whole(threshold: Threshold, load: f64, insurance: f64) -> f64 {
    f64::from(threshold.replicas_for(load * insurance).get())
}

fn hour(local: LocalTime) -> usize {
    (local.second_of_week() / 3_600) as usize
}

fn level(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let rank = (LEVEL * values.len() as f64).ceil() as usize;
    rank.checked_sub(1).and_then(|rank| values.get(rank)).copied()
}
