//! What is judged: one function for each link of the chain, in its order.
//!
//! A check says what it found; where something is wrong, also what was expected and what to do. The five troubles
//! that operators meet most are among them: `hpa_scales` (the HPA does not scale), `pending_pods`, `flapping`
//! (oscillation), `replicas_follow` (replicas lag) and `cost` (more is spent than the load needs).

use serde_json::Value;

use super::facts::Facts;
use super::finding::{Check, Finding, fail, ok, skipped, warn};
use crate::draw::number;
use crate::history::Series;
use crate::source::SourceError;
use crate::units::{Span, Time};

type Link = (&'static str, &'static str, fn(&Facts) -> Finding);

const LINKS: [Link; 17] = [
    ("server", "does Forescale answer?", server),
    ("keda_calls", "does KEDA ask for this workload?", keda_calls),
    ("metadata", "are the trigger's keys valid?", metadata),
    ("data_source", "does Prometheus answer?", data_source),
    ("one_series", "does the query yield exactly one series?", one_series),
    ("clock_skew", "do the clocks agree?", clock_skew),
    ("fresh", "does the decision rest on fresh samples?", fresh),
    ("history", "is there enough history?", history),
    ("forecast", "is the forecast trusted?", forecast),
    ("hpa_metric", "does the HPA see our metric?", hpa_metric),
    ("hpa_scales", "does the HPA want what we answer?", hpa_scales),
    ("replicas_follow", "do ready pods follow what the HPA wants?", replicas_follow),
    ("pending_pods", "are pods waiting for a node?", pending_pods),
    ("flapping", "does the number of replicas go up and down?", flapping),
    ("over_scaling", "do more pods run than we ask for?", over_scaling),
    ("capped", "is a limit in the way?", capped),
    ("cost", "is more answered than the load needs?", cost),
];

/// Links that cannot be seen without Prometheus.
const IN_PROMETHEUS: [&str; 8] = [
    "one_series",
    "hpa_metric",
    "hpa_scales",
    "replicas_follow",
    "pending_pods",
    "flapping",
    "over_scaling",
    "cost",
];

/// KEDA polls each 30 s unless told otherwise; two minutes are no accident.
const SILENT: i64 = 120;
/// From this difference on the server does not lower its answers.
const SKEW: i64 = 60;
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

/// Judges every link.
pub(super) fn all(facts: &Facts) -> Vec<Check> {
    LINKS.iter().map(|&(name, asks, judge)| Check { name, asks, finding: seen(facts, name, judge) }).collect()
}

/// What only Prometheus knows is not seen without it.
fn seen(facts: &Facts, name: &str, judge: fn(&Facts) -> Finding) -> Finding {
    match &facts.prometheus {
        None if IN_PROMETHEUS.contains(&name) => skipped("no --prometheus or --config was given"),
        Some(Err(_)) if IN_PROMETHEUS.contains(&name) => skipped("Prometheus does not answer"),
        _ => judge(facts),
    }
}

fn server(facts: &Facts) -> Finding {
    match &facts.row {
        Ok(_) => ok("it answers"),
        Err(error) => fail(
            error.clone(),
            "an answer of the server's HTTP API",
            "see that its pods run (kubectl get pods), and that --server names its HTTP port, 8080 unless configured",
        ),
    }
}

fn keda_calls(facts: &Facts) -> Finding {
    let row = match &facts.row {
        Err(_) => return skipped("the server does not answer"),
        Ok(None) => {
            return fail(
                "KEDA never asked this server for it",
                "a call each pollingInterval",
                "kubectl describe scaledobject: is it ready, not paused, is scalerAddress this server's? A \
                 NetworkPolicy must let the KEDA operator reach the gRPC port",
            );
        }
        Ok(Some(row)) => row,
    };
    let Some(last) = row["last_asked"].as_str().and_then(|text| Time::parse(text).ok()) else {
        return skipped("the server does not tell when it was asked");
    };
    let ago = facts.now.since(last);
    if ago.as_seconds() > SILENT {
        return fail(
            format!("KEDA asked last {ago} ago"),
            "a call each pollingInterval",
            "is the ScaledObject paused or gone? Does another replica of the server get the calls (its Service must be \
             headless)?",
        );
    }
    ok(format!("asked {ago} ago"))
}

fn metadata(facts: &Facts) -> Finding {
    let Some(row) = row(facts) else { return skipped("the workload is not known") };
    match row["unavailable"].as_str() {
        Some(text) if text.starts_with("faulty metadata") || text.contains(", expected ") => fail(
            text,
            "keys that forescale lint accepts",
            "run forescale lint on the ScaledObject; the whole text stands in its events",
        ),
        _ => ok("accepted"),
    }
}

fn data_source(facts: &Facts) -> Finding {
    match &facts.prometheus {
        None => skipped("no --prometheus or --config was given"),
        Some(Ok(())) => ok("it answers"),
        Some(Err(error)) => fail(
            error.clone(),
            "an answer to `vector(1)`",
            "see that Prometheus runs and that its address, credentials and NetworkPolicy are right; Forescale follows \
             its plan meanwhile and never scales down for it",
        ),
    }
}

