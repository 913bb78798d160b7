//! How long a fit, a question and an update take, beside augurs' MSTL with AutoETS on the same series.
//!
//! One core, medians of repeated runs, all in one process so that ratios hold on a noisy machine. Prints a
//! table; with `--check` (or in `tests/run`) it fails when a budget of the forecast engine is exceeded. The
//! series is generated: 28 days of minutes with a daily and weekly shape, growth, bursts and gaps.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench reads the clock and reports")]

mod timing;

use std::hint::black_box;
use std::process::ExitCode;

use augurs::ets::AutoETS;
use augurs::mstl::MSTLModel;
use augurs::{Fit, Predict};
use chrono_tz::Tz;
use forescale::forecast::fit;
use forescale::history::{Calendar, Series};
use forescale::policy::schedule::Calendars;
use forescale::policy::{Bounds, RawRule, Schedule};
use forescale::units::{Quantile, Span, Step, Time};
use timing::median;

/// 28 days of minutes.
const POINTS: usize = 40_320;
/// Budgets: fit beside augurs, prediction and update beside the fit, bytes of a series with its window. A year of a
/// schedule may take no longer than a fit.
const FASTER: f64 = 30.0;
const PREDICT_SHARE: f64 = 1.0 / 20.0;
const UPDATE_SHARE: f64 = 1.0 / 500.0;
const BYTES: usize = 292 * 1024;

fn main() -> ExitCode {
    let series = workload();
    let calendar = Calendar::utc();
    let window = Span::days(28);
    let end = series.end().expect("the series has samples");
    let fitted = fit(&series, &calendar, end, window).expect("the series is long enough");
    let fit_ms = median(15, || {
        black_box(fit(black_box(&series), &calendar, end, window).expect("fits"));
    });
    let tracker = fitted.tracker();
    let predict_ms = median(15, || {
        for step in 1..=60 {
            black_box(tracker.quantiles(Span::minutes(step), &Quantile::PUBLISHED));
        }
    });
    let peak_ms = median(15, || {
        black_box(tracker.peak(Span::minutes(3), &Quantile::PUBLISHED));
    });
    let mut followed = fitted.tracker();
    let updates = 1_000u32;
    let update_ms = median(5, || {
        for i in 0..updates {
            followed.observe(Some(100.0 + f64::from(i % 7)));
        }
    }) / f64::from(updates);
    let clone_ms = median(15, || {
        black_box(tracker.clone());
    });
    let values = series.values().iter().map(|v| if v.is_nan() { 100.0 } else { *v }).collect::<Vec<_>>();
    let augurs_ms = median(3, || {
        let trend = AutoETS::new(1, "ZZN").expect("a valid model").into_trend_model();
        let model = MSTLModel::new(vec![1_440, 10_080], trend).fit(&values).expect("augurs fits");
        black_box(model.predict(60, 0.9).expect("augurs predicts"));
    });
    let (year_ms, changes_ms) = year_of_a_schedule(end);
    let fitted_bytes = fitted.heap_bytes();
    // As served: a tracker is followed for six hours, then the next fit takes over.
    let mut served = fit(&series, &calendar, end - Span::hours(6), window).expect("fits").tracker();
    served.follow(&series, end);
    let tracker_bytes = served.heap_bytes();
    let window_bytes = series.clone().compact().heap_bytes();
    let bytes = fitted_bytes + tracker_bytes + window_bytes;
    let rows = [
        ("fit (with backcast)", fit_ms, augurs_ms / fit_ms, "times faster than augurs MSTL + AutoETS"),
        ("augurs MSTL + AutoETS", augurs_ms, 1.0, ""),
        ("60 steps x 5 quantiles", predict_ms, predict_ms / fit_ms, "of the fit"),
        ("one peak x 5 quantiles", peak_ms, peak_ms / fit_ms, "of the fit"),
        ("one new sample", update_ms, update_ms / fit_ms, "of the fit"),
        ("clone of a tracker", clone_ms, clone_ms / fit_ms, "of the fit"),
        ("year of 20 rules, minutes", year_ms, year_ms / fit_ms, "of the fit"),
        ("year of 20 rules, changes", changes_ms, changes_ms / fit_ms, "of the fit"),
    ];
    for (name, ms, ratio, of) in rows {
        println!("{name:24} {ms:12.4} ms   {ratio:10.5} {of}");
    }
    println!("memory: fit {fitted_bytes} + tracker {tracker_bytes} + window {window_bytes} = {bytes} bytes");
    let budgets = [
        ("fit", augurs_ms / fit_ms >= FASTER),
        ("predict", predict_ms / fit_ms <= PREDICT_SHARE),
        ("update", update_ms / fit_ms <= UPDATE_SHARE),
        ("memory", bytes <= BYTES),
        ("schedule", year_ms <= fit_ms),
    ];
    let failed: Vec<_> = budgets.iter().filter(|(_, kept)| !kept).map(|(name, _)| *name).collect();
    if failed.is_empty() {
        println!("all budgets kept");
        ExitCode::SUCCESS
    } else {
        println!("budgets exceeded: {}", failed.join(", "));
        ExitCode::from(u8::from(std::env::args().any(|a| a == "--check")))
    }
}

