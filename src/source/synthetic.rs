//! Generated loads: to try a setting before there is history, and for the load tests of the guide.
//!
//! They are computed from a seed: the same recipe gives the same samples on every machine. They demonstrate a
//! mechanism; they say nothing about the forecast's accuracy on real traffic.

use std::f64::consts::TAU;

use crate::history::Series;
use crate::units::{Dice, Span, Step, Time};

/// The shape of a generated load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Working days with a peak before and after noon, quiet nights and weekends.
    BusinessHours,
    /// A weak daily wave with random bursts on top that fade within minutes.
    Bursty,
    /// Business hours whose load doubles permanently after two thirds of the time.
    LevelShift,
    /// Business hours with one flash crowd, six times the usual peak, after three quarters of the time.
    FlashCrowd,
    /// Load test: ramps to 100 and to 200 users, 16 minutes in all.
    Basic,
    /// Load test: ramps to 500, 1,000 and 2,000 users, 22 minutes in all.
    Stress,
    /// Load test: 100 users for three hours.
    Soak,
}

/// The parameters of a generated load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// The shape.
    pub profile: Profile,
    /// The first sample.
    pub start: Time,
    /// The distance between samples.
    pub step: Step,
    /// The duration; load tests are idle before and after (see [`Profile::length`]).
    pub length: Span,
    /// The usual daily peak in requests per second; for a load test, the requests per second of one user.
    pub scale: f64,
    /// Seed of the noise and of the bursts.
    pub seed: u64,
}

/// Stages of a load test: seconds, and the users at the end. Each stage starts where the previous one ended.
type Stages = &'static [(f64, f64)];

const BASIC: Stages = &[(120.0, 100.0), (300.0, 100.0), (120.0, 200.0), (300.0, 200.0), (120.0, 0.0)];
const STRESS: Stages = &[
    (120.0, 500.0),
    (300.0, 500.0),
    (120.0, 1_000.0),
    (300.0, 1_000.0),
    (120.0, 2_000.0),
    (300.0, 2_000.0),
    (60.0, 0.0),
];
const SOAK: Stages = &[(120.0, 100.0), (10_800.0, 100.0), (120.0, 0.0)];

/// Relative noise of one sample, as seen in request rates averaged over a minute.
const NOISE: f64 = 0.04;
/// The average number of bursts.
const BURSTS_PER_DAY: f64 = 24.0;

// === impl Profile ===

impl Profile {
    /// All shapes.
    pub const ALL: [Profile; 7] = [
        Profile::BusinessHours,
        Profile::Bursty,
        Profile::LevelShift,
        Profile::FlashCrowd,
        Profile::Basic,
        Profile::Stress,
        Profile::Soak,
    ];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Profile::BusinessHours => "business-hours",
            Profile::Bursty => "bursty",
            Profile::LevelShift => "level-shift",
            Profile::FlashCrowd => "flash-crowd",
            Profile::Basic => "basic",
            Profile::Stress => "stress",
            Profile::Soak => "soak",
        }
    }

    /// The shape with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Profile::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// The usual duration: the sum of its stages for a load test, three weeks for the others.
    pub fn length(self) -> Span {
        match self.stages() {
            Some(stages) => Span::seconds(stages.iter().map(|stage| stage.0).sum::<f64>() as i64),
            None => Span::days(21),
        }
    }

    fn stages(self) -> Option<Stages> {
        match self {
            Profile::Basic => Some(BASIC),
            Profile::Stress => Some(STRESS),
            Profile::Soak => Some(SOAK),
            _ => None,
        }
    }
}

// === impl Recipe ===

impl Recipe {
    /// The usual recipe of a profile: one sample per minute, for a load test every 15 seconds.
    pub fn of(profile: Profile, start: Time, scale: f64, seed: u64) -> Self {
        let fine = Step::new(Span::seconds(15)).unwrap_or(Step::MINUTE);
        let step = if profile.stages().is_some() { fine } else { Step::MINUTE };
        Recipe { profile, start, step, length: profile.length(), scale, seed }
    }

    /// Generates the samples.
    pub fn series(&self) -> Series {
        let count = self.step.count_in(self.length).clamp(1, Series::MAX_SLOTS);
        let mut dice = Dice::new(self.seed);
        let mut burst = 0.0;
        // Half of a burst is gone after five minutes.
        let fade = 0.5_f64.powf(self.step.as_seconds() as f64 / 300.0);
        let chance = (BURSTS_PER_DAY * self.step.as_seconds() as f64 / 86_400.0).min(1.0);
        let values = (0..count).map(|i| {
            let offset = (self.step.as_seconds() * i as i64) as f64;
            let (coin, height, noise) = (dice.uniform(), dice.uniform(), dice.normal());
            burst *= fade;
            if self.profile == Profile::Bursty && coin < chance {
                // Heights between a third and three times the usual peak; small ones are far more frequent.
                burst += 0.33 * 9.0_f64.powf(height * height);
            }
            let level = self.level(offset) + burst;
            let noise = if self.profile.stages().is_some() { 0.0 } else { NOISE * noise };
            (self.scale * level * (1.0 + noise)).max(0.0)
        });
        Series::from_values(self.start, self.step, values.collect::<Vec<_>>())
    }

