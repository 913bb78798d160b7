//! Forecasts shared by all workloads that learn the same: fitted in the background, followed once.
//!
//! A forecast is a function of its series, calendar and masks, so that whoever comes first does the work of all and
//! nobody's answer depends on who that was. One follower owns it, inside a watch channel. A workload's loop hands in
//! what it has observed: new samples are folded in at once, which takes microseconds; a fit that is due is made apart,
//! on the newest that was handed in, and published when it is done. Loops hold a forecast for one turn only, so that
//! it is followed in place and never copied.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::watch;

use super::fitter::{Errand, Fit, Fitter};
use crate::decide::{FitId, Followed, Forecast, usable_from};
use crate::history::{Calendar, Observations};
use crate::policy::Policy;
use crate::source::feed::FeedKey;
use crate::units::{Span, Step, Time};

/// Everything a forecast is a function of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ForecastKey {
    /// The load, and the arrivals that are learnt in its place.
    pub series: (FeedKey, Option<String>),
    pub settle: Span,
    /// How far it is followed when the source fails.
    pub fresh: (Step, Span),
    /// What is added to the load and what is not learned from: the series, with the age at which their samples count.
    pub rejected: Option<(FeedKey, Span)>,
    pub errors: Option<(FeedKey, Span)>,
    pub masked: Vec<(Time, Time)>,
    pub calendar: Calendar,
}

/// All forecasts in use.
#[derive(Default)]
pub(super) struct Forecasts(Mutex<HashMap<ForecastKey, Weak<SharedForecast>>>);

/// One forecast, for all who share it.
pub(super) struct SharedForecast {
    followed: watch::Sender<Followed>,
    fit: Errand<FitInput>,
}

/// What a workload has observed at an instant, of which one signal counts.
#[derive(Debug, Clone)]
pub(super) struct FitInput {
    pub observations: Observations,
    pub policy: Arc<Policy>,
    pub signal: usize,
    pub at: Time,
}

/// A forecast as it stands.
pub(super) struct CurrentForecast {
    pub forecast: Option<Forecast>,
    /// Which fit it is.
    pub fit: Option<FitId>,
    /// The newer fit that is due.
    pub late: Option<Late>,
}

/// A fit, or a price, that is due.
pub(super) struct Late {
    pub since: Time,
    /// Tells when it is published; `None` where it failed and is tried again later.
    pub published: Option<Published>,
}

/// Ends when something is published.
pub(super) type Published = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

// === impl Forecasts ===

impl Forecasts {
    /// The one forecast of that key, fitted on the grid of this phase.
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

    /// Lets go of what nobody uses any more.
    pub(super) fn tidy(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, common| common.strong_count() > 0);
        all.shrink_to_fit();
    }
}

// === impl SharedForecast ===

impl SharedForecast {
    /// The forecast followed to what was seen, and what is due instead of it, which is begun.
    pub(super) fn follow(self: &Arc<Self>, seen: &FitInput, fitter: &Arc<Fitter>) -> CurrentForecast {
        let FitInput { observations, policy, signal, at } = seen;
        // Before it is looked at: what is published from here on is news.
        let news = self.followed.subscribe();
        let (mut standing, mut due) = (CurrentForecast { forecast: None, fit: None, late: None }, None);
        self.followed.send_if_modified(|followed| {
            followed.follow(observations, policy, *signal);
            due = followed.due(observations, policy, *signal, *at);
            (standing.forecast, standing.fit) = (followed.forecast(), followed.id());
            // A further sample is no news to those who wait for a fit.
            false
        });
        standing.late = due.map(|point| {
            let begun = self.fit.hand_in(*at, seen.clone(), || self.begin(fitter));
            Late { since: usable_from(point), published: begun.then(|| published(news)) }
        });
        standing
    }

    /// The forecast as it was followed last.
    pub(super) fn newest(&self) -> CurrentForecast {
        let followed = self.followed.borrow();
        CurrentForecast { forecast: followed.forecast(), fit: followed.id(), late: None }
    }

    fn begin(self: &Arc<Self>, fitter: &Arc<Fitter>) {
        let (here, there, fit) = (Arc::downgrade(self), Arc::downgrade(self), Arc::clone(&fitter.fit));
        let work = move || {
            // Nobody may want it any more once its turn has come.
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

    /// The fit that is due for what was seen, followed as far.
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

/// Ends with the next news.
pub(super) fn published<T: Send + Sync + 'static>(mut news: watch::Receiver<T>) -> Published {
    Box::pin(async move {
        // Who publishes is gone only with the workload that waits.
        let _ = news.changed().await;
    })
}
