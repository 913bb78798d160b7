//! All data sources of a server: those named in its configuration, and those that workloads name by address.
//!
//! A workload gets a named source only if its namespace may use it, and an address only if it is on the allow-list. A
//! source named by address never carries credentials.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::address::{AllowedAddress, base_url, shown};
use super::config::{DataSourceConfig, Limits, ServerConfig};
use super::prometheus::Prometheus;
use super::transport::Transport;
use super::{Backend, Backends, SourceError};
use crate::policy::SourceRef;

/// The most distinct addresses in use at once: an allowed prefix must not let callers open unlimited connections.
const MAX_ADDRESSES: usize = 256;

/// The data sources of a server.
pub struct DataSources {
    named: BTreeMap<String, Named>,
    allow: Vec<AllowedAddress>,
    limits: Limits,
    by_address: Mutex<BTreeMap<String, Weak<dyn Backend>>>,
}

struct Named {
    source: Arc<dyn Backend>,
    namespaces: Option<BTreeSet<String>>,
}

/// One data source under its name in metrics; it connects at the first query.
pub fn open(name: &str, config: DataSourceConfig, limits: &Limits) -> Arc<dyn Backend> {
    Arc::new(Prometheus::new(name, config, limits))
}

/// What is wrong with the files that the named sources read for a request: tokens, passwords, certificates. Each fault
/// names its source and file, never the content.
pub fn check_files(config: &ServerConfig) -> Vec<String> {
    let fault = |(name, source): (&String, &DataSourceConfig)| {
        let error = Transport::new(source.clone()).check().err()?;
        Some(format!("datasources.{name}: {error}"))
    };
    config.datasources.iter().filter_map(fault).collect()
}

// === impl DataSources ===

impl DataSources {
    /// The data sources of the configuration; none is contacted yet.
    pub fn new(config: &ServerConfig) -> Self {
        let named = config.datasources.iter().map(|(name, source)| {
            let namespaces = source.namespaces.clone();
            let source = open(name, source.clone(), &config.limits);
            (name.clone(), Named { source, namespaces })
        });
        DataSources {
            named: named.collect(),
            allow: config.server_address_allow.clone(),
            limits: config.limits.clone(),
            by_address: Mutex::default(),
        }
    }

    /// The source with that name, for a workload in the namespace.
    pub fn get(&self, name: &str, namespace: &str) -> Result<Arc<dyn Backend>, SourceError> {
        let admitted = self.named.iter().filter(|(_, named)| named.admits(namespace));
        if let Some((_, named)) = admitted.clone().find(|(known, _)| *known == name) {
            return Ok(Arc::clone(&named.source));
        }
        let known: Vec<&str> = admitted.map(|(known, _)| known.as_str()).collect();
        Err(SourceError::DatasourceRefused {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            admitted: match known.as_slice() {
                [] => "nor any other".to_owned(),
                known => format!("only {}", known.join(", ")),
            },
        })
    }

    /// The source at an address that a workload names; equal addresses share one source while it is in use.
    pub fn for_address(&self, address: &str) -> Result<Arc<dyn Backend>, SourceError> {
        // An address that does not parse is not echoed: it may hold credentials.
        let url = base_url(address).map_err(|reason| SourceError::AddressMalformed { reason })?;
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
        let source = open(DataSourceConfig::BY_ADDRESS, config, &self.limits);
        by_address.insert(key, Arc::downgrade(&source));
        Ok(source)
    }
}

impl Backends for DataSources {
    fn resolve(&self, source: &SourceRef, namespace: &str) -> Result<Arc<dyn Backend>, SourceError> {
        match source {
            SourceRef::Named(name) => self.get(name, namespace),
            SourceRef::Address(address) => self.for_address(address),
        }
    }
}

impl Named {
    fn admits(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|allowed| allowed.contains(namespace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_given_to_those_who_may_use_them() {
        let config = ServerConfig::parse(
            "datasources: {default: {url: 'http://a'}, private: {url: 'http://b', namespaces: [team]}}
serverAddressAllow: ['http://prom:9090']",
            &std::collections::BTreeMap::new(),
        )
        .expect("valid");
        let sources = DataSources::new(&config);
        assert!(sources.get("default", "any").is_ok() && sources.get("private", "team").is_ok());
        // A namespace that may not use a source does not learn that it exists.
        for name in ["private", "nowhere"] {
            let error = sources.get(name, "any").err().expect("refused");
            let told = format!("namespace 'any' may not use datasource '{name}', only default");
            assert!(error.to_string() == told, "{error}");
        }
        let (one, two) = (sources.for_address("http://prom:9090"), sources.for_address("http://prom:9090/"));
        assert!(Arc::ptr_eq(&one.expect("admitted"), &two.expect("admitted")));
        for address in
            ["http://other:9090", "http://me:hunter2@prom:9090", "prom:9090", "http://prom:9090?x=hunter2"]
        {
            let error = sources.for_address(address).err().expect("refused");
            assert!(error.kind() == "refused" && !error.to_string().contains("hunter2"), "{error}");
            let is_read = address == "http://other:9090";
            assert_eq!(error.to_string().contains("is not admitted"), is_read, "{error}");
        }
        let kept: Vec<_> = (0..300).map(|i| sources.for_address(&format!("http://prom:9090/{i}"))).collect();
        assert!(kept.iter().any(|s| matches!(s, Err(SourceError::TooManyAddresses { .. }))));
        drop(kept);
        assert!(sources.for_address("http://prom:9090/again").is_ok());
    }
}
