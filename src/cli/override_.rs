//! `forescale override`: the patch that sets or lifts an override, printed but not applied.
//!
//! Kubernetes decides who may override, so the command changes nothing: it prints a JSON Patch for `kubectl` and a
//! snippet for Git. The patch tests what it is about to change; with a wrong index the API server refuses it.

mod limits;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use chrono_tz::Tz;
use clap::{ArgGroup, Args};

use super::files;
use super::outcome::{Format, Outcome};
use crate::http::patch::{self, Action, Target};
use crate::policy::{Override, instant_in, next_clock_time};
use crate::serve::{Clock, SystemClock};
use crate::source::manifest::{ScaledObject, Trigger, scaled_objects};
use crate::source::yaml::documents;
use crate::units::{Replicas, Span, Time};

/// Prints the JSON Patch that sets or lifts an override, with the kubectl command and a snippet for Git.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["replicas", "lift"])))]
#[command(group(ArgGroup::new("end").args(["for_", "until"])))]
pub(super) struct OverrideArgs {
    /// The ScaledObject; if the namespace is left out, it is read from --file.
    #[arg(value_name = "NAMESPACE/NAME")]
    object: String,
    /// The number of replicas; 0 puts the workload to sleep.
    #[arg(long, value_name = "N", requires = "end")]
    replicas: Option<u32>,
    /// Remove the override.
    #[arg(long, conflicts_with = "end")]
    lift: bool,
    /// How long it holds, from its start: 2h, 90m.
    #[arg(long = "for", value_name = "D", value_parser = Span::parse)]
    for_: Option<Span>,
    /// When it ends: 23:00, 2026-12-01T18:00, or RFC 3339. Local times are in the workload's time zone.
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// When it starts, in the forms of --until; by default, at once.
    #[arg(long, value_name = "T", requires = "replicas")]
    from: Option<String>,
    /// The time zone of local times; by default, read from --file, else UTC.
    #[arg(long, value_name = "ZONE")]
    timezone: Option<Tz>,
    /// The reason; shown with every decision.
    #[arg(long, value_name = "WORDS", default_value = "")]
    reason: String,
    /// Which trigger of the ScaledObject, counted from 0; with --file, found automatically.
    #[arg(long, value_name = "I")]
    trigger: Option<usize>,
    /// The ScaledObject's file, to find the trigger and its address.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The trigger's type, which the patch tests; with --file, read from it.
    #[arg(long = "type", value_name = "TYPE", default_value = "external", conflicts_with = "file",
          value_parser = ["external", "external-push"])]
    kind: String,
    /// The trigger's scalerAddress, which the patch tests; with --file, read from it.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "file")]
    scaler_address: Option<String>,
    /// The trigger's metricName, which the patch tests; with --file, read from it.
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    metric_name: Option<String>,
    /// Output format; json prints only the patch.
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub(super) fn run(args: &OverrideArgs) -> anyhow::Result<Outcome> {
    let mut warnings = Vec::new();
    let now = SystemClock.now();
    let (target, action) = match &args.file {
        Some(path) => from_file(args, path, now, &mut warnings)?,
        None => {
            let action = action(args, args.timezone.unwrap_or(Tz::UTC), now)?;
            (from_arguments(args, &mut warnings)?, action)
        }
    };
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{}", patch::json(&target, &action))?,
        Format::Text => write!(out, "{}", patch::text(&target, &action))?,
    }
    let mut err = std::io::stderr().lock();
    for warning in warnings {
        writeln!(err, "note: {warning}")?;
    }
    Ok(Outcome::Fine)
}

/// The time zone of local times: the one given, otherwise the workload's.
fn zone(args: &OverrideArgs, trigger: &Trigger<'_>) -> Tz {
    let of_workload = || trigger.metadata.get("timezone").and_then(|zone| zone.trim().parse().ok());
    args.timezone.or_else(of_workload).unwrap_or(Tz::UTC)
}

