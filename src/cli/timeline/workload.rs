//! The workload whose days are shown: its policy, with the calendars and policies that it may name.

use anyhow::Context;

use super::TimelineArgs;
use crate::cli::catalogue::load_catalogue;
use crate::cli::{described, files};
use crate::policy::{Policy, RawRule};
use crate::source::Catalogue;
use crate::units::Time;

/// A workload as its files describe it.
pub(super) struct Workload {
    /// Its title.
    pub title: String,
    pub policy: Policy,
    /// The rules as written, in the order of the policy's rules.
    pub rules: Vec<RawRule>,
}

/// Reads the workload given by the arguments.
pub(super) fn read(args: &TimelineArgs, now: Time) -> anyhow::Result<Workload> {
    let mut catalogue = match &args.config {
        Some(path) => load_catalogue(&files::config(path)?)?,
        None => Catalogue::new(args.from.unwrap_or(now)),
    };
    for (name, path) in &args.calendar {
        catalogue.add_calendar(name, &files::text(path)?).with_context(|| path.display().to_string())?;
    }
    let described = described::read(&args.file, args.name.as_deref(), &mut catalogue)?;
    // A manifest without a namespace is applied to the default one.
    let (namespace, name) = described.title.split_once('/').unwrap_or(("default", &described.title));
    let events = catalogue.events_of(namespace, name);
    let keys = catalogue.keys_with(&described.metadata, &events);
    let policy = Policy::from_keys(&keys).with_context(|| described.title.clone())?;
    Ok(Workload { title: described.title, policy, rules: keys.schedule })
}
