//! KEDA's calls for each trigger, in its order: GetMetricSpec, then for each metric GetMetrics and IsActive.

use std::error::Error;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};

use super::AskArgs;
use super::object::{Asker, Asking};
use crate::cli::outcome::innermost;
use crate::keda::wire::external_scaler_client::ExternalScalerClient;
use crate::keda::wire::{GetMetricsRequest, MetricSpec, MetricValue, ScaledObjectRef};
use crate::units::Span;

/// Where to ask, and how.
pub(super) struct Connection {
    address: String,
    endpoint: Endpoint,
    is_tls: bool,
}

/// What the server answered for one trigger.
pub(super) struct Answers {
    /// The metrics that the HPA gets to know, or the failure.
    pub specs: Result<Vec<MetricSpec>, Status>,
    /// The values of each metric.
    pub values: Vec<Result<Vec<MetricValue>, Status>>,
    /// Whether it is active, asked with each metric; the last one counts.
    pub active: Option<Result<bool, Status>>,
}

/// A server answers from memory; one that takes longer would hold up KEDA.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest time to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// The pause before asking again.
const PAUSE: Duration = Duration::from_millis(500);

// === impl Connection ===

impl Connection {
    pub(super) fn of(args: &AskArgs, asking: &Asking) -> anyhow::Result<Self> {
        let key = |key: &str| asking.triggers.iter().find_map(|trigger| trigger.metadata.get(key));
        let address = args.server.clone().or_else(|| key("scalerAddress").cloned());
        let address = address.context("--server: the trigger has no scalerAddress, expected HOST:PORT")?;
        let address = address.trim().to_owned();
        if address.contains("://") || !address.contains(':') {
            bail!("--server: expected HOST:PORT of the gRPC listener, such as localhost:6000");
        }
        if args.ca.is_none() && key("enableTLS").is_some_and(|given| given == "true") {
            bail!("--ca: the trigger has enableTLS; give the authority of the server's certificate");
        }
        let scheme = if args.ca.is_some() { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
            .map_err(|_| anyhow::anyhow!("--server: expected HOST:PORT, such as localhost:6000"))?;
        let endpoint = endpoint.connect_timeout(CONNECT).timeout(PATIENCE);
        let endpoint = match tls(args)? {
            Some(tls) => {
                endpoint.tls_config(tls).map_err(|error| anyhow::anyhow!("--ca: {}", innermost(&error)))?
            }
            None => endpoint,
        };
        Ok(Connection { address, endpoint, is_tls: args.ca.is_some() })
    }

    /// The address, for people.
    pub(super) fn shown(&self) -> String {
        format!("{}{}", self.address, if self.is_tls { " (TLS)" } else { "" })
    }

    /// The answers for each trigger; while the server is not ready, it is asked again for so long.
    pub(super) async fn ask(&self, asking: &Asking, within: Span) -> anyhow::Result<Vec<Answers>> {
        let end = Instant::now() + Duration::from_secs(u64::try_from(within.as_seconds()).unwrap_or(0));
        let channel = self.endpoint.connect().await.map_err(|error| self.unreached(&error))?;
        let mut client = ExternalScalerClient::new(channel);
        loop {
            let mut all = Vec::with_capacity(asking.triggers.len());
            for trigger in &asking.triggers {
                all.push(Answers::of(&mut client, asking, trigger).await);
            }
            if let Some(broken) = all.iter().find_map(Answers::broken) {
                return Err(self.unreached(broken));
            }
            if all.iter().any(Answers::is_strange) {
                return Err(self.without("what answers there is no external scaler"));
            }
            if !all.iter().any(Answers::is_unavailable) || Instant::now() >= end {
                return Ok(all);
            }
            sleep(PAUSE).await;
        }
    }

    /// There was no answer at all.
    fn unreached(&self, error: &(dyn Error + 'static)) -> anyhow::Error {
        self.without(&innermost(error))
    }

    /// There was no answer of a scaler.
    fn without(&self, why: &str) -> anyhow::Error {
        let advice = if self.is_tls {
            "expected the gRPC listener with a certificate of --ca (see --tls-name, and --cert if it wants one of yours)"
        } else {
            "expected the gRPC listener, not the page's port; if it speaks TLS, give --ca"
        };
        anyhow::anyhow!("{} cannot be asked: {why}; {advice}", self.address)
    }
}

fn tls(args: &AskArgs) -> anyhow::Result<Option<ClientTlsConfig>> {
    let read = |option: &str, path: &std::path::Path| {
        std::fs::read(path).with_context(|| format!("{option}: cannot read {}", path.display()))
    };
    let Some(ca) = &args.ca else { return Ok(None) };
    // A provider that is already installed is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read("--ca", ca)?));
    if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
        tls = tls.identity(Identity::from_pem(read("--cert", cert)?, read("--key", key)?));
    }
    Ok(Some(match &args.tls_name {
        Some(name) => tls.domain_name(name),
        None => tls,
    }))
}

// === impl Answers ===

impl Answers {
    async fn of(client: &mut ExternalScalerClient<Channel>, asking: &Asking, trigger: &Asker) -> Self {
        let reference = ScaledObjectRef {
            name: asking.name.clone(),
            namespace: asking.namespace.clone(),
            scaler_metadata: trigger.metadata.clone(),
        };
        let specs =
            client.get_metric_spec(reference.clone()).await.map(|answer| answer.into_inner().metric_specs);
        let mut answers = Answers { specs, values: Vec::new(), active: None };
        for spec in answers.specs.iter().flatten() {
            let request = GetMetricsRequest {
                scaled_object_ref: Some(reference.clone()),
                metric_name: spec.metric_name.clone(),
            };
            let values = client.get_metrics(request).await.map(|answer| answer.into_inner().metric_values);
            answers.values.push(values);
            let active = client.is_active(reference.clone()).await;
            answers.active = Some(active.map(|answer| answer.into_inner().result));
        }
        answers
    }

