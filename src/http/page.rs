//! The page: every workload at `/`, and one workload's story behind its name.
//!
//! Plain HTML made on the server, the same for everybody: no script, no request to anybody else, nothing to change.
//! Links are relative, so that it works behind `kubectl proxy` and behind a prefix.

mod figures;
mod story;

use std::fmt::Write;

use serde::Deserialize;

use super::overview::{Known, Story};
use crate::decide::{Condition, Contributor, Decision, Reason, Severity, coming};
use crate::draw::{escaped, number};
use crate::units::{Time, counted};

/// What may stand behind the `?` of the fleet's path.
#[derive(Deserialize)]
pub(super) struct Choice {
    /// Part of a name.
    q: Option<String>,
    /// Counted from 0.
    page: Option<usize>,
}

/// Rows of one page: a screen reader and a phone can take no more.
const ROWS: usize = 200;

/// The style of all pages.
pub(super) fn style() -> String {
    format!("{}{}", crate::draw::STYLE, include_str!("page/style.css"))
}

/// Every workload.
pub(super) fn fleet(known: &[Known], choice: &Choice, now: Time, exposes: bool) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_fleet(&mut out, known, choice, now, exposes);
    out
}

/// One workload.
pub(super) fn story(known: &Known, story: Option<&Story>, now: Time, exposes: bool) -> String {
    let mut out = String::new();
    let _ = story::write(&mut out, known, story, now, exposes);
    out
}

/// No such workload, or several to choose from.
pub(super) fn lost(namespace: &str, name: &str, metrics: &[String]) -> String {
    let title = format!("{namespace}/{name}");
    let mut out = head(&title, "../../", None);
    let _ = writeln!(out, "<h1>{}</h1>", escaped(&title));
    if metrics.is_empty() {
        out.push_str(
            "<p>KEDA has not asked for a workload of this name. It is asked for within a polling interval of its \
             ScaledObject being applied; <code>forescale doctor</code> follows the way from there.</p>\n",
        );
    } else {
        out.push_str("<p>It has several metrics:</p>\n<ul>\n");
        for metric in metrics {
            let metric = escaped(metric);
            let _ = writeln!(out, "<li><a href=\"?metric={metric}\">{metric}</a></li>");
        }
        out.push_str("</ul>\n");
    }
    out.push_str(FOOT);
    out
}

const FOOT: &str = "</main>\n<footer><p>Read-only. The same as JSON: <code>api/v1</code>, described by \
<code>api/v1/schema.json</code>.</p></footer>\n</body>\n</html>\n";

