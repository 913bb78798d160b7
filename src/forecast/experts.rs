//! The experts' point forecasts at a horizon, and the features of the ridge.
//!
//! Most experts are simple: the last value, running means, the load at the same time a day or a week ago, the profiles
//! moved to the present level. The ridge regressions use all of that together. Everything is on the variance-stabilised
//! scale, and no sample after the origin is used.

use super::bins::Past;
use super::now::{DAILY, DAY_AGO, KIND, LAGGED, LOAD, Now, WEEK, WEEK_AGO};
use super::profile::Shape;
use super::tasks::DAY;

/// The number of features of the ridge.
pub(super) const FEATURES: usize = 32;
/// The experts of the pool, in the order of every table of experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expert {
    LastValue,
    MeanOfFew,
    MeanOfMinutes,
    MeanOfHour,
    DailyProfile,
    YesterdayMoved,
    LastWeekMoved,
    WeeklyAndLast,
    DayAgo,
    Pattern,
    /// Ridge regression whose rows have a half-life of weeks.
    Ridge,
    /// Ridge regression whose rows have a half-life of two days.
    RidgeShort,
    /// The experts before it, combined by non-negative least squares.
    Stack,
    /// The mean load that followed the nearest neighbours of the present; filled in by the backcast and the tracker.
    Analogues,
}

/// The number of experts.
pub(super) const EXPERTS: usize = Expert::Analogues.place() + 1;
/// The number of experts in the stack: those before it.
pub(super) const STACKED: usize = Expert::Stack.place();

/// The sleeping experts, one bit each: those that lack the data for this target, such as a lag in a gap. A substitute is
/// put in their place, so they have no weight in the answer, and the truth does not count in their record (specialists:
/// Freund, Schapire, Singer and Warmuth 1997).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Asleep(u32);

impl Expert {
    /// All of them, in order.
    pub const ALL: [Expert; EXPERTS] = [
        Expert::LastValue,
        Expert::MeanOfFew,
        Expert::MeanOfMinutes,
        Expert::MeanOfHour,
        Expert::DailyProfile,
        Expert::YesterdayMoved,
        Expert::LastWeekMoved,
        Expert::WeeklyAndLast,
        Expert::DayAgo,
        Expert::Pattern,
        Expert::Ridge,
        Expert::RidgeShort,
        Expert::Stack,
        Expert::Analogues,
    ];

    /// The name shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Expert::LastValue => "last value",
            Expert::MeanOfFew => "mean of the last few",
            Expert::MeanOfMinutes => "running mean, minutes",
            Expert::MeanOfHour => "running mean, an hour",
            Expert::DailyProfile => "daily profile and level (Holt-Winters)",
            Expert::YesterdayMoved => "yesterday, moved to the level",
            Expert::LastWeekMoved => "last week, moved to the level",
            Expert::WeeklyAndLast => "weekly profile and last value",
            Expert::DayAgo => "same time a day ago",
            Expert::Pattern => "daily profile, last hour and patterns",
            Expert::Ridge => "ridge",
            Expert::RidgeShort => "ridge, short memory",
            Expert::Stack => "stack of the others",
            Expert::Analogues => "analogues",
        }
    }

    /// The place in a table of experts.
    pub const fn place(self) -> usize {
        self as usize
    }
}

impl Asleep {
    /// Whether the expert at a place sleeps.
    pub fn is(self, expert: usize) -> bool {
        self.0 >> expert & 1 == 1
    }

    /// Whether every expert in the stack is awake.
    pub fn none_of_the_stack(self) -> bool {
        self.0 & ((1 << STACKED) - 1) == 0
    }

    /// Marks an expert as awake.
    pub fn wake(&mut self, expert: Expert) {
        self.0 &= !(1 << expert.place());
    }

    /// Whether every expert is awake.
    pub fn none(self) -> bool {
        self.0 == 0
    }

