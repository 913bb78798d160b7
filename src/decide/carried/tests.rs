//! Which load per replica is used after a month of a service with known capacity.

use super::*;
use crate::history::SignalHistory;
use crate::policy::Keys;
use crate::units::Step;

/// Cores that one request per second costs, and cores that a replica requests: at 70 % it carries 70 requests a
/// second.
const COST: f64 = 0.01;
const REQUEST: f64 = 1.0;
const END: Time = Time::from_epoch(1_764_547_200);

fn policy(threshold: &str, more: &[(&str, &str)]) -> Policy {
    let keys = [("query", "load"), ("threshold", threshold)];
    let values = keys.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Policy::from_keys(&Keys { values, ..Keys::default() }).expect("valid")
}

/// 28 days before `end` of four replicas whose load varies over the day. A request costs `cost(at)` times the usual,
/// and `template(at)` runs.
fn seen(end: Time, cost: impl Fn(Time) -> f64, template: impl Fn(Time) -> Option<f64>) -> Observations {
    let begin = end - SERVICE_WINDOW;
    let step = Step::new(SERVICE_STEP).expect("a step");
    let slots = step.count_in(SERVICE_WINDOW) + 1;
    let each = |at: Time| 40.0 - 35.0 * (at.epoch() as f64 / 86_400.0 * std::f64::consts::TAU).cos();
    let noise = |at: Time| 1.0 + 0.04 * ((at.epoch() / 60 * 37 % 41) as f64 / 41.0 - 0.5);
    let series = |value: &dyn Fn(Time) -> f64| {
        Series::from_values(begin, step, (0..slots).map(|i| value(begin + step.times(i))))
    };
    let minutes = Step::MINUTE.count_in(SERVICE_WINDOW) + 1;
    let load = (0..minutes).map(|i| 4.0 * each(begin + Step::MINUTE.times(i)));
    let mut observations = Observations::none(0, begin);
    observations.signals.push(SignalHistory {
        load: Some(Series::from_values(begin, Step::MINUTE, load).into()),
        ..SignalHistory::default()
    });
    observations.template = template(end);
    observations.service = Some(Arc::new(ServiceHistory {
        ready: Some(series(&|_| 4.0)),
        cpu: Some(series(&|at| 4.0 * (0.02 + COST * cost(at) * each(at) * noise(at)))),
        request: Some(series(&|_| REQUEST)),
        template: Some(series(&|at| template(at).unwrap_or(f64::NAN))).filter(|s| s.observed() > 0),
        ..ServiceHistory::default()
    }));
    observations
}

fn used(observations: &Observations, policy: &Policy, at: Time) -> f64 {
    let carried = Arc::new(carried(observations, policy, at).expect("read"));
    let mode = policy.capacity.as_ref().expect("asked").mode;
    CapacityView::of(&carried, mode, observations.template, at + Span::minutes(10)).used.get()
}

#[test]
fn advice_counts_for_nothing_and_auto_for_what_was_learned() {
    let observations = seen(END, |_| 1.0, |_| Some(1.0));
    let advised = policy("50", &[]);
    let known = carried(&observations, &advised, END).expect("read");
    let found = known.verdict.known().expect("a line of CPU").carried.value;
    assert!((found - 68.0).abs() < 1.5, "(0.7 - 0.02) / 0.01: {found}");
    assert_eq!(used(&observations, &advised, END), 50.0);
    assert!((used(&observations, &policy("50", &[("capacity", "auto")]), END) - found).abs() < 0.5);
    // Limited to between half and twice the configured threshold.
    assert_eq!(used(&observations, &policy("20", &[("capacity", "auto")]), END), 40.0);
    assert_eq!(used(&observations, &policy("200", &[("capacity", "auto")]), END), 100.0);
    // A rollout that cannot be seen cannot be waited for.
    let blind = seen(END, |_| 1.0, |_| None);
    assert_eq!(used(&blind, &policy("50", &[("capacity", "auto")]), END), 50.0);
}

