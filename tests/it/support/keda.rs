//! KEDA's side of the contract: one connection, all five methods, metadata as maps of strings.

use std::net::SocketAddr;
use std::time::Duration;

use forescale::keda::wire::external_scaler_client::ExternalScalerClient;
use forescale::keda::wire::{GetMetricsRequest, IsActiveResponse, ScaledObjectRef};
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use super::until;

/// One ScaledObject with one external trigger.
#[derive(Clone)]
pub struct Keda {
    client: ExternalScalerClient<Channel>,
    reference: ScaledObjectRef,
}

impl Keda {
    /// Connects as KEDA does for the ScaledObject `namespace/name`.
    pub async fn connect(server: SocketAddr, namespace: &str, name: &str, metadata: &[(&str, &str)]) -> Self {
        let channel = Channel::from_shared(format!("http://{server}"))
            .expect("a URL")
            .connect()
            .await
            .expect("connected");
        let metadata = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let reference = ScaledObjectRef {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            scaler_metadata: metadata,
        };
        Keda { client: ExternalScalerClient::new(channel), reference }
    }

    /// The same connection, for another ScaledObject.
    pub fn like(&self, name: &str, metadata: &[(&str, &str)]) -> Self {
        let mut other = self.clone();
        other.reference.name = name.to_owned();
        other.reference.scaler_metadata =
            metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        other
    }

    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.reference.namespace = namespace.to_owned();
        self
    }

    /// The name and target of the single spec; asserts that both forms of the target agree.
    pub async fn spec(&mut self) -> Result<(String, f64), Status> {
        let specs = self.client.get_metric_spec(self.reference.clone()).await?.into_inner().metric_specs;
        assert_eq!(specs.len(), 1, "exactly one spec: {specs:?}");
        assert_eq!(specs[0].target_size as f64, specs[0].target_size_float);
        Ok((specs[0].metric_name.clone(), specs[0].target_size_float))
    }

    /// The single value; asserts that both forms agree.
    pub async fn replicas(&mut self) -> Result<u32, Status> {
        let request = GetMetricsRequest {
            scaled_object_ref: Some(self.reference.clone()),
            metric_name: "forescale".to_owned(),
        };
        let values = self.client.get_metrics(request).await?.into_inner().metric_values;
        assert_eq!(values.len(), 1, "exactly one value: {values:?}");
        assert_eq!(values[0].metric_value as f64, values[0].metric_value_float);
        Ok(u32::try_from(values[0].metric_value).expect("not negative"))
    }

    pub async fn active(&mut self) -> Result<bool, Status> {
        Ok(self.client.is_active(self.reference.clone()).await?.into_inner().result)
    }

    pub async fn stream(&mut self) -> Result<Streaming<IsActiveResponse>, Status> {
        Ok(self.client.stream_is_active(self.reference.clone()).await?.into_inner())
    }

    /// The names of the specs with which the stream opens; the caller keeps the stream.
    pub async fn spec_stream(&mut self) -> Result<String, Status> {
        let mut stream = self.client.stream_metric_spec(self.reference.clone()).await?.into_inner();
        let specs = stream.message().await?.expect("specs at once").metric_specs;
        assert_eq!(specs.len(), 1);
        Ok(specs[0].metric_name.clone())
    }

    /// The first answer, and how long it took; until then every answer is `UNAVAILABLE`.
    pub async fn first_number(&mut self, within: Duration) -> (u32, Duration) {
        let mut keda = self.clone();
        until(within, "a number", async move || match keda.replicas().await {
            Ok(replicas) => Some(replicas),
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status}");
                None
            }
        })
        .await
    }
}
