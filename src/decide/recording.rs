//! A workload's recorded series, as they were known at an instant.
//!
//! It replays what the server learns from its data source: samples count once they have settled, instant values lie
//! on the poll grid, nothing is read while the source is down, and a new process does not know what an earlier one
//! knew. Replays, `explain` and the scenario suite use it. Nothing after the instant is visible.

use std::sync::Arc;

use super::fits::grid_point;
use super::phase::Phase;
use crate::history::{Interruption, LeadSample, Observations, Sample, Series, ServiceHistory, SignalHistory};
use crate::policy::{Policy, Signal};
use crate::units::{Span, Step, Time};

/// Recorded series, each constant from one sample to the next.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    /// Load, arrivals and completions of each signal, in the policy's order.
    pub signals: Vec<SignalTraces>,
    /// Replicas that ran.
    pub replicas: Option<Series>,
    /// Share of requests that failed.
    pub errors: Option<Series>,
    /// Load turned away.
    pub rejected: Option<Series>,
    /// Work in flight.
    pub in_flight: Option<Series>,
    /// Observed pod starts, in the order the pods became ready.
    pub leads: Vec<LeadSample>,
    /// What exporters report about its replicas, to learn from what one carries.
    pub service: Option<Arc<ServiceHistory>>,
}

/// What was recorded for one signal.
#[derive(Debug, Clone, Default)]
pub struct SignalTraces {
    /// The load.
    pub load: Option<Series>,
    /// Arrivals per second.
    pub arrivals: Option<Series>,
    /// Completions per second.
    pub completions: Option<Series>,
}

/// What limits the reader's view of the recording.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// Spans `[from, to)` in which the source does not answer.
    pub down: Vec<(Time, Time)>,
    /// Spans `[from, to)` in which it answers instant queries only.
    pub unread: Vec<(Time, Time)>,
    /// Spans `[from, to)` in which its clock is off, and by how much.
    pub skewed: Vec<(Time, Time, Span)>,
    /// How long a new process waits for a history before it answers without one.
    pub grace: Span,
}

/// Traces on the grids that a policy asks for.
#[derive(Debug, Clone)]
pub struct Recording {
    raw: Traces,
    gridded: Traces,
    circumstances: Circumstances,
}

/// How far back replicas, errors and rejections are read.
pub const CONTEXT_WINDOW: Span = Span::days(7);

// === impl Recording ===

impl Recording {
    /// The traces as `policy` reads them.
    pub fn new(policy: &Policy, raw: Traces, circumstances: Circumstances) -> Self {
        let mut gridded = raw.clone();
        for (signal, traces) in policy.signals.iter().zip(&mut gridded.signals) {
            for series in [&mut traces.load, &mut traces.arrivals, &mut traces.completions] {
                *series = series.take().map(|s| on_grid(s, signal.step));
            }
        }
        let step = policy.signals.first().map_or(Step::MINUTE, |s| s.step);
        for series in [&mut gridded.replicas, &mut gridded.errors, &mut gridded.rejected] {
            *series = series.take().map(|s| on_grid(s, step));
        }
        Recording { raw, gridded, circumstances }
    }

    /// What a process started at `begun`, with fit grids shifted by `phase`, knows at `now`.
    pub fn known_at(&self, policy: &Policy, phase: impl Into<Phase>, begun: Time, now: Time) -> Observations {
        let phase = phase.into();
        let mut seen = Observations::none(0, begun + self.circumstances.grace);
        for (i, signal) in policy.signals.iter().enumerate() {
            let (Some(raw), Some(gridded)) = (self.raw.signals.get(i), self.gridded.signals.get(i)) else {
                continue;
            };
            seen.signals.push(self.signal_at(signal, raw, gridded, phase.of(signal), begun, now));
        }
        let skews = self.circumstances.skewed.iter().filter(|s| s.0 <= now && now < s.1).map(|s| s.2);
        seen.clock_skew = skews.max().unwrap_or(Span::ZERO);
        let Some(first) = policy.signals.first() else { return seen };
        seen.in_flight = self.newest(self.raw.in_flight.as_ref(), first.poll_step, begun, now);
        seen.service.clone_from(&self.raw.service);
        let template = seen.service.as_ref().and_then(|service| service.template.as_ref());
        seen.template = template.and_then(|series| series.latest(now));
        let Some(read) = self.last_read(first.poll_step, begun, now) else { return seen };
        let context = |series: &Option<Series>| known(series.as_ref()?, first, now - CONTEXT_WINDOW, read);
        seen.replicas = context(&self.gridded.replicas);
        seen.errors = context(&self.gridded.errors);
        seen.rejected = context(&self.gridded.rejected);
        let leads = self.raw.leads.iter().filter(|l| l.at <= read - first.settle);
        seen.lead_samples = Arc::new(leads.copied().collect());
        seen
    }

    fn signal_at(
        &self,
        signal: &Signal,
        raw: &SignalTraces,
        gridded: &SignalTraces,
        phase: Span,
        begun: Time,
        now: Time,
    ) -> SignalHistory {
        let newest = self.newest(raw.load.as_ref(), signal.poll_step, begun, now);
        let interrupted = self.interrupted(signal, begun, now);
        let Some(read) = self.last_read(signal.poll_step, begun, now) else {
            return SignalHistory { newest, interrupted, ..SignalHistory::default() };
        };
        let from = grid_point(now, phase) - signal.window;
        let series = |series: &Option<Series>| known(series.as_ref()?, signal, from, read);
        SignalHistory {
            load: series(&gridded.load).or_else(|| Some(Arc::new(Series::new(from, signal.step)))),
            newest,
            arrivals: series(&gridded.arrivals),
            completions: series(&gridded.completions),
            interrupted,
            ..SignalHistory::default()
        }
    }

