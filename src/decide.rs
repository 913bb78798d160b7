//! The core of Forescale: [`prepare`] fits the forecasts, [`decide`] answers how many replicas and why.
//!
//! Both functions are pure. They have no clock, no network, no randomness and no hidden memory: the same observations
//! give the same [`Decision`] in the server, in a second replica of it, in a backtest and in a test. Nothing here
//! ever turns an error into fewer replicas: if the answer cannot be known, it is [`Blind`], and KEDA keeps what runs.

mod ahead;
mod cached_forecast;
mod carried;
mod coming;
mod condition;
mod deadline;
mod decision;
mod evaluate;
mod fits;
mod followed;
mod insured;
mod load_distribution;
mod phase;
mod precedence;
mod prepared;
mod quiet;
mod reason;
mod recording;
mod replay;
mod retold;
mod rules;
mod session;
mod terms;
mod usual;

pub use ahead::{Stretch, ahead, allowed};
pub use cached_forecast::CachedForecast;
pub use carried::{CapacityView, Carried, SERVICE_STEP, carried, service_window};
pub use coming::{Coming, coming, wall_clock};
pub use condition::{Condition, Severity};
pub use decision::{Blind, Decision, DegradationLevel, ForecastView, Need, State};
pub use fits::{FIT_DELAY, FIT_GRID, FitId, Forecast, forecast, grid_point, usable_from};
pub use followed::Followed;
pub use insured::trust;
pub use load_distribution::LoadDistribution;
pub use phase::{Phase, series_phase};
pub use precedence::decide;
pub use prepared::{Ceiling, Prepared, SignalPlan};
pub use reason::{Contributor, Note, Reason};
pub use recording::{CONTEXT_WINDOW, Circumstances, Recording, SignalTraces, Traces};
pub use retold::{Moment, Retold, looking_ahead};
pub use session::Session;
pub use terms::{Price, Terms, prepare};
