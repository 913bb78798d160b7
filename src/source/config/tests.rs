//! Tests of the configuration: all keys at once, all faults at once, and no secret in a message.

use std::collections::BTreeMap;

use super::*;

fn env() -> BTreeMap<String, String> {
    [("TOKEN", "hunter2"), ("HOST", "prom.example"), ("N", "7"), ("LEAK", "hunter3")]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

fn good(text: &str) -> ServerConfig {
    ServerConfig::parse(text, &env()).unwrap_or_else(|e| panic!("{e}"))
}

fn faults(text: &str) -> Vec<Fault> {
    match ServerConfig::parse(text, &env()) {
        Err(ConfigError::Faults(faults)) => faults.into_iter().map(|placed| placed.fault).collect(),
        other => panic!("expected faults, got {other:?}"),
    }
}

#[test]
fn nothing_is_required() {
    for text in ["", "\n", "{}", "# only a comment\n"] {
        let config = good(text);
        assert_eq!(config.listen.grpc.to_string(), "0.0.0.0:6000");
        assert_eq!(config.listen.http.to_string(), "0.0.0.0:8080");
        assert!(config.datasources.is_empty() && config.server_address_allow.is_empty());
        assert_eq!((config.startup_grace, config.limits), (Span::seconds(30), Limits::default()));
        assert_eq!(config.log, LogConfig { format: LogFormat::Text, level: "info".to_owned() });
    }
}

#[test]
fn events_are_read_and_their_faults_told_at_once() {
    let sale =
        "{name: sale, start: 2026-11-27T06:00, end: 2026-11-28T00:00, workloads: ['shop/*'], factor: 3}";
    let config = good(&format!("events:\n  - {sale}\n"));
    assert_eq!((config.events.len(), config.events[0].name()), (1, "sale"));
    let found = faults(
        "events: [{name: a, workloads: [x]}, 7, {name: b, start: now, end: then, workloads: ['*/*'], min: -1}]",
    );
    let keys: Vec<&str> = found.iter().map(|fault| fault.key.as_str()).collect();
    for key in ["events[0]", "events[0].start", "events[0].end", "events[0].workloads[0]", "events[1]"] {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    for key in ["events[2].start", "events[2].end", "events[2].min"] {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    assert!(faults("events: {name: sale}")[0].key == "events");
    let many = format!("events: [{}]", vec![sale; 201].join(", "));
    assert!(faults(&many)[0].to_string().contains("at most 200"));
}

const FULL: &str = r#"
listen: {grpc: "[::]:6001", http: 127.0.0.1:8081}
datasources:
  default:
    url: https://${HOST}/prometheus/
    bearerToken: ${TOKEN}
    headers: {X-Scope-OrgID: 'tenant-$${a}'}
    tls: {ca: /ca.pem, cert: /c.pem, key: /k.pem, insecureSkipVerify: true}
    timeout: 10s
    maxConcurrent: ${N}
    namespaces: [a, b]
    queryParameters: {dedup: "true"}
  other:
    url: http://other:9090
    basic: {username: me, passwordFile: /secret/password}
serverAddressAllow: ["http://prom:9090/a"]
calendars: {berlin: berlin.ics}
policies: /etc/policies
state: {path: /var/lib/forescale}
startupGrace: 1m
shutdownGrace: 5s
limits:
  {metadataBytes: 1000, workloads: 10, seriesPoints: 100000, historyPoints: 1000000, responseBytes: 1000000}
grpc: {maxConnectionAge: 10m, keepalive: 15s, tls: {cert: /s.pem, key: /s.key, clientCa: /clients.pem}}
log: {format: json, level: "info,forescale=debug"}
"#;

#[test]
fn everything_is_read() {
    let config = good(FULL);
    let default = &config.datasources["default"];
    assert_eq!(default.url.as_str(), "https://prom.example/prometheus");
    assert!(matches!(&default.auth, Auth::Bearer(SecretSource::Inline(s)) if s.reveal() == "hunter2"));
    assert_eq!(default.headers[0].0, "x-scope-orgid");
    assert_eq!(default.headers[0].1.reveal(), "tenant-${a}");
    assert!(default.tls.ca.is_some() && default.tls.identity.is_some() && default.tls.insecure_skip_verify);
    assert_eq!((default.timeout, default.max_concurrent), (Span::seconds(10), 7));
    assert!(default.namespaces.as_ref().is_some_and(|n| n.contains("a") && n.len() == 2));
    let (name, value) = &default.query_parameters[0];
    assert_eq!((name.as_str(), value.reveal()), ("dedup", "true"));
    assert!(matches!(&config.datasources["other"].auth, Auth::Basic { username, .. } if username == "me"));
    assert_eq!((config.server_address_allow.len(), config.calendars.len()), (1, 1));
    assert_eq!((config.limits.workloads, config.limits.connections), (10, 1_000));
    assert_eq!(config.grpc.max_connection_age, Span::minutes(10));
    let tls = config.grpc.tls.clone().expect("given");
    assert_eq!((tls.cert, tls.key), ("/s.pem".into(), "/s.key".into()));
    assert_eq!(tls.client_ca, Some("/clients.pem".into()));
    assert_eq!((config.log.format, config.log.level.as_str()), (LogFormat::Json, "info,forescale=debug"));
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn every_fault_is_reported_at_once() {
    let found = faults(
        "listen: {grpc: nowhere}
datasources:
  default: {url: 'prometheus:9090', timout: 3s, timeout: 0s, maxConcurrent: none}
  Bad_Name: {}
serverAddressAllow: ['*', 7]
startupGrace: soon
limits: {workloads: 0}
log: {format: xml}
unknown: 1
",
    );
    let keys: Vec<&str> = found.iter().map(|f| f.key.as_str()).collect();
    for key in [
        "listen.grpc",
        "datasources.default.url",
        "datasources.default.timout",
        "datasources.default.timeout",
        "datasources.default.maxConcurrent",
        "datasources.Bad_Name",
        "datasources.Bad_Name.url",
        "serverAddressAllow[0]",
        "serverAddressAllow[1]",
        "startupGrace",
        "limits.workloads",
        "log.format",
        "unknown",
    ] {
        assert!(keys.contains(&key), "{key} is missing in {keys:?}");
    }
    assert_eq!(keys.len(), 13, "{found:#?}");
    let near = found.iter().find(|f| f.key.ends_with("timout")).expect("reported");
    assert_eq!(near.expected, "a known key, the nearest is 'timeout'");
}

#[test]
fn each_contradiction_has_its_key() {
    let check = |source: &str, key: &str| {
        let found = faults(&format!("datasources:\n  a: {source}\n"));
        assert_eq!(found.len(), 1, "{source}: {found:#?}");
        assert_eq!(found[0].key, format!("datasources.a.{key}"), "{source}");
    };
    check("{url: 'http://x', bearerToken: a, bearerTokenFile: b}", "bearerTokenFile");
    check("{url: 'http://x', bearerTokenFile: a, basic: {username: a, password: b}}", "basic");
    check("{url: 'http://x', basic: {username: a, password: b, passwordFile: c}}", "basic.passwordFile");
    check("{url: 'http://x', basic: {username: a}}", "basic.password");
    check("{url: 'http://x', basic: {password: a}}", "basic.username");
    check("{url: 'http://x', tls: {insecureSkipVerify: true}}", "tls");
    check("{url: 'https://x', tls: {cert: a}}", "tls.key");
    check("{url: 'https://x', tls: {key: a}}", "tls.cert");
    check("{url: 'http://x', headers: {Content-Type: a}}", "headers.Content-Type");
    check("{url: 'http://x', bearerToken: a, headers: {Authorization: b}}", "headers.Authorization");
    check("{url: 'http://x', queryParameters: {query: up}}", "queryParameters.query");
    check("{url: 'http://x', bearerToken: '${NOT_SET}'}", "bearerToken");
    check("{url: 'http://x', bearerToken: 12345}", "bearerToken");
    check("{bearerToken: a}", "url");
    check("{url: 7}", "url");
}

#[test]
fn half_of_tls_is_never_plaintext() {
    for (text, keys) in [
        ("{}", vec!["grpc.tls.cert", "grpc.tls.key"]),
        ("{cert: a}", vec!["grpc.tls.key"]),
        ("{clientCa: a, key: ''}", vec!["grpc.tls.key", "grpc.tls.cert"]),
        ("{cert: a, key: b, ca: c}", vec!["grpc.tls.ca"]),
        ("yes", vec!["grpc.tls"]),
    ] {
        let found = faults(&format!("grpc: {{tls: {text}}}\n"));
        for key in keys {
            assert!(found.iter().any(|f| f.key == key), "{text}: {found:?}");
        }
    }
    assert_eq!(good("grpc: {keepalive: 15s}\n").grpc.tls, None);
}

#[test]
fn no_fault_shows_a_secret() {
    let text = "datasources:
  a: {url: 'http://me:hunter2@x', bearerToken: \"hunter2\\n\", timeout: '${LEAK}'}
  b: {url: 'http://x', basic: {username: 1, password: 'hunter2${'}, headers: {a: \"hunter2\\n\"}}
  c: {url: 'ftp://${TOKEN}', maxConcurrent: '${TOKEN}'}
log: {level: '${TOKEN}=='}
startupGrace: ${LEAK}
serverAddressAllow: ['http://me:hunter2@x']
";
    let found = faults(text);
    assert!(found.len() >= 9, "{found:#?}");
    let shown = ServerConfig::parse(text, &env()).expect_err("faulty").to_string();
    assert!(!shown.contains("hunter"), "{shown}");
    let credentials = shown.matches("the URL contains credentials").count();
    assert_eq!(credentials, 2, "once for each of the two URLs: {shown}");
    let broken = ServerConfig::parse("a: hunter2\n  b: [hunter2", &env()).expect_err("no YAML").to_string();
    assert!(!broken.contains("hunter"), "{broken}");
}

#[test]
fn a_level_of_other_than_ascii_is_a_fault_and_no_panic() {
    // Found by fuzzing: the directive is cut inside a character.
    let text =
        "log: {level: 'a, dlIste:::::::::::::::::::::::::::::::::z::\u{ff8d}\u{fffd}\u{fffd}=\u{fffd}'}";
    assert_eq!(faults(text)[0].key, "log.level");
    assert_eq!(faults("log: {level: verbose}")[0].key, "log.level");
    for level in ["debug", "off", "info,forescale=debug"] {
        assert_eq!(good(&format!("log: {{level: '{level}'}}")).log.level, level);
    }
}

#[test]
fn every_fault_names_its_line() {
    let text =
        "datasources:\n  default:\n    url: http://p\n    timeuot: 3s\nlog:\n  level: info\n  format: xml\n";
    let told = ServerConfig::parse(text, &env()).expect_err("faulty").to_string();
    for part in ["2 faults in the configuration", "line 4: datasources.default.timeuot", "line 7: log.format"]
    {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn what_is_no_mapping_is_refused() {
    assert_eq!(faults("- a\n- b\n")[0].expected, "a mapping");
    assert_eq!(faults("listen: 6000\n")[0].key, "listen");
    assert_eq!(faults("datasources: [a]\n")[0].key, "datasources");
}

#[test]
fn the_page_is_told_a_price_and_a_link() {
    let page = good("page: {pricePerReplicaHour: 0.04, grafana: 'https://g/d/x?var-name={name}'}").page;
    assert_eq!((page.price, page.grafana.as_deref()), (Some(0.04), Some("https://g/d/x?var-name={name}")));
    for (page, key) in [
        ("{pricePerReplicaHour: -1}", "page.pricePerReplicaHour"),
        ("{pricePerReplicaHour: cheap}", "page.pricePerReplicaHour"),
        ("{grafana: 'javascript:alert(1)'}", "page.grafana"),
    ] {
        let found = faults(&format!("page: {page}"));
        assert_eq!(found.iter().map(|fault| fault.key.as_str()).collect::<Vec<_>>(), [key], "{page}");
    }
}
