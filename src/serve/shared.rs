//! What the loops of all workloads share.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::Clock;
use super::fitter::Fitter;
use super::forecasts::Forecasts;
use super::hub::Hub;
use super::past::Pasts;
use super::pulse::Pulse;
use crate::http::{Metrics, Settings};
use crate::source::Backends;
use crate::units::Span;

/// What all workloads' loops share.
pub(super) struct Shared {
    pub hub: Hub,
    pub forecasts: Forecasts,
    pub fitter: Arc<Fitter>,
    pub pasts: Pasts,
    pub pulse: Pulse,
    /// Where the loops run.
    pub workers: Handle,
    /// Permits for workloads that query the exporters for advice only.
    pub readers: Semaphore,
    pub backends: Arc<dyn Backends>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    pub startup_grace: Span,
    pub exposes_queries: bool,
    pub page: Settings,
}
