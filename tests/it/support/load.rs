//! Loads to write into a Prometheus: generated ones, and recorded ones shifted to now.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use forescale::source::trace;
use forescale::units::{Span, Time};

use super::prometheus::Backfill;

/// Days of history.
pub const DAYS: i64 = 30;
/// Samples written ahead of now, so that the load continues while a test runs.
const AHEAD_MINUTES: i64 = 30;

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("in range")
}

/// Noise of a minute, from 0 to 4: the same in every run, and unlike that of the same minute of any other day. If it
/// repeated, yesterday's load would forecast today's best.
fn noise(minute: i64) -> f64 {
    let mut hasher = DefaultHasher::new();
    minute.hash(&mut hasher);
    (hasher.finish() % 256) as f64 / 64.0
}

/// A daily wave between 40 and 160 with a little noise, from 30 days before `end`; future samples have the value of now.
pub fn wave(metric: &str, end: i64) -> Backfill {
    let present = now() / 60;
    let value = |minute: i64| {
        let minute = minute.min(present);
        let day = (minute % 1_440) as f64 / 1_440.0;
        100.0 - 60.0 * (day * std::f64::consts::TAU).cos() + noise(minute)
    };
    let last = end.div_euclid(60);
    let points = (last - DAYS * 1_440..=last).map(|m| (m * 60, value(m))).collect();
    Backfill { metric: metric.to_owned(), points }
}

/// The wave up to some minutes after now.
pub fn going_on(metric: &str) -> Backfill {
    wave(metric, now() + AHEAD_MINUTES * 60)
}

/// The last 30 days of a recorded one-minute trace, shifted so that it ends now and then stays constant; `None` if
/// the folder of traces does not exist.
pub fn recorded(metric: &str, file: &str) -> Option<Backfill> {
    let folder = std::env::var("FORESCALE_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_owned());
    let path = PathBuf::from(folder).join(file);
    if !path.exists() {
        return None;
    }
    let series = trace::read(&path).expect("a trace");
    let (last, _) = series.last().expect("samples");
    let recent = series.window(last - Span::days(DAYS), last);
    let shift = now().div_euclid(60) * 60 - last.epoch();
    let mut points: Vec<(i64, f64)> =
        (0..recent.len()).filter_map(|i| Some((recent.time(i).epoch() + shift, recent.get(i)?))).collect();
    let (end, value) = *points.last().expect("samples");
    points.extend((1..=AHEAD_MINUTES).map(|m| (end + m * 60, value)));
    println!("{file}: {} samples up to {}", points.len(), Time::from_epoch(end));
    Some(Backfill { metric: metric.to_owned(), points })
}
