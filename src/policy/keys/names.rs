//! What keys are called, which of them are looked at, and what a metric may be called.

use std::collections::{BTreeMap, HashMap};

/// Every key that a workload may use, sorted.
pub const KNOWN_KEYS: &[&str] = &[
    "activationThreshold",
    "arrivalQuery",
    "calendar",
    "capacity",
    "completionsQuery",
    "cpuQuery",
    "datasource",
    "desiredReplicas",
    "drainGrace",
    "drainWithin",
    "end",
    "errorQuery",
    "events",
    "historyTimeWindow",
    "inFlightQuery",
    "latencyObjective",
    "latencyQuery",
    "leadTime",
    "maskedSpans",
    "maxReplicas",
    "maxStale",
    "metricName",
    "minReplicas",
    "mode",
    "objective",
    "override",
    "policy",
    "pollStep",
    "quantile",
    "query",
    "queryStep",
    "rejectedQuery",
    "replicaStep",
    "replicaTiers",
    "replicasQuery",
    "scaleToZeroAfter",
    "schedule",
    "serverAddress",
    "serviceRate",
    "settle",
    "signal",
    "spareReplicas",
    "start",
    "targetKind",
    "targetName",
    "targetUtilization",
    "threshold",
    "timezone",
    "tolerance",
    "underProvisionCost",
    "underProvisionTarget",
    "wakeAhead",
    "warmUp",
];

/// Keys that KEDA reads itself and passes on.
pub(super) const KEDA_KEYS: &[&str] =
    &["caCert", "enableTLS", "scalerAddress", "tlsClientCert", "tlsClientKey", "unsafeSsl"];

/// Whether a key is KEDA's own, or was resolved by KEDA from an environment: admitted and never looked at, since its
/// value may be a secret.
pub(super) fn is_unread_key(name: &str) -> bool {
    KEDA_KEYS.contains(&name) || name.ends_with("FromEnv")
}

/// The keys that are looked at; what may hold a credential is not among them, and is neither shown nor kept.
pub fn read_keys<S: std::hash::BuildHasher>(metadata: &HashMap<String, String, S>) -> BTreeMap<&str, &str> {
    metadata.iter().filter(|(key, _)| !is_unread_key(key)).map(|(k, v)| (k.as_str(), v.as_str())).collect()
}

/// The name of the HPA metric where `metricName` is not given.
pub(super) const DEFAULT_METRIC_NAME: &str = "forescale";

/// The metric's name by the metadata alone, the default where `metricName` is missing or faulty: `GetMetricSpec`
/// must succeed even then.
pub fn metric_name_or_default<S: std::hash::BuildHasher>(metadata: &HashMap<String, String, S>) -> &str {
    metadata.get("metricName").map(|t| t.trim()).filter(|t| is_label(t)).unwrap_or(DEFAULT_METRIC_NAME)
}

/// What [`is_label`] admits, in words.
pub(in crate::policy) const LABEL: &str = "1 to 63 characters of a-z, 0-9 and -";

/// Whether the text may name an HPA metric, a namespace or a data source: by its letters and its length an RFC 1123
/// label, which may stand in a URL path as it is.
pub fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
