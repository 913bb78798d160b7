//! From the history of a load to quantiles of what comes: fit, follow, ask.
