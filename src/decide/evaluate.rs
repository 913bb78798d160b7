//! What one signal asks for: by its load now, by its forecast, by what comes after.

use super::decision::{Blind, ForecastView, Note, Rung};
use super::outlook::Outlook;
use super::prepared::SignalPlan;
use crate::forecast::TrustState;
use crate::history::{Observations, Sample, Series, SignalHistory};
use crate::plan::{self, Backlog, LeadWindow, OUTAGE_ERROR_SHARE};
use crate::policy::{Drain, Limits, Mode, Policy, ServiceRate, Signal, SignalKind};
use crate::units::{Quantile, Replicas, Span, Time};

/// What one signal asks for. Limits, floors and ceilings are not applied yet.
pub(super) struct SignalNeed {
    pub rung: Rung,
    pub reactive: Replicas,
    /// What the forecast asks for, and whether it counts.
    pub forecast: Option<(Replicas, bool)>,
    pub plan: Replicas,
    pub outage: Replicas,
    /// Whether this signal lets the workload go to zero.
    pub idle: bool,
    pub load: f64,
    pub age: Span,
    pub view: Option<ForecastView>,
    pub notes: Vec<Note>,
}

/// The question, with everything it is asked of.
pub(super) struct Question<'a> {
    pub observations: &'a Observations,
    pub policy: &'a Policy,
    pub history: &'a SignalHistory,
    pub signal: &'a Signal,
    /// The first signal is the one that rejected demand belongs to.
    pub is_first: bool,
    pub factor: f64,
    pub lead: Span,
    /// How long a pod takes from zero.
    pub wake_lead: Span,
    pub now: Time,
}

/// The HPA's default scale-down stabilisation: a replica is not let go sooner, so wanting it again within that
/// time and the time a new one takes to start saves nothing.
const STABILIZATION: Span = Span::minutes(5);
/// Load below this share of the forecast's median, with errors, is an outage.
const COLLAPSED: f64 = 0.5;
/// How far back the load before an outage is looked for.
const BEFORE_OUTAGE: Span = Span::minutes(30);

/// Answers the question; blind where neither a load nor the last need is known.
pub(super) fn evaluate(question: &Question<'_>, plan: &SignalPlan) -> Result<SignalNeed, Blind> {
    let (policy, signal, now) = (question.policy, question.signal, question.now);
    let wants_forecast = policy.mode != Mode::Reactive;
    if question.history.load.is_none() && now < question.observations.warm_by {
        return Err(Blind::Warming { missing: format!("history of '{}'", short(&signal.query)) });
    }
    if wants_forecast && question.history.load.is_some() && matches!(plan, SignalPlan::Pending) {
        return Err(Blind::Warming { missing: format!("forecast of '{}'", short(&signal.query)) });
    }
    let present = question.history.present().ok_or_else(|| Blind::NoData {
        why: format!("'{}' yields no value and has no history", short(&signal.query)),
    })?;
    let age = now.since(present.at);
    let rung = question.rung(plan, age);
    // A plan is followed until its history is `maxStale` old, and from then on held as it was.
    let until = now.min(present.at + policy.max_stale);
    let load = present.value + question.rejected_at(present.at);
    let mut need = SignalNeed {
        rung,
        reactive: question.reactive(load),
        forecast: None,
        plan: Replicas::ZERO,
        outage: Replicas::ZERO,
        idle: question.is_idle_now(load, present),
        load,
        age,
        view: None,
        notes: question.notes(plan, rung, age),
    };
    if let (true, SignalPlan::Ready { tracker, quantile }) = (wants_forecast, plan) {
        question.add_forecast(&mut need, tracker, *quantile, until);
    }
    need.outage = question.outage(load, present, plan);
    Ok(need)
}

// === impl Question ===

