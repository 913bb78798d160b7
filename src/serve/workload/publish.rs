//! Publishes an answer: to the state that KEDA's calls read, to the metrics and to the ledger.
//!
//! A new warm-up never replaces a decision, and nothing here changes the number of replicas.

use std::sync::Arc;

use super::{Carried, Workload};
use crate::decide::{Blind, Contributor, Decision, Need, Note, Prepared, SignalPlan, State};
use crate::history::{Observations, Series};
use crate::policy::Mode;
use crate::serve::shared::Shared;
use crate::simulate::{Ledger, TwinConfig};
use crate::units::{Replicas, Span, Time};

/// Seconds per hour.
const HOUR: f64 = 3_600.0;
/// Characters of a cause to show: enough for a server's message about a query, but not for a proxy's error page.
const CAUSE: usize = 200;

impl Workload {
    /// Publishes an answer.
    pub(super) fn publish(
        &self,
        shared: &Shared,
        carried: &mut Carried,
        prepared: &Prepared,
        observations: &Observations,
        answer: Result<Decision, Blind>,
        at: Time,
    ) {
        let before = carried.previous;
        carried.previous = answer.as_ref().map_or(before, |decision| Some(decision.replicas));
        match answer {
            Ok(decision) => {
                shared.metrics.decided(&self.id, &decision, before.map(Replicas::get));
                self.judge(shared, carried, prepared, observations, &decision, at);
                if before != Some(decision.replicas) {
                    let (replicas, reason) = (decision.replicas.get(), decision.reason.as_str());
                    tracing::info!(workload = %self.id, replicas, reason, "decided");
                }
                self.tell_absent(&decision);
                drop(self.state.send_replace(Ok(Arc::new(decision))));
            }
            Err(blind) => {
                let blind = self.with_cause(shared, blind);
                // A decision is not replaced by a new warm-up.
                let keeps = |state: &State| state.is_ok() && matches!(blind, Blind::Warming { .. });
                self.state.send_if_modified(|state| {
                    if keeps(state) || *state == Err(blind.clone()) {
                        return false;
                    }
                    match &blind {
                        // Every workload starts like this.
                        Blind::Warming { .. } => tracing::debug!(workload = %self.id, %blind, "no decision"),
                        Blind::NoData { .. } => tracing::warn!(workload = %self.id, %blind, "no decision"),
                    }
                    *state = Err(blind.clone());
                    true
                });
            }
        }
    }

    /// Logs signals without data, once per change.
    fn tell_absent(&self, decision: &Decision) {
        let before = self.state.borrow().as_ref().ok().cloned();
        let is_told = |note: &Note| before.as_ref().is_some_and(|before| before.notes.contains(note));
        for note in decision.notes.iter().filter(|note| !is_told(note)) {
            let Note::SignalAbsent { number } = note else { continue };
            let signal = number.checked_sub(1).and_then(|i| self.policy.signals.get(i));
            let query = signal.map_or("", |signal| signal.query.as_str());
            tracing::warn!(workload = %self.id, query, "{note}");
        }
    }

    /// What is missing, with the reason if a query for it failed.
    fn with_cause(&self, shared: &Shared, blind: Blind) -> Blind {
        let signals = self.policy.signals.iter().zip(&self.backends);
        let mut asked =
            signals.flat_map(|(signal, backend)| signal.queries().map(move |query| (backend, query)));
        let trouble = asked.find_map(|(backend, query)| shared.hub.trouble(backend.as_ref(), query));
        let with = |text: String, trouble: &str| {
            format!("{text}: {}", trouble.chars().take(CAUSE).collect::<String>())
        };
        match (blind, trouble) {
            (Blind::Warming { missing }, Some(why)) => Blind::Warming { missing: with(missing, &why) },
            (Blind::NoData { why: what }, Some(why)) => Blind::NoData { why: with(what, &why) },
            (blind, None) => blind,
        }
    }

    /// Publishes forecast accuracy, the ledger and scaling lag.
    fn judge(
        &self,
        shared: &Shared,
        carried: &mut Carried,
        prepared: &Prepared,
        observations: &Observations,
        decision: &Decision,
        at: Time,
    ) {
        let plans = prepared.signals.iter().zip(&observations.signals);
        for (plan, history) in plans.take(1) {
            if let SignalPlan::Ready { tracker, .. } = plan {
                let points = history.load.as_deref().map_or(0, Series::observed);
                let decided = decision.forecast.as_ref().map(|view| view.trust);
                let trust = decided.or_else(|| prepared.trust(&self.policy));
                let ignored = tracker.ignored();
                shared.metrics.judged(&self.id, trust.as_ref(), &tracker.accuracy(), points, ignored);
            }
        }
        let running = observations.replicas.as_deref().and_then(Series::last).map(|(_, running)| running);
        self.enter(shared, &mut carried.ledger, running, decision, at);
        let Some(running) = running else { return };
        if running < f64::from(decision.replicas.get()) {
            carried.short_since.get_or_insert(at);
        } else if let Some(since) = carried.short_since.take() {
            shared.metrics.lagged(&self.id, at.since(since).as_seconds() as f64);
        }
    }

    /// Adds a decision to the ledger: the effects of the answer with the forecast and of the reactive one. After a
    /// long silence the ledger starts again.
    fn enter(
        &self,
        shared: &Shared,
        ledger: &mut Option<Ledger>,
        running: Option<f64>,
        decision: &Decision,
        at: Time,
    ) {
        const SILENCE: Span = Span::HOUR;
        if self.policy.signals.is_empty() {
            return;
        }
        let counts = |need: &&Need| need.contributor.is_reactive();
        let reactive = match self.policy.mode {
            Mode::Predictive => decision.needs.iter().filter(counts).map(|n| n.replicas).max(),
            Mode::Shadow | Mode::Reactive => None,
        };
        // At most the answer itself: the ceilings are the same for both.
        let reactive = reactive.map_or(decision.replicas, |need| need.min(decision.replicas));
        if ledger.as_ref().is_none_or(|ledger| ledger.at() + SILENCE < at) {
            let running = running.map_or(decision.replicas.get(), |r| Replicas::covering(r).get());
            *ledger = Ledger::new(&TwinConfig::of(&self.policy), running, at).ok();
        }
        if let Some(ledger) = ledger {
            let demand = decision.need(Contributor::Reactive).map_or(0, Replicas::get);
            let before = ledger.at();
            let balance = ledger.decided(at, decision.predictive.get(), reactive.get(), demand);
            shared.metrics.entered(&self.id, &balance);
            self.worth.send_modify(|worth| {
                let sum = worth.get_or_insert_default();
                sum.saved += balance.saved() / HOUR;
                sum.avoided += (balance.reactive.short - balance.predictive.short) / HOUR;
                sum.hours += at.since(before).as_seconds().max(0) as f64 / HOUR;
            });
        }
    }
}
