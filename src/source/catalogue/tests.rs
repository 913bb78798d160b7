//! Tests of how named policies merge with the metadata of triggers that use them.

use super::*;
use crate::policy::{Insurance, Policy};

const EXECUTOR: &str = "
query: sum(rate(tasks[1m]))
threshold: 5
maxReplicas: 20
objective: cost
leadTime: 90s
schedule:
  - {days: mon-fri, start: '09:00', end: '18:00', min: 2}
";
const CHRISTMAS: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20261225\r\n\
                         SUMMARY:Christmas\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::new(Time::parse("2026-11-24T00:00:00Z").expect("valid"));
    catalogue.add("octollm/executor", EXECUTOR).expect("valid");
    catalogue.add_calendar("feasts", CHRISTMAS).expect("valid");
    catalogue
}

fn metadata(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn policy(pairs: &[(&str, &str)]) -> Result<Policy, Faults> {
    Policy::from_keys(&catalogue().keys(&metadata(pairs)))
}

const NAMED: (&str, &str) = ("policy", "octollm/executor");

#[test]
fn a_policy_supplies_what_the_trigger_does_not_say() {
    let policy = policy(&[NAMED, ("threshold", "7")]).expect("valid");
    assert_eq!(policy.signals[0].query, "sum(rate(tasks[1m]))");
    assert_eq!(policy.signals[0].threshold.get(), 7.0, "the trigger's word counts");
    assert_eq!(policy.limits.max.get(), 20);
    let at = Time::parse("2026-11-24T12:00:00Z").expect("valid");
    assert_eq!(policy.schedule.at(at).floor.map(|f| f.replicas.get()), Some(2));
}

#[test]
fn one_of_several_alternatives_replaces_all_of_them() {
    let insured = policy(&[NAMED, ("quantile", "0.9")]).expect("no contradiction with objective");
    assert_eq!(insured.insurance, Insurance::Quantile(crate::units::Quantile::new(0.9).expect("valid")));
    let cron = [("start", "0 0 * * *"), ("end", "0 1 * * *"), ("desiredReplicas", "4"), ("timezone", "UTC")];
    let at = Time::parse("2026-11-24T12:00:00Z").expect("valid");
    let own = policy(&[&[NAMED][..], &cron].concat()).expect("the trigger's hours replace the policy's");
    assert_eq!(own.schedule.at(at).floor, None);
    let text = policy(&[NAMED, ("schedule", "- {start: '11:00', end: '13:00', min: 3}")]).expect("valid");
    assert_eq!(text.schedule.at(at).floor.map(|f| f.replicas.get()), Some(3));
}

#[test]
fn a_trigger_exceeds_no_policy() {
    let faults = policy(&[NAMED, ("maxReplicas", "50")]).expect_err("too many");
    assert!(faults.to_string().contains("at most 20, the named policy's maxReplicas"), "{faults}");
}

#[test]
fn an_unknown_policy_and_a_broken_schedule_come_with_all_other_faults() {
    let faults = policy(&[("policy", "octollm/executer"), ("mode", "auto"), ("schedule", "- {strat: 9}")]);
    let faults = faults.expect_err("three faults").0;
    let keys: Vec<_> = faults.iter().map(|f| f.key.as_str()).collect();
    assert_eq!(keys, ["mode", "policy", "schedule[0].strat"]);
    assert_eq!(faults[1].expected, "a policy of the catalogue: octollm/executor");
    let empty = Policy::from_keys(&Catalogue::default().keys(&metadata(&[NAMED]))).expect_err("none");
    assert!(empty.to_string().contains("which is empty"), "{empty}");
}

/// A template that rendered to nothing: `{on: [], exactly: 0}` would otherwise command zero every day.
#[test]
fn a_rule_with_an_empty_key_is_refused_and_never_holds_on_every_day() {
    for key in ["on", "days", "except", "calendar", "start", "end", "until", "min", "factor", "name"] {
        for nothing in ["[]", "null", "", "[null]", "~"] {
            let text = format!("[{{{key}: {nothing}, exactly: 0}}]");
            let faults = schedule_from(&text).err().unwrap_or_else(|| panic!("accepted: {text}"));
            let told = faults.to_string();
            assert!(
                told.contains(&format!("schedule[0].{key}")) && told.contains("found nothing"),
                "{text}: {told}"
            );
            assert!(catalogue().add("bad", &format!("schedule: {text}")).is_err(), "{text}");
        }
    }
    let both = schedule_from("[{on: [], except: [], min: 1}, {days: [mon, null], exactly: 2}]");
    assert_eq!(both.expect_err("three faults").0.len(), 3);
    let lists =
        schedule_from("[{days: [sat, sun], except: [2026-12-25, feasts], exactly: 0}]").expect("read");
    assert_eq!((lists[0].texts("days").len(), lists[0].texts("except").len()), (2, 2));
}

#[test]
fn calendars_are_read_in_the_zone_of_the_workload() {
    let with = policy(&[NAMED, ("calendar", "feasts"), ("timezone", "Europe/Berlin")]).expect("valid");
    let plain = policy(&[NAMED, ("timezone", "Europe/Berlin")]).expect("valid");
    assert_ne!(with.calendar, plain.calendar);
    let faults = policy(&[NAMED, ("calendar", "feats")]).expect_err("unknown");
    assert!(faults.to_string().contains("a calendar of the server configuration: feasts"), "{faults}");
}

#[test]
fn faulty_texts_are_refused_when_they_are_added() {
    let mut catalogue = catalogue();
    let names = |catalogue: &Catalogue| catalogue.names().map(str::to_owned).collect::<Vec<_>>();
    for text in ["- a list", "query: [a, b]", "schedule: 9-18", "signals: {query: a}", "a: 1\na: 2", "x: {"] {
        assert!(catalogue.add("bad", text).is_err(), "{text}");
    }
    assert!(catalogue.add_calendar("bad", "no calendar").is_err());
    assert_eq!(names(&catalogue), ["octollm/executor"], "what was there stays");
    catalogue
        .add("two", "signals:\n  - {query: a, threshold: 1}\n  - {query: b, threshold: 2}")
        .expect("valid");
    let policy = Policy::from_keys(&catalogue.keys(&metadata(&[("policy", "two")]))).expect("valid");
    assert_eq!(policy.signals.len(), 2);
}