    /// The load without noise and bursts, in units of the scale.
    fn level(&self, offset: f64) -> f64 {
        let at = self.start + Span::seconds(offset as i64);
        let share = offset / self.length.as_seconds().max(1) as f64;
        match self.profile {
            Profile::BusinessHours => business(at),
            Profile::Bursty => 0.25 + 0.1 * wave(at, 14.0),
            Profile::LevelShift => business(at) * if share < 2.0 / 3.0 { 1.0 } else { 2.0 },
            Profile::FlashCrowd => business(at) + crowd(offset - 0.75 * self.length.as_seconds() as f64),
            Profile::Basic | Profile::Stress | Profile::Soak => {
                users(self.profile.stages().unwrap_or_default(), offset)
            }
        }
    }
}

/// A daily wave from 0 to 1 with its maximum at the given hour, UTC.
fn wave(at: Time, peak_hour: f64) -> f64 {
    let hour = at.epoch().rem_euclid(86_400) as f64 / 3_600.0;
    0.5 + 0.5 * ((hour - peak_hour) / 24.0 * TAU).cos()
}

/// Working days: peaks at 10:30 and 15:00 UTC with a dip at lunch; nights at 8 %, weekends at a quarter.
fn business(at: Time) -> f64 {
    let hour = at.epoch().rem_euclid(86_400) as f64 / 3_600.0;
    // 1970-01-01 was a Thursday.
    let weekday = (at.epoch().div_euclid(86_400) + 3).rem_euclid(7);
    let hump = |centre: f64, width: f64| (-((hour - centre) / width).powi(2)).exp();
    let day = 0.92 * hump(10.5, 2.0) + 0.85 * hump(15.0, 2.2);
    0.08 + if weekday < 5 { day } else { 0.25 * day }
}

/// A flash crowd: it reaches six times the usual peak within two minutes, and half of it leaves every twenty minutes.
fn crowd(seconds: f64) -> f64 {
    if seconds < 0.0 {
        0.0
    } else {
        6.0 * (seconds / 120.0).min(1.0) * 0.5_f64.powf((seconds - 120.0).max(0.0) / 1_200.0)
    }
}

fn users(stages: Stages, offset: f64) -> f64 {
    let (mut begin, mut from) = (0.0, 0.0);
    for &(seconds, to) in stages {
        if offset < begin + seconds {
            return from + (to - from) * (offset - begin) / seconds;
        }
        begin += seconds;
        from = to;
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday, 00:00 UTC.
    const MONDAY: Time = Time::from_epoch(1_767_571_200);

    fn series(profile: Profile) -> Series {
        Recipe::of(profile, MONDAY, 100.0, 7).series()
    }

    #[test]
    fn the_same_recipe_gives_the_same_load() {
        for profile in Profile::ALL {
            let load = series(profile);
            assert_eq!(load, series(profile), "{}", profile.name());
            assert_eq!(load.observed(), load.len(), "{}", profile.name());
            assert_eq!(Profile::parse(profile.name()), Some(profile));
        }
        let other = Recipe { seed: 8, ..Recipe::of(Profile::Bursty, MONDAY, 100.0, 7) };
        assert_ne!(other.series(), series(Profile::Bursty));
    }

    #[test]
    fn load_tests_follow_their_stages() {
        for (profile, minutes, peak) in
            [(Profile::Basic, 16, 200.0), (Profile::Stress, 22, 2_000.0), (Profile::Soak, 184, 100.0)]
        {
            assert_eq!(profile.length(), Span::minutes(minutes));
            let values = series(profile).values();
            assert_eq!(values.iter().copied().fold(0.0, f64::max), 100.0 * peak, "{}", profile.name());
            assert_eq!(values[0], 0.0);
        }
        let basic = series(Profile::Basic);
        assert_eq!(
            (basic.get(4), basic.get(12), basic.get(32)),
            (Some(5_000.0), Some(10_000.0), Some(15_000.0))
        );
    }

    #[test]
    fn each_shape_shows_its_feature() {
        let day = 1_440;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let business = series(Profile::BusinessHours).values();
        assert!(mean(&business[..day]) > 2.0 * mean(&business[5 * day..6 * day]));
        let shift = series(Profile::LevelShift).values();
        assert!(mean(&shift[14 * day..19 * day]) > 1.9 * mean(&shift[7 * day..12 * day]));
        let largest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let crowd = series(Profile::FlashCrowd).values();
        assert!(largest(&crowd[15 * day..]) > 5.0 * largest(&crowd[..15 * day]));
        let mut bursty = series(Profile::Bursty).values();
        bursty.sort_by(f64::total_cmp);
        assert!(bursty[bursty.len() - 100] > 3.0 * bursty[bursty.len() / 2]);
    }
}
