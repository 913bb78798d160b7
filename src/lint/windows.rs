//! What the rules of a schedule will do over the coming year: never open, never close, meet a clock change, or
//! contradict each other.

use std::sync::Arc;

use chrono_tz::Tz;

use super::findings::Findings;
use super::rules;
use super::settings::Settings;
use super::subject::{Subject, zone_of};
use crate::policy::schedule::Calendars;
use crate::policy::{Bounds, Keys, RawRule, Schedule, clock_changes};
use crate::source::yaml::{Place, locate};
use crate::units::{Span, Time};

/// How far to look ahead: a year with both clock changes, and a movable holiday.
const AHEAD: Span = Span::days(400);
/// A window that stays open for longer has no effective end.
const LONG: Span = Span::days(31);

/// One rule on its own, with its start and end as written.
struct Lone<'a> {
    schedule: Schedule,
    start: Option<&'a str>,
    end: Option<&'a str>,
    /// The paths of the rule, of its start and of its end.
    paths: [String; 3],
}

/// Checks all rules.
pub(super) fn check(subject: &Subject<'_>, keys: &Keys, settings: &Settings, findings: &mut Findings<'_>) {
    let zone = zone_of(keys);
    let own = keys.values.get("calendar").and_then(|name| keys.calendars.get(name.trim()));
    let calendars =
        Calendars { sundays: Arc::new(own.cloned().unwrap_or_default()), named: keys.calendars.clone() };
    for (i, raw) in keys.schedule.iter().enumerate() {
        let Ok(schedule) = Schedule::new(zone, std::slice::from_ref(raw), &calendars) else { continue };
        let path = format!("schedule[{i}]");
        let paths = [path.clone(), format!("{path}.start"), format!("{path}.end")];
        let lone = Lone { schedule, start: raw.text("start"), end: raw.text("end"), paths };
        // Only the server knows the days of a calendar.
        let known = raw.text("calendar").is_none() || settings.catalogue.is_some();
        check_lone(&lone, Some(raw).filter(|_| known), subject, settings, findings);
    }
    let cron =
        ["start", "end", "timezone", "desiredReplicas"].map(|key| keys.values.get(key).map(String::as_str));
    if let [Some(start), Some(end), Some(zone), Some(desired)] = cron
        && let Ok(schedule) = Schedule::from_keda(start, end, zone, desired)
    {
        let paths = ["start", "start", "end"].map(str::to_owned);
        let lone = Lone { schedule, start: Some(start), end: Some(end), paths };
        check_lone(&lone, Some(&RawRule::default()), subject, settings, findings);
    }
    let Ok(schedule) = Schedule::new(zone, &keys.schedule, &calendars) else { return };
    let changes = schedule.changes(settings.now, settings.now + AHEAD);
    if let Some((at, bounds)) = changes.iter().find(|(_, bounds)| bounds.crossed) {
        let rule = bounds.floor.map_or(0, |floor| floor.rule);
        let label = schedule.rules().get(rule).map_or("", |rule| rule.label());
        let place = locate(subject.node, &format!("schedule[{rule}]"), &findings.lines, subject.at);
        let message = format!("from {at}, the floor of '{label}' is above the ceiling of another rule");
        findings.add(
            &rules::CROSSING_RULES,
            place,
            message,
            "keep the windows apart, or lower the floor: the floor wins",
        );
    }
}

