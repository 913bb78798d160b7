//! Builds the queries that show whether the counters under a query existed.
//!
//! If a target is away for less than two minutes, a rate over two minutes does not become empty: it decays, as if the
//! load had fallen. The target's own series shows the outage: the first failed scrape ends it, and its counter
//! restarts from zero. Nothing here runs a query; `history::Counters` interprets the answers.

use super::reach::{Ranged, ranges};

/// Functions of counters, whose value also drops when the target restarts.
const OF_COUNTERS: [&str; 3] = ["rate", "increase", "irate"];
/// Functions that return less if samples are missing.
const OF_SAMPLES: [&str; 2] = ["sum_over_time", "count_over_time"];
/// A query may use more counters than this; only the first ones are checked.
const MOST: usize = 4;

/// The queries about a query's counters, one per selector: how often the median series was reset within the range; no
/// value if no series exists.
pub fn counter_questions(query: &str) -> Vec<String> {
    let mut questions: Vec<String> = Vec::new();
    for question in ranges(query).iter().filter_map(question) {
        if !questions.contains(&question) && questions.len() < MOST {
            questions.push(question);
        }
    }
    questions
}

fn question(of: &Ranged<'_>) -> Option<String> {
    let Ranged { function, selector, range, offset, is_fixed } = *of;
    // A dashboard variable is not PromQL.
    let is_plain = !range.is_empty() && range.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    if is_fixed || !is_plain || selector.contains('$') {
        return None;
    }
    let offset = if offset.is_empty() { String::new() } else { format!(" {offset}") };
    let is_there = format!("count({selector}{offset})");
    if OF_COUNTERS.contains(&function) {
        // When pods come and go, only a few of the series reset; the median ignores them.
        Some(format!("quantile(0.5, resets({selector}[{range}]{offset})) and {is_there}"))
    } else {
        OF_SAMPLES.contains(&function).then(|| format!("0 * {is_there}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_over_a_range_is_asked_whether_it_was_there() {
        let resets = |selector: &str, range: &str, offset: &str| {
            format!("quantile(0.5, resets({selector}[{range}]{offset})) and count({selector}{offset})")
        };
        for (query, want) in [
            ("sum(rate(requests_total[2m]))", vec![resets("requests_total", "2m", "")]),
            (
                "sum by (x) (rate(a{y=\"[1h] or (\"} [90s])) / 2",
                vec![resets("a{y=\"[1h] or (\"}", "90s", "")],
            ),
            ("rate({__name__='a'}[1m])", vec![resets("{__name__='a'}", "1m", "")]),
            (
                "increase(a[5m] offset 1m) + irate(b[1m])",
                vec![resets("a", "5m", " offset 1m"), resets("b", "1m", "")],
            ),
            ("rate(a[2m] OFFSET -1m)", vec![resets("a", "2m", " OFFSET -1m")]),
            ("max_over_time(sum(rate(a[2m]))[10m:30s])", vec![resets("a", "2m", "")]),
            ("rate(a[2m]) + rate(a[2m])", vec![resets("a", "2m", "")]),
            ("histogram_quantile(0.9, sum by (le) (rate(b_bucket[5m])))", vec![resets("b_bucket", "5m", "")]),
            ("sum(sum_over_time(jobs[2m]))", vec!["0 * count(jobs)".to_owned()]),
            ("rate(job:requests:total[2m])", vec![resets("job:requests:total", "2m", "")]),
            // Functions that are not about counters, and queries that do not look at the present.
            ("sum(queue_depth)", vec![]),
            ("max_over_time(queue_depth[5m])", vec![]),
            ("rate(a[2m] @ 1609746000)", vec![]),
            ("rate(a[$__rate_interval])", vec![]),
            ("# rate(a[2m])", vec![]),
            ("rate (a [2m] )", vec![resets("a", "2m", "")]),
        ] {
            assert_eq!(counter_questions(query), want, "{query}");
        }
    }

    #[test]
    fn a_query_over_many_counters_is_asked_about_a_few() {
        let query = (0..9).map(|i| format!("rate(a{i}[1m])")).collect::<Vec<_>>().join(" + ");
        assert_eq!(counter_questions(&query).len(), MOST);
    }

    #[test]
    fn what_is_no_promql_is_read_to_its_end() {
        for query in
            ["rate(", "rate(a[", "rate(a[2m", "rate([2m])", "]))[[", "é[ü", "rate(a{[2m])", "))rate(a[1m]"]
        {
            counter_questions(query);
        }
    }
}
