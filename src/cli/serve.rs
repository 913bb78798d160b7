//! `forescale serve`: runs the scaler until SIGTERM or SIGINT.
//!
//! It reads the configuration, starts the runtimes, and reloads changed policies and calendars. It decides nothing
//! itself.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::catalogue::{load_catalogue, policy_files};
use super::files;
use super::outcome::Outcome;
use crate::serve::{self, Door, Parts, Registry, SystemClock};
use crate::source::config::{LogConfig, LogFormat};
use crate::source::{Catalogue, DataSources, ServerConfig, check_files};
use crate::units::Shard;

/// Runs the scaler: the server that KEDA calls.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The server's configuration (YAML): data sources with their credentials, listeners, limits.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the configuration, the policies, the calendars, the certificates and the files of tokens and passwords, then
    /// exit.
    #[arg(long)]
    check: bool,
    /// Show queries and metadata on the page and in the API to everyone who can reach them.
    #[arg(long)]
    expose_queries: bool,
    /// Serve only the workloads of this shard, with I from 0 to N - 1, and refuse the others with their shard's address.
    #[arg(long, value_name = "I/N", value_parser = Shard::parse)]
    shard: Option<Shard>,
}

/// How often policies are checked for changes: a mounted ConfigMap takes about a minute to change anyway.
const RELOAD: Duration = Duration::from_secs(10);

/// Runs the server until SIGTERM or SIGINT.
pub fn run(args: &ServeArgs) -> anyhow::Result<Outcome> {
    let mut config = files::config(&args.config)?;
    config.expose_queries = args.expose_queries;
    config.shard = args.shard.unwrap_or(Shard::WHOLE);
    let catalogue = load_catalogue(&config)?;
    if let Some(files) = &config.grpc.tls {
        serve::check_tls(files).map_err(anyhow::Error::msg)?;
    }
    if args.check {
        // Only here: a mounted secret may come later, and a running server reads it for each request.
        let faults = check_files(&config);
        anyhow::ensure!(faults.is_empty(), "{}", faults.join("\n"));
        let sources: Vec<&str> = config.datasources.keys().map(String::as_str).collect();
        let told =
            if sources.is_empty() { "none: only schedules work".to_owned() } else { sources.join(", ") };
        writeln!(std::io::stdout(), "{} is fine; data sources: {told}", args.config.display())?;
        return Ok(Outcome::Fine);
    }
    log_as(&config.log)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = |name, count| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.thread_name(name).worker_threads(count).enable_all().build()
    };
    // Half of the cores are enough to decide, and leave the others free to answer at once.
    let (answering, deciding) = (threads("answer", cores)?, threads("decide", cores.div_ceil(2))?);
    let path = args.config.clone();
    answering.block_on(serve_until_signal(path, config, catalogue, deciding.handle().clone()))?;
    // Tasks that still wait for a data source are not waited for.
    deciding.shutdown_background();
    Ok(Outcome::Fine)
}

async fn serve_until_signal(
    path: PathBuf,
    config: ServerConfig,
    catalogue: Catalogue,
    workers: Handle,
) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let grpc = Door::bind(config.listen.grpc).with_context(|| format!("grpc on {}", config.listen.grpc))?;
    let http = TcpListener::bind(config.listen.http)
        .await
        .with_context(|| format!("http on {}", config.listen.http))?;
    // Install the handlers before a port answers, so that an early signal is not lost.
    let signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(on_signal(signals, shutdown.clone()));
    let parts = Parts {
        backends: Arc::new(DataSources::new(&config)),
        config: config.clone(),
        catalogue,
        fit: crate::serve::fit(),
        clock: Arc::new(SystemClock),
        workers,
        shutdown: shutdown.clone(),
    };
    let registry = serve::registry(&parts);
    tokio::spawn(reload_on_change(path, config, Arc::clone(&registry), shutdown));
    serve::run(parts, registry, grpc, http).await?;
    tracing::info!("ended");
    Ok(())
}

async fn on_signal((mut term, mut int): (Signal, Signal), shutdown: CancellationToken) {
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("shutting down");
    shutdown.cancel();
}

/// Loads changed policies, calendars and events; a change with faults is logged and the old ones stay. The rest of
/// the configuration is read only at the start.
async fn reload_on_change(
    path: PathBuf,
    mut config: ServerConfig,
    registry: Arc<Registry>,
    shutdown: CancellationToken,
) {
    let mut stamp = stamp_of(&path, &config);
    loop {
        tokio::select! {
            () = tokio::time::sleep(RELOAD) => {}
            () = shutdown.cancelled() => return,
        }
        let now = stamp_of(&path, &config);
        if now == stamp {
            continue;
        }
        stamp = now;
        let reloaded = files::config(&path).and_then(|read| {
            config.events = read.events;
            load_catalogue(&config)
        });
        match reloaded {
            Ok(catalogue) => {
                registry.reload(catalogue);
                tracing::info!("policies, calendars and events reloaded");
            }
            Err(error) => tracing::error!(
                error = format!("{error:#}"),
                "changed policies, calendars or events are invalid; the old ones stay in use"
            ),
        }
    }
}

/// Names, sizes and modification times of all files from which the catalogue is read.
fn stamp_of(path: &Path, config: &ServerConfig) -> BTreeSet<(PathBuf, u64, Option<std::time::SystemTime>)> {
    let mut files = vec![path.to_owned()];
    files.extend(config.calendars.values().cloned());
    files.extend(
        config.policies.as_deref().map(policy_files).unwrap_or_default().into_iter().map(|(_, path)| path),
    );
    let stamp = |path: PathBuf| {
        let meta = std::fs::metadata(&path).ok();
        (path, meta.as_ref().map_or(0, std::fs::Metadata::len), meta.and_then(|m| m.modified().ok()))
    };
    files.into_iter().map(stamp).collect()
}

fn log_as(log: &LogConfig) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&log.level).context("log.level")?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
    }
    Ok(())
}
