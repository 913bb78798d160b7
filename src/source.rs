//! Where history comes from: a Prometheus server, trace files, or generated loads.
//!
//! This module also reads everything else that enters the server from outside: configuration, secrets, named
//! policies. It never follows a redirect, shows a secret, or reads an answer of unbounded size.

mod address;
mod backend;
mod backoff;
mod catalogue;
pub mod config;
mod datasources;
pub mod discovery;
mod error;
pub mod exporters;
pub mod feed;
pub mod manifest;
pub mod prometheus;
pub mod promql;
mod recorded;
pub mod schema;
pub(crate) mod secret;
pub mod synthetic;
pub mod trace;
mod transport;
pub mod yaml;

pub use address::{AllowedAddress, base_url};
pub use backend::{Backend, Backends, RangeQuery, Reading};
pub use backoff::Backoff;
pub use catalogue::{Catalogue, schedule_from};
pub use config::ServerConfig;
pub use datasources::{DataSources, check_files, open};
pub use discovery::{Discovery, Doubt, doubts};
pub use error::{PublicFailure, SourceError, Unreached};
pub use recorded::Recorded;
pub use secret::Secret;
