#![doc = include_str!("README.md")]

pub mod capacity;
pub mod decide;
pub mod forecast;
pub mod history;
pub mod plan;
pub mod policy;
pub mod simulate;
pub mod units;

#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod draw;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod keda;
#[cfg(feature = "server")]
pub mod lint;
#[cfg(feature = "server")]
pub mod serve;
#[cfg(feature = "server")]
pub mod source;