/// Everything up to the main part; `root` leads to the fleet.
fn head(title: &str, root: &str, now: Option<Time>) -> String {
    let at = now.map_or_else(String::new, |now| format!("<p>As of {}.</p>", crate::draw::day(now)));
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

fn write_fleet(
    out: &mut String,
    known: &[Known],
    choice: &Choice,
    now: Time,
    exposes: bool,
) -> std::fmt::Result {
    out.push_str(&head("Workloads", "", Some(now)));
    let states: Vec<Condition> = known.iter().map(|k| k.condition(now)).collect();
    let count = |severity| states.iter().filter(|state| state.severity() == severity).count();
    writeln!(
        out,
        "<h1>{}</h1>\n<p>{}</p>",
        counted(known.len(), "workload"),
        match (known.len(), count(Severity::Bad), count(Severity::Warning)) {
            (0, ..) => "KEDA has asked for none yet. Apply a ScaledObject whose trigger names this server; \
                        it appears within its polling interval."
                .to_owned(),
            (_, 0, 0) => "All are healthy.".to_owned(),
            (_, bad, warnings) => format!("{bad} in trouble, {warnings} to look at; they stand first."),
        }
    )?;
    if known.is_empty() {
        out.push_str(FOOT);
        return Ok(());
    }
    let wanted = choice.q.clone().unwrap_or_default();
    let place = |k: &Known| format!("{}/{}", k.id.namespace(), k.id.name());
    let mut rows: Vec<(&Known, &Condition)> =
        known.iter().zip(&states).filter(|(k, _)| place(k).contains(&wanted)).collect();
    // Stable: among equals the order of names stays.
    rows.sort_by_key(|(_, state)| (state.severity(), state.rank()));
    writeln!(
        out,
        "<form role=\"search\" action=\"./\"><label for=\"q\">Name contains</label>\
         <input id=\"q\" name=\"q\" value=\"{}\"><button>Show</button></form>",
        escaped(&wanted)
    )?;
    let page = choice.page.unwrap_or(0).min(rows.len().saturating_sub(1) / ROWS);
    let shown = rows.iter().skip(page * ROWS).take(ROWS);
    write!(
        out,
        "<div class=\"scroll\" role=\"region\" aria-label=\"Workloads\" tabindex=\"0\"><table>\n\
         <caption>Replicas are the answer to KEDA; the peak is what the load will most likely stay below while pods \
         start.</caption>\n<thead><tr><th scope=\"col\">workload</th><th scope=\"col\" class=\"words\">state</th>\
         <th scope=\"col\">replicas</th><th scope=\"col\" class=\"roomy\">load</th>\
         <th scope=\"col\" class=\"roomy\">peak to come</th><th scope=\"col\" class=\"words\">why</th></tr></thead>\n\
         <tbody>\n"
    )?;
    for (known, state) in shown {
        row(out, known, state, now, exposes)?;
    }
    out.push_str("</tbody></table></div>\n");
    pages(out, page, rows.len(), &wanted)?;
    out.push_str(FOOT);
    Ok(())
}

fn row(out: &mut String, known: &Known, state: &Condition, now: Time, exposes: bool) -> std::fmt::Result {
    let id = &known.id;
    let several =
        if id.metric() == "forescale" { String::new() } else { format!(" ({})", escaped(id.metric())) };
    let decision = known.standing.decision();
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let (class, word) = (class(state), state.title());
    let why = match (state.severity(), decision) {
        (Severity::Good, Some(decision)) => Some(why(decision, known, now)),
        (_, Some(_)) => Some(state.to_string()),
        (_, None) => known.standing.trouble(exposes),
    };
    writeln!(
        out,
        "<tr><th scope=\"row\"><a href=\"{}\">{}/{}</a>{several}</th><td class=\"words\"><span class=\"mark {class}\">\
         {word}</span></td><td>{}</td><td class=\"roomy\">{}</td><td class=\"roomy\">{}</td>\
         <td class=\"words\">{}</td></tr>",
        escaped(&format!(
            "workloads/{}/{}?metric={}",
            encoded(id.namespace()),
            encoded(id.name()),
            encoded(id.metric())
        )),
        escaped(id.namespace()),
        escaped(id.name()),
        decision.map_or_else(|| "-".to_owned(), |d| d.replicas.to_string()),
        cell(decision.and_then(|d| d.load)),
        cell(decision.and_then(|d| d.forecast.as_ref()).map(|f| f.load)),
        escaped(&why.unwrap_or_default()),
    )
}

/// The reason of an answer; where people said it, until when they did.
fn why(decision: &Decision, known: &Known, now: Time) -> String {
    let is_said = match decision.reason {
        Reason::Need(by) => {
            matches!(by, Contributor::Schedule | Contributor::Override | Contributor::Minimum)
        }
        Reason::Ceiling | Reason::CommandedZero | Reason::Idle => true,
        Reason::MaxReplicas => false,
    };
    let coming = known.policy.as_ref().filter(|_| is_said).and_then(|policy| coming(policy, now));
    match coming {
        Some(coming) => format!("{}; {coming}", decision.reason),
        None => decision.reason.to_string(),
    }
}

fn pages(out: &mut String, page: usize, rows: usize, wanted: &str) -> std::fmt::Result {
    if rows <= ROWS {
        return Ok(());
    }
    let last = (rows - 1) / ROWS;
    let to = |page: usize| format!("./?q={}&amp;page={page}", escaped(&encoded(wanted)));
    write!(out, "<nav aria-label=\"Pages\"><p>Page {} of {}", page + 1, last + 1)?;
    if page > 0 {
        write!(out, " <a href=\"{}\">previous</a>", to(page - 1))?;
    }
    if page < last {
        write!(out, " <a href=\"{}\">next</a>", to(page + 1))?;
    }
    out.push_str("</p></nav>\n");
    Ok(())
}

/// The class of a mark in the style.
fn class(condition: &Condition) -> &'static str {
    match condition.severity() {
        Severity::Bad => "bad",
        Severity::Warning => "warn",
        Severity::Good => "good",
    }
}

/// A text as a part of a URL.
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
