//! Where a workload's trigger has to point, in the manifests that are made.

use clap::Args;

use crate::units::{Shard, Shards, UnitError};

/// The scaler's address, and among how many shards it is divided.
#[derive(Debug, Clone, Args)]
pub(super) struct Scaler {
    /// The scaler's address in the cluster.
    #[arg(long = "scaler", value_name = "HOST:PORT", default_value = WHOLE)]
    whole: String,
    /// How many shards the chart runs (its value `shards`). A workload's address then has the number of its shard behind
    /// the first label, such as forescale-2.forescale:6000.
    #[arg(long, value_name = "N", default_value = "1", value_parser = Shards::parse)]
    shards: Shards,
}

/// The chart's own, installed by its name.
const WHOLE: &str = "forescale.forescale:6000";

// === impl Scaler ===

impl Scaler {
    /// The address without any shard.
    pub(super) fn whole(&self) -> &str {
        &self.whole
    }

    pub(super) fn shards(&self) -> Shards {
        self.shards
    }

    /// The shard of a workload, where there is more than one.
    pub(super) fn shard_of(&self, namespace: &str, name: &str) -> Option<Shard> {
        (self.shards != Shards::ONE).then(|| self.shards.shard_of(namespace, name))
    }

    /// The address for a workload.
    pub(super) fn of(&self, namespace: &str, name: &str) -> Result<String, UnitError> {
        self.shards.shard_of(namespace, name).address(&self.whole)
    }

    /// Refuses an address that no shard's number can be added to.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.of("", "").map_err(|error| anyhow::anyhow!("--scaler: {error}")).map(drop)
    }
}

impl Default for Scaler {
    fn default() -> Self {
        Scaler { whole: WHOLE.to_owned(), shards: Shards::ONE }
    }
}