fn one_series(facts: &Facts) -> Finding {
    match &facts.load {
        None => skipped("no --query was given"),
        Some(Ok(Some(load))) => ok(format!("one, now {}", number(*load))),
        Some(Ok(None)) => fail(
            "no series, or no number",
            "one series",
            "is the metric scraped and named right? Ask it in Prometheus; where absence means nothing to do, add \
             `or vector(0)`",
        ),
        Some(Err(error)) => fail(
            error.to_string(),
            "one series",
            match error {
                SourceError::ManySeries => "wrap the query in sum(...) or another aggregation",
                _ => "ask the query in Prometheus and mend it",
            },
        ),
    }
}

fn clock_skew(facts: &Facts) -> Finding {
    let told = facts.skew.map(i64::abs);
    let noted = note(facts, "clock_skew");
    match (told, noted) {
        (_, Some(text)) => fail(text, "clocks within a minute", SKEW_ADVICE),
        (Some(skew), None) if skew > SKEW => fail(
            format!("Prometheus' clock differs by {skew} s from this one"),
            "clocks within a minute",
            SKEW_ADVICE,
        ),
        (Some(skew), None) => ok(format!("{skew} s apart")),
        (None, None) => skipped("Prometheus did not tell its time"),
    }
}

const SKEW_ADVICE: &str =
    "mend the time service of the nodes; while clocks differ, no answer of Forescale goes down";

fn fresh(facts: &Facts) -> Finding {
    let Some(row) = row(facts) else { return skipped("the workload is not known") };
    let Some(rung) = row["decision"]["rung"].as_str() else {
        let text = row["unavailable"].as_str().unwrap_or("no decision");
        return fail(
            text,
            "a decision",
            "warming up ends when the history was read; no data means that the query yields nothing: see one_series",
        );
    };
    match rung {
        "held" | "stale" => fail(
            format!("{rung}: the newest sample is {} s old", row["decision"]["history_age_seconds"]),
            "a sample each queryStep",
            "the metric has ended or Prometheus fails: see data_source and one_series",
        ),
        _ => ok(rung),
    }
}

fn history(facts: &Facts) -> Finding {
    let Some(row) = row(facts).filter(|row| row["decision"].is_object()) else {
        return skipped("there is no decision");
    };
    let advice = "keep at least two weeks in Prometheus (--storage.tsdb.retention.time), or name a data source that \
                  does; until then the reactive need stands";
    if row["decision"]["rung"] == "schedule_only" {
        return skipped("the clock or a person decides");
    }
    match (note(facts, "no_forecast"), note(facts, "history_short")) {
        (Some(text), _) => fail(text, "days of history", advice),
        (None, Some(text)) => warn(text, "the history that was asked for", advice),
        (None, None) => ok("as much as was asked for"),
    }
}

fn forecast(facts: &Facts) -> Finding {
    let told = facts.forecast.as_ref().filter(|told| told["trust"].is_string());
    let Some(told) = told else { return skipped("there is no forecast") };
    let skill = told["skill_ratio"].as_f64().unwrap_or(f64::NAN);
    let found = format!(
        "{}, loss {} of that of the same time a week ago",
        told["trust"].as_str().unwrap_or_default(),
        number(skill)
    );
    let advice = "the load has no pattern, or changed: forescale backtest shows it; the reactive need and the schedule \
                  stand meanwhile, and trust comes back by itself";
    match told["trust"].as_str() {
        Some("distrusted") => fail(found, "a forecast better than plain rules", advice),
        Some("probation") => warn(found, "a forecast better than plain rules", advice),
        _ => ok(found),
    }
}

fn hpa_metric(facts: &Facts) -> Finding {
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

fn hpa_scales(facts: &Facts) -> Finding {
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

fn replicas_follow(facts: &Facts) -> Finding {
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

fn pending_pods(facts: &Facts) -> Finding {
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

fn flapping(facts: &Facts) -> Finding {
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

fn over_scaling(facts: &Facts) -> Finding {
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

fn capped(facts: &Facts) -> Finding {
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

fn cost(facts: &Facts) -> Finding {
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

fn row(facts: &Facts) -> Option<&Value> {
    facts.row.as_ref().ok()?.as_ref()
}

fn answer(facts: &Facts) -> Option<f64> {
    row(facts)?["decision"]["replicas"].as_f64()
}

/// The text of a note of the decision.
fn note(facts: &Facts, name: &str) -> Option<String> {
    let notes = row(facts)?["decision"]["notes"].as_array()?;
    notes.iter().find(|note| note["note"] == name)?["text"].as_str().map(ToOwned::to_owned)
}

/// The samples after an instant.
fn last(series: &Series, since: Time) -> impl Iterator<Item = f64> {
    (0..series.len()).filter(move |&i| series.time(i) > since).filter_map(|i| series.get(i))
}

#[cfg(test)]
mod tests;
