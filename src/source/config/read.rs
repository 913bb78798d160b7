//! From keys to the types of the configuration.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;

use super::keys::{Context, Section, note};
use super::{
    Auth, DataSourceConfig, GrpcConfig, GrpcTls, Limits, Listen, LogConfig, LogFormat, ServerConfig,
    TlsConfig,
};
use crate::policy::{Fault, quoted};
use crate::source::prometheus::{AllowedAddress, base_url};
use crate::source::secret::{Secret, SecretSource};
use crate::units::Span;

/// No limit may be set beyond this: a count of more is a slip of the pen.
const MOST: usize = 100_000_000;
/// Set by the HTTP client from the body; a second value would break the request.
const RESERVED_HEADERS: [&str; 4] = ["connection", "content-length", "content-type", "transfer-encoding"];
/// Set per question; a fixed value would change its meaning.
const RESERVED_PARAMETERS: [&str; 6] = ["query", "start", "end", "step", "time", "timeout"];

pub(super) fn server(value: &Value, env: &BTreeMap<String, String>) -> Result<ServerConfig, Vec<Fault>> {
    let context = Context { env, faults: RefCell::default() };
    let top = Section::new(String::new(), Some(value), &context);
    let second = Span::seconds(1);
    let config = ServerConfig {
        listen: listen(&top.section("listen")),
        datasources: datasources(&top),
        server_address_allow: allow_list(&top),
        calendars: top.texts("calendars").into_iter().map(|(n, t)| (n.to_owned(), t.value.into())).collect(),
        policies: path(&top, "policies"),
        state: state(&top),
        startup_grace: top.span("startupGrace", Span::seconds(30), Span::ZERO, Span::HOUR),
        shutdown_grace: top.span("shutdownGrace", Span::seconds(20), second, Span::HOUR),
        limits: limits(&top.section("limits")),
        grpc: grpc(&top.section("grpc")),
        log: log(&top.section("log")),
        expose_queries: false,
    };
    top.finish();
    let faults = context.faults.into_inner();
    if faults.is_empty() { Ok(config) } else { Err(faults) }
}

fn listen(section: &Section<'_>) -> Listen {
    let listen = Listen {
        grpc: address(section, "grpc", SocketAddr::from(([0, 0, 0, 0], 6000))),
        http: address(section, "http", SocketAddr::from(([0, 0, 0, 0], 8080))),
    };
    section.finish();
    // Port 0 asks the system for a free one, so two of them do not collide.
    if listen.grpc == listen.http && listen.grpc.port() != 0 {
        section.fault("http", quoted(&listen.http.to_string()), "another socket than that of grpc");
    }
    listen
}

fn address(section: &Section<'_>, key: &'static str, default: SocketAddr) -> SocketAddr {
    let Some(text) = section.text(key) else { return default };
    text.value.parse().unwrap_or_else(|_| {
        section.fault(key, quoted(&text.shown), format!("address and port such as {default} or [::]:6000"));
        default
    })
}

fn datasources(top: &Section<'_>) -> BTreeMap<String, DataSourceConfig> {
    let mut all = BTreeMap::new();
    for (name, value) in top.table("datasources") {
        let key = format!("datasources.{name}");
        if !is_name(name) {
            note(top.context(), &key, format!("the name '{name}'"), "1 to 63 of a-z, 0-9 and -");
        }
        let section = Section::new(key, Some(value), top.context());
        if let Some(config) = datasource(&section) {
            all.insert(name.to_owned(), config);
        }
        section.finish();
    }
    all
}

fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(allowed)
}

