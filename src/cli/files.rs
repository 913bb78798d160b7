//! Reads files for all commands, so that each reports read errors in the same words.

use std::io::Read as _;
use std::path::{Path, PathBuf};

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

/// The texts of a file, of a folder's YAML and JSON, or of standard input (`-`), each with its name.
pub(super) fn manifests(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).context("standard input")?;
        return Ok(vec![("standard input".to_owned(), text)]);
    }
    if !path.is_dir() {
        return Ok(vec![(path.display().to_string(), text(path)?)]);
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
        .with_context(|| format!("cannot read {}", path.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        let is_yaml = entry.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
        if entry.is_dir() || is_yaml {
            found.extend(manifests(&entry)?);
        }
    }
    Ok(found)
}
