//! Checks of the server's configuration: what prevents it from starting, and what it exposes.
//!
//! The files that a configuration names are never opened.

use std::collections::BTreeMap;

use super::findings::Findings;
use super::rules;
use super::settings::Settings;
use crate::source::ServerConfig;
use crate::source::config::{ConfigError, Placed};
use crate::source::yaml::{Node, key_of};

/// Placeholder for a variable that is set where the server runs: valid both as a URL and as a secret.
const PLACEHOLDER: &str = "http://set-where-it-runs";

/// Checks a configuration. Variables that are not set here are assumed to be valid.
pub(super) fn check(document: &Node, settings: &Settings, findings: &mut Findings<'_>) {
    let env = with_placeholders(&findings.input.text, &settings.env);
    let top = (document.line, document.column);
    match ServerConfig::parse(&findings.input.text, &env) {
        Ok(_) => {}
        Err(ConfigError::Syntax(why)) => {
            findings.add(&rules::CONFIG_FAULT, top, why, "expected one YAML document");
        }
        Err(ConfigError::Faults(faults)) => {
            for Placed { at, fault } in faults {
                findings.add(&rules::CONFIG_FAULT, at, fault.seen(), format!("expected {}", fault.expected));
            }
        }
    }
    for source in document.get("datasources").map_or(&[][..], Node::entries) {
        check_source(&source.key, &source.value, findings);
    }
}

fn check_source(name: &str, source: &Node, findings: &mut Findings<'_>) {
    let basic = source.get("basic");
    for (holder, key) in [(Some(source), "bearerToken"), (basic, "password")] {
        let Some(holder) = holder else { continue };
        let Some(text) = holder.text_of(key) else { continue };
        if !text.contains("${") {
            let message = format!("datasources.{name}: {key} is in the file itself");
            let mend = format!("write {key}File, or ${{VARIABLE}} from a Secret");
            findings.add(&rules::CONFIG_PLAIN_SECRET, key_of(holder, key), message, mend);
        }
    }
    let has_secret = basic.is_some() || source.get("bearerToken").or(source.get("bearerTokenFile")).is_some();
    let url = source.text_of("url").unwrap_or_default();
    if has_secret && url.starts_with("http://") {
        let message = format!(
            "datasources.{name}: credentials go to {} unencrypted",
            url.split('@').next_back().unwrap_or_default()
        );
        findings.add(&rules::CONFIG_SECRET_OVER_HTTP, key_of(source, "url"), message, "write an https url");
    }
    if let Some(tls) =
        source.get("tls").filter(|t| t.text_of("insecureSkipVerify").as_deref() == Some("true"))
    {
        let message = format!("datasources.{name}: any certificate is accepted");
        findings.add(
            &rules::CONFIG_SKIPS_VERIFY,
            key_of(tls, "insecureSkipVerify"),
            message,
            "write ca: with its CA certificate",
        );
    }
}

fn with_placeholders(text: &str, env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all = env.clone();
    for rest in text.split("${").skip(1) {
        if let Some((name, _)) = rest.split_once('}') {
            all.entry(name.to_owned()).or_insert_with(|| PLACEHOLDER.to_owned());
        }
    }
    all
}
