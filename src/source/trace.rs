//! Traces from files: `timestamp,value` rows or a saved Prometheus range query, optionally gzipped.
//!
//! The step is derived from the distances between rows; a missing row is a gap. Up to a limit, all faults are
//! reported at once, each with its line, what was found and what was expected. Nothing is repaired silently.

mod flaws;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

pub use flaws::{Flaws, Found, Gaps};

use super::prometheus::decode::{Bounds, DecodeError, Decoder};
use crate::history::{HistoryError, Series};
use crate::units::{Span, Step, Time, counted};

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// Rows that are not samples.
    #[error("{}: {faults}", path.display())]
    Rows {
        /// The file.
        path: PathBuf,
        /// What is wrong, and on which lines.
        faults: Faults,
    },
    /// The file is not a saved answer of a range query.
    #[error("{}: {found}, expected {expected}", path.display())]
    Answer {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The rows do not form a series.
    #[error("{}: the samples form no series", path.display())]
    Grid {
        /// The file.
        path: PathBuf,
        /// Why.
        source: HistoryError,
    },
}

/// Faults of rows: the first few of each kind are described.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults {
    shown: Vec<String>,
    /// The number of faults of each kind, by what was expected.
    kinds: BTreeMap<String, usize>,
}

/// Further faults of a kind are only counted: a file usually has the same fault on every line.
const SHOWN: usize = 3;
/// The end of the year 4999: a larger number is in milliseconds, or is not an instant.
const LATEST: f64 = 95_617_584_000.0;
/// A file that unpacks to more is not a trace: eleven years of minutes are 200 MB.
const MOST_BYTES: u64 = 1 << 30;

/// Reads a trace. The format is detected from the content, not from the file name.
pub fn read(path: &Path) -> Result<Series, TraceError> {
    read_with_flaws(path).map(|(series, _)| series)
}

/// The same, together with the irregularities of the trace.
pub fn read_with_flaws(path: &Path) -> Result<(Series, Flaws), TraceError> {
    let text = text(path).map_err(|source| TraceError::Read { path: path.to_owned(), source })?;
    let is_answer = text.trim_start().starts_with('{');
    let points = if is_answer { points_of_answer(path, &text)? } else { points_of_rows(path, &text)? };
    let series = series(path, &points)?;
    let flaws = Flaws::of(&series, &points);
    Ok((series, flaws))
}

/// Parses `timestamp,value` rows; `path` is only used in messages.
pub fn rows(path: &Path, text: &str) -> Result<Series, TraceError> {
    series(path, &points_of_rows(path, text)?)
}

fn points_of_rows(path: &Path, text: &str) -> Result<Vec<(Time, f64)>, TraceError> {
    let mut faults = Faults::default();
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let columns = match reader.headers() {
        Ok(head) => {
            let find = |name: &str| head.iter().position(|h| h.trim_start_matches('\u{feff}') == name);
            match (find("timestamp"), find("value")) {
                (Some(t), Some(v)) => Some((t, v)),
                _ => {
                    let found = head.iter().collect::<Vec<_>>().join(",");
                    faults.add(1, &format!("'{found}'"), "a header with timestamp,value");
                    None
                }
            }
        }
        Err(error) => {
            faults.add(1, &error.to_string(), "a header with timestamp,value");
            None
        }
    };
    let mut points: Vec<(Time, f64)> = Vec::new();
    let width = reader.headers().map_or(0, csv::StringRecord::len);
    if let Some((t, v)) = columns {
        let mut record = csv::StringRecord::new();
        loop {
            match reader.read_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    let line = error.position().map_or(0, |p| p.line());
                    faults.add(line, &error.to_string(), "a row of text");
                    continue;
                }
            }
            let line = record.position().map_or(0, |p| p.line());
            if record.len() != width {
                faults.add(line, &format!("{} fields", record.len()), "as many as the header has");
                continue;
            }
            match row(record.get(t).unwrap_or(""), record.get(v).unwrap_or("")) {
                Ok(Some(point)) => points.push(point),
                Ok(None) => {}
                Err((found, expected)) => faults.add(line, &format!("'{found}'"), expected),
            }
        }
        if points.len() < 2 && faults.is_empty() {
            faults.add(2, &counted(points.len(), "sample"), "at least two");
        }
    }
    if !faults.is_empty() {
        return Err(TraceError::Rows { path: path.to_owned(), faults });
    }
    Ok(points)
}

/// Parses a saved answer of Prometheus' `query_range`; `path` is only used in messages.
pub fn answer(path: &Path, text: &str) -> Result<Series, TraceError> {
    series(path, &points_of_answer(path, text)?)
}

