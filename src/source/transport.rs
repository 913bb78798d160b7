//! The HTTP connection to a data source, whatever its API: rate limits, credentials, refusals.
//!
//! Concurrent requests and requests per second are bounded, secrets are read for each request, redirects are not
//! followed, and names chosen by workloads cannot resolve to every address. The server's clock is read from each
//! reply. The content of an answer is not looked at here.

mod connect;
mod reply;
mod resolve;

pub(super) use reply::Reply;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_http_query::Client as Api;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use self::connect::{Connector, Ready};
use self::reply::ServerDate;
use super::address::shown;
use super::config::DataSourceConfig;
use super::{SourceError, Unreached};
use crate::units::{Span, Time};

/// The connections of one data source, with their limits.
#[derive(Debug)]
pub(super) struct Transport {
    target: String,
    connector: Connector,
    permits: Semaphore,
    /// The shortest distance between two requests, and when the next one may start.
    pace: Duration,
    next: Mutex<Instant>,
    /// The server's clock, with the moment at which it was read.
    clock: Mutex<Option<(ServerDate, Instant)>>,
}

/// Permission to send one request, with all that the request needs.
pub(super) struct Turn<'a> {
    transport: &'a Transport,
    ready: Ready,
    _permit: SemaphorePermit<'a>,
}

// === impl Transport ===

impl Transport {
    /// A transport that connects at the first request.
    pub(super) fn new(config: DataSourceConfig) -> Self {
        Transport {
            target: shown(&config.url),
            permits: Semaphore::new(config.max_concurrent.min(Semaphore::MAX_PERMITS)),
            pace: Duration::from_secs(1) / u32::try_from(config.max_per_second.max(1)).unwrap_or(u32::MAX),
            next: Mutex::new(Instant::now()),
            connector: Connector::new(config),
            clock: Mutex::new(None),
        }
    }

    /// Reads all that a request needs, credentials and certificates included; nothing is sent.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        self.connector.ready(&self.target).map(drop)
    }

    /// The address without credentials and query, for messages.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// The absolute difference between the server's clock and `now` in whole seconds, by the newest answer with a
    /// date.
    pub(super) fn clock_skew(&self, now: Time) -> Option<Span> {
        let clock = *self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let (date, read_at) = clock?;
        let since = i64::try_from(read_at.elapsed().as_secs()).unwrap_or(i64::MAX);
        let ahead = date.epoch.saturating_add(since).saturating_sub(now.epoch());
        Some(Span::seconds(ahead.saturating_abs()))
    }

    /// Waits until one more concurrent request is allowed.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, SourceError> {
        let permit = self.permits.acquire().await.map_err(|_| SourceError::Unreachable {
            target: self.target.clone(),
            reason: "the data source is closed".to_owned(),
            class: Unreached::BrokenOff,
        })?;
        let ready = self.connector.ready(&self.target)?;
        Ok(Turn { transport: self, ready, _permit: permit })
    }

    /// Spaces requests out, so that a starting fleet does not overload the server. It runs just before each request
    /// is sent: turns handed out before a long wait would otherwise all be used at the same time.
    async fn wait_for_pace(&self) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn + self.pace;
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}

// === impl Turn ===

impl Turn<'_> {
    /// The longest time an answer may take.
    pub(super) fn timeout(&self) -> Duration {
        self.ready.timeout
    }

    /// Sends a request to the API below the data source's address. `path` has no leading slash. The parameters go
    /// into the URL of a GET, and into the body of a request that has one.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, String)],
    ) -> Result<Reply<'_>, SourceError> {
        let request = self.ready.request(method, path, parameters);
        self.transport.wait_for_pace().await;
        let response = request.send().await.map_err(|error| self.broken(&error))?;
        Ok(self.reply(response))
    }

    /// A Prometheus API client on this turn's connections; it takes its headers and parameters with each request.
    /// Only its raw answers are used: its own decoding has no bound.
    pub(super) fn api(&self) -> Result<Api, SourceError> {
        self.ready.api().map_err(|reason| self.unreachable(reason))
    }

    /// The same for requests that accept neither headers nor parameters: the client carries them itself. `None` if it
    /// cannot.
    pub(super) fn discovering(&self) -> Result<Option<Api>, SourceError> {
        self.transport.connector.discovering(&self.ready).map_err(|reason| self.unreachable(reason))
    }

    /// The headers of each request, including the credentials.
    pub(super) fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        self.ready.headers.iter().cloned()
    }

    /// The parameters configured for each request.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.ready.parameters.iter().map(|(name, value)| (*name, value.reveal()))
    }

    /// The reply to a request of that client.
    pub(super) async fn answered(
        &self,
        asked: impl Future<Output = Result<reqwest::Response, prometheus_http_query::Error>>,
    ) -> Result<Reply<'_>, SourceError> {
        self.transport.wait_for_pace().await;
        match asked.await {
            Ok(response) => Ok(self.reply(response)),
            Err(prometheus_http_query::Error::Client(error)) => Err(match error.inner() {
                Some(error) => self.broken(error),
                None => self.unreachable(error.to_string()),
            }),
            Err(error) => Err(self.unreachable(error.to_string())),
        }
    }

    fn reply(&self, response: reqwest::Response) -> Reply<'_> {
        if let Some(date) = reply::server_date(response.headers()) {
            let clock = &self.transport.clock;
            *clock.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
        Reply::new(self, response)
    }

    fn unreachable(&self, reason: String) -> SourceError {
        let target = self.transport.target.clone();
        SourceError::Unreachable { target, reason, class: Unreached::BrokenOff }
    }

    fn broken(&self, error: &reqwest::Error) -> SourceError {
        let target = self.transport.target.clone();
        // A timeout while connecting counts as unreachable.
        if error.is_timeout() && !error.is_connect() {
            return SourceError::Timeout { target, after: self.ready.timeout };
        }
        let class = Unreached::of(error, error.is_timeout());
        SourceError::Unreachable { target, reason: connect::cause(error), class }
    }
}
