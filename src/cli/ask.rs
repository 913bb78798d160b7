//! `forescale ask`: asks a server what KEDA asks, and says what KEDA would see and do.
//!
//! The metadata of the triggers comes from a manifest, verbatim, as KEDA sends it. Nothing here needs a cluster, and
//! nothing is changed, except that the server now knows the workload and reads its history, as after KEDA's first
//! call.

mod call;
mod meaning;
mod object;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use self::call::{Answers, Connection};
use self::meaning::Meaning;
use self::object::Asking;
use super::outcome::{Format, Outcome};
use crate::units::Span;

/// Asks a running server as KEDA does, and says what KEDA would see.
#[derive(Debug, Args)]
pub(super) struct AskArgs {
    /// The gRPC address of a running server; by default, the scalerAddress of the trigger.
    #[arg(long, value_name = "HOST:PORT")]
    server: Option<String>,
    /// A file with the ScaledObject whose triggers ask; `-` is standard input.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Which ScaledObject, if the file has several.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The namespace of a ScaledObject that names none.
    #[arg(long, value_name = "NS", default_value = "default")]
    namespace: String,
    /// The authority of the server's certificate, PEM; with it, TLS is used.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A client certificate, PEM, for a server that wants one.
    #[arg(long, value_name = "FILE", requires = "key", requires = "ca")]
    cert: Option<PathBuf>,
    /// The key of that certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The name in the server's certificate, if it is not the host of --server.
    #[arg(long, value_name = "HOST", requires = "ca")]
    tls_name: Option<String>,
    /// How long to ask again while the server is still reading the history.
    #[arg(long, value_name = "D", default_value = "0s", value_parser = Span::parse)]
    within: Span,
    /// Output format.
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub(super) fn run(args: &AskArgs) -> anyhow::Result<Outcome> {
    let asking = object::read(args)?;
    let connection = Connection::of(args, &asking)?;
    let runtime = super::runtime::here()?;
    let answers = runtime.block_on(connection.ask(&asking, args.within))?;
    let meaning = Meaning::of(&asking, &answers);
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Text => write!(out, "{}", in_words(&asking, &connection, &answers, &meaning))?,
        Format::Json => writeln!(out, "{}", as_json(&asking, &answers, &meaning))?,
    }
    Ok(if answers.iter().all(Answers::is_whole) { Outcome::Fine } else { Outcome::Failed })
}

fn in_words(asking: &Asking, connection: &Connection, answers: &[Answers], meaning: &Meaning) -> String {
    let mut text = format!("{}/{} at {}\n", asking.namespace, asking.name, connection.shown());
    for (trigger, answers) in asking.triggers.iter().zip(answers) {
        text += &format!("trigger {}\n", trigger.index);
        for line in answers.lines() {
            text += &format!("  {line}\n");
        }
    }
    for line in &meaning.lines {
        text += &format!("{line}\n");
    }
    text
}

fn as_json(asking: &Asking, answers: &[Answers], meaning: &Meaning) -> serde_json::Value {
    let triggers = asking.triggers.iter().zip(answers);
    let triggers: Vec<_> = triggers.map(|(trigger, answers)| answers.json(trigger.index)).collect();
    json!({
        "schema": 1,
        "namespace": asking.namespace,
        "name": asking.name,
        "triggers": triggers,
        "replicas": meaning.replicas,
        "meaning": meaning.lines,
    })
}
