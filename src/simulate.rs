//! A deterministic simulation (twin) of KEDA, the HPA and the pods: what the controllers would have done with these
//! answers, how well that would have served a load, and what it would have cost.
//!
//! Nobody trusts an autoscaler that cannot show its past, so the rules here are those of the real controllers,
//! including their surprises, and are checked against recordings of them (`tests/it/hpa_recordings.rs`). The twin has
//! no clock of its own and no randomness without a seed: the same configuration and answers give the same trajectory.
//! It never forecasts and never reads a file.
//!
//! Replica counts are plain `u32` here, because this module does the controllers' arithmetic on them.

mod assessment;
mod behavior;
mod clock;
mod config;
mod curve;
mod exporters;
mod forescale;
mod frontier;
mod hpa;
mod keda;
mod ledger;
mod load;
mod pods;
mod queue;
mod run;
mod scaler;
mod score;
mod strategy;
mod twin;

pub use assessment::{Assessment, BusyHours, Compared, Finding, Subject, Trials, Verdict, assess};
pub use behavior::{Amount, Behavior, Policy, Rules, Select};
pub use clock::Millis;
pub use config::{
    ConfigError, Fallback, FallbackBehavior, HpaSettings, Loss, MetricType, Pause, PodTiming, Trigger,
    TwinConfig,
};
pub use curve::Curve;
pub use forescale::{Foreseen, run_forescale};
use forescale::{Progress, run_while_needed};
pub use frontier::{DEAREST, Frontier, MATCHED_TAU_U, Point, SWEEP, cost_at, matched, sweep};
pub use ledger::{Balance, Ledger};
pub use load::{Load, Seen};
pub use queue::Service;
pub use run::{Moment, Strategy, Target, ran, run};
pub use scaler::{Row, Scaler, ScalerResponse, Timeline, View};
pub use score::{Measure, Run, Scorecard, Step, score, scored_every};
pub use strategy::{Simple, Studied};
pub use twin::{Change, Twin};
