//! `fleet.html`: the whole fleet on one page: totals first, then a row with a small picture for each workload.
//!
//! It is a single file with its style; it makes no request from the reader's machine. All content is there without
//! JavaScript, which only filters and sorts.

use std::fmt::Write;

use super::report::{self, Totals};
use super::row::Kept;
use crate::draw::{STYLE, escaped, number, scroller};
use crate::simulate::Verdict;
use crate::units::counted;

const SCRIPT: &str = include_str!("page/table.js");
const OWN_STYLE: &str = include_str!("page/table.css");

/// The page of a sorted fleet.
pub(super) fn page(all: &[Kept], until: &str) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut out, all, until);
    out
}

fn write_page(out: &mut String, all: &[Kept], until: &str) -> std::fmt::Result {
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Fleet assessment - Forescale</title>\n\
         <style>\n{STYLE}{OWN_STYLE}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>Fleet assessment</h1>\n\
         <p>{}, from their history until <b>{}</b>. Strategies are compared at equal risk.</p>\n</header>\n",
        counted(all.len(), "workload"),
        escaped(until),
    )?;
    let totals = report::totals(all);
    tiles(out, &totals)?;
    legend(out, &totals)?;
    table(out, all)?;
    write!(out, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n")
}

fn tiles(out: &mut String, totals: &Totals) -> std::fmt::Result {
    out.push_str("<section class=\"tiles\" aria-label=\"Totals\">\n");
    let mut tile = |title: &str, value: String, note: String| {
        writeln!(
            out,
            "<div class=\"tile\"><span>{title}</span><strong>{value}</strong><small>{note}</small></div>"
        )
    };
    let share = totals.saving_percent.map_or_else(|| "-".to_owned(), |share| format!("{} %", number(share)));
    tile("saving, where what ran is known", share, "at equal or better safety".to_owned())?;
    tile(
        "replica-hours a month",
        number(totals.replica_hours_a_month - totals.saved_hours_a_month),
        format!("now {}", number(totals.replica_hours_a_month)),
    )?;
    if let Some(money) = totals.saved_money_a_month {
        tile("money saved a month", number(money), "at the price given".to_owned())?;
    }
    tile(
        "hours short of replicas a month",
        number(totals.short_hours_a_month_then),
        format!("now {}, summed over workloads", number(totals.short_hours_a_month)),
    )?;
    out.push_str("</section>\n");
    Ok(())
}

/// The meaning of each verdict; its button shows only those workloads.
fn legend(out: &mut String, totals: &Totals) -> std::fmt::Result {
    out.push_str("<section class=\"plain verdicts\"><h2>Verdicts</h2>\n<dl>\n");
    for verdict in Verdict::ALL {
        let name = verdict.as_str();
        let count = totals.verdicts.get(name).copied().unwrap_or(0);
        writeln!(out, "<div><dt>{count} <code>{name}</code></dt><dd>{}</dd></div>", meaning(verdict))?;
    }
    out.push_str("</dl></section>\n");
    Ok(())
}

fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Predictive => {
            "A forecast needs fewer replicas at the same risk, or is the only safe way. Commit its manifest."
        }
        Verdict::Schedule => "Fixed busy hours. A schedule is enough; the manifest contains it.",
        Verdict::Reactive => "A trigger on the load now is enough. Leave it as it is.",
        Verdict::OverProvisioned => {
            "Far more replicas run than the load needs. Lower the limit that the reason names."
        }
        Verdict::AtRisk => {
            "Short of replicas today, whatever scales it. Look at pod start time and maxReplicas."
        }
        Verdict::CannotTell => "Something is missing; the reason names it.",
    }
}

/// The columns with numbers.
const FIGURES: [&str; 6] = [
    "saving, %",
    "replica-hours saved a month",
    "short now, % of time",
    "short then, %",
    "threshold",
    "a replica carries",
];

fn table(out: &mut String, all: &[Kept]) -> std::fmt::Result {
    out.push_str(
        "<p class=\"filter\" hidden><label for=\"filter\">Filter</label> <input id=\"filter\" type=\"search\" \
         placeholder=\"namespace, name or verdict\"> <span id=\"shown\" role=\"status\"></span></p>\n",
    );
    out.push_str(&scroller("Workloads"));
    out.push_str(
        "<table id=\"fleet\"><thead><tr><th scope=\"col\">workload</th>\
         <th scope=\"col\">last week</th><th scope=\"col\">verdict</th>",
    );
    for name in FIGURES {
        write!(out, "<th scope=\"col\" data-number>{name}</th>")?;
    }
    out.push_str("<th scope=\"col\">why</th></tr></thead>\n<tbody>\n");
    for kept in all {
        let row = &kept.row;
        let then = kept.short_then();
        let link = |place: &Option<String>, words: &str| {
            let link = |place: &String| format!("<br><a href=\"{}\">{words}</a>", escaped(place));
            place.as_ref().map_or_else(String::new, link)
        };
        let name = format!("{}/{}", escaped(&row.namespace), escaped(&row.name));
        let report = link(&kept.report, &format!("report of {name}"));
        let manifest = link(&row.manifest, &format!("manifest of {name}"));
        writeln!(
            out,
            "<tr><th scope=\"row\">{}/<wbr>{}</th><td class=\"text\">{}</td>\
             <td class=\"text\"><code>{}</code></td>",
            escaped(&row.namespace),
            escaped(&row.name),
            sparkline(&kept.sparkline),
            row.verdict,
        )?;
        let figures = [
            row.saving_percent,
            kept.saved_a_month(),
            row.short_percent.ran,
            then,
            row.threshold.used,
            row.capacity,
        ];
        for (name, value) in FIGURES.iter().zip(figures) {
            let value = value.map_or_else(|| "-".to_owned(), number);
            write!(out, "<td data-of=\"{name}\">{value}</td>")?;
        }
        writeln!(out, "<td class=\"why\">{}{report}{manifest}</td></tr>", escaped(&row.reason))?;
    }
    out.push_str("</tbody></table></div>\n");
    Ok(())
}

/// The load of the last week as a small picture.
fn sparkline(values: &[f32]) -> String {
    const SIZE: (f32, f32) = (120.0, 28.0);
    let top = values.iter().copied().fold(0.0_f32, f32::max);
    if top <= 0.0 {
        return String::new();
    }
    let across = SIZE.0 / (values.len().saturating_sub(1).max(1)) as f32;
    let points: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(i, value)| {
            format!("{:.1},{:.1}", i as f32 * across, SIZE.1 - 1.0 - (SIZE.1 - 2.0) * value / top)
        })
        .collect();
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"load of the last week\">\
         <polyline class=\"line load\" points=\"{}\"/></svg>",
        SIZE.0,
        SIZE.1,
        points.join(" ")
    )
}
