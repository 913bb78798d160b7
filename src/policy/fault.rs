//! Configuration errors: one value for each mistake, so that all are reported at once.
//!
//! A fault names the key, what was found there and what was expected. It never carries more text than fits on a log
//! line, and never a control character.

use std::fmt;

/// The most characters shown of a faulty text: enough to recognise it, too few to flood a log.
const SHOWN: usize = 80;

/// What is expected in place of a secret.
const NO_SECRET: &str = "no secret, since everyone who may read the object can read it";

/// One mistake in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// The path of the key, such as `schedule[2].start`.
    pub key: String,
    /// What was found: the text, shortened and quoted, or a description of it; empty if there is nothing.
    pub found: String,
    /// What was expected, in words that follow "expected".
    pub expected: String,
}

/// The faults of a policy: at least one, sorted by key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Faults(pub Vec<Fault>);

/// The known key that `key` most likely meant: the one with the fewest edits (insertions, deletions, replacements,
/// swaps of neighbours, ignoring case), if there are few enough.
pub fn nearest<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let key: Vec<char> = key.to_lowercase().chars().take(SHOWN).collect();
    // A third of the characters may be wrong; beyond that a guess confuses more than it helps.
    let allowed = (key.len() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (edits(&key, &candidate.to_lowercase().chars().collect::<Vec<_>>()), candidate))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance with swaps of neighbours (optimal string alignment).
fn edits(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// A quoted text, safe for a log line.
pub fn quoted(text: &str) -> String {
    format!("'{}'", shown(text))
}

fn path(parent: &str, key: &str) -> String {
    if parent.is_empty() { shown(key) } else { format!("{parent}.{}", shown(key)) }
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    shown
}

// === impl Fault ===

impl Fault {
    /// A text that the key does not accept.
    pub fn new(key: impl Into<String>, found: &str, expected: impl Into<String>) -> Self {
        let found = if found.is_empty() { String::new() } else { quoted(found) };
        Self::in_words(key, found, expected)
    }

    /// The same with a description in place of the text, which is meaningless or must not be shown.
    pub fn in_words(key: impl Into<String>, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Fault { key: key.into(), found: found.into(), expected: expected.into() }
    }

    /// A required key that is missing.
    pub fn missing(key: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::in_words(key, "", expected)
    }

    /// An unknown key, with the nearest known one. `parent` is the path before it.
    pub fn unknown_key<'a>(
        parent: &str,
        key: &str,
        known: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Self {
        let expected = match nearest(key, known.clone()) {
            Some(meant) => format!("a known key, the nearest is '{meant}'"),
            None => format!("one of {}", known.into_iter().collect::<Vec<_>>().join(", ")),
        };
        Fault::new(path(parent, key), key, expected)
    }

    /// A key whose name promises a secret, and the key of the server's configuration that it belongs in.
    pub fn secret(parent: &str, key: &str, belongs_in: &str) -> Self {
        let expected = format!("{NO_SECRET}; write {belongs_in} in the server's configuration");
        Self::in_words(path(parent, key), "a secret", expected)
    }

    /// Whether this is about a secret where none may be.
    pub fn is_secret(&self) -> bool {
        self.expected.starts_with(NO_SECRET)
    }

    /// The key and what was found, in words that "expected" may follow.
    pub fn seen(&self) -> String {
        let found = if self.found.is_empty() { "nothing" } else { &self.found };
        format!("{}: found {found}", self.key)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, expected {}", self.seen(), self.expected)
    }
}

// === impl Faults ===

impl Faults {
    /// These and `more`, without duplicates.
    pub fn and(mut self, more: Vec<Fault>) -> Self {
        self.0.extend(more);
        self.0.sort_by(|a, b| a.key.cmp(&b.key));
        self.0.dedup_by(|a, b| a.key == b.key);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["days", "start", "end", "except", "desiredReplicas", "timezone"];

    #[test]
    fn the_nearest_key_is_the_one_meant() {
        for (typed, meant) in [
            ("dyas", Some("days")),
            ("strat", Some("start")),
            ("Start", Some("start")),
            ("exept", Some("except")),
            ("desiredreplica", Some("desiredReplicas")),
            ("timeZone", Some("timezone")),
            ("ende", Some("end")),
            ("replicas", None),
            ("", None),
            ("zzzzzzzz", None),
        ] {
            assert_eq!(nearest(typed, KEYS), meant, "{typed}");
        }
    }

    #[test]
    fn faults_say_where_what_and_what_else() {
        let fault = Fault::new("schedule[2].start", "25:00", "HH:MM or a five-field cron");
        assert_eq!(
            fault.to_string(),
            "schedule[2].start: found '25:00', expected HH:MM or a five-field cron"
        );
        let fault = Fault::missing("until", "an instant");
        assert_eq!(fault.to_string(), "until: found nothing, expected an instant");
        let fault = Fault::unknown_key("schedule[0]", "dyas", KEYS);
        assert_eq!(
            fault.to_string(),
            "schedule[0].dyas: found 'dyas', expected a known key, the nearest is 'days'"
        );
        assert!(Fault::unknown_key("", "colour", KEYS).to_string().contains("one of days, start"));
    }

    #[test]
    fn faults_stay_short_and_printable() {
        let fault = Fault::new("name", &format!("a\nb{}", "x".repeat(10_000)), "a short name");
        assert!(fault.found.starts_with("'a\\nbx") && fault.found.chars().count() < 100);
    }
}
