//! What persists across restarts: the requested workloads, and the series read for them.
//!
//! Nothing depends on it. A file that is missing, damaged, of another version or for something else is reported and
//! ignored, and everything is read again; the decisions are the same. Several servers may share one directory: each
//! file is written completely under a unique name and then renamed, and servers with the same history write the same
//! content. Keys that may contain secrets are never written, and only the owner may read the rest. All functions here
//! block.

mod frame;

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use crate::history::Series;
use crate::policy::{WorkloadId, read_keys};
use crate::source::feed::FeedKey;
use crate::units::{Span, Time, stable_hash};

/// A directory of persisted files.
pub(super) struct Store {
    dir: PathBuf,
    /// Distinguishes the unfinished files of this process from those of its neighbours.
    tag: u64,
    files: AtomicU64,
}

/// What a persisted series must be about to be used.
#[derive(Debug, Clone)]
pub(super) struct SeriesKey(String);

/// A workload as it was requested.
pub(super) struct StoredWorkload {
    pub id: WorkloadId,
    pub metadata: HashMap<String, String>,
}

/// The version of all file formats in the directory.
const VERSION: u64 = 1;
const WORKLOADS: &str = "workloads.json";
const SERIES: &str = "series";
const FRAME: &str = ".series";
const UNFINISHED: &str = ".unfinished";
/// More than any list of workloads needs.
const MOST_BYTES: u64 = 1 << 30;
/// Files not written for this long belong to workloads that are gone, or were never finished.
const UNUSED: Span = Span::days(7);

// === impl SeriesKey ===

impl SeriesKey {
    /// The series of `key` from `origin`, with samples that settle after `settle`.
    pub(super) fn new(key: &FeedKey, settle: Span, origin: &str) -> Self {
        SeriesKey(format!("{}\n{}\n{origin}", key.identity(), settle.as_seconds()))
    }

    /// The file name. If two series share one, that only costs a read, because the file contains the whole key.
    fn file(&self) -> String {
        format!("{SERIES}/{:016x}{FRAME}", stable_hash(&self.0))
    }
}

// === impl Store ===

impl Store {
    /// Opens a directory and creates it if it is missing; `None` if it cannot be used, which is logged.
    pub(super) fn open(dir: &Path, now: Time) -> Option<Self> {
        let series = dir.join(SERIES);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&series);
        if let Err(error) = made {
            tracing::warn!(state = %dir.display(), %error, "no state can be kept; everything is read anew");
            return None;
        }
        let store =
            Store { dir: dir.to_owned(), tag: RandomState::new().hash_one(now), files: AtomicU64::new(0) };
        store.tidy(now);
        Some(store)
    }

    /// The persisted workloads; none if there is no usable file.
    pub(super) fn workloads(&self) -> Vec<StoredWorkload> {
        let known = |bytes: Vec<u8>| {
            let value: Value = serde_json::from_slice(&bytes).map_err(|e| format!("it is no JSON: {e}"))?;
            let rows = value["workloads"].as_array().filter(|_| value["version"] == VERSION);
            let rows = rows.ok_or_else(|| format!("expected version {VERSION} with workloads"))?;
            rows.iter().map(|row| known(row).ok_or_else(|| "a workload is none".to_owned())).collect()
        };
        let read = self.read(WORKLOADS).and_then(|bytes| bytes.map(known).transpose());
        self.usable(WORKLOADS, read).unwrap_or_default()
    }

    /// Writes the workloads, each as made by [`row`].
    pub(super) fn keep_workloads(&self, rows: &[Arc<str>]) {
        let text = format!("{{\"version\":{VERSION},\"workloads\":[\n{}\n]}}\n", rows.join(",\n"));
        self.write(WORKLOADS, text.as_bytes());
    }

    /// The series persisted under a key.
    pub(super) fn series(&self, key: &SeriesKey) -> Option<Series> {
        let name = key.file();
        let read = self.read(&name).and_then(|bytes| bytes.map(|b| frame::decode(&b, &key.0)).transpose());
        self.usable(&name, read)
    }

    /// Writes a series.
    pub(super) fn keep_series(&self, key: &SeriesKey, series: &Series) {
        self.write(&key.file(), &frame::encode(&key.0, series));
    }

    fn usable<T>(&self, name: &str, read: Result<Option<T>, String>) -> Option<T> {
        read.unwrap_or_else(|reason| {
            let file = self.dir.join(name);
            tracing::warn!(file = %file.display(), %reason, "a kept file is ignored and will be written anew");
            None
        })
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let file = match fs::File::open(self.dir.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let mut bytes = Vec::new();
        let read = file.take(MOST_BYTES).read_to_end(&mut bytes);
        read.map(|_| Some(bytes)).map_err(|error| error.to_string())
    }

    /// Writes a whole file, or leaves the previous one.
    fn write(&self, name: &str, bytes: &[u8]) {
        let count = self.files.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.dir.join(format!("{:016x}-{count}{UNFINISHED}", self.tag));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&unfinished, self.dir.join(name)));
        if let Err(error) = written {
            let _ = fs::remove_file(&unfinished);
            tracing::warn!(state = %self.dir.display(), %error, "a file could not be kept");
        }
    }

    /// Removes files that nobody writes any more; only files with our names.
    pub(super) fn tidy(&self, now: Time) {
        for folder in [self.dir.clone(), self.dir.join(SERIES)] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let ours = name.to_str().is_some_and(|n| n.ends_with(UNFINISHED) || n.ends_with(FRAME));
                let written = entry.metadata().and_then(|m| m.modified()).ok();
                let age = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(|since| {
                    now.since(Time::from_epoch(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
                });
                if ours && age.is_some_and(|age| age > UNUSED) {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }
}

/// What is persisted about a workload: its identity, and the keys that a policy is made from.
pub(super) fn row(id: &WorkloadId, metadata: &HashMap<String, String>) -> Arc<str> {
    let (namespace, name, metric) = (id.namespace(), id.name(), id.metric());
    json!({ "namespace": namespace, "name": name, "metric": metric, "metadata": read_keys(metadata) })
        .to_string()
        .into()
}

fn known(row: &Value) -> Option<StoredWorkload> {
    let text = |key: &str| row[key].as_str();
    let id = WorkloadId::new(text("namespace")?, text("name")?, text("metric")?).ok()?;
    let pairs = row["metadata"].as_object()?.iter();
    let metadata = pairs.map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect::<Option<_>>()?;
    Some(StoredWorkload { id, metadata })
}

#[cfg(test)]
mod tests;
