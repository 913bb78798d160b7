//! The checks: one function for each link of the chain, in order.
//!
//! A check says what it found; if something is wrong, also what was expected and what to do. They include the five
//! most common problems of operators: `hpa_scales` (the HPA does not scale), `pending_pods`, `flapping`
//! (oscillation), `replicas_follow` (replicas lag) and `cost` (more is spent than the load needs).

mod cluster;
mod hpa;
mod scaled;
mod seen;
mod source;

use super::facts::Facts;
use super::finding::{Check, Finding, skipped};
use super::printed::Scaled;
use crate::units::Time;

/// Where a link can be observed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Anyhow,
    InPrometheus,
    /// In the series of kube-state-metrics, which Prometheus must scrape.
    InCluster,
}

use Seen::{Anyhow, InCluster, InPrometheus};

type Link = (&'static str, &'static str, Seen, fn(&Facts) -> Finding);

const LINKS: [Link; 19] = [
    ("server", "does Forescale answer?", Anyhow, source::server),
    ("keda_calls", "does KEDA ask for this workload?", Anyhow, source::keda_calls),
    ("metadata", "are the trigger's keys valid?", Anyhow, source::metadata),
    ("data_source", "does Prometheus answer?", Anyhow, source::data_source),
    ("one_series", "does the query yield exactly one series?", InPrometheus, source::one_series),
    ("metric_type", "is a rate taken of counters, and of nothing else?", InPrometheus, source::metric_type),
    ("clock_skew", "do the clocks agree?", Anyhow, source::clock_skew),
    ("fresh", "does the decision rest on fresh samples?", Anyhow, source::fresh),
    ("history", "is there enough history?", Anyhow, source::history),
    ("forecast", "is the forecast trusted?", Anyhow, source::forecast),
    ("capacity", "does a replica carry what the threshold says?", Anyhow, source::capacity),
    ("hpa_metric", "does the HPA see our metric?", InCluster, cluster::hpa_metric),
    ("hpa_scales", "does the HPA want what we answer?", InCluster, cluster::hpa_scales),
    ("replicas_follow", "do ready pods follow what the HPA wants?", InCluster, cluster::replicas_follow),
    ("pending_pods", "are pods waiting for a node?", InCluster, cluster::pending_pods),
    ("flapping", "does the number of replicas go up and down?", InCluster, cluster::flapping),
    ("over_scaling", "do more pods run than are needed?", InCluster, cluster::over_scaling),
    ("capped", "does a limit cut the answer?", Anyhow, cluster::capped),
    ("cost", "is more answered than the load needs?", InPrometheus, cluster::cost),
];

const NO_CLUSTER: &str =
    "Prometheus has no series of kube-state-metrics: install it, and let Prometheus scrape it";

/// Runs every check.
pub(super) fn all(facts: &Facts) -> Vec<Check> {
    let judged = |&(name, asks, seen, judge): &Link| {
        let finding = match &facts.prometheus {
            None if seen != Anyhow => skipped("no --prometheus or --config was given"),
            Some(Err(_)) if seen != Anyhow => skipped("Prometheus does not answer"),
            _ if seen == InCluster && !facts.sees_cluster => skipped(NO_CLUSTER),
            _ => judge(facts),
        };
        Check { name, asks, finding }
    };
    LINKS.iter().map(judged).collect()
}

type Told = (&'static str, &'static str, fn(&Scaled, Time) -> Finding);

/// What is judged of a ScaledObject and its HPA as `kubectl` prints them.
const TOLD: [Told; 10] = [
    ("ready", "is the ScaledObject ready?", scaled::ready),
    ("active", "does it run where KEDA sees it active?", scaled::active),
    ("fallback", "does Forescale answer, and not KEDA's fallback?", scaled::fallback),
    ("paused", "is it free to scale?", scaled::paused),
    ("hpa_found", "is there an HPA?", hpa::found),
    ("hpa_able", "can the HPA scale its target?", hpa::able),
    ("hpa_active", "can the HPA compute its metrics?", hpa::active),
    ("hpa_limited", "does a limit of the HPA cut its answer?", hpa::limited),
    ("hpa_sees", "does the HPA hold our metric, with a value?", hpa::sees),
    ("hpa_follows", "does the target follow what the HPA wants?", hpa::follows),
];

/// Judges what was printed of a workload at that instant.
pub(super) fn of_printed(scaled: &Scaled, at: Time) -> Vec<Check> {
    TOLD.iter().map(|&(name, asks, judge)| Check { name, asks, finding: judge(scaled, at) }).collect()
}

#[cfg(test)]
mod tests;
