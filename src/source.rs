//! Where history comes from: a Prometheus server, trace files, generated workloads.

pub mod synthetic;
