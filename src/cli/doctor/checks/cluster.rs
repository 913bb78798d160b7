//! The links behind the answer: the HPA, the pods that follow it, limits and cost.

use super::super::facts::Facts;
use super::super::finding::{Finding, fail, ok, skipped, warn};
use super::{answer, last, note, row};
use crate::draw::number;
use crate::units::{Span, Time};

/// The HPA acts within its sync of 15 s and KEDA's poll; five minutes of difference are no accident.
const SETTLED: Span = Span::minutes(5);
/// Longer than this a new pod should not take, unless its lead time says so.
const FOLLOWED: Span = Span::minutes(10);
/// Two changes of direction within so long make a reversal.
const REVERSAL: Span = Span::minutes(10);
/// More reversals an hour than this are flapping.
const REVERSALS: f64 = 3.0;
/// Running over asked for, from which on pods are spare.
const SPARE: f64 = 1.3;
/// Answered over needed by the load, mean of a day, from which on it is worth a look, and too much.
const COST: (f64, f64) = (1.5, 3.0);

pub(super) fn hpa_metric(facts: &Facts) -> Finding {
    let hpa = &facts.names.hpa;
    if facts.hpa.is_none() {
        return skipped(format!("kube-state-metrics tells of no HPA {hpa}; name it by --hpa"));
    }
    if facts.hpa_active == Some(0.0) {
        return fail(
            "ScalingActive is not true",
            "an HPA that can compute its metrics",
            format!("kubectl describe hpa {hpa}: its events name the metric that fails"),
        );
    }
    match facts.hpa_metric {
        Some(target) => ok(format!("it does, with target {}", number(target))),
        None => fail(
            format!("{hpa} has no metric of ours"),
            "a metric sN-forescale (or the trigger's metricName)",
            "kubectl get scaledobject -o yaml: is the trigger there? Is the KEDA metrics server well (kubectl get \
             apiservice v1beta1.external.metrics.k8s.io)?",
        ),
    }
}

pub(super) fn hpa_scales(facts: &Facts) -> Finding {
    let (Some(answer), Some(desired)) = (answer(facts), &facts.desired) else {
        return skipped("the answer or the HPA's wish is not seen");
    };
    // The smallest difference of the last minutes: what is just changing is no trouble.
    let lately: Vec<f64> = last(desired, facts.now - SETTLED).collect();
    let most = lately.iter().copied().fold(f64::MIN, f64::max);
    if lately.is_empty() || most >= answer {
        return ok(format!("the HPA wants {}, we answer {}", number(most.max(0.0)), number(answer)));
    }
    let limit = facts.hpa_max.filter(|max| *max <= most);
    fail(
        format!("the HPA wants {} for {SETTLED} while {} are answered", number(most), number(answer)),
        "the HPA wants at least the answer",
        match limit {
            Some(max) => format!("its maxReplicas is {}: raise maxReplicaCount of the ScaledObject", number(max)),
            None => "behavior.scaleUp may be too slow, its tolerance may swallow the change (set it to 0), or the \
                     ScaledObject is paused: kubectl describe hpa"
                .to_owned(),
        },
    )
}

pub(super) fn replicas_follow(facts: &Facts) -> Finding {
    let (Some(desired), Some(ready)) = (&facts.desired, &facts.ready) else {
        return skipped(
            "kube-state-metrics does not tell of the HPA and the Deployment; name it by --deployment",
        );
    };
    let mut since: Option<Time> = None;
    let mut longest = (Span::ZERO, 0.0);
    let mut behind = 0.0;
    for i in 0..desired.len() {
        let at = desired.time(i);
        let Some(wanted) = desired.get(i) else { continue };
        let has = ready.slot_before(at).and_then(|slot| ready.get(slot)).unwrap_or(0.0);
        behind = wanted - has;
        if behind > 0.0 {
            let span = at.since(*since.get_or_insert(at));
            if span > longest.0 {
                longest = (span, behind);
            }
        } else {
            since = None;
        }
    }
    if longest.0 <= FOLLOWED {
        return ok(format!("at most {} behind", longest.0));
    }
    let found = format!("fewer pods ready than wanted for {}", longest.0);
    let expected = format!("as many as wanted within {FOLLOWED}");
    let advice = "what keeps a pod from being ready: no node (see pending_pods), the image's download, a slow start or a \
                  failing readiness probe (kubectl describe pod)? Set leadTime to what it takes, or to `auto`";
    if behind > 0.0 { fail(found, expected, advice) } else { warn(found, expected, advice) }
}

