//! What one signal needs: for its load now, for its forecast, and for what follows.
//!
//! Samples that may be only part of the load, after a gap or during an outage, never lower a need. The schedule's
//! floor and ceiling, `maxReplicas` and the other signals are not considered here; `precedence` combines them.

use super::cached_forecast::CachedForecast;
use super::deadline::drain_of;
use super::decision::{Blind, DegradationLevel, ForecastView};
use super::insured::{Need, View, trust};
use super::prepared::SignalPlan;
use super::reason::Note;
use crate::forecast::{Rule, Trust};
use crate::history::{Measured, Observations, Reach, Refill, Sample, Series, SignalHistory};
use crate::plan::{Backlog, Insured, LeadWindow, STABILIZATION};
use crate::policy::{Drain, Limits, Mode, Policy, Signal};
use crate::units::{Quantile, Replicas, Span, Threshold, Time, exceeds};

/// What one signal needs, before limits, floors and ceilings.
pub(super) struct SignalNeed {
    pub rung: DegradationLevel,
    pub reactive: Replicas,
    /// What the forecast needs, and whether that counts.
    pub forecast: Option<(Replicas, bool)>,
    pub plan: Replicas,
    pub outage: Replicas,
    /// What was needed before a gap whose query has not refilled yet.
    pub before_gap: Replicas,
    /// Whether the previous answer must be kept too: samples are arriving again, but are not the whole load yet.
    pub refills: bool,
    /// Whether the load now allows the workload to go to zero.
    pub idle: bool,
    /// Whether the predicted load arrives too soon to go to zero.
    pub awaits: bool,
    pub load: f64,
    pub age: Span,
    pub view: Option<ForecastView>,
    pub notes: Vec<Note>,
}

/// All inputs for evaluating one signal.
pub(super) struct SignalInputs<'a> {
    pub observations: &'a Observations,
    pub policy: &'a Policy,
    pub history: &'a SignalHistory,
    pub signal: &'a Signal,
    /// The load per replica in use.
    pub threshold: Threshold,
    /// What its load usually is at this time of day.
    pub usual: Option<f64>,
    /// The signal's index.
    pub number: usize,
    pub factor: f64,
    pub lead: Span,
    /// How long a pod takes to start from zero.
    pub wake_lead: Span,
    pub now: Time,
}

/// What the signal needs; [`Blind`] if neither a load nor the last need is known.
pub(super) fn evaluate(question: &SignalInputs<'_>, plan: &SignalPlan) -> Result<SignalNeed, Blind> {
    let (policy, signal, now) = (question.policy, question.signal, question.now);
    let wants_forecast = question.wants_forecast();
    if now < question.observations.warm_by
        && let Some(missing) = question.missing(wants_forecast, plan)
    {
        return Err(Blind::Warming { missing: format!("{missing} of '{}'", short(&signal.query)) });
    }
    let present = question.history.present().ok_or_else(|| Blind::NoData {
        why: format!("'{}' returns no value and has no history", short(&signal.query)),
    })?;
    let age = now.since(present.at);
    let rung = question.rung(plan, age);
    // A plan is followed until its history is `maxStale` old, and then frozen.
    let until = now.min(present.at + policy.max_stale);
    let load = present.value + question.rejected_at(present.at);
    let gap = question.gap(present, rung)?;
    let mut need = SignalNeed {
        rung,
        reactive: question.reactive(load),
        forecast: None,
        plan: Replicas::ZERO,
        outage: Replicas::ZERO,
        before_gap: gap.map_or(Replicas::ZERO, |gap| question.needed_before(gap, present)),
        refills: gap.is_some_and(|gap| gap.had_samples() && !gap.is_chronic(present.at, policy.max_stale)),
        idle: question.is_idle_now(load, present),
        awaits: false,
        load,
        age,
        view: None,
        notes: question.notes(plan, rung, age),
    };
    if let Some(until) = gap.and_then(|gap| gap.until) {
        need.notes.push(Note::Refilling { until });
    }
    need.notes.extend(question.unusual(load));
    if let (true, SignalPlan::Ready { tracker, insured, .. }) = (wants_forecast, plan) {
        question.add_forecast(&mut need, tracker, *insured, until);
    }
    need.idle &= question.knows_arrivals();
    need.outage = question.outage(load, present, plan);
    Ok(need)
}

