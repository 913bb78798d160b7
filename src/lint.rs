//! Checks ScaledObjects, policies and server configurations before they are applied.
//!
//! It checks everything that files alone can show. Each finding has a rule, a place and a remedy. The files are
//! passed in as texts and the present as an argument; nothing here reads a file, asks a cluster or prints.

mod conflict;
mod findings;
mod object;
mod policy;
mod query;
mod report;
pub mod rules;
mod secrets;
mod server;
mod settings;
mod subject;
mod trigger;
mod windows;

pub use findings::{Finding, Report};
pub use report::{github, json, sarif, text};
pub use rules::{Rule, Severity};
pub use settings::{Answer, Input, PLACEHOLDER, Settings, Told};

use crate::policy::KNOWN_KEYS;
use crate::source::manifest::scaled_objects;
use crate::source::yaml::{Content, Node, documents};
use findings::Findings;

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
