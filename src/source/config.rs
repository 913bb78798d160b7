//! The server's configuration: listeners, data sources with their credentials, limits.
//!
//! It is parsed once from YAML into types that cannot hold invalid values. Every fault is reported at once, with its
//! key, what was found and what was expected. The environment is passed in as a map. This module never opens a file
//! or a socket: secrets in files, calendars and policies stay paths.

mod keys;
mod read;
pub(super) mod reference;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use super::AllowedAddress;
use super::secret::{Secret, SecretSource};
use super::yaml::{Place, locate};
use crate::policy::{Event, Fault};
use crate::units::{Shard, Span, counted};

/// The whole configuration, with a default for everything but the data sources.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where the server listens.
    pub listen: Listen,
    /// The named data sources.
    pub datasources: BTreeMap<String, DataSourceConfig>,
    /// The addresses that the metadata key `serverAddress` may name; none by default.
    pub server_address_allow: Vec<AllowedAddress>,
    /// Named iCalendar files.
    pub calendars: BTreeMap<String, PathBuf>,
    /// One-off events that affect many workloads.
    pub events: Vec<Event>,
    /// The directory of named policies.
    pub policies: Option<PathBuf>,
    /// The directory for state that a restarted server would otherwise have to query again.
    pub state: Option<PathBuf>,
    /// How long a workload without history waits before it is answered with its present need.
    pub startup_grace: Span,
    /// How long open calls may take to finish on shutdown.
    pub shutdown_grace: Span,
    /// Limits on everything that callers and servers can make large.
    pub limits: Limits,
    /// The gRPC transport.
    pub grpc: GrpcConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// Configured information for the page.
    pub page: PageConfig,
    /// Whether queries and metadata are shown over HTTP; can be set only on the command line.
    pub expose_queries: bool,
    /// Whose workloads alone are served; said on the command line alone.
    pub shard: Shard,
}

/// Configured information for the page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PageConfig {
    /// The cost of one replica for an hour, in any currency.
    pub price: Option<f64>,
    /// The URL of a workload's dashboard, with `{namespace}`, `{name}`, `{metric}`, `{from}` and `{to}`
    /// (milliseconds).
    pub grafana: Option<String>,
}

/// The two listening sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// For KEDA's gRPC calls.
    pub grpc: SocketAddr,
    /// For metrics, health and the page.
    pub http: SocketAddr,
}

/// One Prometheus, Thanos, Mimir or VictoriaMetrics.
#[derive(Debug, Clone)]
pub struct DataSourceConfig {
    /// `http` or `https`, without credentials, query or fragment; a path is kept as a prefix.
    pub url: reqwest::Url,
    /// How we authenticate.
    pub auth: Auth,
    /// Headers sent with each request, such as the tenant of Mimir; their values are never shown.
    pub headers: Vec<(reqwest::header::HeaderName, Secret)>,
    /// Trusted authorities and client certificate.
    pub tls: TlsConfig,
    /// The longest time a request may take, including its answer.
    pub timeout: Span,
    /// The most concurrent requests.
    pub max_concurrent: usize,
    /// The most requests per second; further ones wait.
    pub max_per_second: usize,
    /// Whether its host name must not resolve to link-local addresses: set if a workload chose the address.
    pub is_guarded: bool,
    /// The namespaces whose workloads may use it; `None` means all.
    pub namespaces: Option<BTreeSet<String>>,
    /// Parameters sent with each query, such as `dedup` of Thanos; their values are never shown.
    pub query_parameters: Vec<(String, Secret)>,
}

/// The `Authorization` header.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Not sent.
    None,
    /// A bearer token.
    Bearer(SecretSource),
    /// User and password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: SecretSource,
    },
}

/// Trusted authorities and client certificate of a connection; files are read again when they change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// The only authorities to trust, as PEM; the system's if not given.
    pub ca: Option<PathBuf>,
    /// Client certificate and key, as PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Accept any certificate.
    pub insecure_skip_verify: bool,
}

/// Limits on everything that callers and servers can make large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one trigger's metadata.
    pub metadata_bytes: usize,
    /// Concurrent workloads.
    pub workloads: usize,
    /// Points of one series.
    pub series_points: usize,
    /// Points of all series together.
    pub history_points: usize,
    /// Bytes of one answer of a data source.
    pub response_bytes: usize,
    /// Concurrent streams.
    pub streams: usize,
    /// Concurrent connections.
    pub connections: usize,
}

