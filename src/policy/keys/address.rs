//! What `serverAddress` must look like. Whether the server may use the address is decided where it is resolved.

use crate::policy::fault::quoted;

/// What was found in place of an address, and what was expected; `None` if the text is an address.
///
/// What may hold a password or a token is described, not shown.
pub(super) fn fault_of(text: &str) -> Option<(String, &'static str)> {
    const EXPECTED: &str = "a URL such as http://prometheus.monitoring:9090";
    const BARE: &str = "a URL such as http://prometheus.monitoring:9090; credentials and parameters belong in a \
                        datasource of the server's configuration";
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let is_url = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        && is_server(authority)
        && !text.contains(char::is_whitespace);
    if authority.contains('@') || !is_url && text.contains('@') {
        return Some(("a URL with credentials".to_owned(), BARE));
    }
    if text.contains(['?', '#']) {
        return Some(("a URL with a query or fragment".to_owned(), BARE));
    }
    (!is_url).then(|| (quoted(text), EXPECTED))
}

/// Whether the text is a host with or without a port.
fn is_server(authority: &str) -> bool {
    // The colons of an IPv6 address stand in brackets.
    let begin = authority.rfind(']').unwrap_or_default();
    let colon = authority[begin..].find(':').map(|at| begin + at);
    let (host, port) = colon.map_or((authority, ""), |at| (&authority[..at], &authority[at + 1..]));
    !host.is_empty() && (port.is_empty() || port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_http_url_and_a_secret_is_not_shown() {
        for good in
            ["http://prom", "HTTPS://prom:9090/", "http://[::1]:9090/select/0/prometheus", "http://prom/a@b"]
        {
            assert_eq!(fault_of(good), None, "{good}");
        }
        for (bad, found) in [
            ("prom:9090", "'prom:9090'"),
            ("prom", "'prom'"),
            ("ftp://prom", "'ftp://prom'"),
            ("http://", "'http://'"),
            ("http://:9090", "'http://:9090'"),
            ("http://prom:port", "'http://prom:port'"),
            ("http://prom:9090 /a", "'http://prom:9090 /a'"),
            ("http://me:hunter2@prom", "a URL with credentials"),
            ("http:/me:hunter2@prom", "a URL with credentials"),
            ("me:hunter2@prom:9090", "a URL with credentials"),
            ("http://prom?token=hunter2", "a URL with a query or fragment"),
            ("prom#hunter2", "a URL with a query or fragment"),
        ] {
            let (told, expected) = fault_of(bad).unwrap_or_else(|| panic!("{bad} must be refused"));
            assert!(told == found && expected.starts_with("a URL such as http://"), "{bad}: {told}");
        }
    }
}
