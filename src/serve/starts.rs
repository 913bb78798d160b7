//! The questions that `leadTime: auto` asks of kube-state-metrics.
//!
//! Pods are told by the name of the ScaledObject, which its Deployment usually shares. A name that is none of
//! Kubernetes' is not asked about: it would become part of PromQL.

/// How long the pods started within the last half hour took from creation to readiness (their 90th percentile), and
/// how many pods are ready; `None` for names that are none.
pub(super) fn start_queries(namespace: &str, name: &str) -> Option<[String; 2]> {
    if !is_name(namespace) || !is_name(name) {
        return None;
    }
    let pods = format!("namespace=\"{namespace}\",pod=~\"{}-.*\"", name.replace('.', "[.]"));
    // Several instances of kube-state-metrics tell of the same pods.
    let of = |metric: &str| format!("max by (namespace, pod) ({metric}{{{pods}}})");
    let created = of("kube_pod_created");
    let took = format!("{} - on (namespace, pod) {created}", of("kube_pod_status_ready_time"));
    let lately = format!("quantile(0.9, ({took}) and on (namespace, pod) (time() - {created} < 1800))");
    let ready = format!("sum(max by (namespace, pod) (kube_pod_status_ready{{{pods},condition=\"true\"}}))");
    Some([lately, ready])
}

/// Whether Kubernetes would accept it as a name.
fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    (1..=253).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_become_part_of_a_query() {
        let [lately, ready] = start_queries("shop", "web.eu").expect("names");
        assert!(lately.contains("kube_pod_created{namespace=\"shop\",pod=~\"web[.]eu-.*\"}"), "{lately}");
        assert!(ready.starts_with("sum(max by (namespace, pod) (kube_pod_status_ready{"), "{ready}");
        for (namespace, name) in [("shop", "web\"} or vector(1)"), ("", "web"), ("Shop", "web")] {
            assert_eq!(start_queries(namespace, name), None, "{namespace}/{name}");
        }
    }
}
