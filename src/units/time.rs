//! Instants, spans and steps in whole seconds: the grid of history, of plans and of KEDA's polls.
//!
//! Nothing here reads a clock; every instant comes from a caller.

use std::fmt;
use std::ops::{Add, Sub};

use chrono::{DateTime, SecondsFormat, Utc};

use super::UnitError;

/// An instant: whole seconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

/// A length of time in whole seconds, never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

/// The distance between adjacent samples of a series: 1 s to 1 day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(i64);

// === impl Time ===

impl Time {
    /// The earliest valid instant; earlier ones would overflow when a window is subtracted.
    pub const MIN: Time = Time(-62_135_596_800);
    /// The latest valid instant (year 9999).
    pub const MAX: Time = Time(253_402_300_799);

    /// From seconds since the epoch, clamped to the years 1 to 9999.
    pub const fn from_epoch(seconds: i64) -> Self {
        if seconds < Self::MIN.0 {
            Self::MIN
        } else if seconds > Self::MAX.0 {
            Self::MAX
        } else {
            Time(seconds)
        }
    }

    /// Seconds since the epoch.
    pub const fn epoch(self) -> i64 {
        self.0
    }

    /// Parses RFC 3339 (`2026-12-01T18:00:00Z`, or with an offset); fractions of a second are truncated.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        DateTime::parse_from_rfc3339(text.trim())
            .map(|t| Self::from_epoch(t.timestamp()))
            .map_err(|_| UnitError::Time(text.to_owned()))
    }

    /// The same instant for calendar arithmetic.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0, 0).unwrap_or_default()
    }

    /// The last multiple of `span` (counted from the epoch, shifted by `phase`) at or before this instant.
    pub fn floor_to(self, span: Span, phase: Span) -> Time {
        let width = span.0.max(1);
        Time::from_epoch((self.0 - phase.0).div_euclid(width) * width + phase.0)
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    pub fn since(self, earlier: Time) -> Span {
        Span((self.0 - earlier.0).max(0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time::from_epoch(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Time {
    type Output = Time;
    fn sub(self, span: Span) -> Time {
        Time::from_epoch(self.0.saturating_sub(span.0))
    }
}

// === impl Span ===

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);
    /// 60 seconds.
    pub const MINUTE: Span = Span(60);
    /// 3,600 seconds.
    pub const HOUR: Span = Span(3_600);
    /// 86,400 seconds.
    pub const DAY: Span = Span(86_400);
    /// Seven days.
    pub const WEEK: Span = Span(604_800);
    /// The longest span allowed: a hundred years.
    const MAX_SECONDS: i64 = 36_525 * 86_400;

    /// A span of seconds, clamped to between zero and a hundred years.
    pub const fn seconds(seconds: i64) -> Self {
        if seconds < 0 {
            Span(0)
        } else if seconds > Self::MAX_SECONDS {
            Span(Self::MAX_SECONDS)
        } else {
            Span(seconds)
        }
    }

    /// A span of minutes.
    pub const fn minutes(minutes: i64) -> Self {
        Self::seconds(minutes.saturating_mul(60))
    }

    /// A span of hours.
    pub const fn hours(hours: i64) -> Self {
        Self::seconds(hours.saturating_mul(3_600))
    }

    /// A span of days, 24 hours each.
    pub const fn days(days: i64) -> Self {
        Self::seconds(days.saturating_mul(86_400))
    }

    /// The length in seconds.
    pub const fn as_seconds(self) -> i64 {
        self.0
    }

    /// The length in hours, with fractions.
    pub fn as_hours(self) -> f64 {
        self.0 as f64 / 3_600.0
    }

    /// Parses what Prometheus and Kubernetes users write: `30s`, `5m`, `1h30m`, `28d`, `2w`, `0`; milliseconds
    /// (`1500ms`) are truncated to whole seconds.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let bad = || UnitError::Span(text.to_owned());
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(Span::ZERO);
        }
        if rest.is_empty() {
            return Err(bad());
        }
        let mut millis: i64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|&n| n > 0).ok_or_else(bad)?;
            let count: i64 = rest[..digits].parse().map_err(|_| bad())?;
            let unit_end =
                rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |n| digits + n);
            let unit: i64 = match &rest[digits..unit_end] {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 604_800_000,
                "y" => 31_536_000_000,
                _ => return Err(bad()),
            };
            millis = count.checked_mul(unit).and_then(|part| millis.checked_add(part)).ok_or_else(bad)?;
            rest = &rest[unit_end..];
        }
        if millis / 1_000 > Self::MAX_SECONDS { Err(bad()) } else { Ok(Span(millis / 1_000)) }
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span::seconds(self.0 + other.0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (width, unit) in [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")] {
            if rest >= width {
                write!(f, "{}{unit}", rest / width)?;
                rest %= width;
            }
        }
        Ok(())
    }
}