#[test]
fn nothing_read_is_nothing_and_nothing_found_is_told() {
    let auto = policy("50", &[("capacity", "auto")]);
    let mut observations = seen(END, |_| 1.0, |_| Some(1.0));
    observations.service = Some(Arc::new(ServiceHistory {
        missing: vec!["ready replicas: kube-state-metrics has them".to_owned()],
        ..ServiceHistory::default()
    }));
    let known = carried(&observations, &auto, END).expect("asked");
    assert_eq!(known.verdict, Verdict::CannotTell(vec![Why::NothingToLearnFrom]));
    assert!(known.to_string().contains("missing ready replicas: kube-state-metrics"), "{known}");
    assert_eq!(used(&observations, &auto, END), 50.0);
    observations.service = None;
    assert_eq!(carried(&observations, &auto, END), None);
    assert_eq!(carried(&seen(END, |_| 1.0, |_| None), &policy("50", &[("capacity", "off")]), END), None);
}

#[test]
fn three_digits_count_towards_more_replicas() {
    for (load, want) in
        [(99.999_999_999_97, 100.0), (68.017, 68.0), (0.041_69, 0.0416), (1_239.0, 1_230.0), (50.0, 50.0)]
    {
        assert!((rounded(load) / want - 1.0).abs() < 1e-9, "{load}: {}", rounded(load));
    }
}

#[test]
fn dearer_requests_count_at_once_and_cheaper_ones_in_steps() {
    let auto = policy("68", &[("capacity", "auto")]);
    let rollout = END - Span::days(2);
    let change = |before: f64, after: f64| move |at: Time| if at < rollout { before } else { after };
    let template = |at: Time| Some(if at < rollout { 1.0 } else { 2.0 });
    let dearer = used(&seen(END, change(1.0, 2.0), template), &auto, END);
    assert!((dearer - 34.0).abs() < 1.0, "{dearer}");
    let cheaper = seen(END, change(2.0, 1.0), template);
    let (mut before, mut first): (Option<f64>, Option<f64>) = (None, None);
    for hours in [36, 30, 24, 18, 12, 6, 0] {
        let count = used(&cheaper, &auto, END - Span::hours(hours));
        if let Some(before) = before {
            assert!(count <= 1.1 * before * 1.01, "{before} {count}");
        }
        (before, first) = (Some(count), first.or(Some(count)));
    }
    assert!(
        first.is_some_and(|first| first < 45.0) && before.is_some_and(|last| last > 60.0),
        "{first:?} {before:?}"
    );
}

#[test]
fn a_new_template_takes_a_step_towards_fewer_replicas_back() {
    let auto = policy("50", &[("capacity", "auto")]);
    let observations = seen(END, |_| 0.5, |_| Some(1.0));
    // Thirteen fits ago nothing was known: the newest value is still one step.
    let young = Observations {
        service: observations.service.as_deref().map(|service| {
            let ready = service.ready.as_ref().map(|ready| ready.window(END - Span::days(18), END));
            Arc::new(ServiceHistory { ready, ..service.clone() })
        }),
        ..observations
    };
    let at = END - Span::days(17);
    let carried = Arc::new(carried(&young, &auto, at).expect("read"));
    let of = |template, minutes| {
        let now = at + Span::minutes(minutes);
        CapacityView::of(&carried, CapacityMode::Auto, template, now).used.get()
    };
    let (before, after) = (of(Some(1.0), 1), of(Some(1.0), 6));
    assert!(after > before, "a step is due: {carried:?}");
    assert_eq!(of(Some(2.0), 6), before, "another template runs");
    assert_eq!(of(None, 6), before, "it cannot be seen any more");
}

#[test]
fn a_source_that_has_lost_its_history_lowers_nothing_at_once() {
    let auto = policy("68", &[("capacity", "auto")]);
    let dear = carried(&seen(END, |_| 2.0, |_| Some(1.0)), &auto, END).expect("read");
    let mut lost = seen(END, |_| 2.0, |_| Some(1.0));
    lost.service = Some(Arc::default());
    let next = carried(&lost, &auto, END + FIT_GRID).expect("asked");
    assert_eq!(next.pace.now, 68.0);
    let held = next.after(&dear);
    assert!(held.pace.now <= 1.1 * dear.pace.now, "{} {}", held.pace.now, dear.pace.now);
}
