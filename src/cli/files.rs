//! Reads files for all commands, so that each reports read errors in the same words.

use std::path::Path;

use anyhow::Context;

use crate::source::ServerConfig;

/// The text of a file.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A server's configuration, with variables from this process's environment.
pub(super) fn config(path: &Path) -> anyhow::Result<ServerConfig> {
    let env = std::env::vars().collect();
    ServerConfig::parse(&text(path)?, &env).with_context(|| path.display().to_string())
}
