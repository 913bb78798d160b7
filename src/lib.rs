#![doc = include_str!("README.md")]

pub mod forecast;
pub mod history;
pub mod simulate;
pub mod units;

#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod source;