fn datasource(section: &Section<'_>) -> Option<DataSourceConfig> {
    let url = url(section);
    let auth = auth(section);
    let tls = tls(&section.section("tls"));
    let headers = headers(section, !matches!(auth, Auth::None));
    let timeout = section.span("timeout", DataSourceConfig::TIMEOUT, Span::seconds(1), Span::minutes(10));
    let max_concurrent = section.count("maxConcurrent", DataSourceConfig::MAX_CONCURRENT, 1_000);
    let max_per_second = section.count("maxPerSecond", DataSourceConfig::MAX_PER_SECOND, 100_000);
    let namespaces = section.list("namespaces").map(|list| list.into_iter().map(|(_, t)| t.value).collect());
    let query_parameters = query_parameters(section);
    let url = url?;
    if url.scheme() == "http" && tls != TlsConfig::default() {
        section.fault("tls", "tls with an http url", "an https url, or no tls");
    }
    Some(DataSourceConfig {
        auth,
        headers,
        tls,
        timeout,
        max_concurrent,
        max_per_second,
        namespaces,
        query_parameters,
        ..DataSourceConfig::at(url)
    })
}

fn url(section: &Section<'_>) -> Option<reqwest::Url> {
    let expected = "an address such as http://prometheus.monitoring:9090";
    if !section.has("url") {
        section.text("url");
        section.fault("url", "nothing", expected);
        return None;
    }
    let text = section.text("url")?;
    base_url(&text.value)
        .map_err(|reason| {
            // Without an @ there is no password in it.
            let found = if text.shown.contains('@') { reason.to_owned() } else { quoted(&text.shown) };
            section.fault("url", found, format!("{expected} ({reason})"));
        })
        .ok()
}

fn auth(section: &Section<'_>) -> Auth {
    if section.has("basic") && (section.has("bearerToken") || section.has("bearerTokenFile")) {
        section.fault("basic", "basic beside a bearer token", "at most one way to authenticate");
    }
    let bearer = secret(section, "bearerToken", "bearerTokenFile");
    let basic = section.section("basic");
    let username = basic.text("username");
    let password = secret(&basic, "password", "passwordFile");
    basic.finish();
    if !section.has("basic") {
        return bearer.map_or(Auth::None, Auth::Bearer);
    }
    if username.is_none() && !basic.has("username") {
        basic.fault("username", "nothing", "a user name");
    }
    if !basic.has("password") && !basic.has("passwordFile") {
        basic.fault("password", "nothing", "password or passwordFile");
    }
    match (username, password) {
        (Some(username), Some(password)) => Auth::Basic { username: username.value, password },
        _ => Auth::None,
    }
}

fn secret(section: &Section<'_>, inline: &'static str, file: &'static str) -> Option<SecretSource> {
    let text = section.text(inline);
    let path = path(section, file);
    if section.has(inline) && section.has(file) {
        section.fault(file, format!("{file} beside {inline}"), "one of the two");
    }
    if let Some(text) = text {
        if text.value.is_empty() || HeaderValue::from_str(&text.value).is_err() {
            section.fault(inline, "***", "a text without line breaks, not empty");
        }
        return Some(SecretSource::Inline(Secret::new(text.value)));
    }
    path.map(SecretSource::File)
}

fn headers(section: &Section<'_>, authorized: bool) -> Vec<(HeaderName, Secret)> {
    let mut all = Vec::new();
    for (name, text) in section.texts("headers") {
        let key = format!("headers.{name}");
        match HeaderName::from_bytes(name.as_bytes()) {
            Err(_) => section.fault(&key, "the name of the header", "letters, digits and -"),
            Ok(header) if RESERVED_HEADERS.contains(&header.as_str()) => {
                section.fault(&key, "a header that belongs to the transport", "another header");
            }
            Ok(header) if authorized && header == reqwest::header::AUTHORIZATION => {
                section.fault(&key, "a second way to authenticate", "bearerToken, basic or this header");
            }
            Ok(_) if HeaderValue::from_str(&text.value).is_err() => {
                section.fault(&key, "***", "a text without line breaks");
            }
            Ok(header) => all.push((header, Secret::new(text.value))),
        }
    }
    all
}

fn tls(section: &Section<'_>) -> TlsConfig {
    let (ca, cert, key) = (path(section, "ca"), path(section, "cert"), path(section, "key"));
    let insecure_skip_verify = section.flag("insecureSkipVerify");
    section.finish();
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => {
            section.fault("key", "nothing", "the key that belongs to cert");
            None
        }
        (None, Some(_)) => {
            section.fault("cert", "nothing", "the certificate that belongs to key");
            None
        }
    };
    TlsConfig { ca, identity, insecure_skip_verify }
}

