//! What can be told of PromQL without running it: windows too short for the scrape interval, and several series.

use crate::units::Span;

/// Range selectors shorter than `least`, in the order in which they stand. Subqueries (`[1h:5m]`) are passed over.
pub(super) fn short_windows(query: &str, least: Span) -> Vec<Span> {
    outside_texts(query)
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split_once(']'))
        .filter_map(|(window, _)| Span::parse(window.trim()).ok())
        .filter(|window| *window < least)
        .collect()
}

/// Whether nothing in the query joins several series into one.
pub(super) fn may_yield_many(query: &str) -> bool {
    /// Functions and operators that yield one series whatever goes in, unless grouped.
    const JOINING: [&str; 10] =
        ["sum", "max", "min", "avg", "count", "group", "quantile", "scalar", "vector", "absent"];
    let plain = outside_texts(query);
    let words: Vec<&str> =
        plain.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').collect();
    let is_single = |word: &&str| JOINING.contains(&word.to_lowercase().as_str());
    let is_number = plain.trim().parse::<f64>().is_ok();
    // A bare name is a recording rule or a gauge, and who wrote it knows.
    let is_bare = !plain.contains(['(', '{', '[']);
    !words.iter().any(is_single) && !is_number && !is_bare
}

/// The query without what stands in quotes.
fn outside_texts(query: &str) -> String {
    let mut quote = None;
    let mut escaped = false;
    let mut out = String::new();
    for c in query.chars() {
        match quote {
            Some(open) => {
                if c == open && !escaped {
                    quote = None;
                }
                escaped = c == '\\' && !escaped;
            }
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

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
