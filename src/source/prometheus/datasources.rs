//! All data sources of a server: those named in its configuration, and those that workloads name by address.
//!
//! A workload gets a named source only if its namespace may use it, and an address only if the allow-list
//! admits it; such a source carries no credentials.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::address::shown;
use super::{AllowedAddress, Prometheus, base_url};
use crate::source::SourceError;
use crate::source::config::{DataSourceConfig, Limits, ServerConfig};

/// Distinct addresses in use at a time; an allowed prefix must not let callers open connections without end.
const MAX_ADDRESSES: usize = 256;

/// The data sources of a server.
#[derive(Debug)]
pub struct DataSources {
    named: BTreeMap<String, Named>,
    allow: Vec<AllowedAddress>,
    limits: Limits,
    by_address: Mutex<BTreeMap<String, Weak<Prometheus>>>,
}

#[derive(Debug)]
struct Named {
    source: Arc<Prometheus>,
    namespaces: Option<BTreeSet<String>>,
}

// === impl DataSources ===

impl DataSources {
    /// The name of every source that is named by its address; no configured one can be called so.
    pub const BY_ADDRESS: &'static str = "serverAddress";

    /// The data sources of the configuration; none is contacted yet.
    pub fn new(config: &ServerConfig) -> Self {
        let named = config.datasources.iter().map(|(name, source)| {
            let namespaces = source.namespaces.clone();
            let source = Arc::new(Prometheus::new(name, source.clone(), &config.limits));
            (name.clone(), Named { source, namespaces })
        });
        DataSources {
            named: named.collect(),
            allow: config.server_address_allow.clone(),
            limits: config.limits.clone(),
            by_address: Mutex::default(),
        }
    }

    /// The source of that name, for a workload of the namespace.
    pub fn get(&self, name: &str, namespace: &str) -> Result<Arc<Prometheus>, SourceError> {
        let admitted = self.named.iter().filter(|(_, named)| named.admits(namespace));
        if let Some((_, named)) = admitted.clone().find(|(known, _)| *known == name) {
            return Ok(Arc::clone(&named.source));
        }
        let known: Vec<&str> = admitted.map(|(known, _)| known.as_str()).collect();
        Err(SourceError::DatasourceRefused {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            admitted: match known.as_slice() {
                [] => "and no other".to_owned(),
                known => format!("only {}", known.join(", ")),
            },
        })
    }

    /// The source at an address that a workload names; equal addresses share one while it is in use.
    pub fn for_address(&self, address: &str) -> Result<Arc<Prometheus>, SourceError> {
        // What does not parse is not echoed: it may hold credentials.
        let url =
            base_url(address).map_err(|reason| SourceError::AddressRefused { address: reason.to_owned() })?;
        if !self.allow.iter().any(|allowed| allowed.admits(&url)) {
            return Err(SourceError::AddressRefused { address: shown(&url) });
        }
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = by_address.get(url.as_str()).and_then(Weak::upgrade) {
            return Ok(source);
        }
        by_address.retain(|_, source| source.strong_count() > 0);
        if by_address.len() == MAX_ADDRESSES {
            return Err(SourceError::TooManyAddresses { limit: MAX_ADDRESSES });
        }
        let key = url.as_str().to_owned();
        let config = DataSourceConfig { is_guarded: true, ..DataSourceConfig::at(url) };
        let source = Arc::new(Prometheus::new(Self::BY_ADDRESS, config, &self.limits));
        by_address.insert(key, Arc::downgrade(&source));
        Ok(source)
    }
}

impl Named {
    fn admits(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|allowed| allowed.contains(namespace))
    }
}
