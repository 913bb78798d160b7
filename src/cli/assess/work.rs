//! Works through a fleet: histories are read ahead while workloads are judged, and finished results are stored at
//! once.
//!
//! Reading waits for the source and its rate limit, judging needs a processor; neither waits for the other. The order
//! in which workloads are finished does not change any result.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::anyhow;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::folder::Folder;
use super::history::{History, Reader};
use super::inventory::Candidate;
use super::row::Kept;
use super::{Settings, trial};
use crate::cli::backtest::progress::Progress;

/// How many histories are read ahead of the workers: enough to keep them busy, few enough to use little memory.
const AHEAD: usize = 4;

/// Where finished results are stored.
#[derive(Clone, Copy)]
pub(super) enum Keeping<'a> {
    /// Nowhere.
    Nothing,
    /// Only the report of each workload.
    Reports(&'a Folder),
    /// Everything, so that another run can resume.
    Everything(&'a Folder),
}

/// A history that was read, with its slot in the read-ahead limit.
struct Ready {
    history: History,
    _place: OwnedSemaphorePermit,
}

/// Judges all candidates, `jobs` at a time; stored results are not judged again.
pub(super) fn judge_all(
    candidates: Vec<Candidate>,
    reader: Reader,
    runtime: &tokio::runtime::Runtime,
    settings: &Settings,
    keeping: Keeping<'_>,
    jobs: usize,
) -> anyhow::Result<Vec<Kept>> {
    let progress = Progress::new(candidates.len());
    let (mut done, mut todo) = (Vec::new(), Vec::new());
    for candidate in candidates {
        match keeping.kept(&candidate) {
            Some(kept) => {
                progress.finished(&candidate.place.name);
                done.push(kept);
            }
            None => todo.push(candidate),
        }
    }
    let jobs = jobs.min(todo.len().max(1));
    let (sender, receiver) = channel();
    runtime.spawn(read_ahead(todo, reader, jobs + AHEAD, sender));
    let receiver = Mutex::new(receiver);
    let done = Mutex::new(done);
    let work = || -> anyhow::Result<()> {
        while let Some(ready) = next(&receiver) {
            let (kept, page) = trial::judge(&ready.history, settings, keeping.folder().is_some());
            keeping.keep(&kept, page.as_deref())?;
            progress.finished(&kept.row.name);
            done.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => Err(anyhow!("a worker failed")),
        })
    })?;
    progress.end();
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner))
}

// === impl Keeping ===

impl<'a> Keeping<'a> {
    fn folder(self) -> Option<&'a Folder> {
        match self {
            Keeping::Nothing => None,
            Keeping::Reports(folder) | Keeping::Everything(folder) => Some(folder),
        }
    }

    fn kept(self, candidate: &Candidate) -> Option<Kept> {
        match self {
            Keeping::Everything(folder) => folder.kept(&candidate.place.namespace, &candidate.place.name),
            Keeping::Nothing | Keeping::Reports(_) => None,
        }
    }

    fn keep(self, kept: &Kept, page: Option<&str>) -> anyhow::Result<()> {
        // The report is written first, so that a stored result is always complete.
        if let (Some(folder), Some(place), Some(page)) = (self.folder(), &kept.report, page) {
            folder.write(place, page)?;
        }
        match self {
            Keeping::Everything(folder) => folder.keep(kept),
            Keeping::Nothing | Keeping::Reports(_) => Ok(()),
        }
    }
}

fn next(receiver: &Mutex<Receiver<Ready>>) -> Option<Ready> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

async fn read_ahead(candidates: Vec<Candidate>, reader: Reader, most: usize, sender: Sender<Ready>) {
    let (reader, places) = (Arc::new(reader), Arc::new(Semaphore::new(most)));
    for candidate in candidates {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (reader, sender) = (Arc::clone(&reader), sender.clone());
        tokio::spawn(async move {
            let history = reader.history(&candidate).await;
            // If the work was cancelled, nobody receives it any more.
            let _ = sender.send(Ready { history, _place: place });
        });
    }
}
