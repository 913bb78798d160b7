//! Tests `forescale serve` as a process, against a real Prometheus; the tests play KEDA's side over a real socket.

mod capacity;
mod contract;
mod explain;
mod failing;
mod history;
mod lead;
mod outage;
mod page;
mod schedule;
mod state;

/// A configuration with one data source.
fn configuration(url: &str) -> String {
    format!("datasources: {{default: {{url: '{url}'}}}}")
}
