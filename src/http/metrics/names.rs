//! The names and help texts of all metrics.

use prometheus_client::registry::Unit;

use super::Metrics;

impl Metrics {
    pub(super) fn register_workloads(&mut self) {
        let r = &mut self.registry;
        r.register("desired_replicas", "Replicas answered to KEDA", self.desired.clone());
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
            "Share of samples at or below the forecast quantile, recently",
            self.coverage.clone(),
        );
        r.register(
            "forecast_skill_ratio",
            "Loss of the forecast over that of the seasonal naive, recently; below 1 is better",
            self.skill.clone(),
        );
        r.register(
            "trust",
            "The forecast is 1 trusted, 0.5 on probation, 0 distrusted; rule names who predicts in its place",
            self.trust.clone(),
        );
        r.register(
            "trust_ratio",
            "Loss of the forecast over that of the plain rule it is held against, at the insured quantile of the lead \
             window's peak; below 1 is better",
            self.trust_ratio.clone(),
        );
        self.register_ages();
        let r = &mut self.registry;
        r.register(
            "state",
            "1 for the state that a workload is in: the worst that is to be said of it",
            self.states.clone(),
        );
        r.register("events_open", "Events of the server's configuration that hold now", self.events.clone());
        r.register_with_unit(
            "capped_in",
            "Time until the limit on replicas is likely to bind; absent where it is not foreseen",
            Unit::Seconds,
            self.capped_in.clone(),
        );
        r.register(
            "replica_capacity",
            "Load that one replica was seen to carry, by what bounds it; absent where that cannot be told",
            self.capacity.clone(),
        );
        r.register(
            "replica_load",
            "Load per replica as given by the threshold, and as used by the newest decision, where the capacity is known",
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
            "Age of the newest decision; one that missed four polls, at least a minute old, is refused",
            Unit::Seconds,
            self.decision_age.clone(),
        );
        r.register("history_points", "Samples of the history in use", self.history_points.clone());
        r.register(
            "ignored_samples",
            "Samples of the last day that were not learned: a sudden rise that was gone within minutes",
            self.ignored.clone(),
        );
    }

    /// Insurance, scaling lag, and what the answers cost and left short.
    fn register_outcomes(&mut self) {
        let r = &mut self.registry;
        r.register("insurance_quantile", "Quantile of the forecast that is insured", self.insurance.clone());
        r.register_with_unit(
            "scaling_lag",
            "From the need for more replicas to as many running",
            Unit::Seconds,
            self.scaling_lag.clone(),
        );
        r.register_with_unit(
            "replica",
            "Replica-seconds in twins that are answered with the forecast and as a purely reactive trigger; what is \
             saved is reactive less predictive, and may be negative",
            Unit::Seconds,
            self.replicas.clone(),
        );
        r.register_with_unit(
            "short",
            "Time with fewer pods ready than the load needs, in the same twins, by how they are answered",
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
            "Time of fitting and calibrating",
            Unit::Seconds,
            self.prepare.clone(),
        );
        r.register_with_unit(
            "query_duration",
            "Time of queries to data sources",
            Unit::Seconds,
            self.query.clone(),
        );
        r.register_with_unit("grpc_duration", "Time of answering KEDA", Unit::Seconds, self.grpc.clone());
    }
}
