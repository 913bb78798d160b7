//! A forecast as used by decisions: the tracker, and a cache of its answers.
//!
//! A decision is renewed several times between two samples, and a backtest evaluates many insurance settings at once.
//! The tracker's answer does not change in between, so it is asked once per span, for the whole distribution. The
//! cache is cleared with every new sample; it never changes an answer.

use std::sync::{Mutex, PoisonError};

use super::load_distribution::LoadDistribution;
use crate::forecast::{PeakCache, Rule, Tracker};
use crate::history::Series;
use crate::units::{Span, Time};

/// A forecast that has been updated up to an instant.
#[derive(Debug)]
pub struct CachedForecast {
    tracker: Tracker,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    spreads: Vec<Note>,
    rungs: PeakCache,
}

#[derive(Debug, Clone, Copy)]
struct Note {
    asked: Asked,
    span: Span,
    spread: LoadDistribution,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Load(Rule),
    Peak(Rule),
}

// === impl CachedForecast ===

impl CachedForecast {
    /// Wraps a tracker.
    pub fn new(tracker: Tracker) -> Self {
        CachedForecast { tracker, notes: Mutex::default() }
    }

    /// For a simulation, which asks often: see [`Tracker::remember`].
    pub(super) fn remember(&mut self) {
        self.tracker.remember();
    }

    /// The largest sample in the coming `window`, as predicted by `rule`.
    pub fn peak(&self, rule: Rule, window: Span) -> LoadDistribution {
        self.ask(Asked::Peak(rule), window)
    }

    /// The sample `horizon` ahead, as predicted by `rule`.
    pub fn load(&self, rule: Rule, horizon: Span) -> LoadDistribution {
        self.ask(Asked::Load(rule), horizon)
    }

    /// Folds in the samples up to `until`.
    pub(super) fn follow_to(&mut self, news: &Series, until: Time) {
        if until <= self.tracker.at() {
            return;
        }
        self.tracker.follow(news, until);
        *self.notes.get_mut().unwrap_or_else(PoisonError::into_inner) = Notes::default();
    }

    #[cfg(test)]
    pub(super) fn led_by(&mut self, rule: Rule) {
        self.tracker.led_by(rule);
        *self.notes.get_mut().unwrap_or_else(PoisonError::into_inner) = Notes::default();
    }

    fn ask(&self, asked: Asked, span: Span) -> LoadDistribution {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let Notes { spreads, rungs } = &mut *notes;
        if let Some(note) = spreads.iter().find(|note| note.asked == asked && note.span == span) {
            return note.spread;
        }
        let levels = LoadDistribution::levels();
        let loads = match asked {
            Asked::Load(rule) => self.tracker.quantiles_by(rule, span, &levels),
            Asked::Peak(rule) => self.tracker.peak_by(rule, span, &levels, rungs),
        };
        let spread = LoadDistribution::new(&loads);
        spreads.push(Note { asked, span, spread });
        spread
    }
}

impl Clone for CachedForecast {
    fn clone(&self) -> Self {
        CachedForecast { tracker: self.tracker.clone(), notes: Mutex::default() }
    }
}

impl std::ops::Deref for CachedForecast {
    type Target = Tracker;

    fn deref(&self) -> &Tracker {
        &self.tracker
    }
}
