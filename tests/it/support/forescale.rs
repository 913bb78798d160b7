//! The real server as a separate process, on free ports, with its log in a file.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::until;

/// A running server.
pub struct Forescale {
    dir: TempDir,
    child: Option<Child>,
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    client: reqwest::Client,
}

impl Forescale {
    /// Starts it with this configuration; the listeners are added.
    pub async fn start(configuration: &str) -> Self {
        Self::start_with(configuration, &[]).await
    }

    /// Starts it with variables in its environment.
    pub async fn start_with(configuration: &str, env: &[(&str, &str)]) -> Self {
        Self::launch(configuration, env, &[]).await
    }

    /// Starts it with further arguments.
    pub async fn start_as(configuration: &str, arguments: &[&str]) -> Self {
        Self::launch(configuration, &[], arguments).await
    }

    async fn launch(configuration: &str, env: &[(&str, &str)], arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("forescale.yaml");
        let listen = "listen: {grpc: '127.0.0.1:0', http: '127.0.0.1:0'}";
        let log = "log: {format: json, level: 'info,forescale=debug'}";
        fs::write(&file, format!("{listen}\n{log}\n{configuration}\n")).expect("written");
        let errors = fs::File::create(dir.path().join("log")).expect("a log");
        let mut child = Command::new(env!("CARGO_BIN_EXE_forescale"))
            .args(["serve", "--config"])
            .arg(&file)
            .args(arguments)
            .envs(env.iter().copied())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("started");
        let path = dir.path().join("log");
        let listening = async || {
            let exited = child.try_wait().expect("its state");
            assert!(exited.is_none(), "{exited:?}: {}", fs::read_to_string(&path).unwrap_or_default());
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut fields = lines.map(|line| line["fields"].clone());
            let line = fields.find(|f| f["message"] == "listening")?;
            let address = |key: &str| line[key].as_str().and_then(|t| t.parse().ok());
            Some((address("grpc")?, address("http")?))
        };
        let ((grpc, http), _) = until(Duration::from_secs(30), "the server listens", listening).await;
        Forescale { dir, child: Some(child), grpc, http, client: super::prometheus::client() }
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path()).unwrap_or_default()
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(format!("http://{}{path}", self.http)).send().await.expect("answered");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }

    pub async fn headers(&self, path: &str) -> reqwest::header::HeaderMap {
        let answer = self.client.get(format!("http://{}{path}", self.http)).send().await.expect("answered");
        answer.headers().clone()
    }

    pub async fn post(&self, path: &str) -> u16 {
        let request = self.client.post(format!("http://{}{path}", self.http)).body("{}");
        request.send().await.expect("answered").status().as_u16()
    }

    /// The newest decision of a workload as JSON.
    pub async fn decision(&self, namespace: &str, name: &str) -> Option<Value> {
        let (status, text) = self.get(&format!("/api/v1/workloads/{namespace}/{name}/decision")).await;
        (status == 200).then(|| serde_json::from_str(&text).expect("JSON"))
    }

    /// Kills it with SIGKILL, so it cannot clean up.
    pub fn kill(mut self) {
        self.end();
    }

    /// Sends SIGTERM; returns how it ended within the deadline.
    pub async fn terminate(mut self, within: Duration) -> (ExitStatus, Duration, String) {
        let mut child = self.child.take().expect("running");
        let begun = Instant::now();
        let status = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
        assert!(status.success());
        let (status, _) =
            until(within, "the server ends", async || child.try_wait().expect("its state")).await;
        (status, begun.elapsed(), self.log())
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Forescale {
    fn drop(&mut self) {
        self.end();
    }
}
