//! The integration tests, as one binary: against real servers, over real sockets.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests read the clock and tell what they measured"
)]

mod backtest;
mod catalogue;
mod hpa_recordings;
mod lint;
mod scenarios;
mod serve;
mod source;
mod support;
mod tidy;
mod tls_server;
