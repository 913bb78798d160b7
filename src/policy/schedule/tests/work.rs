//! Tests how much work an answer costs, counted in dates looked up: a count does not depend on the machine.

use super::*;
use crate::policy::local::DAYS_LOOKED_UP;

/// Twenty rules of every kind.
fn twenty() -> Schedule {
    let mut rules: Vec<String> = Vec::new();
    for hour in 0..5 {
        rules.push(format!("days=mon-fri;start=0{hour}:30;end=1{hour}:00;min={}", hour + 1));
        rules.push(format!("days=weekends;start=2{}:00;end=0{hour}:15;max=9", hour % 4));
        rules.push(format!("start={hour} {hour} * * 1-5;end=30 1{hour} * * *;min={}", hour + 2));
        rules.push(format!("on=2026-12-0{};start=10:00;end=12:00;factor=2", hour + 1));
    }
    schedule(Tz::Europe__Berlin, &rules.iter().map(String::as_str).collect::<Vec<_>>())
}

fn days_looked_up(work: impl FnOnce()) -> u64 {
    let before = DAYS_LOOKED_UP.get();
    work();
    DAYS_LOOKED_UP.get() - before
}

#[test]
fn a_year_minute_by_minute_looks_each_date_up_once_for_each_rule() {
    let twenty = twenty();
    let from = at("2026-06-01T00:00:00Z");
    let mut floors = 0;
    let work = days_looked_up(|| {
        let mut cursor = twenty.cursor();
        for minute in 0..365 * 1_440 {
            floors += u64::from(cursor.at(from + Span::minutes(minute)).floor.is_some());
        }
    });
    assert!(floors > 100_000, "{floors} minutes with a floor");
    // 365 dates, and a few more at the boundaries of the twelve chunks.
    assert!(work < 20 * (365 + 12 * 8), "{work} dates looked up");
}

#[test]
fn one_answer_looks_up_a_few_dates() {
    let twenty = twenty();
    let now = at("2026-11-24T12:00:00Z");
    let work = days_looked_up(|| _ = twenty.at(now));
    assert!(work <= 20 * 4, "{work} dates looked up");
    let work = days_looked_up(|| _ = next_change(&twenty, now, Span::days(2)));
    assert!(work <= 20 * 10, "{work} dates looked up");
}

#[test]
fn a_cursor_answers_in_any_order() {
    let twenty = twenty();
    let mut cursor = twenty.cursor();
    let from = at("2026-11-20T00:00:00Z");
    for i in 0..2_000_i64 {
        let now = from + Span::minutes((i * 7_919) % 100_000);
        assert_eq!(cursor.at(now), twenty.at(now), "{now}");
    }
}
