//! Where history comes from: a Prometheus server, trace files, generated workloads.

mod backend;
mod catalogue;
pub mod config;
mod error;
pub mod feed;
pub mod manifest;
pub mod prometheus;
mod recorded;
pub mod schema;
pub(crate) mod secret;
pub mod synthetic;
pub mod trace;
pub mod yaml;

pub use backend::{Backend, Backends, RangeQuery, RangeSource, Reading, Shared};
pub use catalogue::{Catalogue, schedule_from};
pub use config::ServerConfig;
pub use error::SourceError;
pub use feed::grid_phase;
pub use recorded::Recorded;
pub use secret::Secret;
