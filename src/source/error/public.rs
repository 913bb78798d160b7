//! A failed query in words for everyone: what happened and what to do, without the query, an address, a name from a
//! message of the server, or a credential.
//!
//! The page and the API have more readers than the log. Every word here is our own; of the server's answer only
//! numbers and a few known words are repeated.

use std::error::Error;
use std::io::ErrorKind;

use super::SourceError;

/// A failure in words that everyone may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicFailure {
    /// What happened; completes the sentence "The data source …".
    pub what: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// Why no connection was there, or why it broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreached {
    /// Nothing listens there.
    Refused,
    /// The name of the host cannot be resolved.
    UnknownHost,
    /// The network has no way there.
    NoRoute,
    /// It took too long to connect.
    TimedOut,
    /// TLS failed.
    Tls,
    /// The connection broke off, or failed in another way.
    BrokenOff,
}

const TOO_SLOW: &str =
    "Make the query cheaper, for example with a recording rule, or raise the data source's timeout.";
const TOO_LARGE: &str =
    "Shorten historyWindow or lengthen queryStep, or raise the limit in the server's configuration.";
const QUERY: &str =
    "Ask the query in Prometheus: it says where the mistake is. The server's log has its whole answer.";
const OVERLOADED: &str = "See how the data source is doing; it is asked again until it answers.";
const NOT_ITS_API: &str = "Check that the data source's url leads to Prometheus, and what stands before \
                           it. The server's log has its answer.";
const CREDENTIALS: &str = "Correct the data source's credentials in the server's configuration; \
                           `forescale serve --check` reads them.";

// === impl Unreached ===