fn points_of_answer(path: &Path, text: &str) -> Result<Vec<(Time, f64)>, TraceError> {
    let bad = |found: String, expected| TraceError::Answer { path: path.to_owned(), found, expected };
    // A file on disk is bounded by what was read of it.
    let mut decoder = Decoder::new(Bounds { bytes: text.len(), points: text.len() });
    let fed = decoder.feed(text.as_bytes()).and_then(|()| decoder.ended());
    let answer = decoder.so_far();
    if !answer.error.is_empty() && !matches!(fed, Err(DecodeError::Malformed(_))) {
        return Err(bad(format!("an error response ({})", answer.error), "a successful one"));
    }
    // The type comes before the samples, and says more than that they have another form.
    if answer.result_type != "matrix" && (fed.is_ok() || !answer.result_type.is_empty()) {
        let kind = if answer.result_type.is_empty() { "nothing" } else { &answer.result_type };
        return Err(bad(format!("a result of type {kind}"), "matrix, as query_range gives"));
    }
    match fed {
        Ok(()) if answer.series == 1 => {}
        Ok(()) => return Err(bad(format!("{} series", answer.series), "exactly one; sum() the query")),
        Err(DecodeError::ManySeries) => {
            return Err(bad("several series".to_owned(), "exactly one; sum() the query"));
        }
        Err(DecodeError::NotNumeric(found)) => return Err(bad(found.to_owned(), "samples that are numbers")),
        Err(DecodeError::TooLarge { limit, unit }) => {
            return Err(bad(format!("more than {limit} {unit}"), "a Prometheus range-query response"));
        }
        Err(DecodeError::Malformed(reason)) => {
            return Err(bad(reason, "a Prometheus range-query response"));
        }
    }
    if answer.times.len() < 2 {
        return Err(bad(counted(answer.times.len(), "sample"), "at least two"));
    }
    let seconds = |millis: i64| Time::from_epoch((millis as f64 / 1_000.0).round() as i64);
    Ok(answer.times.into_iter().map(seconds).zip(answer.values).collect())
}

/// The text of a file, gzipped or not, up to a limit.
///
/// # Errors
/// If the system reports an error, or the text is not UTF-8.
pub fn text(path: &Path) -> std::io::Result<String> {
    let mut head = [0u8; 2];
    let mut file = File::open(path)?;
    let read = file.read(&mut head)?;
    let whole = std::io::Cursor::new(head[..read].to_vec()).chain(BufReader::new(file));
    let mut out = String::new();
    if head == [0x1f, 0x8b] {
        flate2::read::MultiGzDecoder::new(whole).take(MOST_BYTES).read_to_string(&mut out)?;
    } else {
        whole.take(MOST_BYTES).read_to_string(&mut out)?;
    }
    Ok(out)
}

/// One row; an empty value is a gap.
fn row(at: &str, value: &str) -> Result<Option<(Time, f64)>, (String, &'static str)> {
    let at = instant(at)?;
    if value.is_empty() {
        return Ok(None);
    }
    match number(value) {
        Some(value) => Ok(Some((at, value))),
        None => Err((value.to_owned(), "a number, or nothing for a gap")),
    }
}

/// Parses an instant as RFC 3339 or as seconds since 1970.
///
/// # Errors
/// What was found, and what was expected.
pub fn instant(at: &str) -> Result<Time, (String, &'static str)> {
    const AT: &str = "an instant such as 2026-12-01T18:00:00Z or seconds since 1970";
    match Time::parse(at) {
        Ok(time) => Ok(time),
        Err(_) => match at.parse::<f64>() {
            Ok(seconds) if seconds.abs() > LATEST => {
                Err((at.to_owned(), "seconds since 1970, no milliseconds"))
            }
            Ok(seconds) if seconds.is_finite() => Ok(Time::from_epoch(seconds.round() as i64)),
            _ => Err((at.to_owned(), AT)),
        },
    }
}

/// Parses a number as Prometheus and spreadsheets write it; it may be infinite (`+Inf`) or NaN.
pub fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

fn series(path: &Path, points: &[(Time, f64)]) -> Result<Series, TraceError> {
    let step = step(points);
    Series::from_points(step, points).map_err(|source| TraceError::Grid { path: path.to_owned(), source })
}

