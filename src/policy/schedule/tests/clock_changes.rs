//! Tests of both clock changes in New York, Berlin and Lord Howe (half an hour), and of other irregular dates.

use super::*;

/// (zone, rule, from, to, every change of the floor)
type Case = (Tz, &'static str, &'static str, &'static str, &'static [&'static str]);

fn check(cases: &[Case]) {
    for (zone, rule, from, to, want) in cases {
        assert_eq!(floors(&schedule(*zone, &[rule]), from, to), *want, "{zone} {rule}");
    }
}

#[test]
fn new_york_puts_forward() {
    check(&[
        // Put forward: 02:00 to 03:00 on 2026-03-08 at 07:00Z.
        (
            Tz::America__New_York,
            "start=09:00 end=17:00 min=1",
            "2026-03-07T23:00:00Z",
            "2026-03-09T12:00:00Z",
            &["2026-03-07T23:00:00Z -", "2026-03-08T13:00:00Z 1", "2026-03-08T21:00:00Z -"],
        ),
        (
            Tz::America__New_York,
            "start=02:30 end=04:00 min=1",
            "2026-03-08T00:00:00Z",
            "2026-03-09T00:00:00Z",
            &["2026-03-08T00:00:00Z -", "2026-03-08T07:00:00Z 1", "2026-03-08T08:00:00Z -"],
        ),
        // An end that the clock skips is kept: KEDA's library loses it, and the window stays open for another day.
        (
            Tz::America__New_York,
            "start=0 22 * * *;end=30 2 * * *;min=1",
            "2026-03-08T00:00:00Z",
            "2026-03-09T12:00:00Z",
            &[
                "2026-03-08T00:00:00Z -",
                "2026-03-08T03:00:00Z 1",
                "2026-03-08T07:00:00Z -",
                "2026-03-09T02:00:00Z 1",
                "2026-03-09T06:30:00Z -",
            ],
        ),
        // A window that lies within the skipped hour does not open.
        (
            Tz::America__New_York,
            "start=02:10 end=02:50 min=1",
            "2026-03-08T00:00:00Z",
            "2026-03-09T00:00:00Z",
            &["2026-03-08T00:00:00Z -"],
        ),
    ]);
}

#[test]
fn new_york_puts_back() {
    check(&[
        // Put back: 02:00 to 01:00 on 2026-11-01 at 06:00Z; 01:30 is shown at 05:30Z and again at 06:30Z.
        (
            Tz::America__New_York,
            "start=01:30 end=03:00 min=1",
            "2026-11-01T00:00:00Z",
            "2026-11-02T00:00:00Z",
            &["2026-11-01T00:00:00Z -", "2026-11-01T05:30:00Z 1", "2026-11-01T08:00:00Z -"],
        ),
        (
            Tz::America__New_York,
            "start=30 1 * * *;end=45 1 * * *;min=1",
            "2026-11-01T00:00:00Z",
            "2026-11-02T00:00:00Z",
            &["2026-11-01T00:00:00Z -", "2026-11-01T05:30:00Z 1", "2026-11-01T05:45:00Z -"],
        ),
        // With a `*` for the hour the pattern fires each time the clock shows the minute.
        (
            Tz::America__New_York,
            "start=0 * * * *;end=30 * * * *;min=1",
            "2026-11-01T05:15:00Z",
            "2026-11-01T07:15:00Z",
            &[
                "2026-11-01T05:15:00Z 1",
                "2026-11-01T05:30:00Z -",
                "2026-11-01T06:00:00Z 1",
                "2026-11-01T06:30:00Z -",
                "2026-11-01T07:00:00Z 1",
            ],
        ),
        // A whole day has 25 hours.
        (
            Tz::America__New_York,
            "on=2026-11-01 start=00:00 end=24:00 min=1",
            "2026-10-31T00:00:00Z",
            "2026-11-03T00:00:00Z",
            &["2026-10-31T00:00:00Z -", "2026-11-01T04:00:00Z 1", "2026-11-02T05:00:00Z -"],
        ),
    ]);
}

#[test]
fn berlin() {
    check(&[
        // Put forward: 02:00 to 03:00 on 2026-03-29 at 01:00Z.
        (
            Tz::Europe__Berlin,
            "start=22:00 end=06:00 min=1",
            "2026-03-28T12:00:00Z",
            "2026-03-29T12:00:00Z",
            &["2026-03-28T12:00:00Z -", "2026-03-28T21:00:00Z 1", "2026-03-29T04:00:00Z -"],
        ),
        (
            Tz::Europe__Berlin,
            "days=sun start=02:00 end=03:00 min=1",
            "2026-03-28T12:00:00Z",
            "2026-04-05T12:00:00Z",
            &["2026-03-28T12:00:00Z -", "2026-04-05T00:00:00Z 1", "2026-04-05T01:00:00Z -"],
        ),
        // Put back: 03:00 to 02:00 on 2026-10-25 at 01:00Z.
        (
            Tz::Europe__Berlin,
            "start=22:00 end=06:00 min=1",
            "2026-10-24T12:00:00Z",
            "2026-10-25T12:00:00Z",
            &["2026-10-24T12:00:00Z -", "2026-10-24T20:00:00Z 1", "2026-10-25T05:00:00Z -"],
        ),
        (
            Tz::Europe__Berlin,
            "start=02:30 end=03:30 min=1",
            "2026-10-25T00:00:00Z",
            "2026-10-25T12:00:00Z",
            &["2026-10-25T00:00:00Z -", "2026-10-25T00:30:00Z 1", "2026-10-25T02:30:00Z -"],
        ),
    ]);
}

#[test]
fn lord_howe() {
    check(&[
        // Put forward by half an hour: 02:00 to 02:30 on 2026-10-04 at 2026-10-03T15:30Z.
        (
            Tz::Australia__Lord_Howe,
            "start=02:15 end=05:00 min=1",
            "2026-10-03T00:00:00Z",
            "2026-10-04T00:00:00Z",
            &["2026-10-03T00:00:00Z -", "2026-10-03T15:30:00Z 1", "2026-10-03T18:00:00Z -"],
        ),
        // Put back by half an hour: 02:00 to 01:30 on 2026-04-05 at 2026-04-04T15:00Z.
        (
            Tz::Australia__Lord_Howe,
            "start=01:45 end=02:00 min=1",
            "2026-04-04T00:00:00Z",
            "2026-04-05T00:00:00Z",
            &["2026-04-04T00:00:00Z -", "2026-04-04T14:45:00Z 1", "2026-04-04T15:30:00Z -"],
        ),
    ]);
}

#[test]
fn midnight_itself_may_be_leapt_over_or_come_twice() {
    check(&[
        // Cairo skips from 00:00 to 01:00 on Friday 2026-04-24, at 2026-04-23T22:00Z.
        (
            Tz::Africa__Cairo,
            "days=fri start=00:00 end=24:00 min=1",
            "2026-04-22T00:00:00Z",
            "2026-04-26T00:00:00Z",
            &["2026-04-22T00:00:00Z -", "2026-04-23T22:00:00Z 1", "2026-04-24T21:00:00Z -"],
        ),
        // St John's went back from 00:01 to 23:01 on Sunday 2010-11-07: that Sunday started twice.
        (
            Tz::America__St_Johns,
            "start=0 0 * * 0;end=0 6 * * 0;min=1",
            "2010-11-06T12:00:00Z",
            "2010-11-07T12:00:00Z",
            &["2010-11-06T12:00:00Z -", "2010-11-07T02:30:00Z 1", "2010-11-07T09:30:00Z -"],
        ),
        (
            Tz::America__St_Johns,
            "days=sun start=00:00 end=06:00 min=1",
            "2010-11-06T12:00:00Z",
            "2010-11-07T12:00:00Z",
            &["2010-11-06T12:00:00Z -", "2010-11-07T02:30:00Z 1", "2010-11-07T09:30:00Z -"],
        ),
        // There the repeated last hour of Saturday comes after Sunday's first minute.
        (
            Tz::America__St_Johns,
            "start=30 * * * 6;end=0 0 * * 0;min=1",
            "2010-11-07T02:00:00Z",
            "2010-11-07T12:00:00Z",
            &["2010-11-07T02:00:00Z 1", "2010-11-07T02:30:00Z -", "2010-11-07T03:00:00Z 1"],
        ),
        // Samoa skipped 2011-12-30: a window that would start and end on it does neither.
        (
            Tz::Pacific__Apia,
            "start=09:00 end=17:00 min=1",
            "2011-12-29T12:00:00Z",
            "2011-12-31T12:00:00Z",
            &[
                "2011-12-29T12:00:00Z -",
                "2011-12-29T19:00:00Z 1",
                "2011-12-30T03:00:00Z -",
                "2011-12-30T19:00:00Z 1",
                "2011-12-31T03:00:00Z -",
            ],
        ),
    ]);
}

#[test]
fn leap_day_and_the_end_of_the_year() {
    check(&[
        (
            Tz::UTC,
            "on=2028-02-29 min=1",
            "2028-02-01T00:00:00Z",
            "2028-04-01T00:00:00Z",
            &["2028-02-01T00:00:00Z -", "2028-02-29T00:00:00Z 1", "2028-03-01T00:00:00Z -"],
        ),
        (
            Tz::Asia__Tokyo,
            "start=0 0 29 2 *;end=0 0 1 3 *;min=1",
            "2027-01-01T00:00:00Z",
            "2029-01-01T00:00:00Z",
            &["2027-01-01T00:00:00Z -", "2028-02-28T15:00:00Z 1", "2028-02-29T15:00:00Z -"],
        ),
        (
            Tz::Pacific__Auckland,
            "on=2026-12-31 start=20:00 end=02:00 min=9",
            "2026-12-30T00:00:00Z",
            "2027-01-03T00:00:00Z",
            &["2026-12-30T00:00:00Z -", "2026-12-31T07:00:00Z 9", "2026-12-31T13:00:00Z -"],
        ),
        (
            Tz::UTC,
            "start=0 0 24 12 *;end=0 0 2 1 *;min=3",
            "2026-12-01T00:00:00Z",
            "2027-02-01T00:00:00Z",
            &["2026-12-01T00:00:00Z -", "2026-12-24T00:00:00Z 3", "2027-01-02T00:00:00Z -"],
        ),
    ]);
}