fn query_parameters(section: &Section<'_>) -> Vec<(String, Secret)> {
    let mut all = Vec::new();
    for (name, text) in section.texts("queryParameters") {
        if RESERVED_PARAMETERS.contains(&name) {
            let key = format!("queryParameters.{name}");
            section.fault(&key, "a parameter that each question sets", "another parameter");
        } else {
            all.push((name.to_owned(), Secret::new(text.value)));
        }
    }
    all
}

fn allow_list(top: &Section<'_>) -> Vec<AllowedAddress> {
    let mut all = Vec::new();
    for (key, text) in top.list("serverAddressAllow").unwrap_or_default() {
        match AllowedAddress::parse(&text.value) {
            Ok(address) => all.push(address),
            Err(reason) => {
                let found = if text.shown.contains('@') { "a URL".to_owned() } else { quoted(&text.shown) };
                let expected = format!("scheme, host and port such as http://prometheus:9090 ({reason})");
                note(top.context(), &key, found, expected);
            }
        }
    }
    all
}

fn limits(section: &Section<'_>) -> Limits {
    let default = Limits::default();
    let limits = Limits {
        metadata_bytes: section.count("metadataBytes", default.metadata_bytes, MOST),
        workloads: section.count("workloads", default.workloads, MOST),
        series_points: section.count(
            "seriesPoints",
            default.series_points,
            crate::history::Series::MAX_SLOTS,
        ),
        response_bytes: section.count("responseBytes", default.response_bytes, 1024 * MOST),
        streams: section.count("streams", default.streams, MOST),
        connections: section.count("connections", default.connections, MOST),
    };
    section.finish();
    limits
}

fn grpc(section: &Section<'_>) -> GrpcConfig {
    let (second, day) = (Span::seconds(1), Span::DAY);
    let grpc = GrpcConfig {
        max_connection_age: section.span("maxConnectionAge", Span::minutes(30), Span::seconds(10), day),
        keepalive: section.span("keepalive", Span::seconds(30), second, Span::HOUR),
        tls: grpc_tls(section),
    };
    section.finish();
    grpc
}

fn grpc_tls(grpc: &Section<'_>) -> Option<GrpcTls> {
    let section = grpc.section("tls");
    let (cert, key) = (path(&section, "cert"), path(&section, "key"));
    let client_ca = path(&section, "clientCa");
    section.finish();
    if !grpc.has("tls") {
        return None;
    }
    // What is written as TLS must never end up as plaintext: both files are required.
    for (name, file) in [("cert", "the server's certificate"), ("key", "the key of the certificate")] {
        if !section.has(name) {
            section.fault(name, "nothing", format!("a file with {file}, PEM"));
        }
    }
    Some(GrpcTls { cert: cert?, key: key?, client_ca })
}

fn state(top: &Section<'_>) -> Option<PathBuf> {
    let section = top.section("state");
    let dir = path(&section, "path");
    section.finish();
    if top.has("state") && !section.has("path") {
        section.fault("path", "nothing", "a directory of its own");
    }
    dir
}

fn log(section: &Section<'_>) -> LogConfig {
    let format = match section.text("format") {
        None => LogFormat::Text,
        Some(text) => match text.value.as_str() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            _ => {
                section.fault("format", quoted(&text.shown), "'text' or 'json'");
                LogFormat::Text
            }
        },
    };
    let level = match section.text("level") {
        None => "info".to_owned(),
        Some(text) if text.value.parse::<tracing_subscriber::EnvFilter>().is_ok() => text.value,
        Some(text) => {
            section.fault("level", quoted(&text.shown), "a level such as 'info', or 'info,forescale=debug'");
            "info".to_owned()
        }
    };
    section.finish();
    LogConfig { format, level }
}

fn path(section: &Section<'_>, key: &'static str) -> Option<PathBuf> {
    let text = section.text(key)?;
    if text.value.is_empty() {
        section.fault(key, "an empty text", "a path");
        return None;
    }
    Some(PathBuf::from(text.value))
}
