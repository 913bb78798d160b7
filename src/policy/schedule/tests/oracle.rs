//! Tests schedules against an oracle that shares no code with them. It walks two years minute by minute, watches the
//! wall clock, and fires starts and ends as a person beside the clock would. 500 random rule sets in 12 zones must
//! agree.

use chrono::{Datelike, Offset, TimeZone};

use super::*;
use crate::units::Dice;

/// Rule sets per run; an unoptimised build walks fewer of them.
const SETS: u64 = if cfg!(debug_assertions) { 36 } else { 500 };

const ZONES: [Tz; 12] = [
    Tz::UTC,
    Tz::America__New_York,
    Tz::Europe__Berlin,
    Tz::Australia__Lord_Howe,
    Tz::America__St_Johns,
    Tz::Asia__Kolkata,
    Tz::Asia__Kathmandu,
    Tz::Pacific__Apia,
    Tz::Africa__Cairo,
    Tz::Africa__Casablanca,
    Tz::America__Santiago,
    Tz::Pacific__Chatham,
];

/// Years with odd changes (Samoa skipped a day, Newfoundland changed at 00:01), and future years with a leap day.
const PERIODS: [(&str, &str); 2] =
    [("2010-06-01T00:00:00Z", "2012-06-01T00:00:00Z"), ("2027-01-01T00:00:00Z", "2029-01-01T00:00:00Z")];

/// Random choices, the same in every run.
struct Choices(Dice);

