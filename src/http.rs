//! Health, metrics, the read-only JSON API and the page over HTTP.
//!
//! Everything is answered from memory, and nothing can be changed here. Queries and metadata are shown only if the
//! server is configured to.

mod answers;
mod fleet;
mod metrics;
mod overview;
mod page;
pub(crate) mod patch;
mod routes;
mod view;

pub use metrics::Metrics;
pub use overview::{
    Again, Change, FailingQuery, KnownWorkload, Overview, Past, Settings, Snapshot, Story, WorkloadStatus,
    Worth,
};
pub use routes::router;
pub use view::{api_schema, decision_json, verdict_json};
