//! Everything that can go wrong between a query and its series.
//!
//! Messages name the data source's address without its query, and never a credential: they end up in the events of a
//! ScaledObject, which many people may read.

mod public;

use std::time::Duration;

pub use public::{PublicFailure, Unreached};

use crate::history::HistoryError;

/// Why a data source gave no series.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No data source of that name that the namespace may use: whether there is one for others is nobody's business.
    #[error("namespace '{namespace}' may not use datasource '{name}', {admitted}")]
    DatasourceRefused {
        /// The name asked for.
        name: String,
        /// The namespace of the workload.
        namespace: String,
        /// The sources it may use, in words.
        admitted: String,
    },
    /// `serverAddress` is not in the server's allow-list.
    #[error("serverAddress '{address}' is not admitted by serverAddressAllow of the server's configuration")]
    AddressRefused {
        /// The address, without credentials and query.
        address: String,
    },
    /// `serverAddress` is not the address of a data source.
    #[error("serverAddress cannot be used: {reason}")]
    AddressMalformed {
        /// What is wrong with it; never its text, which may hold a password.
        reason: &'static str,
    },
    /// So many distinct addresses are in use that another one is refused.
    #[error("{limit} different server addresses are already in use, the most that are allowed")]
    TooManyAddresses {
        /// The most that are accepted.
        limit: usize,
    },
    /// A token, password, certificate or key could not be used. The message never holds its content.
    #[error("credentials of {target}: {reason}")]
    Credentials {
        /// The data source's address.
        target: String,
        /// What is wrong, and with which file.
        reason: String,
    },
    /// The connection failed or broke off.
    #[error("{target} cannot be reached: {reason}")]
    Unreachable {
        /// The data source's address.
        target: String,
        /// The innermost cause.
        reason: String,
        /// What kind of failure that is.
        class: Unreached,
    },
    /// No complete answer within the time limit.
    #[error("{target} gave no complete answer within {after:?}")]
    Timeout {
        /// The data source's address.
        target: String,
        /// The time allowed.
        after: Duration,
    },
    /// The server redirected us; redirects are not followed.
    #[error(
        "{target} answered {status} with a redirect to {location}, expected the final address in the url"
    )]
    Redirect {
        /// The data source's address.
        target: String,
        /// The HTTP status.
        status: u16,
        /// The target of the redirect, without credentials and query.
        location: String,
    },
    /// The server asks for fewer requests.
    #[error("{target} refuses for now ({status}, too many requests)")]
    Throttled {
        /// The data source's address.
        target: String,
        /// The HTTP status.
        status: u16,
        /// How long the server wants us to wait.
        retry_after: Option<Duration>,
    },
    /// An HTTP answer that does not come from the data source's API.
    #[error("{target} answered {status} with {found}, expected {expected}")]
    Http {
        /// The data source's address.
        target: String,
        /// The HTTP status.
        status: u16,
        /// The media type and the first words of the body.
        found: String,
        /// What was expected.
        expected: &'static str,
        /// How long the server wants us to wait.
        retry_after: Option<Duration>,
    },
    /// An error that the data source's API reports.
    #[error("{target} answered {status} {error_type}: {message}")]
    Api {
        /// The data source's address.
        target: String,
        /// The HTTP status.
        status: u16,
        /// `bad_data`, `execution`, `timeout`, …
        error_type: String,
        /// The server's message.
        message: String,
        /// How long the server wants us to wait.
        retry_after: Option<Duration>,
    },
    /// JSON that is cut off or does not have the form of an answer.
    #[error("{target} gave a malformed answer: {reason}")]
    Malformed {
        /// The data source's address.
        target: String,
        /// What was found, and where.
        reason: String,
    },
    /// An answer above one of our limits.
    #[error("the answer of {target} is larger than {limit} {unit}")]
    TooLarge {
        /// The data source's address.
        target: String,
        /// The limit.
        limit: usize,
        /// `bytes` or `points`.
        unit: &'static str,
    },
    /// The query returns more than one series.
    #[error("the query yields more than one series, expected one: aggregate it, for example with sum(...)")]
    ManySeries,
    /// The query returns something that is not one number per instant.
    #[error("the query yields {found}, expected one number per instant")]
    NotNumeric {
        /// `a string`, `native histograms`.
        found: &'static str,
    },
    /// The query itself covers more points than are accepted.
    #[error(
        "the query spans {points} points, expected at most {limit}; use a shorter window or a longer step"
    )]
    TooLong {
        /// Grid instants asked for.
        points: usize,
        /// The most that are accepted.
        limit: usize,
    },
    /// Samples that do not form a series.
    #[error("the samples do not form a series")]
    History(#[from] HistoryError),
}

impl SourceError {
    /// How long the server asked us to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            SourceError::Throttled { retry_after, .. }
            | SourceError::Http { retry_after, .. }
            | SourceError::Api { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// A short fixed word for a metric's label.
    pub fn kind(&self) -> &'static str {
        match self {
            SourceError::DatasourceRefused { .. }
            | SourceError::AddressRefused { .. }
            | SourceError::AddressMalformed { .. } => "refused",
            SourceError::TooManyAddresses { .. } => "too_many_addresses",
            SourceError::Credentials { .. } => "credentials",
            SourceError::Unreachable { .. } => "unreachable",
            SourceError::Timeout { .. } => "timeout",
            SourceError::Redirect { .. } => "redirect",
            SourceError::Throttled { .. } => "throttled",
            SourceError::Http { status: 401 | 403, .. } | SourceError::Api { status: 401 | 403, .. } => {
                "denied"
            }
            SourceError::Http { .. } => "http",
            SourceError::Api { .. } => "api",
            SourceError::Malformed { .. } => "malformed",
            SourceError::TooLarge { .. } | SourceError::TooLong { .. } => "too_large",
            SourceError::ManySeries => "many_series",
            SourceError::NotNumeric { .. } => "not_numeric",
            SourceError::History(_) => "history",
        }
    }

    /// Whether the same query over a shorter range may succeed. Prometheus and Thanos limit points and loaded
    /// samples, Mimir limits the length of a query and its chunks, VictoriaMetrics limits points and samples.
    pub(crate) fn wants_shorter_range(&self) -> bool {
        const SIGNS: [&str; 9] = [
            "exceeded maximum resolution",
            "too many samples",
            "too many points",
            "number of points",
            "exceeds the limit",
            "max-query-length",
            "max-total-query-length",
            "max-chunks-per-query",
            "timed out in",
        ];
        match self {
            SourceError::TooLarge { .. } => true,
            SourceError::Api { status: 413, .. } | SourceError::Http { status: 413, .. } => true,
            SourceError::Api { error_type, message, .. } => {
                let message = message.to_ascii_lowercase();
                error_type == "timeout" || SIGNS.iter().any(|sign| message.contains(sign))
            }
            _ => false,
        }
    }
}

/// The most characters kept of a server's text; nobody reads more in a message.
pub(super) const EXCERPT: usize = 300;

/// The first characters of a text, on one line.
pub(super) fn excerpt(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= EXCERPT { line } else { line.chars().take(EXCERPT).chain(['…']).collect() }
}
