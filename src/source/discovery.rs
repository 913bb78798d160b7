//! What a server reports about its metrics and itself, and what that says about a query: a counter without a rate, a
//! rate of a gauge, a selector that matches nothing and what it should probably have been.
//!
//! Used by commands and lint, never for a decision. Any answer may be missing (Thanos and Mimir have no retention
//! flag, a recording rule has no type, a proxy may report nothing), and what is missing is never guessed.

use std::fmt;

use super::promql::{Matcher, Selected, selected};
use super::{Backend, SourceError};
use crate::policy::nearest;
use crate::units::{Span, Time};

/// The type of a metric, as its exporter declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows; its rate is the load.
    Counter,
    /// It is the load itself.
    Gauge,
    /// Histograms, summaries, and undeclared types.
    Other,
}

/// A server that can be asked about its metrics and about itself.
#[tonic::async_trait]
pub trait Discovery: Send + Sync {
    /// How long samples are kept; `None` if this is not reported or not limited by time.
    async fn retention(&self) -> Result<Option<Span>, SourceError>;
    /// The type of a metric; `None` if it is not reported.
    async fn kind(&self, metric: &str) -> Result<Option<MetricKind>, SourceError>;
    /// The values of a label among the matching series with a sample since then; `None` if they are not reported.
    async fn values(
        &self,
        label: &str,
        of: Option<&Selected>,
        since: Time,
    ) -> Result<Option<Vec<String>>, SourceError>;
}

/// What is suspicious about a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// A counter is used without a rate: the value grows for ever.
    CounterWithoutRate {
        /// The metric.
        metric: String,
    },
    /// A rate is taken of a gauge.
    RateOfGauge {
        /// The metric.
        metric: String,
        /// The function.
        function: String,
    },
    /// No metric has that name.
    NoMetric {
        /// The name.
        metric: String,
        /// An existing name that is nearly the same.
        nearest: Option<String>,
    },
    /// The metric exists, but none of its series has a label that matches.
    NoSeries {
        /// The metric.
        metric: String,
        /// The matcher as written.
        matcher: String,
        /// Existing values of the label.
        values: Vec<String>,
    },
}

/// Functions that take the increase of a counter, or look at its resets.
const RISES: [&str; 4] = ["rate", "irate", "increase", "resets"];
/// Functions whose value does not depend on that of the counter.
const COUNTS: [&str; 9] = [
    "absent",
    "absent_over_time",
    "changes",
    "count",
    "count_over_time",
    "count_values",
    "group",
    "present_over_time",
    "timestamp",
];
/// The most values named, and the most characters of each; more would not help.
const NAMED: usize = 8;
const LONGEST: usize = 60;

/// What is suspicious about a query, judged by what the server reports about its metrics; empty if it reports
/// nothing.
///
/// # Errors
/// If the server cannot be reached.
pub async fn doubts(source: &dyn Backend, query: &str, since: Time) -> Result<Vec<Doubt>, SourceError> {
    let Some(server) = source.discovery() else { return Ok(Vec::new()) };
    let mut doubts = Vec::new();
    for one in selected(query) {
        let Some(metric) = one.metric.as_deref() else { continue };
        let found = match missing(server, &one, metric, since).await? {
            Some(missing) => Some(missing),
            None => misread(&one, metric, server.kind(metric).await?.or_else(|| kind_by_name(metric))),
        };
        doubts.extend(found.filter(|found| !doubts.contains(found)));
    }
    Ok(doubts)
}

/// The type that a name promises where Prometheus knows none: in OpenMetrics only counters end like this.
fn kind_by_name(metric: &str) -> Option<MetricKind> {
    metric.ends_with("_total").then_some(MetricKind::Counter)
}

/// A metric that is not used according to its type.
fn misread(one: &Selected, metric: &str, kind: Option<MetricKind>) -> Option<Doubt> {
    let has =
        |functions: &[&str]| one.within.iter().rfind(|word| functions.contains(&word.as_str())).cloned();
    match kind? {
        MetricKind::Counter if has(&RISES).is_none() && has(&COUNTS).is_none() => {
            Some(Doubt::CounterWithoutRate { metric: metric.to_owned() })
        }
        // With a subquery the rate is taken of something else.
        MetricKind::Gauge if one.is_range => {
            let function = one.within.last().filter(|word| RISES[..3].contains(&word.as_str()))?;
            Some(Doubt::RateOfGauge { metric: metric.to_owned(), function: function.clone() })
        }
        _ => None,
    }
}

/// Why a selector matches nothing; `None` if it matches, or if that is not reported.
async fn missing(
    server: &dyn Discovery,
    one: &Selected,
    metric: &str,
    since: Time,
) -> Result<Option<Doubt>, SourceError> {
    const NAME: &str = "__name__";
    let is_none = |found: Option<Vec<String>>| found.is_some_and(|names| names.is_empty());
    let of = |matchers: &[Matcher]| Selected {
        metric: Some(metric.to_owned()),
        matchers: matchers.to_vec(),
        is_range: false,
        within: Vec::new(),
    };
    if !is_none(server.values(NAME, Some(&of(&one.matchers)), since).await?) {
        return Ok(None);
    }
    let bare = of(&[]);
    if is_none(server.values(NAME, Some(&bare), since).await?) {
        let known = server.values(NAME, None, since).await?.unwrap_or_default();
        let nearest = nearest(metric, known.iter().map(String::as_str)).map(ToOwned::to_owned);
        return Ok(Some(Doubt::NoMetric { metric: metric.to_owned(), nearest }));
    }
    for matcher in &one.matchers {
        let alone = of(std::slice::from_ref(matcher));
        if is_none(server.values(NAME, Some(&alone), since).await?) {
            let values = server.values(&matcher.label, Some(&bare), since).await?.unwrap_or_default();
            let matcher = matcher.to_string();
            return Ok(Some(Doubt::NoSeries { metric: metric.to_owned(), matcher, values }));
        }
    }
    // Each matcher alone matches some series, but no series matches all.
    let all: Vec<_> = one.matchers.iter().map(ToString::to_string).collect();
    Ok(Some(Doubt::NoSeries { metric: metric.to_owned(), matcher: all.join(", "), values: Vec::new() }))
}

