//! Tests that every mistake is found, all at once, each under its key.

use proptest::prelude::*;

use super::*;

fn fault(rule: &str) -> String {
    let faults = build(Tz::UTC, &[rule]).err().unwrap_or_else(|| panic!("accepted: {rule}"));
    assert_eq!(faults.len(), 1, "{rule}: {faults:?}");
    faults[0].to_string()
}

#[test]
fn one_mistake_one_fault() {
    for (rule, key, hint) in [
        ("start=25:00 end=18:00 min=1", "schedule[0].start: found '25:00'", "HH:MM or a five-field cron"),
        ("start=24:00 end=18:00 min=1", "schedule[0].start: found '24:00'", "HH:MM"),
        ("start=09:60 end=18:00 min=1", "schedule[0].start: found '09:60'", "HH:MM"),
        ("start=540 end=18:00 min=1", "schedule[0].start: found '540'", "HH:MM"),
        ("start=09:00 end=24:01 min=1", "schedule[0].end: found '24:01'", "HH:MM"),
        ("start=09:00 end=6pm min=1", "schedule[0].end: found '6pm'", "HH:MM"),
        ("start=09:00 min=1", "schedule[0].end: found nothing", "both start and end"),
        ("end=09:00 min=1", "schedule[0].start: found nothing", "both start and end"),
        (
            "start=09:00;end=0 18 * * *;min=1",
            "schedule[0].end: found '0 18 * * *'",
            "both HH:MM, or both cron",
        ),
        ("start=0 9 * *;end=0 18 * * *;min=1", "schedule[0].start", "five-field"),
        ("start=0 0 9 * * *;end=0 18 * * *;min=1", "schedule[0].start", "five-field"),
        ("start=0 9 30 2 *;end=0 18 * * *;min=1", "schedule[0].start", "no year has such a date"),
        ("start=61 9 * * *;end=0 18 * * *;min=1", "schedule[0].start", "five-field"),
        ("days=mon-fry min=1", "schedule[0].days: found 'mon-fry'", "mon-fri"),
        ("min=-1", "schedule[0].min: found '-1'", "whole number"),
        ("min=1.5", "schedule[0].min: found '1.5'", "whole number"),
        ("max=1000001", "schedule[0].max", "0 to 1000000"),
        ("min=5 max=3", "schedule[0].max: found '3'", "at least min, which is 5"),
        ("exactly=3 max=3", "schedule[0].exactly: found '3'", "no min or max beside it"),
        ("factor=0", "schedule[0].factor: found '0'", "above 0"),
        ("factor=NaN", "schedule[0].factor: found 'NaN'", "above 0"),
        ("factor=inf", "schedule[0].factor: found 'inf'", "above 0"),
        ("start=09:00 end=18:00", "schedule[0]: found nothing", "one of min, max, exactly and factor"),
        ("min=1 on=2026-02-29", "schedule[0].on[0]: found '2026-02-29'", "a date"),
        ("min=1 on=2026-1-2", "schedule[0].on[0]: found '2026-1-2'", "a date"),
        ("min=1 except=2026-12-25|25.12.2026", "schedule[0].except[1]: found '25.12.2026'", "a date"),
        ("min=1 except=feasts", "schedule[0].except[0]: found 'feasts'", "holidays, sales"),
        ("min=1 calendar=holiday", "schedule[0].calendar: found 'holiday'", "holidays, sales"),
        ("min=1 until=tomorrow", "schedule[0].until: found 'tomorrow'", "2026-12-31T00:00:00Z"),
        ("min=1 name=", "schedule[0].name: found nothing", "1 to 63"),
    ] {
        let text = fault(rule);
        assert!(text.starts_with(key) && text.contains(hint), "{rule}: {text}");
    }
}

#[test]
fn all_faults_come_at_once() {
    let faults = build(Tz::UTC, &["start=25:00 end=26:00 days=fri-dax min=x", "min=1", "until=x factor=-1"])
        .expect_err("six mistakes");
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "schedule[0].min",
            "schedule[0].start",
            "schedule[0].end",
            "schedule[0].days",
            "schedule[2].factor",
            "schedule[2].until",
        ]
    );
    let faults = Schedule::from_keda("", "0 99 * * *", "Mars/Base", "many").expect_err("four mistakes");
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(keys, ["start", "end", "timezone", "desiredReplicas"]);
}

