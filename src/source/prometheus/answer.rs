//! From an HTTP response to an answer or to the error that names what came instead.
//!
//! The body is decoded as it arrives. Of a body that is no answer only the first words are kept, without
//! markup and without anything secret that was sent along.

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{AGE, CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Response, Url};

use super::address::shown;
use super::connect::{Ready, chain};
use super::decode::{Answer, Bounds, DecodeError, Decoder, excerpt};
use crate::source::SourceError;

/// How much of a body is looked at for a message.
const PREFIX: usize = 2_048;

/// The server's clock as an answer told it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerDate {
    pub(super) epoch: i64,
}

/// Reads the response to its end, within bounds.
pub(super) async fn read(
    mut response: Response,
    bounds: Bounds,
    target: &str,
    ready: &Ready,
) -> Result<Answer, SourceError> {
    let target = target.to_owned();
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    if response.status().is_redirection() {
        let location = location(&response);
        return Err(SourceError::Redirect { target, status, location });
    }
    if status == 429 {
        return Err(SourceError::Throttled { target, status, retry_after });
    }
    let media = header(response.headers(), &CONTENT_TYPE).unwrap_or_default().to_owned();
    let mut decoder = Decoder::new(bounds);
    let mut prefix: Vec<u8> = Vec::new();
    let mut state = Ok(());
    while let Some(bytes) = response.chunk().await.map_err(|e| broken(&e, &target, ready.timeout))? {
        prefix.extend(bytes.iter().take(PREFIX - prefix.len()));
        if state.is_ok() {
            state = decoder.feed(&bytes);
        }
        // After a fault only the first words are still of interest.
        if state.is_err() && (prefix.len() == PREFIX || !matches!(state, Err(DecodeError::Malformed(_)))) {
            break;
        }
    }
    let answer = state.and_then(|()| decoder.finish());
    let is_json = media.contains("json") || prefix.trim_ascii_start().starts_with(b"{");
    match answer {
        Ok(mut answer) if answer.success && response.status().is_success() => {
            answer.warnings.iter_mut().for_each(|warning| *warning = ready.hide(warning));
            Ok(answer)
        }
        Ok(answer) if !answer.success => Err(SourceError::Api {
            target,
            status,
            error_type: if answer.error_type.is_empty() {
                "error".to_owned()
            } else {
                excerpt(&answer.error_type)
            },
            message: excerpt(&ready.hide(&answer.error)),
            retry_after,
        }),
        Err(DecodeError::TooLarge { limit, unit }) => Err(SourceError::TooLarge { target, limit, unit }),
        Err(DecodeError::ManySeries) => Err(SourceError::ManySeries),
        Err(DecodeError::NotNumeric(found)) => Err(SourceError::NotNumeric { found }),
        Err(DecodeError::Malformed(reason)) if is_json && (200..300).contains(&status) => {
            Err(SourceError::Malformed { target, reason: ready.hide(&reason) })
        }
        Ok(_) | Err(DecodeError::Malformed(_)) => {
            let found = describe(&media, &ready.hide(&String::from_utf8_lossy(&prefix)));
            Err(SourceError::Http { target, status, found, retry_after })
        }
    }
}

/// The error of a request that got no response.
pub(super) fn not_sent(error: &prometheus_http_query::Error, target: &str, timeout: Duration) -> SourceError {
    match std::error::Error::source(error).and_then(|e| e.downcast_ref::<reqwest::Error>()) {
        Some(inner) => broken(inner, target, timeout),
        None => SourceError::Unreachable { target: target.to_owned(), reason: chain(error) },
    }
}

/// The server's clock; an answer from a cache is as old as `Age` says.
pub(super) fn server_date(headers: &HeaderMap) -> Option<ServerDate> {
    let date = DateTime::parse_from_rfc2822(header(headers, &DATE)?).ok()?.timestamp();
    let age: i64 = header(headers, &AGE).and_then(|age| age.parse().ok()).unwrap_or(0);
    Some(ServerDate { epoch: date.saturating_add(age) })
}

fn broken(error: &reqwest::Error, target: &str, after: Duration) -> SourceError {
    let target = target.to_owned();
    // A connection that is not made in time is one that cannot be reached.
    if error.is_timeout() && !error.is_connect() {
        return SourceError::Timeout { target, after };
    }
    SourceError::Unreachable { target, reason: chain(error) }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = header(headers, &RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?.timestamp();
    let wait = until.saturating_sub(server_date(headers)?.epoch);
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

fn location(response: &Response) -> String {
    let base = response.url();
    let text = header(response.headers(), &LOCATION).unwrap_or_default();
    let url: Option<Url> = base.join(text).ok().filter(|_| !text.is_empty());
    url.map_or_else(|| "an address it does not name".to_owned(), |url| shown(&url))
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn describe(media: &str, body: &str) -> String {
    let kind = media.split(';').next().unwrap_or_default().trim();
    let kind = if kind.is_empty() { "a body without media type" } else { kind };
    let words = excerpt(&without_markup(body));
    if words.is_empty() { kind.to_owned() } else { format!("{}: '{words}'", excerpt(kind)) }
}

fn without_markup(text: &str) -> String {
    if !text.trim_start().starts_with('<') {
        return text.to_owned();
    }
    let mut words = String::new();
    for part in text.split('<') {
        // What precedes the first `>` is the tag.
        words.push(' ');
        words.push_str(part.split_once('>').map_or("", |(_, rest)| rest));
    }
    words
}
