//! How far a backtest is, on standard error; nothing where that is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar with the time left.
pub(in crate::cli) struct Progress(ProgressBar);

impl Progress {
    pub(in crate::cli) fn new(tasks: usize) -> Self {
        let bar = ProgressBar::new(tasks as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {eta} left  {msg}") {
            bar.set_style(style);
        }
        Progress(bar)
    }

    /// One task more is done; `name` is the workload's.
    pub(in crate::cli) fn finished(&self, name: &str) {
        self.0.inc(1);
        self.0.set_message(name.to_owned());
    }

    pub(in crate::cli) fn end(&self) {
        self.0.finish_and_clear();
    }
}
