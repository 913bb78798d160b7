//! Until when what people said holds: the end of an override, or the next change of the schedule, in words.
//!
//! It tells what was said, on the wall clock of the policy's zone; what the load will ask for is not looked at.

use std::fmt;

use chrono::TimeZone;
use chrono_tz::Tz;

use super::Policy;
use super::schedule::{Bound, Bounds};
use crate::units::{Span, Time};

/// How far the next change is looked for: a weekly rule has one.
const WEEK: Span = Span::days(8);

/// The next change of what people said.
#[derive(Debug, Clone, PartialEq)]
pub struct Coming {
    /// When.
    pub at: Time,
    /// The same on the wall clock of the policy's zone, such as `Fri 27 Nov 09:00`.
    pub local: String,
    /// What holds from then on, such as `floor 1`.
    pub to: String,
}

// === impl Policy ===

impl Policy {
    /// What people said, until when it holds and what comes then; `None` where nothing changes within a week. An
    /// override hides the schedule until it ends.
    pub fn coming(&self, now: Time) -> Option<Coming> {
        let (at, to) = match self.override_at(now) {
            Some(word) => {
                let why = if word.reason.is_empty() { String::new() } else { format!(" ({})", word.reason) };
                (word.until, format!("the override ends{why}"))
            }
            None => {
                let (at, bounds) = self.schedule.next_change(now, WEEK)?;
                (at, in_words(&bounds))
            }
        };
        Some(Coming { at, local: wall_clock(self.schedule.zone(), at, now), to })
    }
}

/// An instant as the wall clock of a zone shows it, with the day where it is another one than `now`'s.
pub fn wall_clock(zone: Tz, at: Time, now: Time) -> String {
    let shown =
        |at: Time, form: &str| zone.from_utc_datetime(&at.to_utc().naive_utc()).format(form).to_string();
    let day = |at: Time| shown(at, "%a %-d %b");
    if day(at) == day(now) { shown(at, "%H:%M") } else { shown(at, "%a %-d %b %H:%M") }
}

fn in_words(bounds: &Bounds) -> String {
    let bound = |name: &str, bound: Option<Bound>| Some(format!("{name} {}", bound?.replicas));
    let factor = (bounds.factor != 1.0).then(|| format!("load × {}", bounds.factor));
    let parts = [bound("floor", bounds.floor), bound("ceiling", bounds.ceiling), factor];
    let words = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if words.is_empty() { "no floor and no ceiling".to_owned() } else { words }
}

/// As a line for people: `Fri 27 Nov 09:00: floor 1`.
impl fmt::Display for Coming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.local, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Keys;

    fn told(more: &[(&str, &str)], now: &str) -> Option<String> {
        let mut keys = Keys::default();
        let all = [("timezone", "Europe/Berlin"), ("minReplicas", "0")];
        for (key, value) in all.iter().chain(more) {
            keys.values.insert((*key).to_owned(), (*value).to_owned());
        }
        let policy = Policy::from_keys(&keys).expect("valid");
        policy.coming(Time::parse(now).expect("an instant")).map(|coming| coming.to_string())
    }

    #[test]
    fn a_night_ends_in_the_morning_and_an_override_when_it_says() {
        let office = [("start", "0 9 * * 1-5"), ("end", "0 18 * * 1-5"), ("desiredReplicas", "1")];
        let late = ("override", "replicas=2 until=2026-11-26T21:00:00Z reason=launch");
        let plain = ("override", "replicas=2 until=2026-11-26T21:00:00Z");
        for (more, now, want) in [
            (&office[..], "2026-11-26T05:00:00Z", Some("09:00: floor 1")),
            (&office[..], "2026-11-26T12:00:00Z", Some("18:00: no floor and no ceiling")),
            // Friday night: Monday is another day.
            (&office[..], "2026-11-27T20:00:00Z", Some("Mon 30 Nov 09:00: floor 1")),
            (
                &[office[0], office[1], office[2], late],
                "2026-11-26T20:00:00Z",
                Some("22:00: the override ends (launch)"),
            ),
            (
                &[office[0], office[1], office[2], plain],
                "2026-11-26T20:00:00Z",
                Some("22:00: the override ends"),
            ),
            (&[("query", "up"), ("threshold", "1")], "2026-11-26T20:00:00Z", None),
        ] {
            assert_eq!(told(more, now).as_deref(), want, "{more:?} {now}");
        }
    }
}
