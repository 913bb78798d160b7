//! How far back a query looks: until its ranges have filled with samples again, its values may be too low.
//!
//! This is read from the text alone, without knowing PromQL's functions: ranges in square brackets look back, and so
//! do offsets. What cannot be read counts as the usual five minutes. `counters` uses the ranges found here. Nothing
//! here runs or judges a query.

use crate::units::Span;

/// The assumed range of a recording rule, and of a range that cannot be read (a dashboard variable).
const UNKNOWN: Span = Span::minutes(5);
/// The longest range assumed for any query: a gap of minutes hardly lowers the value over a day, and an offset of a
/// week would hold the answer for a week.
const MOST: Span = Span::HOUR;

/// How far back the value of a query looks, at most an hour: its widest range selector or subquery, plus positive
/// offsets; nested ranges add up. Zero for a query that only looks at the present; five minutes for a recording rule
/// (a metric with `:` in its name).
pub fn look_back(query: &str) -> Span {
    let reader = RangeScanner::read_all(query);
    reader.widest.max(reader.term).min(MOST)
}

/// A range of samples that a query passes to a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ranged<'a> {
    /// The function, such as `rate`; empty if there is none directly before the range.
    pub function: &'a str,
    /// The selector, such as `requests_total{shop="a"}`.
    pub selector: &'a str,
    /// How far back, as written.
    pub range: &'a str,
    /// `offset 5m` if there is one.
    pub offset: &'a str,
    /// Whether it looks at a fixed instant.
    pub is_fixed: bool,
}

/// Every range of samples in a query, in order, without subqueries.
pub(super) fn ranges(query: &str) -> Vec<Ranged<'_>> {
    RangeScanner::read_all(query).ranges
}

struct RangeScanner<'a> {
    text: &'a str,
    rest: &'a str,
    ranges: Vec<Ranged<'a>>,
    /// Whether an offset read next would belong to the last range.
    ends_range: bool,
    /// Where the current selector starts.
    selector: Option<usize>,
    /// The last word, if it may be the name of a function.
    name: &'a str,
    /// The functions of the open brackets.
    called: Vec<&'a str>,
    /// The widest term of each open bracket.
    open: Vec<Span>,
    /// How far back the current term looks.
    term: Span,
    /// The widest term at this depth.
    widest: Span,
}

// === impl RangeScanner ===

impl<'a> RangeScanner<'a> {
    fn read_all(query: &'a str) -> Self {
        let mut reader = RangeScanner {
            text: query,
            rest: query,
            ranges: Vec::new(),
            ends_range: false,
            selector: None,
            name: "",
            called: Vec::new(),
            open: Vec::new(),
            term: Span::ZERO,
            widest: Span::ZERO,
        };
        reader.read();
        reader
    }

    fn read(&mut self) {
        while let Some(c) = self.rest.chars().next() {
            match c {
                '#' => drop(self.until('\n')),
                '"' | '\'' | '`' => {
                    self.pass_text(c);
                    self.end_selector();
                }
                '{' => {
                    self.selector = self.selector.or(Some(self.at()));
                    self.pass_labels();
                }
                '(' => {
                    self.skip(1);
                    self.called.push(self.name);
                    self.end_term();
                    self.open.push(std::mem::take(&mut self.widest));
                }
                ')' => {
                    self.skip(1);
                    self.called.pop();
                    self.end_term();
                    // The content of the brackets is now the term, so that a subquery of it adds up.
                    self.term = std::mem::take(&mut self.widest);
                    self.widest = self.open.pop().unwrap_or_default();
                }
                '[' => {
                    let end = self.at();
                    self.skip(1);
                    let inside = self.until(']');
                    self.look_further(inside.split(':').next().unwrap_or_default());
                    self.end_range(end, inside);
                }
                '@' => self.pass_instant(),
                c if is_word(c) => self.word(),
                c => {
                    self.skip(c.len_utf8());
                    if !c.is_whitespace() {
                        self.end_term();
                    }
                }
            }
        }
        while let Some(outer) = self.open.pop() {
            self.widest = self.widest.max(outer);
        }
    }

    /// How much of the text has been consumed.
    fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// A range whose selector ends at `end`.
    fn end_range(&mut self, end: usize, range: &'a str) {
        let from = self.selector;
        let function = self.called.last().copied().unwrap_or_default();
        self.end_selector();
        let Some(selector) = from.and_then(|from| self.text.get(from..end)).map(str::trim) else { return };
        if !range.contains(':') {
            let range = range.trim();
            self.ranges.push(Ranged { function, selector, range, offset: "", is_fixed: false });
            self.ends_range = true;
        }
    }

    fn end_selector(&mut self) {
        (self.selector, self.name, self.ends_range) = (None, "", false);
    }

