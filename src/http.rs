//! Health, metrics and the read-only JSON API over HTTP.
//!
//! Everything is answered from memory and nothing can be changed from here. Queries and metadata are not shown
//! unless the server is told to.

mod metrics;
mod routes;
mod view;

pub use metrics::Metrics;
pub use routes::{Overview, router};
pub use view::decision_json;