fn check_lone(
    lone: &Lone<'_>,
    judged: Option<&RawRule>,
    subject: &Subject<'_>,
    settings: &Settings,
    findings: &mut Findings<'_>,
) {
    let now = settings.now;
    let changes = lone.schedule.changes(now, now + AHEAD);
    let place = |findings: &Findings<'_>, path: &str| locate(subject.node, path, &findings.lines, subject.at);
    let label = lone.schedule.rules().first().map_or("", |rule| rule.label()).to_owned();
    if changes.iter().all(|(_, bounds)| *bounds == Bounds::NONE)
        && let Some(raw) = judged
    {
        let at = place(findings, &lone.paths[0]);
        let ended =
            lone.schedule.rules().first().and_then(|rule| rule.until()).is_some_and(|until| until <= now);
        let today = now.to_utc().date_naive().to_string();
        let past =
            !raw.texts("on").is_empty() && raw.texts("on").iter().all(|date| date.trim() < today.as_str());
        if ended || past {
            findings.add(&rules::RULE_IS_OVER, at, format!("'{label}' is over"), "remove the rule");
        } else {
            let message = format!("'{label}' does not open within the next {AHEAD}");
            findings.add(&rules::WINDOW_NEVER_OPENS, at, message, "check days, on, except and calendar");
        }
    }
    if lone.start.is_some_and(|start| start.trim().contains(' ')) {
        let ends = changes.iter().skip(1).map(|(at, _)| *at).chain([now + AHEAD]);
        let open = changes.iter().zip(ends).filter(|((_, bounds), _)| *bounds != Bounds::NONE);
        let longest = open.map(|((from, _), to)| to.since(*from)).max().unwrap_or(Span::ZERO);
        if longest > LONG {
            let at = place(findings, &lone.paths[2]);
            let message = format!("'{label}' stays open for {longest} at a stretch");
            findings.add(
                &rules::WINDOW_NEVER_CLOSES,
                at,
                message,
                "write an end that fires after each start",
            );
        }
    }
    let edges: Vec<Time> = changes.iter().skip(1).map(|(at, _)| *at).collect();
    for (text, path) in [(lone.start, &lone.paths[1]), (lone.end, &lone.paths[2])] {
        let Some(minute) = text.and_then(minute_of) else { continue };
        let at = place(findings, path);
        check_clock(
            minute,
            text.unwrap_or_default(),
            &edges,
            lone.schedule.zone(),
            settings.now,
            at,
            findings,
        );
    }
}

/// Whether a start or end at this minute of the day falls into a gap or an overlap of the clock.
fn check_clock(
    minute: i64,
    text: &str,
    edges: &[Time],
    zone: Tz,
    now: Time,
    at: Place,
    findings: &mut Findings<'_>,
) {
    for change in clock_changes(zone, now, now + AHEAD) {
        let moved = change.moved / 60;
        // The wall-clock time just before the change.
        let before = change.minute_before;
        // A change at midnight also belongs to the end of the previous day.
        let within =
            |span: std::ops::Range<i64>| span.contains(&minute) || span.contains(&(minute + 24 * 60));
        let (message, mend) = if moved > 0 {
            let leapt = within(before..before + moved);
            if !leapt || !edges.contains(&change.at) {
                continue;
            }
            let message = format!(
                "{text} does not exist on the day of {}: it comes once the clock has moved forward",
                change.at
            );
            (message, format!("write a time outside of {} to {}", clock(before), clock(before + moved)))
        } else {
            let twice = within(before + moved..before);
            let first = change.at - Span::seconds(-change.moved);
            if !twice || !edges.iter().any(|edge| *edge >= first && *edge < change.at) {
                continue;
            }
            let message = format!("{text} occurs twice on the day of {}: the first time counts", change.at);
            (message, format!("write a time outside of {} to {}", clock(before + moved), clock(before)))
        };
        findings.add(&rules::DST_SURPRISE, at, message, mend);
        return;
    }
}

/// The minute of the day for `HH:MM`, or for a cron that fires once a day.
fn minute_of(text: &str) -> Option<i64> {
    let text = text.trim();
    let number = |text: &str| text.parse::<i64>().ok();
    if let Some((hour, minute)) = text.split_once(':') {
        return Some(number(hour)? * 60 + number(minute)?);
    }
    let mut fields = text.split_ascii_whitespace();
    let (minute, hour) = (fields.next()?, fields.next()?);
    Some(number(hour)? * 60 + number(minute)?)
}

fn clock(minute: i64) -> String {
    let minute = minute.rem_euclid(24 * 60);
    format!("{:02}:{:02}", minute / 60, minute % 60)
}
