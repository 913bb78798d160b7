//! The workload whose days are shown: its policy, from a policy file or a ScaledObject, with calendars by name.

use std::collections::HashMap;

use anyhow::{Context, ensure};

use super::{TimelineArgs, one};
use crate::cli::serve::load_catalogue;
use crate::policy::{Policy, RawRule};
use crate::source::manifest::scaled_objects;
use crate::source::yaml::documents;
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
    let (title, metadata) = match (&args.policy, &args.file) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            catalogue.add(&name, &text).with_context(|| path.display().to_string())?;
            (name.clone(), HashMap::from([("policy".to_owned(), name)]))
        }
        (None, Some(_)) => from_manifest(args)?,
        (None, None) => anyhow::bail!("expected --policy or --file"),
    };
    let keys = catalogue.keys(&metadata);
    let policy = Policy::from_keys(&keys).with_context(|| title.clone())?;
    Ok(Workload { title, policy, rules: keys.schedule })
}

fn from_manifest(args: &TimelineArgs) -> anyhow::Result<(String, HashMap<String, String>)> {
    let path = args.file.as_ref().context("expected --file")?;
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| shown.clone())?;
    let documents = documents(&text).map_err(anyhow::Error::msg).with_context(|| shown.clone())?;
    let objects = scaled_objects(&documents);
    let named = |name: &str| args.name.as_deref().is_none_or(|wanted| wanted == name);
    let fitting: Vec<_> =
        objects.iter().filter(|object| named(&object.name) && object.ours().next().is_some()).collect();
    ensure!(!fitting.is_empty(), "{shown}: no ScaledObject in it asks Forescale");
    let object = one(fitting, "ScaledObjects").context(shown)?;
    let trigger = object.ours().next().context("a trigger was found")?;
    let title = match &object.namespace {
        Some(namespace) => format!("{namespace}/{}", object.name),
        None => object.name.clone(),
    };
    Ok((title, trigger.metadata.clone()))
}
