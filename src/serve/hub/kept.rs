//! Where one series outlives the process, for servers that have a state directory.
//!
//! It is looked up once before the first question, and written once an hour. Without a store it does nothing.

use std::sync::Arc;

use super::super::store::{SeriesKey, Store};
use crate::source::feed::{Feed, FeedKey};
use crate::units::{Span, Time};

/// Where a series outlives the process.
pub(super) struct Kept {
    store: Option<Arc<Store>>,
    key: SeriesKey,
    /// Whether what an earlier process kept was looked for.
    looked_up: bool,
    /// Everything up to this instant was written.
    pub until: Option<Time>,
}

/// How often a series is written: what is missing after a crash is read within the first answer anyway.
const KEEP_EACH: Span = Span::HOUR;

// === impl Kept ===

impl Kept {
    pub(super) fn new(store: Option<Arc<Store>>, key: &FeedKey, settle: Span, origin: &str) -> Self {
        Kept { store, key: SeriesKey::new(key, settle, origin), looked_up: false, until: None }
    }

    /// Before the first question: what an earlier process read need not be read again.
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

    /// Writes it once an hour, each series at a minute of its own; nobody waits for it.
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
                // A panic would be one file that is not written.
                let _ = tokio::task::spawn_blocking(move || store.keep_series(&key, &series)).await;
            }
        }
    }
}
