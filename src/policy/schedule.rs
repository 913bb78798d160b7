//! Schedules: rules that raise, cap, fix or multiply a workload's replicas during windows of local time.
//!
//! A schedule is a pure function of an instant. It reads no clock and never depends on its previous answers, so two
//! replicas of the scaler, or one after a restart, agree. Windows are half open, so adjacent windows leave neither a
//! dip nor an overlap.

mod bounds;
mod cron;
mod cursor;
mod dates;
mod raw;
mod reader;
mod window;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;

pub use bounds::{Bound, Bounds, Effect};
pub use cursor::Cursor;
pub use raw::{RULE_KEYS, RawRule, RuleForm, RuleKey, parse_zone};

use crate::policy::Fault;
use crate::units::Time;
use dates::Dates;
use window::{Stretch, Window};

/// A time zone and the rules that apply in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    zone: Tz,
    rules: Vec<Rule>,
}

/// A window of local time, and its effects while it is open.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    label: String,
    effects: Vec<Effect>,
    dates: Dates,
    window: Window,
    until: Option<Time>,
}

/// The dates of calendars that rules may refer to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendars {
    /// Dates that count as Sunday for `days`, whatever their weekday: those of the workload's own calendar.
    pub sundays: Arc<BTreeSet<NaiveDate>>,
    /// Calendars by name, for the keys `calendar` and `except`.
    pub named: BTreeMap<String, BTreeSet<NaiveDate>>,
}

/// The most rules in one schedule: more are a generator's mistake, and each adds to the cost of every decision.
const MAX_RULES: usize = 200;

// === impl Schedule ===

impl Schedule {
    /// A schedule without rules.
    pub fn empty(zone: Tz) -> Self {
        Schedule { zone, rules: Vec::new() }
    }

    /// Checks and compiles rules whose local times are in `zone`. All faults are reported at once, under
    /// `schedule[0].start` and the like.
    pub fn new(zone: Tz, rules: &[RawRule], calendars: &Calendars) -> Result<Self, Vec<Fault>> {
        if rules.len() > MAX_RULES {
            let fault =
                Fault::new("schedule", &rules.len().to_string(), format!("at most {MAX_RULES} rules"));
            return Err(vec![fault]);
        }
        let mut faults = Vec::new();
        let compiled = rules
            .iter()
            .enumerate()
            .filter_map(|(i, raw)| raw.compile(&format!("schedule[{i}]"), calendars, &mut faults))
            .collect();
        if faults.is_empty() { Ok(Schedule { zone, rules: compiled }) } else { Err(faults) }
    }

    /// Converts the four keys of KEDA's cron trigger (`start`, `end`, `timezone`, `desiredReplicas`) to a schedule of
    /// one rule: a floor of `desired` replicas while the last start is later than the last end. An empty text counts
    /// as missing.
    pub fn from_keda(start: &str, end: &str, timezone: &str, desired: &str) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let opens = reader::keda_cron("start", start, &mut faults);
        let shuts = reader::keda_cron("end", end, &mut faults);
        if let (Some(opens), Some(shuts)) = (&opens, &shuts)
            && opens.same_as(shuts)
        {
            let expected = "an end that fires at other times than start; this window would never open";
            faults.push(Fault::new("end", end, expected));
        }
        let zone = parse_zone("timezone", timezone).map_err(|fault| faults.push(fault)).ok();
        let desired = reader::keda_replicas(desired, &mut faults);
        match (opens, shuts, zone, desired) {
            (Some(start), Some(end), Some(zone), Some(desired)) if faults.is_empty() => {
                let label = format!("{} to {}", start.text(), end.text());
                let (effects, window) = (vec![Effect::Min(desired)], Window::Cron { start, end });
                Ok(Schedule {
                    zone,
                    rules: vec![Rule { label, effects, dates: Dates::all(), window, until: None }],
                })
            }
            _ => Err(faults),
        }
    }

    /// The same schedule with more rules after its own.
    pub(super) fn with_rules<'a>(mut self, rules: impl IntoIterator<Item = &'a Rule>) -> Self {
        self.rules.extend(rules.into_iter().cloned());
        self
    }

    /// The time zone of the rules.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The rules, in the order written.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What the schedule asks for at an instant.
    pub fn at(&self, now: Time) -> Bounds {
        self.combine(|_, rule| rule.is_open(self.zone, now))
    }

    /// Answers at many instants; cheap if they ascend.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self)
    }

    /// What the schedule asks for at `from`, then every change before `to`, ascending.
    pub fn changes(&self, from: Time, to: Time) -> Vec<(Time, Bounds)> {
        let mut edges: Vec<(Time, usize, bool)> = Vec::new();
        let mut open = vec![false; self.rules.len()];
        for (i, rule) in self.rules.iter().enumerate() {
            for (opens, shuts) in rule.stretches(self.zone, from, to) {
                if opens <= from {
                    open[i] = true;
                } else {
                    edges.push((opens, i, true));
                }
                if shuts < to {
                    edges.push((shuts, i, false));
                }
            }
        }
        edges.sort_unstable();
        let mut held = self.combine(|i, _| open[i]);
        let mut changes = vec![(from, held)];
        for group in edges.chunk_by(|a, b| a.0 == b.0) {
            for &(_, i, opens) in group {
                open[i] = opens;
            }
            let bounds = self.combine(|i, _| open[i]);
            if bounds != held {
                changes.push((group[0].0, bounds));
                held = bounds;
            }
        }
        changes
    }

    fn combine(&self, is_open: impl Fn(usize, &Rule) -> bool) -> Bounds {
        let open = self.rules.iter().enumerate().filter(|(i, rule)| is_open(*i, rule));
        Bounds::of(open.flat_map(|(i, rule)| rule.effects.iter().map(move |&effect| (i, effect))))
    }
}

// === impl Rule ===

impl Rule {
    /// Its name, or its window as written.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Its effects while its window is open.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// The instant from which on it has no effect.
    pub fn until(&self) -> Option<Time> {
        self.until
    }

    fn is_open(&self, zone: Tz, now: Time) -> bool {
        self.until.is_none_or(|until| now < until) && self.window.is_open(zone, &self.dates, now)
    }

    fn stretches(&self, zone: Tz, from: Time, to: Time) -> Vec<Stretch> {
        let to = self.until.map_or(to, |until| until.min(to));
        if from >= to { Vec::new() } else { self.window.stretches(zone, &self.dates, from, to) }
    }
}
