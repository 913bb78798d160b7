//! A server with a state directory knows after a restart what it knew before, and decides like one without a restart.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::configuration;
use super::history::agreement;
use crate::support::forescale::Forescale;
use crate::support::keda::Keda;
use crate::support::prometheus::Prometheus;
use crate::support::{load, until};

const PATIENCE: Duration = Duration::from_secs(90);
const METADATA: [(&str, &str); 5] = [
    ("query", "sum(load)"),
    ("threshold", "10"),
    ("leadTime", "5m"),
    ("pollStep", "5s"),
    ("tlsClientKey", "hunter2"),
];

/// All files below a folder that are written to the end.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let whole = entries.filter(|path| path.extension().is_none_or(|extension| extension != "unfinished"));
    whole.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_restart_with_state_answers_its_first_call_and_decides_as_a_server_without() {
    let mut prometheus = Prometheus::start(&[load::going_on("load")]).await;
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path().join("state");
    let plain = configuration(&prometheus.url());
    let config = format!("{plain}\nstate: {{path: '{}'}}", state.display());
    let (kept, other) = (Forescale::start(&config).await, Forescale::start(&plain).await);
    let mut keda = Keda::connect(kept.grpc, "shop", "web", &METADATA).await;
    let mut next_door = Keda::connect(other.grpc, "shop", "web", &METADATA).await;
    keda.first_number(PATIENCE).await;
    next_door.first_number(PATIENCE).await;
    let is_kept = async || (files(&state).len() == 2).then_some(());
    until(PATIENCE, "the list and the series are kept", is_kept).await;

    // SIGKILL leaves no time to clean up.
    kept.kill();
    let begun = Instant::now();
    let server = Forescale::start(&config).await;
    let ready = async || (server.get("/readyz").await.0 == 200).then_some(());
    until(PATIENCE, "ready", ready).await;
    let warm = begun.elapsed();
    let mut keda = Keda::connect(server.grpc, "shop", "web", &METADATA).await;
    let number = keda.replicas().await.expect("the first call is answered");
    println!("ready with a decision after {warm:?}: {number}");
    let decision = server.decision("shop", "web").await.expect("one");
    assert_eq!(decision["rung"], "fresh", "{decision}");
    println!("{}", agreement(&server, &other, &mut keda, &mut next_door).await);

    // SIGTERM writes what has been added since. A failing source delays a server with state by no more than
    // startupGrace.
    let (status, _, log) = server.terminate(PATIENCE).await;
    assert!(status.success() && !log.contains("hunter2"), "{log}");
    prometheus.stop();
    let server = Forescale::start(&format!("{config}\nstartupGrace: 1s")).await;
    assert_eq!(server.get("/healthz").await.0, 200, "alive while it warms up");
    until(PATIENCE, "ready", async || (server.get("/readyz").await.0 == 200).then_some(())).await;
    let mut keda = Keda::connect(server.grpc, "shop", "web", &METADATA).await;
    let (held, _) = keda.first_number(PATIENCE).await;
    let decision = server.decision("shop", "web").await.expect("one");
    assert!(held > 0 && decision["rung"] != "reactive_only", "the history kept is decided on: {decision}");
    drop(server);

    // Truncated and foreign files are reported, and everything is read afresh.
    prometheus.restart().await;
    let kept = files(&state);
    assert!(kept.iter().all(|file| !fs::read(file).expect("readable").windows(7).any(|w| w == b"hunter2")));
    for file in &kept {
        let bytes = fs::read(file).expect("readable");
        fs::write(file, &bytes[..bytes.len() / 2]).expect("written");
    }
    let server = Forescale::start(&config).await;
    let mut keda = Keda::connect(server.grpc, "shop", "web", &METADATA).await;
    keda.first_number(PATIENCE).await;
    println!("{}", agreement(&server, &other, &mut keda, &mut next_door).await);
    let reported = server.log().matches("a kept file is ignored").count();
    assert_eq!(reported, 2, "{}", server.log());
}
