//! What the HPA controller says of the HPA of a ScaledObject, and whether it sees our metric.

use super::super::finding::{Finding, fail, ok, skipped, warn};
use super::super::printed::{Asked, COMMAND, Condition, Hpa, HpaOf, Scaled, Truth};
use super::cluster::{ALONE, METRICS_SERVER, ROOM, SETTLED, cure, left_out};
use super::scaled::{DISABLED, WELL, describe, is_disabled, may_sleep, of};
use crate::cli::place::Place;
use crate::units::Time;

/// Judges the HPA, where it was printed.
fn of_hpa(scaled: &Scaled, judge: impl FnOnce(&Hpa) -> Finding) -> Finding {
    match &scaled.hpa {
        HpaOf::Printed(hpa) => judge(hpa),
        HpaOf::Missing(place) => skipped(of(place, "it was not printed")),
        HpaOf::NotPrinted => skipped(not_printed(&scaled.place)),
    }
}

fn not_printed(place: &Place) -> String {
    of(place, format!("no HPA was printed; `{COMMAND}` prints both"))
}

pub(super) fn found(scaled: &Scaled, _: Time) -> Finding {
    let place = &scaled.place;
    let missing = match &scaled.hpa {
        HpaOf::Printed(hpa) => return ok(of(&hpa.place, WELL)),
        HpaOf::NotPrinted => return skipped(not_printed(place)),
        HpaOf::Missing(missing) => missing,
    };
    if scaled.pause.as_ref().is_some_and(|pause| pause.is_whole) {
        return ok(of(place, "it is paused, and KEDA deletes its HPA meanwhile"));
    }
    if !scaled.conditions.as_ref().is_some_and(|conditions| conditions.is_true("Ready")) {
        return skipped(of(missing, "it was not printed"));
    }
    fail(
        of(missing, "it was not printed, and other HPAs were"),
        "the HPA that KEDA makes",
        format!(
            "print those of its namespace too; KEDA makes it once Forescale has told it the metric: {}",
            describe("scaledobject", place)
        ),
    )
}

pub(super) fn able(scaled: &Scaled, now: Time) -> Finding {
    of_hpa(scaled, |hpa| {
        let Some(found) = hpa.conditions.get("AbleToScale") else { return unseen(hpa) };
        if found.truth != Truth::False {
            return ok(of(&hpa.place, WELL));
        }
        let events = describe("hpa", &hpa.place);
        let advice = match found.reason.as_str() {
            "FailedGetScale" => {
                format!(
                    "does the target of the ScaledObject's scaleTargetRef exist, with that kind? {events}"
                )
            }
            "FailedUpdateScale" => {
                format!("a webhook, a policy or RBAC refuses the change of its replicas: {events}")
            }
            _ => events,
        };
        fail(is_not("AbleToScale", hpa, found, now), "an HPA that can scale its target", advice)
    })
}

fn unseen(hpa: &Hpa) -> Finding {
    skipped(of(&hpa.place, "the HPA controller has not looked at it yet"))
}

/// A condition that is not as it should be, with its time and reason.
fn is_not(kind: &str, hpa: &Hpa, found: &Condition, now: Time) -> String {
    of(&hpa.place, format!("{kind} is {}{}: {}", found.truth, lasting(found, now), found.told()))
}

fn lasting(found: &Condition, now: Time) -> String {
    found.since.map_or_else(String::new, |since| format!(" for {}", now.since(since)))
}

/// `ScalingActive` of the HPA; where it was not printed, what KEDA repeats of it as `HPAActive`.
pub(super) fn active(scaled: &Scaled, now: Time) -> Finding {
    let printed = match &scaled.hpa {
        HpaOf::Printed(hpa) => hpa.conditions.get("ScalingActive").map(|found| (hpa, found)),
        HpaOf::Missing(_) | HpaOf::NotPrinted => None,
    };
    let Some((hpa, found)) = printed else { return repeated(scaled) };
    let place = &hpa.place;
    if found.truth == Truth::True {
        return match hpa.current == 0 && hpa.conditions.is_true("ScaledToZero") {
            true => ok(of(place, "it sleeps: the HPA itself scaled it to zero, and wakes it (ScaledToZero)")),
            false => ok(of(place, WELL)),
        };
    }
    if found.reason != DISABLED {
        let expected = "an HPA that can compute its metrics";
        return fail(
            is_not("ScalingActive", hpa, found, now),
            expected,
            compute(scaled, place, &found.reason),
        );
    }
    // That it is active and has no replicas is told by `active`.
    let is_awaited = scaled.conditions.as_ref().is_some_and(|conditions| conditions.is_true("Active"));
    if may_sleep(scaled) || is_awaited {
        return ok(of(place, "it sleeps: without replicas the HPA is switched off (ScalingDisabled)"));
    }
    warn(
        of(place, format!("no replicas, though minReplicaCount is {}", scaled.least)),
        "KEDA sets minReplicaCount at its next poll",
        format!(
            "print it again in half a minute; if it stays, somebody holds the target at zero, or KEDA does not act: {}",
            describe("scaledobject", &scaled.place)
        ),
    )
}