impl Choices {
    fn below(&mut self, n: u64) -> u64 {
        self.0.bits() % n
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// A cron field: its text and what it means.
struct Field {
    text: String,
    holds: Vec<bool>,
    star: bool,
}

struct Cron {
    text: String,
    of_day: Vec<bool>,
    star: bool,
    dom: Field,
    month: Field,
    dow: Field,
}

enum Kind {
    Clock { weekdays: [bool; 7], start: i64, minutes: i64 },
    Cron { start: Box<Cron>, end: Box<Cron> },
}

enum Effect {
    Min(u32),
    Max(u32),
    Exactly(u32),
    Factor(f64),
}

struct Rule {
    raw: RawRule,
    kind: Kind,
    on: Option<BTreeSet<NaiveDate>>,
    except: BTreeSet<NaiveDate>,
    until: Option<i64>,
    effect: Effect,
}

/// What the person beside the clock remembers about one rule.
#[derive(Clone)]
struct Watch {
    /// Open, shut, or not seen yet.
    open: Option<bool>,
    shuts_at: i64,
    day: i64,
    starts_today: bool,
    ends_today: bool,
}

fn field(dice: &mut Choices, low: u64, high: u64, star_percent: u64) -> Field {
    let size = high as usize + 1;
    let mut holds = vec![false; size];
    let span = high - low + 1;
    let star = dice.chance(star_percent);
    let text = if star {
        let step = if dice.chance(60) { 1 } else { *dice.pick(&[2, 5, 10, 15]) };
        (low..=high).step_by(step).for_each(|i| holds[i as usize] = true);
        if step == 1 { "*".to_owned() } else { format!("*/{step}") }
    } else if dice.chance(25) {
        let (a, b) = (low + dice.below(span), low + dice.below(span));
        let (a, b) = (a.min(b), a.max(b));
        (a..=b).for_each(|i| holds[i as usize] = true);
        format!("{a}-{b}")
    } else {
        let count = if dice.chance(70) { 1 } else { 2 + dice.below(2) };
        let values: BTreeSet<u64> = (0..count).map(|_| low + dice.below(span)).collect();
        values.iter().for_each(|&i| holds[i as usize] = true);
        values.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
    };
    Field { star: text == "*", text, holds }
}

fn cron(dice: &mut Choices) -> Cron {
    let minute = field(dice, 0, 59, 10);
    // Half of the hours are those in which clocks change.
    let hour = if dice.chance(50) { field(dice, 0, 4, 0) } else { field(dice, 0, 23, 20) };
    let dom = field(dice, 1, 31, 80);
    let month = field(dice, 1, 12, 90);
    let mut dow = field(dice, 0, 7, 50);
    dow.holds[0] |= dow.holds[7];
    let holds = |hour: &Field, minute: &Field, of_day: usize| {
        hour.holds.get(of_day / 60).copied().unwrap_or(false) && minute.holds[of_day % 60]
    };
    Cron {
        of_day: (0..1_440).map(|of_day| holds(&hour, &minute, of_day)).collect(),
        star: minute.text.contains('*') || hour.text.contains('*'),
        text: format!("{} {} {} {} {}", minute.text, hour.text, dom.text, month.text, dow.text),
        dom,
        month,
        dow,
    }
}

impl Cron {
    fn on(&self, date: NaiveDate) -> bool {
        let dom = self.dom.holds[date.day() as usize];
        let dow = self.dow.holds[date.weekday().num_days_from_sunday() as usize];
        let day = match (self.dom.star, self.dow.star) {
            (true, _) => dow,
            (_, true) => dom,
            (false, false) => dom || dow,
        };
        day && self.month.holds[date.month() as usize]
    }
}

fn clock_text(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn random_rule(dice: &mut Choices, from: i64, named: &BTreeSet<NaiveDate>) -> Rule {
    let mut raw = RawRule::default();
    let day = |dice: &mut Choices| date_of(from / 86_400 + dice.below(731) as i64);
    let kind = if dice.chance(50) {
        let mut weekdays = [true; 7];
        if dice.chance(70) {
            let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
            let (a, n) = (dice.below(7) as usize, dice.below(7) as usize);
            weekdays = std::array::from_fn(|i| (i + 7 - a) % 7 <= n);
            raw.set("days", vec![format!("{}-{}", names[a], names[(a + n) % 7])]);
        }
        let hours = if dice.chance(50) { 4 } else { 24 };
        let start = dice.below(hours * 12) as i64 * 5;
        let mut end = dice.below(24 * 12 + 1) as i64 * 5;
        end = if end == start { (start + 30) % 1_440 } else { end };
        raw.set("start", vec![clock_text(start)]);
        raw.set("end", vec![clock_text(end)]);
        Kind::Clock { weekdays, start, minutes: if end > start { end - start } else { end + 1_440 - start } }
    } else {
        let (start, end) = (Box::new(cron(dice)), Box::new(cron(dice)));
        raw.set("start", vec![start.text.clone()]);
        raw.set("end", vec![end.text.clone()]);
        Kind::Cron { start, end }
    };
    let mut on = None;
    if dice.chance(10) {
        on = Some((0..40).map(|_| day(dice)).collect::<BTreeSet<_>>());
        raw.set("on", on.iter().flatten().map(ToString::to_string).collect());
    } else if dice.chance(10) {
        on = Some(named.clone());
        raw.set("calendar", vec!["named".to_owned()]);
    }
    let except: BTreeSet<_> =
        if dice.chance(40) { (0..60).map(|_| day(dice)).collect() } else { BTreeSet::new() };
    if !except.is_empty() {
        raw.set("except", except.iter().map(ToString::to_string).collect());
    }
    let until = dice.chance(15).then(|| from + dice.below(731 * 86_400) as i64);
    if let Some(until) = until {
        raw.set("until", vec![Time::from_epoch(until).to_string()]);
    }
    let count = dice.below(6) as u32;
    let effect = match dice.below(4) {
        0 => Effect::Min(count),
        1 => Effect::Max(count),
        2 => Effect::Exactly(count),
        _ => Effect::Factor(*dice.pick(&[0.5, 2.0, 4.0])),
    };
    match effect {
        Effect::Min(count) => raw.set("min", vec![count.to_string()]),
        Effect::Max(count) => raw.set("max", vec![count.to_string()]),
        Effect::Exactly(count) => raw.set("exactly", vec![count.to_string()]),
        Effect::Factor(factor) => raw.set("factor", vec![factor.to_string()]),
    }
    Rule { raw, kind, on, except, until, effect }
}

fn date_of(day: i64) -> NaiveDate {
    NaiveDate::from_num_days_from_ce_opt(day as i32 + 719_163).expect("a date")
}

impl Rule {
    fn look_up(&self, watch: &mut Watch, day: i64, sundays: &BTreeSet<NaiveDate>) {
        if watch.day == day {
            return;
        }
        watch.day = day;
        let date = date_of(day);
        let admitted = !self.except.contains(&date) && self.on.as_ref().is_none_or(|on| on.contains(&date));
        let weekday =
            if sundays.contains(&date) { 6 } else { date.weekday().num_days_from_monday() as usize };
        (watch.starts_today, watch.ends_today) = match &self.kind {
            Kind::Clock { weekdays, .. } => (admitted && weekdays[weekday], false),
            Kind::Cron { start, end } => (admitted && start.on(date), end.on(date)),
        };
    }

    /// The clock shows `local`. The minutes `fresh` are passed for the first time; the last of them is the furthest
    /// that the clock has ever been.
    fn tick(
        &self,
        watch: &mut Watch,
        local: i64,
        fresh: std::ops::RangeInclusive<i64>,
        furthest: i64,
        sundays: &BTreeSet<NaiveDate>,
    ) {
        match &self.kind {
            Kind::Clock { start, minutes, .. } => {
                for minute in fresh {
                    if minute.rem_euclid(1_440) == *start {
                        self.look_up(watch, minute.div_euclid(1_440), sundays);
                        if watch.starts_today {
                            watch.shuts_at = minute + minutes;
                        }
                    }
                }
                watch.open = Some(furthest < watch.shuts_at);
            }
            Kind::Cron { start, end } => {
                let (mut starts, mut ends) = (false, false);
                for minute in fresh {
                    self.look_up(watch, minute.div_euclid(1_440), sundays);
                    let of_day = minute.rem_euclid(1_440) as usize;
                    starts |= !start.star && watch.starts_today && start.of_day[of_day];
                    ends |= !end.star && watch.ends_today && end.of_day[of_day];
                }
                self.look_up(watch, local.div_euclid(1_440), sundays);
                let of_day = local.rem_euclid(1_440) as usize;
                starts |= start.star && watch.starts_today && start.of_day[of_day];
                ends |= end.star && watch.ends_today && end.of_day[of_day];
                if ends {
                    watch.open = Some(false);
                } else if starts {
                    watch.open = Some(true);
                }
            }
        }
    }
}

type Answer = (Option<u32>, Option<u32>, f64, bool);

fn answer(rules: &[Rule], open: &[bool]) -> Answer {
    let (mut floor, mut ceiling, mut factor) = (None::<u32>, None::<u32>, 1.0);
    for (rule, _) in rules.iter().zip(open).filter(|(_, open)| **open) {
        if let Effect::Min(count) | Effect::Exactly(count) = rule.effect {
            floor = floor.max(Some(count));
        }
        if let Effect::Max(count) | Effect::Exactly(count) = rule.effect {
            ceiling = Some(ceiling.map_or(count, |held| held.min(count)));
        }
        if let Effect::Factor(by) = rule.effect {
            factor *= by;
        }
    }
    let crossed = floor.is_some() && ceiling.is_some() && floor > ceiling;
    (floor, if crossed { floor } else { ceiling }, factor, crossed)
}

fn shape(bounds: &Bounds) -> Answer {
    (floor(bounds), ceiling(bounds), bounds.factor, bounds.crossed)
}

/// The wall clock of a zone at each minute of a period, in local minutes since the epoch.
fn wall_clock(zone: Tz, from: i64, to: i64) -> Vec<i64> {
    (from..to)
        .step_by(60)
        .map(|at| {
            let utc = Time::from_epoch(at).to_utc().naive_utc();
            at / 60 + i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()) / 60
        })
        .collect()
}

/// Walks one rule set; returns how many minutes were compared and how many changes there were.
fn walk(zone: Tz, clock: &[i64], from: i64, seed: u64) -> Option<(usize, usize)> {
    let mut dice = Choices(Dice::new(seed));
    let some_days = |dice: &mut Choices, n: u64| -> BTreeSet<NaiveDate> {
        (0..n).map(|_| date_of(from / 86_400 + dice.below(731) as i64)).collect()
    };
    let (sundays, named) = (some_days(&mut dice, 20), some_days(&mut dice, 50));
    let count = 1 + dice.below(4);
    let rules: Vec<Rule> = (0..count).map(|_| random_rule(&mut dice, from, &named)).collect();
    let raws: Vec<RawRule> = rules.iter().map(|rule| rule.raw.clone()).collect();
    let calendars = Calendars {
        sundays: Arc::new(sundays.clone()),
        named: BTreeMap::from([("named".to_owned(), named)]),
    };
    // Some random pairs never open, or name a day that no month has; they are refused correctly.
    let schedule = Schedule::new(zone, &raws, &calendars).ok()?;

    let to = from + clock.len() as i64 * 60;
    let changes = schedule.changes(Time::from_epoch(from), Time::from_epoch(to));
    let fresh =
        Watch { open: None, shuts_at: i64::MIN, day: i64::MIN, starts_today: false, ends_today: false };
    let mut watches = vec![fresh; rules.len()];
    let mut open = vec![false; rules.len()];
    let (mut furthest, mut said, mut held, mut compared) = (clock[0] - 1, 0, answer(&rules, &open), 0);
    for (i, &local) in clock.iter().enumerate() {
        let now = from + i as i64 * 60;
        let (first, last) = (furthest + 1, furthest.max(local));
        furthest = last;
        let (mut seen, mut differs) = (true, false);
        for (j, (rule, watch)) in rules.iter().zip(&mut watches).enumerate() {
            rule.tick(watch, local, first..=last, furthest, &sundays);
            // For the first two days it is unknown whether a clock window opened before the walk started.
            let known =
                if matches!(rule.kind, Kind::Clock { .. }) { i > 2_880 } else { watch.open.is_some() };
            let expired = rule.until.is_some_and(|until| now >= until);
            seen &= known || expired;
            let is_open = watch.open == Some(true) && !expired;
            differs |= is_open != open[j];
            open[j] = is_open;
        }
        if differs {
            held = answer(&rules, &open);
        }
        let mut changed = false;
        while changes.get(said + 1).is_some_and(|change| change.0.epoch() <= now) {
            said += 1;
            changed = true;
        }
        if !seen {
            continue;
        }
        compared += 1;
        let at = Time::from_epoch(now);
        assert_eq!(shape(&changes[said].1), held, "set {seed} in {zone} at {at}: {raws:#?}");
        if changed || differs || dice.below(5_000) == 0 {
            assert_eq!(shape(&schedule.at(at)), held, "set {seed} in {zone} at {at}: {raws:#?}");
        }
    }
    Some((compared, changes.len()))
}

#[test]
fn a_person_beside_the_clock_agrees_for_two_years() {
    let (mut sets, mut compared, mut changes) = (0, 0, 0);
    for (z, zone) in ZONES.iter().enumerate() {
        for (p, (from, to)) in PERIODS.iter().enumerate() {
            let (from, to) = (at(from).epoch(), at(to).epoch());
            let clock = wall_clock(*zone, from, to);
            let mut seed = (z * 1_000_000 + p * 100_000) as u64;
            let quota = (SETS / 24 + u64::from((z * 2 + p) as u64 <= SETS % 24)) as usize;
            let mut done = 0;
            while done < quota {
                seed += 1;
                if let Some((minutes, count)) = walk(*zone, &clock, from, seed) {
                    done += 1;
                    compared += minutes;
                    changes += count;
                }
            }
            sets += done;
        }
    }
    assert!(sets >= SETS as usize, "{sets} sets");
    // Rare patterns leave the state unknown at first, but overall nearly every minute is compared.
    assert!(compared > sets * 700_000, "{compared} minutes of {sets} sets");
    assert!(changes > sets * 500, "{changes} changes in {sets} sets");
}
