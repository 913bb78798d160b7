//! The last steps of a decision never turn more replicas into fewer.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::policy::{Keys, Sizes, Spare};
use crate::units::Step;

fn policy(pairs: &[(&str, String)]) -> Policy {
    let base = [("query", "load".to_owned()), ("threshold", "10".to_owned())];
    let values = base.iter().chain(pairs).map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    Policy::from_keys(&Keys { values, ..Keys::default() }).expect("a valid policy")
}

fn settled(policy: &Policy, running: Option<u32>, reactive: u32, forecast: u32, rest: Rest) -> Decision {
    let at = Time::from_epoch(1_790_985_600);
    let mut decision = blank(at, DegradationLevel::Fresh);
    for (contributor, count) in [(Contributor::Reactive, reactive), (Contributor::Forecast, forecast)] {
        let replicas = Replicas::new(count).expect("small");
        decision.needs.push(Need { contributor, replicas, counts: true });
    }
    decision.needs.push(Need {
        contributor: Contributor::Minimum,
        replicas: policy.limits.min,
        counts: true,
    });
    let mut seen = Observations::none(1, at);
    seen.replicas =
        running.map(|r| Arc::new(Series::from_values(at - Span::MINUTE, Step::MINUTE, [f64::from(r)])));
    settle(&mut decision, &seen, policy, policy.limits.max, rest);
    decision
}

proptest! {
    #[test]
    fn a_larger_need_is_never_a_smaller_answer(
        (low, more) in (0u32..60, 0u32..60),
        reactive in 0u32..60,
        running in proptest::option::of(0u32..60),
        (min, max, step) in (0u32..9, 1u32..70, 1u32..6),
        spare in prop_oneof![Just("0"), Just("3"), Just("34%")],
        tiers in proptest::option::of(Just("1,2,4,8,16,32")),
        tolerance in 0.0..0.5f64,
        (is_idle, awaits_load) in (any::<bool>(), any::<bool>()),
    ) {
        let counts = tiers.map_or(("replicaStep", step.to_string()), |t| ("replicaTiers", t.to_owned()));
        let min = if tiers.is_some() { 0 } else { min };
        let policy = policy(&[
            ("minReplicas", min.min(max).to_string()),
            ("maxReplicas", max.to_string()),
            counts,
            ("spareReplicas", spare.to_owned()),
            ("tolerance", format!("{tolerance:.3}")),
        ]);
        let rest = || Rest { is_idle, awaits_load };
        let by_forecast = |n: u32| settled(&policy, running, reactive, n, rest()).replicas;
        prop_assert!(by_forecast(low) <= by_forecast(low + more));
        let by_load = |n: u32| settled(&policy, running, n, low, rest()).replicas;
        prop_assert!(by_load(reactive) <= by_load(reactive + more));
        // A forecast that expects load, or one that no longer counts, does not lower or raise the answer wrongly
        // either.
        let expecting = settled(&policy, running, reactive, low, Rest { is_idle, awaits_load: true }).replicas;
        prop_assert!(expecting >= by_forecast(low));
        // Spare replicas are added within the limit, and with tiers the answer is one of them.
        let bare = Policy { spare: Spare::NONE, ..policy.clone() };
        let (with, without) = (by_load(reactive), settled(&bare, running, reactive, low, rest()).replicas);
        prop_assert!(with >= without && with <= policy.limits.max);
        prop_assert!((with == Replicas::ZERO) == (without == Replicas::ZERO));
        if let Sizes::Tiers(tiers) = &policy.sizes {
            prop_assert!(with == Replicas::ZERO || tiers.contains(&with), "{}", with);
        }
    }
}
