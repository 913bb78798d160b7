//! Forecasts shared by all workloads that learn from the same data: fitted in the background, updated once.
//!
//! A forecast depends only on its series, calendar and masks. So the first workload does the work for all, and
//! nobody's answer depends on which one that was. A watch channel holds the forecast. A workload's loop passes in its
//! observations: new samples are folded in at once, which takes microseconds. A fit that is due is made in the
//! background, on the newest observations passed in, and published when it is done. Loops hold a forecast for one
//! turn only, so that it can be updated in place and is never copied.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::watch;

use super::fitter::{Errand, Fit, Fitter};
use crate::decide::{FitId, Followed, Forecast, usable_from};
use crate::history::{Calendar, Observations};
use crate::policy::Policy;
use crate::source::feed::FeedKey;
use crate::units::{Span, Step, Time};

/// Everything that a forecast depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ForecastKey {
    /// The load, and the arrivals that are learned instead.
    pub series: (FeedKey, Option<String>),
    pub settle: Span,
    /// How far the forecast is followed if the source fails.
    pub fresh: (Step, Span),
    /// What is added to the load, and what marks samples as not to be learned from: the series, with the age at which
    /// their samples count.
    pub rejected: Option<(FeedKey, Span)>,
    pub errors: Option<(FeedKey, Span)>,
    pub masked: Vec<(Time, Time)>,
    pub calendar: Calendar,
}

/// All forecasts in use.
#[derive(Default)]
pub(super) struct Forecasts(Mutex<HashMap<ForecastKey, Weak<SharedForecast>>>);

/// One forecast for all workloads that share it.
pub(super) struct SharedForecast {
    followed: watch::Sender<Followed>,
    fit: Errand<FitInput>,
}

/// What a workload has observed at an instant; only one signal is used.
#[derive(Debug, Clone)]
pub(super) struct FitInput {
    pub observations: Observations,
    pub policy: Arc<Policy>,
    pub signal: usize,
    pub at: Time,
}

/// The current state of a forecast.
pub(super) struct CurrentForecast {
    pub forecast: Option<Forecast>,
    /// Which fit is in use.
    pub fit: Option<FitId>,
    /// The newer fit, if one is due.
    pub late: Option<Late>,
}

/// A fit or a price that is due.
pub(super) struct Late {
    pub since: Time,
    /// Completes when it is published; `None` if it failed and is retried later.
    pub published: Option<Published>,
}

/// Completes when something is published.
pub(super) type Published = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

// === impl Forecasts ===

impl Forecasts {
    /// The shared forecast of that key, fitted on the grid with this phase.
    pub(super) fn common(&self, key: ForecastKey, phase: Span) -> Arc<SharedForecast> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(common) = all.get(&key).and_then(Weak::upgrade) {
            return common;
        }
        let followed = watch::Sender::new(Followed::new(phase));
        let common = Arc::new(SharedForecast { followed, fit: Errand::default() });
        all.insert(key, Arc::downgrade(&common));
        common
    }

    /// Drops the forecasts that no workload uses any more.
    pub(super) fn tidy(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, common| common.strong_count() > 0);
        all.shrink_to_fit();
    }
}

// === impl SharedForecast ===

impl SharedForecast {
    /// The forecast with the observations folded in, and the fit that is due; that fit is started.
    pub(super) fn follow(self: &Arc<Self>, seen: &FitInput, fitter: &Arc<Fitter>) -> CurrentForecast {
        let FitInput { observations, policy, signal, at } = seen;
        // Subscribes before looking, so that anything published from here on is noticed.
        let news = self.followed.subscribe();
        let (mut standing, mut due) = (CurrentForecast { forecast: None, fit: None, late: None }, None);
        self.followed.send_if_modified(|followed| {
            followed.follow(observations, policy, *signal);
            due = followed.due(observations, policy, *signal, *at);
            (standing.forecast, standing.fit) = (followed.forecast(), followed.id());
            // A further sample does not wake those who wait for a fit.
            false
        });
        standing.late = due.map(|point| {
            let begun = self.fit.hand_in(*at, seen.clone(), || self.begin(fitter));
            Late { since: usable_from(point), published: begun.then(|| published(news)) }
        });
        standing
    }

    /// The forecast as last updated.
    pub(super) fn newest(&self) -> CurrentForecast {
        let followed = self.followed.borrow();
        CurrentForecast { forecast: followed.forecast(), fit: followed.id(), late: None }
    }

    fn begin(self: &Arc<Self>, fitter: &Arc<Fitter>) {
        let (here, there, fit) = (Arc::downgrade(self), Arc::downgrade(self), Arc::clone(&fitter.fit));
        let work = move || {
            // When its turn has come, nobody may need it any more.
            let common = here.upgrade()?;
            common.made(&common.fit.take()?, &fit)
        };
        fitter.start(work, move |made| {
            let Some(common) = there.upgrade() else { return };
            common.fit.end(made.is_some());
            common.followed.send_modify(|followed| {
                if let Some(made) = made {
                    *followed = made;
                }
            });
        });
    }

    /// The fit that is due for these observations, with the newest of them folded in.
    fn made(&self, seen: &FitInput, fit: &Fit) -> Option<Followed> {
        let FitInput { observations, policy, signal, at } = seen;
        let (due, phase) = {
            let followed = self.followed.borrow();
            (followed.due(observations, policy, *signal, *at), followed.phase())
        };
        let point = due?;
        let forecast = fit(observations, policy, *signal, point)?;
        let mut made = Followed::new(phase);
        made.adopt(point, forecast, observations, policy, *signal);
        made.follow(observations, policy, *signal);
        Some(made)
    }
}

/// Completes at the next publication.
pub(super) fn published<T: Send + Sync + 'static>(mut news: watch::Receiver<T>) -> Published {
    Box::pin(async move {
        // The sender is dropped only together with the workload that waits.
        let _ = news.changed().await;
    })
}