#[test]
fn keys_are_known_single_and_given_once() {
    let values = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let faults = RawRule::from_pairs(
        "schedule[1]",
        [
            ("dyas", values(&["mon"])),
            ("start", values(&["09:00", "10:00"])),
            ("min", values(&["1"])),
            ("min", values(&["2"])),
            ("on", values(&[])),
            ("except", values(&[])),
        ],
    )
    .expect_err("five mistakes");
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "schedule[1].dyas: found 'dyas', expected a known key, the nearest is 'days'",
            "schedule[1].start: found '09:00, 10:00', expected one value",
            "schedule[1].min: found 'min', expected the key once",
            "schedule[1].on: found nothing, expected at least one date such as 2026-11-27; without the key the rule \
             holds on every date",
            "schedule[1].except: found nothing, expected at least one date such as 2026-12-25 or a calendar; without \
             the key nothing is excepted",
        ]
    );
    for key in RULE_KEYS.map(|key| key.name) {
        let faults = RawRule::from_pairs("schedule[0]", [(key, values(&[]))]).expect_err(key);
        assert!(
            faults[0].to_string().starts_with(&format!("schedule[0].{key}: found nothing")),
            "{faults:?}"
        );
        assert!(RawRule::from_pairs("schedule[0]", [(key, values(&["x"]))]).is_ok(), "{key}");
    }
}

#[test]
fn every_key_of_the_list_is_read() {
    for key in RULE_KEYS.map(|key| key.name) {
        let other = [("start", "09:00"), ("end", "18:00")].into_iter().filter(|(name, _)| *name != key);
        let pairs = other.chain([(key, "\u{7}")]).map(|(name, text)| (name, vec![text.to_owned()]));
        let rule = RawRule::from_pairs("schedule[0]", pairs).expect("known keys");
        let faults = Schedule::new(Tz::UTC, &[rule], &calendars()).expect_err(key);
        let place = format!("schedule[0].{key}");
        assert!(faults.iter().any(|fault| fault.key.starts_with(&place)), "{key}: {faults:?}");
    }
}

#[test]
fn a_list_without_end_is_refused() {
    let rules = vec![raw("min=1"); 201];
    assert!(Schedule::new(Tz::UTC, &rules, &Calendars::default()).is_err());
    assert!(Schedule::new(Tz::UTC, &rules[..200], &Calendars::default()).is_ok());
}

/// Clock times, cron expressions, and arbitrary text.
const TIMES: &str = "[0-9]{1,2}:[0-9]{2}|([0-9*/,L#W?+-]{1,5} ){4}[0-9*/,L#W?+A-Z-]{1,5}|.{0,20}";

proptest! {
    /// Any rule is either compiled or refused, and a compiled rule gives an answer.
    #[test]
    fn any_rule_is_compiled_or_refused(
        times in prop::collection::vec(TIMES, 2),
        days in prop::option::of("(mon|fri|sat|daily|x|-|,){0,5}"),
        number in "[0-9.eE+-]{0,6}",
        dates in prop::collection::vec("20[0-9]{2}-[01][0-9]-[0-3][0-9]|.{0,12}", 0..3),
    ) {
        let mut plain = RawRule::default();
        plain.set("start", vec![times[0].clone()]);
        plain.set("end", vec![times[1].clone()]);
        plain.set("min", vec!["1".to_owned()]);
        let mut raw = plain.clone();
        raw.set("min", vec![number.clone()]);
        raw.set("factor", vec![number]);
        for (key, texts) in [("days", Vec::from_iter(days)), ("except", dates.clone()), ("on", dates)] {
            if !texts.is_empty() {
                raw.set(key, texts);
            }
        }
        _ = Schedule::new(Tz::Europe__Berlin, &[raw], &calendars());
        if let Ok(schedule) = Schedule::new(Tz::Europe__Berlin, &[plain], &calendars()) {
            let changes = schedule.changes(at("2026-03-20T00:00:00Z"), at("2026-04-20T00:00:00Z"));
            prop_assert!(changes.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1));
            for (at, bounds) in changes.iter().take(50) {
                prop_assert_eq!(schedule.at(*at), *bounds);
            }
        }
        _ = Schedule::from_keda(&times[0], &times[1], &times[0], &times[1]);
    }
}
