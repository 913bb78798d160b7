//! MSTL with ETS on the remainder (augurs): daily and weekly seasons are removed, the trend is extrapolated.
//!
//! A batch model: fitted every six hours, like ours, and not updated in between, which is how it is used in practice.
//! If the fit fails, it forecasts nothing.

use augurs::ets::AutoETS;
use augurs::mstl::MSTLModel;
use augurs::{Fit, Predict};

use super::means::{Bins, Model};

/// The last fit's forecast.
#[derive(Default)]
pub(super) struct Mstl {
    /// The number of bins known at the fit, and the forecast of those after it.
    path: Option<(usize, Vec<f64>)>,
    fitted: usize,
}

/// Fits per day.
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

/// The forecast of the `ahead` bins after `values`.
fn path(values: &[f64], day: usize, ahead: usize) -> Option<Vec<f64>> {
    // A season can be estimated only once it was seen twice.
    let seasons = if values.len() >= 14 * day { vec![day, 7 * day] } else { vec![day] };
    let trend = AutoETS::new(1, "ZZN").ok()?.into_trend_model();
    let fitted = MSTLModel::new(seasons, trend).fit(values).ok()?;
    let path = fitted.predict(ahead, None).ok()?.point;
    path.iter().all(|value| value.is_finite()).then_some(path)
}
