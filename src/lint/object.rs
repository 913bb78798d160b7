//! Checks of a whole ScaledObject: its fields, its fallback, its behaviour, its formula.
//!
//! An object that does not use Forescale is checked only for mistakes that may hide a trigger of ours.

use std::collections::BTreeMap;

use super::findings::Findings;
use super::settings::Settings;
use super::{rules, trigger};
use crate::policy::{nearest, quoted};
use crate::source::manifest::ScaledObject;
use crate::source::yaml::{Node, key_of};

/// Kinds of `keda.sh`.
const KINDS: [&str; 4] =
    ["ScaledObject", "ScaledJob", "TriggerAuthentication", "ClusterTriggerAuthentication"];
/// Fields of the object.
const OBJECT: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
/// Fields of `metadata`, as people write it and as the API server returns it.
const METADATA: [&str; 15] = [
    "name",
    "generateName",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];
/// Fields of `spec`.
const SPEC: [&str; 10] = [
    "scaleTargetRef",
    "pollingInterval",
    "initialCooldownPeriod",
    "cooldownPeriod",
    "idleReplicaCount",
    "minReplicaCount",
    "maxReplicaCount",
    "advanced",
    "triggers",
    "fallback",
];
/// Fields of a trigger.
const TRIGGER: [&str; 6] =
    ["type", "name", "useCachedMetrics", "metadata", "authenticationRef", "metricType"];
const ADVANCED: [&str; 3] =
    ["horizontalPodAutoscalerConfig", "restoreToOriginalReplicaCount", "scalingModifiers"];
const FALLBACK: [&str; 3] = ["failureThreshold", "replicas", "behavior"];

/// Checks a ScaledObject if one of its triggers uses Forescale.
pub(super) fn check(object: &ScaledObject<'_>, settings: &Settings, findings: &mut Findings<'_>) {
    check_types(object, findings);
    let is_ours = object.ours().next().is_some();
    // If there is no trigger at all, the key for the triggers may be misspelt.
    if is_ours || object.triggers.is_empty() {
        check_head(object.node, findings);
        if let Some(spec) = object.spec() {
            unknown_fields(spec, &SPEC, "spec", findings);
        }
    }
    let Some(spec) = object.spec().filter(|_| is_ours) else { return };
    for found in &object.triggers {
        unknown_fields(found.node, &TRIGGER, "trigger", findings);
    }
    if let Some(advanced) = spec.get("advanced") {
        unknown_fields(advanced, &ADVANCED, "advanced", findings);
    }
    check_fallback(object, spec, findings);
    check_behavior(spec, findings);
    check_formula(object, spec, findings);
    check_mixture(object, findings);
    check_names(object, findings);
    if let Some(idle) = spec.count_of("idleReplicaCount").filter(|idle| *idle != 0) {
        let message = format!("idleReplicaCount is {idle}");
        findings.add(
            &rules::IDLE_REPLICA_COUNT,
            key_of(spec, "idleReplicaCount"),
            message,
            "write 0, or remove it",
        );
    }
    let annotations = object.node.at(&["metadata", "annotations"]);
    for entry in annotations.map_or(&[][..], Node::entries) {
        if entry.key.starts_with("autoscaling.keda.sh/paused")
            && entry.value.text().as_deref() != Some("false")
        {
            let message = format!("{}: neither forecast nor schedule counts", entry.key);
            let mend = "remove it, or write an override with an end";
            findings.add(&rules::PAUSED, (entry.line, entry.column), message, mend);
        }
    }
    for ours in object.ours() {
        trigger::check_trigger(object, ours, settings, findings);
    }
}

/// Reports a misspelt KEDA kind; returns whether it is one.
pub(super) fn check_kind(document: &Node, findings: &mut Findings<'_>) -> bool {
    let is_kedas = document.text_of("apiVersion").is_some_and(|version| version.starts_with("keda.sh/"));
    let kind = document.text_of("kind").unwrap_or_default();
    let is_misspelt = is_kedas && !KINDS.contains(&kind.as_str());
    if is_misspelt {
        let meant = nearest(&kind, KINDS).unwrap_or(KINDS[0]);
        let message = format!("KEDA has no kind {}", quoted(&kind));
        findings.add(
            &rules::UNKNOWN_KIND,
            key_of(document, "kind"),
            message,
            format!("did you mean {meant}?"),
        );
    }
    is_misspelt
}

