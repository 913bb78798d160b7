//! What KEDA says of a ScaledObject: its conditions, and whether KEDA answers in place of Forescale.

use super::super::finding::{Finding, fail, ok, skipped, warn};
use super::super::printed::{Condition, Health, Hpa, HpaOf, Scaled, Truth};
use crate::cli::place::Place;
use crate::units::{Time, measured};

/// What is said of what is well.
pub(super) const WELL: &str = "as it should be";

/// The reason of an HPA that is switched off because its target has no replicas.
pub(super) const DISABLED: &str = "ScalingDisabled";

/// Whether it is switched off.
pub(super) fn is_disabled(hpa: &Hpa) -> bool {
    hpa.conditions.get("ScalingActive").is_some_and(|found| found.reason == DISABLED)
}

/// What is said of an object.
pub(super) fn of(place: &Place, text: impl std::fmt::Display) -> String {
    format!("{place}: {text}")
}

/// The command that shows an object with its events.
pub(super) fn describe(kind: &str, place: &Place) -> String {
    format!("kubectl describe {kind} {} -n {}", place.name, place.namespace)
}

fn walk_on(place: &Place) -> String {
    format!("forescale doctor {place} --server URL says at which link it breaks")
}

fn condition<'a>(scaled: &'a Scaled, kind: &str) -> Option<&'a Condition> {
    scaled.conditions.as_ref()?.get(kind)
}

fn not_looked_at(scaled: &Scaled) -> Option<Finding> {
    scaled.conditions.is_none().then(|| skipped(of(&scaled.place, "KEDA has not looked at it")))
}

pub(super) fn ready(scaled: &Scaled, _: Time) -> Finding {
    let place = &scaled.place;
    if scaled.conditions.is_none() {
        return fail(
            of(place, "KEDA has not looked at it, it has no status"),
            "the conditions that KEDA writes",
            "does KEDA's operator run (kubectl get pods -n keda), does it watch this namespace (WATCH_NAMESPACE), and, \
             where KEDA is sharded by label, is this object in a shard?",
        );
    }
    let expected = "Ready is True";
    match condition(scaled, "Ready") {
        Some(found) if found.truth == Truth::True => ok(of(place, WELL)),
        Some(found) if found.truth == Truth::False => {
            fail(of(place, format!("Ready is False: {}", found.told())), expected, mend(place, &found.reason))
        }
        Some(found) if !found.reason.is_empty() => warn(
            of(place, format!("Ready is Unknown: {}", found.told())),
            expected,
            format!("{}: its events name the trigger that fails", describe("scaledobject", place)),
        ),
        _ => skipped(of(place, "KEDA does not say yet whether it is ready")),
    }
}

/// What to do about a ScaledObject that is not ready.
fn mend(place: &Place, reason: &str) -> String {
    let events = describe("scaledobject", place);
    match reason {
        "ScaledObjectCheckFailed" => {
            format!(
                "mend what it says; forescale lint finds the faults of our keys, {events} shows the events"
            )
        }
        "TriggerError" => format!("{events}: its events name the trigger. If it is ours, {}", walk_on(place)),
        "ErrorGettingCurrentReplicas" => {
            format!("does the target of its scaleTargetRef exist, and may KEDA read its scale? {events}")
        }
        // Until 2.20.1; since then KEDA has a condition HPAActive.
        "HPAMetricsUnavailable" | "ScalingDegraded" => {
            "so KEDA 2.20.0 and 2.20.1 tell of an HPA that cannot compute: see hpa_active and hpa_sees"
                .to_owned()
        }
        _ => format!("{events}: its events say what failed"),
    }
}

