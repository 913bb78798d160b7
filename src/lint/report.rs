//! Formats findings as text, JSON, SARIF, and GitHub annotations.
//!
//! The texts are returned; only the command prints them.

use std::fmt::Write;

use serde_json::{Value, json};

use super::findings::{Finding, Report};
use super::rules::{ALL, Severity};
use crate::units::counted;

/// One line for each finding, its remedy below it, and a total.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    for Finding { rule, file, line, column, message, mend } in &report.findings {
        let severity = rule.severity.as_str();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{file}:{line}:{column}: {severity}: {message} [{}]\n    {mend}", rule.name);
    }
    for (file, why) in &report.unreadable {
        let _ = writeln!(out, "{file}: unreadable: {why}");
    }
    let count = |severity| report.findings.iter().filter(|f| f.rule.severity == severity).count();
    let (errors, warnings, infos) = (count(Severity::Error), count(Severity::Warning), count(Severity::Info));
    let _ = writeln!(
        out,
        "{} judged: {}, {}, {}",
        counted(report.judged, "document"),
        counted(errors, "error"),
        counted(warnings, "warning"),
        counted(infos, "info")
    );
    out
}

/// One JSON document.
pub fn json(report: &Report) -> Value {
    let findings = report.findings.iter().map(|f| {
        json!({
            "rule": f.rule.name, "severity": f.rule.severity.as_str(), "file": f.file, "line": f.line,
            "column": f.column, "message": f.message, "mend": f.mend,
        })
    });
    let unreadable = report.unreadable.iter().map(|(file, why)| json!({ "file": file, "why": why }));
    json!({
        "schema": 1, "judged": report.judged, "findings": findings.collect::<Vec<_>>(),
        "unreadable": unreadable.collect::<Vec<_>>(),
    })
}

/// SARIF 2.1.0, for code scanners.
pub fn sarif(report: &Report) -> Value {
    let level = |severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    };
    let rules = ALL.iter().map(|rule| {
        json!({
            "id": rule.name, "shortDescription": { "text": rule.why },
            "defaultConfiguration": { "level": level(rule.severity) },
        })
    });
    let results = report.findings.iter().map(|f| {
        json!({
            "ruleId": f.rule.name, "level": level(f.rule.severity),
            "message": { "text": format!("{}. {}", f.message, f.mend) },
            "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": f.file },
                "region": { "startLine": f.line.max(1), "startColumn": f.column.max(1) },
            } }],
        })
    });
    let unreadable = report.unreadable.iter().map(|(file, why)| {
        json!({
            "level": "error", "message": { "text": why },
            "locations": [{ "physicalLocation": { "artifactLocation": { "uri": file } } }],
        })
    });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "forescale lint", "version": env!("CARGO_PKG_VERSION"), "rules": rules.collect::<Vec<_>>(),
            } },
            "results": results.collect::<Vec<_>>(),
            "invocations": [{
                "executionSuccessful": report.unreadable.is_empty(),
                "toolExecutionNotifications": unreadable.collect::<Vec<_>>(),
            }],
        }],
    })
}

/// Workflow commands that GitHub shows as annotations.
pub fn github(report: &Report) -> String {
    let mut out = String::new();
    for f in &report.findings {
        let command = match f.rule.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let _ = writeln!(
            out,
            "::{command} file={},line={},col={},title={}::{}",
            property(&f.file),
            f.line,
            f.column,
            f.rule.name,
            data(&format!("{}\n{}", f.message, f.mend))
        );
    }
    for (file, why) in &report.unreadable {
        let _ = writeln!(out, "::error file={}::{}", property(file), data(why));
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

// === impl Severity ===

impl Severity {
    /// The name in all output formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}
