//! What every command has: the form of its results, and how it ended.

/// How a command ended, if no error occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0.
    Fine,
    /// Exit code 1: the requested check or assertion failed.
    Failed,
}

/// The form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One document for programs.
    Json,
}
