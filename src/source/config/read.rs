//! Converts keys to the types of the configuration.
//!
//! A fault in one key never hides a fault in another, and nothing here opens a file.

mod datasource;
mod events;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;

use super::keys::{Context, Section, note};
use super::{GrpcConfig, GrpcTls, Limits, Listen, LogConfig, LogFormat, PageConfig, ServerConfig};
use crate::policy::{Fault, quoted};
use crate::source::AllowedAddress;
use crate::units::{Shard, Span};

/// No limit may be set above this: a larger number is a typing mistake.
const MOST: usize = 100_000_000;
pub(super) fn server(value: &Value, env: &BTreeMap<String, String>) -> Result<ServerConfig, Vec<Fault>> {
    let context = Context { env, faults: RefCell::default() };
    let top = Section::new(String::new(), Some(value), &context);
    let second = Span::seconds(1);
    let config = ServerConfig {
        listen: listen(&top.section("listen")),
        datasources: datasource::all(&top),
        server_address_allow: allow_list(&top),
        calendars: top.texts("calendars").into_iter().map(|(n, t)| (n.to_owned(), t.value.into())).collect(),
        events: events::all(&top),
        policies: path(&top, "policies"),
        state: state(&top),
        startup_grace: top.span("startupGrace", Span::seconds(30), Span::ZERO, Span::HOUR),
        shutdown_grace: top.span("shutdownGrace", Span::seconds(20), second, Span::HOUR),
        limits: limits(&top.section("limits")),
        grpc: grpc(&top.section("grpc")),
        log: log(&top.section("log")),
        page: page(&top.section("page")),
        expose_queries: false,
        shard: Shard::WHOLE,
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
    // Port 0 asks the system for a free port, so two of them do not collide.
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
        history_points: section.count("historyPoints", default.history_points, 100 * MOST),
        response_bytes: section.count("responseBytes", default.response_bytes, 1024 * MOST),
        streams: section.count("streams", default.streams, MOST),
        connections: section.count("connections", default.connections, MOST),
    };
    section.finish();
    limits
}

fn page(section: &Section<'_>) -> PageConfig {
    let price = section.decimal("pricePerReplicaHour", "a price such as 0.04");
    let grafana = section.text("grafana").and_then(|text| {
        let is_link = ["http://", "https://"].iter().any(|scheme| text.value.starts_with(scheme));
        if !is_link {
            let expected = "an http URL such as 'https://grafana.example/d/forescale?var-name={name}'";
            section.fault("grafana", quoted(&text.shown), expected);
        }
        is_link.then_some(text.value)
    });
    section.finish();
    PageConfig { price, grafana }
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
    // Half-configured TLS must never fall back to plaintext: both files are required.
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
        // The parser of log directives panics on non-ASCII text (tracing-subscriber 0.3.23), and no target has a
        // non-ASCII name.
        Some(text)
            if text.value.is_ascii()
                && text.value.split(',').all(says_level)
                && text.value.parse::<tracing_subscriber::EnvFilter>().is_ok() =>
        {
            text.value
        }
        Some(text) => {
            section.fault("level", quoted(&text.shown), "a level such as 'info', or 'info,forescale=debug'");
            "info".to_owned()
        }
    };
    section.finish();
    LogConfig { format, level }
}

/// A single word is a level. A misspelt level would be taken for a module name, and silence all other modules.
fn says_level(directive: &str) -> bool {
    directive.contains(['=', '[']) || directive.trim().parse::<tracing::level_filters::LevelFilter>().is_ok()
}

fn path(section: &Section<'_>, key: &'static str) -> Option<PathBuf> {
    let text = section.text(key)?;
    if text.value.is_empty() {
        section.fault(key, "an empty text", "a path");
        return None;
    }
    Some(PathBuf::from(text.value))
}
