//! Reads data sources: their address, how we authenticate, and whom we trust.

use std::collections::BTreeMap;

use reqwest::header::{HeaderName, HeaderValue};

use super::path;
use crate::policy::{is_label, quoted};
use crate::source::base_url;
use crate::source::config::keys::{Section, note};
use crate::source::config::{Auth, DataSourceConfig, TlsConfig};
use crate::source::secret::{Secret, SecretSource};
use crate::units::Span;

/// Set by the HTTP client from the body; a second value would break the request.
const RESERVED_HEADERS: [&str; 4] = ["connection", "content-length", "content-type", "transfer-encoding"];
/// Set for each query; a fixed value would change its meaning.
const RESERVED_PARAMETERS: [&str; 6] = ["query", "start", "end", "step", "time", "timeout"];

pub(super) fn all(top: &Section<'_>) -> BTreeMap<String, DataSourceConfig> {
    let mut all = BTreeMap::new();
    for (name, value) in top.table("datasources") {
        let key = format!("datasources.{name}");
        if !is_label(name) {
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
            // Without an @ the text holds no password.
            let found = if text.shown.contains('@') { "a URL".to_owned() } else { quoted(&text.shown) };
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