/// Parses an instant, a local date and time, or a time of day, which means its next occurrence.
fn instant(flag: &str, text: &str, zone: Tz, after: Time) -> anyhow::Result<Time> {
    next_clock_time(zone, text, after).or_else(|| instant_in(zone, text)).with_context(|| {
        format!(
            "{flag} {text}: expected a time of day such as 23:00, a local time such as 2026-12-01T18:00, or an instant \
             such as 2026-12-01T18:00:00Z"
        )
    })
}

fn action(args: &OverrideArgs, zone: Tz, now: Time) -> anyhow::Result<Action> {
    let Some(count) = args.replicas else { return Ok(Action::Lift) };
    let from = args.from.as_deref().map(|text| instant("--from", text, zone, now)).transpose()?;
    let begins = from.unwrap_or(now);
    let until = match (args.for_, args.until.as_deref()) {
        (Some(span), _) => {
            ensure!(span > Span::ZERO, "--for {span}: expected a duration above zero");
            begins + span
        }
        (None, Some(text)) => instant("--until", text, zone, begins)?,
        (None, None) => bail!("--for or --until: found neither; an override must end by itself"),
    };
    ensure!(until > now, "--until {until}: it is already {now}; expected a future instant");
    ensure!(until > begins, "--until {until}: the override begins at {begins}; expected an end after that");
    let replicas = Replicas::new(count).with_context(|| format!("--replicas {count}"))?;
    let word = Override { replicas, from, until, reason: args.reason.trim().to_owned() };
    // What is printed must be readable by the scaler.
    let text = word.to_string();
    match Override::parse("override", &text) {
        Ok(read) if read == word => Ok(Action::Set(word)),
        Ok(_) => {
            bail!("--reason: it would be read as something else; leave out quotes, 'replicas=' and 'until='")
        }
        Err(faults) => bail!("{}", crate::policy::Faults(faults)),
    }
}

fn from_arguments(args: &OverrideArgs, warnings: &mut Vec<String>) -> anyhow::Result<Target> {
    let Some((namespace, name)) = args.object.split_once('/') else {
        bail!("'{}': expected NAMESPACE/NAME, or --file with a file that names the namespace", args.object)
    };
    if args.scaler_address.is_none() && args.metric_name.is_none() {
        warnings.push(format!(
            "the patch assumes that the trigger is number {} and of type {}, and fails if it is of \
             another type; --file finds both, --trigger and --type set them",
            args.trigger.unwrap_or(0),
            args.kind
        ));
    }
    Ok(Target {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        trigger: args.trigger.unwrap_or(0),
        kind: args.kind.clone(),
        address: args.scaler_address.clone(),
        metric_name: args.metric_name.clone(),
    })
}

