//! A server as a process of its own, so that its memory and its processor time are its own.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A running `forescale serve`, or the empty handler.
pub struct Process {
    child: Child,
    _dir: TempDir,
    pub grpc: SocketAddr,
    pub http: SocketAddr,
}

/// What the system says of it.
#[derive(Clone, Copy)]
pub struct Usage {
    pub resident_mib: f64,
    pub cpu_seconds: f64,
    pub files: usize,
    pub threads: usize,
}

fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port")
}

impl Process {
    pub fn serve(url: &str, state: Option<&Path>, more: &str) -> Self {
        Self::serve_as(url, state, more, &[])
    }

    /// The same with further arguments.
    pub fn serve_as(url: &str, state: Option<&Path>, more: &str, arguments: &[&str]) -> Self {
        let (dir, grpc, http) = (tempfile::tempdir().expect("a directory"), free(), free());
        let state = state.map_or(String::new(), |path| format!("state: {{path: '{}'}}\n", path.display()));
        let text = format!(
            "listen: {{grpc: '{grpc}', http: '{http}'}}\nlog: {{level: error}}\n{state}{more}\n\
             datasources: {{default: {{url: '{url}', maxConcurrent: 16, maxPerSecond: 2000}}}}\n"
        );
        let file = dir.path().join("config.yaml");
        fs::write(&file, text).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_forescale"));
        command.args(["serve", "--config"]).arg(&file).args(arguments);
        Process { child: command.stdout(Stdio::null()).spawn().expect("started"), _dir: dir, grpc, http }
    }

    /// This program as a server whose fits take so many milliseconds.
    pub fn slow(url: &str, millis: usize) -> Self {
        let (dir, grpc, http) = (tempfile::tempdir().expect("a directory"), free(), free());
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--slow", url, &grpc.to_string(), &http.to_string(), &millis.to_string()]);
        Process { child: command.stdout(Stdio::null()).spawn().expect("started"), _dir: dir, grpc, http }
    }

    /// The same contract with nothing behind it.
    pub fn empty() -> Self {
        let (dir, grpc) = (tempfile::tempdir().expect("a directory"), free());
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let child = command.args(["--empty", &grpc.to_string()]).spawn().expect("started");
        Process { child, _dir: dir, grpc, http: grpc }
    }

    /// Waits until its gRPC port is open.
    pub async fn open(&self) {
        while tokio::net::TcpStream::connect(self.grpc).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn usage(&self) -> Usage {
        let read =
            |name: &str| fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).expect("alive");
        let status = read("status");
        let kib = |key: &str| -> f64 {
            let line = status.lines().find(|line| line.starts_with(key)).expect("known to Linux");
            line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
        };
        let stat = read("stat");
        let after = stat.rsplit(')').next().expect("its name in brackets");
        let ticks: Vec<f64> =
            after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
        Usage {
            resident_mib: kib("VmRSS:") / 1_024.0,
            // Linux counts in hundredths of a second.
            cpu_seconds: ticks.iter().sum::<f64>() / 100.0,
            files: fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("alive").count(),
            threads: kib("Threads:") as usize,
        }
    }

    pub async fn get(&self, path: &str) -> String {
        let answer = super::prometheus::client()
            .get(format!("http://{}{path}", self.http))
            .send()
            .await
            .expect("answered");
        answer.text().await.expect("a text")
    }

    pub fn terminate(mut self) -> Duration {
        let begun = std::time::Instant::now();
        Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        self.child.wait().expect("ended");
        begun.elapsed()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The load averages of the machine over 1, 5 and 15 minutes: figures of a busy machine say little.
pub fn machine_load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