// === impl Step ===

impl Step {
    /// One minute, the default grid of history.
    pub const MINUTE: Step = Step(60);
    /// 15 seconds, the default grid of instant values.
    pub const QUARTER_MINUTE: Step = Step(15);

    /// A step of this length: 1 s to 1 day.
    pub fn new(span: Span) -> Result<Self, UnitError> {
        match span.0 {
            1..=86_400 => Ok(Step(span.0)),
            _ => Err(UnitError::Range { found: span.to_string(), expected: "a step of 1s to 1d" }),
        }
    }

    /// The length of the step.
    pub const fn span(self) -> Span {
        Span(self.0)
    }

    /// The length of the step in seconds.
    pub const fn as_seconds(self) -> i64 {
        self.0
    }

    /// The length of `n` steps.
    pub fn times(self, n: usize) -> Span {
        Span::seconds(self.0.saturating_mul(i64::try_from(n).unwrap_or(i64::MAX)))
    }

    /// The number of whole steps in the span.
    pub fn count_in(self, span: Span) -> usize {
        usize::try_from(span.0 / self.0).unwrap_or(0)
    }

    /// The fewest steps that cover the span.
    pub fn cover(self, span: Span) -> usize {
        usize::try_from((span.0 + self.0 - 1) / self.0).unwrap_or(0)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.span().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print() {
        for (text, seconds, printed) in [
            ("30s", 30, "30s"),
            ("1h30m", 5_400, "1h30m"),
            ("28d", 2_419_200, "28d"),
            ("2w", 1_209_600, "14d"),
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("90s", 90, "1m30s"),
            ("1500ms", 1, "1s"),
        ] {
            let span = Span::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(span.as_seconds(), seconds, "{text}");
            assert_eq!(span.to_string(), printed, "{text}");
        }
        for text in ["", "5", "m", "1x", "-5m", "5 m", "99999999999999999999s", "9999999y", "1.5h"] {
            assert!(Span::parse(text).is_err(), "{text} must be refused");
        }
    }

    #[test]
    fn instants_read_print_and_floor() {
        let t = Time::parse("2026-11-24T10:07:31+01:00").expect("valid");
        assert_eq!(t.to_string(), "2026-11-24T09:07:31Z");
        assert_eq!(t.floor_to(Span::HOUR, Span::ZERO).to_string(), "2026-11-24T09:00:00Z");
        assert_eq!(t.floor_to(Span::HOUR, Span::minutes(10)).to_string(), "2026-11-24T08:10:00Z");
        assert!(Time::parse("yesterday").is_err());
    }

    #[test]
    fn steps_hold_their_bounds() {
        assert!(Step::new(Span::ZERO).is_err());
        assert!(Step::new(Span::days(2)).is_err());
        let minute = Step::MINUTE;
        assert_eq!((minute.count_in(Span::seconds(119)), minute.cover(Span::seconds(61))), (1, 2));
    }
}
