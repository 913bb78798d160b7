//! The names and help texts of all metrics.

use prometheus_client::registry::Unit;

use super::Metrics;

impl Metrics {
    pub(super) fn register_workloads(&mut self) {
        let r = &mut self.registry;
        r.register("desired_replicas", "Replicas in the answer to KEDA", self.desired.clone());
        r.register("required_replicas", "Replicas each contributor asks for", self.required.clone());
        r.register("decisions", "Decisions by direction of change and reason", self.decisions.clone());
        r.register("load", "Newest load, in the unit of the first query", self.load.clone());
        r.register(
            "forecast_load",
            "Quantile of the load's peak in the lead window",
            self.forecast_load.clone(),
        );
        r.register(
            "forecast_coverage_ratio",
            "Recent share of samples at or below the forecast quantile",
            self.coverage.clone(),
        );
        r.register(
            "forecast_skill_ratio",
            "Recent loss of the forecast divided by that of the seasonal naive; below 1 is better",
            self.skill.clone(),
        );
        r.register(
            "trust",
            "Trust in the forecast: 1 trusted, 0.5 on probation, 0 distrusted; rule is the rule that predicts",
            self.trust.clone(),
        );
        r.register(
            "trust_ratio",
            "Loss of the forecast divided by that of the plain rule it is compared with, at the insured quantile of the \
             lead window's peak; below 1 is better",
            self.trust_ratio.clone(),
        );
        self.register_ages();
        let r = &mut self.registry;
        r.register("state", "1 for the worst state that a workload is in", self.states.clone());
        r.register(
            "events_open",
            "Events of the server's configuration that are in force",
            self.events.clone(),
        );
        r.register_with_unit(
            "capped_in",
            "Time until the limit on replicas is likely to be reached; absent if that is not expected",
            Unit::Seconds,
            self.capped_in.clone(),
        );
        r.register(
            "replica_capacity",
            "Load that one replica can carry, as observed, by what limits it; absent while it is unknown",
            self.capacity.clone(),
        );
        r.register(
            "replica_load",
            "Load per replica: the threshold, and what the newest decision used; absent while the capacity is unknown",
            self.per_replica.clone(),
        );
        self.register_outcomes();
    }

    /// How old the known data is, and how much there is.
    fn register_ages(&mut self) {
        let r = &mut self.registry;
        r.register_with_unit(
            "history_age",
            "Age of the newest sample",
            Unit::Seconds,
            self.history_age.clone(),
        );
        r.register_with_unit(
            "decision_age",
            "Age of the newest decision; KEDA gets none older than four polls (at least a minute)",
            Unit::Seconds,
            self.decision_age.clone(),
        );
        r.register("history_points", "Samples of the history in use", self.history_points.clone());
        r.register(
            "ignored_samples",
            "Samples that were not learned, of sudden rises that were gone within minutes; 0 after a day without one",
            self.ignored.clone(),
        );
    }

    /// Insurance, scaling lag, and what the answers cost and left short.
    fn register_outcomes(&mut self) {
        let r = &mut self.registry;
        r.register("insurance_quantile", "Quantile of the forecast that is insured", self.insurance.clone());
        r.register_with_unit(
            "scaling_lag",
            "Time from the need for more replicas until that many run",
            Unit::Seconds,
            self.scaling_lag.clone(),
        );
        r.register_with_unit(
            "replica",
            "Replica-seconds of the simulated workload, answered with the forecast and as a purely reactive trigger; the \
             saving is reactive minus predictive, and may be negative",
            Unit::Seconds,
            self.replicas.clone(),
        );
        r.register_with_unit(
            "short",
            "Time with fewer pods ready than the load needs, in the same simulations",
            Unit::Seconds,
            self.short.clone(),
        );
    }

    pub(super) fn register_server(&mut self) {
        let r = &mut self.registry;
        r.register("workloads", "Workloads known", self.workloads.clone());
        r.register("series", "Distinct series kept", self.series.clone());
        r.register_with_unit("series", "Memory of the series kept", Unit::Bytes, self.series_bytes.clone());
        r.register_with_unit(
            "clock_skew",
            "Largest difference between a data source's clock and ours",
            Unit::Seconds,
            self.clock_skew.clone(),
        );
        r.register_with_unit(
            "prepare_duration",
            "Duration of fitting and calibrating",
            Unit::Seconds,
            self.prepare.clone(),
        );
        r.register_with_unit(
            "query_duration",
            "Duration of queries to data sources",
            Unit::Seconds,
            self.query.clone(),
        );
        r.register_with_unit("grpc_duration", "Duration of answering KEDA", Unit::Seconds, self.grpc.clone());
    }
}
