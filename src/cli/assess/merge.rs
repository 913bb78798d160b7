//! `forescale assess merge`: merges the folders of several shards into one report.
//!
//! The same rows, wherever they were judged, give the same `fleet.json`; the reports of workloads are copied.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::folder::{Folder, Run};
use super::row::Kept;
use super::{finish, report, some_are_judged};
use crate::cli::outcome::{Format, Outcome};

/// Merges the shards' folders.
pub(super) fn merge(parts: &[PathBuf], out: &Path, format: Format) -> anyhow::Result<Outcome> {
    let mut run: Option<Run> = None;
    let mut all: BTreeMap<(String, String), Kept> = BTreeMap::new();
    for part in parts {
        let folder = Folder::new(part);
        let theirs = folder.run()?.with_context(|| {
            format!("{}: found no run.json, expected the --out folder of `forescale assess`", part.display())
        })?;
        if let Some(run) = run.as_ref().filter(|run| **run != theirs) {
            bail!(
                "{}: belongs to another run (until {}), expected one until {} with the same settings; give \
                 every shard the same --until",
                part.display(),
                theirs.until,
                run.until
            );
        }
        run = Some(theirs);
        for kept in folder.all()? {
            if let Some(report) = &kept.report {
                Folder::new(out).copy(&folder, report)?;
            }
            all.insert((kept.row.namespace.clone(), kept.row.name.clone()), kept);
        }
    }
    let run = run.context("expected at least one folder")?;
    let mut all: Vec<Kept> = all.into_values().collect();
    report::sort(&mut all);
    finish(&all, Some(&Folder::new(out)), &run.until, format)?;
    some_are_judged(&all)?;
    Ok(Outcome::Fine)
}
