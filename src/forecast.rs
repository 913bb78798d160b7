//! Forecasts quantiles of a load from its history, in three steps: fit, follow, ask.
//!
//! [`fit`] fits the models to a window that ends at a grid point. [`Fitted::tracker`] returns the adaptive state. A
//! [`Tracker`] takes in each later sample and answers with quantiles of the load at a horizon, or of the peak load of a
//! window. All results are pure functions of the history: no clock, no randomness, and no memory from before the
//! window. Loads are never negative, and neither is any answer.

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
mod rule;
mod shift;
mod sift;
mod tasks;
mod tracker;
mod transform;
mod trust;
mod weights;

pub use explain::{ExpertView, Explanation};
pub use fitted::{FitError, Fitted, HistoryQuality, fit};
pub(crate) use fitted::{UNLIMITED, fit_within};
pub use peaks::PeakCache;
pub use rule::Rule;
pub use tracker::Tracker;
pub use trust::{Accuracy, Trust, TrustState};

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
