//! Conflicts between documents, across all files given: other autoscalers of the same workload.
//!
//! Only the files are compared; the cluster is never asked what else runs in it.

use super::findings::Findings;
use super::rules;
use super::settings::Input;
use crate::policy::TargetKind;
use crate::source::manifest::scaled_objects;
use crate::source::yaml::{Node, key_of};

/// The target of an autoscaler: namespace, kind, name.
type Target = (Option<String>, String, String);

/// Looks for autoscalers that share a target with a ScaledObject that uses Forescale.
pub(super) fn check(read: &[(&Input, Vec<Node>)], findings: &mut [Findings<'_>]) {
    let mut objects: Vec<(Target, String)> = Vec::new();
    for (place, (_, documents)) in read.iter().enumerate() {
        for object in scaled_objects(documents) {
            let Some(target) = object.spec().and_then(|s| target_of(object.node, s.get("scaleTargetRef")?))
            else {
                continue;
            };
            let earlier =
                objects.iter().find(|(other, _)| same(other, &target)).map(|(_, name)| name.clone());
            let mine = object.ours().next().is_some();
            if let (Some(name), Some(findings), Some(spec)) =
                (earlier, findings.get_mut(place), object.spec())
            {
                let message = format!("'{name}' scales '{}' too", target.2);
                let mend = "put all triggers into one ScaledObject";
                findings.add(&rules::SHARED_TARGET, key_of(spec, "scaleTargetRef"), message, mend);
            }
            if mine {
                objects.push((target, object.name.clone()));
            }
        }
    }
    for (place, (_, documents)) in read.iter().enumerate() {
        let Some(findings) = findings.get_mut(place) else { continue };
        for document in documents {
            match document.text_of("kind").as_deref() {
                Some("HorizontalPodAutoscaler") => check_hpa(document, &objects, findings),
                Some("VerticalPodAutoscaler") => check_vpa(document, &objects, read, findings),
                Some(kind) if TargetKind::parse(kind).is_some() => {
                    check_zone(document, kind, &objects, read, findings)
                }
                _ => {}
            }
        }
    }
}

fn check_hpa(document: &Node, objects: &[(Target, String)], findings: &mut Findings<'_>) {
    let Some(spec) = document.get("spec") else { return };
    let Some(target) = spec.get("scaleTargetRef").and_then(|r| target_of(document, r)) else { return };
    if let Some((_, name)) = objects.iter().find(|(other, _)| same(other, &target)) {
        let message = format!("this HPA and the ScaledObject '{name}' both scale '{}'", target.2);
        let mend = "remove the HPA: KEDA creates its own";
        findings.add(&rules::SHARED_TARGET, key_of(spec, "scaleTargetRef"), message, mend);
    }
}

fn check_vpa(
    document: &Node,
    objects: &[(Target, String)],
    read: &[(&Input, Vec<Node>)],
    findings: &mut Findings<'_>,
) {
    let Some(spec) = document.get("spec") else { return };
    let Some(target) = spec.get("targetRef").and_then(|r| target_of(document, r)) else { return };
    let Some((_, name)) = objects.iter().find(|(other, _)| same(other, &target)) else { return };
    let mode =
        spec.at(&["updatePolicy", "updateMode"]).and_then(Node::text).unwrap_or_else(|| "Auto".to_owned());
    if matches!(mode.as_str(), "Off" | "Initial" | "false") {
        return;
    }
    let all = read.iter().flat_map(|(_, documents)| scaled_objects(documents));
    let kinds: Vec<String> = all
        .filter(|object| object.name == *name)
        .flat_map(|object| object.triggers.into_iter().map(|t| t.kind))
        .filter(|kind| matches!(kind.as_str(), "cpu" | "memory") && controls(spec, kind))
        .collect();
    if let Some(kind) = kinds.first() {
        let at = spec.get("updatePolicy").map_or(key_of(document, "spec"), |p| key_of(p, "updateMode"));
        let message = format!("this VPA ({mode}) changes the {kind} that a trigger of '{name}' scales by");
        let mend = "write updateMode: 'Off', remove the trigger, or leave the resource out of \
                    controlledResources";
        findings.add(&rules::VPA_CONFLICT, at, message, mend);
    }
}

/// A workload that keeps spare replicas for the loss of a zone but runs in only one zone.
fn check_zone(
    document: &Node,
    kind: &str,
    objects: &[(Target, String)],
    read: &[(&Input, Vec<Node>)],
    findings: &mut Findings<'_>,
) {
    const ZONE: &str = "topology.kubernetes.io/zone";
    let Some(selector) = document.at(&["spec", "template", "spec", "nodeSelector"]) else { return };
    let (Some(zone), Some(meta)) = (selector.text_of(ZONE), document.get("metadata")) else { return };
    let Some(name) = meta.text_of("name") else { return };
    let target = (meta.text_of("namespace"), kind.to_owned(), name);
    let Some((_, owner)) = objects.iter().find(|(other, _)| same(other, &target)) else { return };
    let all = read.iter().flat_map(|(_, documents)| scaled_objects(documents));
    let spares = all.filter(|object| object.name == *owner).any(|object| {
        object.ours().any(|t| t.metadata.get("spareReplicas").is_some_and(|text| text.trim() != "0"))
    });
    if spares {
        let message = format!("'{owner}' keeps spare replicas, and all of them run in zone {zone}");
        let mend = "spread the pods over zones, or remove spareReplicas";
        findings.add(&rules::SPARE_IN_ONE_ZONE, key_of(selector, ZONE), message, mend);
    }
}

/// Whether the VPA changes this resource of any container.
fn controls(spec: &Node, resource: &str) -> bool {
    let policies = spec.at(&["resourcePolicy", "containerPolicies"]).map_or(&[][..], Node::items);
    let lists = policies.iter().filter(|policy| policy.text_of("mode").as_deref() != Some("Off"));
    let mut lists = lists.map(|policy| policy.get("controlledResources")).peekable();
    if lists.peek().is_none() {
        return policies.is_empty();
    }
    lists.any(|list| {
        list.is_none_or(|list| list.items().iter().any(|item| item.text().as_deref() == Some(resource)))
    })
}

fn target_of(document: &Node, reference: &Node) -> Option<Target> {
    let namespace = document.get("metadata").and_then(|m| m.text_of("namespace"));
    let kind = reference.text_of("kind").unwrap_or_else(|| "Deployment".to_owned());
    Some((namespace, kind, reference.text_of("name")?))
}

fn same(a: &Target, b: &Target) -> bool {
    a.1 == b.1 && a.2 == b.2 && (a.0.is_none() || b.0.is_none() || a.0 == b.0)
}
