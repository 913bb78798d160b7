//! The description of every key of the configuration. The reader decides which keys exist; a test keeps the two in
//! sync.

/// Key, form, default and meaning of everything that the file may contain.
const KEYS: &[(&str, &str, &str, &str)] = &[
    ("calendars.NAME", "path", "", "An iCalendar file. Policies refer to it with `calendar: NAME`."),
    (
        "datasources.NAME",
        "map",
        "",
        "A Prometheus, Thanos, Mimir or VictoriaMetrics. Triggers without `datasource` use the one named `default`.",
    ),
    (
        "datasources.NAME.url",
        "URL",
        "",
        "Its URL, `http` or `https`, without credentials; its path is the prefix of all requests. Required.",
    ),
    ("datasources.NAME.bearerToken", "text", "", "The bearer token of each request. A file is better."),
    (
        "datasources.NAME.bearerTokenFile",
        "path",
        "",
        "A file with the bearer token; it is read for each request.",
    ),
    ("datasources.NAME.basic.username", "text", "", "User name for basic authentication."),
    ("datasources.NAME.basic.password", "text", "", "Password for basic authentication. A file is better."),
    (
        "datasources.NAME.basic.passwordFile",
        "path",
        "",
        "A file with the password; it is read for each request.",
    ),
    (
        "datasources.NAME.headers",
        "map",
        "",
        "Headers of each request, such as `X-Scope-OrgID`. Their values are never shown.",
    ),
    ("datasources.NAME.queryParameters", "map", "", "Parameters of each query, such as `dedup: 'true'`."),
    (
        "datasources.NAME.tls.ca",
        "path",
        "the system's",
        "PEM file with the certificate authorities to trust, and no others.",
    ),
    (
        "datasources.NAME.tls.cert",
        "path",
        "",
        "PEM file with the client certificate. It is read again when it changes.",
    ),
    ("datasources.NAME.tls.key", "path", "", "PEM file with the private key of `cert`."),
    (
        "datasources.NAME.tls.insecureSkipVerify",
        "true or false",
        "false",
        "Accept any certificate of the data source.",
    ),
    (
        "datasources.NAME.timeout",
        "duration",
        "30s",
        "The longest time that a request may take, with its answer.",
    ),
    ("datasources.NAME.maxConcurrent", "whole number", "4", "The most requests at once."),
    (
        "datasources.NAME.maxPerSecond",
        "whole number",
        "500",
        "The most requests per second; further ones wait.",
    ),
    ("datasources.NAME.namespaces", "list", "all", "Namespaces whose workloads may use it."),
    (
        "events",
        "list",
        "none",
        "One-time events for many workloads: maps of `name`, `start`, `end`, `timezone`, `workloads` (patterns such as \
         `shop/*`) and `min`, `max`, `exactly` or `factor`. They are read again when the file changes.",
    ),
    ("grpc.keepalive", "duration", "30s", "How often an idle connection is probed."),
    (
        "grpc.maxConnectionAge",
        "duration",
        "30m",
        "Age at which a connection is asked to end, so that clients connect to new replicas too.",
    ),
    (
        "grpc.tls.cert",
        "path",
        "",
        "PEM file with the server's certificate. Without `grpc.tls`, connections are not encrypted.",
    ),
    ("grpc.tls.key", "path", "", "PEM file with the private key of `cert`."),
    (
        "grpc.tls.clientCa",
        "path",
        "",
        "PEM file with certificate authorities: only clients with a certificate of one of them are served.",
    ),
    ("limits.connections", "whole number", "1000", "The most connections of each listener."),
    ("limits.metadataBytes", "whole number", "65536", "The most bytes of a trigger's metadata."),
    ("limits.responseBytes", "whole number", "16777216", "The most bytes of one answer of a data source."),
    ("limits.seriesPoints", "whole number", "600000", "The most points of one series."),
    (
        "limits.historyPoints",
        "whole number",
        "150000000",
        "The most points of all series together (window divided by step). A workload beyond it has no forecast.",
    ),
    ("limits.streams", "whole number", "20000", "The most streams of `external-push` at once."),
    ("limits.workloads", "whole number", "10000", "The most workloads at once."),
    ("listen.grpc", "address", "0.0.0.0:6000", "Address of the gRPC service that KEDA calls."),
    ("listen.http", "address", "0.0.0.0:8080", "Address for metrics, health, the API and the page."),
    ("log.format", "`text`, `json`", "text", "The format of log lines."),
    ("log.level", "text", "info", "The log level, or directives such as `info,forescale=debug`."),
    (
        "page.grafana",
        "URL",
        "",
        "The URL of a workload's dashboard, to which the page links. `{namespace}`, `{name}`, `{metric}`, `{from}` and \
         `{to}` are replaced.",
    ),
    (
        "page.pricePerReplicaHour",
        "number",
        "",
        "What one replica costs per hour, such as `0.04`. Then the page shows savings in money too.",
    ),
    ("policies", "path", "", "A directory of named policies. It is read again when it changes."),
    (
        "serverAddressAllow",
        "list",
        "none",
        "The addresses (scheme, host and port) allowed in a trigger's `serverAddress`.",
    ),
    ("shutdownGrace", "duration", "20s", "How long open calls may take to end when the server stops."),
    (
        "startupGrace",
        "duration",
        "30s",
        "How long KEDA gets no answer for a workload whose history is not read yet; then the answer is what the load \
         needs now.",
    ),
    (
        "state.path",
        "path",
        "",
        "A directory of the server's own, for data that is then not read again after a restart. Without it nothing is \
         kept.",
    ),
];

