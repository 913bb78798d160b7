//! A Prometheus server, or what answers like one (Thanos, Mimir, VictoriaMetrics), as a source of series.
//!
//! Questions are asked for instants of a grid that is counted from the epoch, so that two readers get the
//! same samples. A long range is asked in pieces below the server's limit of points. Requests at a time,
//! bytes and points are bounded; redirects are not followed; no credential is ever part of an error.

mod address;
mod answer;
mod backend;
mod backoff;
mod connect;
mod datasources;
mod decode;
mod json;
mod resolve;
#[cfg(test)]
mod tests;

pub use address::{AllowedAddress, base_url};
pub use backoff::Backoff;
pub use datasources::DataSources;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use self::answer::ServerDate;
use self::connect::{Connector, Ready};
use self::decode::{Answer, Bounds};
use super::config::{DataSourceConfig, Limits};
use super::{RangeQuery, RangeSource, Reading, SourceError};
use crate::history::Series;
use crate::units::{Step, Time};

/// Samples asked for in one request: Prometheus refuses more than 11,000 per series, and some of its kin
/// count both ends of the range once more.
pub const POINTS_PER_REQUEST: usize = 10_000;
/// The shortest piece a range is cut into when the server finds it too large.
const LEAST_POINTS: usize = 60;

/// One data source with its connections and limits.
#[derive(Debug)]
pub struct Prometheus {
    name: String,
    target: String,
    connector: Connector,
    permits: Semaphore,
    /// The least distance of two requests, and when the next one may begin.
    pace: Duration,
    next: Mutex<Instant>,
    points_limit: usize,
    bytes_limit: usize,
    /// Whether the server refused POST.
    only_get: AtomicBool,
    /// The server's clock with the moment it was read.
    clock: Mutex<Option<(ServerDate, Instant)>>,
}

