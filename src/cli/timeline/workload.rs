//! The workload whose days are shown: its policy, with the calendars and policies that it may name.

use anyhow::Context;

use super::TimelineArgs;
use crate::cli::described;
use crate::cli::serve::load_catalogue;
use crate::policy::{Policy, RawRule};
use crate::source::{Catalogue, ServerConfig};
use crate::units::Time;

/// A workload as its files describe it.
pub(super) struct Workload {
    /// What it is called.
    pub title: String,
    pub policy: Policy,
    /// The rules as written, in the order of the policy's.
    pub rules: Vec<RawRule>,
}

/// Reads the workload that the arguments name.
pub(super) fn read(args: &TimelineArgs, now: Time) -> anyhow::Result<Workload> {
    let mut catalogue = match &args.config {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            let env = std::env::vars().collect();
            let config = ServerConfig::parse(&text, &env).with_context(|| path.display().to_string())?;
            load_catalogue(&config)?
        }
        None => Catalogue::new(args.from.unwrap_or(now)),
    };
    for (name, path) in &args.calendar {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        catalogue.add_calendar(name, &text).with_context(|| path.display().to_string())?;
    }
    let described = described::read(&args.file, args.name.as_deref(), &mut catalogue)?;
    let keys = catalogue.keys(&described.metadata);
    let policy = Policy::from_keys(&keys).with_context(|| described.title.clone())?;
    Ok(Workload { title: described.title, policy, rules: keys.schedule })
}
