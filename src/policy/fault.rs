//! What is wrong with a configuration: one value for each mistake, so that all are reported at once.
//!
//! A fault names the key, what was found there and what was expected. It never carries more of the text than
//! a line of a log can show, and never a control character.

use std::fmt;

/// Longest part of a faulty text that is shown, in characters: enough to recognise it, too short to flood a
/// log.
const SHOWN: usize = 80;

/// One mistake in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// Where: the path of the key, such as `schedule[2].start`.
    pub key: String,
    /// What stands there: its text, shortened and in quotes, or what it is in words; empty where nothing does.
    pub found: String,
    /// What would be right, in words that follow "expected".
    pub expected: String,
}

/// The known key that `key` was most likely meant to be: the nearest by edits (insertions, deletions,
/// replacements and swaps of neighbours, capitals ignored), if few enough edits lead there.
pub fn nearest<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let key: Vec<char> = key.to_lowercase().chars().take(SHOWN).collect();
    // A third of the letters may be wrong; beyond that a guess confuses more than it helps.
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

/// A text in quotes, as a line of a log can show it.
pub fn quoted(text: &str) -> String {
    format!("'{}'", shown(text))
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
    /// A text that is not what the key takes.
    pub fn new(key: impl Into<String>, found: &str, expected: impl Into<String>) -> Self {
        let found = if found.is_empty() { String::new() } else { quoted(found) };
        Self::in_words(key, found, expected)
    }

    /// Something that is not what the key takes and whose text says nothing, or must not be shown.
    pub fn in_words(key: impl Into<String>, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Fault { key: key.into(), found: found.into(), expected: expected.into() }
    }

    /// A key that is required and not there.
    pub fn missing(key: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::in_words(key, "", expected)
    }

    /// A key that nobody knows, with the nearest one that somebody does. `parent` is the path before it.
    pub fn unknown_key<'a>(
        parent: &str,
        key: &str,
        known: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Self {
        let expected = match nearest(key, known.clone()) {
            Some(meant) => format!("a known key, the nearest is '{meant}'"),
            None => format!("one of {}", known.into_iter().collect::<Vec<_>>().join(", ")),
        };
        let place = if parent.is_empty() { shown(key) } else { format!("{parent}.{}", shown(key)) };
        Fault::new(place, key, expected)
    }

    /// Where it is and what stands there, in words that "expected" may follow.
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
