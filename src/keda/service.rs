//! The five methods of KEDA's external scaler.
//!
//! Each one answers from the newest decision in memory or from the metadata; none of them queries, fits or waits. A
//! missing decision becomes an error status, never a zero.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

use super::stream::{ActivityStream, activity, current};
use super::wire::external_scaler_server::{ExternalScaler, ExternalScalerServer};
use super::wire::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, MetricSpec, MetricValue,
    ScaledObjectRef,
};
use super::{DecisionProvider, Refusal};
use crate::decide::Decision;
use crate::policy::{Faults, WorkloadId, metric_name_or_default};

/// Answers KEDA from a [`DecisionProvider`].
pub struct ExternalScalerService {
    provider: Arc<dyn DecisionProvider>,
    shutdown: CancellationToken,
    stream_age: Duration,
    streams: Arc<Semaphore>,
}

/// The metric's target: the value is a number of replicas, so the target is one per replica.
const TARGET: i64 = 1;

// === impl ExternalScalerService ===

impl ExternalScalerService {
    /// The service. Its streams end with OK when `shutdown` fires or when they are `stream_age` old, so that KEDA
    /// reopens them immediately and they spread over the current replicas. At most `streams` are open.
    pub fn server(
        provider: Arc<dyn DecisionProvider>,
        shutdown: CancellationToken,
        stream_age: Duration,
        streams: usize,
    ) -> ExternalScalerServer<Self> {
        let streams = Arc::new(Semaphore::new(streams.min(Semaphore::MAX_PERMITS)));
        ExternalScalerServer::new(ExternalScalerService { provider, shutdown, stream_age, streams })
    }

    /// A permit for one stream, returned when the stream ends.
    fn place(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.streams)
            .try_acquire_owned()
            .map_err(|_| Status::resource_exhausted("too many open streams"))
    }

    /// The newest decision, or the status that says why there is none.
    fn decision(&self, reference: &ScaledObjectRef) -> Result<Arc<Decision>, Status> {
        let id = identify(reference)?;
        let served = self.provider.state(&id, &reference.scaler_metadata).map_err(refused)?;
        current(&served, self.provider.now())
    }

    /// Runs one method and reports its result.
    fn timed<T>(
        &self,
        method: &'static str,
        run: impl FnOnce() -> Result<T, Status>,
    ) -> Result<Response<T>, Status> {
        // This only measures the duration; no decision uses it.
        #[expect(clippy::disallowed_methods, reason = "measures the handler, decides nothing")]
        let begun = std::time::Instant::now();
        let result = run();
        let code = result.as_ref().map_or_else(Status::code, |_| Code::Ok);
        self.provider.answered(method, code, begun.elapsed().as_secs_f64());
        result.map(Response::new)
    }
}

#[tonic::async_trait]
impl ExternalScaler for ExternalScalerService {
    type StreamIsActiveStream = ActivityStream;
    type StreamMetricSpecStream =
        tokio_stream::wrappers::ReceiverStream<Result<GetMetricSpecResponse, Status>>;

    async fn is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<IsActiveResponse>, Status> {
        self.timed("IsActive", || Ok(IsActiveResponse { result: self.decision(request.get_ref())?.active() }))
    }

    async fn stream_is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<ActivityStream>, Status> {
        self.timed("StreamIsActive", || {
            let reference = request.get_ref();
            let id = identify(reference)?;
            let served = self.provider.state(&id, &reference.scaler_metadata).map_err(refused)?;
            let (provider, shutdown) = (Arc::clone(&self.provider), self.shutdown.clone());
            Ok(activity(served, provider, shutdown, self.stream_age, self.place()?))
        })
    }

    async fn get_metric_spec(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<GetMetricSpecResponse>, Status> {
        self.timed("GetMetricSpec", || Ok(spec(request.get_ref())))
    }

    async fn get_metrics(
        &self,
        request: Request<GetMetricsRequest>,
    ) -> Result<Response<GetMetricsResponse>, Status> {
        self.timed("GetMetrics", || {
            let reference = request.get_ref().scaled_object_ref.as_ref();
            let reference = reference
                .ok_or_else(|| Status::invalid_argument("scaledObjectRef: found nothing, expected it"))?;
            let replicas = self.decision(reference)?.replicas.get();
            Ok(GetMetricsResponse {
                metric_values: vec![MetricValue {
                    metric_name: metric_name_or_default(&reference.scaler_metadata).to_owned(),
                    metric_value: i64::from(replicas),
                    metric_value_float: f64::from(replicas),
                }],
            })
        })
    }

    async fn stream_metric_spec(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamMetricSpecStream>, Status> {
        self.timed("StreamMetricSpec", || {
            let (sender, receiver) = tokio::sync::mpsc::channel(1);
            let (answer, shutdown) = (spec(request.get_ref()), self.shutdown.clone());
            let (age, place) = (self.stream_age, self.place()?);
            tokio::spawn(async move {
                let _place = place;
                // The specs depend on the metadata, which cannot change within a call. They are sent once and the
                // stream is kept open, because KEDA reopens a stream that ends.
                if sender.send(Ok(answer)).await.is_ok() {
                    tokio::select! {
                        () = shutdown.cancelled() => {}
                        () = sender.closed() => {}
                        () = tokio::time::sleep(age) => {}
                    }
                }
            });
            Ok(tokio_stream::wrappers::ReceiverStream::new(receiver))
        })
    }
}

fn identify(reference: &ScaledObjectRef) -> Result<WorkloadId, Status> {
    let metric = metric_name_or_default(&reference.scaler_metadata);
    WorkloadId::new(&reference.namespace, &reference.name, metric)
        .map_err(|faults| refused(Refusal::Faulty(faults)))
}

fn spec(reference: &ScaledObjectRef) -> GetMetricSpecResponse {
    GetMetricSpecResponse {
        metric_specs: vec![MetricSpec {
            metric_name: metric_name_or_default(&reference.scaler_metadata).to_owned(),
            target_size: TARGET,
            target_size_float: TARGET as f64,
        }],
    }
}

fn refused(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Faulty(faults) => Status::invalid_argument(message(&faults)),
        Refusal::Conflict(text) | Refusal::Elsewhere(text) => Status::failed_precondition(text),
        Refusal::Full(text) => Status::resource_exhausted(text),
    }
}

/// All faults in one message: as many as fit into a header without cutting one, and how many are left out.
fn message(faults: &Faults) -> String {
    /// A status is sent in a header, and clients reject headers beyond 8 to 16 KiB.
    const MOST: usize = 4_000;
    let all: Vec<String> = faults.0.iter().map(ToString::to_string).collect();
    let mut bytes = 0;
    let fitting = |text: &&String| {
        bytes += text.len() + 2;
        bytes <= MOST
    };
    let shown = all.iter().take_while(fitting).count();
    let mut text = all[..shown].join("; ");
    if shown < all.len() {
        text.push_str(&format!("; and {} more", all.len() - shown));
    }
    text
}