    /// The last failed query of the process.
    fn interrupted(&self, signal: &Signal, begun: Time, now: Time) -> Option<Interruption> {
        let grid = signal.poll_step.span();
        let next = |at: Time| (at + grid - Span::seconds(1)).floor_to(grid, Span::ZERO);
        let mut last: Option<Interruption> = None;
        for &(from, to) in &self.circumstances.down {
            let (failed, back) = (next(from.max(begun)), next(to));
            if failed > now || failed >= to {
                continue;
            }
            let answered = Some(failed - grid).filter(|at| *at >= begun);
            let gap = Interruption::begun(answered, last, failed, signal.reach());
            last = Some(if back <= now { gap.ended(back) } else { gap });
        }
        last
    }

    /// The last grid instant, since the process started, at which the source answered a range query.
    fn last_read(&self, grid: Step, begun: Time, now: Time) -> Option<Time> {
        self.last_outside(&[&self.circumstances.down, &self.circumstances.unread], grid, begun, now)
    }

    /// The same for instant queries.
    fn last_answer(&self, grid: Step, begun: Time, now: Time) -> Option<Time> {
        self.last_outside(&[&self.circumstances.down], grid, begun, now)
    }

    fn last_outside(&self, spans: &[&Vec<(Time, Time)>], grid: Step, begun: Time, now: Time) -> Option<Time> {
        let mut at = now.floor_to(grid.span(), Span::ZERO);
        let inside = |at: Time| spans.iter().copied().flatten().find(|(a, b)| *a <= at && at < *b);
        while let Some((from, _)) = inside(at) {
            at = (*from - Span::seconds(1)).floor_to(grid.span(), Span::ZERO);
        }
        (at >= begun.floor_to(grid.span(), Span::ZERO)).then_some(at)
    }

    /// The newest instant value that the process has seen.
    fn newest(&self, series: Option<&Series>, grid: Step, begun: Time, now: Time) -> Option<Sample> {
        /// Older instant values never matter: by then the settled history is newer.
        const FURTHEST: usize = 240;
        let series = series?;
        let mut at = self.last_answer(grid, begun, now)?;
        for _ in 0..FURTHEST {
            if let Some(value) = value_at(series, at) {
                return Some(Sample { at, value });
            }
            at = self.last_answer(grid, begun, at - grid.span())?;
        }
        None
    }
}

/// The part after `from` that had settled when it was read.
fn known(series: &Series, signal: &Signal, from: Time, read: Time) -> Option<Arc<Series>> {
    let settled = (read - signal.settle).floor_to(signal.step.span(), Span::ZERO);
    Some(Arc::new(series.window(from, settled)))
}

/// The value at an instant; a sample applies for one step of its series.
fn value_at(series: &Series, at: Time) -> Option<f64> {
    let slot = series.slot_before(at)?;
    series.get(slot).filter(|_| at < series.time(slot) + series.step().span())
}

/// The series on another grid, whose instants are multiples of `step`.
fn on_grid(series: Series, step: Step) -> Series {
    let first = series.start().floor_to(step.span(), Span::ZERO);
    if series.step() == step && first == series.start() {
        return series;
    }
    let first = if first < series.start() { first + step.span() } else { first };
    let end = series.end().map_or(first, |end| end + series.step().span());
    let count = step.cover(end.since(first));
    let values: Vec<f64> =
        (0..count).map(|i| value_at(&series, first + step.times(i)).unwrap_or(f64::NAN)).collect();
    Series::from_values(first, step, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Keys;

    fn minutes(m: i64) -> Time {
        Time::from_epoch(m * 60)
    }

    fn policy() -> Policy {
        let values = [("query", "load"), ("threshold", "10")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        Policy::from_keys(&Keys { values: values.into(), ..Keys::default() }).expect("valid")
    }

    fn recording(circumstances: Circumstances) -> Recording {
        let load = Series::from_values(minutes(0), Step::MINUTE, (0..600).map(f64::from));
        let traces = Traces {
            signals: vec![SignalTraces { load: Some(load), ..SignalTraces::default() }],
            ..Traces::default()
        };
        Recording::new(&policy(), traces, circumstances)
    }

    fn seen(recording: &Recording, begun: Time, now: Time) -> (Option<(Time, f64)>, Option<Sample>) {
        let seen = recording.known_at(&policy(), Span::ZERO, begun, now);
        let history = &seen.signals[0];
        (history.load.as_ref().and_then(|l| l.last()), history.newest)
    }

    #[test]
    fn samples_settle_and_instants_lie_on_the_poll_grid() {
        let recording = recording(Circumstances::default());
        let at = minutes(100) + Span::seconds(20);
        let newest = Sample { at: minutes(100) + Span::seconds(15), value: 100.0 };
        assert_eq!(seen(&recording, minutes(0), at), (Some((minutes(99), 99.0)), Some(newest)));
    }

    #[test]
    fn nothing_is_read_while_the_source_is_down_and_a_new_process_knows_nothing() {
        let down = vec![(minutes(100), minutes(110))];
        let recording = recording(Circumstances { down, ..Circumstances::default() });
        let before = minutes(100) - Span::seconds(15);
        let newest = Sample { at: before, value: 99.0 };
        assert_eq!(seen(&recording, minutes(0), minutes(105)), (Some((minutes(99), 99.0)), Some(newest)));
        assert_eq!(seen(&recording, minutes(104), minutes(105)), (None, None));
        let after = seen(&recording, minutes(104), minutes(110)).1.map(|s| s.value);
        assert_eq!(after, Some(110.0));
    }
}
