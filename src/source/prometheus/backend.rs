//! Prometheus as a backend among others, found by the name or the address that a workload gives.

use std::sync::Arc;

use super::{DataSources, Prometheus};
use crate::policy::SourceRef;
use crate::source::{Backend, Backends, RangeQuery, RangeSource, Reading, SourceError};
use crate::units::{Span, Time};

#[tonic::async_trait]
impl Backend for Prometheus {
    async fn range(&self, query: &RangeQuery) -> Result<Reading, SourceError> {
        RangeSource::read(self, query).await
    }

    async fn instant(&self, query: &str, at: Time) -> Result<Option<f64>, SourceError> {
        Prometheus::instant(self, query, at).await
    }

    fn clock_skew(&self, now: Time) -> Span {
        Span::seconds(Prometheus::clock_skew(self, now).map_or(0, i64::abs))
    }

    fn label(&self) -> &str {
        self.name()
    }

    fn origin(&self) -> String {
        self.target().to_owned()
    }

    fn identity(&self) -> String {
        // Sources that workloads name by address share one label, which bounds the metrics, and nothing else.
        if self.name() == DataSources::BY_ADDRESS {
            format!("{} {}", self.name(), self.target())
        } else {
            self.name().to_owned()
        }
    }
}

impl Backends for DataSources {
    fn resolve(&self, source: &SourceRef, namespace: &str) -> Result<Arc<dyn Backend>, SourceError> {
        Ok(match source {
            SourceRef::Named(name) => self.get(name, namespace)?,
            SourceRef::Address(address) => self.for_address(address)?,
        })
    }
}
