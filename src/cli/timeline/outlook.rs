//! What is known about the coming days without a forecast: intervals with constant bounds, and events.

use chrono::{Datelike, TimeZone};
use chrono_tz::Tz;

use super::workload::Workload;
use crate::capacity::learned_range;
use crate::decide::{Stretch as Hour, allowed};
use crate::policy::{Bounds, CapacityMode, Limits, Override, Policy, clock_changes};
use crate::units::{Replicas, Span, Time};

/// Everything that is shown.
pub(super) struct Outlook {
    pub title: String,
    pub zone: Tz,
    pub from: Time,
    pub to: Time,
    pub limits: Limits,
    /// Ascending and without gaps.
    pub stretches: Vec<Stretch>,
    /// Ascending.
    pub events: Vec<Event>,
    /// One entry per hour; empty without a history.
    pub hours: Vec<Hour>,
    /// Labels of the schedule's rules.
    pub rules: Vec<String>,
    pub r#override: Option<Override>,
    /// The load per replica that is used; `None` if no load asks for replicas.
    pub threshold: Option<String>,
    /// Whether only the schedule asks for replicas.
    pub is_schedule_only: bool,
}

/// An interval in which the schedule asks for the same.
pub(super) struct Stretch {
    pub from: Time,
    pub to: Time,
    pub bounds: Bounds,
}

/// Something that happens at an instant or on a date.
pub(super) struct Event {
    pub at: Time,
    pub kind: &'static str,
    pub text: String,
}

/// The load per replica that is used, or its range if it is learned.
fn threshold(policy: &Policy) -> Option<String> {
    let given = policy.signals.first()?.threshold.get();
    Some(match policy.capacity.as_ref().map(|learning| learning.mode) {
        None => format!("{given} per replica, as given"),
        Some(CapacityMode::Advise) => {
            format!("{given} per replica, as given; what is learned is published only (capacity: advise)")
        }
        Some(CapacityMode::Auto) => {
            let [least, most] = learned_range(given);
            format!("{least} to {most} per replica, as learned (capacity: auto); {given} until then")
        }
    })
}

// === impl Outlook ===

impl Outlook {
    /// Everything except the forecast.
    pub(super) fn of(workload: &Workload, from: Time, to: Time) -> Self {
        let policy = &workload.policy;
        let schedule = &policy.schedule;
        let changes = schedule.changes(from, to);
        let ends = changes.iter().skip(1).map(|(at, _)| *at).chain([to]);
        let stretches =
            changes.iter().zip(ends).map(|(&(from, bounds), to)| Stretch { from, to, bounds }).collect();
        let mut outlook = Outlook {
            title: workload.title.clone(),
            threshold: threshold(policy),
            is_schedule_only: policy.is_schedule_only(),
            zone: schedule.zone(),
            from,
            to,
            limits: policy.limits,
            stretches,
            events: Vec::new(),
            hours: Vec::new(),
            rules: schedule.rules().iter().map(|rule| rule.label().to_owned()).collect(),
            r#override: policy.r#override.clone().filter(|word| word.holds_at(from)),
        };
        outlook.add_events(workload);
        outlook.events.sort_by_key(|event| event.at);
        outlook
    }

