//! What one replica carries: read and learned in the background at each point of the fit grid; nothing waits for it.
//!
//! The exporters are queried on a coarse grid once every six hours, and the data is not kept, so that thousands of
//! workloads that only get advice cost no memory. If the exporters have nothing for such a workload, they are queried
//! again a day later.

use std::sync::{Arc, Mutex, PoisonError};

use super::Workload;
use crate::decide::{Phase, SERVICE_STEP, carried, grid_point, service_window};
use crate::history::{Observations, Series, ServiceHistory, SignalHistory};
use crate::policy::CapacityMode;
use crate::serve::shared::Shared;
use crate::source::exporters::{ExportedMetric, Service, read_service};
use crate::units::{Span, Time};

/// When the exporters may be queried again.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<Look>);

#[derive(Debug, Default)]
struct Look {
    under_way: bool,
    not_before: Option<Time>,
}

/// After a failure.
const AGAIN: Span = Span::minutes(10);
/// If nothing was found and only advice depends on it.
const ABSENT: Span = Span::DAY;

impl Workload {
    /// Starts to learn what one replica carries, if that is due.
    pub(super) fn learn(self: &Arc<Self>, shared: &Arc<Shared>, observations: &Observations, at: Time) {
        let (Some(learning), Some(signal)) = (&self.policy.capacity, self.policy.signals.first()) else {
            return;
        };
        let Some(backend) = self.backends.first().filter(|backend| backend.knows_exporters()) else { return };
        let point = grid_point(at, Phase::OfSeries.of(signal));
        let load = observations.signals.first().and_then(|history| history.load.clone());
        // A server that has not read as far as the others waits until it has, so that it learns the same.
        let Some(load) = load.filter(|load| load.end().is_some_and(|end| end + signal.step.span() > point))
        else {
            return;
        };
        if !self.terms.borrow().lacks_capacity(&self.policy, point) || !self.looks.begin(at) {
            return;
        }
        let (here, everything, backend) = (Arc::downgrade(self), Arc::clone(shared), Arc::clone(backend));
        let (learning, window) = (learning.clone(), service_window(signal));
        shared.workers.spawn(async move {
            let _place = match learning.mode {
                // The semaphore is never closed.
                CapacityMode::Advise => everything.readers.acquire().await.ok(),
                CapacityMode::Auto => None,
            };
            let Some(workload) = here.upgrade() else { return };
            let ready = workload.policy.queries.replicas.as_deref();
            let until = (SERVICE_STEP, point - window, point);
            let read = read_service(backend.as_ref(), &workload.service(), &learning, ready, until).await;
            match read {
                Ok(service) => workload.learn_from(&everything, service, load, point, at),
                Err(error) => {
                    tracing::debug!(workload = %workload.id, %error, "what one replica carries cannot be learned now");
                    workload.looks.end(Some(at + AGAIN));
                }
            }
        });
    }

    fn learn_from(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        service: ServiceHistory,
        load: Arc<Series>,
        point: Time,
        at: Time,
    ) {
        let finds = service.cpu.is_some() || service.latency.is_some();
        let is_advised = self.policy.capacity.as_ref().is_some_and(|c| c.mode == CapacityMode::Advise);
        let again = (is_advised && !finds).then_some(at + ABSENT);
        let policy = Arc::clone(&self.policy);
        let mut observations = Observations::none(0, self.warm_by);
        observations.signals.push(SignalHistory { load: Some(load), ..SignalHistory::default() });
        observations.service = Some(Arc::new(service));
        let there = Arc::downgrade(self);
        shared.fitter.start(
            move || carried(&observations, &policy, point),
            move |learned| {
                let Some(workload) = there.upgrade() else { return };
                workload.looks.end(if learned.is_some() { again } else { Some(at + AGAIN) });
                if let Some(learned) = learned {
                    tracing::debug!(workload = %workload.id, %learned, "learned");
                    workload.terms.send_modify(|terms| terms.carry(learned));
                }
            },
        );
    }

    /// The query for the pod template that runs, if a decision depends on it.
    pub(super) fn template_query(&self) -> Option<String> {
        let counts = self.policy.capacity.as_ref().is_some_and(|c| c.mode == CapacityMode::Auto);
        let knows = self.backends.first().is_some_and(|backend| backend.knows_exporters());
        (counts && knows).then(|| self.service().asks(ExportedMetric::Template))?
    }

    fn service(&self) -> Service<'_> {
        let target = &self.policy.target;
        Service { namespace: self.id.namespace(), name: target.name_under(self.id.name()), kind: target.kind }
    }
}

// === impl Looks ===

impl Looks {
    /// Whether the exporters may be queried now; if so, that is in progress from then on.
    fn begin(&self, at: Time) -> bool {
        let mut look = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // No wait is longer than a day, unless the clock was set back since.
        let waits = look.not_before.is_some_and(|until| at < until && until.since(at) <= ABSENT);
        if look.under_way || waits {
            return false;
        }
        look.under_way = true;
        true
    }

    fn end(&self, not_before: Option<Time>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Look { under_way: false, not_before };
    }
}
