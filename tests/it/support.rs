//! What several integration tests need: programs to run against, and waiting for conditions.

pub mod authority;
pub mod prometheus;
