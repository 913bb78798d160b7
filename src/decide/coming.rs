//! How long the override or the schedule in force applies, in words: the end of an override, or the next change of
//! the allowed replicas.
//!
//! It only covers what people configured, on the wall clock of the policy's time zone. It never looks at the load.

use std::fmt;

use chrono::TimeZone;
use chrono_tz::Tz;

use super::allowed;
use crate::policy::{Bounds, Policy};
use crate::units::{Span, Time};

/// How far ahead to search for the next change, in this order. Most rules have a change within a day, which is much
/// cheaper to find than a weekly one.
const AHEAD: [Span; 3] = [Span::HOUR, Span::DAY, Span::days(8)];

/// The next change of override or schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Coming {
    /// When.
    pub at: Time,
    /// The same on the wall clock of the policy's time zone, such as `Fri 27 Nov 09:00`.
    pub local: String,
    /// That time zone.
    pub zone: Tz,
    /// What applies from then on, such as `1 replica` or `2 to 40 replicas`.
    pub to: String,
}

/// The next change and what applies then; `None` if the schedule changes nothing within eight days and no override
/// begins or ends. An override hides the schedule until it ends. A rule's boundary that leaves the allowed replicas
/// unchanged does not count as a change.
pub fn coming(policy: &Policy, now: Time) -> Option<Coming> {
    let zone = policy.schedule.zone();
    let (at, to) = match policy.override_at(now) {
        Some(word) => {
            let why = if word.reason.is_empty() { String::new() } else { format!(" ({})", word.reason) };
            let then = in_words(policy, &policy.schedule.at(word.until));
            (word.until, format!("the override ends{why}, then {then}"))
        }
        None => {
            let present = in_words(policy, &policy.schedule.at(now));
            let within = |span| {
                let changes = policy.schedule.changes(now, now + span).into_iter();
                let mut told = changes.map(|(at, bounds)| (at, in_words(policy, &bounds)));
                told.find(|(_, words)| *words != present)
            };
            let next = AHEAD.into_iter().find_map(within);
            // An override that begins earlier hides the schedule's change.
            let later =
                policy.r#override.as_ref().and_then(|word| Some((word.from.filter(|at| *at > now)?, word)));
            match later {
                Some((from, word)) if next.as_ref().is_none_or(|(at, _)| from <= *at) => {
                    (from, format!("an override of {} begins", word.replicas.in_words()))
                }
                _ => next?,
            }
        }
    };
    Some(Coming { at, local: wall_clock(zone, at, now), zone, to })
}

/// An instant on the wall clock of a time zone; with the day if it is not the day of `now`.
pub fn wall_clock(zone: Tz, at: Time, now: Time) -> String {
    let shown =
        |at: Time, form: &str| zone.from_utc_datetime(&at.to_utc().naive_utc()).format(form).to_string();
    let day = |at: Time| shown(at, "%a %-d %b");
    if day(at) == day(now) { shown(at, "%H:%M") } else { shown(at, "%a %-d %b %H:%M") }
}

/// The replicas that may run; for a workload that follows its schedule alone, those that will run.
fn in_words(policy: &Policy, bounds: &Bounds) -> String {
    let (least, most) = allowed(bounds, &policy.limits, None);
    if policy.is_schedule_only() || least == most {
        return least.in_words();
    }
    let factor = if bounds.factor == 1.0 { String::new() } else { format!(", load × {}", bounds.factor) };
    format!("{least} to {}{factor}", most.in_words())
}

/// One line, such as `Fri 27 Nov 09:00 Europe/Berlin: 1 replica`.
impl fmt::Display for Coming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.local, self.zone, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Keys;

    fn told(more: &[(&str, &str)], now: &str) -> Option<String> {
        let mut keys = Keys::default();
        let all = [("timezone", "Europe/Berlin"), ("minReplicas", "0"), ("maxReplicas", "9")];
        for (key, value) in all.iter().chain(more) {
            keys.values.insert((*key).to_owned(), (*value).to_owned());
        }
        let policy = Policy::from_keys(&keys).expect("valid");
        coming(&policy, Time::parse(now).expect("an instant")).map(|coming| coming.to_string())
    }

    #[test]
    fn a_night_ends_in_the_morning_and_an_override_when_it_says() {
        let office = [("start", "0 9 * * 1-5"), ("end", "0 18 * * 1-5"), ("desiredReplicas", "1")];
        let with = |more: &[(&'static str, &'static str)]| [&office[..], more].concat();
        let load = ("query", "up");
        for (more, now, want) in [
            (with(&[]), "2026-11-26T05:00:00Z", Some("09:00 Europe/Berlin: 1 replica")),
            (with(&[]), "2026-11-26T12:00:00Z", Some("18:00 Europe/Berlin: 0 replicas")),
            // Friday night: the change is on another day, Monday.
            (with(&[]), "2026-11-27T20:00:00Z", Some("Mon 30 Nov 09:00 Europe/Berlin: 1 replica")),
            (
                with(&[load, ("threshold", "1")]),
                "2026-11-26T05:00:00Z",
                Some("09:00 Europe/Berlin: 1 to 9 replicas"),
            ),
            (
                with(&[("override", "replicas=2 until=2026-11-26T21:00:00Z reason=launch")]),
                "2026-11-26T20:00:00Z",
                Some("22:00 Europe/Berlin: the override ends (launch), then 0 replicas"),
            ),
            (vec![load, ("threshold", "1")], "2026-11-26T20:00:00Z", None),
            // `minReplicas` is the floor all the time.
            (with(&[("minReplicas", "1")]), "2026-11-26T12:00:00Z", None),
        ] {
            assert_eq!(told(&more, now).as_deref(), want, "{more:?} {now}");
        }
    }
}
