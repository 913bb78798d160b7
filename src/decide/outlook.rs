//! A forecast as decisions ask it: the tracker, and the answers it gave already.
//!
//! A decision is renewed several times between two samples, and a backtest asks for many insurances at once. What
//! the tracker answers does not change in between, so it is asked once for each span, at a whole ladder of
//! quantiles. The notes are forgotten with every new sample; they never change an answer.

use std::sync::{Mutex, PoisonError};

use crate::forecast::Tracker;
use crate::history::Series;
use crate::units::{Quantile, Span, Time};

/// A forecast followed up to an instant.
#[derive(Debug)]
pub struct Outlook {
    tracker: Tracker,
    /// Ascending; what is asked for together.
    ladder: Vec<Quantile>,
    notes: Mutex<Vec<Note>>,
}

#[derive(Debug)]
struct Note {
    is_peak: bool,
    span: Span,
    /// One load for each quantile of the ladder.
    loads: Vec<f64>,
}

// === impl Outlook ===

impl Outlook {
    /// The forecast of a tracker; `also` are the quantiles that will be asked for beside the published ones.
    pub fn new(tracker: Tracker, also: &[Quantile]) -> Self {
        let mut ladder: Vec<Quantile> = Quantile::PUBLISHED.iter().chain(also).copied().collect();
        ladder.sort_by(|a, b| a.get().total_cmp(&b.get()));
        ladder.dedup();
        Outlook { tracker, ladder, notes: Mutex::new(Vec::new()) }
    }

    /// The tracker itself.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// Quantile of the largest sample in the coming `window`.
    pub fn peak(&self, window: Span, quantile: Quantile) -> f64 {
        self.ask(true, window, quantile)
    }

    /// Quantile of the sample `horizon` ahead.
    pub fn load(&self, horizon: Span, quantile: Quantile) -> f64 {
        self.ask(false, horizon, quantile)
    }

    /// The same folded forward up to `until`.
    pub(super) fn follow(&mut self, news: &Series, until: Time) {
        self.tracker.follow(news, until);
        self.notes.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn ask(&self, is_peak: bool, span: Span, quantile: Quantile) -> f64 {
        let ask = |quantiles: &[Quantile]| {
            if is_peak { self.tracker.peak(span, quantiles) } else { self.tracker.quantiles(span, quantiles) }
        };
        let Some(place) = self.ladder.iter().position(|&q| q == quantile) else {
            // Asked beside its neighbours, above which an answer never lies where the quantile does not: the levels of
            // a forecast may cross by a little.
            let beside: Vec<Quantile> = self.ladder.iter().chain([&quantile]).copied().collect();
            return ask(&beside).last().copied().unwrap_or(0.0);
        };
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(note) = notes.iter().find(|note| note.is_peak == is_peak && note.span == span) {
            return note.loads.get(place).copied().unwrap_or(0.0);
        }
        let loads = ask(&self.ladder);
        let load = loads.get(place).copied().unwrap_or(0.0);
        notes.push(Note { is_peak, span, loads });
        load
    }
}

impl Clone for Outlook {
    fn clone(&self) -> Self {
        Outlook { tracker: self.tracker.clone(), ladder: self.ladder.clone(), notes: Mutex::default() }
    }
}

impl std::ops::Deref for Outlook {
    type Target = Tracker;

    fn deref(&self) -> &Tracker {
        &self.tracker
    }
}
