//! Finds the line of a key from its path, also inside texts that contain YAML themselves.
//!
//! A path that leads nowhere ends at the last part that exists; nothing here checks a value.

use super::{Content, Node, documents};

/// Line and column, from 1.
pub type Place = (usize, usize);

/// The position of the path (`schedule[2].start`) below a node, as far as it can be followed; `otherwise` if not at
/// all. A text that contains YAML, as `schedule` in metadata does, is followed too.
pub fn locate(node: &Node, path: &str, lines: &[&str], otherwise: Place) -> Place {
    walk(node, &segments(path), lines).unwrap_or(otherwise)
}

/// The position of a key in a mapping, or of the mapping if it has no such key.
pub fn key_of(node: &Node, key: &str) -> Place {
    node.entry(key).map_or((node.line, node.column), |entry| (entry.line, entry.column))
}

enum Segment<'a> {
    Key(&'a str),
    Index(usize),
}

fn segments(path: &str) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    for part in path.split('.') {
        let (name, indices) = part.split_once('[').unwrap_or((part, ""));
        if !name.is_empty() {
            segments.push(Segment::Key(name));
        }
        let numbers = indices.split(['[', ']']).filter_map(|n| n.parse().ok());
        segments.extend(numbers.map(Segment::Index));
    }
    segments
}

fn walk(node: &Node, path: &[Segment<'_>], lines: &[&str]) -> Option<Place> {
    let (first, rest) = path.split_first()?;
    match (&node.content, first) {
        (Content::Text(text), _) => {
            let inner = documents(text).ok()?.into_iter().next()?;
            // A plain text inside a text would lead to endless recursion.
            if matches!(inner.content, Content::Text(_)) {
                return None;
            }
            let (line, column) = walk(&inner, path, &text.lines().collect::<Vec<_>>())?;
            // A block starts on the line after its indicator; anything else starts on its own line.
            let begin = if is_block(node, lines) { node.line } else { node.line - 1 };
            Some((begin + line, column))
        }
        (_, Segment::Key(key)) => {
            let entry = node.entry(key)?;
            Some(walk(&entry.value, rest, lines).unwrap_or((entry.line, entry.column)))
        }
        (_, Segment::Index(index)) => {
            let item = node.items().get(*index)?;
            Some(walk(item, rest, lines).unwrap_or((item.line, item.column)))
        }
    }
}

fn is_block(node: &Node, lines: &[&str]) -> bool {
    let line = node.line.checked_sub(1).and_then(|i| lines.get(i));
    let mark = line.and_then(|line| line.chars().nth(node.column.saturating_sub(1)));
    matches!(mark, Some('|' | '>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_into_texts() {
        let text =
            "a: 1\nschedule: |\n  # office\n  - {days: mon}\n  - days: tue\n    min: 3\nb: '[{x: 1}]'\n";
        let lines: Vec<&str> = text.lines().collect();
        let node = documents(text).expect("valid").remove(0);
        for (path, line) in [
            ("a", 1),
            ("schedule", 2),
            ("schedule[0].days", 4),
            ("schedule[1]", 5),
            ("schedule[1].min", 6),
            ("schedule[1].max", 5),
            ("b[0].x", 7),
            ("nowhere.at.all", 99),
        ] {
            assert_eq!(locate(&node, path, &lines, (99, 1)).0, line, "{path}");
        }
    }
}