    fn set(&mut self, expert: Expert, is_asleep: bool) {
        self.0 |= u32::from(is_asleep) << expert.place();
    }
}

/// What is known at an origin about one target.
#[derive(Debug, Clone, Copy)]
pub(super) struct TargetView {
    /// Features of the ridge. What the ridge predicts is the departure of the load from `base`.
    pub features: [f32; FEATURES],
    /// The forecast of each expert. Those of the ridges, the stack and the analogues are filled in later.
    pub experts: [f64; EXPERTS],
    /// Which experts sleep.
    pub asleep: Asleep,
    /// Level plus weekly profile at the target.
    pub base: f64,
    /// The present departure from level and weekly profile. A share of it may last until the target.
    pub departure: f64,
    /// What the scale of the error is a combination of: one, the present noise (two half-lives), the profile's noise at
    /// the target.
    pub noise: [f64; NOISES],
}

/// The number of terms of the scale of the error.
pub(super) const NOISES: usize = 4;
/// Departures are clipped to this before they are multiplied with a profile: products of outliers ruin a least-squares
/// fit.
const WINSOR: f64 = 1.0;

/// Roughly a sine wave over one turn, made of two parabolas: good enough for a feature.
fn wave(turn: f64) -> f64 {
    let x = 2.0 * turn - 1.0;
    -4.0 * x * (1.0 - x.abs())
}

/// The peak load of the same window a day ago; `None` for windows over four hours, whose peak is no use as a feature.
fn peak_a_day_ago(now: &Now, past: &Past<'_>, ahead: i64) -> Option<f64> {
    let window = (now.at - DAY, now.at + ahead - DAY);
    if ahead <= 4 * 3_600 { past.peak_between(window.0, window.1) } else { None }
}

/// Four features: the patterns of the hour and of the day at the target; their sum at the origin; and, up to an hour
/// ahead, how much the largest sum on the way exceeds the sum at the target.
fn patterns(now: &Now, past: &Past<'_>, ahead: i64) -> [f64; 4] {
    let to = now.at + ahead;
    let [hour_to, day_to] = past.pattern.at(past, to);
    let [hour_now, day_now] = past.pattern.at(past, now.at);
    let rush = if ahead <= 3_600 { past.pattern.crest(past, now.at, to) - hour_to - day_to } else { 0.0 };
    [hour_to, day_to, hour_now + day_now, rush]
}

