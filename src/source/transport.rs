//! The way to a data source that is asked over HTTP, whatever its API: its turn, its connection, its refusals.
//!
//! Requests at a time and requests a second are bounded, secrets are read for each request, redirects are not
//! followed, names that workloads chose do not lead everywhere, and the server's clock is read on the way. What an
//! answer says is not looked at here.

mod connect;
mod reply;
mod resolve;

pub(super) use reply::Reply;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use self::connect::{Connector, Ready};
use self::reply::ServerDate;
use super::SourceError;
use super::address::shown;
use super::config::DataSourceConfig;
use crate::units::{Span, Time};

/// The connections of one data source, with their limits.
#[derive(Debug)]
pub(super) struct Transport {
    target: String,
    connector: Connector,
    permits: Semaphore,
    /// The least distance of two requests, and when the next one may begin.
    pace: Duration,
    next: Mutex<Instant>,
    /// The server's clock with the moment it was read.
    clock: Mutex<Option<(ServerDate, Instant)>>,
}

/// The right to ask, and with what.
pub(super) struct Turn<'a> {
    transport: &'a Transport,
    ready: Ready,
    _permit: SemaphorePermit<'a>,
}

// === impl Transport ===

impl Transport {
    /// Connects at the first request.
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

    /// The address without credentials and query, for messages.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// How far the server's clock and `now` differ by the newest answer that told its time, in whole seconds.
    pub(super) fn clock_skew(&self, now: Time) -> Option<Span> {
        let clock = *self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let (date, read_at) = clock?;
        let since = i64::try_from(read_at.elapsed().as_secs()).unwrap_or(i64::MAX);
        let ahead = date.epoch.saturating_add(since).saturating_sub(now.epoch());
        Some(Span::seconds(ahead.saturating_abs()))
    }

    /// Waits until a request may be sent.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, SourceError> {
        self.wait_for_pace().await;
        let permit = self.permits.acquire().await.map_err(|_| SourceError::Unreachable {
            target: self.target.clone(),
            reason: "the data source is closed".to_owned(),
        })?;
        let ready = self.connector.ready(&self.target)?;
        Ok(Turn { transport: self, ready, _permit: permit })
    }

    /// Spreads requests, so that a fleet that starts does not overrun the server.
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
    /// The longest an answer may take.
    pub(super) fn timeout(&self) -> Duration {
        self.ready.timeout
    }

    /// Asks the API below the address of the data source: `path` without a slash at its begin; the parameters stand in
    /// the address of a GET, and in the body of what has one.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, String)],
    ) -> Result<Reply<'_>, SourceError> {
        let request = self.ready.request(method, path, parameters);
        let response = request.send().await.map_err(|error| self.broken(&error))?;
        if let Some(date) = reply::server_date(response.headers()) {
            let clock = &self.transport.clock;
            *clock.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
        Ok(Reply::new(self, response))
    }

    fn broken(&self, error: &reqwest::Error) -> SourceError {
        let target = self.transport.target.clone();
        // A connection that is not made in time is one that cannot be reached.
        if error.is_timeout() && !error.is_connect() {
            return SourceError::Timeout { target, after: self.ready.timeout };
        }
        SourceError::Unreachable { target, reason: connect::cause(error) }
    }
}