/// The gRPC transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrpcConfig {
    /// The age at which a client is asked to reconnect, so that callers spread over new replicas.
    pub max_connection_age: Span,
    /// How often an idle connection is probed.
    pub keepalive: Span,
    /// Certificates; plaintext if not given.
    pub tls: Option<GrpcTls>,
}

/// The server's side of TLS, all PEM; files are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrpcTls {
    /// The certificate, followed by any intermediate certificates.
    pub cert: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
    /// The authorities for client certificates. If given, only clients with a certificate are served.
    pub client_ca: Option<PathBuf>,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Text for people or JSON for machines.
    pub format: LogFormat,
    /// A level, or directives such as `info,forescale=debug`.
    pub level: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text is not YAML.
    #[error("the configuration is no valid YAML: {0}")]
    Syntax(String),
    /// Everything that is wrong with its content.
    #[error("{}", list(.0))]
    Faults(Vec<Placed>),
}

/// A fault with its position in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Line and column, from 1.
    pub at: Place,
    /// What is wrong there.
    pub fault: Fault,
}

// === impl ServerConfig ===

impl ServerConfig {
    /// Parses the configuration. `${NAME}` in a text is replaced from `env`; `$${` stands for a literal `${`.
    pub fn parse(text: &str, env: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let value = if text.trim().is_empty() {
            serde_json::Value::Null
        } else {
            super::yaml::from_str(text).map_err(ConfigError::Syntax)?
        };
        read::server(&value, env).map_err(|faults| ConfigError::Faults(placed(text, faults)))
    }
}

// === impl DataSourceConfig ===

impl DataSourceConfig {
    /// The name of every source that a workload names by its address; no configured source can have it.
    pub const BY_ADDRESS: &'static str = "serverAddress";
    /// The default time limit of a request: Prometheus needs a second or two for weeks of a heavy query, and KEDA's
    /// calls do not wait for it.
    pub const TIMEOUT: Span = Span::seconds(30);
    /// The default limit on concurrent requests: enough to refresh a fleet within a step, and a fifth of the queries
    /// that Prometheus runs at once by default (20).
    pub const MAX_CONCURRENT: usize = 4;
    /// The default limit on requests per second: three times what 2,000 queries polled every 15 s need.
    pub const MAX_PER_SECOND: usize = 500;

    /// A data source at `url` with nothing else configured.
    pub fn at(url: reqwest::Url) -> Self {
        DataSourceConfig {
            url,
            auth: Auth::None,
            headers: Vec::new(),
            tls: TlsConfig::default(),
            timeout: Self::TIMEOUT,
            max_concurrent: Self::MAX_CONCURRENT,
            max_per_second: Self::MAX_PER_SECOND,
            is_guarded: false,
            namespaces: None,
            query_parameters: Vec::new(),
        }
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // etcd limits KEDA's own objects to 1.5 MB; a trigger larger than this is a mistake.
            metadata_bytes: 64 * 1024,
            workloads: 10_000,
            // Four weeks at 15 s are 161,280; a year at a minute is 525,600.
            series_points: 600_000,
            // 600 MB at four bytes per point: twice the need of 2,000 queries over 28 days of minutes.
            history_points: 150_000_000,
            // A full answer of 11,000 points is about 400 kB.
            response_bytes: 16 * 1024 * 1024,
            streams: 20_000,
            connections: 1_000,
        }
    }
}

fn placed(text: &str, faults: Vec<Fault>) -> Vec<Placed> {
    let document = super::yaml::documents(text).ok().and_then(|all| all.into_iter().next());
    let lines: Vec<&str> = text.lines().collect();
    let place = |key: &str| document.as_ref().map_or((1, 1), |node| locate(node, key, &lines, (1, 1)));
    faults.into_iter().map(|fault| Placed { at: place(&fault.key), fault }).collect()
}

fn list(faults: &[Placed]) -> String {
    let line = |p: &Placed| format!("\n  line {}: {}", p.at.0, p.fault);
    let lines: Vec<String> = faults.iter().map(line).collect();
    format!("{} in the configuration:{}", counted(faults.len(), "fault"), lines.concat())
}
