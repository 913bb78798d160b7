//! What a query reads: its selectors, and the functions around each.
//!
//! This is parsed from the text alone, as far as discovery needs it: which metric, with which labels, and whether as
//! a rate or as it is. What cannot be parsed is left out, so that no finding is wrong. Nothing here runs or judges a
//! query.

/// One selector of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// The metric; `None` for a selector by labels only.
    pub metric: Option<String>,
    /// Its matchers, in order.
    pub matchers: Vec<Matcher>,
    /// Whether a range such as `[2m]` follows it.
    pub is_range: bool,
    /// The functions and aggregations around it, the innermost last.
    pub within: Vec<String>,
}

/// One matcher of a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    /// The label.
    pub label: String,
    /// `=`, `!=`, `=~` or `!~`.
    pub operator: &'static str,
    /// The value as it is written between double quotes.
    pub value: String,
}

/// Keywords followed by labels in brackets, not by expressions.
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Keywords that are not metrics.
const WORDS: [&str; 9] = ["and", "or", "unless", "atan2", "bool", "offset", "inf", "nan", "start"];

/// The selectors of a query, in order; none if the query is incomplete.
pub fn selected(query: &str) -> Vec<Selected> {
    let mut reader = Scanner { rest: query, within: Vec::new(), found: Vec::new() };
    match reader.read() {
        Some(()) if reader.within.is_empty() => reader.found,
        _ => Vec::new(),
    }
}

/// A string literal for both YAML and PromQL, whatever it contains: both understand the escapes of JSON.
pub fn string_literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

struct Scanner<'a> {
    rest: &'a str,
    /// The word before each open bracket; `None` for a bracket that only groups.
    within: Vec<Option<String>>,
    found: Vec<Selected>,
}

// === impl Scanner ===

impl<'a> Scanner<'a> {
    fn read(&mut self) -> Option<()> {
        while let Some(c) = self.peek() {
            match c {
                '(' => {
                    self.skip(1);
                    self.within.push(None);
                }
                ')' => {
                    self.skip(1);
                    self.within.pop()?;
                }
                '{' => self.selector(None)?,
                // A subquery; its expression has been read already.
                '[' => drop(self.until(']')?),
                '"' | '\'' | '`' => drop(self.text()?),
                '@' => {
                    self.skip(1);
                    self.peek();
                    self.word();
                    if self.peek() == Some('(') {
                        self.until(')')?;
                    }
                }
                c if c.is_ascii_digit() || c == '.' => drop(self.word()),
                c if is_word(c) => self.named()?,
                c => self.skip(c.len_utf8()),
            }
        }
        Some(())
    }

    /// A function, a keyword or a metric.
    fn named(&mut self) -> Option<()> {
        let word = self.word();
        let lower = word.to_ascii_lowercase();
        let next = self.peek();
        if GROUPING.contains(&lower.as_str()) {
            if next == Some('(') {
                self.until(')')?;
            }
            // `sum by (x) (...)`: the aggregation applies to what follows.
            return Some(());
        }
        if lower == "offset" {
            self.peek();
            self.rest = self.rest.trim_start_matches('-').trim_start();
            self.word();
            return Some(());
        }
        if WORDS.contains(&lower.as_str()) {
            return Some(());
        }
        match next {
            Some('(') => {
                self.skip(1);
                self.within.push(Some(lower));
                Some(())
            }
            _ if self.groups() => {
                // `by (x)` comes between the aggregation and its bracket.
                self.named()?;
                if self.peek() == Some('(') {
                    self.skip(1);
                    self.within.push(Some(lower));
                }
                Some(())
            }
            _ => self.selector(Some(word.to_owned())),
        }
    }

    /// Whether a grouping word comes next.
    fn groups(&self) -> bool {
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let word = self.rest[..end].to_ascii_lowercase();
        matches!(word.as_str(), "by" | "without")
    }

    fn selector(&mut self, mut metric: Option<String>) -> Option<()> {
        let mut matchers = Vec::new();
        if self.peek() == Some('{') {
            self.skip(1);
            loop {
                match self.peek()? {
                    '}' => break self.skip(1),
                    ',' => self.skip(1),
                    c => {
                        let label = if is_quote(c) { self.text()? } else { self.word().to_owned() };
                        match self.peek()? {
                            ',' | '}' if is_quote(c) => metric = Some(label),
                            _ => matchers.push(self.matcher(label)?),
                        }
                    }
                }
            }
        }
        if let Some(named) = matchers.iter().position(|m| m.label == "__name__" && m.operator == "=") {
            metric = Some(matchers.remove(named).value);
        }
        let is_range = self.peek() == Some('[');
        if is_range {
            self.until(']')?;
        }
        let within = self.within.iter().flatten().cloned().collect();
        self.found.push(Selected { metric, matchers, is_range, within });
        Some(())
    }

