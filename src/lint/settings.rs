//! What is checked, and what the checks may assume.

use std::collections::BTreeMap;

use crate::source::{Catalogue, Doubt};
use crate::units::{Shards, Span, Time};

/// Placeholder for an unknown query in a proposal: no Prometheus has this name, so a forgotten placeholder is
/// noticed.
pub const PLACEHOLDER: &str = "REPLACE_WITH_YOUR_QUERY";

/// A file to check.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name as shown in findings.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// What the checks may assume.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The present: decides what is in the past, and which clock changes are to come.
    pub now: Time,
    /// How often Prometheus scrapes.
    pub scrape_interval: Span,
    /// How long Prometheus keeps samples, if known.
    pub retention: Option<Span>,
    /// Policies and calendars that may be named; without a catalogue, any name is accepted.
    pub catalogue: Option<Catalogue>,
    /// Among how many shards the workloads are divided.
    pub shards: Shards,
    /// The environment that a server's configuration is filled in from.
    pub env: BTreeMap<String, String>,
    /// What a Prometheus was asked in advance.
    pub told: Told,
}

/// What a Prometheus reported about the queries in the files; empty if none was asked.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// What is suspicious about a query, by its text.
    pub doubts: BTreeMap<String, Vec<Doubt>>,
    /// What it answers to a query, by its text; a query that it could not answer now is left out.
    pub answers: BTreeMap<String, Answer>,
    /// Whether it has the kube-state-metrics series from which `leadTime: auto` learns.
    pub sees_pods: Option<bool>,
    /// Whether it has the cAdvisor series from which `capacity` learns.
    pub sees_cpu: Option<bool>,
}

/// What a Prometheus answers to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// No series now.
    Nothing,
    /// One series.
    One,
    /// More than one series.
    Many,
    /// It rejects the query, for this reason.
    Rejected(String),
}