pub(super) fn pending_pods(facts: &Facts) -> Finding {
    match facts.pending {
        None => {
            skipped("kube-state-metrics tells of no pods of this name; name the Deployment by --deployment")
        }
        Some(0.0) => ok("none"),
        Some(count) => fail(
            format!("{} pods are pending", number(count)),
            "none",
            "kubectl describe pod: too little CPU or memory in the cluster, a quota, or a volume? Let the cluster \
             autoscaler add nodes, lower the requests, or lower maxReplicas to what the nodes hold",
        ),
    }
}

pub(super) fn flapping(facts: &Facts) -> Finding {
    let Some(desired) = &facts.desired else { return skipped("the HPA's wish is not seen") };
    let mut turns = 0u32;
    let mut before: Option<(Time, bool)> = None;
    let values: Vec<(Time, f64)> =
        (0..desired.len()).filter_map(|i| Some((desired.time(i), desired.get(i)?))).collect();
    for pair in values.windows(2) {
        let &[(_, a), (at, b)] = pair else { continue };
        if a == b {
            continue;
        }
        let is_up = b > a;
        if before.is_some_and(|(last, was_up)| was_up != is_up && at.since(last) <= REVERSAL) {
            turns += 1;
        }
        before = Some((at, is_up));
    }
    let an_hour = f64::from(turns) / facts.over.as_hours().max(f64::MIN_POSITIVE);
    let found = format!("{turns} reversals within {REVERSAL} in the last {}", facts.over);
    if an_hour <= REVERSALS {
        return ok(found);
    }
    fail(
        found,
        format!("at most {REVERSALS} an hour"),
        "lengthen behavior.scaleDown.stabilizationWindowSeconds (300 is the default), smooth the query with a longer \
         rate window, and see that no other HPA or trigger scales the same Deployment",
    )
}

pub(super) fn over_scaling(facts: &Facts) -> Finding {
    let (Some(answer), Some(ready)) = (answer(facts), &facts.ready) else {
        return skipped("the answer or the ready pods are not seen");
    };
    // The fewest of the whole time: what is being scaled down is no trouble.
    let least = last(ready, facts.now - facts.over).fold(f64::MAX, f64::min);
    if least == f64::MAX || least <= (answer.max(1.0) * SPARE).ceil() {
        return ok(format!("{} ready, {} answered", number(least.min(1e6)), number(answer)));
    }
    warn(
        format!(
            "at least {} pods ready for {} while {} are answered",
            number(least),
            facts.over,
            number(answer)
        ),
        "about as many as answered",
        "another trigger of the ScaledObject asks for more (the HPA takes the largest), minReplicaCount stands above, or \
         scaling down is disabled by behavior.scaleDown",
    )
}

pub(super) fn capped(facts: &Facts) -> Finding {
    let Some(row) = row(facts).filter(|row| row["decision"].is_object()) else {
        return skipped("there is no decision");
    };
    let advice = "raise maxReplicas and maxReplicaCount, or the threshold where one replica carries more; see that the \
                  nodes hold them";
    if let Some(text) = note(facts, "capped") {
        return fail(text, "as many as needed", advice);
    }
    match row["decision"]["capped_in_seconds"].as_i64() {
        Some(seconds) => warn(
            format!("likely to be capped in {}", Span::seconds(seconds)),
            "room for what is forecast",
            advice,
        ),
        None => ok("no limit is near"),
    }
}

pub(super) fn cost(facts: &Facts) -> Finding {
    let Some(ratio) = facts.cost.filter(|ratio| ratio.is_finite()) else {
        return skipped("Prometheus does not scrape Forescale's metrics, or has no day of them");
    };
    let found = format!("{} times what the load needed, mean of a day", number(ratio));
    let expected = format!("below {}", COST.0);
    let advice = "minReplicas, a schedule's floor or a high quantile cost most: forescale backtest shows what \
                  `objective: cost` or a lower floor would have saved; minReplicas: 0 lets it sleep";
    match ratio {
        r if r > COST.1 => fail(found, expected, advice),
        r if r > COST.0 => warn(found, expected, advice),
        _ => ok(found),
    }
}
