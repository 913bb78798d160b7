//! Tests of what users of KEDA's cron trigger reported, each under the number of its issue.

use super::*;

/// The example from KEDA's documentation: awake 9 to 18 on weekdays in Los Angeles.
#[test]
fn the_documented_example() {
    let awake = Schedule::from_keda("0 9 * * 1-5", "0 18 * * 1-5", "America/Los_Angeles", "10")
        .expect("KEDA's example");
    // 2026-11-24 is a Tuesday; Los Angeles is 8 hours behind UTC.
    let got = floors(&awake, "2026-11-26T00:00:00Z", "2026-12-01T00:00:00Z");
    assert_eq!(
        got,
        [
            "2026-11-26T00:00:00Z 10",
            "2026-11-26T02:00:00Z -",
            "2026-11-26T17:00:00Z 10",
            "2026-11-27T02:00:00Z -",
            "2026-11-27T17:00:00Z 10",
            "2026-11-28T02:00:00Z -",
            "2026-11-30T17:00:00Z 10",
        ]
    );
}

/// #4677: weekday start, daily end; KEDA reopens after Friday's end and stays up until Sunday 22:10.
#[test]
fn issue_4677_shut_from_friday_evening_to_monday_morning() {
    let lopsided = Schedule::from_keda("30 6 * * 1-5", "10 22 * * *", "Etc/UTC", "4").expect("valid");
    let got = floors(&lopsided, "2026-11-26T12:00:00Z", "2026-12-01T00:00:00Z");
    assert_eq!(
        got,
        [
            "2026-11-26T12:00:00Z 4",
            "2026-11-26T22:10:00Z -",
            "2026-11-27T06:30:00Z 4",
            "2026-11-27T22:10:00Z -",
            "2026-11-30T06:30:00Z 4",
            "2026-11-30T22:10:00Z -",
        ]
    );
}

/// #6665: the end of one window is the start of the next; there must be neither a dip nor a sum.
#[test]
fn issue_6665_adjacent_windows_hand_over_at_once() {
    let by_clock =
        ["start=09:00 end=12:00 min=2", "start=12:00 end=15:00 min=5", "start=15:00 end=09:00 min=1"];
    let by_cron = [
        "start=0 9 * * *;end=0 12 * * *;min=2",
        "start=0 12 * * *;end=0 15 * * *;min=5",
        "start=0 15 * * *;end=0 9 * * *;min=1",
    ];
    for rules in [by_clock, by_cron] {
        let got = floors(&schedule(Tz::UTC, &rules), "2026-11-24T08:00:00Z", "2026-11-25T00:00:00Z");
        assert_eq!(
            got,
            [
                "2026-11-24T08:00:00Z 1",
                "2026-11-24T09:00:00Z 2",
                "2026-11-24T12:00:00Z 5",
                "2026-11-24T15:00:00Z 1",
            ]
        );
    }
}

/// #6665 again: equal floors on both sides of the boundary differ only in their rule.
#[test]
fn issue_6665_equal_neighbours_keep_their_floor() {
    let halves = schedule(Tz::UTC, &["start=00:00 end=12:00 min=3", "start=12:00 end=24:00 min=3"]);
    for (instant, bounds) in halves.changes(at("2026-11-24T00:00:00Z"), at("2026-12-24T00:00:00Z")) {
        assert_eq!(floor(&bounds), Some(3), "{instant}");
    }
}

/// #3854: jitter at the boundary; the answer depends only on the instant. Also `L`, the last day of the month.
#[test]
fn issue_3854_boundaries_are_sharp_and_the_last_day_exists() {
    let last_day = Schedule::from_keda("0 8 L * *", "0 20 L * *", "Etc/UTC", "7").expect("valid");
    for (instant, want) in [
        ("2027-02-28T07:59:59Z", None),
        ("2027-02-28T08:00:00Z", Some(7)),
        ("2027-02-28T19:59:59Z", Some(7)),
        ("2027-02-28T20:00:00Z", None),
        ("2028-02-28T12:00:00Z", None),
        ("2028-02-29T12:00:00Z", Some(7)),
        ("2026-04-30T12:00:00Z", Some(7)),
        ("2026-12-31T12:00:00Z", Some(7)),
    ] {
        for _ in 0..2 {
            assert_eq!(floor(&last_day.at(at(instant))), want, "{instant}");
        }
    }
}

