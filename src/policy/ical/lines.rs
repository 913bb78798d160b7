//! Content lines (RFC 5545 section 3.1): unfolded, split into name, parameters and value, and numbered.
//!
//! Nothing here interprets a line.

use std::borrow::Cow;

use crate::policy::Fault;

/// Parameters by name.
type Params = Vec<(String, String)>;

/// One content line.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// The line at which it starts in the file, from 1.
    pub(super) number: usize,
    /// The name in capitals.
    pub(super) name: String,
    /// Names in capitals, values without quotes.
    params: Params,
    pub(super) value: Cow<'a, str>,
}

/// The logical lines of a text. A line that starts with a space or a tab continues the previous one.
pub(super) fn unfold<'a>(text: &'a str, faults: &mut Vec<Fault>) -> Vec<Line<'a>> {
    let mut logical: Vec<(usize, Cow<'a, str>)> = Vec::new();
    // Some programs start their files with a byte order mark.
    for (i, line) in text.trim_start_matches('\u{feff}').split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), logical.last_mut()) {
            (Some(more), Some((_, begun))) => begun.to_mut().push_str(more),
            _ if line.trim().is_empty() => {}
            _ => logical.push((i + 1, Cow::Borrowed(line))),
        }
    }
    let mut lines = Vec::with_capacity(logical.len());
    for (number, text) in logical {
        match split(&text) {
            Some((name, params, at)) => {
                let value = match text {
                    Cow::Borrowed(text) => Cow::Borrowed(text[at..].trim()),
                    Cow::Owned(text) => Cow::Owned(text[at..].trim().to_owned()),
                };
                lines.push(Line { number, name, params, value });
            }
            None => faults.push(Fault::new(format!("line {number}"), &text, "NAME:value")),
        }
    }
    lines
}

/// Name, parameters, and where the value starts. Colons and semicolons inside quotes are not separators.
fn split(text: &str) -> Option<(String, Params, usize)> {
    let mut quoted = false;
    let mut parts = Vec::new();
    let mut begin = 0;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ';' if !quoted => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            ':' if !quoted => {
                parts.push(&text[begin..at]);
                let (name, params) = parts.split_first()?;
                let params = params.iter().map(|param| param.split_once('='));
                let params = params.collect::<Option<Vec<_>>>()?.into_iter();
                let params =
                    params.map(|(name, value)| (name.to_uppercase(), value.trim_matches('"').to_owned()));
                let is_name =
                    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                return is_name.then(|| (name.to_uppercase(), params.collect(), at + 1));
            }
            _ => {}
        }
    }
    None
}

// === impl Line ===

impl Line<'_> {
    /// Whether it has this name and this value, ignoring case.
    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.name == name && self.value.eq_ignore_ascii_case(value)
    }

    /// A parameter's value.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A fault of this line.
    pub(super) fn fault(&self, expected: impl Into<String>) -> Fault {
        Fault::new(format!("line {}: {}", self.number, self.name), &self.value, expected)
    }
}
