//! The series of a service that tell what one replica carries, read from their exporters.
//!
//! The server and a replayed decision read the same series here, so that both learn the same from them.

use super::{ExportedMetric, Service};
use crate::history::{Series, ServiceHistory};
use crate::policy::Learning;
use crate::source::{Backend, RangeQuery, SourceError};
use crate::units::{Span, Step, Time};

/// Queries the exporters about a service, on a grid of so long a step from one instant to another; only as much as it
/// takes to find out that there is nothing. `ready` replaces the usual query for ready replicas.
///
/// # Errors
/// The source's, if it does not answer.
pub async fn read_service(
    backend: &dyn Backend,
    about: &Service<'_>,
    learning: &Learning,
    ready: Option<&str>,
    (step, from, to): (Span, Time, Time),
) -> Result<ServiceHistory, SourceError> {
    let range = async |query: Option<String>| -> Result<Option<Series>, SourceError> {
        let (Some(query), Ok(step)) = (query, Step::new(step)) else { return Ok(None) };
        let reading = backend.range(&RangeQuery { query, from, to, step }).await?;
        Ok(Some(reading.series).filter(|series| series.observed() > 0))
    };
    let usual = |what: ExportedMetric| about.asks(what);
    let missed = |what: ExportedMetric| what.missed(about.kind).to_owned();
    let ready = range(ready.map(str::to_owned).or_else(|| usual(ExportedMetric::Ready))).await?;
    let mut service = ServiceHistory { ready, ..ServiceHistory::default() };
    if service.ready.is_none() {
        service.missing.push(missed(ExportedMetric::Ready));
        return Ok(service);
    }
    service.cpu = range(learning.cpu.clone().or_else(|| usual(ExportedMetric::Cpu))).await?;
    service.latency = range(learning.latency.clone()).await?;
    if service.cpu.is_none() {
        service.missing.push(missed(ExportedMetric::Cpu));
    } else {
        service.request = range(usual(ExportedMetric::Request)).await?;
        service.throttled = range(usual(ExportedMetric::Throttled)).await?;
        service.missing.extend(service.request.is_none().then(|| missed(ExportedMetric::Request)));
    }
    if learning.latency.is_some() && service.latency.is_none() {
        service.missing.push("latency: latencyQuery yields nothing".to_owned());
    }
    if service.cpu.is_some() || service.latency.is_some() {
        service.template = range(usual(ExportedMetric::Template)).await?;
        service.missing.extend(service.template.is_none().then(|| missed(ExportedMetric::Template)));
    }
    Ok(service)
}