fn repeated(scaled: &Scaled) -> Finding {
    let place = &scaled.place;
    let conditions = scaled.conditions.as_ref();
    match conditions.and_then(|conditions| conditions.get("HPAActive")) {
        Some(found) if found.truth == Truth::False => fail(
            of(place, format!("HPAActive is False: {}", found.told())),
            "an HPA that can compute its metrics",
            compute(scaled, place, &found.reason),
        ),
        Some(found) if found.truth == Truth::True => ok(of(place, WELL)),
        _ => of_hpa(scaled, unseen),
    }
}

/// What to do about an HPA that cannot compute.
fn compute(scaled: &Scaled, hpa: &Place, reason: &str) -> String {
    match reason {
        "FailedGetExternalMetric" => format!(
            "{METRICS_SERVER}, and does Forescale answer (forescale doctor {} --server URL)? Nothing scales meanwhile",
            scaled.place
        ),
        "AmbiguousSelector" => format!(
            "several HPAs choose the same pods: kubectl get hpa -n {}, and leave the one of KEDA",
            hpa.namespace
        ),
        _ => format!("{}: its events name the metric that fails", describe("hpa", hpa)),
    }
}

pub(super) fn limited(scaled: &Scaled, now: Time) -> Finding {
    of_hpa(scaled, |hpa| {
        let place = &hpa.place;
        let Some(found) = hpa.conditions.get("ScalingLimited") else { return unseen(hpa) };
        // At zero it is what it was before.
        if found.truth != Truth::True || hpa.current == 0 {
            return ok(of(place, WELL));
        }
        let is_long = found.since.is_none_or(|since| now.since(since) > SETTLED);
        match found.reason.as_str() {
            "TooManyReplicas" => fail(
                of(
                    place,
                    format!(
                        "at maxReplicas {}{}, more are wanted (TooManyReplicas)",
                        hpa.most,
                        lasting(found, now)
                    ),
                ),
                "as many as needed",
                ROOM,
            ),
            "TooFewReplicas" => ok(of(place, format!("at minReplicas {}, fewer would do", hpa.least))),
            "ScaleUpLimit" if is_long => warn(
                of(place, format!("it may not rise faster{}: {}", lasting(found, now), found.told())),
                "the wanted number within minutes",
                "behavior.scaleUp of the ScaledObject lets it rise too slowly for its load: allow more pods or a larger \
                 share in a shorter period, or set leadTime to what it takes",
            ),
            reason => ok(of(place, format!("it is on its way ({reason})"))),
        }
    })
}

pub(super) fn sees(scaled: &Scaled, now: Time) -> Finding {
    of_hpa(scaled, |hpa| {
        let place = &hpa.place;
        let (named, lost): (Vec<&String>, Vec<&String>) =
            scaled.metrics.iter().partition(|name| hpa.asked.contains(&Asked::External((*name).clone())));
        let patch = cure(&scaled.place.namespace, &scaled.place.name, now);
        if !lost.is_empty() {
            return fail(
                of(place, format!("{} is not in spec.metrics", listed(&lost))),
                "the metrics of all triggers of the ScaledObject",
                left_out(&patch),
            );
        }
        // Out of its limits, or switched off, it computes none.
        let computes = hpa.current >= hpa.least.max(1) && hpa.current <= hpa.most && !is_disabled(hpa);
        let is_told = hpa.conditions.get("ScalingActive").is_some_and(|found| found.truth == Truth::False);
        let empty: Vec<&String> = named.into_iter().filter(|name| !hpa.valued.contains(*name)).collect();
        if !empty.is_empty() && computes && hpa.conditions.get("ScalingActive").is_some() {
            let found = of(place, format!("{} has no value in status.currentMetrics", listed(&empty)));
            if is_told {
                return skipped(of(place, "it has no value of our metric: see hpa_active"));
            }
            return fail(
                found,
                "a value of each metric in spec.metrics",
                format!(
                    "{METRICS_SERVER}, and does Forescale answer? If both are well, KEDA restarted while Forescale was \
                     away and holds no scaler of it: {patch}"
                ),
            );
        }
        match hpa.asked.len().saturating_sub(scaled.metrics.len()) {
            0 => ok(of(place, WELL)),
            others => {
                warn(of(place, format!("it does, and {others} of other triggers")), "ours alone", ALONE)
            }
        }
    })
}

fn listed(names: &[&String]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}

pub(super) fn follows(scaled: &Scaled, now: Time) -> Finding {
    of_hpa(scaled, |hpa| {
        let place = &hpa.place;
        let is_false = |kind: &str| hpa.conditions.get(kind).is_some_and(|found| found.truth == Truth::False);
        if hpa.desired <= hpa.current || is_false("AbleToScale") || is_false("ScalingActive") {
            return ok(of(place, WELL));
        }
        let wants = format!("wants {} and the target is set to {}", hpa.desired, hpa.current);
        let lasts = hpa.since.map(|since| now.since(since));
        if lasts.is_some_and(|lasts| lasts <= SETTLED) {
            return ok(of(place, format!("{wants}, it has just scaled")));
        }
        fail(
            of(place, lasts.map_or(wants.clone(), |lasts| format!("{wants} for {lasts}"))),
            "the target follows within seconds",
            format!(
                "does somebody else write spec.replicas of the target: a manifest in Git (leave replicas out of it), \
                 another HPA? Or the HPA controller stands still: {}",
                describe("hpa", place)
            ),
        )
    })
}
