//! Decodes an answer of the query API into columns while it arrives.
//!
//! Bytes and points are bounded, and the body is never held as a whole. Keys may come in any order. NaN and
//! infinities are kept as they are; the series that receives them turns them into gaps. A second series ends the
//! decoding with an error.

use super::json::{Event, JsonReader};
use crate::source::error::excerpt;

/// The most warnings kept.
const MAX_NOTES: usize = 16;

/// The limits of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes of the body.
    pub(crate) bytes: usize,
    /// Samples of its series.
    pub(crate) points: usize,
}

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct QueryResult {
    /// Whether `status` was `success`.
    pub(crate) success: bool,
    /// `errorType`, if the server reports an error.
    pub(crate) error_type: String,
    /// `error`, if the server reports an error.
    pub(crate) error: String,
    /// `resultType`; empty as long as it has not come.
    pub(crate) result_type: String,
    /// The number of series.
    pub(crate) series: usize,
    /// Instants in milliseconds since the epoch, in the order of the answer.
    pub(crate) times: Vec<i64>,
    /// The values for `times`, including NaN and infinities.
    pub(crate) values: Vec<f64>,
    /// Warnings and notes of the server.
    pub(crate) warnings: Vec<String>,
}

/// Why an answer was not decoded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DecodeError {
    Malformed(String),
    TooLarge { limit: usize, unit: &'static str },
    ManySeries,
    NotNumeric(&'static str),
}

/// The decoder's state between two pieces of a body.
pub(crate) struct Decoder {
    reader: JsonReader,
    bounds: Bounds,
    read: usize,
    state: Collector,
}

#[derive(Default)]
struct Collector {
    answer: QueryResult,
    places: Vec<Position>,
    key: String,
    status: Option<bool>,
    pair: Pair,
    max_points: usize,
}

/// The decoder's position in the answer.
#[derive(Clone, Copy, PartialEq)]
enum Position {
    Root,
    Data,
    /// The list of series, or the pair of a scalar.
    Result,
    Series,
    Values,
    Pair,
    Notes,
    Skipped,
}

#[derive(Default)]
struct Pair {
    time: Option<i64>,
    value: Option<f64>,
}

// === impl Decoder ===

impl Decoder {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let state = Collector { max_points: bounds.points, ..Collector::default() };
        Decoder { reader: JsonReader::default(), bounds, read: 0, state }
    }

    /// Takes the next piece of the body.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        self.read += bytes.len();
        if self.read > self.bounds.bytes {
            return Err(DecodeError::TooLarge { limit: self.bounds.bytes, unit: "bytes" });
        }
        let state = &mut self.state;
        self.reader.feed(bytes, |event| state.take(event))
    }

    /// The answer, once the body has ended.
    pub(crate) fn finish(self) -> Result<QueryResult, DecodeError> {
        self.ended()?;
        let success = self.state.status.ok_or_else(|| malformed("it has no status"))?;
        match self.state.answer.result_type.as_str() {
            _ if !success => {}
            "matrix" | "vector" | "scalar" => {}
            "string" => return Err(DecodeError::NotNumeric("a string")),
            other => return Err(malformed(format!("result type '{}'", excerpt(other)))),
        }
        Ok(QueryResult { success, ..self.state.answer })
    }

    /// Whether the body has ended where an answer may end.
    pub(crate) fn ended(&self) -> Result<(), DecodeError> {
        if self.reader.is_done() {
            return Ok(());
        }
        Err(malformed(format!("it breaks off after {} bytes", self.read)))
    }

    /// What has come so far, unchecked.
    pub(crate) fn so_far(self) -> QueryResult {
        self.state.answer
    }
}

// === impl Collector ===

impl Collector {
    fn take(&mut self, event: Event<'_>) -> Result<(), DecodeError> {
        let place = self.places.last().copied();
        match event {
            Event::Key(key) => {
                self.key.clear();
                self.key.push_str(key);
                let histogram = matches!(key, "histogram" | "histograms");
                if place == Some(Position::Series) && histogram {
                    return Err(DecodeError::NotNumeric("native histograms"));
                }
                Ok(())
            }
            Event::BeginObject => self.begin(place, true),
            Event::BeginArray => self.begin(place, false),
            Event::End => {
                self.places.pop();
                match place {
                    Some(Position::Pair) => self.close_pair(),
                    Some(Position::Result) if self.pair.time.is_some() => self.close_pair(),
                    _ => Ok(()),
                }
            }
            Event::Text(text) => self.scalar(place, text, true),
            Event::Bare(text) => self.scalar(place, text, false),
        }
    }

