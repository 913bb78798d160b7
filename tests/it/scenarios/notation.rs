//! Parses the notation for loads, instants and pods.

use std::collections::BTreeMap;

use chrono::{Datelike, Timelike, Weekday};
use chrono_tz::Tz;
use forescale::history::Series;
use forescale::source::yaml;
use forescale::units::{Dice, Span, Time};

/// `28d09:00`, `28d09:00:15` (days and hours since the start), or RFC 3339.
pub(super) fn instant(text: &str, start: Time) -> Result<Time, String> {
    if text.contains('T') {
        return Time::parse(text).map_err(|e| e.to_string());
    }
    let bad = || format!("found '{text}', expected an instant such as 28d09:00 or 2026-11-02T09:00:00Z");
    let (days, clock) = text.split_once('d').ok_or_else(bad)?;
    let parts: Vec<i64> = clock.split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| bad())?;
    let seconds = match parts[..] {
        [h, m] => h * 3_600 + m * 60,
        [h, m, s] => h * 3_600 + m * 60 + s,
        _ => return Err(bad()),
    };
    let days: i64 = days.parse().map_err(|_| bad())?;
    Ok(start + Span::days(days) + Span::seconds(seconds))
}

pub(super) fn span(text: &str) -> Result<Span, String> {
    Span::parse(text).map_err(|e| e.to_string())
}

/// The keys of a trigger, as KEDA sends them.
pub(super) fn metadata(block: &str) -> Result<BTreeMap<String, String>, String> {
    let values: BTreeMap<String, serde_json::Value> = yaml::from_str(block)?;
    let text = |value: serde_json::Value| value.as_str().map_or(value.to_string(), str::to_owned);
    Ok(values.into_iter().map(|(key, value)| (key, text(value))).collect())
}

/// An iCalendar text unchanged, or one built from lines such as `2026-12-25 Christmas`.
pub(super) fn calendar(block: &str) -> String {
    if block.trim_start().starts_with("BEGIN:") {
        return block.to_owned();
    }
    let event = |(i, line): (usize, &str)| {
        let (date, name) = line.trim().split_once(' ').unwrap_or((line.trim(), "a day"));
        let date = date.replace('-', "");
        format!(
            "BEGIN:VEVENT\nUID:{i}\nDTSTAMP:{date}T000000Z\nDTSTART;VALUE=DATE:{date}\nSUMMARY:{name}\nEND:VEVENT\n"
        )
    };
    let events: String = block.lines().filter(|l| !l.trim().is_empty()).enumerate().map(event).collect();
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:scenario\n{events}END:VCALENDAR\n")
}

/// `40s x20 until 28d00:00 [from-zero]`: 20 pod starts that took 40 s each, a minute apart, the last one at that
/// instant.
pub(super) fn pods(words: &[&str], start: Time) -> Result<Vec<(Time, f64, bool)>, String> {
    let [took, count, "until", until, rest @ ..] = words else {
        return Err("expected: pods 40s x20 until 28d00:00 [from-zero]".to_owned());
    };
    let count: i64 = count.trim_start_matches('x').parse().map_err(|_| format!("'{count}' is no count"))?;
    let (seconds, until) = (span(took)?.as_seconds() as f64, instant(until, start)?);
    let from_zero = rest == ["from-zero"];
    Ok((0..count).rev().map(|i| (until - Span::minutes(i), seconds, from_zero)).collect())
}

/// A series after one line has extended or changed it.
pub(super) fn extend(mut series: Series, words: &[&str], start: Time) -> Result<Series, String> {
    match words {
        ["daily", options @ ..] => daily(series, options),
        ["saw", high, low, "every", period, "for", low_for, "days", days] => {
            let (high, low) = (number(high)?, number(low)?);
            let (period, low_for) = (span(period)?.as_seconds(), span(low_for)?.as_seconds());
            let slots = series.step().count_in(Span::days(number(days)? as i64));
            for _ in 0..slots {
                let place = series.time(series.len()).epoch().rem_euclid(period);
                series.push(if place < low_for { low } else { high });
            }
            Ok(series)
        }
        ["gap", from, to] => Ok(changed(&series, instant(from, start)?, instant(to, start)?, |_| f64::NAN)),
        ["times", factor, from, to] => {
            let factor = number(factor)?;
            Ok(changed(&series, instant(from, start)?, instant(to, start)?, |value| value * factor))
        }
        ["plus", more, from, to] => {
            let more = number(more)?;
            Ok(changed(&series, instant(from, start)?, instant(to, start)?, |value| value + more))
        }
        ["at", from, tokens @ ..] => {
            let from = instant(from, start)?;
            for (i, value) in samples(tokens)?.into_iter().enumerate() {
                let at = from + series.step().times(i);
                series = if series.slot_before(at).is_some_and(|slot| series.time(slot) == at) {
                    changed(&series, at, at + series.step().span(), |_| value)
                } else {
                    series.put(at, value);
                    series
                };
            }
            Ok(series)
        }
        tokens => {
            samples(tokens)?.into_iter().for_each(|value| series.push(value));
            Ok(series)
        }
    }
}

