//! What was found: by file, with the rule, the place and the remedy.

use std::collections::BTreeSet;

use super::rules::{Rule, Severity};
use super::settings::Input;
use crate::source::yaml::Place;

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

/// The findings of one file so far.
pub(super) struct Findings<'a> {
    pub input: &'a Input,
    pub lines: Vec<&'a str>,
    pub list: Vec<Finding>,
    pub queries: BTreeSet<String>,
}

// === impl Findings ===

impl<'a> Findings<'a> {
    pub(super) fn new(input: &'a Input) -> Self {
        Findings { input, lines: input.text.lines().collect(), list: Vec::new(), queries: BTreeSet::new() }
    }

    /// Adds a finding, unless its line, or a comment on the line before, says `forescale: allow RULE`.
    ///
    /// Returns whether it was added.
    pub(super) fn add(
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

    pub(super) fn into_list(mut self) -> Vec<Finding> {
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
