//! Tests of iCalendar files as programs write them, of recurrence rules against python-dateutil, and of broken files.

use proptest::prelude::*;

use super::*;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn years(first: i32, last: i32) -> RangeInclusive<NaiveDate> {
    date(&format!("{first}-01-01"))..=date(&format!("{last}-12-31"))
}

/// A calendar of events, each given as its lines.
fn calendar(events: &[&str]) -> String {
    let events: String = events.iter().map(|lines| format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT\n")).collect();
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{events}END:VCALENDAR\n").replace('\n', "\r\n")
}

fn shown(events: &[&str], zone: Tz, within: &RangeInclusive<NaiveDate>) -> Vec<String> {
    let text = calendar(events);
    let days = days(&text, zone, within).unwrap_or_else(|faults| panic!("{events:?}: {faults:?}"));
    days.iter().map(ToString::to_string).collect()
}

#[test]
fn recurrence_agrees_with_dateutil() {
    for line in include_str!("tests/recurrence.txt").lines().filter(|line| !line.starts_with('#')) {
        let [start, rule, dates] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let event = format!("DTSTART;VALUE=DATE:{start}\nRRULE:{rule}");
        let got = shown(&[&event], Tz::UTC, &years(2019, 2044));
        let mut got: Vec<String> = got.iter().map(|date| date.replace('-', "")).collect();
        let ends = dates.ends_with(",END");
        let want: Vec<&str> = dates.trim_end_matches(",END").split(',').collect();
        if !ends {
            got.truncate(want.len());
        }
        assert_eq!(got, want, "{line}");
    }
}

#[test]
fn a_calendar_as_exported() {
    let text = "BEGIN:VCALENDAR\r\nPRODID:-//Google Inc//Google Calendar 70.9054//EN\r\nVERSION:2.0\r\n\
        X-WR-TIMEZONE:Europe/Berlin\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:DAYLIGHT\r\n\
        DTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\n\
        END:VTIMEZONE\r\n\
        BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261227\r\n\
        DTSTAMP:20260101T000000Z\r\n\
        UID:1@example.com\r\nSUMMARY:Weihnachten\\, erster und zweiter Feier\r\n tag; Läden: geschlossen\r\n\
        TRANSP:TRANSPARENT\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-P1D\r\nEND:VALARM\r\nEND:VEVENT\r\n\
        BEGIN:VTODO\r\nDTSTART;VALUE=DATE:20260606\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    let days = days(text, Tz::Europe__Berlin, &years(2026, 2026)).expect("a valid calendar");
    assert_eq!(days, BTreeSet::from([date("2026-12-25"), date("2026-12-26")]));
}

#[test]
fn events_touch_dates() {
    use Tz::{America__New_York as NewYork, Europe__Berlin as Berlin, UTC};
    for (event, zone, want) in [
        ("DTSTART;VALUE=DATE:20261225", UTC, vec!["2026-12-25"]),
        // Some programs end a day on the same day.
        ("DTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261225", UTC, vec!["2026-12-25"]),
        ("DTSTART;VALUE=DATE:20261224\nDURATION:P3D", UTC, vec!["2026-12-24", "2026-12-25", "2026-12-26"]),
        ("DTSTART;VALUE=DATE:20251230\nDTEND;VALUE=DATE:20260103", UTC, vec!["2026-01-01", "2026-01-02"]),
        // A time in UTC falls on another date elsewhere.
        ("DTSTART:20261127T030000Z\nDTEND:20261127T040000Z", NewYork, vec!["2026-11-26"]),
        ("DTSTART:20261127T030000Z\nDTEND:20261127T060000Z", NewYork, vec!["2026-11-26", "2026-11-27"]),
        ("DTSTART;TZID=America/New_York:20261126T200000\nDURATION:PT1H", Berlin, vec!["2026-11-27"]),
        (
            "DTSTART;TZID=\"/example.org/20260101/America/New_York\":20261126T200000",
            Berlin,
            vec!["2026-11-27"],
        ),
        // A floating time is local to the reader; an end at midnight does not cover the next date.
        ("DTSTART:20261127T220000\nDTEND:20261128T000000", NewYork, vec!["2026-11-27"]),
        ("DTSTART:20261127T220000", NewYork, vec!["2026-11-27"]),
        ("DTSTART;VALUE=DATE:20261225\nSTATUS:CANCELLED", UTC, vec![]),
        ("DTSTART;VALUE=DATE:20271225", UTC, vec![]),
        (
            "DTSTART;VALUE=DATE:20261126\nRDATE;VALUE=DATE:20261127,20261130\nEXDATE;VALUE=DATE:20261126",
            UTC,
            vec!["2026-11-27", "2026-11-30"],
        ),
    ] {
        assert_eq!(shown(&[event], zone, &years(2026, 2026)), want, "{event}");
    }
}

#[test]
fn series_leave_out_and_move_instances() {
    let within = years(2026, 2026);
    let series = "UID:standup\nDTSTART;TZID=America/New_York:20261102T090000\nDURATION:PT15M\n\
        RRULE:FREQ=WEEKLY;COUNT=4\nEXDATE;TZID=America/New_York:20261109T090000";
    let moved = "UID:standup\nRECURRENCE-ID;TZID=America/New_York:20261116T090000\n\
        DTSTART;TZID=America/New_York:20261118T090000\nDURATION:PT15M";
    // The same instant, written in UTC, and cancelled.
    let cancelled = "UID:standup\nRECURRENCE-ID:20261123T140000Z\nDTSTART:20261123T140000Z\nSTATUS:CANCELLED";
    assert_eq!(shown(&[series], Tz::America__New_York, &within), ["2026-11-02", "2026-11-16", "2026-11-23"]);
    assert_eq!(
        shown(&[moved, series, cancelled], Tz::America__New_York, &within),
        ["2026-11-02", "2026-11-18"]
    );
    let other = moved.replace("UID:standup", "UID:other");
    assert_eq!(shown(&[series, &other], Tz::America__New_York, &within).len(), 4);
}

#[test]
fn holidays_by_rule() {
    for (name, rule, want) in [
        ("thanksgiving", "20001123\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", ["2026-11-26", "2027-11-25"]),
        ("memorial day", "20000529\nRRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO", ["2026-05-25", "2027-05-31"]),
        ("christmas", "20001225\nRRULE:FREQ=YEARLY", ["2026-12-25", "2027-12-25"]),
        (
            "election day",
            "20001107\nRRULE:FREQ=YEARLY;INTERVAL=1;BYMONTH=11;BYMONTHDAY=2,3,4,5,6,7,8;BYDAY=TU",
            ["2026-11-03", "2027-11-02"],
        ),
    ] {
        assert_eq!(
            shown(&[&format!("DTSTART;VALUE=DATE:{rule}")], Tz::UTC, &years(2026, 2027)),
            want,
            "{name}"
        );
    }
    let leap = "DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY";
    assert_eq!(shown(&[leap], Tz::UTC, &years(2025, 2032)), ["2028-02-29", "2032-02-29"]);
}

#[test]
fn until_counts_as_written() {
    let within = years(2026, 2026);
    let series = |until: &str| {
        let event = format!("DTSTART;TZID=America/New_York:20261102T200000\nRRULE:FREQ=DAILY;UNTIL={until}");
        shown(&[&event], Tz::America__New_York, &within).len()
    };
    assert_eq!(series("20261105"), 4);
    // 20:00 in New York is 01:00Z of the next day.
    assert_eq!(series("20261105T010000Z"), 3);
    assert_eq!(series("20261105T005959Z"), 2);
    assert_eq!(series("20261104T200000"), 3);
}

#[test]
fn broken_files_say_where() {
    let within = years(2026, 2026);
    for (text, key, hint) in [
        ("<html><body>please: log in</body></html>".to_owned(), "line 1", "NAME:value"),
        (String::new(), "line 1", "BEGIN:VCALENDAR"),
        ("BEGIN:VEVENT\nEND:VEVENT".to_owned(), "line 1", "BEGIN:VCALENDAR"),
        (calendar(&["SUMMARY:x"]), "line 3: VEVENT", "DTSTART"),
        (calendar(&["DTSTART;VALUE=DATE:2026-12-25"]), "line 4: DTSTART", "20261225"),
        (calendar(&["DTSTART;VALUE=DATE:20260229"]), "line 4: DTSTART", "20261225"),
        (calendar(&["DTSTART;TZID=W. Europe Standard Time:20261225T090000"]), "line 4: DTSTART", "IANA"),
        (calendar(&["DTSTART:18991225T090000Z"]), "line 4: DTSTART", "1900"),
        (calendar(&["DTSTART:20261225T090000Z\nDTEND;VALUE=DATE:20261226"]), "line 5: DTEND", "a date where"),
        (calendar(&["DTSTART:20261225T090000Z\nDTEND:20261225T080000Z"]), "line 5: DTEND", "not before"),
        (calendar(&["DTSTART:20261225T090000Z\nDURATION:1 hour"]), "line 5: DURATION", "PT1H30M"),
        (calendar(&["DTSTART;VALUE=DATE:20261225\nDURATION:PT1H"]), "line 5: DURATION", "whole days"),
        (calendar(&["DTSTART:20261225T090000Z\nnonsense"]), "line 5", "NAME:value"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261225T090000Z".to_owned(), "line 2: BEGIN", "complete"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR".to_owned(), "line 3: END", "END:VEVENT"),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR\nEND:VCALENDAR".to_owned(), "line 3: END", "BEGIN"),
    ] {
        let faults = days(&text, Tz::UTC, &within).expect_err(&text);
        assert!(faults.iter().any(|f| f.key == key && f.expected.contains(hint)), "{text}: {faults:?}");
    }
}

#[test]
fn rules_that_are_not_understood_are_refused() {
    for (rule, hint) in [
        ("FREQ=HOURLY", "FREQ"),
        ("INTERVAL=2", "FREQ with"),
        ("FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO is not supported"),
        ("FREQ=DAILY;BYHOUR=9", "BYHOUR is not supported"),
        ("FREQ=DAILY;INTERVALL=2", "the nearest is INTERVAL"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"),
        ("FREQ=DAILY;COUNT=0", "COUNT"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20261231", "not both"),
        ("FREQ=DAILY;UNTIL=soon", "UNTIL"),
        ("FREQ=YEARLY;BYMONTH=13", "BYMONTH"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYDAY=XX", "BYDAY"),
        ("FREQ=WEEKLY;BYDAY=2MO", "ordinal"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "no BYMONTHDAY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS"),
    ] {
        let text = calendar(&[&format!("DTSTART;VALUE=DATE:20260101\nRRULE:{rule}")]);
        let faults = days(&text, Tz::UTC, &years(2026, 2026)).expect_err(rule);
        assert_eq!(faults.len(), 1, "{rule}: {faults:?}");
        assert_eq!(faults[0].key, "line 5: RRULE");
        assert!(faults[0].expected.contains(hint), "{rule}: {}", faults[0]);
    }
    for line in [
        "EXRULE:FREQ=DAILY",
        "RDATE;VALUE=PERIOD:20260101T000000Z/PT1H",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260101",
    ] {
        let text = calendar(&[&format!("DTSTART;VALUE=DATE:20260101\n{line}")]);
        assert!(days(&text, Tz::UTC, &years(2026, 2026)).is_err(), "{line}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(
        text in "[A-Z:;=,0-9TZ \n-]{0,200}",
        rule in "[A-Z;=,0-9-]{0,60}",
        start in "[0-9TZ]{7,16}",
    ) {
        let within = years(2026, 2027);
        _ = days(&text, Tz::UTC, &within);
        let event = format!("DTSTART:{start}\nRRULE:FREQ=YEARLY;{rule}\nDURATION:P{rule}\nEXDATE:{start}");
        _ = days(&calendar(&[&event]), Tz::Europe__Berlin, &within);
    }
}
