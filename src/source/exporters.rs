//! What cAdvisor and kube-state-metrics report about a workload: the PromQL queries, and which exporter answers each.
//!
//! The server, `capacity`, `assess`, `doctor` and `init` all use these queries. Names become part of a query only as
//! escaped strings.

mod reading;

pub use reading::read_service;

use super::promql::string_literal;
use crate::policy::TargetKind;

/// The workload to ask about.
#[derive(Debug, Clone, Copy)]
pub struct Service<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its kind; `None` if it was not given.
    pub kind: Option<TargetKind>,
}

/// A quantity that exporters report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportedMetric {
    /// Replicas that are ready.
    Ready,
    /// CPU cores that all replicas use.
    Cpu,
    /// CPU cores requested by one replica.
    Request,
    /// Share of scheduling periods in which the replicas were throttled by their CPU limit.
    Throttled,
    /// A number that changes with each pod template.
    Template,
}

// === impl Service ===

impl Service<'_> {
    /// The query for a quantity; `None` if no exporter reports it for this kind.
    pub fn asks(&self, what: ExportedMetric) -> Option<String> {
        match what {
            ExportedMetric::Ready => Some(self.ready()),
            ExportedMetric::Cpu => {
                Some(format!("sum(rate(container_cpu_usage_seconds_total{{{}}}[2m]))", self.containers()))
            }
            ExportedMetric::Request => Some(format!(
                "max(sum by (pod) (kube_pod_container_resource_requests{{{},resource=\"cpu\"}}))",
                self.pods()
            )),
            ExportedMetric::Throttled => {
                let of = format!("{{{}}}[2m]", self.containers());
                Some(format!(
                    "sum(rate(container_cpu_cfs_throttled_periods_total{of})) / \
                     sum(rate(container_cpu_cfs_periods_total{of}))"
                ))
            }
            ExportedMetric::Template => (self.kind != Some(TargetKind::StatefulSet)).then(|| self.template()),
        }
    }

    /// Selects its pods: names of a Deployment's or a Rollout's pods end with two hashes, those of a `StatefulSet`
    /// with a number.
    fn pods(&self) -> String {
        let end = match self.kind {
            Some(TargetKind::StatefulSet) => "[0-9]+",
            None => "([a-z0-9]+-[a-z0-9]{5}|[0-9]+)",
            Some(TargetKind::Deployment | TargetKind::Rollout) => "[a-z0-9]+-[a-z0-9]+",
        };
        let names = string_literal(&format!("{}-{end}", self.literal()));
        format!("namespace={},pod=~{names}", string_literal(self.namespace))
    }

    /// The same without the pause container, which only holds a pod's network, and without the sums over containers.
    fn containers(&self) -> String {
        format!("{},container!=\"\",container!=\"POD\"", self.pods())
    }

    fn ready(&self) -> String {
        let of = |metric: &str, label: &str| {
            let (namespace, name) = (string_literal(self.namespace), string_literal(self.name));
            format!("max({metric}{{namespace={namespace},{label}={name}}})")
        };
        let deployment = of("kube_deployment_status_replicas_ready", "deployment");
        let set = of("kube_statefulset_status_replicas_ready", "statefulset");
        let rollout = of("rollout_info_replicas_available", "name");
        match self.kind {
            Some(TargetKind::Deployment) => deployment,
            Some(TargetKind::StatefulSet) => set,
            Some(TargetKind::Rollout) => rollout,
            None => format!("{deployment} or {set} or {rollout}"),
        }
    }

    /// The age of the newest running `ReplicaSet`: a number that changes with each new template, and only then.
    fn template(&self) -> String {
        let sets = string_literal(&format!("{}-[a-z0-9]+", self.literal()));
        let of = format!("{{namespace={},replicaset=~{sets}}}", string_literal(self.namespace));
        format!(
            "max(kube_replicaset_created{of} and on (namespace, replicaset) \
             kube_replicaset_status_ready_replicas{of} > 0)"
        )
    }

    fn literal(&self) -> String {
        self.name.replace('.', "[.]")
    }
}

// === impl ExportedMetric ===

impl ExportedMetric {
    /// The quantity in words, with the exporter that has it: for the message that it is missing.
    pub fn missed(self, kind: Option<TargetKind>) -> &'static str {
        match (self, kind) {
            (ExportedMetric::Ready, Some(TargetKind::Rollout)) => {
                "ready replicas: the controller of Argo Rollouts has them"
            }
            (ExportedMetric::Ready, _) => "ready replicas: kube-state-metrics has them",
            (ExportedMetric::Cpu, _) => "CPU: cAdvisor, scraped from the kubelets, has it",
            (ExportedMetric::Request, _) => "the CPU request of a replica: kube-state-metrics has it",
            (ExportedMetric::Throttled, _) => "CPU throttling: cAdvisor, scraped from the kubelets, has it",
            (ExportedMetric::Template, _) => {
                "the pod template: kube-state-metrics has it (kube_replicaset_created)"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: impl Into<Option<TargetKind>>, what: ExportedMetric) -> String {
        Service { namespace: "shop", name: "web.eu", kind: kind.into() }.asks(what).unwrap_or_default()
    }

    #[test]
    fn each_kind_of_workload_has_its_questions() {
        assert!(
            asked(TargetKind::Deployment, ExportedMetric::Ready)
                .contains("kube_deployment_status_replicas_ready")
        );
        assert!(
            asked(TargetKind::Deployment, ExportedMetric::Cpu)
                .contains("pod=~\"web[.]eu-[a-z0-9]+-[a-z0-9]+\"")
        );
        assert!(asked(TargetKind::Deployment, ExportedMetric::Template).contains("kube_replicaset_created"));
        assert!(asked(TargetKind::StatefulSet, ExportedMetric::Cpu).contains("web[.]eu-[0-9]+\""));
        assert_eq!(asked(TargetKind::StatefulSet, ExportedMetric::Template), "");
        assert!(
            asked(TargetKind::Rollout, ExportedMetric::Ready).contains("rollout_info_replicas_available")
        );
        let any = asked(None, ExportedMetric::Ready);
        assert!(any.contains("kube_deployment") && any.contains("or max(kube_statefulset"), "{any}");
    }
}
