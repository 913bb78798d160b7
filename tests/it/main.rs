//! The integration tests, as one binary: against real servers, over real sockets.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests read the clock and tell what they measured"
)]

mod hpa_recordings;
mod scenarios;
mod source;
mod support;
mod tls_server;
