//! A Prometheus server, or a compatible one (Thanos, Mimir, VictoriaMetrics), as a source of series.
//!
//! Queries use the instants of a grid counted from the epoch, so that two readers get the same samples. A long range
//! is split into pieces below the server's limit of points; bytes and points are bounded. Sending a request and
//! receiving its reply is left to `transport`.

mod about;
mod answer;
pub(super) mod decode;
mod json;
#[cfg(test)]
mod tests;
mod vector;

use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::{Method, StatusCode};

pub use vector::Labelled;

use self::decode::{Bounds, QueryResult};
use super::backend::PIECE;
use super::config::{DataSourceConfig, Limits};
use super::transport::{Reply, Transport, Turn};
use super::{Backend, Discovery, RangeQuery, Reading, SourceError};
use crate::history::Series;
use crate::units::{Span, Step, Time};

/// The shortest piece that a range is split into when the server finds it too large.
const LEAST_POINTS: usize = 60;

/// One data source with its connections and limits.
#[derive(Debug)]
pub struct Prometheus {
    name: String,
    transport: Transport,
    points_limit: usize,
    bytes_limit: usize,
    /// Whether the server has refused POST.
    only_get: AtomicBool,
}

/// A request to the API that evaluates a query.
enum QueryKind<'a> {
    Range { query: &'a str, from: Time, to: Time, step: Step },
    Instant { query: &'a str, at: Time },
}

// === impl QueryKind ===

impl QueryKind<'_> {
    async fn ask<'t>(&self, turn: &'t Turn<'_>, is_get: bool) -> Result<Reply<'t>, SourceError> {
        let api = turn.api()?;
        let timeout = i64::try_from(turn.timeout().as_millis()).unwrap_or(i64::MAX);
        match *self {
            QueryKind::Range { query, from, to, step } => {
                let question = api.query_range(query, from.epoch(), to.epoch(), step.as_seconds() as f64);
                let question =
                    turn.headers().fold(question.timeout(timeout), |q, (name, value)| q.header(name, value));
                let question = turn.parameters().fold(question, |q, (name, value)| q.query(name, value));
                if is_get {
                    turn.answered(question.get_raw()).await
                } else {
                    turn.answered(question.post_raw()).await
                }
            }
            QueryKind::Instant { query, at } => {
                let question = api.query(query).at(at.epoch()).timeout(timeout);
                let question = turn.headers().fold(question, |q, (name, value)| q.header(name, value));
                let question = turn.parameters().fold(question, |q, (name, value)| q.query(name, value));
                if is_get {
                    turn.answered(question.get_raw()).await
                } else {
                    turn.answered(question.post_raw()).await
                }
            }
        }
    }
}

// === impl Prometheus ===

impl Prometheus {
    /// A data source under its name in metrics; it connects at the first query.
    pub fn new(name: &str, config: DataSourceConfig, limits: &Limits) -> Self {
        Prometheus {
            name: name.to_owned(),
            transport: Transport::new(config),
            points_limit: limits.series_points,
            bytes_limit: limits.response_bytes,
            only_get: AtomicBool::new(false),
        }
    }

    async fn piece(&self, query: &RangeQuery, from: Time, count: usize) -> Result<QueryResult, SourceError> {
        let to = from + query.step.times(count - 1);
        let question = QueryKind::Range { query: &query.query, from, to, step: query.step };
        // Twice the grid leaves room for duplicates and is still a bound.
        self.ask(&question, 2 * count).await
    }

    /// Puts the samples of a piece into their slots, in any order; if two samples have the same instant, the later
    /// one wins.
    fn append(
        &self,
        reading: &mut Reading,
        from: Time,
        count: usize,
        answer: QueryResult,
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
            return Err(SourceError::Malformed { target: self.origin(), reason });
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

    async fn ask(&self, question: &QueryKind<'_>, points: usize) -> Result<QueryResult, SourceError> {
        let turn = self.transport.turn().await?;
        let reply = self.reply(question, &turn).await?;
        answer::read(reply, Bounds { bytes: self.bytes_limit, points }).await
    }

    async fn reply<'t>(
        &self,
        question: &QueryKind<'_>,
        turn: &'t Turn<'_>,
    ) -> Result<Reply<'t>, SourceError> {
        // A long query does not fit into a URL, so POST is tried first.
        let is_get = self.only_get.load(Ordering::Relaxed);
        let reply = question.ask(turn, is_get).await?;
        if reply.status() == StatusCode::METHOD_NOT_ALLOWED && !is_get {
            self.only_get.store(true, Ordering::Relaxed);
            return question.ask(turn, true).await;
        }
        Ok(reply)
    }

    /// All series of a query at an instant, with their labels.
    ///
    /// # Errors
    /// If there is no answer; an answer without series is no error.
    pub async fn vector(&self, query: &str, at: Time) -> Result<Vec<Labelled>, SourceError> {
        let turn = self.transport.turn().await?;
        let reply = self.reply(&QueryKind::Instant { query, at }, &turn).await?;
        vector::read(reply, Bounds { bytes: self.bytes_limit, points: self.points_limit }).await
    }
}

#[tonic::async_trait]
impl Backend for Prometheus {
    async fn range(&self, query: &RangeQuery) -> Result<Reading, SourceError> {
        let (from, points) = query.grid();
        let mut reading = Reading { series: Series::new(from, query.step), warnings: Vec::new() };
        if points > self.points_limit {
            return Err(SourceError::TooLong { points, limit: self.points_limit });
        }
        let mut size = PIECE;
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

    /// A value that is not finite is returned as no value.
    async fn instant(&self, query: &str, at: Time) -> Result<Option<f64>, SourceError> {
        let answer = self.ask(&QueryKind::Instant { query, at }, 1).await?;
        Ok(answer.values.first().copied().filter(|v| v.is_finite()))
    }

    async fn began(&self) -> Result<Option<Time>, SourceError> {
        let turn = self.transport.turn().await?;
        answer::read_start(turn.ask(Method::GET, "api/v1/status/runtimeinfo", &[]).await?).await
    }

    async fn counters(&self, question: &RangeQuery) -> Result<Option<Reading>, SourceError> {
        self.range(question).await.map(Some)
    }

    fn knows_exporters(&self) -> bool {
        true
    }

    fn discovery(&self) -> Option<&dyn Discovery> {
        Some(self)
    }

    fn clock_skew(&self, now: Time) -> Option<Span> {
        self.transport.clock_skew(now)
    }

    fn label(&self) -> &str {
        &self.name
    }

    fn origin(&self) -> String {
        self.transport.target().to_owned()
    }

    fn identity(&self) -> String {
        // All sources that workloads name by address share one label. This bounds the metrics and has no other
        // meaning.
        if self.name == DataSourceConfig::BY_ADDRESS {
            format!("{} {}", self.name, self.transport.target())
        } else {
            self.name.clone()
        }
    }
}

/// Decodes a saved answer as if a server sent it in pieces of `piece` bytes. Returns instants in milliseconds with
/// their values.
///
/// # Errors
/// If it is not an answer with at most `points` points.
#[doc(hidden)]
pub fn decoded(bytes: &[u8], piece: usize, points: usize) -> Result<Vec<(i64, f64)>, String> {
    let mut decoder = decode::Decoder::new(Bounds { bytes: bytes.len(), points });
    let fed = bytes.chunks(piece.max(1)).try_for_each(|piece| decoder.feed(piece));
    let answer = fed.and_then(|()| decoder.finish()).map_err(|error| format!("{error:?}"))?;
    Ok(answer.times.into_iter().zip(answer.values).collect())
}
