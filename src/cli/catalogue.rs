//! The policies, calendars and events that a server's configuration names, read from their files.

use std::path::{Path, PathBuf};

use crate::serve::{Clock, SystemClock};
use crate::source::{Catalogue, ServerConfig};

/// Reads all policies and calendars; reports every fault of every file at once.
pub fn load_catalogue(config: &ServerConfig) -> anyhow::Result<Catalogue> {
    let mut faults = Vec::new();
    let mut catalogue = Catalogue::new(SystemClock.now());
    catalogue.set_events(config.events.clone());
    for (name, path) in &config.calendars {
        let added = std::fs::read_to_string(path)
            .map_err(anyhow::Error::from)
            .and_then(|text| catalogue.add_calendar(name, &text).map_err(anyhow::Error::from));
        if let Err(error) = added {
            faults.push(format!("{}: {error:#}", path.display()));
        }
    }
    if let Some(folder) = config.policies.as_deref().filter(|folder| !folder.is_dir()) {
        faults.push(format!("policies: found no folder {}, expected one with policies", folder.display()));
    }
    for (name, path) in config.policies.as_deref().map(policy_files).unwrap_or_default() {
        let added = std::fs::read_to_string(&path)
            .map_err(anyhow::Error::from)
            .and_then(|text| catalogue.add(&name, &text).map_err(anyhow::Error::from));
        if let Err(error) = added {
            faults.push(format!("{}: {error:#}", path.display()));
        }
    }
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(catalogue)
}

/// The YAML files below a folder, with their policy names: `octollm/executor.yaml` is `octollm/executor`.
pub(super) fn policy_files(root: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if path.is_dir() && !hidden {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") && !hidden {
                let name = path.strip_prefix(root).unwrap_or(&path).with_extension("");
                found.push((name.to_string_lossy().replace('\\', "/"), path));
            }
        }
    }
    found.sort();
    found
}
