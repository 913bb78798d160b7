//! Prints decisions as lines of a scenario.

use chrono::SecondsFormat;
use chrono_tz::Tz;
use forescale::decide::{Blind, Decision};
use forescale::units::Time;

/// The whole decision: replicas, rung, reason; what each contributor asked for, in parentheses if it does not count;
/// notes; when the limit is expected to bind.
pub(super) fn line(stamp: &str, answer: &Result<Decision, Blind>) -> String {
    let decision = match answer {
        Ok(decision) => decision,
        Err(blind) => return format!("{stamp}  UNAVAILABLE {blind}"),
    };
    let needs = decision.needs.iter().map(|need| {
        let (name, replicas) = (need.contributor.as_str(), need.replicas);
        if need.counts { format!("{name} {replicas}") } else { format!("({name} {replicas})") }
    });
    let mut parts = vec![short(answer), needs.collect::<Vec<_>>().join(", ")];
    parts.extend(decision.notes.iter().map(ToString::to_string));
    if let Some((span, probability)) = decision.capped_in {
        parts.push(format!("will be capped in {span} with probability {probability:.2}"));
    }
    parts.retain(|part| !part.is_empty());
    format!("{stamp}  {}", parts.join(" | "))
}

/// Replicas, rung and reason.
pub(super) fn short(answer: &Result<Decision, Blind>) -> String {
    match answer {
        Ok(d) => {
            let asleep = if d.active() { "" } else { " inactive" };
            format!("{}{asleep} {} {}", d.replicas, d.rung.as_str(), d.reason.as_str())
        }
        Err(blind) => format!("UNAVAILABLE {blind}"),
    }
}

/// An instant in the form of the question: days and hours since `start`, or RFC 3339 in the zone.
pub(super) fn stamp(at: Time, start: Option<Time>, zone: Option<Tz>) -> String {
    if let Some(start) = start {
        let seconds = at.since(start).as_seconds();
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let text = format!("{days}d{:02}:{:02}", rest / 3_600, rest % 3_600 / 60);
        return if rest % 60 == 0 { text } else { format!("{text}:{:02}", rest % 60) };
    }
    let zone = zone.unwrap_or(Tz::UTC);
    at.to_utc().with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, true)
}
