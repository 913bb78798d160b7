//! From the history of a load to quantiles of what comes: fit, follow, ask.
//!
//! [`fit`] learns from a window up to a grid point; [`Fitted::tracker`] gives the adaptive state, which is
//! folded forward sample by sample and answers with quantiles of the load at a horizon or of the peak of a
//! window. Everything is a pure function of the history it was given: no clock, no randomness, no memory from
//! before the window. Loads are never negative, and no answer here ever is.

mod analogue;
mod backcast;
mod bins;
mod conformal;
mod experts;
mod explain;
mod fitted;
mod learn;
mod levels;
mod models;
mod now;
mod pattern;
mod peaks;
mod plain;
mod pool;
mod profile;
mod ridge;
mod shift;
mod sift;
mod tasks;
mod tracker;
mod transform;
mod trust;

pub use explain::{ExpertView, Explanation};
pub use fitted::{FitError, Fitted, HistoryQuality, fit};
pub use peaks::Rungs;
pub use tracker::Tracker;
pub use trust::{Accuracy, Rule, Trust, TrustState};

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