/// The same with the samples in `[from, to)` changed.
fn changed(series: &Series, from: Time, to: Time, change: impl Fn(f64) -> f64) -> Series {
    let values = (0..series.len()).map(|i| {
        let (at, value) = (series.time(i), series.get(i).unwrap_or(f64::NAN));
        if from <= at && at < to { change(value) } else { value }
    });
    Series::from_values(series.start(), series.step(), values)
}

/// `100x60 100+5x30 80-2x10 _x5 7`: sixty times 100; thirty from 100 on, each 5 more; ten from 80 on, each 2 less;
/// five gaps; one 7.
fn samples(tokens: &[&str]) -> Result<Vec<f64>, String> {
    let mut out = Vec::new();
    for token in tokens {
        let bad = || format!("found '{token}', expected samples such as 100x60, 100+5x30 or _x10");
        let (value, count) = match token.rsplit_once('x') {
            Some((value, count)) => (value, count.parse::<usize>().map_err(|_| bad())?),
            None => (*token, 1),
        };
        if value == "_" {
            out.extend(std::iter::repeat_n(f64::NAN, count));
            continue;
        }
        let split = value.char_indices().skip(1).find(|(_, c)| matches!(c, '+' | '-')).map(|(i, _)| i);
        let (first, slope) = value.split_at(split.unwrap_or(value.len()));
        let first: f64 = first.parse().map_err(|_| bad())?;
        let slope: f64 = if slope.is_empty() { 0.0 } else { slope.parse().map_err(|_| bad())? };
        out.extend((0..count).map(|i| first + slope * i as f64));
    }
    Ok(out)
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("found '{text}', expected a number"))
}

/// `daily base=20 peak=100 from=08:00 to=18:00 days=28 [noise=3] [weekend=0.3] [shape=square] [zone=UTC]`.
fn daily(mut series: Series, options: &[&str]) -> Result<Series, String> {
    let pairs: BTreeMap<&str, &str> = options.iter().filter_map(|o| o.split_once('=')).collect();
    let get =
        |key: &str, default: &'static str| -> String { (*pairs.get(key).unwrap_or(&default)).to_owned() };
    let hours = |text: String| -> Result<f64, String> {
        let (h, m) = text.split_once(':').ok_or(format!("'{text}' is no time of day"))?;
        Ok(number(h)? + number(m)? / 60.0)
    };
    let known = ["base", "peak", "from", "to", "days", "noise", "weekend", "shape", "zone"];
    if let Some(odd) = pairs.keys().find(|k| !known.contains(k)) {
        return Err(format!("'daily' has no option '{odd}'"));
    }
    let (base, peak) = (number(&get("base", "0"))?, number(&get("peak", "100"))?);
    let (from, to) = (hours(get("from", "08:00"))?, hours(get("to", "18:00"))?);
    let (noise, weekend) = (number(&get("noise", "0"))?, number(&get("weekend", "1"))?);
    let zone: Tz = get("zone", "UTC").parse().map_err(|_| "no such zone".to_owned())?;
    let square = get("shape", "wave") == "square";
    let slots = (number(&get("days", "28"))? * 86_400.0) as i64 / series.step().as_seconds();
    for _ in 0..slots {
        let at = series.time(series.len());
        let local = at.to_utc().with_timezone(&zone);
        let hour = f64::from(local.num_seconds_from_midnight()) / 3_600.0;
        let share = ((hour - from) / (to - from)).clamp(0.0, 1.0);
        let height = match square {
            true => f64::from(u8::from(from <= hour && hour < to)),
            false => (std::f64::consts::PI * share).sin(),
        };
        let day = if matches!(local.weekday(), Weekday::Sat | Weekday::Sun) { weekend } else { 1.0 };
        let value = base + (peak - base) * height * day + noise * dice(at);
        series.push(value.max(0.0));
    }
    Ok(series)
}

/// A number from -1 to 1 that depends only on the instant.
fn dice(at: Time) -> f64 {
    // The step of the generator's own stream, so that adjacent instants get numbers of one stream.
    let seed = at.epoch().unsigned_abs().wrapping_sub(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    2.0 * Dice::new(seed).uniform() - 1.0
}
