//! Typed reading of keys whose values are all strings; it collects faults instead of stopping at the first.
//!
//! A missing key is not a fault here: whether it is required is decided by the caller.

use std::collections::BTreeMap;

use super::fault::Fault;
use crate::units::{Span, Time};

/// Reads one map of keys and collects the faults.
pub(super) struct KeyReader<'a> {
    values: &'a BTreeMap<String, String>,
    prefix: String,
    pub(super) faults: Vec<Fault>,
}

impl<'a> KeyReader<'a> {
    /// Reads `values`; faults name keys with `prefix` before them (`signals[1].`, or nothing).
    pub(super) fn new(values: &'a BTreeMap<String, String>, prefix: impl Into<String>) -> Self {
        KeyReader { values, prefix: prefix.into(), faults: Vec::new() }
    }

    /// Records a fault of `key`.
    pub(super) fn fault(&mut self, key: &str, found: &str, expected: impl Into<String>) {
        self.faults.push(Fault::new(format!("{}{key}", self.prefix), found, expected));
    }

    /// Records a fault of `key` with a description in place of its text.
    pub(super) fn fault_in_words(&mut self, key: &str, found: String, expected: impl Into<String>) {
        self.faults.push(Fault::in_words(format!("{}{key}", self.prefix), found, expected));
    }

    /// The text of a key, trimmed; an empty one counts as absent.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.values.get(key).map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    /// Whether the key is given.
    pub(super) fn has(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(|v| !v.trim().is_empty())
    }

    /// A key parsed by `read`; a text it refuses is a fault with what was expected.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(key)?;
        let value = read(text);
        if value.is_none() {
            self.fault(key, text, expected);
        }
        value
    }

    /// A number for which `accept` holds.
    pub(super) fn number(&mut self, key: &str, expected: &str, accept: impl Fn(f64) -> bool) -> Option<f64> {
        self.parsed(key, expected, |t| quantity(t).filter(|&v| accept(v)))
    }

    /// A whole number between bounds.
    pub(super) fn count(&mut self, key: &str, least: u32, most: u32) -> Option<u32> {
        let expected = format!("a whole number from {least} to {most}");
        self.parsed(key, &expected, |t| t.parse().ok().filter(|n| (least..=most).contains(n)))
    }

    /// A duration between bounds.
    pub(super) fn span(&mut self, key: &str, least: Span, most: Span) -> Option<Span> {
        let expected = format!("a duration from {least} to {most}, such as 90s, 5m or 28d");
        self.parsed(key, &expected, |t| Span::parse(t).ok().filter(|s| (least..=most).contains(s)))
    }

    /// Comma-separated `from/to` spans of instants.
    pub(super) fn time_ranges(&mut self, key: &str) -> Vec<(Time, Time)> {
        let expected = "comma-separated spans FROM/TO of RFC 3339 instants, each ending after it begins";
        self.parsed(key, expected, |t| t.split(',').map(time_range).collect()).unwrap_or_default()
    }
}

/// A number as Kubernetes and people write it: `50`, `0.5`, `2k`, `1500m`, `80%`.
pub(super) fn quantity(text: &str) -> Option<f64> {
    let (digits, factor) = match text.char_indices().last()? {
        (i, 'm') => (&text[..i], 1e-3),
        (i, 'k') => (&text[..i], 1e3),
        (i, 'M') => (&text[..i], 1e6),
        (i, 'G') => (&text[..i], 1e9),
        (i, '%') => (&text[..i], 1e-2),
        _ => (text, 1.0),
    };
    digits.trim().parse::<f64>().ok().filter(|v| v.is_finite()).map(|v| v * factor)
}

fn time_range(text: &str) -> Option<(Time, Time)> {
    let (from, to) = text.trim().split_once('/')?;
    let (from, to) = (Time::parse(from).ok()?, Time::parse(to).ok()?);
    (from < to).then_some((from, to))
}
