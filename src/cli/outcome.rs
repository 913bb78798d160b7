//! What every command has: the form of its results, how it ended, and which cause of an error it names.

use std::error::Error;

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

/// The cause that people can act on: "connection refused", not "error sending request".
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.last().unwrap_or(error).to_string()
}
