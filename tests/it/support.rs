//! What several integration tests need: programs to run against, and waiting for conditions.

pub mod prometheus;
