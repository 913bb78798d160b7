//! A client for the read-only JSON API of a running server, for commands that end after one answer.
//!
//! It only reads, and never changes anything on the server.

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;

use super::place::Place;
use crate::source::base_url;
use crate::units::Time;

/// Answers are ready in memory, so a server that takes longer is not healthy.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server's address, and a client for it.
pub(super) struct Api {
    base: Url,
    client: Client,
}

// === impl Api ===

impl Api {
    pub(super) fn new(server: &str) -> anyhow::Result<Self> {
        // A provider that is already installed is fine; the client needs one even for plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = base_url(server).map_err(|e| {
            anyhow::anyhow!("--server: {e}; write http://HOST:PORT, such as http://forescale:8080")
        })?;
        Ok(Api { base, client: Client::builder().timeout(PATIENCE).build()? })
    }

    /// Every workload.
    pub(super) async fn workloads(&self) -> anyhow::Result<(StatusCode, Value)> {
        self.get(&["workloads"], &[]).await
    }

    /// `decision`, `history` or `forecast` of one workload.
    pub(super) async fn of(
        &self,
        place: &Place,
        metric: Option<&str>,
        what: &str,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let asked = [("metric", metric)];
        self.get(&["workloads", &place.namespace, &place.name, what], &asked).await
    }

    /// The newest decision of a workload, or the one at a given instant.
    pub(super) async fn decision(
        &self,
        place: &Place,
        metric: Option<&str>,
        at: Option<Time>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let at = at.map(|at| at.to_string());
        let asked = [("metric", metric), ("at", at.as_deref())];
        self.get(&["workloads", &place.namespace, &place.name, "decision"], &asked).await
    }

    /// The status of its readiness endpoint, within this time.
    pub(super) async fn ready(&self, within: Duration) -> reqwest::Result<StatusCode> {
        let url = self.at(&["readyz"]);
        Ok(self.client.get(url).timeout(within).send().await?.status())
    }

    /// The URL of a path below the server's address.
    fn at(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // An http URL always has a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn get(
        &self,
        path: &[&str],
        asked: &[(&str, Option<&str>)],
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut url = self.at(&[&["api", "v1"], path].concat());
        for (key, value) in asked {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(key, value);
            }
        }
        let answer =
            self.client.get(url).send().await.map_err(reqwest::Error::without_url).context("--server")?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(reqwest::Error::without_url).context("--server")?;
        let document: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        ensure!(status.is_success() || document.get("error").is_some(), "the server answered {status}");
        Ok((status, document))
    }
}
