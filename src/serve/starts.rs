//! Which pods are a workload's, and the questions that `leadTime: auto` asks of kube-state-metrics about them.
//!
//! Pods are told by the name of what is scaled, the ScaledObject's unless said otherwise: those of a Deployment or of a
//! Rollout are `NAME-<hash>-<five letters>`, a StatefulSet's `NAME-<number>`. A neighbour whose name begins alike is
//! left out by that, and by its owner where kube-state-metrics tells owners.

use crate::policy::{Target, TargetKind, WorkloadId};

/// The pods of one workload, as PromQL asks for them.
pub(crate) struct Pods {
    /// Label matchers: the namespace, and names that such pods may have.
    matchers: String,
    /// Pods of those names that belong to somebody else.
    foreign: String,
}

/// How long the pods started within the last half hour took from creation to readiness (their 90th percentile), and
/// how many pods are ready.
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
    /// The pods of what has that name, of any kind where none is given; both are names that Kubernetes admits.
    pub(crate) fn of(namespace: &str, name: &str, kind: Option<TargetKind>) -> Self {
        let ending = match kind {
            None => "([a-z0-9]+-[a-z0-9]{5}|[0-9]+)",
            Some(TargetKind::Deployment | TargetKind::Rollout) => "[a-z0-9]+-[a-z0-9]{5}",
            Some(TargetKind::StatefulSet) => "[0-9]+",
        };
        let space = format!("namespace=\"{namespace}\"");
        let matchers = format!("{space},pod=~\"{}-{ending}\"", name.replace('.', "[.]"));
        let owner = format!("owner_name!=\"{name}\"");
        // A pod of a Deployment or of a Rollout belongs to a ReplicaSet, and that to it.
        let set = format!("kube_pod_owner{{{matchers},owner_kind=\"ReplicaSet\"}}");
        let foreign = format!(
            "(kube_pod_owner{{{matchers},owner_kind!=\"ReplicaSet\",{owner}}} or label_replace({set}, \"replicaset\", \
             \"$1\", \"owner_name\", \"(.*)\") and on (namespace, replicaset) kube_replicaset_owner{{{space},{owner}}})"
        );
        Pods { matchers, foreign }
    }

    /// A metric of all pods that are named so, once for each: several instances of kube-state-metrics tell of the same.
    pub(crate) fn all(&self, metric: &str, more: &str) -> String {
        format!("max by (namespace, pod) ({metric}{{{}{more}}})", self.matchers)
    }

    /// Of a vector by namespace and pod, what belongs to the workload.
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
