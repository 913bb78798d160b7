//! The HTML pages: all workloads at `/`, and one workload under its name.
//!
//! Plain HTML made on the server, the same for everyone: no scripts, no requests to other servers, nothing that
//! changes anything. Links are relative, so the pages work behind `kubectl proxy` and behind a path prefix.

mod actions;
mod asked;
mod figures;
mod fleet;
mod range;
mod story;

pub(super) use range::Look;

use std::fmt::Write;

use chrono_tz::Tz;

use super::fleet::Choice;
use super::overview::{Overview, Past, Settings, Snapshot};
use crate::decide::{Condition, Severity};
use crate::draw::{day, escaped};
use crate::units::Time;

/// The style sheet of all pages.
pub(super) fn style() -> String {
    format!("{}{}", crate::draw::STYLE, include_str!("page/style.css"))
}

/// All workloads.
pub(super) fn fleet(overview: &dyn Overview, choice: &Choice) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = fleet::write(&mut out, overview, choice);
    out
}

/// What the server's configuration says about its pages.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub settings: &'a Settings,
    /// Whether queries and metadata may be shown.
    pub exposes: bool,
}

/// One workload. It reads no live state: all it says belongs to the moment of the snapshot.
pub(super) fn story(snapshot: &Snapshot, past: &Past, look: &Look, shown: Shown<'_>) -> String {
    let mut out = String::new();
    let _ = story::write(&mut out, snapshot, past, look, shown);
    out
}

/// There is no such workload, or there are several to choose from.
pub(super) fn lost(namespace: &str, name: &str, metrics: &[String]) -> String {
    let title = format!("{namespace}/{name}");
    let mut out = head(&title, "../../", None);
    let _ = writeln!(out, "<h1>{}</h1>", escaped(&title));
    if metrics.is_empty() {
        out.push_str(
            "<p>KEDA has not asked for a workload of this name. It asks within one polling interval after the \
             ScaledObject is applied; if it does not, <code>forescale doctor</code> finds out why.</p>\n",
        );
    } else {
        out.push_str("<p>This workload has several metrics:</p>\n<ul>\n");
        for metric in metrics {
            let metric = escaped(metric);
            let _ = writeln!(out, "<li><a href=\"?metric={metric}\">{metric}</a></li>");
        }
        out.push_str("</ul>\n");
    }
    out.push_str(FOOT);
    out
}

const FOOT: &str = "</main>\n<footer><p>Read-only. The same data as JSON: <code>api/v1</code>, described by \
<code>api/v1/schema.json</code>.</p></footer>\n</body>\n</html>\n";

/// Everything before the main part; `root` is the path to the fleet, and `now` what the page is true for, with the time
/// zone of the times in it.
fn head(title: &str, root: &str, now: Option<(Time, Tz)>) -> String {
    let at = now.map_or_else(String::new, |(now, zone)| format!("<p>As of {}.</p>", day(zone, now)));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{} - Forescale</title>\n\
         <link rel=\"stylesheet\" href=\"{root}style.css\">\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the content</a>\n\
         <header class=\"bar\"><nav aria-label=\"Site\"><a href=\"{}\">Forescale: all workloads</a></nav>{at}</header>\n\
         <main id=\"main\">\n",
        escaped(title),
        if root.is_empty() { "./" } else { root },
    )
}

/// The CSS class of a condition.
fn class(condition: &Condition) -> &'static str {
    match condition.severity() {
        Severity::Bad => "bad",
        Severity::Warning => "warn",
        Severity::Good => "good",
    }
}

/// Percent-encodes a text for a URL.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
