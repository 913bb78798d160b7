//! The observations of a service as one table: a row for each instant, a column for each quantity.
//!
//! Rows need not lie on a grid: load tests and exports have their own intervals. An unknown quantity is NaN inside
//! and `None` outside; values that are not measurements (negative, infinite) become unknown on entry.

use ndarray::{Array2, ShapeBuilder as _};

use crate::history::Series;
use crate::units::Time;

/// A quantity of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Work that arrives or is served, per second, for all replicas together.
    Load,
    /// Replicas that are ready.
    Replicas,
    /// CPU cores, or busy devices, of all replicas together.
    Cpu,
    /// The latency that the objective refers to, in seconds.
    Latency,
    /// Share of requests that miss the objective, 0 to 1.
    Missed,
    /// Failed requests per second, part of the load.
    Errors,
    /// Work offered per second, if the load is what was served.
    Demand,
    /// Work that waits. The load is then what replicas complete, and while work waits it is the most they can
    /// complete.
    Backlog,
    /// Share of scheduling periods in which the CPU limit stopped a replica, 0 to 1.
    Throttled,
    /// The pod template that runs: any number that grows with each rollout.
    Generation,
}

/// The number of columns.
pub(super) const COLUMNS: usize = 10;

/// A table of observations, ordered by time.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    pub(super) at: Vec<Time>,
    /// A column lies in one piece, because everything is computed column by column.
    table: Array2<f64>,
}

// === impl Evidence ===

impl Evidence {
    /// A table from rows in any order; if a quantity occurs twice in a row, the last value counts.
    pub fn of_rows(mut rows: Vec<(Time, Vec<(Column, f64)>)>) -> Evidence {
        rows.sort_by_key(|row| row.0);
        let mut table = unknown(rows.len());
        for (i, (_, cells)) in rows.iter().enumerate() {
            for &(column, value) in cells {
                table[[i, column as usize]] = if is_measured(value) { value } else { f64::NAN };
            }
        }
        Evidence { at: rows.into_iter().map(|row| row.0).collect(), table }
    }

    /// A table on the grid of the load. Another series contributes its last value at or before an instant, if that is
    /// no older than its own step.
    pub fn of_series(load: &Series, others: &[(Column, &Series)]) -> Evidence {
        let mut table = unknown(load.len());
        for i in 0..load.len() {
            let at = load.time(i);
            table[[i, Column::Load as usize]] = load.get(i).unwrap_or(f64::NAN);
            for (column, series) in others {
                let fresh = |slot: &usize| at.since(series.time(*slot)) < series.step().span();
                let value = series.slot_before(at).filter(fresh).and_then(|slot| series.get(slot));
                table[[i, *column as usize]] = value.unwrap_or(f64::NAN);
            }
        }
        Evidence { at: (0..load.len()).map(|i| load.time(i)).collect(), table }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// A quantity of a row, if it is known.
    pub fn get(&self, row: usize, column: Column) -> Option<f64> {
        self.table.get([row, column as usize]).copied().filter(|value| !value.is_nan())
    }

    /// Whether a quantity is known anywhere.
    pub fn has(&self, column: Column) -> bool {
        self.has_at(column as usize)
    }

    pub(super) fn has_at(&self, column: usize) -> bool {
        self.column(column).iter().any(|value| !value.is_nan())
    }

    /// All rows of a column; NaN is unknown.
    pub(super) fn column(&self, column: usize) -> &[f64] {
        let rows = self.len();
        self.table.as_slice_memory_order().map_or(&[], |all| &all[column * rows..(column + 1) * rows])
    }
}

/// A table in which nothing is known yet.
fn unknown(rows: usize) -> Array2<f64> {
    Array2::from_elem((rows, COLUMNS).f(), f64::NAN)
}

/// Above 1e30 a sum of squares would not be finite.
fn is_measured(value: f64) -> bool {
    (0.0..=1e30).contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Step;

    #[test]
    fn what_is_no_measurement_is_unknown() {
        let row = |at, load| (Time::from_epoch(at), vec![(Column::Load, load), (Column::Replicas, 2.0)]);
        let table = Evidence::of_rows(vec![row(60, f64::INFINITY), row(0, 3.0), row(30, -1.0)]);
        let loads: Vec<_> = (0..4).map(|i| table.get(i, Column::Load)).collect();
        assert_eq!(loads, [Some(3.0), None, None, None]);
        assert!(table.has(Column::Replicas) && !table.has(Column::Cpu) && table.len() == 3);
    }

    #[test]
    fn a_value_of_another_grid_grows_stale() {
        let load = Series::from_values(Time::from_epoch(0), Step::MINUTE, [1.0, 2.0, 3.0]);
        let quarter =
            Series::from_values(Time::from_epoch(0), Step::QUARTER_MINUTE, [1.0, 2.0, 3.0, 4.0, 5.0]);
        let table = Evidence::of_series(&load, &[(Column::Replicas, &quarter)]);
        let replicas: Vec<_> = (0..3).map(|i| table.get(i, Column::Replicas)).collect();
        assert_eq!(replicas, [Some(1.0), Some(5.0), None]);
    }
}
