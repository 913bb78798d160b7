//! The observed lead time: how long pods took from creation to readiness.
//!
//! Starts from zero are kept separate: they wait for a node, an image or a cold cache, and would make every other
//! decision look too far ahead. New starts replace old ones, so a slower image is noticed and reported within its
//! first rollout.

use crate::history::{LeadSample, Series};
use crate::units::{Span, Time};

/// What the observed starts show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learned {
    /// The 90th percentile of the newest starts while other pods were running.
    pub lead: Span,
    /// The same for starts from zero, if enough were seen.
    pub from_zero: Option<Span>,
    /// The lead time learned before, if the newest starts took markedly longer.
    pub grown_from: Option<Span>,
}

/// The number of newest starts that count: a rollout of a typical Deployment and the starts shortly before it.
const NEWEST: usize = 40;
/// A 90th percentile needs at least this many starts.
const LEAST: usize = 10;
/// Starts from zero are rare; five mornings are enough to plan the sixth.
const LEAST_FROM_ZERO: usize = 5;
/// Growth is reported if it is more than a quarter and more than one sync of the HPA.
const GROWN: (f64, f64) = (1.25, 15.0);
/// A pod that took longer was broken, not starting; its readiness came from a repair.
const LONGEST: f64 = 3_600.0;

/// What the starts show; `None` below ten starts while other pods were running.
pub fn learned_lead(samples: &[LeadSample]) -> Option<Learned> {
    let of = |from_zero: bool| -> Vec<f64> {
        let sound = |s: &&LeadSample| (0.0..=LONGEST).contains(&s.seconds) && s.from_zero == from_zero;
        samples.iter().filter(sound).map(|s| s.seconds).collect()
    };
    let (warm, cold) = (of(false), of(true));
    let (earlier, newest) = warm.split_at(warm.len().saturating_sub(NEWEST));
    let lead = ninetieth(newest, LEAST)?;
    let grown_from =
        ninetieth(earlier, LEAST).filter(|&before| lead > before * GROWN.0 && lead > before + GROWN.1);
    let cold = cold.split_at(cold.len().saturating_sub(NEWEST)).1;
    let span = |seconds: f64| Span::seconds(seconds.ceil() as i64);
    Some(Learned {
        lead: span(lead),
        from_zero: ninetieth(cold, LEAST_FROM_ZERO).map(span),
        grown_from: grown_from.map(span),
    })
}

/// Reads the starts from a series whose value is how long the latest pods took to start: each change of its value is
/// a start. `ready` counts ready pods; a start is from zero if none was ready one step before its pod was created.
pub fn starts(lately: &Series, ready: Option<&Series>) -> Vec<LeadSample> {
    let mut before: Option<f64> = None;
    let mut found = Vec::new();
    for i in 0..lately.len() {
        let value = lately.get(i);
        if let Some(seconds) = value.filter(|v| before != Some(*v)) {
            let at = lately.time(i);
            let created = at - Span::seconds(seconds.ceil() as i64) - lately.step().span();
            found.push(LeadSample { at, seconds, from_zero: ready.is_some_and(|r| none_ready(r, created)) });
        }
        before = value;
    }
    found
}

fn none_ready(ready: &Series, at: Time) -> bool {
    at >= ready.start() && ready.slot_before(at).and_then(|i| ready.get(i)).unwrap_or(0.0) < 1.0
}

/// The 90th percentile; `None` below `least` values.
fn ninetieth(values: &[f64], least: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * 9).div_ceil(10).checked_sub(1)?;
    sorted.get(rank).copied().filter(|_| sorted.len() >= least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Step;

    fn seen(seconds: impl IntoIterator<Item = f64>, from_zero: bool) -> Vec<LeadSample> {
        let sample = |(i, seconds)| LeadSample { at: Time::from_epoch(i * 60), seconds, from_zero };
        (0i64..).zip(seconds).map(sample).collect()
    }

    #[test]
    fn the_learned_lead_is_the_ninetieth_percentile() {
        let samples = seen((1..=20).map(f64::from), false);
        let lead = learned_lead(&samples).map(|l| l.lead);
        assert_eq!(lead, Some(Span::seconds(18)));
        assert_eq!(learned_lead(&samples[..9]), None);
        assert_eq!(learned_lead(&seen([f64::NAN; 30], false)), None);
    }

    #[test]
    fn starts_from_zero_are_learned_apart_and_growth_is_told() {
        let mut samples = seen([30.0; 50], false);
        samples.extend(seen([90.0; 5], true));
        samples.extend(seen([60.0; 40], false));
        let learned = learned_lead(&samples).expect("enough");
        assert_eq!(learned.lead, Span::seconds(60));
        assert_eq!(learned.from_zero, Some(Span::seconds(90)));
        assert_eq!(learned.grown_from, Some(Span::seconds(30)));
    }

    #[test]
    fn every_change_of_the_value_is_a_start() {
        let at = |m: i64| Time::from_epoch(m * 60);
        let gap = f64::NAN;
        let lately = Series::from_values(at(0), Step::MINUTE, [gap, 40.0, 40.0, 50.0, gap, 50.0]);
        let ready = Series::from_values(at(-5), Step::MINUTE, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        let found = starts(&lately, Some(&ready));
        let told: Vec<_> = found.iter().map(|s| (s.at, s.seconds, s.from_zero)).collect();
        assert_eq!(told, [(at(1), 40.0, true), (at(3), 50.0, false), (at(5), 50.0, false)]);
    }
}
