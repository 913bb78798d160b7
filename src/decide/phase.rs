//! Where the fits of a series lie on the 6-hour grid. They are spread so that not all are due at once, and they are
//! the same for every replica and every command, whatever name the data source has there.

use super::fits::FIT_GRID;
use crate::policy::Signal;
use crate::units::{Span, Step, stable_hash};

/// How the fit grids of a workload's signals are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// All the same; for simulations, which have no neighbours to spread from.
    Alike(Span),
    /// By the series that each signal learns from, as in the server.
    OfSeries,
}

// === impl Phase ===

impl Phase {
    /// The phase of a signal's fits.
    pub fn of(self, signal: &Signal) -> Span {
        match self {
            Phase::Alike(phase) => phase,
            Phase::OfSeries => {
                let query = signal.drain().map_or(&signal.query, |drain| &drain.arrivals);
                series_phase(query, signal.step, signal.window)
            }
        }
    }
}

impl From<Span> for Phase {
    fn from(phase: Span) -> Self {
        Phase::Alike(phase)
    }
}

/// The phase of a series, in whole minutes below 6 h.
pub fn series_phase(query: &str, step: Step, window: Span) -> Span {
    hashed(&format!("{query}\n{}\n{}", step.as_seconds(), window.as_seconds()))
}

/// A span of whole minutes below 6 h; the same text gives the same span on every machine.
fn hashed(text: &str) -> Span {
    let minutes = FIT_GRID.as_seconds().unsigned_abs() / 60;
    Span::minutes(i64::try_from(stable_hash(text) % minutes).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Keys, Policy};

    #[test]
    fn phases_are_spread_and_fixed_for_good() {
        let phases: std::collections::BTreeSet<_> =
            (0..1_000).map(|i| hashed(&format!("query {i}")).as_seconds()).collect();
        assert!(phases.len() > 300 && phases.iter().all(|p| (0..21_600).contains(p) && p % 60 == 0));
        assert_eq!(hashed("").as_seconds(), (0xCBF2_9CE4_8422_2325_u64 % 360) as i64 * 60);
    }

    #[test]
    fn a_signal_fits_where_the_series_is_read_again_that_it_learns_from() {
        let policy = |more: &[(&str, &str)]| {
            let keys = [("query", "depth"), ("threshold", "10"), ("datasource", "other")];
            let values = keys.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Policy::from_keys(&Keys { values, ..Keys::default() }).expect("valid")
        };
        let plain = policy(&[]);
        let signal = &plain.signals[0];
        assert_eq!(Phase::OfSeries.of(signal), series_phase("depth", signal.step, signal.window));
        let drained = policy(&[
            ("signal", "queue"),
            ("arrivalQuery", "in"),
            ("serviceRate", "2"),
            ("drainWithin", "10m"),
        ]);
        let signal = &drained.signals[0];
        assert_eq!(Phase::OfSeries.of(signal), series_phase("in", signal.step, signal.window));
        assert_eq!(Phase::from(Span::HOUR).of(signal), Span::HOUR);
    }
}