enum Question<'a> {
    Range { query: &'a str, from: Time, to: Time, step: Step },
    Instant { query: &'a str, at: Time },
}

// === impl Prometheus ===

impl Prometheus {
    /// A data source under the name it has in metrics; connects at the first question.
    pub fn new(name: &str, config: DataSourceConfig, limits: &Limits) -> Self {
        Prometheus {
            name: name.to_owned(),
            target: address::shown(&config.url),
            pace: Duration::from_secs(1) / u32::try_from(config.max_per_second.max(1)).unwrap_or(u32::MAX),
            next: Mutex::new(Instant::now()),
            permits: Semaphore::new(config.max_concurrent.min(Semaphore::MAX_PERMITS)),
            connector: Connector::new(config),
            points_limit: limits.series_points,
            bytes_limit: limits.response_bytes,
            only_get: AtomicBool::new(false),
            clock: Mutex::new(None),
        }
    }

    /// The name in the configuration, or `serverAddress` for a source named by its address alone.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address without credentials and query, for messages.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The series of a query over a range; gaps where there is no sample.
    pub async fn range(&self, query: &RangeQuery) -> Result<Series, SourceError> {
        self.read_range(query).await.map(|reading| reading.series)
    }

    /// The value of a query at one instant; `None` where it yields no series or no finite number.
    pub async fn instant(&self, query: &str, at: Time) -> Result<Option<f64>, SourceError> {
        let answer = self.ask(&Question::Instant { query, at }, 1).await?;
        Ok(answer.values.first().copied().filter(|v| v.is_finite()))
    }

    /// By how many seconds the server's clock is ahead of `now`, by the newest answer that told its time;
    /// whole seconds, behind is negative.
    pub fn clock_skew(&self, now: Time) -> Option<i64> {
        let clock = *self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let (date, read_at) = clock?;
        let since = i64::try_from(read_at.elapsed().as_secs()).unwrap_or(i64::MAX);
        Some(date.epoch.saturating_add(since).saturating_sub(now.epoch()))
    }

    async fn read_range(&self, query: &RangeQuery) -> Result<Reading, SourceError> {
        let (from, points) = query.grid();
        let mut reading = Reading { series: Series::new(from, query.step), warnings: Vec::new() };
        if points > self.points_limit {
            return Err(SourceError::TooLong { points, limit: self.points_limit });
        }
        let mut size = POINTS_PER_REQUEST;
        while reading.series.len() < points {
            let count = size.min(points - reading.series.len());
            let first = reading.series.time(reading.series.len());
            match self.piece(query, first, count).await {
                Ok(answer) => self.append(&mut reading, first, count, answer)?,
                Err(e) if count > LEAST_POINTS && e.wants_shorter_range() => {
                    size = (count / 2).max(LEAST_POINTS);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(reading)
    }

    async fn piece(&self, query: &RangeQuery, from: Time, count: usize) -> Result<Answer, SourceError> {
        let to = from + query.step.times(count - 1);
        let question = Question::Range { query: &query.query, from, to, step: query.step };
        // Twice the grid leaves room for duplicates without giving up the bound.
        self.ask(&question, 2 * count).await
    }

    /// Puts the samples of a piece into their slots, whatever their order; of two at one instant the later
    /// counts.
    fn append(
        &self,
        reading: &mut Reading,
        from: Time,
        count: usize,
        answer: Answer,
    ) -> Result<(), SourceError> {
        let step_ms = reading.series.step().as_seconds() * 1_000;
        let mut slots = vec![f64::NAN; count];
        let mut strays = 0;
        for (&time, &value) in answer.times.iter().zip(&answer.values) {
            let offset = time - from.epoch() * 1_000;
            let slot =
                usize::try_from(offset / step_ms).ok().filter(|_| offset >= 0 && offset % step_ms == 0);
            match slot.and_then(|i| slots.get_mut(i)) {
                Some(slot) => *slot = value,
                None => strays += 1,
            }
        }
        if strays > 0 && strays == answer.times.len() {
            let reason = "all samples are off the grid that was asked for".to_owned();
            return Err(SourceError::Malformed { target: self.target.clone(), reason });
        }
        if strays > 0 {
            reading.warnings.push(format!("{strays} samples off the grid were left out"));
        }
        for warning in answer.warnings {
            if !reading.warnings.contains(&warning) {
                reading.warnings.push(warning);
            }
        }
        slots.into_iter().for_each(|value| reading.series.push(value));
        Ok(())
    }

    async fn ask(&self, question: &Question<'_>, points: usize) -> Result<Answer, SourceError> {
        self.wait_for_turn().await;
        let _permit = self.permits.acquire().await.map_err(|_| SourceError::Unreachable {
            target: self.target.clone(),
            reason: "the data source is closed".to_owned(),
        })?;
        let ready = self.connector.ready(&self.target)?;
        let mut response = self.send(&ready, question).await?;
        if response.status() == StatusCode::METHOD_NOT_ALLOWED && !self.only_get.swap(true, Ordering::Relaxed)
        {
            response = self.send(&ready, question).await?;
        }
        if let Some(date) = answer::server_date(response.headers()) {
            *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
        let bounds = Bounds { bytes: self.bytes_limit, points };
        answer::read(response, bounds, &self.target, &ready).await
    }

    /// Spreads requests, so that a fleet that starts does not overrun the server.
    async fn wait_for_turn(&self) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn + self.pace;
            turn
        };
        tokio::time::sleep_until(turn).await;
    }

    async fn send(&self, ready: &Ready, question: &Question<'_>) -> Result<Response, SourceError> {
        // The builders of the two kinds of question share their methods but no trait.
        macro_rules! dressed {
            ($builder:expr) => {{
                let millis = i64::try_from(ready.timeout.as_millis()).unwrap_or(i64::MAX);
                let mut builder = $builder.timeout(millis);
                for (name, value) in &ready.parameters {
                    builder = builder.query(name, value.reveal());
                }
                for (name, value) in &ready.headers {
                    builder = builder.header(name.clone(), value.clone());
                }
                // A long query does not fit into an address, so POST comes first.
                let only_get = self.only_get.load(Ordering::Relaxed);
                if only_get { builder.get_raw().await } else { builder.post_raw().await }
            }};
        }
        let sent = match *question {
            Question::Range { query, from, to, step } => {
                dressed!(ready.client.query_range(query, from.epoch(), to.epoch(), step.as_seconds() as f64))
            }
            Question::Instant { query, at } => dressed!(ready.client.query(query).at(at.epoch())),
        };
        sent.map_err(|e| answer::not_sent(&e, &self.target, ready.timeout))
    }
}

impl RangeSource for Prometheus {
    async fn read(&self, query: &RangeQuery) -> Result<Reading, SourceError> {
        self.read_range(query).await
    }
}

/// Decodes a saved answer as it would be from a server that sends it in pieces of so many bytes: instants in
/// milliseconds with their values.
///
/// # Errors
/// Why it is no answer with at most so many points.
#[doc(hidden)]
pub fn decoded(bytes: &[u8], piece: usize, points: usize) -> Result<Vec<(i64, f64)>, String> {
    let mut decoder = decode::Decoder::new(Bounds { bytes: bytes.len(), points });
    let fed = bytes.chunks(piece.max(1)).try_for_each(|piece| decoder.feed(piece));
    let answer = fed.and_then(|()| decoder.finish()).map_err(|error| format!("{error:?}"))?;
    Ok(answer.times.into_iter().zip(answer.values).collect())
}
