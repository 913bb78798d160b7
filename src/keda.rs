//! KEDA's external scaler contract over gRPC. The only place that makes a gRPC `Status`.
//!
//! Handlers answer from memory and never query, fit or wait: a hanging call would block KEDA's loop for the workload.
//! `GetMetricSpec` depends on the metadata alone and always succeeds, because an error would disable KEDA's
//! `fallback` and block the other triggers. An error is never reported as zero or as `active = false`.

mod service;
mod stream;

pub use service::ExternalScalerService;

use std::collections::HashMap;

use tokio::sync::watch;

use crate::decide::State;
use crate::policy::{Faults, WorkloadId};
use crate::units::{Span, Time};

/// The types of `proto/externalscaler.proto`. They are generated when that file changes (`tests/it/wire.rs`), not at
/// each build.
#[allow(missing_docs, clippy::all, rust_2018_idioms)]
pub mod wire {
    include!("../proto/externalscaler.rs");
    /// The descriptors for gRPC reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!("../proto/externalscaler.bin");
}

/// Why a workload is not served.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The metadata is faulty.
    #[error("{0}")]
    Faulty(Faults),
    /// Two different sets of metadata have claimed the same identity for longer than a patch takes.
    #[error("{0}")]
    Conflict(String),
    /// The workload belongs to another shard, and this one is strict.
    #[error("{0}")]
    Elsewhere(String),
    /// A limit of the server is reached.
    #[error("{0}")]
    Full(String),
}

/// A workload that is served.
#[derive(Debug, Clone)]
pub struct Served {
    /// Its newest state, which is kept current.
    pub state: watch::Receiver<State>,
    /// The maximum age of a decision in an answer. An older one was not renewed in time, and its loop may have
    /// stopped.
    pub most_age: Span,
}

/// Provides the decisions; the service's only source.
pub trait DecisionProvider: Send + Sync + 'static {
    /// The state of the workload described by these keys; it is kept current from now on.
    ///
    /// # Errors
    /// [`Refusal`] if the keys describe no workload that can be served.
    fn state(&self, id: &WorkloadId, metadata: &HashMap<String, String>) -> Result<Served, Refusal>;

    /// The present instant.
    fn now(&self) -> Time;

    /// Called after each answer: the method, the gRPC code, and the duration in seconds.
    fn answered(&self, method: &'static str, code: tonic::Code, seconds: f64);
}