/// The greatest common divisor of the distances between neighbours.
fn step(points: &[(Time, f64)]) -> Step {
    let mut times: Vec<i64> = points.iter().map(|p| p.0.epoch()).collect();
    times.sort_unstable();
    let gcd = times.windows(2).fold(0, |g, w| gcd(g, w[1] - w[0]));
    Step::new(Span::seconds(gcd)).unwrap_or(Step::MINUTE)
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

// === impl Faults ===

impl Faults {
    /// Records a fault.
    pub fn add(&mut self, line: u64, found: &str, expected: &str) {
        let count = self.kinds.entry(expected.to_owned()).or_default();
        *count += 1;
        if *count <= SHOWN {
            self.shown.push(format!("line {line}: found {found}, expected {expected}"));
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown.join("; "))?;
        for (expected, more) in self.kinds.iter().filter(|kind| *kind.1 > SHOWN) {
            let lines = counted(more - SHOWN, "more line");
            write!(f, "; and {lines} where {expected} was expected")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn csv(text: &str) -> Result<Series, String> {
        rows(Path::new("t.csv"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn rows_make_a_series_with_gaps() {
        let s =
            csv("timestamp,value\n2026-01-01T00:00:00Z,1\n2026-01-01T00:20:00Z,3\n2026-01-01T00:10:00Z,2\n\
                     2026-01-01T00:50:00Z,\n2026-01-01T01:00:00Z,NaN\n")
            .expect("a trace");
        assert_eq!(s.step().as_seconds(), 600);
        assert_eq!(
            (0..7).map(|i| s.get(i)).collect::<Vec<_>>()[..4],
            [Some(1.0), Some(2.0), Some(3.0), None]
        );
        let numbers = csv("value,timestamp\n5,0\n6,10\n").expect("a trace");
        assert_eq!((numbers.step().as_seconds(), numbers.last()), (10, Some((Time::from_epoch(10), 6.0))));
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let text = "timestamp,value\nyesterday,1\n2026-01-01T00:00:00Z,lots\n";
        let error = csv(text).expect_err("two faults");
        assert!(
            error.contains("line 2: found 'yesterday'") && error.contains("line 3: found 'lots'"),
            "{error}"
        );
        assert!(csv("time,load\n").expect_err("header").contains("found 'time,load', expected a header"));
        let millis = csv("timestamp,value\n1793279160000,1\n1793279220000,2\n").expect_err("milliseconds");
        assert!(millis.contains("line 2: found '1793279160000', expected seconds since 1970"), "{millis}");
        let comma = csv("timestamp,value\n0,474\n60,475,1\n").expect_err("a decimal comma");
        assert!(comma.contains("line 3: found 3 fields, expected as many as the header has"), "{comma}");
        let many = format!("timestamp,value\n{}", "x,1\n".repeat(25));
        let many = csv(&many).expect_err("many");
        assert!(many.contains("line 4: found 'x'") && !many.contains("line 5"), "{many}");
        assert!(many.contains("and 22 more lines where an instant such as"), "{many}");
    }

    #[test]
    fn saved_answers_are_read() {
        let json = r#"{"status":"success","data":{"resultType":"matrix","result":
            [{"metric":{},"values":[[0,"1"],[60,"2.5"],[180,"+Inf"]]}]}}"#;
        let s = answer(Path::new("a.json"), json).expect("an answer");
        assert_eq!((s.len(), s.get(1), s.get(3)), (4, Some(2.5), None));
        let none = answer(Path::new("a.json"), r#"{"data":{"resultType":"matrix","result":[]}}"#);
        assert!(none.expect_err("no series").to_string().contains("0 series, expected exactly one"));
        let vector = r#"{"data":{"resultType":"vector","result":[{"value":[0,"1"]},{"value":[0,"1"]}]}}"#;
        for (text, told) in [
            ("{", "breaks off after 1 bytes"),
            (
                r#"{"status":"error","error":"bad query"}"#,
                "an error response (bad query), expected a successful",
            ),
            (r#"{"status":"success"}"#, "a result of type nothing, expected matrix"),
            (vector, "a result of type vector, expected matrix"),
            (&json.replace("\"1\"", "\"x\""), "the value 'x'"),
            (
                &json.replace("{\"metric\"", "{\"values\":[]},{\"metric\""),
                "several series, expected exactly one",
            ),
        ] {
            let error = answer(Path::new("a.json"), text).expect_err(told).to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn gzip_is_told_by_its_content() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("trace");
        let mut zip = flate2::write::GzEncoder::new(File::create(&path).expect("a file"), Default::default());
        zip.write_all(b"timestamp,value\n0,1\n60,2\n").expect("written");
        zip.finish().expect("finished");
        assert_eq!(read(&path).expect("a trace").len(), 2);
        assert!(matches!(read(&dir.path().join("none")), Err(TraceError::Read { .. })));
    }
}