// === impl Doubt ===

impl Doubt {
    /// Whether this makes the query return nothing.
    pub fn is_empty(&self) -> bool {
        matches!(self, Doubt::NoMetric { .. } | Doubt::NoSeries { .. })
    }

    /// What to do.
    pub fn advice(&self) -> String {
        match self {
            Doubt::CounterWithoutRate { metric } => {
                format!("take its rate, such as sum(rate({metric}[2m]))")
            }
            Doubt::RateOfGauge { metric, .. } => format!("read it as it is, such as sum({metric})"),
            Doubt::NoMetric { nearest: Some(nearest), .. } => format!("write {nearest}, if that is meant"),
            Doubt::NoMetric { nearest: None, .. } => {
                "check that its exporter is scraped (/targets in Prometheus) and that the name is right"
                    .to_owned()
            }
            Doubt::NoSeries { values, .. } if values.is_empty() => {
                "query the selector in Prometheus with fewer labels, and see which series exist".to_owned()
            }
            Doubt::NoSeries { .. } => "write one of those values".to_owned(),
        }
    }
}

/// One sentence without a full stop, such as `no series of a has b="c"; there are: d, e`.
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::CounterWithoutRate { metric } => {
                write!(f, "{metric} is a counter: its value only grows, but the query takes no rate of it")
            }
            Doubt::RateOfGauge { metric, function } => {
                write!(f, "{metric} is a gauge: {function}() treats every decrease as a restart")
            }
            Doubt::NoMetric { metric, nearest } => {
                write!(f, "there is no metric {metric}")?;
                nearest.iter().try_for_each(|name| write!(f, "; there is {name}"))
            }
            Doubt::NoSeries { metric, matcher, values } => {
                write!(f, "no series of {metric} has {matcher}")?;
                if values.is_empty() {
                    return Ok(());
                }
                // Escaped so that a log line can show them.
                let shown =
                    |value: &String| value.chars().take(LONGEST).flat_map(char::escape_debug).collect();
                let named: Vec<String> = values.iter().take(NAMED).map(shown).collect();
                write!(f, "; there are: {}", named.join(", "))?;
                match values.len().saturating_sub(NAMED) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}\"{}\"", self.label, self.operator, self.value)
    }
}

impl fmt::Display for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matchers: Vec<_> = self.matchers.iter().map(ToString::to_string).collect();
        write!(f, "{}{{{}}}", self.metric.as_deref().unwrap_or_default(), matchers.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misread_as(query: &str, kind: MetricKind) -> Option<String> {
        let selected = selected(query);
        let one = selected.first().expect("a selector");
        misread(one, one.metric.as_deref().expect("a metric"), Some(kind)).map(|doubt| doubt.to_string())
    }

    #[test]
    fn a_counter_wants_a_rate_and_a_gauge_does_not() {
        use MetricKind::{Counter, Gauge, Other};
        let grows = Some("a is a counter: its value only grows, but the query takes no rate of it");
        for (query, kind, want) in [
            ("sum(a)", Counter, grows),
            ("max_over_time(a[5m])", Counter, grows),
            ("sum(rate(a[2m]))", Counter, None),
            ("sum(increase(a[2m]))", Counter, None),
            ("rate(a[1h:1m])", Counter, None),
            ("count(a)", Counter, None),
            ("sum(rate(a[2m]))", Gauge, Some("a is a gauge: rate() treats every decrease as a restart")),
            ("sum(a)", Gauge, None),
            ("sum(deriv(a[5m]))", Gauge, None),
            ("rate(sum(a)[5m:])", Gauge, None),
            ("sum(a)", Other, None),
        ] {
            assert_eq!(misread_as(query, kind).as_deref(), want, "{query} of a {kind:?}");
        }
    }

    #[test]
    fn a_name_tells_a_counter_where_nothing_else_does() {
        assert_eq!(kind_by_name("http_requests_total"), Some(MetricKind::Counter));
        assert_eq!(kind_by_name("queue_depth"), None);
    }

    #[test]
    fn what_is_there_is_named_up_to_a_few() {
        let doubt = |count: usize| Doubt::NoSeries {
            metric: "a".to_owned(),
            matcher: "b=\"c\"".to_owned(),
            values: (0..count).map(|i| format!("v{i}")).collect(),
        };
        assert_eq!(doubt(0).to_string(), "no series of a has b=\"c\"");
        let told = doubt(10).to_string();
        assert!(told.starts_with("no series of a has b=\"c\"; there are: "), "{told}");
        assert!(told.ends_with(" and 2 more") && told.contains("v7") && !told.contains("v8"), "{told}");
    }
}
