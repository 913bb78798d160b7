//! The PromQL queries about a workload; names are escaped.

use crate::policy::TargetKind;
use crate::source::exporters::{ExportedMetric, Service};
use crate::source::promql::string_literal;

/// Ready replicas of a workload, by kube-state-metrics or the exporter of Argo Rollouts.
pub(super) fn ready(namespace: &str, kind: &str, name: &str) -> Option<String> {
    Service { namespace, name, kind: Some(TargetKind::parse(kind)?) }.asks(ExportedMetric::Ready)
}

/// The value of a KEDA trigger, as KEDA's operator publishes it. A scrape without `honor_labels` renames the target's
/// namespace label.
pub(super) fn keda_value(namespace: &str, scaled_object: &str, trigger: usize) -> String {
    let of = |label: &str| {
        format!(
            "keda_scaler_metrics_value{{{label}={},scaledObject={},triggerIndex=\"{trigger}\"}}",
            string_literal(namespace),
            string_literal(scaled_object)
        )
    };
    format!("max({} or {})", of("exported_namespace"), of("namespace"))
}

/// Cores used by all pods of a workload, by cAdvisor.
pub(super) fn cpu_used(namespace: &str, kind: &str, name: &str) -> Result<String, String> {
    let pods = pods(namespace, kind, name)?;
    Ok(format!(
        "sum(rate(container_cpu_usage_seconds_total{{{pods},container!=\"\",container!=\"POD\"}}[5m]))"
    ))
}

/// What one pod of a workload requests of `cpu` (cores) or `memory` (bytes), by kube-state-metrics.
pub(super) fn requested(namespace: &str, kind: &str, name: &str, resource: &str) -> Option<String> {
    let pods = pods(namespace, kind, name).ok()?;
    let of = format!("{pods},resource={}", string_literal(resource));
    Some(format!("max(sum by (pod) (kube_pod_container_resource_requests{{{of}}}))"))
}

/// Selects the pods of a workload.
fn pods(namespace: &str, kind: &str, name: &str) -> Result<String, String> {
    // What a ReplicaSet and its pods append to the name; another workload's name may start with this one.
    let suffix = match kind {
        "Deployment" | "Rollout" => "-[a-z0-9]{1,10}-[a-z0-9]{5}",
        "StatefulSet" => "-[0-9]+",
        _ => {
            return Err(format!(
                "pods of a {kind} are not known by name; expected a Deployment or a StatefulSet"
            ));
        }
    };
    let pods = format!("{}{suffix}", name.replace('.', "[.]"));
    Ok(format!("namespace={},pod=~{}", string_literal(namespace), string_literal(&pods)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_strings() {
        let asked = ready("a\"} or vector(1) #", "Deployment", "web\\").expect("a known kind");
        assert_eq!(
            asked,
            r#"max(kube_deployment_status_replicas_ready{namespace="a\"} or vector(1) #",deployment="web\\"})"#
        );
        assert!(ready("a", "Job", "b").is_none());
    }
}
