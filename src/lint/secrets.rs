//! Secrets among keys that everyone may read.

use super::findings::Findings;
use super::rules;
use crate::policy::{is_from_env, secret_place};
use crate::source::yaml::Node;

/// Looks for secrets among keys and values; never shows the values. Returns the paths of the keys that were reported.
pub(super) fn check_secrets(node: &Node, parent: &str, findings: &mut Findings<'_>) -> Vec<String> {
    const TLS: [&str; 3] = ["caCert", "tlsClientCert", "tlsClientKey"];
    let mut reported = Vec::new();
    for entry in node.entries() {
        let at = (entry.line, entry.column);
        if TLS.contains(&entry.key.as_str()) {
            let message = format!("{}: KEDA does not read it here", entry.key);
            let mend = "put it into a TriggerAuthentication, and name that in authenticationRef";
            findings.add(&rules::TLS_IN_METADATA, at, message, mend);
        } else if is_from_env(&entry.key) {
            let message = format!("{}: KEDA resolves it and sends the value with every call", entry.key);
            let mend = "name the data source in the server's configuration, with its credentials";
            findings.add(&rules::SECRET_FROM_ENV, at, message, mend);
        } else if let Some(place) = place_of_secret(&entry.key, &entry.value.text().unwrap_or_default()) {
            let path = format!("{parent}{}", entry.key);
            let message = format!("{path}: looks like a secret");
            let mend = format!("remove it, and write {place} in the server's configuration");
            if findings.add(&rules::SECRET_IN_METADATA, at, message, mend) {
                reported.push(path);
            }
        }
    }
    reported
}

/// The key of the server's configuration that a secret belongs in; `None` if it looks like none.
fn place_of_secret(key: &str, value: &str) -> Option<&'static str> {
    let in_url = value.split("://").nth(1).is_some_and(|rest| {
        let host = rest.split(['/', '?', ' ']).next().unwrap_or_default();
        host.split_once('@').is_some_and(|(user, _)| user.contains(':'))
    });
    let as_named = |name: &str| secret_place(name);
    match () {
        () if in_url => as_named("password"),
        () if value.contains("PRIVATE KEY") => as_named("privateKey"),
        () if value.contains("Bearer ") || value.trim().starts_with("eyJ") => as_named("token"),
        () => as_named(key),
    }
}
