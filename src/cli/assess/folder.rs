//! The folder of results: every finished result is stored at once, and the same command resumes where it ended.
//!
//! `run.json` records what the results were made for; the folder of another run is refused, never mixed. `kept/` has
//! one file per workload, written atomically. The same files, wherever they were made, give the same `fleet.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::row::Kept;
use crate::units::Time;

/// What a run was made for. The results of two runs belong together if these are equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub schema: u32,
    /// The end of the histories.
    pub until: String,
    /// Settings by the names of their flags.
    pub settings: BTreeMap<String, String>,
    pub version: String,
}

/// A folder of results.
pub(super) struct Folder {
    root: PathBuf,
}

/// The subfolder of stored results, by namespace.
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

    /// Starts a run, or resumes the existing one. If several processes start at once, all use the run of the first;
    /// that run is returned.
    pub(super) fn begin(&self, run: Run, is_until_given: bool) -> anyhow::Result<Run> {
        let path = self.root.join("run.json");
        if self.run()?.is_none() {
            write_first(&path, &(serde_json::to_string_pretty(&run)? + "\n"))?;
        }
        let there = self.run()?.with_context(|| path.display().to_string())?;
        let same_until = there.until == run.until || !is_until_given;
        if same_until && (Run { until: there.until.clone(), ..run }) == there {
            return Ok(there);
        }
        bail!(
            "--out {}: holds a run of version {} until {} with {}; expected the same settings, or another folder",
            self.root.display(),
            there.version,
            there.until,
            there
                .settings
                .iter()
                .map(|(name, value)| format!("--{name} {value}"))
                .collect::<Vec<_>>()
                .join(" ")
        )
    }

    /// The stored result of a workload, if it is complete and need not be retried.
    pub(super) fn kept(&self, namespace: &str, name: &str) -> Option<Kept> {
        let text = std::fs::read_to_string(self.place(namespace, name)).ok()?;
        serde_json::from_str(&text).ok().filter(|kept: &Kept| !kept.failed)
    }

    pub(super) fn keep(&self, kept: &Kept) -> anyhow::Result<()> {
        let path = self.place(&kept.row.namespace, &kept.row.name);
        write(&path, &(serde_json::to_string_pretty(kept)? + "\n"))
    }

    /// All stored results.
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

    /// Writes a file of results below the folder.
    pub(super) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        write(&self.root.join(name), text)
    }

    /// Copies a file of another folder's results.
    pub(super) fn copy(&self, from: &Folder, name: &str) -> anyhow::Result<()> {
        let path = from.root.join(name);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        self.write(name, &text)
    }

    fn place(&self, namespace: &str, name: &str) -> PathBuf {
        self.root.join(KEPT).join(safe(namespace)).join(format!("{}.json", safe(name)))
    }
}

/// A name as part of a path. Kubernetes names are safe; any other name must not lead elsewhere.
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

/// Writes a file atomically.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let place = || path.display().to_string();
    let beside = unfinished(path, text)?;
    std::fs::rename(&beside, path).with_context(place)
}

/// Writes a file atomically, unless it exists already.
fn write_first(path: &Path, text: &str) -> anyhow::Result<()> {
    let place = || path.display().to_string();
    let beside = unfinished(path, text)?;
    // A hard link is atomic, and only one of several processes succeeds; on a volume without hard links the last one
    // wins.
    let linked = std::fs::hard_link(&beside, path);
    match linked {
        Ok(()) => std::fs::remove_file(&beside).with_context(place),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(&beside).with_context(place)
        }
        Err(_) => std::fs::rename(&beside, path).with_context(place),
    }
}

/// Writes the text next to its final place, under a name that no other process uses: pods of one Job share a folder,
/// and each has the same process id on its own host.
#[expect(clippy::disallowed_methods, reason = "the name of the host, which no argument says")]
fn unfinished(path: &Path, text: &str) -> anyhow::Result<PathBuf> {
    let place = || path.display().to_string();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(place)?;
    }
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let beside = path.with_extension(format!("{}-{}.unfinished", safe(&host), std::process::id()));
    std::fs::write(&beside, text).with_context(place)?;
    Ok(beside)
}

/// An instant that is the same for commands that start within the same hour.
pub(super) fn whole_hour(now: Time) -> Time {
    now.floor_to(crate::units::Span::HOUR, crate::units::Span::ZERO)
}
