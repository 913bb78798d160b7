//! Makes the answers: not on the threads that answer KEDA, and only a few at a time until they have been read.
//!
//! With ten thousand workloads one answer takes tens of megabytes, and a client may never read what it requested.
//! Nothing is kept after the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use tokio::sync::Semaphore;
use tokio_stream::StreamExt;

use super::Overview;

/// The overview, with permits for its readers.
#[derive(Clone)]
pub(super) struct Answers {
    pub overview: Arc<dyn Overview>,
    places: Arc<Semaphore>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// All permits are held by answers that are still being read.
    Busy,
    /// It could not be made.
    Internal,
}

/// Enough for two Prometheus servers and two people; at ten thousand workloads, some hundred megabytes.
const PLACES: usize = 4;
/// How long to wait for a permit: a scrape waits ten seconds by default.
const PATIENCE: Duration = Duration::from_secs(5);

// === impl Answers ===

impl Answers {
    pub(super) fn new(overview: Arc<dyn Overview>) -> Self {
        Answers { overview, places: Arc::new(Semaphore::new(PLACES)) }
    }

    /// Makes an answer that holds its permit until the last of it has been sent.
    pub(super) async fn make(
        self,
        make: impl FnOnce(&dyn Overview) -> Response + Send + 'static,
    ) -> Result<Response, Failure> {
        let Answers { overview, places } = self;
        let place = tokio::time::timeout(PATIENCE, places.acquire_owned()).await;
        let place = place.map_err(|_| Failure::Busy)?.map_err(|_| Failure::Internal)?;
        let made =
            tokio::task::spawn_blocking(move || make(&*overview)).await.map_err(|_| Failure::Internal)?;
        Ok(made.map(|body| {
            let pieces = body.into_data_stream().map(move |piece| {
                let _held = &place;
                piece
            });
            Body::from_stream(pieces)
        }))
    }
}
