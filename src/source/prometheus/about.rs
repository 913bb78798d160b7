//! What a Prometheus server reports about its metrics and itself: types, label values, how long it keeps samples.
//!
//! The client of `prometheus-http-query` sends the requests on our guarded connection, and its raw answers are read
//! within bounds. Its `flags()` has no raw form, so the flags are requested over the same transport without it. What
//! a server does not have (Thanos and Mimir: flags; a proxy: any of it) is `None`, not an error.

use std::collections::HashMap;

use prometheus_http_query::{Client as Api, Selector};
use reqwest::Method;

use super::{Prometheus, answer};
use crate::source::SourceError;
use crate::source::discovery::{Discovery, MetricKind};
use crate::source::promql::Selected;
use crate::source::transport::Turn;
use crate::units::{Span, Time};

/// The most bytes read of an answer: a hundred thousand names.
const MOST: usize = 4 << 20;
/// The most bytes read of the flags: a page of text.
const MOST_FLAGS: usize = 65_536;
/// How long Prometheus keeps samples if neither a time nor a size is configured.
const DEFAULT_RETENTION: Span = Span::days(15);

#[derive(serde::Deserialize)]
struct Metadata {
    #[serde(rename = "type")]
    kind: String,
}

#[tonic::async_trait]
impl Discovery for Prometheus {
    async fn retention(&self) -> Result<Option<Span>, SourceError> {
        let turn = self.transport.turn().await?;
        let reply = turn.ask(Method::GET, "api/v1/status/flags", &[]).await?;
        let flags: Option<HashMap<String, String>> = answer::read_told(reply, MOST_FLAGS).await?;
        Ok(flags.and_then(|flags| kept(&flags)))
    }

    async fn kind(&self, metric: &str) -> Result<Option<MetricKind>, SourceError> {
        let turn = self.transport.turn().await?;
        let Some(api) = turn.discovering()? else { return Ok(None) };
        let reply = turn.answered(api.metric_metadata().metric(metric).get_raw()).await?;
        let told: Option<HashMap<String, Vec<Metadata>>> = answer::read_told(reply, MOST).await?;
        let kinds = told.and_then(|mut told| told.remove(metric)).unwrap_or_default();
        let mut kinds = kinds.iter().map(|told| match told.kind.as_str() {
            "counter" => MetricKind::Counter,
            "gauge" => MetricKind::Gauge,
            _ => MetricKind::Other,
        });
        // If exporters disagree, the type is unknown.
        let first = kinds.next();
        Ok(first.filter(|first| kinds.all(|kind| kind == *first)))
    }

    async fn values(
        &self,
        label: &str,
        of: Option<&Selected>,
        since: Time,
    ) -> Result<Option<Vec<String>>, SourceError> {
        // The name becomes part of the URL.
        if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Ok(None);
        }
        let turn = self.transport.turn().await?;
        let Some(api) = turn.discovering()? else { return Ok(None) };
        values(&turn, &api, label, of, since).await
    }
}

async fn values(
    turn: &Turn<'_>,
    api: &Api,
    label: &str,
    of: Option<&Selected>,
    since: Time,
) -> Result<Option<Vec<String>>, SourceError> {
    let question = api.label_values(label).start(since.epoch());
    let question = match of {
        Some(selected) => question.selectors([&selector(selected)]),
        None => question,
    };
    let reply = turn.answered(question.get_raw()).await?;
    answer::read_told(reply, MOST).await
}

fn selector(selected: &Selected) -> Selector<'_> {
    let named =
        selected.metric.as_deref().map_or_else(Selector::new, |metric| Selector::new().metric(metric));
    selected.matchers.iter().fold(named, |selector, matcher| {
        let (label, value) = (matcher.label.as_str(), matcher.value.as_str());
        match matcher.operator {
            "!=" => selector.ne(label, value),
            "=~" => selector.regex_eq(label, value),
            "!~" => selector.regex_ne(label, value),
            _ => selector.eq(label, value),
        }
    })
}

/// How long samples are kept, according to the server's flags.
fn kept(flags: &HashMap<String, String>) -> Option<Span> {
    let flag = |name: &str| flags.get(name).map(String::as_str);
    let time = Span::parse(flag("storage.tsdb.retention.time")?).ok()?;
    let has_size = flag("storage.tsdb.retention.size")
        .is_some_and(|size| size.starts_with(|c| ('1'..='9').contains(&c)));
    match (time > Span::ZERO, has_size) {
        (true, _) => Some(time),
        (false, true) => None,
        (false, false) => Some(DEFAULT_RETENTION),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_tell_how_long_samples_are_kept() {
        let told = |time: Option<&str>, size: Option<&str>| {
            let of = |name: &str, value: Option<&str>| {
                value.map(|v| (format!("storage.tsdb.retention.{name}"), v.to_owned()))
            };
            kept(&of("time", time).into_iter().chain(of("size", size)).collect()).map(|span| span.to_string())
        };
        assert_eq!(told(Some("30d"), Some("0B")).as_deref(), Some("30d"));
        assert_eq!(told(Some("0s"), Some("0B")).as_deref(), Some("15d"));
        assert_eq!(told(Some("0s"), None).as_deref(), Some("15d"));
        assert_eq!(told(Some("0s"), Some("512MB")), None, "limited by size alone");
        assert_eq!(told(None, None), None, "a server without such a flag");
    }
}
