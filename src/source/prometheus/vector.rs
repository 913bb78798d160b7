//! Many series at one instant, with their labels: how commands discover what exists.
//!
//! The body is read as a whole, within the same limit as every answer. A server's loops never use this.

use std::collections::BTreeMap;

use super::decode::Bounds;
use crate::source::SourceError;
use crate::source::error::excerpt;
use crate::source::transport::Reply;

/// One series of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value; never NaN or infinite.
    pub value: f64,
}

#[derive(serde::Deserialize)]
struct Document {
    status: String,
    data: Option<Data>,
    #[serde(default, rename = "errorType")]
    error_type: String,
    #[serde(default)]
    error: String,
}

#[derive(serde::Deserialize)]
struct Data {
    result: Vec<Element>,
}

#[derive(serde::Deserialize)]
struct Element {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

// === impl Labelled ===

impl Labelled {
    /// A label; empty if it is missing.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// Reads the reply to its end, within the bounds.
pub(super) async fn read(mut reply: Reply<'_>, bounds: Bounds) -> Result<Vec<Labelled>, SourceError> {
    reply.admitted()?;
    let mut body = Vec::new();
    while let Some(bytes) = reply.piece().await? {
        body.extend_from_slice(bytes.as_ref());
        if body.len() > bounds.bytes {
            let target = reply.target();
            return Err(SourceError::TooLarge { target, limit: bounds.bytes, unit: "bytes" });
        }
    }
    let (target, status) = (reply.target(), reply.status());
    let Ok(document) = serde_json::from_slice::<Document>(&body) else {
        return Err(reply.unexpected("JSON of the Prometheus API"));
    };
    if document.status != "success" || !status.is_success() {
        return Err(SourceError::Api {
            target,
            status: status.as_u16(),
            error_type: excerpt(&document.error_type),
            message: excerpt(&reply.hide(&document.error)),
            retry_after: reply.retry_after(),
        });
    }
    let found = document.data.map(|data| data.result).unwrap_or_default();
    let finite = |element: Element| {
        let value = element.value.1.parse::<f64>().ok().filter(|value| value.is_finite())?;
        Some(Labelled { labels: element.metric, value })
    };
    Ok(found.into_iter().filter_map(finite).collect())
}