/// What is known now about the load in `ahead` seconds.
pub(super) fn outlook(now: &Now, past: &Past<'_>, ahead: i64) -> TargetView {
    let to = now.at + ahead;
    let level = now.level();
    let shape = now.settled(past.profile.at(past.local.at(to)));
    let base = level + shape.week;
    let z = now.signal[LOAD];
    let day_ago = past.lag(to, DAY, now.at);
    let week_ago = past.lag(to, 7 * DAY, now.at);
    let asleep = asleep(now, shape, [day_ago, week_ago]);
    let naive = day_ago.unwrap_or(z);
    let two_weeks = past.lag(to - 7 * DAY, 7 * DAY, now.at).unwrap_or(base);
    let (lag_day, lag_week) = (day_ago, week_ago);
    let day_ago = day_ago.unwrap_or(base);
    let week_ago = week_ago.unwrap_or(base);
    let mean = |s: usize, m: usize| now.mean(s, m);
    // A signal's running mean less that of the weekly profile.
    let dep = |s: usize, m: usize| mean(s, m) - mean(WEEK, m);
    let d = [0, 1, 2, 3, 4, 5].map(|m| dep(LOAD, m));
    let swing = shape.week - now.signal[WEEK];
    // Where a lag is missing, its features are zero. With its substitute they would be nearly zero in all rows, and their
    // coefficients arbitrary.
    let [knows_day, knows_week] = now.knows_lags();
    let known = |lag: Option<f64>, knows: bool, x: f64| if knows && lag.is_some() { x } else { 0.0 };
    let q1 = (d[1] - level).clamp(-WINSOR, WINSOR);
    let q3 = (d[3] - level).clamp(-WINSOR, WINSOR);
    let q5 = (d[5] - level).clamp(-WINSOR, WINSOR);
    let turn = to.rem_euclid(DAY) as f64 / DAY as f64;
    let crest = peak_a_day_ago(now, past, ahead).map_or(0.0, |p| known(lag_day, knows_day, p - day_ago));
    let [hour_to, day_to, present, rush] = patterns(now, past, ahead);
    let features = [
        1.0,
        z - now.signal[WEEK] - d[0],
        d[0] - d[1],
        d[1] - d[2],
        d[2] - d[3],
        d[3] - d[4],
        d[4] - d[5],
        d[5] - level,
        shape.kind - shape.week,
        now.signal[KIND] - now.signal[WEEK],
        shape.day - shape.week,
        day_ago - base,
        known(lag_day, knows_day, dep(DAY_AGO, 1) - level),
        week_ago - base,
        known(lag_week, knows_week, dep(WEEK_AGO, 1) - level),
        two_weeks - base,
        shape.week,
        swing,
        q3 * shape.week,
        q5 * shape.week,
        z - now.previous,
        known(lag_day, knows_day, day_ago - now.signal[DAY_AGO] - swing),
        known(lag_week, knows_week, week_ago - now.signal[WEEK_AGO] - swing),
        q1 * wave(turn),
        q1 * wave((turn + 0.25) % 1.0),
        now.high - mean(LOAD, 1),
        crest,
        q1.abs(),
        hour_to,
        day_to,
        present,
        rush,
    ];
    let experts = plain_experts(now, shape, base, naive, [day_ago, week_ago], hour_to + day_to);
    TargetView {
        features: features.map(|f| f as f32),
        experts,
        asleep,
        base,
        departure: d[1] - level,
        noise: [1.0, now.noise(0), now.noise(1), shape.noise],
    }
}

/// The forecasts of the experts that need no fit. The others are set to the base until they are filled in.
fn plain_experts(
    now: &Now,
    shape: Shape,
    base: f64,
    naive: f64,
    [day_ago, week_ago]: [f64; 2],
    pattern: f64,
) -> [f64; EXPERTS] {
    let mean = |s: usize, m: usize| now.mean(s, m);
    [
        now.signal[LOAD],
        mean(LOAD, 0),
        mean(LOAD, 1),
        mean(LOAD, 2),
        shape.day + mean(LOAD, 1) - mean(DAILY, 1),
        day_ago + mean(LOAD, LAGGED) - mean(DAY_AGO, LAGGED),
        week_ago + mean(LOAD, LAGGED) - mean(WEEK_AGO, LAGGED),
        shape.week + mean(LOAD, 0) - mean(WEEK, 0),
        naive,
        shape.day + mean(LOAD, 3) - mean(DAILY, 3) + pattern,
        base,
        base,
        base,
        base,
    ]
}

/// Which experts sleep: those of a profile or a lag that was not observed yet, or lies in a gap.
fn asleep(now: &Now, shape: Shape, [day_ago, week_ago]: [Option<f64>; 2]) -> Asleep {
    let [own_week, _, own_day] = shape.is_own;
    let [knows_day, knows_week] = now.knows_lags();
    let mut asleep = Asleep::default();
    asleep.set(Expert::DailyProfile, !own_day);
    asleep.set(Expert::YesterdayMoved, day_ago.is_none() || !knows_day);
    asleep.set(Expert::LastWeekMoved, week_ago.is_none() || !knows_week);
    asleep.set(Expert::WeeklyAndLast, !own_week);
    asleep.set(Expert::DayAgo, day_ago.is_none());
    asleep.set(Expert::Pattern, !own_day);
    asleep.set(Expert::Analogues, true);
    asleep
}
