//! The description of every key of the configuration. The reader decides which keys exist; a test keeps the two in
//! sync.

/// Key, form, default and meaning of everything that the file may contain.
const KEYS: &[(&str, &str, &str, &str)] = &[
    ("calendars.NAME", "path", "", "An iCalendar file that policies may name by `calendar`."),
    (
        "datasources.NAME",
        "map",
        "",
        "A Prometheus, Thanos, Mimir or VictoriaMetrics; triggers that name none use `default`.",
    ),
    (
        "datasources.NAME.url",
        "URL",
        "",
        "`http` or `https`, without credentials; a path is kept as prefix. Required.",
    ),
    ("datasources.NAME.bearerToken", "text", "", "Sent as a bearer token; better a file."),
    ("datasources.NAME.bearerTokenFile", "path", "", "The same from a file, read for each request."),
    ("datasources.NAME.basic.username", "text", "", "The user of basic authentication."),
    ("datasources.NAME.basic.password", "text", "", "Its password; better a file."),
    ("datasources.NAME.basic.passwordFile", "path", "", "The same from a file, read for each request."),
    (
        "datasources.NAME.headers",
        "map",
        "",
        "Headers sent with each request, such as `X-Scope-OrgID`; values are never shown.",
    ),
    (
        "datasources.NAME.queryParameters",
        "map",
        "",
        "Parameters sent with each query, such as `dedup: 'true'`.",
    ),
    ("datasources.NAME.tls.ca", "path", "the system's", "The only authorities to trust, PEM."),
    ("datasources.NAME.tls.cert", "path", "", "Client certificate, PEM; read again when it changes."),
    ("datasources.NAME.tls.key", "path", "", "The key that belongs to it."),
    ("datasources.NAME.tls.insecureSkipVerify", "true or false", "false", "Accept any certificate."),
    ("datasources.NAME.timeout", "duration", "30s", "The longest a request may take, answer included."),
    ("datasources.NAME.maxConcurrent", "whole number", "4", "The most requests at a time."),
    (
        "datasources.NAME.maxPerSecond",
        "whole number",
        "500",
        "The most requests a second; what is beyond waits.",
    ),
    ("datasources.NAME.namespaces", "list", "all", "Namespaces whose workloads may use it."),
    (
        "events",
        "list",
        "none",
        "What happens once and concerns many workloads: maps of `name`, `start`, `end`, `timezone`, `workloads` \
         (patterns such as `shop/*`) and `min`, `max`, `exactly` or `factor`. Read again when the file changes.",
    ),
    ("grpc.keepalive", "duration", "30s", "How often an idle connection is probed."),
    (
        "grpc.maxConnectionAge",
        "duration",
        "30m",
        "Age at which a connection is asked to end, so that callers spread over new replicas.",
    ),
    ("grpc.tls.cert", "path", "", "The server's certificate, PEM; plaintext where `grpc.tls` is not given."),
    ("grpc.tls.key", "path", "", "The key that belongs to it."),
    (
        "grpc.tls.clientCa",
        "path",
        "",
        "Authorities of clients, PEM: only who shows a certificate of theirs is served.",
    ),
    ("limits.connections", "whole number", "1000", "Connections of each listener."),
    ("limits.metadataBytes", "whole number", "65536", "Bytes of a trigger's metadata."),
    ("limits.responseBytes", "whole number", "16777216", "Bytes of one answer of a data source."),
    ("limits.seriesPoints", "whole number", "600000", "Points of one series."),
    (
        "limits.historyPoints",
        "whole number",
        "150000000",
        "Points of all series together, window by step; a workload beyond it has no forecast.",
    ),
    ("limits.streams", "whole number", "20000", "Streams of `external-push` at a time."),
    ("limits.workloads", "whole number", "10000", "Workloads at a time."),
    ("listen.grpc", "address", "0.0.0.0:6000", "Where KEDA calls."),
    ("listen.http", "address", "0.0.0.0:8080", "Metrics, health, the API and the page."),
    ("log.format", "`text`, `json`", "text", "The form of a log line."),
    ("log.level", "text", "info", "A level, or directives such as `info,forescale=debug`."),
    (
        "page.grafana",
        "URL",
        "",
        "Where a workload's dashboard is: the page links to it. `{namespace}`, `{name}`, `{metric}`, `{from}` and \
         `{to}` are filled in.",
    ),
    (
        "page.pricePerReplicaHour",
        "number",
        "",
        "What one replica costs in an hour, such as `0.04`: the page tells savings in money, too.",
    ),
    ("policies", "path", "", "The directory of named policies; read again when it changes."),
    (
        "serverAddressAllow",
        "list",
        "none",
        "Addresses that a trigger's `serverAddress` may name: scheme, host and port.",
    ),
    ("shutdownGrace", "duration", "20s", "How long open calls may take to end."),
    (
        "startupGrace",
        "duration",
        "30s",
        "How long a workload without history waits before it is answered with what it needs now.",
    ),
    (
        "state.path",
        "path",
        "",
        "A directory of its own for what a restart need not read again; nothing is kept without it.",
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
