//! A server inside the test's own process, for tests that need its parts and not its command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use forescale::serve::{self, Parts, SystemClock};
use forescale::source::prometheus::DataSources;
use forescale::source::{Catalogue, ServerConfig};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Serves a configuration (YAML) on these listeners until the guard is dropped.
pub fn start(config: &str, grpc: TcpListener, http: TcpListener) -> DropGuard {
    let config = ServerConfig::parse(config, &BTreeMap::new()).expect("a configuration");
    let shutdown = CancellationToken::new();
    let parts = Parts {
        backends: Arc::new(DataSources::new(&config)),
        config,
        catalogue: Catalogue::default(),
        clock: Arc::new(SystemClock),
        workers: tokio::runtime::Handle::current(),
        shutdown: shutdown.clone(),
    };
    let registry = serve::registry(&parts);
    tokio::spawn(serve::run(parts, registry, grpc, http));
    shutdown.drop_guard()
}