    /// The range to which an offset or an instant read next would belong.
    fn last_range(&mut self) -> Option<&mut Ranged<'a>> {
        self.ranges.last_mut().filter(|_| self.ends_range)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// The text before the next `end`; the `end` itself is skipped.
    fn until(&mut self, end: char) -> &'a str {
        let (before, after) = self.rest.split_once(end).unwrap_or((self.rest, ""));
        self.rest = after;
        before
    }

    fn pass_text(&mut self, quote: char) {
        self.skip(1);
        let mut is_escaped = false;
        let end = self.rest.find(|c: char| {
            let ends = c == quote && !is_escaped;
            is_escaped = c == '\\' && !is_escaped && quote != '`';
            ends
        });
        self.skip(end.map_or(self.rest.len(), |end| end + 1));
    }

    /// Skips labels; they belong to the term before them.
    fn pass_labels(&mut self) {
        self.skip(1);
        while let Some(c) = self.rest.chars().next() {
            match c {
                '}' => return self.skip(1),
                '"' | '\'' | '`' => self.pass_text(c),
                c => self.skip(c.len_utf8()),
            }
        }
    }

    /// Skips `@ 1609746000` or `@ end()`, which belongs to the term before it.
    fn pass_instant(&mut self) {
        self.skip(1);
        if let Some(range) = self.last_range() {
            range.is_fixed = true;
        }
        self.rest = self.rest.trim_start();
        self.take_word();
        if let Some(rest) = self.rest.trim_start().strip_prefix('(') {
            self.rest = rest;
            self.until(')');
        }
    }

    fn take_word(&mut self) -> &'a str {
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn word(&mut self) {
        let begin = self.at();
        let word = self.take_word();
        if word.eq_ignore_ascii_case("offset") {
            self.rest = self.rest.trim_start();
            let is_ahead = self.rest.starts_with('-');
            self.rest = self.rest.trim_start_matches('-').trim_start();
            let by = self.take_word();
            if !is_ahead {
                self.look_further(by);
            }
            let offset = self.text.get(begin..self.at()).unwrap_or_default();
            if let Some(range) = self.last_range() {
                range.offset = offset;
            }
            return;
        }
        self.end_term();
        (self.selector, self.name) = (Some(begin), word);
        if word.contains(':') && !word.starts_with(|c: char| c.is_ascii_digit()) {
            self.term = UNKNOWN;
        }
    }

    fn look_further(&mut self, text: &str) {
        let text = text.trim();
        let seconds = text.parse::<f64>().ok().filter(|s| (0.0..1e9).contains(s));
        let span = seconds.map(|s| Span::seconds(s.ceil() as i64)).or_else(|| Span::parse(text).ok());
        // A range below a second still counts as a range.
        self.term = self.term + span.unwrap_or(UNKNOWN).max(Span::seconds(1));
    }

    fn end_term(&mut self) {
        self.end_selector();
        self.widest = self.widest.max(std::mem::take(&mut self.term));
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_looks_back_as_far_as_its_widest_range() {
        for (query, want) in [
            ("sum(queue_depth)", "0s"),
            ("sum(rate(a[2m]))", "2m"),
            ("sum(rate(a{x=\"[1h]\", y=~'b\\'[2h]'}[90s])) by (z)", "90s"),
            ("sum(rate(a[1m])) + sum by (x) (rate(b[1h30m]))", "1h"),
            ("sum(rate(a[1m])) + sum by (x) (rate(b[7m30s]))", "7m30s"),
            ("rate(a[5m]) # and not [30m]\n + b", "5m"),
            ("# rate(a[30m])", "0s"),
            ("max_over_time(sum(rate(a[2m]))[10m:30s])", "12m"),
            ("max_over_time(a[10m:])", "10m"),
            ("avg_over_time(max_over_time(rate(a[2m])[10m:30s])[5m:1m])", "17m"),
            ("max(rate(a[2m]) or rate(b[4m]))", "4m"),
            ("(rate(a[2m]) + b)[3m:] ", "5m"),
            ("rate(a[2m] offset 1m)", "3m"),
            ("rate(a[2m] OFFSET -1m)", "2m"),
            ("rate(a[2m] offset 1w)", "1h"),
            ("rate(a[2m] @ end() offset 1m)", "3m"),
            ("rate(a[2m] @ 1609746000)", "2m"),
            ("job:requests:rate1m", "5m"),
            ("sum(job:requests:rate1m{x='y'}) + sum(rate(a[1m]))", "5m"),
            ("max_over_time(job:requests:rate1m[10m])", "15m"),
            ("rate(a[$__rate_interval])", "5m"),
            ("rate(a[300])", "5m"),
            ("rate(a[500ms])", "1s"),
            ("{\"job:a:b\"}", "0s"),
            ("irate(`weird`[1m])", "1m"),
            ("", "0s"),
        ] {
            assert_eq!(look_back(query), Span::parse(want).expect("a span"), "{query}");
        }
    }

    #[test]
    fn what_is_no_promql_is_read_to_its_end() {
        for query in ["[", "rate(a[", "]]))", "a[5m", "{\"", "@", "offset", "a offset", "é[ü:", "((((", "'\\"]
        {
            assert!(look_back(query) <= MOST, "{query}");
        }
    }
}
