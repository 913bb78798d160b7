//! YAML as a tree in which every node knows its line and column, so that a finding can point to its place.
//!
//! Scalars keep their type as written: text, number, boolean or null. Nothing here knows what the documents mean.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value and its position.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// The value.
    pub content: Content,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing, `null` or `~`.
    Null,
    /// A plain `true` or `false`.
    Bool(bool),
    /// A plain number, as text.
    Number(String),
    /// A string, quoted or not.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order written.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The line of the key.
    pub line: usize,
    /// The column of the key.
    pub column: usize,
    /// The value.
    pub value: Node,
}

/// All documents of a text, without empty ones; the message names line and column of the first fault.
pub fn documents(text: &str) -> Result<Vec<Node>, String> {
    let mut options = serde_saphyr::Options::default();
    options.with_snippet = false;
    if let Some(budget) = &mut options.budget {
        // What `kubectl` prints of a whole cluster is long. As many nodes as bytes are no more than the text itself; what
        // aliases multiply has bounds of its own.
        budget.max_nodes = budget.max_nodes.max(text.len());
        budget.max_events = budget.max_events.max(text.len());
    }
    let documents: Vec<Node> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|e| e.to_string().replace('\n', " "))?;
    Ok(documents.into_iter().filter(|node| node.content != Content::Null).collect())
}

// === impl Node ===

impl Node {
    /// The entries of a mapping; empty for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence; empty for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// The entry of a mapping.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value of a key, unless it is null.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value).filter(|value| value.content != Content::Null)
    }

    /// The value at the end of a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// A scalar as text; `None` for anything else and for null.
    pub fn text(&self) -> Option<String> {
        match &self.content {
            Content::Bool(truth) => Some(truth.to_string()),
            Content::Number(text) | Content::Text(text) => Some(text.clone()),
            Content::Null | Content::List(_) | Content::Map(_) => None,
        }
    }

    /// The text of a key.
    pub fn text_of(&self, key: &str) -> Option<String> {
        self.get(key).and_then(Node::text)
    }

    /// The value of a key as an integer.
    pub fn count_of(&self, key: &str) -> Option<i64> {
        self.text_of(key).and_then(|text| text.trim().parse().ok())
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let marked = Spanned::<Content>::deserialize(deserializer)?;
        let (line, column) = place(marked.referenced);
        Ok(Node { line, column, content: marked.value })
    }
}

fn place(location: serde_saphyr::Location) -> (usize, usize) {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    (number(location.line()), number(location.column()))
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
        Ok(Content::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Content, E> {
        Ok(Content::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Node>()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        // Read as a string, so that `on` and `y` are keys and not booleans.
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let (line, column) = place(key.referenced);
            entries.push(Entry { key: key.value, line, column, value: map.next_value()? });
        }
        Ok(Content::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_knows_its_line() {
        let text =
            "a: 1\nb:\n  - x: 'true'\n    y: true\n---\n# nothing\n---\nc: |\n  - one\n  - two\nd: ~\n";
        let documents = documents(text).expect("valid");
        assert_eq!(documents.len(), 2);
        let [first, second] = documents.as_slice() else { panic!("two documents") };
        assert_eq!(first.entry("b").map(|e| (e.line, e.column)), Some((2, 1)));
        let item = &first.get("b").expect("b").items()[0];
        assert_eq!(
            item.entry("y").map(|e| (e.line, e.value.content.clone())),
            Some((4, Content::Bool(true)))
        );
        assert_eq!(item.get("x").map(|n| n.content.clone()), Some(Content::Text("true".to_owned())));
        assert_eq!(first.count_of("a"), Some(1));
        let c = second.entry("c").expect("c");
        assert_eq!((c.line, c.value.text().as_deref()), (8, Some("- one\n- two\n")));
        assert_eq!(c.value.line, 9, "a block scalar begins with its first line");
        assert!(second.get("d").is_none());
    }

    #[test]
    fn faults_name_their_place_and_show_no_content() {
        let fault = documents("a: 1\nb: {c: hunter2\n").expect_err("broken off");
        assert!(fault.contains("line") && !fault.contains("hunter2"), "{fault}");
    }

    #[test]
    fn a_whole_cluster_is_read_and_a_few_aliases_do_not_make_one() {
        let long = "- {a: 1, b: [2]}\n".repeat(60_000);
        assert_eq!(documents(&long).map(|all| all.iter().map(|d| d.items().len()).sum()), Ok(60_000));
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, of) in ["b", "c", "d", "e", "f", "g", "h"].iter().zip(["a", "b", "c", "d", "e", "f", "g"])
        {
            bomb += &format!("{name}: &{name} [{}]\n", [format!("*{of}").as_str(); 10].join(", "));
        }
        assert!(documents(&bomb).is_err(), "ten million nodes of a few lines");
    }
}
