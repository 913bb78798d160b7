//! Reads the keys of a YAML mapping one by one and collects every fault on the way.
//!
//! serde's derived readers stop at the first fault. Here a wrong value is recorded, and reading continues with its
//! default. A fault never shows text substituted from the environment, since it may be a secret.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::policy::{Fault, quoted};
use crate::units::Span;

/// Shared by all sections: the environment, and the faults found so far.
pub(super) struct Context<'a> {
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) faults: RefCell<Vec<Fault>>,
}

/// One mapping, with its path from the root.
pub(super) struct Section<'a> {
    pub(super) path: String,
    context: &'a Context<'a>,
    entries: Option<&'a Map<String, Value>>,
    known: RefCell<Vec<&'static str>>,
}

/// A text together with the form that may be shown.
pub(super) struct Text {
    pub(super) value: String,
    pub(super) shown: String,
}

// === impl Section ===

impl<'a> Section<'a> {
    pub(super) fn new(path: String, value: Option<&'a Value>, context: &'a Context<'a>) -> Self {
        let entries = match value {
            None | Some(Value::Null) => None,
            Some(Value::Object(entries)) => Some(entries),
            Some(other) => {
                note(context, &path, kind(other), "a mapping");
                None
            }
        };
        Section { path, context, entries, known: RefCell::default() }
    }

    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Records that the value of `key` is not as expected.
    pub(super) fn fault(&self, key: &str, found: impl Into<String>, expected: impl Into<String>) {
        note(self.context, &self.key(key), found, expected);
    }

    fn get(&self, key: &'static str) -> Option<&'a Value> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.entries.and_then(|e| e.get(key)).filter(|v| !v.is_null())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.is_some_and(|e| e.get(key).is_some_and(|v| !v.is_null()))
    }

    pub(super) fn section(&self, key: &'static str) -> Section<'a> {
        Section::new(self.key(key), self.get(key), self.context)
    }

    /// The entries of a mapping whose keys are names chosen by the user.
    pub(super) fn table(&self, key: &'static str) -> Vec<(&'a str, &'a Value)> {
        match self.get(key) {
            None => Vec::new(),
            Some(Value::Object(entries)) => entries.iter().map(|(k, v)| (k.as_str(), v)).collect(),
            Some(other) => {
                self.fault(key, kind(other), "a mapping");
                Vec::new()
            }
        }
    }

    /// A mapping from names to texts.
    pub(super) fn texts(&self, key: &'static str) -> Vec<(&'a str, Text)> {
        let path = self.key(key);
        self.table(key)
            .into_iter()
            .filter_map(|(name, value)| {
                text_of(self.context, &format!("{path}.{name}"), value).map(|text| (name, text))
            })
            .collect()
    }

    pub(super) fn context(&self) -> &'a Context<'a> {
        self.context
    }

    pub(super) fn text(&self, key: &'static str) -> Option<Text> {
        text_of(self.context, &self.key(key), self.get(key)?)
    }

    pub(super) fn list(&self, key: &'static str) -> Option<Vec<(String, Text)>> {
        match self.get(key)? {
            Value::Array(items) => Some(
                items
                    .iter()
                    .enumerate()
                    .filter_map(|(i, item)| {
                        let path = format!("{}[{i}]", self.key(key));
                        text_of(self.context, &path, item).map(|text| (path, text))
                    })
                    .collect(),
            ),
            other => {
                self.fault(key, kind(other), "a list of texts");
                None
            }
        }
    }

    /// The entries of a list, unchanged.
    pub(super) fn items(&self, key: &'static str) -> &'a [Value] {
        match self.get(key) {
            None => &[],
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.fault(key, kind(other), "a list");
                &[]
            }
        }
    }

    pub(super) fn flag(&self, key: &'static str) -> bool {
        match self.get(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                self.fault(key, kind(other), "true or false");
                false
            }
        }
    }

    /// A number that is not negative.
    pub(super) fn decimal(&self, key: &'static str, expected: &str) -> Option<f64> {
        let value = self.get(key)?;
        let number = value.as_f64().filter(|number| number.is_finite() && *number >= 0.0);
        if number.is_none() {
            self.fault(key, value.as_f64().map_or(kind(value).to_owned(), |n| n.to_string()), expected);
        }
        number
    }

    pub(super) fn count(&self, key: &'static str, default: usize, most: usize) -> usize {
        let Some(value) = self.get(key) else { return default };
        let (number, shown) = match value {
            Value::Number(n) => (n.as_u64(), n.to_string()),
            Value::String(_) => match text_of(self.context, &self.key(key), value) {
                Some(text) => (text.value.parse().ok(), quoted(&text.shown)),
                None => return default,
            },
            other => (None, kind(other).to_owned()),
        };
        match number.and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=most).contains(n)) {
            Some(n) => n,
            None => {
                self.fault(key, shown, format!("a whole number from 1 to {most}"));
                default
            }
        }
    }

    pub(super) fn span(&self, key: &'static str, default: Span, least: Span, most: Span) -> Span {
        let expected = || format!("a duration from {least} to {most}, such as {default}");
        if let Some(other) = self.get(key).filter(|value| !value.is_string()) {
            self.fault(key, kind(other), expected());
            return default;
        }
        let Some(text) = self.text(key) else { return default };
        match Span::parse(&text.value).ok().filter(|s| (least..=most).contains(s)) {
            Some(span) => span,
            None => {
                self.fault(key, quoted(&text.shown), expected());
                default
            }
        }
    }

    /// Records a fault for every key that was never read; call it once, after the last read.
    pub(super) fn finish(&self) {
        let known = self.known.borrow();
        for key in self.entries.into_iter().flat_map(Map::keys) {
            if known.iter().all(|k| k != key) {
                let fault = Fault::unknown_key(&self.path, key, known.iter().copied());
                self.context.faults.borrow_mut().push(fault);
            }
        }
    }
}

pub(super) fn note(context: &Context<'_>, key: &str, found: impl Into<String>, expected: impl Into<String>) {
    context.faults.borrow_mut().push(Fault::in_words(key, found, expected));
}

/// The type of a value, in words that do not show the value.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false without quotes",
        Value::Number(_) => "a number without quotes",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn text_of(context: &Context<'_>, path: &str, value: &Value) -> Option<Text> {
    let Value::String(raw) = value else {
        note(context, path, kind(value), "a text");
        return None;
    };
    match substitute(raw, context.env) {
        Ok(value) => Some(Text { value, shown: raw.clone() }),
        Err(Some(name)) => {
            let expected = format!("an environment variable {name} that is set");
            note(context, path, format!("'${{{name}}}'"), expected);
            None
        }
        Err(None) => {
            note(
                context,
                path,
                "a '${' that does not start a variable",
                "${NAME}, or $${ for the characters ${",
            );
            None
        }
    }
}

/// Replaces `${NAME}`. The error is the name that is not set, or `None` if the text is not a valid name: it may be
/// part of a password, so it is not shown.
fn substitute(raw: &str, env: &BTreeMap<String, String>) -> Result<String, Option<String>> {
    let mut out = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let name = &after[..after.find('}').ok_or(None)?];
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(None);
        }
        out.push_str(env.get(name).ok_or_else(|| Some(name.to_owned()))?);
        rest = &after[name.len() + 1..];
    }
    out.push_str(rest);
    Ok(out)
}