    fn add_events(&mut self, workload: &Workload) {
        let (from, to, zone) = (self.from, self.to, self.zone);
        self.events.extend(clock_events(zone, from, to));
        let policy = &workload.policy;
        for date in policy.calendar.sundays() {
            let midnight = date.and_hms_opt(0, 0, 0).and_then(|t| zone.from_local_datetime(&t).earliest());
            let Some(at) = midnight.map(|t| Time::from_epoch(t.timestamp())) else { continue };
            if at + Span::DAY > from && at < to {
                self.events.push(Event {
                    at: at.max(from),
                    kind: "calendar",
                    text: format!("{date} counts as a Sunday"),
                });
            }
        }
        for (i, rule) in policy.schedule.rules().iter().enumerate() {
            if let Some(until) = rule.until().filter(|until| *until >= from && *until < to) {
                self.events.push(Event {
                    at: until,
                    kind: "rule_ends",
                    text: format!("rule {i} '{}' ends for good", rule.label()),
                });
            }
        }
        let dates =
            workload.rules.iter().enumerate().flat_map(|(i, rule)| {
                rule.texts("on").iter().map(move |date| (i, rule, date.trim().to_owned()))
            });
        for (i, rule, date) in dates {
            let midnight = chrono::NaiveDate::parse_from_str(&date, "%Y-%m-%d").ok();
            let midnight = midnight.and_then(|d| d.and_hms_opt(0, 0, 0));
            let at = midnight.and_then(|t| zone.from_local_datetime(&t).earliest());
            let Some(at) = at.map(|t| Time::from_epoch(t.timestamp())) else { continue };
            if at + Span::DAY > from && at < to {
                let name = rule.text("name").map_or_else(|| format!("rule {i}"), str::to_owned);
                self.events.push(Event {
                    at: at.max(from),
                    kind: "event",
                    text: format!("{name}, on {date}"),
                });
            }
        }
        if let Some(word) = &self.r#override {
            let because = if word.reason.is_empty() { String::new() } else { format!(": {}", word.reason) };
            let text = format!("the override of {} ends{because}", word.replicas.in_words());
            self.events.push(Event { at: word.until, kind: "override_ends", text });
        }
        for stretch in self.stretches.iter().filter(|stretch| stretch.bounds.crossed) {
            let text = "a floor is above a ceiling; the floor wins".to_owned();
            self.events.push(Event { at: stretch.from, kind: "crossing_rules", text });
        }
    }

    /// An instant by the wall clock: `Tue 24 Nov 17:10`, with the year if it is not the first one.
    pub(super) fn shown(&self, at: Time) -> String {
        let local = self.zone.from_utc_datetime(&at.to_utc().naive_utc());
        let first = self.zone.from_utc_datetime(&self.from.to_utc().naive_utc());
        let seconds = if at.epoch() % 60 == 0 { "" } else { ":%S" };
        let year = if local.year() == first.year() { "" } else { " %Y" };
        local.format(&format!("%a %d %b{year} %H:%M{seconds}")).to_string()
    }

    /// The replicas possible in an interval: one number if the workload only follows its schedule, otherwise the
    /// fewest and the most; and the effect of an override.
    pub(super) fn replicas(&self, stretch: &Stretch) -> String {
        let (least, most) = allowed(&stretch.bounds, &self.limits, None);
        let left = if self.is_schedule_only || least == most {
            least.to_string()
        } else {
            format!("{least} to {most}")
        };
        match self.r#override.as_ref().filter(|word| word.holds_at(stretch.from)) {
            Some(word) if word.until >= stretch.to => self.range_at(stretch.from).0.to_string(),
            Some(_) => format!("{} then {left}", self.range_at(stretch.from).0),
            None => left,
        }
    }

    /// The bounds at an instant: the fewest and the most replicas.
    pub(super) fn range_at(&self, at: Time) -> (Replicas, Replicas) {
        let index = self.stretches.partition_point(|stretch| stretch.from <= at).saturating_sub(1);
        let bounds = self.stretches.get(index).map_or(Bounds::NONE, |stretch| stretch.bounds);
        allowed(&bounds, &self.limits, self.r#override.as_ref().filter(|word| word.holds_at(at)))
    }
}

/// Every change of the zone's clock.
fn clock_events(zone: Tz, from: Time, to: Time) -> impl Iterator<Item = Event> {
    clock_changes(zone, from, to).into_iter().map(|change| {
        let way = if change.moved > 0 { "forward" } else { "back" };
        let text = format!("clocks go {way} by {}", Span::seconds(change.moved.abs()));
        Event { at: change.at, kind: "clock_change", text }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_changes_are_found_to_the_minute() {
        for (zone, from, want) in [
            (Tz::Europe__Berlin, "2026-03-20T00:00:00Z", "2026-03-29T01:00:00Z clocks go forward by 1h"),
            (Tz::America__New_York, "2026-10-25T12:34:00Z", "2026-11-01T06:00:00Z clocks go back by 1h"),
            (Tz::Australia__Lord_Howe, "2026-03-30T00:00:00Z", "2026-04-04T15:00:00Z clocks go back by 30m"),
        ] {
            let from = Time::parse(from).expect("an instant");
            let found = clock_events(zone, from, from + Span::days(14));
            let shown: Vec<_> = found.map(|e| format!("{} {}", e.at, e.text)).collect();
            assert_eq!(shown, [want], "{zone}");
        }
        let from = Time::parse("2026-01-01T00:00:00Z").expect("an instant");
        assert_eq!(clock_events(Tz::UTC, from, from + Span::days(366)).count(), 0);
    }
}
