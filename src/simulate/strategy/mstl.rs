//! MSTL with ETS on what remains (augurs): daily and weekly seasons taken out, the trend continued.
//!
//! A batch model: fitted anew every six hours, like ours, and followed blindly in between, which is how it is used.
//! Where the fit fails it expects nothing.

use augurs::ets::AutoETS;
use augurs::mstl::MSTLModel;
use augurs::{Fit, Predict};

use super::means::{Bins, Model};

/// The path of the last fit.
#[derive(Default)]
pub(super) struct Mstl {
    /// Bins known at the fit, and what it expects of those after.
    path: Option<(usize, Vec<f64>)>,
    fitted: usize,
}

/// Fits a day.
const FITS: usize = 4;

impl Model for Mstl {
    fn expects(&mut self, bins: &Bins, known: usize, ahead: usize) -> Option<Vec<f64>> {
        let day = bins.of_a_day();
        if day < 4 || known < 2 * day {
            return None;
        }
        let holds = day / FITS;
        if self.fitted == 0 || known >= self.fitted + holds {
            self.fitted = known;
            self.path = path(bins.newest(known), day, holds + ahead).map(|path| (known, path));
        }
        let (fitted, path) = self.path.as_ref()?;
        let from = known.checked_sub(*fitted)?;
        Some(path.get(from..from + ahead)?.iter().map(|value| value.max(0.0)).collect())
    }
}

/// What is expected of the `ahead` bins after `values`.
fn path(values: &[f64], day: usize, ahead: usize) -> Option<Vec<f64>> {
    // A season is told only once it was seen twice.
    let seasons = if values.len() >= 14 * day { vec![day, 7 * day] } else { vec![day] };
    let trend = AutoETS::new(1, "ZZN").ok()?.into_trend_model();
    let fitted = MSTLModel::new(seasons, trend).fit(values).ok()?;
    let path = fitted.predict(ahead, None).ok()?.point;
    path.iter().all(|value| value.is_finite()).then_some(path)
}
