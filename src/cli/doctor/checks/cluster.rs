//! The links after the answer: the HPA, the pods that follow it, limits and cost.
//!
//! A check judges the gathered facts only; it sends no query.

use super::super::facts::Facts;
use super::super::finding::{Finding, fail, ok, skipped, warn};
use super::seen::{answer, last, note, row};
use crate::draw::number;
use crate::units::{Span, Time, measured};

/// The HPA acts within its sync of 15 s and KEDA's poll; five minutes of difference are no accident.
pub(super) const SETTLED: Span = Span::minutes(5);
/// Longer than this a new pod should not take, unless its lead time says so.
const FOLLOWED: Span = Span::minutes(10);
/// Two changes in opposite directions within this time are a reversal.
const REVERSAL: Span = Span::minutes(10);
/// More reversals per hour than this are flapping.
const REVERSALS: f64 = 3.0;
/// The ratio of running to desired replicas from which on pods are spare.
const SPARE: f64 = 1.3;
/// The ratio of the answer to the need of the load, as the mean of a day: worth a look, and too much.
const COST: (f64, f64) = (1.5, 3.0);

pub(super) fn hpa_metric(facts: &Facts) -> Finding {
    let names = &facts.names;
    let hpa = &names.hpa;
    let Some(replicas) = facts.hpa else {
        return skipped(format!("kube-state-metrics reports no HPA {hpa}; name it with --hpa"));
    };
    match facts.hpa_metrics.unwrap_or(0.0) {
        0.0 => {
            return fail(
                format!("{hpa} has no metric of ours"),
                "a metric sN-forescale (or the trigger's metricName)",
                left_out(&cure(&names.namespace, &names.object, facts.now)),
            );
        }
        one if one <= 1.0 => {}
        several => {
            return fail(
                format!("{hpa} has {} metrics under Forescale's name", number(several)),
                "one: two triggers under one metricName are one workload with two sets of keys",
                "write a different metricName into each trigger, or use one trigger whose policy has both \
                 as signals",
            );
        }
    }
    if facts.hpa_active == Some(0.0) {
        // Only KEDA wakes from zero; until then it disables the HPA.
        if replicas == 0.0 {
            return asleep(facts);
        }
        return fail(
            "ScalingActive is not true",
            "an HPA that can compute its metrics",
            format!(
                "kubectl describe hpa {hpa} -n {}: its events name the metric that fails",
                names.namespace
            ),
        );
    }
    if let Some(others) = facts.hpa_others.filter(|others| *others > 0.0) {
        return warn(format!("it does, and {} of other triggers", number(others)), "ours alone", ALONE);
    }
    ok("it does")
}

/// The HPA of a workload without replicas: `ScalingDisabled` is correct.
fn asleep(facts: &Facts) -> Finding {
    let slept =
        facts.ready.as_ref().is_none_or(|ready| last(ready, facts.now - SETTLED).all(|count| count < 1.0));
    match answer(facts) {
        Some(answer) if answer >= 1.0 && slept => fail(
            format!("no replicas, while the answer is {}", number(answer)),
            "KEDA wakes it at its next poll",
            format!(
                "kubectl describe scaledobject {} -n {}: is it paused, and ready? Does its maxReplicaCount allow one?",
                facts.names.object, facts.names.namespace
            ),
        ),
        _ => ok("it sleeps: at zero replicas, KEDA watches and the HPA is off (ScalingDisabled)"),
    }
}

/// A change of the spec, which makes KEDA write the HPA anew. An annotation does not.
pub(super) fn cure(namespace: &str, object: &str, now: Time) -> String {
    format!(
        "kubectl patch scaledobject {object} -n {namespace} --type merge -p \
         '{{\"spec\":{{\"initialCooldownPeriod\":{}}}}}'",
        // Another number each time, or there would be no change.
        1 + now.epoch().rem_euclid(60)
    )
}

/// What to do about an HPA that was written without our metric.
pub(super) fn left_out(cure: &str) -> String {
    format!(
        "if KEDA restarted while Forescale was away, it leaves the metric out until the spec changes: {cure}. \
         Otherwise: is the trigger there, {METRICS_SERVER}?"
    )
}

/// Whom to look at where the HPA gets no metric.
pub(super) const METRICS_SERVER: &str =
    "is the KEDA metrics server healthy (kubectl get apiservice v1beta1.external.metrics.k8s.io)";
/// What to do about other triggers beside ours.
pub(super) const ALONE: &str = "if KEDA restarts while Forescale is away, it scales down by the others alone: make \
                                them signals of the workload's policy (mode: reactive), and set minReplicaCount to \
                                what your business needs";
