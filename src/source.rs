//! Where history comes from: a Prometheus server, trace files, generated workloads.

pub mod config;
mod error;
pub mod feed;
pub mod prometheus;
mod secret;
pub mod yaml;

pub use error::SourceError;
pub use secret::Secret;
