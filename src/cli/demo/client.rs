//! The demo's KEDA: makes the twin's calls to the real server over a real socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tonic::transport::Channel;

use super::cluster::{Cluster, RUNNING};
use super::screen::{Row, Screen};
use crate::decide::Contributor;
use crate::http::Overview;
use crate::keda::wire::external_scaler_client::ExternalScalerClient;
use crate::keda::wire::{GetMetricsRequest, ScaledObjectRef};
use crate::serve::{Registry, SteppedClock};
use crate::simulate::{Moment, Run, Strategy};
use crate::units::{Span, Time};

/// Makes the twin's calls to the server.
pub struct Caller {
    client: ExternalScalerClient<Channel>,
    clock: Arc<SteppedClock>,
    registry: Arc<Registry>,
    cluster: Arc<Cluster>,
    handle: Handle,
    screen: Screen,
    rows: Vec<Row>,
    reactive: Vec<(Time, u32)>,
    begun: Instant,
    pace: Pace,
    failure: Option<tonic::Status>,
}

/// How the paced part of the demo maps to the wall clock.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Wall time for the whole demo.
    pub wall: Duration,
    /// The first instant shown.
    pub begin: Time,
    /// How much simulated time is shown.
    pub length: Span,
}

/// The metadata of the demo's trigger.
const METADATA: [(&str, &str); 6] = [
    ("query", "sum(rate(http_requests_total[1m]))"),
    ("threshold", "50"),
    ("replicasQuery", RUNNING),
    ("leadTime", "1m"),
    ("objective", "cost"),
    ("maxReplicas", "100"),
];

// === impl Caller ===

impl Caller {
    /// Connects to the server.
    pub async fn connect(
        address: SocketAddr,
        clock: Arc<SteppedClock>,
        registry: Arc<Registry>,
        cluster: Arc<Cluster>,
        screen: Screen,
        pace: Pace,
        reactive: &Run,
    ) -> anyhow::Result<Self> {
        let channel = Channel::from_shared(format!("http://{address}"))?.connect().await?;
        let client = ExternalScalerClient::new(channel);
        #[expect(clippy::disallowed_methods, reason = "paces the show, decides nothing")]
        let begun = Instant::now();
        Ok(Caller {
            client,
            clock,
            registry,
            cluster,
            handle: Handle::current(),
            screen,
            rows: Vec::new(),
            reactive: reactive.steps.iter().map(|s| (s.timestamp, s.ready)).collect(),
            begun,
            pace,
            failure: None,
        })
    }

    /// The rows seen, or the first call that failed permanently.
    pub fn into_rows(self) -> anyhow::Result<Vec<Row>> {
        match self.failure {
            Some(status) => {
                Err(anyhow::anyhow!("the server answered {}: {}", status.code(), status.message()))
            }
            None => Ok(self.rows),
        }
    }

    /// Moves the clock, lets the server decide, and makes the call.
    async fn ask(&mut self, at: Time) -> Result<f64, tonic::Status> {
        self.clock.set(at);
        let reference = ScaledObjectRef {
            name: "web".to_owned(),
            namespace: "demo".to_owned(),
            scaler_metadata: METADATA.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        };
        let request =
            GetMetricsRequest { scaled_object_ref: Some(reference), metric_name: "forescale".to_owned() };
        if self.rows.is_empty() && self.failure.is_none() {
            // The first call makes the workload known; it is answered with "warming up".
            let _ = self.client.get_metrics(request.clone()).await;
        }
        self.registry.decided(at.floor_to(Span::seconds(15), Span::ZERO)).await;
        let answer = self.client.get_metrics(request).await?.into_inner();
        Ok(answer.metric_values.first().map_or(0.0, |v| v.metric_value_float))
    }

    fn note(&mut self, now: &Moment<'_>, answer: f64) {
        let states = self.registry.workloads();
        let decision = states.first().and_then(|known| known.status.decision());
        let slot = self.reactive.partition_point(|(at, _)| *at <= now.at);
        let row = Row {
            at: now.at,
            load: now.seen.newest().unwrap_or(0.0),
            forecast: decision.and_then(|d| d.forecast.as_ref()).map(|f| f.load),
            demand: decision.and_then(|d| d.need(Contributor::Reactive)).map_or(0, |r| r.get()),
            answer,
            ready: now.ready,
            reactive: slot.checked_sub(1).and_then(|i| self.reactive.get(i)).map_or(now.ready, |r| r.1),
        };
        self.rows.push(row);
        self.screen.draw(&self.rows);
    }

    /// Waits until the wall clock has caught up with the simulated time.
    fn keep_pace(&self, at: Time) {
        let share =
            at.since(self.pace.begin).as_seconds() as f64 / self.pace.length.as_seconds().max(1) as f64;
        let due = self.pace.wall.mul_f64(share.min(1.0));
        std::thread::sleep(due.saturating_sub(self.begun.elapsed()));
    }
}

impl Strategy for Caller {
    fn wants(&mut self, now: &Moment<'_>) -> Option<f64> {
        self.keep_pace(now.at);
        // Visible at the next poll at the earliest, like a scraped metric.
        self.cluster.runs(now.at, now.desired);
        let handle = self.handle.clone();
        match handle.block_on(self.ask(now.at)) {
            Ok(answer) => {
                self.note(now, answer);
                Some(answer)
            }
            Err(status) => {
                self.failure.get_or_insert(status);
                None
            }
        }
    }
}
