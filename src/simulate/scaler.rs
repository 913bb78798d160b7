//! The calls that KEDA makes to a scaler, and a scaler that follows a timetable.
//!
//! A recording, a simple strategy and the real decision all answer through [`Scaler`]; the controllers cannot tell
//! them apart. A scaler never sees the future.

use super::Millis;

/// The receiver of KEDA's calls.
pub trait Scaler {
    /// The answers to the calls of one trigger at one instant.
    fn answer(&mut self, view: View, trigger: usize) -> ScalerResponse;

    /// The next instant after `after` at which the stream of a trigger of type `external-push` sends `true`, and
    /// which trigger that is.
    fn next_push(&mut self, after: Millis) -> Option<(Millis, usize)> {
        let _ = after;
        None
    }
}

/// The workload at the instant of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// The instant.
    pub at: Millis,
    /// `spec.replicas`.
    pub desired: u32,
    /// Ready pods.
    pub ready: u32,
}

/// Answers of a scaler; `None` is a call that fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalerResponse {
    /// GetMetrics.
    pub value: Option<f64>,
    /// IsActive.
    pub active: Option<bool>,
    /// GetMetricSpec: the target.
    pub target: Option<f64>,
}

/// Answers that are valid from an instant on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// The instant.
    pub from: Millis,
    /// The answers from then on.
    pub answer: ScalerResponse,
}

/// A scaler with fixed answers, one list of rows for each trigger.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timeline {
    triggers: Vec<Vec<Row>>,
}

// === impl Timeline ===

impl Timeline {
    /// A timetable of these rows, in any order; before its first row, a trigger's calls fail.
    pub fn new(mut triggers: Vec<Vec<Row>>) -> Self {
        for rows in &mut triggers {
            rows.sort_by_key(|row| row.from);
        }
        Timeline { triggers }
    }
}

impl Scaler for Timeline {
    fn answer(&mut self, view: View, trigger: usize) -> ScalerResponse {
        let rows = self.triggers.get(trigger).map_or(&[][..], Vec::as_slice);
        let after = rows.partition_point(|row| row.from <= view.at);
        let none = ScalerResponse { value: None, active: None, target: None };
        after.checked_sub(1).and_then(|i| rows.get(i)).map_or(none, |row| row.answer)
    }

    fn next_push(&mut self, after: Millis) -> Option<(Millis, usize)> {
        let rises = |rows: &[Row]| {
            let rise = |pair: &&[Row]| {
                let [before, row] = pair else { return false };
                row.from > after && row.answer.active == Some(true) && before.answer.active != Some(true)
            };
            rows.windows(2).find(rise).map(|pair| pair[1].from)
        };
        let each = self.triggers.iter().enumerate();
        each.filter_map(|(i, rows)| rises(rows).map(|at| (at, i))).min()
    }
}
