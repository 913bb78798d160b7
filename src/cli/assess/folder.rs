//! The folder of results: what is finished is kept at once, and the same command goes on where it ended.
//!
//! `run.json` says what the results were made for; a folder of another run is refused, never mixed. `kept/` holds one
//! file a workload, written whole or not at all. The same files, wherever they were made, give the same `fleet.json`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::row::Kept;
use crate::units::Time;

/// What a run was made for. Results of two runs belong together where these are equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub schema: u32,
    /// The end of the histories.
    pub until: String,
    pub history: String,
    pub lead: String,
    pub timezone: String,
    pub version: String,
}

/// A folder of results.
pub(super) struct Folder {
    root: PathBuf,
}

/// Kept results lie here, by namespace.
const KEPT: &str = "kept";

// === impl Folder ===

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Folder { root: root.to_owned() }
    }

    /// The run whose results the folder holds.
    pub(super) fn run(&self) -> anyhow::Result<Option<Run>> {
        let path = self.root.join("run.json");
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let run = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
                Ok(Some(run))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Begins a run, or goes on with the one that is there.
    pub(super) fn begin(&self, run: &Run) -> anyhow::Result<()> {
        match self.run()? {
            Some(there) if there == *run => return Ok(()),
            Some(there) => bail!(
                "--out {}: holds a run of version {} until {} with --history {} --lead {} --timezone {}; expected the \
                 same settings, or another folder",
                self.root.display(),
                there.version,
                there.until,
                there.history,
                there.lead,
                there.timezone
            ),
            None => {}
        }
        write(&self.root.join("run.json"), &(serde_json::to_string_pretty(run)? + "\n"))
    }

    /// The kept result of a workload, if it is whole.
    pub(super) fn kept(&self, namespace: &str, name: &str) -> Option<Kept> {
        let text = std::fs::read_to_string(self.place(namespace, name)).ok()?;
        serde_json::from_str(&text).ok()
    }

    pub(super) fn keep(&self, kept: &Kept) -> anyhow::Result<()> {
        let path = self.place(&kept.row.namespace, &kept.row.name);
        write(&path, &(serde_json::to_string_pretty(kept)? + "\n"))
    }

    /// Everything that is kept.
    pub(super) fn all(&self) -> anyhow::Result<Vec<Kept>> {
        let mut found = Vec::new();
        for namespace in entries(&self.root.join(KEPT))? {
            for path in entries(&namespace)? {
                if path.extension().is_some_and(|end| end == "json") {
                    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                    found.push(serde_json::from_str(&text).with_context(|| path.display().to_string())?);
                }
            }
        }
        Ok(found)
    }

    /// Writes a file of the results, below the folder.
    pub(super) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        write(&self.root.join(name), text)
    }

    fn place(&self, namespace: &str, name: &str) -> PathBuf {
        self.root.join(KEPT).join(safe(namespace)).join(format!("{}.json", safe(name)))
    }
}

/// A name as a part of a path: Kubernetes' names are; anything else must not lead elsewhere.
pub(super) fn safe(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    let text: String = name.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
    if text.starts_with('.') || text.is_empty() { format!("_{text}") } else { text }
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = match std::fs::read_dir(folder) {
        Ok(read) => read,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| folder.display().to_string()),
    };
    let mut paths: Vec<PathBuf> = read.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort();
    Ok(paths)
}

/// Writes a file whole or not at all.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let place = || path.display().to_string();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(place)?;
    }
    let beside = path.with_extension("unfinished");
    std::fs::write(&beside, text).with_context(place)?;
    std::fs::rename(&beside, path).with_context(place)
}

/// An instant that is the same for commands that start within the same hour.
pub(super) fn whole_hour(now: Time) -> Time {
    now.floor_to(crate::units::Span::HOUR, crate::units::Span::ZERO)
}
