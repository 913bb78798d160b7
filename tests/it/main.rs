//! Tests across the edges of the crate, in one binary.

mod hpa_recordings;
