//! Where answers are made: away from the threads that answer KEDA, and only a few at a time until they are read.
//!
//! With ten thousand workloads one answer has tens of megabytes, and whoever asks for it need not read it. Nothing is
//! kept beyond the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use tokio::sync::Semaphore;
use tokio_stream::StreamExt;

use super::Overview;

/// The overview, with places for those who ask about it.
#[derive(Clone)]
pub(super) struct Answers {
    pub overview: Arc<dyn Overview>,
    places: Arc<Semaphore>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Every place is held by an answer that is still being read.
    Busy,
    /// It could not be made.
    Internal,
}

/// Two Prometheus servers and two people; at ten thousand workloads, some hundred megabytes.
const PLACES: usize = 4;
/// How long to wait for a place: a scrape waits ten seconds by default.
const PATIENCE: Duration = Duration::from_secs(5);

// === impl Answers ===

impl Answers {
    pub(super) fn new(overview: Arc<dyn Overview>) -> Self {
        Answers { overview, places: Arc::new(Semaphore::new(PLACES)) }
    }

    /// An answer that has its place until the last of it is on its way.
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
