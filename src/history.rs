//! What was observed: series on a fixed time grid, and the local calendar.
//!
//! A missing sample stays a gap (NaN inside, `None` outside); nothing here fills one in. A value that cannot be a
//! load (negative, infinite, NaN) becomes a gap when it is added, and is counted, so that the rest of the code never
//! sees one.

mod calendar;
mod chunks;
mod counters;
mod observations;
mod refill;
mod series;

pub use calendar::{Calendar, DayKind, LocalClock, LocalTime};
pub use counters::Counters;
pub use observations::{LeadSample, Measured, Observations, Sample, ServiceHistory, SignalHistory};
pub use refill::{Interruption, Reach, Refill, thin};
pub use series::{HistoryError, Series};
