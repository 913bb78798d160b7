//! Checks ScaledObjects, policies and server configurations before they are applied.
//!
//! It checks everything that files alone can show. Each finding has a rule, a place and a remedy. The files are
//! passed in as texts and the present as an argument; nothing here reads a file, asks a cluster or prints.

mod conflict;
mod object;
mod policy;
mod query;
mod report;
pub mod rules;
mod server;
mod trigger;
mod windows;

use std::collections::{BTreeMap, BTreeSet};

pub use report::{github, json, sarif, text};
pub use rules::{Rule, Severity};

use crate::policy::KNOWN_KEYS;
use crate::source::manifest::scaled_objects;
use crate::source::yaml::{Content, Node, Place, documents};
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

/// One problem to fix.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The rule that was broken.
    pub rule: &'static Rule,
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What was found.
    pub message: String,
    /// How to fix it.
    pub mend: String,
}

/// The result of a lint run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// By file, then by line.
    pub findings: Vec<Finding>,
    /// Files that are not valid YAML, with the reason.
    pub unreadable: Vec<(String, String)>,
    /// How many documents were checked; documents of other kinds are ignored.
    pub judged: usize,
    /// Every query in them, so that a Prometheus can be asked about it.
    pub queries: BTreeSet<String>,
}

/// Checks files together: conflicts between documents are found across all of them.
pub fn lint(inputs: &[Input], settings: &Settings) -> Report {
    let mut report = Report::default();
    let mut read = Vec::new();
    for input in inputs {
        match documents(&input.text) {
            Ok(documents) => read.push((input, documents)),
            Err(why) => report.unreadable.push((input.name.clone(), why)),
        }
    }
    let mut all = Vec::new();
    for (input, documents) in &read {
        let mut findings = Findings::new(input);
        for object in scaled_objects(documents) {
            report.judged += 1;
            object::check(&object, settings, &mut findings);
        }
        for document in documents {
            report.judged += usize::from(object::check_kind(document, &mut findings));
        }
        for document in documents.iter().filter(|d| d.get("kind").is_none()) {
            if is_server(document) {
                report.judged += 1;
                server::check(document, settings, &mut findings);
            } else if is_policy(document) {
                report.judged += 1;
                policy::check_file(document, settings, &mut findings);
            }
        }
        all.push(findings);
    }
    conflict::check(&read, &mut all);
    report.queries = all.iter_mut().flat_map(|findings| std::mem::take(&mut findings.queries)).collect();
    report.findings = all.into_iter().flat_map(Findings::into_list).collect();
    report
}

/// Whether a document without a `kind` is a server configuration: it has a key that no policy has, or lists events,
/// while a policy can only say `events: none`.
pub fn is_server(document: &Node) -> bool {
    if document.entry("events").is_some_and(|entry| matches!(entry.value.content, Content::List(_))) {
        return true;
    }
    ["datasources", "listen", "calendars", "policies", "serverAddressAllow", "startupGrace", "grpc", "state"]
        .iter()
        .any(|key| document.entry(key).is_some())
}

fn is_policy(document: &Node) -> bool {
    document.entries().iter().any(|e| KNOWN_KEYS.contains(&e.key.as_str()) || e.key == "signals")
}

/// The findings of one file so far.
struct Findings<'a> {
    input: &'a Input,
    lines: Vec<&'a str>,
    list: Vec<Finding>,
    queries: BTreeSet<String>,
}

// === impl Findings ===

impl<'a> Findings<'a> {
    fn new(input: &'a Input) -> Self {
        Findings { input, lines: input.text.lines().collect(), list: Vec::new(), queries: BTreeSet::new() }
    }

    /// Adds a finding, unless its line, or a comment on the line before, says `forescale: allow RULE`.
    ///
    /// Returns whether it was added.
    fn add(
        &mut self,
        rule: &'static Rule,
        at: Place,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> bool {
        let line = |number: usize| number.checked_sub(1).and_then(|i| self.lines.get(i)).copied();
        let allows = |line: &str| {
            let said = line.split_once("forescale: allow ").map(|(_, names)| names);
            said.is_some_and(|names| names.split([',', ' ']).any(|name| name == rule.name))
        };
        let before = at.0.checked_sub(1).and_then(line).filter(|l| l.trim_start().starts_with('#'));
        if line(at.0).is_some_and(allows) || before.is_some_and(allows) {
            return false;
        }
        self.list.push(Finding {
            rule,
            file: self.input.name.clone(),
            line: at.0,
            column: at.1,
            message: message.into(),
            mend: mend.into(),
        });
        true
    }

    fn into_list(mut self) -> Vec<Finding> {
        self.list.sort_by(|a, b| (a.line, a.rule.name).cmp(&(b.line, b.rule.name)));
        self.list.dedup();
        self.list
    }
}

// === impl Report ===

impl Report {
    /// Whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.rule.severity == Severity::Error)
    }
}
