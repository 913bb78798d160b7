//! The progress of a backtest, on standard error; nothing if that is not a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar with the remaining time.
pub(in crate::cli) struct Progress(ProgressBar);

impl Progress {
    pub(in crate::cli) fn new(tasks: usize) -> Self {
        let bar = ProgressBar::new(tasks as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {eta} left  {msg}") {
            bar.set_style(style);
        }
        Progress(bar)
    }

    /// Counts one more finished task; `name` is the workload's.
    pub(in crate::cli) fn finished(&self, name: &str) {
        self.0.inc(1);
        self.0.set_message(name.to_owned());
    }

    pub(in crate::cli) fn end(&self) {
        self.0.finish_and_clear();
    }
}
