//! The validated policy of a workload: schedules, calendars, overrides, and the faults found on the way to
//! them.
//!
//! Everything here is a pure function of its text and an instant; nothing reads a clock, a file or the
//! network.

mod fault;
pub mod ical;
mod local;
mod override_;
pub mod schedule;

pub use fault::{Fault, nearest};
pub use override_::Override;