impl Unreached {
    /// The class of a connection's error, by its chain of causes.
    pub(in crate::source) fn of(error: &(dyn Error + 'static), is_timeout: bool) -> Self {
        let causes =
            || std::iter::successors(Some(error), |cause: &&(dyn Error + 'static)| (*cause).source());
        let io = || causes().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
        // An I/O error hides the error that it wraps from the chain.
        let wraps_tls = |io: &std::io::Error| io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
        // The connector names its resolver only in words.
        let is_name = |cause: &(dyn Error + 'static)| {
            let text = cause.to_string();
            text == "dns error" || text.contains("resolves to no address") || text.contains("lookup address")
        };
        if causes().any(|cause| cause.is::<rustls::Error>()) || io().any(wraps_tls) {
            Unreached::Tls
        } else if causes().any(is_name) {
            Unreached::UnknownHost
        } else if is_timeout {
            Unreached::TimedOut
        } else {
            io().find_map(|io| Self::of_kind(io.kind())).unwrap_or(Unreached::BrokenOff)
        }
    }

    fn of_kind(kind: ErrorKind) -> Option<Self> {
        Some(match kind {
            ErrorKind::ConnectionRefused => Unreached::Refused,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Unreached::NoRoute,
            ErrorKind::TimedOut => Unreached::TimedOut,
            _ => return None,
        })
    }

    fn in_public(self) -> (&'static str, &'static str) {
        match self {
            Unreached::Refused => (
                "refuses the connection",
                "See whether Prometheus runs, and whether host and port of the data source's url are right.",
            ),
            Unreached::UnknownHost => (
                "has a host name that cannot be resolved",
                "Correct the host in the data source's url, or see why the cluster's DNS does not know it.",
            ),
            Unreached::NoRoute => {
                ("cannot be reached from here", "See routes and network policies between this server and it.")
            }
            Unreached::TimedOut => (
                "does not accept a connection in time",
                "See whether a network policy or firewall is in between, and whether Prometheus runs.",
            ),
            Unreached::Tls => (
                "and this server do not agree on TLS",
                "See its certificate, and tls.ca of the data source in the server's configuration.",
            ),
            Unreached::BrokenOff => (
                "broke off the connection",
                "See whether Prometheus restarts or a proxy in between gives up. The server's log says more.",
            ),
        }
    }
}

// === impl SourceError ===

impl SourceError {
    /// The error in words that everyone may read.
    pub fn in_public(&self) -> PublicFailure {
        let (what, advice) = match self {
            SourceError::DatasourceRefused { .. } => (
                "is not one that the namespace may use".to_owned(),
                "Name another in the key datasource, or admit the namespace in the server's configuration.",
            ),
            SourceError::AddressRefused { .. } | SourceError::AddressMalformed { .. } => (
                "has an address that is not admitted".to_owned(),
                "Correct serverAddress, or admit it by serverAddressAllow in the server's configuration.",
            ),
            SourceError::TooManyAddresses { limit } => (
                format!("is one address too many: {limit} are in use already"),
                "Name a configured datasource in place of serverAddress.",
            ),
            SourceError::Credentials { .. } => {
                ("cannot be asked: its credentials could not be read".to_owned(), CREDENTIALS)
            }
            SourceError::Unreachable { class, .. } => {
                let (what, advice) = class.in_public();
                (what.to_owned(), advice)
            }
            SourceError::Timeout { after, .. } => {
                (format!("gave no complete answer within {after:?}"), TOO_SLOW)
            }
            SourceError::Redirect { status, .. } => (
                format!("answered {status}, a redirect"),
                "Write the final address into the data source's url.",
            ),
            SourceError::Throttled { status, .. } => (
                format!("answered {status}: too many requests"),
                "Raise its limit, or lower maxPerSecond of the data source in the server's configuration.",
            ),
            SourceError::Http { status, .. } | SourceError::Api { status, .. }
                if matches!(status, 401 | 403) =>
            {
                (format!("answered {status}: it does not accept the credentials"), CREDENTIALS)
            }
            SourceError::Http { status, .. } => {
                let is_down = matches!(status, 408 | 500..);
                let advice = if is_down { OVERLOADED } else { NOT_ITS_API };
                (format!("answered {status}, and not as Prometheus does"), advice)
            }
            SourceError::Api { status, error_type, .. } => of_api(*status, error_type),
            SourceError::Malformed { .. } => ("gave a malformed answer".to_owned(), NOT_ITS_API),
            SourceError::TooLarge { limit, unit, .. } => {
                (format!("gave an answer of more than {limit} {unit}"), TOO_LARGE)
            }
            SourceError::TooLong { points, limit } => {
                (format!("would have to give {points} points, and {limit} are allowed"), TOO_LARGE)
            }
            SourceError::ManySeries => (
                "answered with more than one series".to_owned(),
                "Aggregate the query to one series, for example with sum(...).",
            ),
            SourceError::NotNumeric { found } => {
                (format!("answered with {found} in place of one number"), "Correct the query.")
            }
            SourceError::History(_) => ("gave samples that do not form a series".to_owned(), NOT_ITS_API),
        };
        PublicFailure { what, advice }
    }
}

/// An error that the API reports. Its message may quote the query, so only its known types are named.
fn of_api(status: u16, error_type: &str) -> (String, &'static str) {
    match error_type {
        "bad_data" => (format!("answered {status} (bad_data): it does not accept the query"), QUERY),
        "execution" => (format!("answered {status} (execution): it cannot evaluate the query"), QUERY),
        "timeout" => (format!("answered {status} (timeout): the query takes it too long"), TOO_SLOW),
        "canceled" | "unavailable" | "internal" => (format!("answered {status} ({error_type})"), OVERLOADED),
        _ if status >= 500 => (format!("answered {status}"), OVERLOADED),
        _ => (format!("answered {status}: it refuses the query"), QUERY),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_word_of_the_server_or_of_the_address_is_repeated() {
        let target = || "http://secret-host:9090".to_owned();
        let secret = || "secret".to_owned();
        let api = |status, error_type: &str| SourceError::Api {
            target: target(),
            status,
            error_type: error_type.to_owned(),
            message: secret(),
            retry_after: None,
        };
        let http = |status| SourceError::Http {
            target: target(),
            status,
            found: secret(),
            expected: "JSON",
            retry_after: None,
        };
        let unreached = |class| SourceError::Unreachable { target: target(), reason: secret(), class };
        for (error, want) in [
            (api(400, "bad_data"), "answered 400 (bad_data): it does not accept the query"),
            (api(422, "execution"), "answered 422 (execution): it cannot evaluate the query"),
            (api(503, "timeout"), "answered 503 (timeout): the query takes it too long"),
            (api(422, "secret"), "answered 422: it refuses the query"),
            (api(500, "secret"), "answered 500"),
            (api(403, "secret"), "answered 403: it does not accept the credentials"),
            (http(401), "answered 401: it does not accept the credentials"),
            (http(404), "answered 404, and not as Prometheus does"),
            (unreached(Unreached::Refused), "refuses the connection"),
            (unreached(Unreached::UnknownHost), "has a host name that cannot be resolved"),
            (unreached(Unreached::Tls), "and this server do not agree on TLS"),
            (
                SourceError::Timeout { target: target(), after: Duration::from_secs(30) },
                "gave no complete answer within 30s",
            ),
            (
                SourceError::Credentials { target: target(), reason: secret() },
                "cannot be asked: its credentials could not be read",
            ),
            (
                SourceError::Redirect { target: target(), status: 302, location: secret() },
                "answered 302, a redirect",
            ),
            (SourceError::Malformed { target: target(), reason: secret() }, "gave a malformed answer"),
        ] {
            let PublicFailure { what, advice } = error.in_public();
            assert_eq!(what, want);
            assert!(!format!("{what} {advice}").contains("secret"), "{what} {advice}");
            assert!(advice.ends_with('.'), "{advice}");
        }
    }
}