/// What to do at a limit.
pub(super) const ROOM: &str = "raise maxReplicas and maxReplicaCount, or the threshold if one replica carries more; \
                               check that the nodes have room for them";

pub(super) fn hpa_scales(facts: &Facts) -> Finding {
    let (Some(answer), Some(desired)) = (answer(facts), &facts.desired) else {
        return skipped("the answer or the HPA's desired replicas are not known");
    };
    // The smallest difference of the last minutes: a change in progress is not a problem.
    let lately: Vec<f64> = last(desired, facts.now - SETTLED).collect();
    let most = lately.iter().copied().fold(f64::MIN, f64::max);
    if lately.is_empty() || most >= answer {
        return ok(format!("the HPA wants {}, we answer {}", number(most.max(0.0)), number(answer)));
    }
    let limit = facts.hpa_max.filter(|max| *max <= most);
    fail(
        format!("the HPA wants {} for {SETTLED}, while the answer is {}", number(most), number(answer)),
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
            "kube-state-metrics does not report the HPA and the Deployment; name it with --deployment",
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
        None => skipped(
            "kube-state-metrics reports no pods with this name; name the Deployment with \
             --deployment",
        ),
        Some(0.0) => ok("none"),
        Some(count) => fail(
            format!("{} pending", measured(&number(count), "pod")),
            "none",
            "kubectl describe pod: too little CPU or memory in the cluster, a quota, or a volume? Let the cluster \
             autoscaler add nodes, lower the requests, or lower maxReplicas to what the nodes hold",
        ),
    }
}

pub(super) fn flapping(facts: &Facts) -> Finding {
    let Some(desired) = &facts.desired else { return skipped("the HPA's desired replicas are not known") };
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
        "lengthen behavior.scaleDown.stabilizationWindowSeconds (300 is the default), smooth the query with \
         a longer rate window, and check that no other HPA or trigger scales the same Deployment",
    )
}

pub(super) fn over_scaling(facts: &Facts) -> Finding {
    let (Some(answer), Some(ready)) = (answer(facts), &facts.ready) else {
        return skipped("the answer or the ready pods are not known");
    };
    // Compares the fewest that were ready at any time with the most that were needed at any time: scaling down after
    // a peak is not a problem, and neither is a limit below the need.
    let needed = facts.needed.unwrap_or(0.0).max(answer).max(counted(facts));
    let least = last(ready, facts.now - facts.over).fold(f64::MAX, f64::min);
    if least == f64::MAX || least <= (needed.max(1.0) * SPARE).ceil() {
        return ok(format!("{} ready, {} needed", number(least.min(1e6)), number(needed)));
    }
    warn(
        format!(
            "at least {} ready for {}, at most {} needed",
            measured(&number(least), "pod"),
            facts.over,
            number(needed)
        ),
        "about as many as needed",
        "another trigger of the ScaledObject asks for more (the HPA takes the largest), minReplicaCount is \
         higher, or scaling down is disabled by behavior.scaleDown",
    )
}

/// The largest need in the decision that counts, before any limit.
fn counted(facts: &Facts) -> f64 {
    let needs = row(facts).and_then(|row| row["decision"]["needs"].as_array());
    let counted = needs.into_iter().flatten().filter(|need| need["counts"] == true);
    counted.filter_map(|need| need["replicas"].as_f64()).fold(0.0, f64::max)
}

pub(super) fn capped(facts: &Facts) -> Finding {
    let Some(row) = row(facts).filter(|row| row["decision"].is_object()) else {
        return skipped("there is no decision");
    };
    if let Some(text) = note(facts, "capped") {
        return fail(text, "as many as needed", ROOM);
    }
    let states = row["states"].as_array().into_iter().flatten();
    if let Some(full) = states.into_iter().find(|state| state["state"] == "at_limit") {
        return fail(full["text"].as_str().unwrap_or("at its limit"), "room for more", ROOM);
    }
    match row["decision"]["capped_in_seconds"].as_i64() {
        Some(seconds) => warn(
            format!("likely to be capped in {}", Span::seconds(seconds)),
            "room for what is forecast",
            ROOM,
        ),
        None => ok("no limit is near"),
    }
}

pub(super) fn cost(facts: &Facts) -> Finding {
    let Some(ratio) = facts.cost.filter(|ratio| ratio.is_finite()) else {
        return skipped("Prometheus does not scrape Forescale's metrics, or has less than a day of them");
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
