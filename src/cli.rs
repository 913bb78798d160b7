//! The commands. This is the only module that prints, and the only one that ends the process.
//!
//! Exit codes: 0 = fine, 1 = a check or assertion failed, 2 = bad input, 141 = the reader of the output closed the
//! pipe. Results go to standard output, progress and errors to standard error.

mod api;
mod ask;
mod assess;
mod backtest;
mod capacity;
mod catalogue;
mod demo;
mod described;
mod doctor;
mod explain;
mod files;
mod forecast;
mod health;
mod init;
mod lint;
mod live;
mod manual;
mod outcome;
mod override_;
mod place;
mod rows;
mod runtime;
mod scaler;
mod serve;
mod timeline;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
pub use outcome::Outcome;

/// Predictive autoscaling for Kubernetes, as a KEDA external scaler.
#[derive(Debug, Parser)]
#[command(name = "forescale", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Asks a running server as KEDA does, and says what KEDA would see.
    Ask(ask::AskArgs),
    /// Shows which workloads of a fleet benefit, by how much, and what to commit; needs only Prometheus.
    Assess(Box<assess::AssessArgs>),
    /// Replays real history and compares strategies side by side.
    Backtest(backtest::BacktestArgs),
    /// Runs the whole loop on a built-in workload; installs nothing.
    Demo(demo::DemoArgs),
    /// Estimates what one replica carries, with its uncertainty, or says why it cannot.
    Capacity(capacity::CapacityArgs),
    /// Prints shell completions to standard output.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Checks one workload from the query to the pods, or what kubectl prints of all, and says what is broken and what to
    /// do.
    Doctor(doctor::DoctorArgs),
    /// Explains why a workload has, had or will have its number of replicas.
    Explain(explain::ExplainArgs),
    /// Forecasts quantiles of the load from a trace or a live Prometheus.
    Forecast(forecast::ForecastArgs),
    /// Checks whether a running server is ready: exit code 0 or 1.
    Health(health::HealthArgs),
    /// Proposes a ScaledObject from a query's history.
    Init(init::InitArgs),
    /// Checks ScaledObjects, policies and the server's configuration before you apply them.
    Lint(lint::LintArgs),
    /// Writes man pages into a folder, one for each command.
    Man {
        /// The folder; created if it does not exist.
        #[arg(value_name = "DIR")]
        folder: std::path::PathBuf,
    },
    /// Prints the JSON Patch that sets or lifts an override, with the kubectl command and a snippet for Git.
    Override(override_::OverrideArgs),
    /// Prints the JSON Schema of a policy file, or a description of every key or command.
    Schema {
        /// Describe every key, as Markdown.
        #[arg(long)]
        reference: bool,
        /// Describe every command with its options, as Markdown.
        #[arg(long, conflicts_with = "reference")]
        commands: bool,
    },
    /// Runs the scaler: the server that KEDA calls.
    Serve(serve::ServeArgs),
    /// Shows schedules, calendars and the forecast of the coming days.
    Timeline(timeline::TimelineArgs),
}

/// Parses the arguments of the process, runs the command and reports how it ended.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome: anyhow::Result<Outcome> = match cli.command {
        Command::Ask(args) => ask::run(&args),
        Command::Assess(args) => assess::run(&args),
        Command::Backtest(args) => backtest::run(&args),
        Command::Capacity(args) => capacity::run(&args),
        Command::Completions { shell } => completions(shell),
        Command::Demo(args) => demo::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Forecast(args) => forecast::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Lint(args) => lint::run(&args),
        Command::Man { folder } => man(&folder),
        Command::Override(args) => override_::run(&args),
        Command::Schema { reference, commands } => schema(reference, commands),
        Command::Serve(args) => serve::run(&args),
        Command::Timeline(args) => timeline::run(&args),
    };
    finish(outcome)
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn schema(reference: bool, commands: bool) -> anyhow::Result<Outcome> {
    use crate::source::schema;
    let text = match (reference, commands) {
        (true, _) => schema::reference(),
        (_, true) => manual::commands(Cli::command()),
        _ => schema::policy_schema(),
    };
    print!("{text}");
    Ok(Outcome::Fine)
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<Outcome> {
    clap_complete::generate(shell, &mut Cli::command(), "forescale", &mut std::io::stdout());
    Ok(Outcome::Fine)
}

fn man(folder: &std::path::Path) -> anyhow::Result<Outcome> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)?;
    Ok(Outcome::Fine)
}

fn finish(outcome: anyhow::Result<Outcome>) -> ExitCode {
    match outcome {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        // The reader of the output has seen enough; a check after this point was not made.
        Err(error) if is_closed_pipe(&error) => ExitCode::from(UNREAD),
        Err(error) => {
            // If this fails, too, nobody is left to tell.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// The exit code that a shell reports for a program killed by a closed pipe: 128 plus the number of SIGPIPE.
const UNREAD: u8 = 141;

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
    };
    error.chain().any(|cause| kind(cause) == Some(std::io::ErrorKind::BrokenPipe))
}