/// Reports a trigger that has the address of an external scaler but not the type of one.
fn check_types(object: &ScaledObject<'_>, findings: &mut Findings<'_>) {
    for trigger in &object.triggers {
        if !trigger.is_external() && trigger.metadata.contains_key("scalerAddress") {
            let message = format!("a trigger with scalerAddress has type {}", quoted(&trigger.kind));
            let mend = "write external, or external-push to wake it from zero";
            findings.add(&rules::TRIGGER_TYPE, key_of(trigger.node, "type"), message, mend);
        }
    }
}

/// Reports misspelt fields of the object itself, and a name that is missing.
fn check_head(object: &Node, findings: &mut Findings<'_>) {
    let metadata = object.get("metadata");
    let is_known = unknown_fields(object, &OBJECT, "the object", findings)
        && metadata.is_none_or(|metadata| unknown_fields(metadata, &METADATA, "metadata", findings));
    let is_named = metadata.is_some_and(|m| {
        ["name", "generateName"].iter().any(|key| m.text_of(key).is_some_and(|name| !name.trim().is_empty()))
    });
    // A misspelt field may be the very one that is missing.
    if is_known && !is_named {
        let at = key_of(object, if metadata.is_some() { "metadata" } else { "kind" });
        findings.add(&rules::MISSING_NAME, at, "metadata.name: found nothing", "write metadata.name");
    }
}

/// Reports fields that are not known; returns whether there are none.
fn unknown_fields(node: &Node, known: &[&str], of: &str, findings: &mut Findings<'_>) -> bool {
    let before = findings.list.len();
    for entry in node.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        let mend = match nearest(&entry.key, known.iter().copied()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("{of} has {}", known.join(", ")),
        };
        let message = format!("{of} has no field '{}'", entry.key);
        findings.add(&rules::UNKNOWN_FIELD, (entry.line, entry.column), message, mend);
    }
    findings.list.len() == before
}

fn check_fallback(object: &ScaledObject<'_>, spec: &Node, findings: &mut Findings<'_>) {
    let Some(fallback) = spec.get("fallback") else {
        let mend = "write fallback: {failureThreshold: 3, replicas: <business floor>, \
                    behavior: currentReplicasIfHigher}";
        let at = object.spec().map_or((1, 1), |_| key_of(object.node, "spec"));
        findings.add(
            &rules::MISSING_FALLBACK,
            at,
            "no fallback: KEDA freezes while the scaler cannot answer",
            mend,
        );
        return;
    };
    unknown_fields(fallback, &FALLBACK, "fallback", findings);
    let behavior = fallback.text_of("behavior").unwrap_or_else(|| "static".to_owned());
    if !matches!(behavior.as_str(), "currentReplicasIfHigher" | "scalingModifiers") {
        let message = format!("fallback.behavior is {behavior}: an outage during a peak scales down");
        let at = if fallback.get("behavior").is_some() {
            key_of(fallback, "behavior")
        } else {
            key_of(spec, "fallback")
        };
        findings.add(&rules::FALLBACK_LOWERS, at, message, "write behavior: currentReplicasIfHigher");
    }
    let replicas = fallback.count_of("replicas").unwrap_or(0);
    if replicas == 0 {
        let message = "fallback.replicas is 0: an error of the scaler scales to zero, whatever behavior says";
        let mend = "write the replicas that your business needs without a scaler, at least 1; no fallback is \
                    safer than 0";
        findings.add(&rules::FALLBACK_ZERO, key_of(fallback, "replicas"), message, mend);
        return;
    }
    let floors = object.ours().filter_map(|t| t.metadata.get("minReplicas")?.trim().parse::<i64>().ok());
    let least = floors.chain(spec.count_of("minReplicaCount")).max().unwrap_or(0);
    if replicas < least.max(1) {
        let message = format!("fallback.replicas is {replicas}, below the minimum of {}", least.max(1));
        let mend = "write the replicas that your business needs without a scaler";
        findings.add(&rules::FALLBACK_BELOW_FLOOR, key_of(fallback, "replicas"), message, mend);
    }
}

