//! Forecasts shared by all workloads that learn the same: one fit, followed once.
//!
//! A forecast is a function of its series, calendar and masks, so that whoever comes first does the work of all and
//! nobody's answer depends on who that was.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::decide::{Forecast, Outlook};
use crate::history::Calendar;
use crate::source::feed::FeedKey;
use crate::units::{Span, Step, Time};

/// Everything a forecast is a function of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ForecastKey {
    /// The load, and the arrivals that are learnt in its place.
    pub series: (FeedKey, Option<String>),
    pub settle: Span,
    /// The grid of its fits.
    pub phase: Span,
    /// How far it is followed when the source fails.
    pub fresh: (Step, Span),
    /// What is not learned from, and what is added to the load.
    pub rejected: Option<String>,
    pub errors: Option<String>,
    pub masked: Vec<(Time, Time)>,
    pub calendar: Calendar,
}

/// All forecasts in use.
#[derive(Default)]
pub(super) struct Forecasts(Mutex<HashMap<ForecastKey, Weak<Common>>>);

/// One forecast and those who share it.
#[derive(Default)]
pub(super) struct Common {
    fitting: tokio::sync::Mutex<()>,
    latest: Mutex<Option<Latest>>,
}

/// The newest fit, followed as far as anybody has.
struct Latest {
    /// The grid point it was made for.
    point: Time,
    /// How far its history had been read.
    reached: Time,
    forecast: Forecast,
}

// === impl Forecasts ===

impl Forecasts {
    /// The one forecast of that key.
    pub(super) fn common(&self, key: ForecastKey) -> Arc<Common> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(common) = all.get(&key).and_then(Weak::upgrade) {
            return common;
        }
        let common = Arc::default();
        all.insert(key, Arc::downgrade(&common));
        common
    }

    /// Lets go of what nobody uses any more.
    pub(super) fn tidy(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, common| common.strong_count() > 0);
        all.shrink_to_fit();
    }
}

// === impl Common ===

impl Common {
    /// The fit of a grid point: a neighbour's, or made by `fit` while the neighbours wait.
    pub(super) async fn at<F>(&self, point: Time, reached: Time, fit: F) -> Option<Forecast>
    where
        F: Future<Output = Option<Forecast>>,
    {
        let _turn = self.fitting.lock().await;
        if let Some(known) = self.lock().as_ref().filter(|latest| latest.serves(point, reached)) {
            return Some(known.forecast.clone());
        }
        let forecast = fit.await?;
        let mut latest = self.lock();
        if latest.as_ref().is_none_or(|latest| latest.point <= point) {
            *latest = Some(Latest { point, reached, forecast: forecast.clone() });
        }
        Some(forecast)
    }

    /// Follows `mine` to `end`, from where the neighbour is who followed the same fit furthest.
    pub(super) fn follow(&self, mine: &mut Arc<Outlook>, end: Time, follow: &dyn Fn(&mut Arc<Outlook>)) {
        let mut latest = self.lock();
        match latest.as_mut() {
            Some(Latest { forecast: Ok(theirs), .. })
                if theirs.fitted_at() == mine.fitted_at() && theirs.at() <= end =>
            {
                if theirs.at() >= mine.at() {
                    *mine = Arc::clone(theirs);
                }
                follow(mine);
                *theirs = Arc::clone(mine);
            }
            _ => {
                drop(latest);
                follow(mine);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Latest>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Latest ===

impl Latest {
    /// Whether it is what a workload would fit that has read its history up to `reached`.
    fn serves(&self, point: Time, reached: Time) -> bool {
        // One that was followed beyond what this workload has seen is of no use to it.
        let is_seen = self.forecast.as_ref().map_or(true, |tracker| tracker.at() <= reached);
        self.point == point && is_seen && self.reached.min(point) == reached.min(point)
    }
}
