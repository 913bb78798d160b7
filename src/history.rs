//! What was observed: series on a fixed time grid, and the local calendar they are read by.
//!
//! A missing sample stays a gap (NaN inside, `None` outside); nothing here fills one in. A value that is no load
//! (negative, infinite, NaN) becomes a gap at the door and is counted, so code behind it never meets one.

mod calendar;
mod counters;
mod observations;
mod refill;
mod series;

pub use calendar::{Calendar, DayKind, LocalClock, LocalTime};
pub use counters::Counters;
pub use observations::{LeadSample, Measured, Observations, Sample, ServiceHistory, SignalHistory};
pub use refill::{Interruption, Reach, Refill, thin};
pub use series::{HistoryError, Series};