fn from_file(
    args: &OverrideArgs,
    path: &Path,
    now: Time,
    warnings: &mut Vec<String>,
) -> anyhow::Result<(Target, Action)> {
    let text = files::text(path)?;
    let documents =
        documents(&text).map_err(anyhow::Error::msg).with_context(|| path.display().to_string())?;
    let objects = scaled_objects(&documents);
    let (namespace, name) = match args.object.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, args.object.as_str()),
    };
    let fits = |object: &&ScaledObject<'_>| {
        object.name == name
            && (namespace.is_none() || object.namespace.is_none() || object.namespace.as_deref() == namespace)
    };
    let found: Vec<_> = objects.iter().filter(fits).collect();
    let [object] = found.as_slice() else {
        let named = |o: &ScaledObject<'_>| match &o.namespace {
            Some(namespace) => format!("{namespace}/{}", o.name),
            None => o.name.clone(),
        };
        let names: Vec<_> = objects.iter().map(named).collect();
        bail!(
            "{}: {} ScaledObjects '{}', expected one; it holds: {}",
            path.display(),
            found.len(),
            args.object,
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        )
    };
    let ours: Vec<_> = object.ours().collect();
    let trigger = match args.trigger {
        Some(index) => object
            .triggers
            .get(index)
            .with_context(|| format!("--trigger {index}: '{name}' has {} triggers", object.triggers.len()))?,
        None => match ours.as_slice() {
            [one] => *one,
            [] => bail!("{}: no trigger of '{name}' asks Forescale", path.display()),
            several => {
                let list: Vec<_> = several.iter().map(|t| t.index.to_string()).collect();
                bail!("'{name}' asks Forescale in triggers {}: choose one with --trigger", list.join(", "))
            }
        },
    };
    ensure!(
        trigger.is_external(),
        "--trigger {}: it is of type '{}', expected external or external-push",
        trigger.index,
        trigger.kind
    );
    let action = action(args, zone(args, trigger), now)?;
    if matches!(action, Action::Lift) && !trigger.metadata.contains_key("override") {
        warnings.push(format!("{} has no override: the patch lifts one set by kubectl", path.display()));
    }
    warnings.extend(limits::of(object, trigger, &action));
    let namespace = namespace.map(str::to_owned).or_else(|| object.namespace.clone());
    let target = Target {
        namespace: namespace
            .with_context(|| format!("{}: it has no namespace; expected NAMESPACE/NAME", path.display()))?,
        name: name.to_owned(),
        trigger: trigger.index,
        kind: trigger.kind.clone(),
        address: trigger.metadata.get("scalerAddress").cloned(),
        metric_name: trigger.metadata.get("metricName").cloned(),
    };
    Ok((target, action))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: OverrideArgs,
    }

    fn set(zone: &str, more: &[&str]) -> Result<Override, String> {
        let args = [&["override", "shop/web", "--replicas", "3"][..], more].concat();
        let line = Line::try_parse_from(args).map_err(|e| e.to_string())?;
        let now = Time::parse("2026-11-27T20:30:00Z").map_err(|e| e.to_string())?;
        match action(&line.args, zone.parse().map_err(|_| "a zone")?, now) {
            Ok(Action::Set(word)) => Ok(word),
            Ok(Action::Lift) => Err("lifted".to_owned()),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    #[test]
    fn ends_are_local_times_instants_and_durations_beyond_midnight() {
        let until = |zone: &str, more: &[&str]| set(zone, more).map(|word| word.until.to_string());
        for (zone, more, want) in [
            ("Europe/Berlin", &["--until", "23:00"][..], "2026-11-27T22:00:00Z"),
            // It is half past nine in the evening in Berlin, so 21:00 means tomorrow.
            ("Europe/Berlin", &["--until", "21:00"], "2026-11-28T20:00:00Z"),
            ("America/New_York", &["--until", "2026-12-01T18:00"], "2026-12-01T23:00:00Z"),
            ("UTC", &["--until", "2026-12-01T18:00:00+01:00"], "2026-12-01T17:00:00Z"),
            ("UTC", &["--for", "6h"], "2026-11-28T02:30:00Z"),
            ("UTC", &["--from", "22:00", "--for", "3h"], "2026-11-28T01:00:00Z"),
            ("UTC", &["--from", "22:00", "--until", "04:00"], "2026-11-28T04:00:00Z"),
        ] {
            assert_eq!(until(zone, more).as_deref(), Ok(want), "{zone} {more:?}");
        }
        let later = set("UTC", &["--from", "22:00", "--for", "3h"]).expect("valid");
        assert_eq!(later.from.map(|from| from.to_string()).as_deref(), Some("2026-11-27T22:00:00Z"));
        for (more, told) in [
            (&["--until", "soon"][..], "a time of day such as 23:00"),
            (&["--until", "2026-11-27T20:00:00Z"], "expected a future instant"),
            (&["--from", "2026-12-01T18:00", "--until", "2026-12-01T17:00"], "expected an end after that"),
        ] {
            let error = set("UTC", more).expect_err("refused");
            assert!(error.contains(told), "{error}");
        }
    }
}
