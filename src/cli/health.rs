//! `forescale health`: whether a running server is ready, for `helm test`, scripts and images without a shell.
//!
//! It polls `/readyz` until the server is ready or the time is up. It never asks about a workload; `doctor` does
//! that.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep};

use super::api::Api;
use super::outcome::{Outcome, innermost};
use super::runtime;
use crate::units::Span;

/// Whether a running server is ready: exit code 0, or 1 with the reason.
#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// The HTTP address of a running server, such as http://forescale:8080.
    #[arg(long, value_name = "URL")]
    server: String,
    /// How long to keep trying; it tries at least once.
    #[arg(long, value_name = "D", default_value = "0s", value_parser = Span::parse)]
    within: Span,
}

/// A ready server answers at once; one that takes longer is asked again.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two requests: short compared with a server start, long compared with an answer.
const PAUSE: Duration = Duration::from_millis(250);

/// Runs the command.
pub(super) fn run(args: &HealthArgs) -> anyhow::Result<Outcome> {
    let api = Api::new(&args.server)?;
    let within = Duration::from_secs(u64::try_from(args.within.as_seconds())?);
    let runtime = runtime::here()?;
    match runtime.block_on(ready(&api, within)) {
        Ok(()) => {
            writeln!(std::io::stdout(), "{}: ready", args.server)?;
            Ok(Outcome::Fine)
        }
        Err(why) => {
            writeln!(std::io::stdout(), "{}: {why}", args.server)?;
            Ok(Outcome::Failed)
        }
    }
}

/// Polls until the server is ready, or returns why it was not at the last attempt.
async fn ready(api: &Api, within: Duration) -> Result<(), String> {
    let end = Instant::now() + within;
    loop {
        let why = match api.ready(PATIENCE).await {
            Ok(status) if status.is_success() => return Ok(()),
            Ok(status) => format!("not ready, /readyz answered {status}"),
            Err(error) => format!("cannot be reached: {}", innermost(&error)),
        };
        if Instant::now() >= end {
            return Err(why);
        }
        sleep(PAUSE).await;
    }
}
