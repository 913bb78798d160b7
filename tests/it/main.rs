//! The integration tests, as one binary: against real servers, over real sockets.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests read the clock and tell what they measured"
)]

mod backtest;
mod catalogue;
mod dashboards;
mod faults;
mod fuzz;
mod hpa_recordings;
mod lint;
mod presets;
mod properties;
mod push;
mod replay;
mod scenarios;
mod security;
mod serve;
mod source;
mod support;
mod tidy;
mod tls_server;
