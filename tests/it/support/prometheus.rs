//! A real Prometheus on a free port, with history written before it starts.
//!
//! It runs in a temporary directory, is killed when dropped, and can be stopped and restarted on the same port. No
//! fixed sleep replaces a condition: readiness is polled.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const SERVER: &str = "/usr/bin/prometheus";
const TOOL: &str = "/usr/bin/promtool";
/// A loaded machine takes seconds to start a server with weeks of blocks; a longer time is a fault.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// One series to write before the start; times in seconds since the epoch, ascending.
#[derive(Debug, Clone)]
pub struct Backfill {
    pub metric: String,
    pub points: Vec<(i64, f64)>,
}

/// A running server, or a stopped one that keeps its port and data.
pub struct Prometheus {
    dir: TempDir,
    address: SocketAddr,
    child: Option<Child>,
}

impl Prometheus {
    /// Starts a server with exactly these series.
    pub async fn start(series: &[Backfill]) -> Self {
        Self::start_with(series, "global: {}\n").await
    }

    /// Starts a server with these series and its own configuration, for example to scrape a target.
    pub async fn start_with(series: &[Backfill], configuration: &str) -> Self {
        for program in [SERVER, TOOL] {
            assert!(
                Path::new(program).exists(),
                "{program} is not installed: run tests/run, or apt-get install prometheus"
            );
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::write(dir.path().join("prometheus.yml"), configuration).expect("a configuration");
        if !series.is_empty() {
            backfill(dir.path(), series);
        }
        // The port is free again once the listener is dropped; another program is unlikely to take it that fast.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let mut prometheus = Prometheus { dir, address, child: None };
        prometheus.restart().await;
        prometheus
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Kills the server; connections to its port are refused from then on.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("waited for");
        }
    }

    /// Restarts the server on the same port and data, and waits until it is ready.
    pub async fn restart(&mut self) {
        self.stop();
        let log = self.dir.path().join("log");
        let child = Command::new(SERVER)
            .arg(format!("--config.file={}", self.dir.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", data(self.dir.path()).display()))
            .arg("--storage.tsdb.retention.time=10y")
            .arg(format!("--web.listen-address={}", self.address))
            .arg("--log.level=warn")
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("started");
        self.child = Some(child);
        let client = client();
        let begun = Instant::now();
        loop {
            let answer = client.get(format!("{}/-/ready", self.url())).send().await;
            if answer.is_ok_and(|a| a.status().is_success()) {
                return;
            }
            let exited = self.child.as_mut().and_then(|c| c.try_wait().expect("its state"));
            assert!(
                exited.is_none() && begun.elapsed() < READY_WITHIN,
                "prometheus is not ready (exit: {exited:?}): {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
            // This only spaces out the polling.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn data(dir: &Path) -> PathBuf {
    dir.join("data")
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().tls_certs_only([]).no_proxy().build().expect("a client")
}

fn backfill(dir: &Path, series: &[Backfill]) {
    let mut text = String::new();
    for one in series {
        // promtool requires the samples of one metric to be adjacent, after its type.
        let name = one.metric.split('{').next().unwrap_or_default();
        if !text.contains(&format!("# TYPE {name} gauge\n")) {
            writeln!(text, "# TYPE {name} gauge").expect("written");
        }
        for (at, value) in &one.points {
            writeln!(text, "{} {value} {at}", one.metric).expect("written");
        }
    }
    text.push_str("# EOF\n");
    let file = dir.join("history.om");
    fs::write(&file, text).expect("written");
    let output = Command::new(TOOL)
        // With blocks of two hours, the default, this would take a hundred times longer.
        .args(["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=8760h", "--quiet"])
        .arg(&file)
        .arg(data(dir))
        .output()
        .expect("promtool runs");
    assert!(output.status.success(), "promtool: {}", String::from_utf8_lossy(&output.stderr));
}