/// A year of twenty rules: minute by minute, as a replay asks, and by its changes, as a timeline does.
fn year_of_a_schedule(from: Time) -> (f64, f64) {
    let schedule = twenty_rules();
    let minutes = median(5, || {
        let mut cursor = schedule.cursor();
        black_box((0..365 * 1_440).filter(|m| cursor.at(from + Span::minutes(*m)) != Bounds::NONE).count());
    });
    let changes = median(15, || {
        black_box(schedule.changes(from, from + Span::days(365)));
    });
    (minutes, changes)
}

/// Twenty rules of every kind: by the clock, overnight, by cron, of one date.
fn twenty_rules() -> Schedule {
    let of = |pairs: &[(&'static str, String)]| {
        let pairs = pairs.iter().map(|(key, text)| (*key, vec![text.clone()]));
        RawRule::from_pairs("schedule[0]", pairs).expect("known keys")
    };
    let rules: Vec<RawRule> = (0..5)
        .flat_map(|hour| {
            let rule = |days: &str, start: String, end: String, min: u32| {
                of(&[("days", days.to_owned()), ("start", start), ("end", end), ("min", min.to_string())])
            };
            [
                rule("mon-fri", format!("0{hour}:30"), format!("1{hour}:00"), 1 + hour),
                rule("weekends", format!("2{}:00", hour % 4), format!("0{hour}:15"), 2),
                rule("daily", format!("{hour} {hour} * * 1-5"), format!("30 1{hour} * * *"), 2 + hour),
                of(&[("on", format!("2026-12-0{}", hour + 1)), ("factor", "2".to_owned())]),
            ]
        })
        .collect();
    Schedule::new(Tz::Europe__Berlin, &rules, &Calendars::default()).expect("twenty rules")
}

/// A web load with everything that makes fits work hard.
fn workload() -> Series {
    let mut state = 12_345u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5
    };
    let values = (0..POINTS).map(|i| {
        let minute = (i % 1_440) as f64;
        let weekday = (i / 1_440) % 7;
        let day = 1.0 + 0.7 * (std::f64::consts::TAU * (minute - 480.0) / 1_440.0).sin();
        let week = if weekday >= 5 { 0.5 } else { 1.0 };
        let burst = if i % 977 < 9 { 1.6 } else { 1.0 };
        let value = 100.0 * day * week * burst * (1.0 + i as f64 / 80_000.0) * (1.0 + 0.3 * noise());
        if i % 5_003 < 20 { f64::NAN } else { value.round() }
    });
    Series::from_values(Time::from_epoch(1_767_571_200), Step::MINUTE, values)
}
