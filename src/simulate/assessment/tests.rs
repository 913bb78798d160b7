//! Tests of the assessment: loads of known kinds, and the verdict on each.

use super::*;
use crate::policy::Policy;
use crate::simulate::{Target, TwinConfig};
use crate::source::Catalogue;
use crate::units::{Dice, Span, Step, Threshold, Time};

/// A Monday, 00:00 UTC.
const MONDAY: Time = Time::from_epoch(1_767_571_200);
const DAYS: usize = 15;

/// Assesses a load in minutes at a threshold of 10, with `ran` replicas all the time.
fn judged(
    load: impl Fn(usize, f64) -> f64,
    busy: Option<BusyHours>,
    clock: f64,
    min: u32,
    ran: Option<f64>,
) -> Assessment {
    let mut dice = Dice::new(5);
    let values: Vec<f64> = (0..DAYS * 1_440).map(|i| load(i, dice.normal()).max(0.0)).collect();
    let series = Series::from_values(MONDAY, Step::MINUTE, values);
    let keys = [("query", "up"), ("threshold", "10"), ("maxReplicas", "60")];
    let mut keys: std::collections::HashMap<String, String> =
        keys.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    keys.insert("minReplicas".to_owned(), min.to_string());
    let policy = Policy::from_keys(&Catalogue::default().keys(&keys)).expect("valid");
    let load = Load::of(&series);
    let mut target =
        Target { twin: TwinConfig::of(&policy), ..Target::new(Threshold::new(10.0).expect("valid")) };
    target.from = Some(MONDAY + Span::days(DAYS as i64 / 3));
    let ran = ran.map(|count| Series::from_values(MONDAY, Step::MINUTE, vec![count; DAYS * 1_440]));
    let subject = Subject {
        load: &load,
        target: &target,
        policy: &policy,
        busy,
        clock,
        ran: ran.as_ref(),
        min_replicas: min,
    };
    assess(&subject).expect("a valid cluster").0
}

fn hour(i: usize) -> f64 {
    (i % 1_440) as f64 / 60.0
}

#[test]
fn steep_daily_waves_want_a_forecast() {
    // From 30 to 330 within ten minutes, down again after 40, every two hours: no schedule of busy hours covers it.
    let wave = |i: usize, noise: f64| {
        let minute = (i % 120) as f64;
        30.0 + 300.0 * (minute / 10.0).min(1.0).min(((60.0 - minute) / 10.0).clamp(0.0, 1.0)) + 3.0 * noise
    };
    let found = judged(wave, None, 0.9, 1, Some(28.0));
    assert_eq!(found.verdict, Verdict::Predictive, "{found:?}");
    assert!(found.saving_percent.is_some_and(|saving| saving > 20.0), "{found:?}");
}

#[test]
fn office_hours_want_a_schedule_and_a_flat_load_nothing() {
    let office =
        |i: usize, noise: f64| if (9.0..17.0).contains(&hour(i)) { 300.0 } else { 25.0 } + 2.0 * noise;
    let busy = BusyHours { start: 9, end: 17, weekends_too: true, load: 298.0 };
    let found = judged(office, Some(busy), 0.95, 1, None);
    assert_eq!(found.verdict, Verdict::Schedule, "{found:?}");
    assert!(found.saving_percent.is_none(), "what ran is not known");
    let found = judged(|_, noise| 200.0 + 2.0 * noise, None, 0.0, 1, None);
    assert_eq!(found.verdict, Verdict::Reactive, "{found:?}");
}

#[test]
fn a_floor_far_above_the_need_is_named() {
    let found = judged(|_, noise| 60.0 + noise, None, 0.0, 20, Some(20.0));
    assert_eq!(found.verdict, Verdict::OverProvisioned, "{found:?}");
    assert!(matches!(found.finding, Finding::Floor { min_replicas: 20, usual: 7, .. }), "{found:?}");
    assert!(found.saving_percent.is_some_and(|saving| saving > 60.0), "{found:?}");
}

#[test]
fn a_saving_is_never_told_at_less_safety() {
    // As many replicas as the load ever needs run all the time, and nothing can predict its bursts. Any other scaling
    // is short for longer, so no saving can be reported.
    let bursts =
        |i: usize, noise: f64| 100.0 + if i.is_multiple_of(977) { 450.0 * noise.abs().min(1.0) } else { 0.0 };
    let found = judged(bursts, None, 0.0, 1, Some(60.0));
    assert_eq!(found.ran.map(|ran| ran.short_percent), Some(0.0), "{found:?}");
    assert!(found.reactive.short_percent > 0.0 && found.saving_percent.is_none(), "{found:?}");
}

#[test]
fn far_too_much_is_too_much_at_every_load() {
    // Bursts at fixed times. What the peak needs is kept all day, four times the mean; a forecast saves that.
    let bursts = |i: usize, noise: f64| if i % 120 < 20 { 300.0 } else { 30.0 } + noise;
    let at_the_peak = judged(bursts, None, 0.95, 1, Some(31.0));
    assert!(at_the_peak.ran.is_some_and(|ran| ran.replica_hours > 3.0 * 24.0 * at_the_peak.days * 7.0));
    assert_ne!(at_the_peak.verdict, Verdict::OverProvisioned, "{at_the_peak:?}");
    let twice_the_peak = judged(bursts, None, 0.95, 1, Some(60.0));
    assert_eq!(twice_the_peak.verdict, Verdict::OverProvisioned, "{twice_the_peak:?}");
    assert!(
        matches!(twice_the_peak.finding, Finding::RanMore { ratio } if ratio > 5.0),
        "{twice_the_peak:?}"
    );
}

#[test]
fn the_figures_beside_a_saving_are_as_safe_as_what_ran() {
    let wave = |i: usize, noise: f64| {
        let minute = (i % 120) as f64;
        30.0 + 300.0 * (minute / 10.0).min(1.0).min(((60.0 - minute) / 10.0).clamp(0.0, 1.0)) + 3.0 * noise
    };
    // Enough except for the top of each wave.
    let found = judged(wave, None, 0.9, 1, Some(33.0));
    let (ran, saving) = (found.ran.expect("known"), found.saving_percent.expect("told"));
    assert!(
        found.level <= ran.short_percent.min(1.0) && found.predictive.short_percent <= found.level,
        "{found:?}"
    );
    let told = 100.0 * (1.0 - found.predictive.replica_hours / ran.replica_hours);
    assert!((told - saving).abs() < 1e-6, "{found:?}");
}
