//! Addresses of data sources: how they are read, how they are shown, and which ones a workload may use.
//!
//! An address never carries credentials, a query or a fragment. A workload's address is admitted only if scheme, host
//! and port match exactly and the path matches in whole segments.

use reqwest::Url;

/// One entry of `serverAddressAllow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedAddress(Url);

/// Parses the address of a data source and drops a trailing `/`. The error says what is wrong with the text.
pub fn base_url(text: &str) -> Result<Url, &'static str> {
    // Not built on the core's rule for `serverAddress` (`policy::keys::address`): the core judges without the client's
    // parser and names what to write, this judges what the client makes of the text and names the part that is wrong.
    let mut url = Url::parse(text.trim()).map_err(|_| "not a URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the scheme is neither http nor https");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("the URL has no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL contains credentials; they belong in basic or bearerToken");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the URL has a query or fragment; parameters belong in queryParameters");
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// The address as messages show it: scheme, host, port, path.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs without a host, which have no credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.as_str().trim_end_matches('/').to_owned()
}

// === impl AllowedAddress ===

impl AllowedAddress {
    /// Reads an entry such as `http://prometheus.monitoring:9090` or `https://thanos/tenant-a`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        base_url(text).map(AllowedAddress)
    }

    /// Whether a workload may name this address, as read by [`base_url`].
    pub fn admits(&self, address: &Url) -> bool {
        let same_server = self.0.scheme() == address.scheme()
            && self.0.host() == address.host()
            && self.0.port_or_known_default() == address.port_or_known_default();
        if !same_server {
            return false;
        }
        let (prefix, path) = (self.0.path().trim_end_matches('/'), address.path());
        // A proxy may decode %2e%2e or collapse //, which would leave the allowed prefix.
        let plain = !path.contains(['%', '\\']) && !path.contains("//");
        plain && path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_admitted_by_server_and_whole_segments() {
        let check = |allowed: &str, address: &str, expected: bool| {
            let allowed = AllowedAddress::parse(allowed).expect("a valid entry");
            let admitted = base_url(address).is_ok_and(|url| allowed.admits(&url));
            assert_eq!(admitted, expected, "{address} by {allowed:?}");
        };
        check("http://prom:9090", "http://prom:9090", true);
        check("http://prom:9090/", "http://PROM:9090/any/", true);
        check("http://prom", "http://prom:80", true);
        check("http://prom:9090", "https://prom:9090", false);
        check("http://prom:9090", "http://prom:9091", false);
        check("http://prom:9090", "http://prom:9090.evil.example", false);
        check("http://prom:9090", "http://prom:9090@evil.example", false);
        check("http://prom:9090", "http://user@prom:9090", false);
        check("http://prom:9090", "http://prom:9090/?x=1", false);
        check("http://prom/a", "http://prom/a/b", true);
        check("http://prom/a", "http://prom/ab", false);
        check("http://prom/a", "http://prom/a/../b", false);
        check("http://prom/a", "http://prom/a/%2e%2e/b", false);
        check("http://prom/a", "http://prom/a/..%2fb", false);
        check("http://prom/a", "http://prom/a\\..\\b", false);
        check("http://prom/a", "http://prom/a//b", false);
    }

    #[test]
    fn only_http_is_an_address() {
        for text in [
            "",
            "prom:9090",
            "file:///etc/passwd",
            "ftp://x",
            "http://",
            "http://u:p@x",
            "http://x?y",
            "http://x#y",
        ] {
            assert!(base_url(text).is_err(), "{text} must be refused");
        }
        let url = base_url("https://x/prometheus/").expect("valid");
        assert_eq!((url.path(), shown(&url).as_str()), ("/prometheus", "https://x/prometheus"));
    }
}
