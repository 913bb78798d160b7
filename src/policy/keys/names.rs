//! The names of all keys, which of them are read, and which names a metric may have.
//!
//! Keys that may hold a credential are never read, so they cannot be shown or stored.

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

/// Keys that KEDA uses itself and passes on.
pub(super) const KEDA_KEYS: &[&str] =
    &["caCert", "enableTLS", "scalerAddress", "tlsClientCert", "tlsClientKey", "unsafeSsl"];

/// Whether a key is KEDA's own, or was resolved by KEDA from the environment: accepted but never read, since its
/// value may be a secret.
pub(super) fn is_unread_key(name: &str) -> bool {
    KEDA_KEYS.contains(&name) || is_from_env(name)
}

/// Whether KEDA reads the value of a key from the environment of the pods.
pub fn is_from_env(name: &str) -> bool {
    name.ends_with("FromEnv")
}

/// Where the secret belongs that the name of a key promises; `None` for any other name.
pub fn secret_place(name: &str) -> Option<&'static str> {
    const PLACES: [(&str, &[&str]); 3] = [
        ("datasources.NAME.basic.passwordFile", &["password", "passwd"]),
        ("datasources.NAME.tls.key", &["privatekey"]),
        ("datasources.NAME.bearerTokenFile", &["secret", "token", "apikey", "credential", "bearer"]),
    ];
    let plain: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    PLACES.iter().find(|(_, words)| words.iter().any(|word| plain.contains(word))).map(|(place, _)| *place)
}

/// The keys that are read. Keys that may hold a credential are left out, so they are neither shown nor stored.
pub fn read_keys<S: std::hash::BuildHasher>(metadata: &HashMap<String, String, S>) -> BTreeMap<&str, &str> {
    metadata.iter().filter(|(key, _)| !is_unread_key(key)).map(|(k, v)| (k.as_str(), v.as_str())).collect()
}

/// The name of the HPA metric if `metricName` is not given.
pub(super) const DEFAULT_METRIC_NAME: &str = "forescale";

/// The metric's name from the metadata alone, the default if `metricName` is missing or faulty: `GetMetricSpec` must
/// succeed even then.
pub fn metric_name_or_default<S: std::hash::BuildHasher>(metadata: &HashMap<String, String, S>) -> &str {
    metadata.get("metricName").map(|t| t.trim()).filter(|t| is_label(t)).unwrap_or(DEFAULT_METRIC_NAME)
}

/// What [`is_label`] accepts, in words.
pub(in crate::policy) const LABEL: &str = "1 to 63 characters of a-z, 0-9 and -";

/// Whether the text may name an HPA metric, a namespace or a data source: an RFC 1123 label by its characters and
/// length, which needs no escaping in a URL path.
pub fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