    fn matcher(&mut self, label: String) -> Option<Matcher> {
        let operator = ["=~", "!~", "!=", "="].into_iter().find(|o| self.rest.starts_with(o))?;
        self.skip(operator.len());
        self.peek().filter(|c| !label.is_empty() && is_quote(*c))?;
        Some(Matcher { label, operator, value: self.text()? })
    }

    /// A quoted text, as it would be written between double quotes.
    fn text(&mut self) -> Option<String> {
        let quote = self.peek()?;
        self.skip(1);
        let mut out = String::new();
        let mut is_escaped = false;
        for (place, c) in self.rest.char_indices() {
            if c == quote && !is_escaped {
                self.skip(place + c.len_utf8());
                return Some(out);
            }
            match (c, quote) {
                ('\\', '`') => out.push_str("\\\\"),
                // Already escaped if the quotes are double.
                ('"', _) if !is_escaped => out.push_str("\\\""),
                ('\'', '\'') => {
                    out.pop();
                    out.push('\'');
                }
                (c, _) => out.push(c),
            }
            is_escaped = c == '\\' && !is_escaped && quote != '`';
        }
        None
    }

    /// The next character that is neither space nor comment; anything before it is skipped.
    fn peek(&mut self) -> Option<char> {
        loop {
            self.rest = self.rest.trim_start();
            let Some(comment) = self.rest.strip_prefix('#') else { return self.rest.chars().next() };
            self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
        }
    }

    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn until(&mut self, end: char) -> Option<&'a str> {
        let (before, after) = self.rest.split_once(end)?;
        self.rest = after;
        Some(before)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | ':' | '.')
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each selector as `within>within>metric{label=value}[]`.
    fn told(query: &str) -> Vec<String> {
        let one = |s: Selected| {
            let matchers: Vec<_> =
                s.matchers.iter().map(|m| format!("{}{}{}", m.label, m.operator, m.value)).collect();
            let within: String = s.within.iter().map(|word| format!("{word}>")).collect();
            let range = if s.is_range { "[]" } else { "" };
            format!("{within}{}{{{}}}{range}", s.metric.unwrap_or_default(), matchers.join(","))
        };
        selected(query).into_iter().map(one).collect()
    }

    #[test]
    fn selectors_are_found_with_what_stands_around_them() {
        for (query, want) in [
            ("up", &["up{}"][..]),
            ("sum(rate(a_total{x=\"y\", z=~'b|c'}[2m]))", &["sum>rate>a_total{x=y,z=~b|c}[]"]),
            ("sum by (pod) (queue) / on (pod) group_left (x) size", &["sum>queue{}", "size{}"]),
            ("sum(a) by (x) + max without (y) (b offset 5m)", &["sum>a{}", "max>b{}"]),
            ("{__name__=\"a\", b!=\"c\"} or {\"d.e\", f!~\"g\"}", &["a{b!=c}", "d.e{f!~g}"]),
            ("quantile(0.9, a and on (x) b > bool 3)", &["quantile>a{}", "quantile>b{}"]),
            ("max_over_time(sum(rate(a[1m]))[10m:30s])", &["max_over_time>sum>rate>a{}[]"]),
            ("rate(a[2m] @ end() offset -1m) # and b", &["rate>a{}[]"]),
            ("a{x=\"(\\\"\", y='it\\'s', z=`\\d`}", &["a{x=(\\\",y=it's,z=\\\\d}"]),
            ("sum(job:requests:rate1m) or vector(0)", &["sum>job:requests:rate1m{}"]),
            ("vector(1)", &[]),
            ("1e3 * 2 - Inf", &[]),
        ] {
            assert_eq!(told(query), want, "{query}");
        }
    }

    #[test]
    fn nothing_is_told_of_what_breaks_off() {
        for query in ["sum(rate(a[2m)", "sum(a", "a{x=\"y}", "a{x=", "a)", "rate(a[", "é{ü", "a{x y}", "'"]
        {
            assert_eq!(told(query), [""; 0], "{query}");
        }
    }
}