pub(super) fn active(scaled: &Scaled, _: Time) -> Finding {
    if let Some(finding) = not_looked_at(scaled) {
        return finding;
    }
    let place = &scaled.place;
    let Some(found) = condition(scaled, "Active").filter(|found| found.truth != Truth::Unknown) else {
        return skipped(of(place, "KEDA does not say whether it is active"));
    };
    if found.truth == Truth::True {
        return match &scaled.hpa {
            HpaOf::Printed(hpa) if hpa.current == 0 && is_disabled(hpa) => warn(
                of(place, "active, and it has no replicas"),
                "KEDA wakes it at its next poll",
                format!(
                    "print it again in half a minute; if it stays: is scaling out paused, and does its maxReplicaCount \
                     allow one? {}",
                    describe("scaledobject", place)
                ),
            ),
            _ => ok(of(place, WELL)),
        };
    }
    if found.reason == "ScalerCooldown" {
        return ok(of(place, "it cools down: nothing is asked for, and KEDA waits for its cooldownPeriod"));
    }
    ok(of(
        place,
        match may_sleep(scaled) {
            true => "it sleeps, or is about to: nothing is asked for".to_owned(),
            false => format!("nothing is asked for, minReplicaCount {} stands", scaled.least),
        },
    ))
}

/// Whether KEDA may leave it without replicas.
pub(super) fn may_sleep(scaled: &Scaled) -> bool {
    scaled.least == 0 || scaled.idle == Some(0)
}

pub(super) fn fallback(scaled: &Scaled, _: Time) -> Finding {
    if let Some(finding) = not_looked_at(scaled) {
        return finding;
    }
    let place = &scaled.place;
    let failing: Vec<&Health> =
        scaled.health.iter().filter(|health| health.is_failing && health.failures > 0).collect();
    let told = |healths: &[&Health]| {
        let each = healths
            .iter()
            .map(|h| format!("{} failed {} in a row", h.metric, measured(&h.failures.to_string(), "time")));
        each.collect::<Vec<_>>().join(", ")
    };
    let expected = "a value of each metric at each poll";
    let after = scaled.fallback_after.unwrap_or_default();
    if !condition(scaled, "Fallback").is_some_and(|found| found.truth == Truth::True) {
        return match failing.as_slice() {
            [] => ok(of(place, WELL)),
            failing => {
                let found = format!("{}, after {after} the fallback answers", told(failing));
                warn(of(place, found), expected, answer_again(scaled, failing))
            }
        };
    }
    let over: Vec<&Health> = failing.into_iter().filter(|health| health.failures > after).collect();
    if over.is_empty() {
        return warn(
            of(place, "Fallback is True though no metric fails now"),
            "Fallback is False",
            format!(
                "KEDA before 2.20.2 leaves it so while a workload sleeps, and it goes with the next value; if it has \
                 replicas: {}",
                describe("scaledobject", place)
            ),
        );
    }
    let found = format!("KEDA answers by the fallback: {}, after {after} it does", told(&over));
    fail(of(place, found), expected, answer_again(scaled, &over))
}

/// Who has to answer again.
fn answer_again(scaled: &Scaled, failing: &[&Health]) -> String {
    let place = &scaled.place;
    // With a formula the counts are of the triggers' own names.
    let is_ours = |health: &&Health| scaled.triggers.contains(&health.metric);
    if failing.iter().any(is_ours) {
        return format!("{}; the page of the server names the cause", walk_on(place));
    }
    format!("another trigger than ours fails: {}", describe("scaledobject", place))
}

pub(super) fn paused(scaled: &Scaled, _: Time) -> Finding {
    let place = &scaled.place;
    let expected = "nothing that keeps the forecast from counting; an override has an end";
    if let Some(pause) = &scaled.pause {
        let what = if pause.is_whole { "paused" } else { "paused in one direction" };
        return warn(
            of(place, format!("{what} by {}: {}", pause.annotation, pause.value.escape_debug())),
            expected,
            format!(
                "when it is over: kubectl annotate scaledobject {} -n {} {}-",
                place.name, place.namespace, pause.annotation
            ),
        );
    }
    if let Some(finding) = not_looked_at(scaled) {
        return finding;
    }
    match condition(scaled, "Paused") {
        Some(found) if found.truth == Truth::True => warn(
            of(place, format!("Paused is True: {}", found.told())),
            expected,
            format!("no annotation tells of it; is it just taken away? {}", describe("scaledobject", place)),
        ),
        _ => ok(of(place, WELL)),
    }
}
