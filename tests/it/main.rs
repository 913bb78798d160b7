//! The integration tests in one binary: against real servers, over real sockets.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests read the clock and tell what they measured"
)]

mod ask;
mod assess;
mod backtest;
mod capacity;
mod catalogue;
mod dashboards;
mod discovery;
mod doctor;
mod faults;
mod fuzz;
mod hpa_recordings;
mod init;
mod lint;
mod manual;
mod migration;
mod own_clock;
mod pages;
mod presets;
mod properties;
mod push;
mod release;
mod replay;
mod scenarios;
mod security;
mod serve;
mod shards;
mod shipped;
mod simulation;
mod soak;
mod source;
mod support;
mod tidy;
mod timeline;
mod tls_server;
mod trust;
mod wire;
