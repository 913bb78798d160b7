//! The HTTP client of a data source: TLS by rustls with ring, credentials, headers, no redirects.
//!
//! Secret files are read for each request, and the client is rebuilt when a certificate changes; during a
//! half-finished rotation the previous client stays in use. Nothing here prints a secret.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_http_query::Client as Api;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Identity, Method, RequestBuilder, Url};

use super::resolve::{Guarded, System};
use crate::source::SourceError;
use crate::source::config::{Auth, DataSourceConfig};
use crate::source::secret::{Secret, read_small};

/// The longest time to connect; a server in the same cluster answers within milliseconds.
const CONNECT: Duration = Duration::from_secs(5);

/// Builds what a request needs, and caches the client between requests.
pub(super) struct Connector {
    config: DataSourceConfig,
    /// The configured parameters. Their names are leaked to live as long as the process: sources are created only
    /// from its configuration.
    parameters: Vec<(&'static str, Secret)>,
    cached: Mutex<Option<(Pems, Client)>>,
}

/// Everything that one request needs.
pub(super) struct Ready {
    client: Client,
    url: Url,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) parameters: Vec<(&'static str, Secret)>,
    pub(super) timeout: Duration,
    /// Texts that must not appear in a message, even if the server echoes them.
    secrets: Vec<Secret>,
}

/// The content of the certificate files.
#[derive(Clone, PartialEq, Default)]
struct Pems {
    ca: Option<Vec<u8>>,
    identity: Option<Vec<u8>>,
}

// === impl Connector ===

impl Connector {
    pub(super) fn new(config: DataSourceConfig) -> Self {
        let leaked = |(name, value): &(String, Secret)| (&*name.clone().leak(), value.clone());
        let parameters = config.query_parameters.iter().map(leaked).collect();
        Connector { config, parameters, cached: Mutex::new(None) }
    }

    pub(super) fn ready(&self, target: &str) -> Result<Ready, SourceError> {
        let failed = |reason| SourceError::Credentials { target: target.to_owned(), reason };
        let client = self.client().map_err(failed)?;
        let mut ready = Ready {
            client,
            url: self.config.url.clone(),
            headers: Vec::new(),
            parameters: self.parameters.clone(),
            timeout: Duration::from_secs(self.config.timeout.as_seconds().unsigned_abs()),
            secrets: Vec::new(),
        };
        if let Some((value, secret)) = self.authorization(&ready.client).map_err(failed)? {
            ready.secrets.push(secret);
            ready.add(AUTHORIZATION, value);
        }
        for (name, secret) in &self.config.headers {
            let value = HeaderValue::from_str(secret.reveal())
                .map_err(|_| failed(format!("the value of header {name} has line breaks")))?;
            ready.secrets.push(secret.clone());
            ready.add(name.clone(), value);
        }
        Ok(ready)
    }

    /// The header, and the secret in it. reqwest encodes it, on a request that is never sent.
    fn authorization(&self, client: &Client) -> Result<Option<(HeaderValue, Secret)>, String> {
        let blank = client.get(self.config.url.clone());
        let (request, secret) = match &self.config.auth {
            Auth::None => return Ok(None),
            Auth::Bearer(source) => {
                let token = source.read()?;
                (blank.bearer_auth(token.reveal()), token)
            }
            Auth::Basic { username, password } => {
                let password = password.read()?;
                (blank.basic_auth(username, Some(password.reveal())), password)
            }
        };
        let request = request.build().map_err(|_| "the token or password has line breaks".to_owned())?;
        Ok(request.headers().get(AUTHORIZATION).map(|value| (value.clone(), secret)))
    }

    fn client(&self) -> Result<Client, String> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let built = self.pems().and_then(|pems| match &*cached {
            Some((known, client)) if *known == pems => Ok((pems, client.clone())),
            _ => build(&self.config, &pems).map(|client| (pems, client)),
        });
        match (built, &*cached) {
            (Ok((pems, client)), _) => {
                *cached = Some((pems, client.clone()));
                Ok(client)
            }
            (Err(_), Some((_, former))) => Ok(former.clone()),
            (Err(reason), None) => Err(reason),
        }
    }

