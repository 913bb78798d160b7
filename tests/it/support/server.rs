//! A server inside the test process, for tests that need its parts rather than its command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use forescale::serve::{self, Clock, Parts, SystemClock};
use forescale::source::{Backends, Catalogue, DataSources, ServerConfig};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Serves a configuration (YAML) on these listeners until the guard is dropped.
pub fn start(config: &str, grpc: TcpListener, http: TcpListener) -> DropGuard {
    let config = ServerConfig::parse(config, &BTreeMap::new()).expect("a configuration");
    let shutdown = CancellationToken::new();
    let sources = Arc::new(DataSources::new(&config));
    let parts = Parts { config, ..parts(sources, Arc::new(SystemClock), &shutdown) };
    let registry = serve::registry(&parts);
    tokio::spawn(serve::run(parts, registry, grpc, http));
    shutdown.drop_guard()
}

/// The parts of a server without a configuration, on the current runtime.
pub fn parts(backends: Arc<dyn Backends>, clock: Arc<dyn Clock>, shutdown: &CancellationToken) -> Parts {
    Parts {
        config: ServerConfig::parse("", &BTreeMap::new()).expect("valid"),
        catalogue: Catalogue::default(),
        backends,
        fit: serve::fit(),
        clock,
        workers: tokio::runtime::Handle::current(),
        shutdown: shutdown.clone(),
    }
}
