//! The report: one sentence, a scatter plot of the observations, the fit, and the bound.
//!
//! It is a single self-contained file without JavaScript, and shows only what the verdict is based on.

use std::fmt::Write;

use super::{CapacityArgs, Seen, words};
use crate::capacity::{Column, Findings, Limit, Question};
use crate::draw::{Figure, Plane, STYLE, escaped, number};

/// More dots than this cannot be told apart.
const MOST_DOTS: usize = 600;

/// The page.
pub(super) fn page(args: &CapacityArgs, seen: &Seen, question: &Question, findings: &Findings) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut out, args, seen, question, findings);
    out
}

fn write_page(
    out: &mut String,
    args: &CapacityArgs,
    seen: &Seen,
    question: &Question,
    findings: &Findings,
) -> std::fmt::Result {
    let name = match (&args.csv, args.workload.as_str()) {
        (Some(path), _) => {
            path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
        }
        (None, "") => args.query.clone().unwrap_or_default(),
        (None, workload) => format!("{}/{workload}", args.namespace),
    };
    let name = escaped(&name);
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{name} - what one replica carries</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{name}</h1>\n<p><b>{}</b></p>\n</header>\n",
        escaped(&words::sentence(findings))
    )?;
    writeln!(out, "<section class=\"plain\"><p>{}.</p>", escaped(&words::why(question, findings)))?;
    if let Some(would) = words::would_tell(findings) {
        writeln!(out, "<p>What would tell: {}.</p>", escaped(&would))?;
    }
    out.push_str("</section>\n<section class=\"charts\">\n");
    for figure in figures(seen, question, findings) {
        figure.write(out)?;
    }
    out.push_str("</section>\n<section class=\"plain\"><ul class=\"caveats\">\n");
    for line in words::rest(seen, question, findings) {
        writeln!(out, "<li>{}</li>", escaped(&line))?;
    }
    out.push_str("</ul></section>\n</main>\n</body>\n</html>\n");
    Ok(())
}

fn figures(seen: &Seen, question: &Question, findings: &Findings) -> Vec<Figure> {
    let mut figures = Vec::new();
    if seen.evidence.has(Column::Cpu) {
        let points = scatter(seen, |row| {
            Some(seen.evidence.get(row, Column::Cpu)? / seen.evidence.get(row, Column::Replicas)?)
        });
        let budget = question.request.map(|request| request * question.utilization);
        let fit = findings.answers.cpu.and_then(Result::ok);
        let line = fit.map(|fit| move |load: f64| fit.base + fit.slope * load);
        figures.extend(figure("CPU of a replica, cores", &points, budget, line, findings));
    }
    if seen.evidence.has(Column::Latency) {
        let points = scatter(seen, |row| seen.evidence.get(row, Column::Latency));
        let limit = match findings.objective {
            Some(Limit::Latency(seconds)) => Some(seconds),
            _ => None,
        };
        let quantity = seen.latency.map_or("", |quantity| quantity.name());
        let title = format!("Latency, {quantity}, seconds").replace(", ,", ",");
        figures.extend(figure(&title, &points, limit, None::<fn(f64) -> f64>, findings));
    }
    figures
}

/// A quantity against the load per replica, evenly thinned.
fn scatter(seen: &Seen, value: impl Fn(usize) -> Option<f64>) -> Vec<(f64, f64)> {
    let point = |row: usize| {
        let replicas = seen.evidence.get(row, Column::Replicas).filter(|count| *count >= 0.5)?;
        Some((seen.evidence.get(row, Column::Load)? / replicas, value(row)?))
    };
    let points: Vec<(f64, f64)> = (0..seen.evidence.len()).filter_map(point).collect();
    let every = points.len().div_ceil(MOST_DOTS).max(1);
    points.into_iter().step_by(every).collect()
}

fn figure(
    title: &str,
    points: &[(f64, f64)],
    limit: Option<f64>,
    line: Option<impl Fn(f64) -> f64>,
    findings: &Findings,
) -> Option<Figure> {
    if points.is_empty() {
        return None;
    }
    let known = findings.verdict.known();
    let answer = known.map_or(0.0, |known| known.carried.high.min(2.0 * known.carried.value));
    let most = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).fold(0.0, f64::max);
    let (right, mut top) = (most(&|p| p.0).max(answer) * 1.05, most(&|p| p.1));
    if let Some(limit) = limit {
        // One outlier would squeeze everything else to the bottom.
        top = top.min(4.0 * limit).max(1.2 * limit);
    }
    let mut plane = Plane::new(true, (0.0, right), (0.0, top));
    plane.scale_y("");
    let marks: Vec<(f64, String)> =
        (0..=5).map(|i| right * f64::from(i) / 5.0).map(|at| (at, number(at))).collect();
    plane.scale_x(&marks);
    for point in points.iter().filter(|point| point.1 <= top) {
        plane.dot("", *point, &format!("{} at {}", words::short(point.1), words::short(point.0)));
    }
    let mut keys = vec![("", "observed".to_owned())];
    if let Some(line) = line {
        plane.line("predictive", &[(0.0, line(0.0)), (right, line(right))]);
        keys.push(("predictive", "fit".to_owned()));
    }
    if let Some(limit) = limit {
        plane.mark(limit);
    }
    if let Some(known) = known {
        plane.upright(known.carried.value, &format!("{} a replica", words::short(known.carried.value)));
    }
    Some(Figure {
        title: title.to_owned(),
        caption: "Against the load of a replica. Dashed across: what is allowed; dashed upright: the answer."
            .to_owned(),
        keys,
        is_wide: true,
        svg: plane.svg(title),
    })
}