/// The table as Markdown.
pub(in crate::source) fn table() -> String {
    let mut out = String::from("| key | form | default | meaning |\n| --- | --- | --- | --- |\n");
    for (key, form, default, meaning) in KEYS {
        out += &format!("| `{key}` | {form} | {default} | {meaning} |\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::KEYS;
    use crate::source::config::{ConfigError, Placed, ServerConfig};

    #[test]
    fn it_names_what_the_reader_reads() {
        // The fault for an unknown key lists every known key of its section.
        const UNKNOWN: &str = "qqqqqqqqqqqqqqqqqqqqqqqq";
        for (section, text) in [
            ("", "UNKNOWN: 1"),
            ("listen", "listen: {UNKNOWN: 1}"),
            ("datasources.NAME", "datasources: {NAME: {url: 'http://p', UNKNOWN: 1}}"),
            ("datasources.NAME.basic", "datasources: {NAME: {url: 'http://p', basic: {UNKNOWN: 1}}}"),
            ("datasources.NAME.tls", "datasources: {NAME: {url: 'https://p', tls: {UNKNOWN: 1}}}"),
            ("grpc", "grpc: {UNKNOWN: 1}"),
            ("grpc.tls", "grpc: {tls: {UNKNOWN: 1}}"),
            ("limits", "limits: {UNKNOWN: 1}"),
            ("log", "log: {UNKNOWN: 1}"),
            ("page", "page: {UNKNOWN: 1}"),
            ("state", "state: {UNKNOWN: 1}"),
        ] {
            let text = text.replace("UNKNOWN", UNKNOWN).replace("NAME", "default");
            let Err(ConfigError::Faults(faults)) = ServerConfig::parse(&text, &BTreeMap::new()) else {
                panic!("{text} is taken");
            };
            let is_it = |p: &&Placed| p.fault.key.ends_with(UNKNOWN);
            let fault = &faults.iter().find(is_it).expect("reported").fault;
            let known = fault.expected.strip_prefix("one of ").expect("a list").split(", ");
            let known: BTreeSet<&str> = known.collect();
            let prefix = if section.is_empty() { String::new() } else { format!("{section}.") };
            let told = KEYS.iter().filter_map(|row| row.0.strip_prefix(&prefix));
            let told: BTreeSet<&str> =
                told.map(|key| key.split('.').next().unwrap_or(key)).filter(|key| *key != "NAME").collect();
            assert_eq!(told, known, "{section}");
        }
    }

    #[test]
    fn defaults_are_those_in_use() {
        let config = ServerConfig::parse("datasources: {default: {url: 'http://p'}}", &BTreeMap::new());
        let config = config.expect("valid");
        let (source, limits) = (&config.datasources["default"], &config.limits);
        let told = |key: &str| KEYS.iter().find(|row| row.0 == key).map_or("", |row| row.2);
        for (key, used) in [
            ("datasources.NAME.timeout", source.timeout.to_string()),
            ("datasources.NAME.maxConcurrent", source.max_concurrent.to_string()),
            ("datasources.NAME.maxPerSecond", source.max_per_second.to_string()),
            ("grpc.keepalive", config.grpc.keepalive.to_string()),
            ("grpc.maxConnectionAge", config.grpc.max_connection_age.to_string()),
            ("limits.connections", limits.connections.to_string()),
            ("limits.metadataBytes", limits.metadata_bytes.to_string()),
            ("limits.responseBytes", limits.response_bytes.to_string()),
            ("limits.seriesPoints", limits.series_points.to_string()),
            ("limits.historyPoints", limits.history_points.to_string()),
            ("limits.streams", limits.streams.to_string()),
            ("limits.workloads", limits.workloads.to_string()),
            ("listen.grpc", config.listen.grpc.to_string()),
            ("listen.http", config.listen.http.to_string()),
            ("log.level", config.log.level.clone()),
            ("shutdownGrace", config.shutdown_grace.to_string()),
            ("startupGrace", config.startup_grace.to_string()),
        ] {
            assert_eq!(told(key), used, "{key}");
        }
    }
}
