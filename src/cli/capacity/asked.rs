//! Parses the question as people write it: objectives, shares, cores.
//!
//! Nothing here knows the observations.

use crate::capacity::Limit;
use crate::policy::{TargetKind, latency};

/// What a workload is in Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// A Deployment.
    Deployment,
    /// A `StatefulSet`.
    Statefulset,
    /// A Rollout of Argo.
    Rollout,
}

// === impl Kind ===

impl Kind {
    /// The same kind for the queries to exporters.
    pub(super) fn target(self) -> TargetKind {
        match self {
            Kind::Deployment => TargetKind::Deployment,
            Kind::Statefulset => TargetKind::StatefulSet,
            Kind::Rollout => TargetKind::Rollout,
        }
    }
}

/// The quantity that an objective limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    Mean,
    P50,
    P95,
    P99,
    Errors,
}

/// An objective: a quantity must stay below a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Objective {
    pub quantity: Quantity,
    /// Seconds, or a share of requests.
    below: f64,
}

/// A latency of so many seconds needs a unit: most people who write 500 mean milliseconds.
const UNLIKELY: f64 = 10.0;
const OBJECTIVES: &str = "p95<500ms, p50<, p99<, mean<, or errors<1%";

// === impl Objective ===

impl Objective {
    /// Parses `p95<500ms`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fault = || format!("found '{text}', expected {OBJECTIVES}");
        let (name, below) = text.split_once('<').ok_or_else(fault)?;
        let quantity = Quantity::parse(name.trim()).ok_or_else(fault)?;
        let below = below.trim_start_matches('=').trim();
        let below = if quantity == Quantity::Errors { part(below) } else { latency(below) };
        let has_unit = text.ends_with(|c: char| !c.is_ascii_digit());
        if quantity != Quantity::Errors && !has_unit && below.is_some_and(|below| below >= UNLIKELY) {
            return Err(format!("found '{text}', expected a unit: p95<500ms or p95<12s"));
        }
        let below = below.filter(|below| *below > 0.0 && below.is_finite()).ok_or_else(fault)?;
        Ok(Objective { quantity, below })
    }

    pub(super) fn limit(self) -> Limit {
        match self.quantity {
            Quantity::Errors => Limit::Failed(self.below),
            _ => Limit::Latency(self.below),
        }
    }
}

// === impl Quantity ===

impl Quantity {
    /// The latencies, in order of preference if none was asked for.
    pub(super) const LATENCIES: [Quantity; 4] = [Quantity::P95, Quantity::P99, Quantity::Mean, Quantity::P50];

    fn parse(name: &str) -> Option<Self> {
        let all = [Quantity::Mean, Quantity::P50, Quantity::P95, Quantity::P99, Quantity::Errors];
        all.into_iter().find(|quantity| quantity.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Quantity::Mean => "mean",
            Quantity::P50 => "p50",
            Quantity::P95 => "p95",
            Quantity::P99 => "p99",
            Quantity::Errors => "errors",
        }
    }

    /// Its column in the input table.
    pub(super) fn column(self) -> String {
        if self == Quantity::Errors { "errors".to_owned() } else { format!("latency_{}", self.name()) }
    }
}

/// Parses a share: `70%`, `70` or `0.7`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let found = match text.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
        None => text.trim().parse::<f64>().ok().map(|share| if share > 1.0 { share / 100.0 } else { share }),
    };
    found
        .filter(|share| *share > 0.0 && *share <= 1.0)
        .ok_or_else(|| format!("found '{text}', expected a share such as 70%"))
}

/// Parses cores as Kubernetes writes them: `0.5` or `500m`.
pub(super) fn cores(text: &str) -> Result<f64, String> {
    let found = match text.trim().strip_suffix('m') {
        Some(milli) => milli.parse::<f64>().ok().map(|milli| milli / 1_000.0),
        None => text.trim().parse::<f64>().ok(),
    };
    found
        .filter(|cores| *cores > 0.0 && cores.is_finite())
        .ok_or_else(|| format!("found '{text}', expected cores such as 0.5 or 500m"))
}

/// Parses a share of requests: `1%` or `0.01`.
fn part(text: &str) -> Option<f64> {
    match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
        None => text.parse::<f64>().ok(),
    }
    .filter(|part| *part < 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_read_as_people_write_them() {
        for (text, quantity, below) in [
            ("p95<500ms", Quantity::P95, 0.5),
            ("p99 <= 1.5s", Quantity::P99, 1.5),
            ("mean<0.28", Quantity::Mean, 0.28),
            ("p50<2m", Quantity::P50, 120.0),
            ("errors<1%", Quantity::Errors, 0.01),
        ] {
            let found = Objective::parse(text).unwrap_or_else(|fault| panic!("{fault}"));
            assert_eq!(found.quantity, quantity, "{text}");
            assert!((found.below - below).abs() < 1e-12, "{text}");
        }
        for text in ["", "p95", "p95<", "p95<0", "p90<1s", "errors<100%", "p95>1s", "mean<fast", "p95<500"] {
            assert!(Objective::parse(text).is_err_and(|fault| fault.contains("p95<500ms")), "{text}");
        }
        assert_eq!((share("70"), share("70%"), share("0.7")), (Ok(0.7), Ok(0.7), Ok(0.7)));
        assert_eq!((cores("500m"), cores("2")), (Ok(0.5), Ok(2.0)));
        assert!(
            share("0").is_err() && share("120%").is_err() && cores("-1").is_err() && cores("many").is_err()
        );
    }
}
