//! Points of lines: thinned to what a screen can show, drawn as steps, and axis marks at round instants.

use chrono::TimeZone;
use chrono_tz::Tz;

use crate::units::Time;

/// A screen cannot show more points than this; each point drawn is the largest of its interval.
const MOST_POINTS: usize = 700;

/// At most `MOST_POINTS` points, each the largest of its interval.
pub fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let wide = points.len().div_ceil(MOST_POINTS).max(1);
    let largest = |part: &[(f64, f64)]| part.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    points.chunks(wide).filter_map(|part| largest(part).map(|top| (part[0].0, top.1))).collect()
}

/// A step line: each value is held until the next point.
pub fn stairs(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut out: Vec<(f64, f64)> = Vec::with_capacity(points.len() * 2);
    for &point in points {
        if let Some(last) = out.last().copied() {
            out.push((point.0, last.1));
        }
        out.push(point);
    }
    out
}

/// At most seven marks at round instants between two others, by the wall clock of a zone.
pub fn time_marks(zone: Tz, (first, last): (f64, f64)) -> Vec<(f64, String)> {
    const ROUND: [i64; 10] = [300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];
    let every = ROUND.into_iter().find(|s| (last - first) / *s as f64 <= 6.5).unwrap_or(2_592_000);
    let begin = (first as i64).div_euclid(every) * every + every;
    let marks = (0..8).map(|i| begin + i * every).filter(|at| *at as f64 <= last);
    let form = if every >= 86_400 {
        "%-d %b"
    } else if every >= 10_800 {
        "%a %H:%M"
    } else {
        "%H:%M"
    };
    let local = |at: i64| zone.from_utc_datetime(&Time::from_epoch(at).to_utc().naive_utc());
    marks.map(|at| (at as f64, local(at).format(form).to_string())).collect()
}