// === impl SignalInputs ===

impl SignalInputs<'_> {
    /// Whether a forecast is wanted: neither the policy nor the signal itself is reactive.
    fn wants_forecast(&self) -> bool {
        self.policy.mode != Mode::Reactive && self.signal.is_forecast
    }

    /// Whether this is an additional signal for which the source has never had a value. It cannot have asked for
    /// anything, so the other signals need not wait for it. A signal whose source fails, or has just started and may
    /// have lost its history, is unknown and not absent. A signal that had values keeps its last one.
    pub(super) fn is_absent(&self) -> bool {
        let is_read = self.history.load.is_some();
        let may_be_forgotten = self.observations.previous.is_none()
            && self.history.refill(Measured::Load, self.signal.reach(), self.now).is_some();
        self.number > 0 && is_read && self.history.present().is_none() && !may_be_forgotten
    }

    /// What a process that has just started still has to read or fit.
    fn missing(&self, wants_forecast: bool, plan: &SignalPlan) -> Option<&'static str> {
        if self.history.load.is_none() {
            Some("history")
        } else if !self.knows_arrivals() {
            Some("arrivals")
        } else if wants_forecast && matches!(plan, SignalPlan::Pending) {
            Some("forecast")
        } else {
            None
        }
    }

    /// False for a queue whose arrivals could not be read: then an empty queue says nothing about the next minute.
    fn knows_arrivals(&self) -> bool {
        self.signal.drain().is_none() || self.history.arrivals.is_some()
    }

    fn rung(&self, plan: &SignalPlan, age: Span) -> DegradationLevel {
        let signal = self.signal;
        // One settled sample on the poll grid, plus three failed polls that are tolerated.
        let fresh = match self.history.newest {
            Some(_) => signal.settle + Span::seconds(4 * signal.poll_step.as_seconds()),
            None => signal.settle + Span::seconds(2 * signal.step.as_seconds()),
        };
        if age > self.policy.max_stale.max(fresh) {
            DegradationLevel::Stale
        } else if age > fresh {
            DegradationLevel::Held
        } else if self.policy.mode != Mode::Reactive
            && (!self.signal.is_forecast || matches!(plan, SignalPlan::Ready { .. }))
        {
            DegradationLevel::Fresh
        } else {
            DegradationLevel::ReactiveOnly
        }
    }

    pub(super) fn replicas_for(&self, load: f64) -> Replicas {
        self.need().replicas(load)
    }

    fn need(&self) -> Need {
        Need { factor: self.factor, threshold: self.threshold, activation: self.signal.activation }
    }

    /// The most that the load of the last `span` needed. So many replicas ran recently, so they may be kept. Looking
    /// back as far as ahead bridges every dip that is too short to pay for a restart, and anticipates no rise.
    fn needed_lately(&self, span: Span) -> Replicas {
        if self.drain().is_some() {
            return Replicas::MAX;
        }
        let (Some(load), Some(present)) = (self.history.load.as_deref(), self.history.present()) else {
            return Replicas::ZERO;
        };
        self.replicas_for(load.largest(present.at - span, present.at).unwrap_or(0.0))
    }

    fn reactive(&self, load: f64) -> Replicas {
        let arrivals = self.history.arrivals.as_deref().and_then(Series::last).map_or(0.0, |(_, v)| v);
        self.reactive_to(load, arrivals)
    }

    fn reactive_to(&self, load: f64, arrivals: f64) -> Replicas {
        match self.drain() {
            Some((drain, service)) if exceeds(load, self.signal.activation) || arrivals > 0.0 => {
                let backlog = Backlog { depth: load * self.factor, arrivals: arrivals * self.factor };
                backlog.replicas(service, drain.within).max(Replicas::ONE)
            }
            _ => self.replicas_for(load),
        }
    }

    /// A note if the load is at least twice or at most half the usual, and the difference is at least two replicas.
    fn unusual(&self, load: f64) -> Option<Note> {
        const FAR: f64 = 2.0;
        let usual = self.usual?;
        let is_far = load >= FAR * usual || usual >= FAR * load;
        let apart = self.replicas_for(load).get().abs_diff(self.replicas_for(usual).get());
        (is_far && apart >= 2).then_some(Note::Unusual { load, usual })
    }

    fn drain(&self) -> Option<(&Drain, f64)> {
        drain_of(self.observations, self.history, self.signal, self.now)
    }

    /// The gap that the present value is in, or the last gap if the query has not refilled since.
    fn gap(&self, present: Sample, rung: DegradationLevel) -> Result<Option<Refill>, Blind> {
        let history = self.history;
        // Arrivals are known only from their series, which ends before the newest depth.
        let arrivals = history.arrivals.as_deref().filter(|_| self.signal.drain().is_some());
        let arrived = arrivals.and_then(Series::last).map_or(present.at, |(at, _)| at);
        let gap = [
            history.refill(Measured::Load, self.signal.reach(), present.at),
            arrivals.and_then(|_| history.refill(Measured::Arrivals, self.signal.learned_reach(), arrived)),
        ];
        let unread = self.unread_arrivals(present);
        let gap = gap.into_iter().flatten().chain(unread).reduce(Refill::with);
        let is_away = matches!(rung, DegradationLevel::Held | DegradationLevel::Stale);
        let away = Refill { since: Some(present.at), returned: None, until: None };
        match gap.or(is_away.then_some(away)) {
            // A source that has just started may report any part of the load, and a queue's depth says nothing about
            // arrivals.
            Some(Refill { since, until: Some(_), .. })
                if self.observations.previous.is_none() && (since.is_none() || unread.is_some()) =>
            {
                Err(Blind::NoData {
                    why: format!(
                        "'{}' has not refilled since its data source came back or started",
                        short(&self.signal.query)
                    ),
                })
            }
            gap => Ok(gap),
        }
    }

    /// After a gap the arrivals are queried again later than the depth. Until they are read, an empty queue says
    /// nothing.
    fn unread_arrivals(&self, present: Sample) -> Option<Refill> {
        /// Slightly more than the longest wait between two failed queries.
        const ASKED_AGAIN: Span = Span::MINUTE;
        let until = self.history.interrupted.filter(|_| !self.knows_arrivals())?.until?;
        let until = until + self.signal.learned_reach().refill() + ASKED_AGAIN;
        (present.at < until).then_some(Refill { since: None, returned: None, until: Some(until) })
    }

    /// The most that was needed just before a gap and since.
    fn needed_before(&self, gap: Refill, present: Sample) -> Replicas {
        let most = |series: Option<&Series>, reach: Reach, rejects: bool| {
            let from = gap.looks_from(reach, present.at, self.policy.max_stale);
            let Some(lately) = series.map(|series| series.window(from, present.at)) else { return 0.0 };
            let rejected = |i| if rejects { self.rejected_at(lately.time(i)) } else { 0.0 };
            (0..lately.len()).filter_map(|i| Some(lately.get(i)? + rejected(i))).fold(0.0, f64::max)
        };
        let load = most(self.history.load.as_deref(), self.signal.reach(), true);
        self.reactive_to(load, most(self.history.arrivals.as_deref(), self.signal.learned_reach(), false))
    }

    fn rejected_at(&self, at: Time) -> f64 {
        let rejected = self.observations.rejected_of(self.number);
        rejected.and_then(|r| r.get(r.slot_before(at)?)).unwrap_or(0.0)
    }

    /// Adds the needs of the forecast and of the plan that follows from it.
    fn add_forecast(&self, need: &mut SignalNeed, tracker: &CachedForecast, insured: Insured, until: Time) {
        let quantile = insured.quantile();
        let trust = trust(tracker, self.lead, insured);
        let predicts = trust.rule != Rule::Reactive;
        // A target for time under-provisioned applies even if no rule predicts: then the load now is insured by its
        // usual changes.
        let counts = predicts || matches!(insured, Insured::Penalty(_)) && self.drain().is_none();
        let rule = if counts { trust.rule } else { Rule::Forecast };
        let view = View { tracker, step: self.signal.step, until, rule };
        let drained = |quantile: Quantile| {
            let (drain, service) = self.drain()?;
            let arrivals = view.arrivals(drain.within, quantile) * self.factor;
            Some(Backlog { depth: need.load * self.factor, arrivals }.replicas(service, drain.within))
        };
        let asked =
            |length: Span| drained(quantile).unwrap_or_else(|| view.need(length, insured, self.need()));
        let base = LeadWindow::new(self.lead);
        let Limits { min, .. } = self.policy.limits;
        let (window, likely) = match insured {
            Insured::Quantile(_) => (base.with_ramp(min, asked(base.length())), Quantile::MEDIAN),
            // A penalty insures one instant, not the way there: including the ramp of a rare climb would distort all
            // other instants.
            Insured::Penalty(_) => (base, Quantile::LIKELY),
        };
        let forecast = asked(window.length());
        let pays = window.restart();
        let again = drained(likely).unwrap_or_else(|| self.need().expected(view.peak(pays).at(likely)));
        let lately = self.needed_lately(pays).max(need.reactive);
        let soon = match self.drain() {
            Some(_) => Replicas::ZERO,
            None => self.asked_before_news(&view, window, insured, lately),
        };
        let again = again.min(lately).max(soon);
        let shown = view.peak(window.length());
        need.view = Some(ForecastView {
            window: window.length(),
            quantile,
            load: shown.at(quantile),
            published: Quantile::PUBLISHED.map(|q| shown.at(q)),
            fitted_at: tracker.fitted_at(),
            trust,
        });
        if trust.rule != Rule::Forecast {
            let Trust { rule, ratio, .. } = trust;
            need.notes.push(if counts {
                Note::PlainRule { rule, ratio }
            } else {
                Note::Distrusted { ratio }
            });
        }
        need.forecast = Some((forecast, counts));
        if predicts {
            need.plan = again;
            // It matters only where nothing else keeps the workload awake.
            need.awaits = need.idle && {
                let soon = view.peak(self.policy.zero.wake_ahead.unwrap_or(self.wake_lead));
                self.need().expected(soon.at(quantile)) > Replicas::ZERO
            };
        }
    }

    /// What this forecast will ask for until the next sample is read, as long as the HPA would still hold the
    /// replicas. Between two samples the window moves on while the forecast stays the same. A replica released in
    /// between would be needed again without any new information; with a long step this would happen at every sample.
    /// The result is at most what was needed recently plus the same margin over the likely need, so no rise is
    /// anticipated.
    fn asked_before_news(
        &self,
        view: &View<'_>,
        window: LeadWindow,
        insured: Insured,
        lately: Replicas,
    ) -> Replicas {
        let news = view.tracker.at() + self.signal.step.span() + self.signal.settle;
        let wait = news.since(view.until).clamp(Span::ZERO, STABILIZATION);
        let (length, need) = (window.length() + wait, self.need());
        let likely = need.expected(view.load(length).at(Quantile::MEDIAN));
        let asked = view.need(length, insured, need);
        let margin = asked.get().saturating_sub(likely.get());
        asked.min(Replicas::covering(f64::from(lately.get()) + f64::from(margin)))
    }

    fn notes(&self, plan: &SignalPlan, rung: DegradationLevel, age: Span) -> Vec<Note> {
        let mut notes = Vec::new();
        if matches!(rung, DegradationLevel::Held | DegradationLevel::Stale) {
            notes.push(Note::Stale { age });
        }
        if !self.wants_forecast() {
            return notes;
        }
        match plan {
            SignalPlan::Ready { tracker, .. } => {
                let quality = tracker.quality();
                let covers = Span::seconds((quality.days * 86_400.0) as i64);
                if covers + Span::DAY <= self.signal.window {
                    notes.push(Note::HistoryShort { covers, asked: self.signal.window });
                }
                let samples = tracker.ignored();
                if samples > 0 {
                    notes.push(Note::Ignored { samples });
                }
            }
            SignalPlan::Unfit(error) => notes.push(Note::NoForecast { why: error.to_string() }),
            SignalPlan::Pending => {
                let is_read = self.history.load.is_some() && self.knows_arrivals();
                let why = if is_read { "the first fit is not made yet" } else { "no history could be read" };
                notes.push(Note::NoForecast { why: why.to_owned() });
            }
        }
        notes
    }
}

/// The start of a query, enough to recognize it.
fn short(query: &str) -> String {
    const ENOUGH: usize = 60;
    let cut = query.char_indices().nth(ENOUGH).map_or(query.len(), |(end, _)| end);
    let mark = if cut < query.len() { "…" } else { "" };
    format!("{}{mark}", query.get(..cut).unwrap_or(query))
}

#[cfg(test)]
mod tests;
