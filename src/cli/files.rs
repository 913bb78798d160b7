//! Files as all commands read them, so that each says in the same words what it cannot read.

use std::path::Path;

use anyhow::Context;

use crate::source::ServerConfig;

/// The text of a file.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A server's configuration, filled in from the environment of this process.
pub(super) fn config(path: &Path) -> anyhow::Result<ServerConfig> {
    let env = std::env::vars().collect();
    ServerConfig::parse(&text(path)?, &env).with_context(|| path.display().to_string())
}
