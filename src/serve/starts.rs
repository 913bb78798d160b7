//! Which pods belong to a workload, and the queries about them that `leadTime: auto` sends to kube-state-metrics.
//!
//! Pods are identified by the name of the scaled object, which is that of the ScaledObject by default: pods of a
//! Deployment or a Rollout are `NAME-<hash>-<five letters>`, those of a StatefulSet `NAME-<number>`. This excludes
//! workloads whose names only start the same; so does the owner, if kube-state-metrics reports owners.

use crate::policy::{Target, TargetKind, WorkloadId};

/// The pods of one workload, for PromQL queries.
pub(crate) struct Pods {
    /// Label matchers: the namespace, and the names that such pods may have.
    matchers: String,
    /// Pods with such names that belong to other workloads.
    foreign: String,
}

/// The time from creation to readiness of the pods started within the last half hour (90th percentile), and the
/// number of ready pods.
pub(super) fn start_queries(id: &WorkloadId, target: &Target) -> [String; 2] {
    let pods = Pods::of(id.namespace(), target.name_under(id.name()), target.kind);
    let created = pods.all("kube_pod_created", "");
    let took = format!("{} - on (namespace, pod) {created}", pods.all("kube_pod_status_ready_time", ""));
    let fresh = format!("({took}) and on (namespace, pod) (time() - {created} < 1800)");
    let lately = format!("quantile(0.9, {})", pods.own(&fresh));
    let ready = pods.all("kube_pod_status_ready", ",condition=\"true\"");
    [lately, format!("sum({})", pods.own(&ready))]
}

// === impl Pods ===

impl Pods {
    /// The pods of the object with that name, of any kind if none is given. Both strings must be valid Kubernetes
    /// names.
    pub(crate) fn of(namespace: &str, name: &str, kind: Option<TargetKind>) -> Self {
        let ending = match kind {
            None => "([a-z0-9]+-[a-z0-9]{5}|[0-9]+)",
            Some(TargetKind::Deployment | TargetKind::Rollout) => "[a-z0-9]+-[a-z0-9]{5}",
            Some(TargetKind::StatefulSet) => "[0-9]+",
        };
        let space = format!("namespace=\"{namespace}\"");
        let matchers = format!("{space},pod=~\"{}-{ending}\"", name.replace('.', "[.]"));
        let owner = format!("owner_name!=\"{name}\"");
        // A pod of a Deployment or a Rollout is owned by a ReplicaSet, which is owned by the workload.
        let set = format!("kube_pod_owner{{{matchers},owner_kind=\"ReplicaSet\"}}");
        let foreign = format!(
            "(kube_pod_owner{{{matchers},owner_kind!=\"ReplicaSet\",{owner}}} or label_replace({set}, \"replicaset\", \
             \"$1\", \"owner_name\", \"(.*)\") and on (namespace, replicaset) kube_replicaset_owner{{{space},{owner}}})"
        );
        Pods { matchers, foreign }
    }

    /// A metric of all pods with such names, once per pod: several instances of kube-state-metrics report the same
    /// pods.
    pub(crate) fn all(&self, metric: &str, more: &str) -> String {
        format!("max by (namespace, pod) ({metric}{{{}{more}}})", self.matchers)
    }

    /// The part of a vector by namespace and pod that belongs to the workload.
    pub(crate) fn own(&self, vector: &str) -> String {
        format!("{vector} unless on (namespace, pod) {}", self.foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_in_a_name_is_no_wildcard() {
        let id = WorkloadId::new("shop", "web.eu", "forescale").expect("names");
        let [lately, ready] = start_queries(&id, &Target::default());
        let names = "pod=~\"web[.]eu-([a-z0-9]+-[a-z0-9]{5}|[0-9]+)\"";
        assert!(lately.contains(&format!("kube_pod_created{{namespace=\"shop\",{names}}}")), "{lately}");
        assert!(ready.starts_with("sum(max by (namespace, pod) (kube_pod_status_ready{"), "{ready}");
        assert!(ready.contains("owner_name!=\"web.eu\""), "{ready}");
        let set = Target { kind: Some(TargetKind::StatefulSet), name: Some("db".to_owned()) };
        let [_, ready] = start_queries(&id, &set);
        assert!(ready.contains("pod=~\"db-[0-9]+\"") && ready.contains("owner_name!=\"db\""), "{ready}");
    }
}