/// #2031: an equal start and end never scale; KEDA compares the texts, we compare their meaning.
#[test]
fn issue_2031_equal_start_and_end_are_refused() {
    for (start, end) in
        [("0 9 * * *", "0 9 * * *"), ("0 9 * * 1-5", "0 9 * * MON-FRI"), ("0 9 * * 0", "0 9 * * 7")]
    {
        let faults = Schedule::from_keda(start, end, "Etc/UTC", "1").expect_err("never opens");
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].key, "end");
        assert!(faults[0].expected.contains("never open"), "{}", faults[0]);
    }
    let faults = build(Tz::UTC, &["start=09:00 end=09:00 min=1"]).expect_err("ambiguous");
    assert!(faults[0].to_string().contains("00:00 to 24:00"), "{}", faults[0]);
}

/// #1757, #3609, #3956, #4474, #5586: a window in which nothing runs.
#[test]
fn issue_1757_a_window_may_command_zero() {
    let faults =
        Schedule::from_keda("0 20 * * *", "0 6 * * *", "Etc/UTC", "0").expect_err("KEDA refuses it too");
    assert_eq!(faults[0].key, "desiredReplicas");
    assert!(faults[0].expected.contains("exactly: 0"), "{}", faults[0]);

    let asleep = schedule(Tz::UTC, &["start=20:00 end=06:00 exactly=0"]);
    assert!(asleep.at(at("2026-11-24T20:00:00Z")).commands_zero());
    assert!(asleep.at(at("2026-11-25T05:59:59Z")).commands_zero());
    assert_eq!(asleep.at(at("2026-11-25T06:00:00Z")), Bounds::NONE);
}

/// #6846: dates excluded one by one or by a calendar.
#[test]
fn issue_6846_dates_and_calendars_are_left_out() {
    let office = schedule(
        Tz::Europe__Berlin,
        &["days=mon-fri start=09:00 end=18:00 min=4 except=2026-12-24|holidays|2026-12-31"],
    );
    let got = floors(&office, "2026-12-23T18:00:00Z", "2026-12-29T00:00:00Z");
    assert_eq!(got, ["2026-12-23T18:00:00Z -", "2026-12-28T08:00:00Z 4", "2026-12-28T17:00:00Z -"]);
    let by_cron = schedule(
        Tz::Europe__Berlin,
        &["start=0 9 * * 1-5;end=0 18 * * *;min=4;except=2026-12-24|holidays|2026-12-31"],
    );
    assert_eq!(floors(&by_cron, "2026-12-23T18:00:00Z", "2026-12-29T00:00:00Z"), got);
}

/// #6898, #5867, #3566, #2769, #1807: limits by time of day that lower as well as raise.
#[test]
fn issue_6898_schedules_lower_as_well_as_raise() {
    let night =
        schedule(Tz::UTC, &["days=daily start=22:00 end=06:00 max=2", "start=06:00 end=22:00 min=3 max=20"]);
    for (instant, want) in [
        ("2026-11-24T21:59:59Z", (Some(3), Some(20))),
        ("2026-11-24T22:00:00Z", (None, Some(2))),
        ("2026-11-25T05:59:59Z", (None, Some(2))),
        ("2026-11-25T06:00:00Z", (Some(3), Some(20))),
    ] {
        let bounds = night.at(at(instant));
        assert_eq!((floor(&bounds), ceiling(&bounds)), want, "{instant}");
    }
}

/// #932: the zone was unknown because the image lacked tzdata; ours is part of the binary.
#[test]
fn issue_932_zones_are_bundled_and_misspelt_ones_named() {
    for zone in ["Asia/Kolkata", "America/Argentina/Buenos_Aires", "Australia/Lord_Howe", "Etc/UTC", "UTC"] {
        assert!(Schedule::from_keda("0 9 * * *", "0 18 * * *", zone, "1").is_ok(), "{zone}");
    }
    let faults = Schedule::from_keda("0 9 * * *", "0 18 * * *", "Europe/Berln", "1").expect_err("misspelt");
    assert_eq!(
        faults[0].to_string(),
        "timezone: found 'Europe/Berln', expected an IANA time zone such as Europe/Berlin"
    );
}