    fn begin(&mut self, place: Option<Position>, object: bool) -> Result<(), DecodeError> {
        let next = match (place, object, self.key.as_str()) {
            (None, true, _) => Position::Root,
            (None, false, _) => return Err(malformed("the top level is a list")),
            (Some(Position::Root), true, "data") => Position::Data,
            (Some(Position::Root), false, "warnings" | "infos") => Position::Notes,
            (Some(Position::Data), false, "result") => Position::Result,
            (Some(Position::Result), true, _) => {
                self.answer.series += 1;
                if self.answer.series > 1 {
                    return Err(DecodeError::ManySeries);
                }
                Position::Series
            }
            (Some(Position::Series), false, "values") => Position::Values,
            (Some(Position::Series), false, "value") | (Some(Position::Values), false, _) => Position::Pair,
            (Some(Position::Result | Position::Values | Position::Pair), _, _) => {
                return Err(malformed("a sample that is no pair of time and value"));
            }
            _ => Position::Skipped,
        };
        if next == Position::Pair {
            self.pair = Pair::default();
        }
        self.places.push(next);
        Ok(())
    }

    fn scalar(&mut self, place: Option<Position>, text: &str, quoted: bool) -> Result<(), DecodeError> {
        match (place, self.key.as_str()) {
            (None, _) => return Err(malformed("the top level is not an object")),
            (Some(Position::Root), "status") => self.status = Some(text == "success"),
            (Some(Position::Root), "errorType") => self.answer.error_type = text.to_owned(),
            (Some(Position::Root), "error") => self.answer.error = text.to_owned(),
            (Some(Position::Root), "isPartial") if text == "true" => self.note("the answer is partial"),
            (Some(Position::Data), "resultType") => self.answer.result_type = text.to_owned(),
            (Some(Position::Notes), _) if quoted => self.note(text),
            (Some(Position::Pair | Position::Result), _) => self.half_of_pair(text, quoted)?,
            (Some(Position::Values), _) => {
                return Err(malformed("a sample that is no pair of time and value"));
            }
            _ => {}
        }
        Ok(())
    }

    fn half_of_pair(&mut self, text: &str, quoted: bool) -> Result<(), DecodeError> {
        // The value of a string result can be any text; the result type is checked at the end.
        let number = text.parse::<f64>();
        match (&self.pair, quoted) {
            (Pair { time: None, .. }, false) => {
                let seconds = number.ok().filter(|s| s.abs() < 1e12);
                let seconds = seconds.ok_or_else(|| malformed("a time is not a number of seconds"))?;
                self.pair.time = Some((seconds * 1_000.0).round() as i64);
            }
            (Pair { time: Some(_), value: None }, _) => {
                let value = match number {
                    Ok(value) => value,
                    Err(_) if self.places.last() == Some(&Position::Result) => f64::NAN,
                    Err(_) => return Err(malformed(format!("the value '{}'", excerpt(text)))),
                };
                self.pair.value = Some(value);
            }
            _ => return Err(malformed("a sample that is no pair of time and value")),
        }
        Ok(())
    }

    fn close_pair(&mut self) -> Result<(), DecodeError> {
        let Pair { time: Some(time), value: Some(value) } = std::mem::take(&mut self.pair) else {
            return Err(malformed("a sample that is no pair of time and value"));
        };
        if self.answer.times.len() == self.max_points {
            return Err(DecodeError::TooLarge { limit: self.max_points, unit: "points" });
        }
        self.answer.times.push(time);
        self.answer.values.push(value);
        Ok(())
    }

    fn note(&mut self, text: &str) {
        if self.answer.warnings.len() < MAX_NOTES {
            self.answer.warnings.push(excerpt(text));
        }
    }
}

// === impl DecodeError ===

impl From<String> for DecodeError {
    fn from(reason: String) -> Self {
        DecodeError::Malformed(reason)
    }
}

fn malformed(reason: impl Into<String>) -> DecodeError {
    DecodeError::Malformed(reason.into())
}

#[cfg(test)]
mod tests;
