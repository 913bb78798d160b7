//! KEDA's external scaler contract over gRPC. The only place that makes a gRPC `Status`.
//!
//! Handlers answer from memory and never query, fit or wait: a call that hangs would freeze KEDA's loop for the
//! workload.
//! `GetMetricSpec` is a function of the metadata alone and always succeeds, since its error would disarm
//! KEDA's `fallback` and block the sibling triggers. An error is never a zero and never `active = false`.

mod service;
mod stream;

pub use service::ExternalScalerService;

use std::collections::HashMap;

use tokio::sync::watch;

use crate::decide::State;
use crate::policy::{Faults, WorkloadId};
use crate::units::{Span, Time};

/// The types of `proto/externalscaler.proto`, generated when it changes (`tests/it/wire.rs`) and not at each build.
#[allow(missing_docs, clippy::all, rust_2018_idioms)]
pub mod wire {
    include!("../proto/externalscaler.rs");
    /// The descriptors, for gRPC reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!("../proto/externalscaler.bin");
}

/// Why a workload is not served at all.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The metadata is faulty.
    #[error("{0}")]
    Faulty(Faults),
    /// Two different metadata sets claim the same identity for longer than a patch takes.
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
    /// Its newest state, kept current.
    pub state: watch::Receiver<State>,
    /// The age up to which a decision may be answered with: an older one has missed its renewals, and whoever decided it
    /// may have stopped.
    pub most_age: Span,
}

/// Who knows the workloads; the service asks it and nobody else.
pub trait DecisionProvider: Send + Sync + 'static {
    /// The state of the workload that these keys describe, kept current from now on.
    ///
    /// # Errors
    /// [`Refusal`] where the keys describe none.
    fn state(&self, id: &WorkloadId, metadata: &HashMap<String, String>) -> Result<Served, Refusal>;

    /// The present.
    fn now(&self) -> Time;

    /// One call was answered: its method, the gRPC code, and how long it took in seconds.
    fn answered(&self, method: &'static str, code: tonic::Code, seconds: f64);
}
