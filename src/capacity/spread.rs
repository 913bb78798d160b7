//! The distribution of loads and the uncertainty of an estimate: bins of equal ratio, and a jackknife over blocks of
//! time.
//!
//! Neighbouring cells are alike, so single cells are never left out: a block consists of pieces of a quarter of an
//! hour spread over the whole window. Sums are taken in a fixed order, so two machines agree to the bit.

use super::cells::Cells;
use crate::units::percentile_of;

/// An estimate with a range that contains the truth nine times out of ten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// The lower end of its range.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Blocks of the jackknife: with a dozen, the normal quantile is nearly exact and a fit stays cheap.
pub(super) const BLOCKS: usize = 12;
/// Bins of a load, each 2 % wide, from the largest load down to a hundred-and-sixtieth of it.
pub(super) const BINS: usize = 256;
const BIN_WIDTH: f64 = 0.02;
/// The length of one piece of a block.
const PIECE_MINUTES: f64 = 15.0;
/// Nine tenths of a normal distribution lie within this many standard deviations.
const NINE_TENTHS: f64 = 1.645;

/// The bin of a load; `top` is the largest load. Both are logarithms.
pub(super) fn bin(load: f64, top: f64) -> usize {
    let below = ((top - load) / BIN_WIDTH).floor().clamp(0.0, (BINS - 1) as f64);
    BINS - 1 - below as usize
}

/// The block that each cell belongs to.
pub(super) fn blocks(cells: &Cells) -> Vec<usize> {
    let count = cells.len();
    let mean = cells.total_minutes() / count.max(1) as f64;
    let piece = (PIECE_MINUTES / mean.max(1e-3)).round().clamp(1.0, (count / BLOCKS).max(1) as f64) as usize;
    (0..count).map(|i| i / piece % BLOCKS).collect()
}

/// The range of an estimate, from the estimates that leave out one block each; it is infinite if one of them is
/// missing.
pub(super) fn jackknife(value: f64, without: &[Option<f64>]) -> Estimate {
    let logs: Option<Vec<f64>> = without.iter().map(|part| part.filter(|v| *v > 0.0).map(f64::ln)).collect();
    let Some(logs) = logs.filter(|logs| logs.len() > 1) else {
        return Estimate { value, low: 0.0, high: f64::INFINITY };
    };
    let count = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / count;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() * (count - 1.0) / count;
    let reach = (NINE_TENTHS * variance.sqrt()).exp();
    Estimate { value, low: value / reach, high: value * reach }
}

/// The loads per replica that were not exceeded for these shares of the time.
pub(super) fn quantiles<const N: usize>(cells: &Cells, shares: [f64; N]) -> [f64; N] {
    let mut loads = cells.loads().to_vec();
    shares.map(|share| percentile_of(&mut loads, share).unwrap_or(0.0))
}

// === impl Estimate ===

impl Estimate {
    /// Half of the range, as a share of the estimate.
    pub fn width(&self) -> f64 {
        (self.high - self.low) / 2.0 / self.value
    }

    /// The same with its value clamped between two others; the range still contains it.
    pub(super) fn held(&self, least: f64, most: f64) -> Estimate {
        let value = self.value.max(least).min(most);
        Estimate { value, low: self.low.min(value), high: self.high.max(value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_keep_their_order() {
        let at = |load: f64| bin(load.ln(), 100.0_f64.ln());
        assert_eq!((at(100.0), at(1e-9), at(99.0)), (BINS - 1, 0, BINS - 1));
        assert!(at(50.0) < at(60.0));
    }

    #[test]
    fn the_range_is_that_of_the_mean() {
        // Leaving out one of twelve values moves a mean by an eleventh of its distance; the jackknife undoes that.
        let values: Vec<f64> = (0..12).map(|i| 100.0 + f64::from(i % 4)).collect();
        let sum: f64 = values.iter().sum();
        let without: Vec<_> = values.iter().map(|v| Some((sum - v) / 11.0)).collect();
        let found = jackknife(sum / 12.0, &without);
        let error = 1.645 * (values.iter().map(|v| (v - 101.5f64).powi(2)).sum::<f64>() / 11.0 / 12.0).sqrt();
        assert!((found.high - found.value - error).abs() < 0.02 * error, "{found:?} {error}");
        assert_eq!(jackknife(1.0, &[Some(1.0), None]).high, f64::INFINITY);
    }
}