impl Question<'_> {
    fn rung(&self, plan: &SignalPlan, age: Span) -> Rung {
        let signal = self.signal;
        // A settled sample of the poll grid, and three polls that may fail before it counts as trouble.
        let fresh = match self.history.newest {
            Some(_) => signal.settle + Span::seconds(4 * signal.poll_step.as_seconds()),
            None => signal.settle + Span::seconds(2 * signal.step.as_seconds()),
        };
        if age > self.policy.max_stale.max(fresh) {
            Rung::Stale
        } else if age > fresh {
            Rung::Held
        } else if self.policy.mode != Mode::Reactive && matches!(plan, SignalPlan::Ready { .. }) {
            Rung::Fresh
        } else {
            Rung::ReactiveOnly
        }
    }

    fn replicas_for(&self, load: f64) -> Replicas {
        plan::replicas_for(load, self.factor, self.signal.threshold, self.signal.activation)
    }

    fn reactive(&self, load: f64) -> Replicas {
        let arrivals = self.history.arrivals.as_deref().and_then(Series::last).map_or(0.0, |(_, v)| v);
        match self.drain() {
            Some((drain, service)) if load > self.signal.activation || arrivals > 0.0 => {
                let backlog = Backlog { depth: load * self.factor, arrivals: arrivals * self.factor };
                backlog.replicas(service, drain.within).max(Replicas::ONE)
            }
            _ => self.replicas_for(load),
        }
    }

    /// The deadline of a queue with the work that one replica does per second, where both are known.
    fn drain(&self) -> Option<(&Drain, f64)> {
        let SignalKind::Queue(Some(drain)) = &self.signal.kind else { return None };
        let service = match &drain.service {
            ServiceRate::Given(rate) => Some(*rate),
            ServiceRate::Measured(_) => plan::service_rate(
                self.history.completions.as_deref()?,
                self.observations.replicas.as_deref()?,
                self.history.load.as_deref()?,
                self.now,
            ),
        };
        service.map(|service| (drain, service))
    }

    fn rejected_at(&self, at: Time) -> f64 {
        let rejected = self.observations.rejected.as_deref().filter(|_| self.is_first);
        rejected.and_then(|r| r.get(r.slot_before(at)?)).unwrap_or(0.0)
    }

    /// Adds what the forecast, and the plan behind it, ask for.
    fn add_forecast(&self, need: &mut SignalNeed, tracker: &Outlook, quantile: Quantile, until: Time) {
        use super::knobs::knob;
        let trust = tracker.trust_in(LeadWindow::new(self.lead).length(), quantile);
        let trusted = trust.state != TrustState::Distrusted || knob("K_TRUST", 0.0) > 0.0;
        if !trusted {
            need.notes.push(Note::Distrusted);
        }
        let floor = knob("K_FLOOR", 0.0) > 0.0;
        let ahead = |length: Span| {
            let step = self.signal.step;
            let far = (until + length).since(tracker.at());
            if floor { step.times(step.count_in(far)) } else { step.times(step.cover(far).max(1)) }
        };
        let point = knob("K_POINT", 0.0) > 0.0;
        let price = knob("K_PRICE", 0.0);
        let spread = |span: Span| if point { tracker.load(span) } else { tracker.peak(span) };
        let insured = |spread: super::spread::Spread, q: Quantile| {
            if price <= 0.0 {
                return self.replicas_for(spread.at(q));
            }
            let worth = price * (1.0 - q.get()).powf(-knob("K_POW", 1.0));
            let mut s = self.replicas_for(spread.at(Quantile::MEDIAN)).get();
            let most = self.replicas_for(spread.at(Quantile::new(0.99999).unwrap_or(q))).get();
            let cost = |s: u32| f64::from(s) + worth * spread.above(f64::from(s) * self.signal.threshold.get() / self.factor);
            let mut best = (cost(s), s);
            while s < most {
                s += 1;
                let c = cost(s);
                if c < best.0 {
                    best = (c, s);
                }
            }
            Replicas::covering(f64::from(best.1))
        };
        let asked = |span: Span, quantile: Quantile| match self.drain() {
            Some((drain, service)) => self.drain_need(need.load, tracker, quantile, drain, service),
            None if span <= Span::ZERO => self.replicas_for(need.load),
            None => insured(spread(span), quantile),
        };
        let base = LeadWindow::new(self.lead);
        let Limits { min, .. } = self.policy.limits;
        let window = if knob("K_RAMP", 1.0) > 0.0 { base.with_ramp(min, asked(ahead(base.length()), quantile)) } else { base };
        let span = ahead(window.length() + Span::seconds(knob("K_MORE", 0.0) as i64));
        let mut forecast = asked(span, quantile);
        if knob("K_ALSO", 0.0) > 0.0 {
            forecast = forecast.max(asked(ahead(window.length() + Span::seconds(knob("K_ALSO", 0.0) as i64)), quantile));
        }
        let aq = knob("K_AGAIN", 0.5);
        let again = if aq > 0.0 {
            let more = Span::seconds(knob("K_AGAINSPAN", 480.0) as i64);
            self.replicas_for(tracker.peak(ahead(window.length() + more).max(self.signal.step.span())).at(Quantile::new(aq).unwrap_or(quantile)))
        } else { Replicas::ZERO };
        let wake = ahead(self.policy.zero.wake_ahead.unwrap_or(self.wake_lead)).max(self.signal.step.span());
        let expected = tracker.peak(wake).at(quantile);
        let shown = tracker.peak(span.max(self.signal.step.span()));
        need.view = Some(ForecastView {
            window: window.length(),
            quantile,
            load: shown.at(quantile),
            published: Quantile::PUBLISHED.map(|q| shown.at(q)),
            fitted_at: tracker.fitted_at(),
            trust: trust.state.as_str(),
        });
        let tk = knob("K_TRUST", 0.0);
        if tk > 1.0 && trust.state == TrustState::Distrusted {
            let cap = Replicas::covering(f64::from(need.reactive.max(min).max(Replicas::ONE).get()) * tk);
            forecast = forecast.min(cap);
        }
        need.forecast = Some((forecast, trusted));
        if trusted {
            let running = self.observations.replicas.as_deref().and_then(Series::last).map_or(0.0, |(_, v)| v);
            let again = if knob("K_HOLD", 0.0) > 0.0 { again.min(Replicas::covering(running)) } else { again };
            need.plan = again;
            need.idle &= expected * self.factor <= self.signal.activation;
        }
    }

    /// Replicas that drain the backlog and the forecast arrivals by the deadline.
    fn drain_need(
        &self,
        depth: f64,
        tracker: &Outlook,
        quantile: Quantile,
        drain: &Drain,
        service: f64,
    ) -> Replicas {
        /// Points of the deadline at which the forecast is read; its mean is what arrives.
        const POINTS: usize = 4;
        let step = self.signal.step;
        let steps = step.cover(drain.within).max(1);
        let total: f64 =
            (1..=POINTS).map(|k| tracker.load(step.times((steps * k).div_ceil(POINTS))).at(quantile)).sum();
        let backlog = Backlog { depth: depth * self.factor, arrivals: total / POINTS as f64 * self.factor };
        backlog.replicas(service, drain.within)
    }

    /// Capacity to hold while errors say that the load is low for want of service, not of demand.
    fn outage(&self, load: f64, present: Sample, plan: &SignalPlan) -> Replicas {
        let errors = self.observations.errors.as_deref();
        let share = errors.and_then(|e| e.get(e.slot_before(present.at)?)).unwrap_or(0.0);
        if share < OUTAGE_ERROR_SHARE {
            return Replicas::ZERO;
        }
        let before = self.history.load.as_deref().map_or(0.0, |load| {
            load.window(self.now - BEFORE_OUTAGE, self.now).values().into_iter().fold(0.0, f64::max)
        });
        let expected = match plan {
            SignalPlan::Ready { tracker, .. } if !matches!(self.signal.kind, SignalKind::Queue(Some(_))) => {
                tracker.load(self.signal.step.span()).at(Quantile::MEDIAN)
            }
            _ => before,
        };
        if load >= COLLAPSED * expected.max(before) {
            return Replicas::ZERO;
        }
        self.replicas_for(expected.max(before))
    }

    /// No load now, none for the idle time, nothing in flight.
    fn is_idle_now(&self, load: f64, present: Sample) -> bool {
        let quiet = |value: f64| value * self.factor <= self.signal.activation;
        let in_flight = self.observations.in_flight.is_some_and(|s| s.value > 0.0);
        let arrivals = self.history.arrivals.as_deref().and_then(Series::last).map_or(0.0, |(_, v)| v);
        let after = self.policy.zero.after;
        let was_quiet = after == Span::ZERO
            || self.history.load.as_deref().is_some_and(|series| {
                let recent = series.window(present.at - after, present.at);
                recent.start() <= present.at - after + self.signal.step.span()
                    && recent.values().into_iter().all(|v| v.is_nan() || quiet(v))
            });
        quiet(load) && arrivals == 0.0 && !in_flight && was_quiet
    }

    fn notes(&self, plan: &SignalPlan, rung: Rung, age: Span) -> Vec<Note> {
        let mut notes = Vec::new();
        if matches!(rung, Rung::Held | Rung::Stale) {
            notes.push(Note::Stale { age });
        }
        if self.policy.mode == Mode::Reactive {
            return notes;
        }
        match plan {
            SignalPlan::Ready { tracker, .. } => {
                let quality = tracker.quality();
                let covers = Span::seconds((quality.days * 86_400.0) as i64);
                if covers + Span::DAY <= self.signal.window {
                    notes.push(Note::HistoryShort { covers, asked: self.signal.window });
                }
            }
            SignalPlan::Unfit(error) => notes.push(Note::NoForecast { why: error.to_string() }),
            SignalPlan::Pending => {
                notes.push(Note::NoForecast { why: "no history could be read".to_owned() })
            }
        }
        notes
    }
}

/// Enough of a query to recognise it.
fn short(query: &str) -> String {
    query.chars().take(60).collect()
}