fn check_behavior(spec: &Node, findings: &mut Findings<'_>) {
    let Some(behavior) = spec.at(&["advanced", "horizontalPodAutoscalerConfig", "behavior"]) else { return };
    for direction in ["scaleUp", "scaleDown"] {
        let policies = behavior.at(&[direction, "policies"]).map_or(&[][..], Node::items);
        for misplaced in policies.iter().filter_map(|policy| policy.entry("tolerance")) {
            let message = format!("tolerance is inside a policy of {direction}");
            let mend = "move it next to policies";
            findings.add(&rules::TOLERANCE_MISPLACED, (misplaced.line, misplaced.column), message, mend);
        }
    }
    let window =
        behavior.get("scaleUp").and_then(|up| Some((up, up.count_of("stabilizationWindowSeconds")?)));
    if let Some((up, seconds)) = window.filter(|(_, seconds)| *seconds > 0) {
        let message = format!(
            "the HPA takes the lowest value of the last {seconds} s, so the forecast takes effect \
             that much later"
        );
        let at = key_of(up, "stabilizationWindowSeconds");
        findings.add(&rules::SCALE_UP_STABILIZATION, at, message, "write 0, or add it to leadTime");
    }
}

fn check_formula(object: &ScaledObject<'_>, spec: &Node, findings: &mut Findings<'_>) {
    let Some(modifiers) = spec.at(&["advanced", "scalingModifiers"]) else { return };
    if modifiers.get("formula").is_none() {
        return;
    }
    let at = key_of(modifiers, "formula");
    if spec.count_of("minReplicaCount").unwrap_or(0) == 0 && object.ours().all(|t| t.kind == "external") {
        let message =
            "with a formula KEDA ignores IsActive: activity is the composite value above activationTarget";
        let mend = "let the formula be 0 when idle, or write type: external-push, whose wake-ups count";
        findings.add(&rules::MODIFIERS_IGNORE_ACTIVITY, at, message, mend);
    }
    for unnamed in object.ours().filter(|t| t.node.get("name").is_none()) {
        let message = format!("trigger {} has no name for the formula to use", unnamed.index);
        let at = key_of(unnamed.node, "type");
        findings.add(
            &rules::MODIFIERS_NEED_NAME,
            at,
            message,
            "write name: forecast, and use it in the formula",
        );
    }
}

/// Triggers in addition to ours. If KEDA starts while Forescale is unreachable, it writes the HPA with the metrics
/// that it gets: only those of the other triggers, which may then scale down. If there are no others, it writes no
/// HPA, and the replicas stay. A formula that lacks a value is an error, so the replicas stay as well.
fn check_mixture(object: &ScaledObject<'_>, findings: &mut Findings<'_>) {
    if trigger::has_formula(object) {
        return;
    }
    let others: Vec<_> = object.triggers.iter().filter(|trigger| !trigger.is_ours()).collect();
    let Some(first) = others.first() else { return };
    let mut kinds: Vec<_> = others.iter().map(|trigger| format!("'{}'", trigger.kind)).collect();
    kinds.dedup();
    let kinds = kinds.join(" and ");
    let message = format!(
        "{kinds} next to Forescale: if KEDA restarts while Forescale is away, it scales down by {kinds} \
         alone until the spec is changed"
    );
    let mend = "make it a further signal of a policy (signals: with mode: reactive), and set \
                minReplicaCount to what your business needs";
    findings.add(&rules::MIXED_TRIGGERS, key_of(first.node, "type"), message, mend);
}

/// Two triggers of one object with the same metric name: one workload with two sets of keys.
fn check_names(object: &ScaledObject<'_>, findings: &mut Findings<'_>) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for trigger in object.ours() {
        let name = crate::policy::metric_name_or_default(&trigger.metadata);
        let at =
            trigger.metadata_node().map_or(key_of(trigger.node, "type"), |m| match m.entry("metricName") {
                Some(entry) => (entry.line, entry.column),
                None => key_of(trigger.node, "type"),
            });
        if let Some(first) = seen.insert(name, trigger.index) {
            let message = format!("trigger {first} has the same metricName '{name}'");
            findings.add(&rules::DUPLICATE_METRIC_NAME, at, message, "write a different metricName");
        }
    }
}
