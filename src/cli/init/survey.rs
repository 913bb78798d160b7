//! A load's pattern over time: how much of its variation the hour and the weekday explain, and when it is busy.

use serde_json::{Value, json};

use crate::history::{Calendar, Series};
use crate::simulate::BusyHours;
use crate::units::{Span, percentile};

/// The result of the survey.
pub(in crate::cli) struct Survey {
    days: f64,
    samples: usize,
    step: Span,
    /// The share of the variance of hourly means that the hour of the day explains.
    daily: f64,
    /// The same for the hour of the week; `None` with less than two weeks of history.
    weekly: Option<f64>,
    /// The share of the variance of the samples that their time of day explains, or their time of week after two
    /// weeks. It resolves single steps, so that bursts within the hour count.
    clock: f64,
    /// Percentiles of the load: the median, and the one exceeded once in a thousand samples.
    typical: f64,
    highest: f64,
    busy: Option<BusyHours>,
}

/// From this share on, the load follows the clock.
const FOLLOWS: f64 = 0.3;
/// Hours with at least this share of the busiest hour's load are busy.
const BUSY: f64 = 0.5;
/// How many busy hours there may be; more are not a pattern for a schedule.
const HOURS: std::ops::RangeInclusive<usize> = 2..=18;
/// If weekends have at least this share of the weekdays' load, they are alike.
const ALIKE: f64 = 0.7;

/// The share of the variance that the groups explain, corrected for their number (adjusted R²).
fn explained(values: &[(usize, f64)], groups: usize) -> f64 {
    let mut sums = vec![(0.0, 0.0); groups];
    for &(group, value) in values {
        if let Some(sum) = sums.get_mut(group) {
            *sum = (sum.0 + value, sum.1 + 1.0);
        }
    }
    let (total, count) = sums.iter().fold((0.0, 0.0), |all, sum| (all.0 + sum.0, all.1 + sum.1));
    let mean_of = |group: usize| sums.get(group).map_or(0.0, |sum| sum.0 / sum.1);
    let (mut within, mut around) = (0.0, 0.0);
    for &(group, value) in values {
        within += (value - mean_of(group)).powi(2);
        around += (value - total / count).powi(2);
    }
    let freedom = count - sums.iter().filter(|sum| sum.1 > 0.0).count() as f64;
    // Differences that come only from rounding equal values are not variation.
    let rounding = 1e-24 * count * (total / count).powi(2);
    if around <= rounding || freedom <= 0.0 {
        return 0.0;
    }
    (1.0 - within / freedom / (around / (count - 1.0))).clamp(0.0, 1.0)
}

// === impl Survey ===

impl Survey {
    /// Surveys the whole history, in local time.
    pub(in crate::cli) fn of(series: &Series, calendar: &Calendar) -> Self {
        let mut clock = calendar.clock();
        let mut hours: Vec<(usize, f64, f64)> = Vec::new();
        let mut cells: Vec<Vec<f64>> = vec![Vec::new(); 168];
        let (mut last, mut samples) = (None, Vec::new());
        let step = series.step().as_seconds();
        let slots = |span: i64| usize::try_from(span.div_euclid(step)).unwrap_or(0);
        for slot in 0..series.len() {
            let Some(value) = series.get(slot) else { continue };
            let at = series.time(slot);
            let second = clock.local(at).second_of_week();
            let cell = usize::try_from(second / 3_600).unwrap_or(0) % 168;
            samples.push((slots(second), value));
            cells[cell].push(value);
            let hour = at.floor_to(Span::HOUR, Span::ZERO);
            match hours.last_mut().filter(|_| last == Some(hour)) {
                Some(open) => *open = (cell, open.1 + value, open.2 + 1.0),
                None => hours.push((cell, value, 1.0)),
            }
            last = Some(hour);
        }
        let by = |length: usize| -> Vec<(usize, f64)> {
            hours.iter().map(|&(cell, sum, count)| (cell % length, sum / count)).collect()
        };
        let covers = series.covers();
        let days = covers.as_hours() / 24.0;
        let daily = explained(&by(24), 24);
        let (day, week) = (slots(86_400).max(1), slots(7 * 86_400) + 1);
        let of_day: Vec<_> = samples.iter().map(|&(slot, value)| (slot % day, value)).collect();
        let of_week = if days >= 14.0 { explained(&samples, week) } else { 0.0 };
        let mut values = series.values();
        values.retain(|value| !value.is_nan());
        Survey {
            days,
            samples: values.len(),
            step: series.step().span(),
            daily,
            clock: explained(&of_day, day).max(of_week),
            weekly: (days >= 14.0).then(|| explained(&by(168), 168)),
            typical: percentile(values.clone(), 0.5).unwrap_or_default(),
            highest: percentile(values, 0.999).unwrap_or_default(),
            busy: (daily >= FOLLOWS).then(|| busy(&cells)).flatten(),
        }
    }

    /// Busy hours, if they stand out; their load is the one exceeded for three quarters of the time in each of them.
    pub(in crate::cli) fn busy(&self) -> Option<BusyHours> {
        self.busy
    }

    /// The share of the hourly variation that the clock explains, 0 to 1.
    pub(in crate::cli) fn clock(&self) -> f64 {
        self.weekly.unwrap_or(0.0).max(self.daily)
    }

    pub(super) fn typical(&self) -> f64 {
        self.typical
    }

