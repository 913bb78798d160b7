//! One response while it is read: refusals that are the same for every API, and error messages for unexpected bodies.
//!
//! For a message only the first words of a body are kept. They are shown without markup and without any secret that
//! we sent.

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{AGE, CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};

use super::Turn;
use crate::source::SourceError;
use crate::source::address::shown;
use crate::source::error::excerpt;

/// A response whose body is read piece by piece.
pub(in crate::source) struct Reply<'a> {
    turn: &'a Turn<'a>,
    response: Response,
    prefix: Vec<u8>,
}

/// The server's clock, as an answer reported it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerDate {
    pub(super) epoch: i64,
}

/// How many bytes of a body are used for a message.
const PREFIX: usize = 2_048;

// === impl Reply ===

impl<'a> Reply<'a> {
    pub(super) fn new(turn: &'a Turn<'a>, response: Response) -> Self {
        Reply { turn, response, prefix: Vec::new() }
    }

    /// The HTTP status.
    pub(in crate::source) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The data source's address, for messages.
    pub(in crate::source) fn target(&self) -> String {
        self.turn.transport.target.clone()
    }

    /// How long the server wants us to wait.
    pub(in crate::source) fn retry_after(&self) -> Option<Duration> {
        retry_after(self.response.headers())
    }

    /// An error if the server redirects us or asks for fewer requests.
    pub(in crate::source) fn admitted(&self) -> Result<(), SourceError> {
        let (target, status) = (self.target(), self.status().as_u16());
        if self.status().is_redirection() {
            return Err(SourceError::Redirect { target, status, location: location(&self.response) });
        }
        if self.status() == StatusCode::TOO_MANY_REQUESTS {
            return Err(SourceError::Throttled { target, status, retry_after: self.retry_after() });
        }
        Ok(())
    }

    /// The next piece of the body.
    pub(in crate::source) async fn piece(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, SourceError> {
        let piece = self.response.chunk().await.map_err(|error| self.turn.broken(&error))?;
        if let Some(bytes) = &piece {
            self.prefix.extend(bytes.iter().take(PREFIX - self.prefix.len()));
        }
        Ok(piece)
    }

    /// Whether enough of the body was read for a message.
    pub(in crate::source) fn is_seen(&self) -> bool {
        self.prefix.len() == PREFIX
    }

    /// Whether the body is declared as JSON.
    pub(in crate::source) fn is_json(&self) -> bool {
        self.media().contains("json") || self.prefix.trim_ascii_start().starts_with(b"{")
    }

    /// The error for an unexpected body; `expected` completes the sentence "expected …".
    pub(in crate::source) fn unexpected(&self, expected: &'static str) -> SourceError {
        SourceError::Http {
            target: self.target(),
            status: self.status().as_u16(),
            found: describe(self.media(), &self.hide(&String::from_utf8_lossy(&self.prefix))),
            expected,
            retry_after: self.retry_after(),
        }
    }

    /// A text from the server, without any secret that we sent.
    pub(in crate::source) fn hide(&self, text: &str) -> String {
        self.turn.ready.hide(text)
    }

    fn media(&self) -> &str {
        header(self.response.headers(), &CONTENT_TYPE).unwrap_or_default()
    }
}

/// The server's clock; for a cached answer, corrected by its `Age`.
pub(super) fn server_date(headers: &HeaderMap) -> Option<ServerDate> {
    let date = DateTime::parse_from_rfc2822(header(headers, &DATE)?).ok()?.timestamp();
    let age: i64 = header(headers, &AGE).and_then(|age| age.parse().ok()).unwrap_or(0);
    Some(ServerDate { epoch: date.saturating_add(age) })
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
        // Everything up to the first `>` is the tag.
        words.push(' ');
        words.push_str(part.split_once('>').map_or("", |(_, rest)| rest));
    }
    words
}