    /// Whether every call was answered.
    pub(super) fn is_whole(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The calls that failed, with their names.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&'static str, &Status)> {
        let specs = self.specs.as_ref().err().map(|status| ("GetMetricSpec", status));
        let values = self.values.iter().filter_map(|v| Some(("GetMetrics", v.as_ref().err()?)));
        let active = self.active.as_ref().and_then(|active| Some(("IsActive", active.as_ref().err()?)));
        specs.into_iter().chain(values).chain(active)
    }

    fn is_unavailable(&self) -> bool {
        self.failures().any(|(_, status)| status.code() == Code::Unavailable)
    }

    /// A failure of the connection, which no scaler answered.
    fn broken(&self) -> Option<&(dyn Error + 'static)> {
        self.failures().find_map(|(_, status)| status.source())
    }

    /// An answer that no external scaler gives: its GetMetricSpec depends on the metadata alone.
    fn is_strange(&self) -> bool {
        let code = self.specs.as_ref().err().map(Status::code);
        matches!(code, Some(Code::Internal | Code::Unknown | Code::Unimplemented))
    }

    /// The calls with their answers, in KEDA's order.
    pub(super) fn lines(&self) -> Vec<String> {
        let specs = match &self.specs {
            Ok(specs) => specs
                .iter()
                .map(|s| format!("{}, target {}", s.metric_name, target(s)))
                .collect::<Vec<_>>()
                .join("; "),
            Err(status) => told(status),
        };
        let mut lines = vec![format!("GetMetricSpec  {specs}")];
        for values in &self.values {
            let text = match values {
                Ok(values) => {
                    let each = values.iter().map(|v| format!("{} = {}", v.metric_name, value(v)));
                    each.collect::<Vec<_>>().join("; ")
                }
                Err(status) => told(status),
            };
            lines.push(format!("GetMetrics     {text}"));
        }
        if let Some(active) = &self.active {
            let text = active.as_ref().map_or_else(told, ToString::to_string);
            lines.push(format!("IsActive       {text}"));
        }
        lines
    }

    pub(super) fn json(&self, index: usize) -> Value {
        let specs = self.specs.iter().flatten();
        let values = self.values.iter().flatten().flatten();
        let failures = self.failures();
        json!({
            "index": index,
            "specs": specs.map(|s| json!({"metric": s.metric_name, "target": target(s)})).collect::<Vec<_>>(),
            "values": values.map(|v| json!({"metric": v.metric_name, "value": value(v)})).collect::<Vec<_>>(),
            "active": self.active.as_ref().and_then(|active| active.as_ref().ok()),
            "failures": failures.map(|(method, status)| {
                json!({"method": method, "code": code(status), "message": status.message()})
            }).collect::<Vec<_>>(),
        })
    }
}

/// KEDA reads the float if there is one, and the integer otherwise.
pub(super) fn target(spec: &MetricSpec) -> f64 {
    if spec.target_size_float > 0.0 { spec.target_size_float } else { spec.target_size as f64 }
}

/// The same for a value.
pub(super) fn value(value: &MetricValue) -> f64 {
    if value.metric_value_float > 0.0 { value.metric_value_float } else { value.metric_value as f64 }
}

fn told(status: &Status) -> String {
    format!("{}: {}", code(status), status.message())
}

/// The code as gRPC writes it.
fn code(status: &Status) -> String {
    let mut name = String::new();
    for letter in format!("{:?}", status.code()).chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}