    pub(super) fn highest(&self) -> f64 {
        self.highest
    }

    pub(super) fn json(&self) -> Value {
        let busy = self.busy.map(|b| {
            json!({ "start_hour": b.start, "end_hour": b.end % 24, "weekends_too": b.weekends_too, "load": b.load })
        });
        json!({
            "days": self.days, "samples": self.samples, "step_seconds": self.step.as_seconds(),
            "daily": self.daily, "weekly": self.weekly, "clock": self.clock,
            "median_load": self.typical,
            "highest_load": self.highest, "busy": busy,
        })
    }

    pub(super) fn told(&self) -> Vec<String> {
        let Survey { days, samples, step, daily, typical, highest, .. } = self;
        let mut told = vec![
            format!(
                "{samples} samples over {days:.1} days, every {step}; half of them above {typical:.4}, the highest"
            ),
            format!("of a thousand at {highest:.4}."),
        ];
        let percent = |share: f64| (100.0 * share).round();
        told.push(match self.weekly {
            Some(week) => format!(
                "Seasonality: the hour of the day explains {} % of the hourly variation, the hour of the week {} %.",
                percent(*daily),
                percent(week.max(*daily))
            ),
            None => format!(
                "Seasonality: the hour of the day explains {} % of the hourly variation; weekdays need two weeks.",
                percent(*daily)
            ),
        });
        told.push(format!(
            "Of all its variation, to the {step}, the time of the clock explains {} %.",
            percent(self.clock)
        ));
        told
    }
}

/// The longest run of busy hours on weekdays.
fn busy(cells: &[Vec<f64>]) -> Option<BusyHours> {
    let quarter = |days: std::ops::Range<usize>, hour: usize| {
        let values = days.filter_map(|day| cells.get(24 * day + hour)).flatten().copied().collect();
        percentile(values, 0.25).unwrap_or_default()
    };
    let weekdays: Vec<f64> = (0..24).map(|hour| quarter(0..5, hour)).collect();
    let most = weekdays.iter().copied().fold(0.0, f64::max);
    let is_busy =
        |hour: usize| most > 0.0 && weekdays.get(hour % 24).is_some_and(|load| *load >= BUSY * most);
    let stretch = |start: usize| (start..start + 24).take_while(|&hour| is_busy(hour)).count();
    let start =
        (0..24).filter(|&hour| is_busy(hour) && !is_busy(hour + 23)).max_by_key(|&hour| stretch(hour))?;
    let length = stretch(start);
    let over = |days: std::ops::Range<usize>| {
        (start..start + length).map(|hour| quarter(days.clone(), hour % 24)).fold(f64::INFINITY, f64::min)
    };
    let (weekday, weekend) = (over(0..5), over(5..7));
    let daily = weekend >= ALIKE * weekday;
    HOURS.contains(&length).then_some(BusyHours {
        start: start as u32,
        end: (start + length) as u32,
        weekends_too: daily,
        load: weekday.min(if daily { weekend } else { weekday }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Step, Time};

    /// Three weeks of ten-minute samples, starting on a Monday.
    fn survey(load: impl Fn(usize, usize) -> f64) -> Survey {
        let at = |i: usize| load(i / 144 % 7, i % 144 / 6);
        let monday = Time::from_epoch(1_767_571_200);
        let step = Step::new(Span::minutes(10)).expect("a step");
        Survey::of(&Series::from_values(monday, step, (0..21 * 144).map(at)), &Calendar::utc())
    }

    #[test]
    fn office_hours_are_found() {
        let found = survey(|day, hour| if day < 5 && (9..17).contains(&hour) { 80.0 } else { 20.0 });
        assert_eq!(found.busy, Some(BusyHours { start: 9, end: 17, weekends_too: false, load: 80.0 }));
        assert!(found.weekly.is_some_and(|week| week > 0.99) && (0.3..0.9).contains(&found.daily));
    }

    #[test]
    fn a_night_shift_of_every_day_is_found() {
        let found = survey(|_, hour| if !(6..22).contains(&hour) { 50.0 } else { 5.0 });
        assert_eq!(found.busy, Some(BusyHours { start: 22, end: 30, weekends_too: true, load: 50.0 }));
    }

    #[test]
    fn bursts_within_the_hour_follow_the_clock() {
        // Every hour has the same mean, so neither the hour of the day nor the hour of the week explains anything.
        let monday = Time::from_epoch(1_767_571_200);
        let bursts = (0..21 * 1_440).map(|minute| if minute % 60 < 4 { 90.0 } else { 10.0 });
        let found = Survey::of(&Series::from_values(monday, Step::MINUTE, bursts), &Calendar::utc());
        assert_eq!((found.daily, found.weekly), (0.0, Some(0.0)));
        assert!(found.clock > 0.999, "{}", found.clock);
    }

    #[test]
    fn noise_has_no_season() {
        let mut dice = crate::units::Dice::new(3);
        let noise: Vec<f64> = (0..168).map(|_| 100.0 + dice.normal()).collect();
        // The same week three times has a weekly season, but no daily one.
        let found = survey(|day, hour| noise[24 * day + hour]);
        assert!(found.daily < 0.3 && found.busy.is_none(), "{}", found.daily);
        assert_eq!(survey(|_, _| 7.0).daily, 0.0);
    }
}
