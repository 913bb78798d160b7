//! Persists one series, for servers with a state directory.
//!
//! The series is looked up once before the first query, and written once an hour. Without a store this does nothing.

use std::sync::Arc;

use super::super::store::{SeriesKey, Store};
use crate::source::feed::{Feed, FeedKey};
use crate::units::{Span, Time};

/// Where a series is persisted.
pub(super) struct Kept {
    store: Option<Arc<Store>>,
    key: SeriesKey,
    /// Whether a series from an earlier process was looked up.
    looked_up: bool,
    /// Everything up to this instant was written.
    pub until: Option<Time>,
}

/// How often a series is written. After a crash, the missing part is read with the first query anyway.
const KEEP_EACH: Span = Span::HOUR;

// === impl Kept ===

impl Kept {
    pub(super) fn new(store: Option<Arc<Store>>, key: &FeedKey, settle: Span, origin: &str) -> Self {
        Kept { store, key: SeriesKey::new(key, settle, origin), looked_up: false, until: None }
    }

    /// Before the first query: loads what an earlier process read, so that it is not read again.
    pub(super) async fn take_up(&mut self, feed: &mut Feed, now: Time) {
        if std::mem::replace(&mut self.looked_up, true) {
            return;
        }
        let Some(store) = self.store.clone() else { return };
        let key = self.key.clone();
        if let Ok(Some(series)) = tokio::task::spawn_blocking(move || store.series(&key)).await {
            self.until = feed.take_up(&series, now).then(|| series.end()).flatten();
        }
    }

    /// Writes the series once an hour, each at its own minute, in the background.
    pub(super) fn keep_in_turn(&mut self, feed: &Feed, until: Time) {
        let hour = |at: Time| at.floor_to(KEEP_EACH, feed.phase());
        if self.store.is_some() && self.until.is_none_or(|written| hour(written) < hour(until)) {
            drop(tokio::spawn(self.keep(feed, until)));
        }
    }

    pub(super) fn keep(&mut self, feed: &Feed, until: Time) -> impl Future<Output = ()> + Send + 'static {
        self.until = Some(until);
        let (store, key, series) = (self.store.clone(), self.key.clone(), feed.held());
        async move {
            if let (Some(store), Some(series)) = (store, series) {
                // A panic means only that one file is not written.
                let _ = tokio::task::spawn_blocking(move || store.keep_series(&key, &series)).await;
            }
        }
    }
}
