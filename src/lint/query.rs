//! Checks PromQL without running it: unclosed brackets, ranges too short for the scrape interval, and several series.

use crate::units::Span;

/// Range selectors shorter than `least`, in order. Subqueries (`[1h:5m]`) are skipped.
pub(super) fn short_windows(query: &str, least: Span) -> Vec<Span> {
    outside_texts(query)
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split_once(']'))
        .filter_map(|(window, _)| Span::parse(window.trim()).ok())
        .filter(|window| *window < least)
        .collect()
}

/// What is left open at the end, or closed without being open; `None` if brackets and quotes match.
pub(super) fn unclosed(query: &str) -> Option<String> {
    let (plain, quote) = split_texts(query);
    let mut open = Vec::new();
    for c in plain.chars() {
        match c {
            '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' => {
                let begun = open.pop();
                if begun.map(closing) != Some(c) {
                    return Some(format!("'{c}' closes nothing"));
                }
            }
            _ => {}
        }
    }
    quote.or_else(|| open.pop().map(closing)).map(|c| match c {
        '\'' => "a closing \"'\" is missing".to_owned(),
        c => format!("a '{c}' is missing"),
    })
}

fn closing(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

/// Whether nothing in the query aggregates several series into one.
pub(super) fn may_yield_many(query: &str) -> bool {
    /// Functions and operators that return one series for any input, unless grouped.
    const JOINING: [&str; 10] =
        ["sum", "max", "min", "avg", "count", "group", "quantile", "scalar", "vector", "absent"];
    let plain = outside_texts(query);
    let words: Vec<&str> =
        plain.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').collect();
    let is_single = |word: &&str| JOINING.contains(&word.to_lowercase().as_str());
    let is_number = plain.trim().parse::<f64>().is_ok();
    // A bare name is a recording rule or a gauge; its author knows how many series it has.
    let is_bare = !plain.contains(['(', '{', '[']);
    !words.iter().any(is_single) && !is_number && !is_bare
}

/// The query without quoted text.
fn outside_texts(query: &str) -> String {
    split_texts(query).0
}

/// The query without quoted text, and the quote still open at its end.
fn split_texts(query: &str) -> (String, Option<char>) {
    let mut quote = None;
    let mut escaped = false;
    let mut out = String::new();
    let mut is_comment = false;
    for c in query.chars() {
        match quote {
            Some(open) => {
                if c == open && !escaped {
                    quote = None;
                }
                escaped = c == '\\' && !escaped && open != '`';
            }
            None if is_comment || c == '#' => is_comment = c != '\n',
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None => out.push(c),
        }
    }
    (out, quote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_quotes_are_closed() {
        for (query, want) in [
            ("sum(rate(a{x=\"(\"}[2m]))", None),
            ("sum(rate(a[2m])", Some("a ')' is missing")),
            ("sum(rate(a[2m))", Some("')' closes nothing")),
            ("up)", Some("')' closes nothing")),
            ("a{x=\"b}", Some("a '\"' is missing")),
            ("a{x='b}", Some("a closing \"'\" is missing")),
            ("a[2m", Some("a ']' is missing")),
            ("a{x='\\''}", None),
            ("a{x=`\\`}", None),
            ("up # it's (\n+ 1", None),
        ] {
            assert_eq!(unclosed(query).as_deref(), want, "{query}");
        }
    }

    #[test]
    fn windows_and_series() {
        let short = |q: &str| short_windows(q, Span::MINUTE).len();
        assert_eq!(short("sum(rate(a[30s]))"), 1);
        assert_eq!(short("sum(rate(a[1m])) + sum(rate(b[59s]))"), 1);
        assert_eq!(short("max_over_time(sum(rate(a[2m]))[10s:5s])"), 0);
        assert_eq!(short("sum(rate(a{x=\"[1s]\"}[2m]))"), 0);
        assert!(may_yield_many("rate(http_requests_total[2m])"));
        assert!(!may_yield_many("sum(rate(http_requests_total[2m]))"));
        assert!(!may_yield_many("job:requests:rate2m"));
    }
}
