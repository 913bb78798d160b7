//! KEDA's calls at a fixed rate: for each workload in turn GetMetricSpec, GetMetrics and IsActive. Latency counts from
//! the moment a call was due, so that a stall is seen by every call it delays.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forescale::keda::wire::external_scaler_client::ExternalScalerClient;
use forescale::keda::wire::{GetMetricsRequest, ScaledObjectRef};
use tonic::Status;
use tonic::transport::Channel;

/// Calls at a time that share a connection: KEDA's operator has one for each scaler object, a pool stands for them.
const CONNECTIONS: usize = 16;

/// How a run went.
#[derive(Default)]
pub struct Run {
    pub micros: Vec<u32>,
    pub errors: Vec<Status>,
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (calls, errors) = (self.micros.len(), self.errors.len());
        let [half, most, worst] = [0.5, 0.99, 0.999].map(|share| self.at(share));
        write!(f, "{calls} calls, {errors} errors, p50 {half:.2} ms, p99 {most:.2} ms, p99.9 {worst:.2} ms")
    }
}

pub fn reference(workload: usize, queries: usize) -> ScaledObjectRef {
    let metadata = [
        ("query", format!("sum(rate(http_requests_total{{app=\"app-{}\"}}[2m]))", workload % queries)),
        ("threshold", format!("{}", 10 + workload % 7)),
        ("maxReplicas", "1000".to_owned()),
        ("leadTime", "3m".to_owned()),
    ];
    ScaledObjectRef {
        name: format!("app-{workload}"),
        namespace: format!("team-{}", workload % 50),
        scaler_metadata: metadata.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
    }
}

pub async fn connect(server: SocketAddr) -> Vec<ExternalScalerClient<Channel>> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let channel = Channel::from_shared(format!("http://{server}")).expect("a URL");
        clients.push(ExternalScalerClient::new(channel.connect().await.expect("connected")));
    }
    clients
}

/// One call of the mix.
async fn call(
    client: &mut ExternalScalerClient<Channel>,
    kind: usize,
    of: ScaledObjectRef,
) -> Option<Status> {
    match kind {
        0 => client.get_metric_spec(of).await.err(),
        1 => {
            let request =
                GetMetricsRequest { scaled_object_ref: Some(of), metric_name: "forescale".to_owned() };
            client.get_metrics(request).await.err()
        }
        _ => client.is_active(of).await.err(),
    }
}

/// Calls at `rate` a second for `length`, over the first workloads in turn.
pub async fn run(server: SocketAddr, rate: usize, length: Duration, workloads: usize, queries: usize) -> Run {
    run_of(server, rate, length, (0..workloads).map(|w| reference(w, queries)).collect()).await
}

/// The same over these workloads.
pub async fn run_of(server: SocketAddr, rate: usize, length: Duration, of: Vec<ScaledObjectRef>) -> Run {
    let clients = connect(server).await;
    let references = Arc::new(of);
    let total = usize::try_from(length.as_secs()).expect("short") * rate;
    let begun = Instant::now();
    let lanes: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(lane, client)| {
            let references = Arc::clone(&references);
            tokio::spawn(async move {
                let mut calls = tokio::task::JoinSet::new();
                let mut run = Run::default();
                let mut note = |(micros, error): (u32, Option<Status>)| {
                    run.micros.push(micros);
                    run.errors.extend(error);
                };
                for n in (lane..total).step_by(CONNECTIONS) {
                    let due = begun + Duration::from_secs_f64(n as f64 / rate as f64);
                    tokio::time::sleep_until(due.into()).await;
                    let (mut client, of) = (client.clone(), references[n / 3 % references.len()].clone());
                    calls.spawn(async move {
                        let error = call(&mut client, n % 3, of).await;
                        (u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX), error)
                    });
                    while let Some(done) = calls.try_join_next() {
                        note(done.expect("no panic"));
                    }
                }
                while let Some(done) = calls.join_next().await {
                    note(done.expect("no panic"));
                }
                run
            })
        })
        .collect();
    let mut all = Run::default();
    for lane in lanes {
        let run = lane.await.expect("no panic");
        all.micros.extend(run.micros);
        all.errors.extend(run.errors);
    }
    all.micros.sort_unstable();
    all
}

impl Run {
    pub fn at(&self, share: f64) -> f64 {
        let place = (self.micros.len() as f64 * share) as usize;
        f64::from(self.micros[place.min(self.micros.len() - 1)]) / 1_000.0
    }
}