    /// A client for requests that take no headers: they are set on the client itself, and the configured parameters
    /// are part of the URL. `None` if the API is at the root and there are such parameters, since the client drops
    /// them there.
    pub(super) fn discovering(&self, ready: &Ready) -> Result<Option<Api>, String> {
        let mut url = self.config.url.clone();
        url.set_path(self.config.url.path().trim_end_matches('/'));
        if !self.parameters.is_empty() {
            if url.path() == "/" {
                return Ok(None);
            }
            url.query_pairs_mut()
                .extend_pairs(self.parameters.iter().map(|(name, value)| (*name, value.reveal())));
        }
        let headers = ready.headers.iter().cloned().collect();
        let client = builder(&self.config, &self.pems()?)?.default_headers(headers);
        let client = client.build().map_err(|error| cause(&error))?;
        Api::from(client, url.as_str()).map(Some).map_err(|error| error.to_string())
    }

    fn pems(&self) -> Result<Pems, String> {
        let tls = &self.config.tls;
        let ca = tls.ca.as_deref().map(read_small).transpose()?;
        let identity = match &tls.identity {
            None => None,
            Some((cert, key)) => Some([read_small(cert)?, b"\n".to_vec(), read_small(key)?].concat()),
        };
        Ok(Pems { ca, identity })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("config", &self.config).finish_non_exhaustive()
    }
}

// === impl Ready ===

impl Ready {
    /// A request below the data source's address; the configured parameters come last.
    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, String)],
    ) -> RequestBuilder {
        let own = parameters.iter().map(|(name, value)| (*name, value.as_str()));
        let configured = self.parameters.iter().map(|(name, value)| (*name, value.reveal()));
        let all: Vec<(&str, &str)> = own.chain(configured).collect();
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{path}", self.url.path().trim_end_matches('/')));
        let in_address = method == Method::GET;
        let request = self.client.request(method, url);
        let request = if in_address { request.query(&all) } else { request.form(&all) };
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// A Prometheus API client below the data source's address.
    pub(super) fn api(&self) -> Result<Api, String> {
        let mut url = self.url.clone();
        url.set_path(self.url.path().trim_end_matches('/'));
        Api::from(self.client.clone(), url.as_str()).map_err(|error| error.to_string())
    }

    fn add(&mut self, name: HeaderName, mut value: HeaderValue) {
        value.set_sensitive(true);
        // The encoded form is as secret as the password itself.
        if let Some(encoded) = value.to_str().ok().and_then(|v| v.strip_prefix("Basic ")) {
            self.secrets.push(Secret::new(encoded));
        }
        self.headers.push((name, value));
    }

    /// A text from the server, without any secret that we sent.
    pub(super) fn hide(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| secret.hide_in(&text))
    }
}

fn build(config: &DataSourceConfig, pems: &Pems) -> Result<Client, String> {
    builder(config, pems)?.build().map_err(|e| cause(&e))
}

fn builder(config: &DataSourceConfig, pems: &Pems) -> Result<ClientBuilder, String> {
    // reqwest uses the process-wide crypto provider; one that is already installed is kept.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let timeout = Duration::from_secs(config.timeout.as_seconds().unsigned_abs());
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("forescale/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT.min(timeout))
        .timeout(timeout);
    if config.is_guarded {
        builder = builder.dns_resolver(std::sync::Arc::new(Guarded(System)));
    }
    if let Some(pem) = &pems.ca {
        let authorities = Certificate::from_pem_bundle(pem).map_err(|e| cause(&e))?;
        if authorities.is_empty() {
            return Err("the file of tls.ca contains no certificate".to_owned());
        }
        builder = builder.tls_certs_only(authorities);
    } else if config.url.scheme() == "http" {
        // Without TLS the system's authorities are not needed, and a minimal container has none.
        builder = builder.tls_certs_only([]);
    }
    if let Some(pem) = &pems.identity {
        builder = builder.identity(Identity::from_pem(pem).map_err(|e| cause(&e))?);
    }
    if config.tls.insecure_skip_verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    Ok(builder)
}

/// The innermost cause of an error. The outermost layer is left out, since it would show the URL with its query.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    let innermost = std::iter::successors(error.source(), |error| error.source()).last();
    innermost.map_or_else(|| "no cause given".to_owned(), ToString::to_string)
}
