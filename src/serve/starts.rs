//! The questions that `leadTime: auto` asks of kube-state-metrics.
//!
//! Pods are told by the name of the ScaledObject, which its Deployment usually shares.

use crate::policy::WorkloadId;

/// How long the pods started within the last half hour took from creation to readiness (their 90th percentile), and
/// how many pods are ready.
pub(super) fn start_queries(id: &WorkloadId) -> [String; 2] {
    let (namespace, name) = (id.namespace(), id.name());
    let pods = format!("namespace=\"{namespace}\",pod=~\"{}-.*\"", name.replace('.', "[.]"));
    // Several instances of kube-state-metrics tell of the same pods.
    let of = |metric: &str| format!("max by (namespace, pod) ({metric}{{{pods}}})");
    let created = of("kube_pod_created");
    let took = format!("{} - on (namespace, pod) {created}", of("kube_pod_status_ready_time"));
    let lately = format!("quantile(0.9, ({took}) and on (namespace, pod) (time() - {created} < 1800))");
    let ready = format!("sum(max by (namespace, pod) (kube_pod_status_ready{{{pods},condition=\"true\"}}))");
    [lately, ready]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_in_a_name_is_no_wildcard() {
        let [lately, ready] = start_queries(&WorkloadId::new("shop", "web.eu", "forescale").expect("names"));
        assert!(lately.contains("kube_pod_created{namespace=\"shop\",pod=~\"web[.]eu-.*\"}"), "{lately}");
        assert!(ready.starts_with("sum(max by (namespace, pod) (kube_pod_status_ready{"), "{ready}");
    }
}
