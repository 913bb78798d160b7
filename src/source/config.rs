//! The server's configuration: listeners, data sources with their credentials, limits.
//!
//! It is read once from YAML into types that cannot be wrong; every fault is reported at once, with its key,
//! what was found and what was expected. The environment comes in as a map. Nothing here opens a file or a
//! socket: secrets in files, calendars and policies stay paths.

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
    /// Which addresses the metadata key `serverAddress` may name; none unless configured.
    pub server_address_allow: Vec<AllowedAddress>,
    /// Named iCalendar files.
    pub calendars: BTreeMap<String, PathBuf>,
    /// What happens once and concerns many workloads.
    pub events: Vec<Event>,
    /// The directory of named policies.
    pub policies: Option<PathBuf>,
    /// The directory in which a server keeps what it would otherwise read again after a restart.
    pub state: Option<PathBuf>,
    /// How long a workload without history waits before it answers with what it needs now.
    pub startup_grace: Span,
    /// How long open calls may take to end on shutdown.
    pub shutdown_grace: Span,
    /// Bounds on everything that callers and servers can make large.
    pub limits: Limits,
    /// The gRPC transport.
    pub grpc: GrpcConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// What the page is told beside what the server knows.
    pub page: PageConfig,
    /// Whether queries and metadata are shown over HTTP; said on the command line alone.
    pub expose_queries: bool,
    /// Whose workloads alone are served; said on the command line alone.
    pub shard: Shard,
}

/// What the page is told beside what the server knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PageConfig {
    /// What one replica costs in an hour, in whatever money.
    pub price: Option<f64>,
    /// Where a workload's dashboard is, with `{namespace}`, `{name}`, `{metric}`, `{from}` and `{to}` (milliseconds).
    pub grafana: Option<String>,
}

/// The two sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// KEDA's calls.
    pub grpc: SocketAddr,
    /// Metrics, health, the page.
    pub http: SocketAddr,
}

/// One Prometheus, Thanos, Mimir or VictoriaMetrics.
#[derive(Debug, Clone)]
pub struct DataSourceConfig {
    /// `http` or `https`, without credentials, query and fragment; a path is kept as prefix.
    pub url: reqwest::Url,
    /// How we prove who we are.
    pub auth: Auth,
    /// Headers sent with each request, such as the tenant of Mimir; their values are not shown.
    pub headers: Vec<(reqwest::header::HeaderName, Secret)>,
    /// Trust and client certificate.
    pub tls: TlsConfig,
    /// The longest a request may take, answer included.
    pub timeout: Span,
    /// The most requests at a time.
    pub max_concurrent: usize,
    /// The most requests a second; what is beyond waits.
    pub max_per_second: usize,
    /// Whether its name may not lead to link-local addresses: where a workload chose it.
    pub is_guarded: bool,
    /// The namespaces whose workloads may use it; `None` for all.
    pub namespaces: Option<BTreeSet<String>>,
    /// Parameters sent with each query, such as `dedup` of Thanos; their values are not shown.
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

/// Trust and client certificate of a connection; files are read again when they change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// The only authorities to trust, as PEM; the system's where not given.
    pub ca: Option<PathBuf>,
    /// Client certificate and key, as PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Accept any certificate.
    pub insecure_skip_verify: bool,
}

/// Bounds on everything that callers and servers can make large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a trigger's metadata.
    pub metadata_bytes: usize,
    /// Workloads at a time.
    pub workloads: usize,
    /// Points of one series.
    pub series_points: usize,
    /// Points of all series together.
    pub history_points: usize,
    /// Bytes of one answer of a data source.
    pub response_bytes: usize,
    /// Streams at a time.
    pub streams: usize,
    /// Connections at a time.
    pub connections: usize,
}

/// The gRPC transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrpcConfig {
    /// Age at which a connection is asked to end, so that callers spread over new replicas.
    pub max_connection_age: Span,
    /// How often an idle connection is probed.
    pub keepalive: Span,
    /// Certificates; plaintext where not given.
    pub tls: Option<GrpcTls>,
}

/// The server's side of TLS, all PEM; files are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrpcTls {
    /// The certificate, followed by those between it and its authority.
    pub cert: PathBuf,
    /// The key that belongs to it.
    pub key: PathBuf,
    /// The authorities of clients: with it, only those who show a certificate are served.
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
    /// The text is no YAML.
    #[error("the configuration is no valid YAML: {0}")]
    Syntax(String),
    /// Everything that is wrong with its content.
    #[error("{}", list(.0))]
    Faults(Vec<Placed>),
}

/// A fault with where it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Line and column, from 1.
    pub at: Place,
    /// What is wrong there.
    pub fault: Fault,
}

// === impl ServerConfig ===

impl ServerConfig {
    /// Reads the configuration; `${NAME}` in a text is replaced from `env`, `$${` stands for `${` itself.
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
    /// The name of every source that a workload names by its address; no configured one can be called so.
    pub const BY_ADDRESS: &'static str = "serverAddress";
    /// Time allowed for a request where nothing is configured: Prometheus needs a second or two for weeks of
    /// a heavy query, and KEDA's view of us does not depend on it.
    pub const TIMEOUT: Span = Span::seconds(30);
    /// Requests at a time where nothing is configured: enough for a fleet's refresh within a step, and a
    /// fifth of what Prometheus runs at once by default (20).
    pub const MAX_CONCURRENT: usize = 4;
    /// Requests a second where nothing is configured: three times what 2,000 queries polled each 15 s need.
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
            // KEDA's own objects are below 1.5 MB as a whole (etcd); a trigger of more than this is a
            // mistake.
            metadata_bytes: 64 * 1024,
            workloads: 10_000,
            // Four weeks at 15 s are 161,280; a year at a minute is 525,600.
            series_points: 600_000,
            // 600 MB at four bytes a point: twice what 2,000 queries over 28 days of minutes take.
            history_points: 150_000_000,
            // A full answer of 11,000 points has about 400 kB.
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
