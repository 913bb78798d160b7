//! Tests of what people write: days, nights, exceptions, events, calendars, and several rules together.

use super::*;

#[test]
fn a_night_belongs_to_the_day_on_which_it_starts() {
    let nights = schedule(Tz::UTC, &["days=fri,sat start=22:00 end=04:00 min=6 except=2026-11-28"]);
    // 2026-11-27 is a Friday; Saturday's night is excluded, but Friday's still extends into Saturday.
    let got = floors(&nights, "2026-11-27T00:00:00Z", "2026-12-04T23:00:00Z");
    assert_eq!(
        got,
        [
            "2026-11-27T00:00:00Z -",
            "2026-11-27T22:00:00Z 6",
            "2026-11-28T04:00:00Z -",
            "2026-12-04T22:00:00Z 6",
        ]
    );
}

#[test]
fn whole_days_join_without_a_seam() {
    let weekend = schedule(Tz::Europe__Berlin, &["days=weekends max=2"]);
    let changes = weekend.changes(at("2026-11-27T00:00:00Z"), at("2026-12-01T00:00:00Z"));
    let ceilings: Vec<_> = changes.iter().map(|(at, bounds)| (at.to_string(), ceiling(bounds))).collect();
    assert_eq!(
        ceilings,
        [
            ("2026-11-27T00:00:00Z".to_owned(), None),
            ("2026-11-27T23:00:00Z".to_owned(), Some(2)),
            ("2026-11-29T23:00:00Z".to_owned(), None),
        ]
    );
}

#[test]
fn events_take_place_once_and_expire() {
    let launch = schedule(
        Tz::America__New_York,
        &["name=launch on=2026-11-27 start=08:00 end=20:00 min=40", "min=5 until=2026-11-27T15:00:00Z"],
    );
    let got = floors(&launch, "2026-11-27T00:00:00Z", "2027-11-29T00:00:00Z");
    assert_eq!(got, ["2026-11-27T00:00:00Z 5", "2026-11-27T13:00:00Z 40", "2026-11-28T01:00:00Z -"]);
    assert_eq!(launch.rules()[0].label(), "launch");
    assert_eq!(launch.rules()[1].label(), "always");
    let rule = launch.at(at("2026-11-27T14:00:00Z")).floor.map(|floor| floor.rule);
    assert_eq!(rule, Some(0));
    assert_eq!(next_change(&launch, at("2026-11-28T01:00:00Z"), Span::days(400)), None);
}

#[test]
fn expiry_shuts_an_open_window() {
    let office = schedule(Tz::UTC, &["start=09:00 end=18:00 min=2 until=2026-11-24T12:00:00Z"]);
    let got = floors(&office, "2026-11-24T10:00:00Z", "2026-11-26T00:00:00Z");
    assert_eq!(got, ["2026-11-24T10:00:00Z 2", "2026-11-24T12:00:00Z -"]);
}

#[test]
fn calendars_take_rules_and_count_as_sunday() {
    let shop = schedule(
        Tz::UTC,
        &["days=mon-fri start=09:00 end=18:00 min=2", "calendar=sales factor=3", "days=sun max=4"],
    );
    let sale = shop.at(at("2026-11-27T12:00:00Z"));
    assert_eq!((floor(&sale), sale.factor), (Some(2), 3.0));
    // 2026-05-01 is a Friday and a day of the workload's calendar.
    let may_day = shop.at(at("2026-05-01T12:00:00Z"));
    assert_eq!((floor(&may_day), ceiling(&may_day)), (None, Some(4)));
    let narrowed = schedule(Tz::UTC, &["days=mon calendar=sales min=9"]);
    assert_eq!(
        floors(&narrowed, "2026-11-20T00:00:00Z", "2026-12-20T00:00:00Z"),
        ["2026-11-20T00:00:00Z -", "2026-11-30T00:00:00Z 9", "2026-12-01T00:00:00Z -"]
    );
}

#[test]
fn rules_join_by_highest_floor_lowest_ceiling_and_product() {
    let joined = schedule(
        Tz::UTC,
        &["min=2 max=10", "start=08:00 end=12:00 min=4 factor=2", "start=10:00 end=14:00 max=3 factor=1.5"],
    );
    for (instant, want) in [
        ("2026-11-24T07:00:00Z", (Some(2), Some(10), 1.0, false)),
        ("2026-11-24T08:00:00Z", (Some(4), Some(10), 2.0, false)),
        ("2026-11-24T10:00:00Z", (Some(4), Some(4), 3.0, true)),
        ("2026-11-24T12:00:00Z", (Some(2), Some(3), 1.5, false)),
    ] {
        let bounds = joined.at(at(instant));
        assert_eq!((floor(&bounds), ceiling(&bounds), bounds.factor, bounds.crossed), want, "{instant}");
    }
}

#[test]
fn nothing_asked_nothing_given() {
    let empty = Schedule::empty(Tz::UTC);
    let now = at("2026-11-24T12:00:00Z");
    assert_eq!(empty.at(now), Bounds::NONE);
    assert_eq!(next_change(&empty, now, Span::DAY), None);
    assert_eq!(empty.changes(now, now + Span::DAY), [(now, Bounds::NONE)]);
    assert_eq!(empty.changes(now, now), [(now, Bounds::NONE)]);
}

#[test]
fn the_ends_of_time_do_no_harm() {
    let office = schedule(
        Tz::America__New_York,
        &[
            "start=09:00 end=18:00 min=5",
            "start=0 9 * * 1;end=0 9 * * 5;max=9",
            "start=0 9 29 2 *;end=0 9 1 3 *;max=9",
        ],
    );
    for now in [Time::MIN, Time::MAX] {
        office.at(now);
        next_change(&office, now, Span::days(400));
    }
}

#[test]
fn a_rule_knows_what_it_does() {
    use super::super::Effect;
    let both = schedule(Tz::UTC, &["days=mon-fri start=09:00 end=18:00 min=2 max=8"]);
    let count = |count| Replicas::new(count).expect("in range");
    assert_eq!(both.rules()[0].effects(), [Effect::Min(count(2)), Effect::Max(count(8))]);
    assert_eq!(both.rules()[0].label(), "mon-fri 09:00 to 18:00");
    assert_eq!(both.rules()[0].until(), None);
    assert_eq!(both.zone(), Tz::UTC);
}
