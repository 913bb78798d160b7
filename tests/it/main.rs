//! The integration tests, as one binary: against real servers, over real sockets.

mod source;
mod support;
