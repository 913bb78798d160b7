//! Turns a reply into an answer of the Prometheus API, or into the error that says what came instead.
//!
//! The body is decoded as it arrives and never held as a whole.

use super::decode::{Bounds, DecodeError, Decoder, QueryResult};
use crate::source::SourceError;
use crate::source::error::excerpt;
use crate::source::transport::Reply;
use crate::units::Time;

/// The most bytes read of a reply about the server itself: a page of text.
const MOST_ABOUT: usize = 65_536;

/// The runtime information of the server.
#[derive(serde::Deserialize)]
struct Runtime {
    data: Started,
}

/// An API answer with data of any form.
#[derive(serde::Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(serde::Deserialize)]
struct Started {
    #[serde(rename = "startTime")]
    start_time: String,
}

/// When the server started, from its runtime information; `None` if it has none, like Thanos, Mimir and
/// VictoriaMetrics.
pub(super) async fn read_start(reply: Reply<'_>) -> Result<Option<Time>, SourceError> {
    reply.admitted()?;
    if reply.status().is_server_error() {
        return Err(reply.unexpected("JSON of the Prometheus API"));
    }
    let told: Option<Runtime> = told(reply, MOST_ABOUT).await?;
    Ok(told.and_then(|told| Time::parse(&told.data.start_time).ok()))
}

/// The data of a reply about the server or its metrics; `None` if the server does not provide it, or sends more than
/// `most` bytes.
pub(super) async fn read_told<T: serde::de::DeserializeOwned>(
    reply: Reply<'_>,
    most: usize,
) -> Result<Option<T>, SourceError> {
    reply.admitted()?;
    if reply.status().is_server_error() {
        return Err(reply.unexpected("JSON of the Prometheus API"));
    }
    let told: Option<Envelope<T>> = told(reply, most).await?;
    Ok(told.map(|told| told.data))
}

async fn told<T: serde::de::DeserializeOwned>(
    mut reply: Reply<'_>,
    most: usize,
) -> Result<Option<T>, SourceError> {
    let mut body = Vec::new();
    while let Some(bytes) = reply.piece().await? {
        body.extend_from_slice(bytes.as_ref());
        if body.len() > most {
            return Ok(None);
        }
    }
    Ok(serde_json::from_slice(&body).ok())
}

/// Reads the reply to its end, within the bounds.
pub(super) async fn read(mut reply: Reply<'_>, bounds: Bounds) -> Result<QueryResult, SourceError> {
    reply.admitted()?;
    let mut decoder = Decoder::new(bounds);
    let mut state = Ok(());
    while let Some(bytes) = reply.piece().await? {
        if state.is_ok() {
            state = decoder.feed(bytes.as_ref());
        }
        // After a fault, only the first words are still needed, for the message.
        if state.is_err() && (reply.is_seen() || !matches!(state, Err(DecodeError::Malformed(_)))) {
            break;
        }
    }
    let (target, status) = (reply.target(), reply.status());
    match state.and_then(|()| decoder.finish()) {
        Ok(mut answer) if answer.success && status.is_success() => {
            answer.warnings.iter_mut().for_each(|warning| *warning = reply.hide(warning));
            Ok(answer)
        }
        Ok(answer) if !answer.success => Err(SourceError::Api {
            target,
            status: status.as_u16(),
            error_type: if answer.error_type.is_empty() {
                "error".to_owned()
            } else {
                excerpt(&answer.error_type)
            },
            message: excerpt(&reply.hide(&answer.error)),
            retry_after: reply.retry_after(),
        }),
        Err(DecodeError::TooLarge { limit, unit }) => Err(SourceError::TooLarge { target, limit, unit }),
        Err(DecodeError::ManySeries) => Err(SourceError::ManySeries),
        Err(DecodeError::NotNumeric(found)) => Err(SourceError::NotNumeric { found }),
        Err(DecodeError::Malformed(reason)) if reply.is_json() && status.is_success() => {
            Err(SourceError::Malformed { target, reason: reply.hide(&reason) })
        }
        Ok(_) | Err(DecodeError::Malformed(_)) => Err(reply.unexpected("JSON of the Prometheus API")),
    }
}
