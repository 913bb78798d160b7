//! Assembles the server: registry, refresh loops, listeners, shutdown.
//!
//! Listeners, data sources, clock and shutdown are passed in, so that tests and the demo run exactly the same server.
//! Nothing here decides; `decide` does.

mod clock;
mod fitter;
mod forecasts;
mod hub;
mod listen;
mod past;
mod pulse;
mod registry;
mod shared;
mod single_flight;
mod starts;
mod store;
mod tls;
mod workload;

pub use clock::{Clock, SteppedClock, SystemClock, Wait};
pub use fitter::Fit;
pub use listen::Door;
pub use registry::Registry;
pub(crate) use starts::Pods;
pub use tls::check as check_tls;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};

use self::listen::Limited;
use crate::http::{self, Metrics};
use crate::keda::ExternalScalerService;
use crate::source::{Backends, Catalogue, ServerConfig};
use crate::units::Span;

/// The parts of a server.
pub struct Parts {
    /// Limits, ages and grace periods.
    pub config: ServerConfig,
    /// Named policies and calendars.
    pub catalogue: Catalogue,
    /// Where history comes from.
    pub backends: Arc<dyn Backends>,
    /// How forecasts are made: [`fit`], unless a test needs a slower one.
    pub fit: Fit,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The threads that decide. They are not the threads that answer KEDA, so that no answer waits for them.
    pub workers: Handle,
    /// Shuts everything down gracefully.
    pub shutdown: CancellationToken,
}

/// Why a server did not start or did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A listener ended unexpectedly.
    #[error("a listener ended: {0}")]
    Listener(String),
    /// The gRPC descriptors are invalid.
    #[error("grpc reflection: {0}")]
    Reflection(String),
    /// The certificates cannot be used.
    #[error("{0}")]
    Tls(String),
}

/// The function that makes forecasts.
pub fn fit() -> Fit {
    Arc::new(crate::decide::forecast)
}

/// Creates a server's registry; [`run`] serves it.
pub fn registry(parts: &Parts) -> Arc<Registry> {
    Registry::new(parts, Arc::new(Metrics::new()))
}

/// Serves until `shutdown` fires, then lets open calls finish for at most the configured grace period. The HTTP
/// listener answers immediately. The gRPC socket starts listening once the workloads known from earlier have
/// decisions, so that no call reaches a server that is still warming up.
///
/// # Errors
/// [`ServeError`] if a listener fails.
pub async fn run(
    parts: Parts,
    registry: Arc<Registry>,
    grpc: impl Into<Door>,
    http: TcpListener,
) -> Result<(), ServeError> {
    let Parts { config, shutdown, .. } = parts;
    let door: Door = grpc.into();
    let tls = config.grpc.tls.clone().map(|files| tls::Tls::load(files, shutdown.clone())).transpose();
    let tls = tls.map_err(ServeError::Tls)?;
    if tls.is_none() && !door.is_local() {
        tracing::warn!(
            "grpc is served in plaintext to other machines: whoever reaches it can ask for any workload; \
             set grpc.tls, or close the port to all but KEDA by a NetworkPolicy"
        );
    }
    let failed = |error: std::io::Error| ServeError::Listener(error.to_string());
    let (grpc_at, http_at) = (door.local_addr().map_err(failed)?, http.local_addr().map_err(failed)?);
    let router = http::router(registry.clone());
    let http = Limited::new(http, config.limits.connections).reading_for(HTTP_AGE);
    let http = axum::serve(http, router).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let mut http = tokio::spawn(http.into_future());
    registry.warmed().await;
    let (health, health_service) = tonic_health::server::health_reporter();
    for name in ["", "externalscaler.ExternalScaler", "liveness", "readiness"] {
        health.set_service_status(name, tonic_health::ServingStatus::Serving).await;
    }
    let listener = door.open().map_err(failed)?;
    let connections = Limited::new(listener, config.limits.connections).connections(tls);
    let grpc = transport(&config, registry.clone(), shutdown.clone())
        .add_service(health_service)
        .add_service(reflection()?)
        .serve_with_incoming_shutdown(connections, shutdown.clone().cancelled_owned());
    // Logged only now, because whoever reads this may call.
    tracing::info!(grpc = %grpc_at, http = %http_at, "listening");
    let mut grpc = tokio::spawn(grpc);
    // A listener that ends by itself has failed; then everything is shut down.
    let early = tokio::select! {
        // Polled first: on shutdown the listeners end as well, which is no failure.
        biased;
        () = shutdown.cancelled() => None,
        ended = &mut grpc => Some(ended.map_or_else(|e| e.to_string(), |r| format!("{r:?}"))),
        ended = &mut http => Some(ended.map_or_else(|e| e.to_string(), |r| format!("{r:?}"))),
    };
    if let Some(why) = early {
        shutdown.cancel();
        return Err(ServeError::Listener(why));
    }
    for name in ["", "externalscaler.ExternalScaler", "readiness"] {
        health.set_service_status(name, tonic_health::ServingStatus::NotServing).await;
    }
    let grace = seconds(config.shutdown_grace);
    // Connections that do not end in time are cut; KEDA keeps what runs and asks another replica.
    if tokio::time::timeout(grace, async { (grpc.await, http.await, registry.keep_all().await) })
        .await
        .is_err()
    {
        tracing::warn!("connections were still open after the shutdown grace");
    }
    Ok(())
}

/// The gRPC transport with KEDA's services.
fn transport(
    config: &ServerConfig,
    registry: Arc<Registry>,
    shutdown: CancellationToken,
) -> tonic::transport::server::Router {
    let age = seconds(config.grpc.max_connection_age);
    let scaler = ExternalScalerService::server(registry, shutdown, age, config.limits.streams)
        // Twice the metadata, because names, the metric's name and the framing are added.
        .max_decoding_message_size(2 * config.limits.metadata_bytes);
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(seconds(config.grpc.keepalive)))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_connection_age(age)
        .add_service(scaler)
}

fn reflection() -> Result<ServerReflectionServer<impl ServerReflection>, ServeError> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(crate::keda::wire::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|e| ServeError::Reflection(e.to_string()))
}

/// How long a ping on an idle connection may stay unanswered: the default of gRPC servers.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// The maximum age of an HTTP connection: longer than scrapers and probes keep one idle between two requests.
const HTTP_AGE: Duration = Duration::from_secs(300);

fn seconds(span: Span) -> Duration {
    Duration::from_secs(u64::try_from(span.as_seconds()).unwrap_or(0))
}
