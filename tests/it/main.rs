//! The integration tests, as one binary: against real servers, over real sockets.

mod hpa_recordings;
mod source;
mod support;
