//! What each expert expects at an instant ahead, and the features the ridge expects from.
//!
//! The experts are plain and differ in what they trust: the last value, running means, the same time a day or
//! a week ago, the profiles moved to the present level. The ridge weighs all of that at once. Everything is
//! on the variance-stabilised scale, and nothing here looks at a sample after the origin.

use super::bins::Past;
use super::now::{DAILY, DAY_AGO, KIND, LAGGED, LOAD, Now, WEEK, WEEK_AGO};
use super::profile::Shape;
use super::tasks::DAY;

/// Number of features of the ridge.
pub(super) const FEATURES: usize = 32;
/// The experts of the pool, in the order of their places in every table of experts.
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
    /// With the memory of the window.
    Ridge,
    /// With a memory of days.
    RidgeShort,
    /// The experts before it, weighed by non-negative least squares.
    Stack,
    /// What followed the times that were most like the present: filled in where it is judged.
    Analogues,
}

/// Number of experts.
pub(super) const EXPERTS: usize = Expert::Analogues.place() + 1;
/// Number of experts that the stack is made of: those before it.
pub(super) const STACKED: usize = Expert::Stack.place();

/// Experts whose own data do not reach the target, one bit each: something else stands in for them, so they have no
/// weight, and what comes is no record of theirs (specialists: Freund, Schapire, Singer and Warmuth 1997).
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

    /// Its name for people.
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

    /// Its place in a table of experts.
    pub const fn place(self) -> usize {
        self as usize
    }
}

impl Asleep {
    /// Whether the expert at a place has nothing of its own to say.
    pub fn is(self, expert: usize) -> bool {
        self.0 >> expert & 1 == 1
    }

    /// Whether every expert that the stack is made of speaks for itself.
    pub fn none_of_the_stack(self) -> bool {
        self.0 & ((1 << STACKED) - 1) == 0
    }

    /// Lets an expert speak after all.
    pub fn wake(&mut self, expert: Expert) {
        self.0 &= !(1 << expert.place());
    }

    /// Whether every expert speaks for itself.
    pub fn none(self) -> bool {
        self.0 == 0
    }

    fn set(&mut self, expert: Expert, is_asleep: bool) {
        self.0 |= u32::from(is_asleep) << expert.place();
    }
}

/// The view of one instant ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct TargetView {
    /// Features of the ridge, whose target is the departure from `base`.
    pub features: [f32; FEATURES],
    /// Expected load of each expert; those of the ridges are to be filled in.
    pub experts: [f64; EXPERTS],
    /// Which of them have nothing of their own to say.
    pub asleep: Asleep,
    /// Level and weekly profile at the target.
    pub base: f64,
    /// The present departure, of which a share may last.
    pub departure: f64,
    /// What the size of the error may depend on: one, the present noise (two memories), the target's noise.
    pub noise: [f64; NOISES],
}

/// Terms of the scale of the error.
pub(super) const NOISES: usize = 4;
/// A departure beyond this is not multiplied with a profile: products of outliers ruin a least-squares fit.
const WINSOR: f64 = 1.0;

/// A sine of one turn, near enough for a feature: two parabolas.
fn wave(turn: f64) -> f64 {
    let x = 2.0 * turn - 1.0;
    -4.0 * x * (1.0 - x.abs())
}

/// The largest load of the same window a day ago; a far window says nothing of its peak.
fn peak_a_day_ago(now: &Now, past: &Past<'_>, ahead: i64) -> Option<f64> {
    let window = (now.at - DAY, now.at + ahead - DAY);
    if ahead <= 4 * 3_600 { past.peak_between(window.0, window.1) } else { None }
}

/// The patterns of the hour and of the day at the target, both together at the present, and how far they rise beyond the
/// target's on the way there.
fn patterns(now: &Now, past: &Past<'_>, ahead: i64) -> [f64; 4] {
    let to = now.at + ahead;
    let [hour_to, day_to] = past.pattern.at(past, to);
    let [hour_now, day_now] = past.pattern.at(past, now.at);
    let rush = if ahead <= 3_600 { past.pattern.crest(past, now.at, to) - hour_to - day_to } else { 0.0 };
    [hour_to, day_to, hour_now + day_now, rush]
}

/// Looks `ahead` seconds beyond the present.
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
    // Departure of a signal's running mean from the weekly profile's.
    let dep = |s: usize, m: usize| mean(s, m) - mean(WEEK, m);
    let d = [0, 1, 2, 3, 4, 5].map(|m| dep(LOAD, m));
    let swing = shape.week - now.signal[WEEK];
    // What stands in for a lag is no feature: next to nothing throughout the training, it would be given any coefficient.
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

/// What every expert without coefficients expects; those with coefficients stand at the base.
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

/// Which experts would have to be stood in for: those of a profile or of a lag that was not seen yet, or lies in a gap.
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
