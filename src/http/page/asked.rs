//! A picture of the reasons: who asked for how many replicas, what was answered, what ran, and the limits.
//!
//! The past is decided again from history, so the picture is complete even on a server that has just started. It ends
//! with the newest decision. What this server itself answered is shown in the picture of the replicas.

use std::fmt::Write;

use super::super::overview::{Past, Story};
use super::figures::x;
use crate::decide::{Contributor, Decision, Moment, wall_clock};
use crate::draw::{Figure, Plane, escaped, number, stairs, thinned, time_marks};
use crate::units::{Replicas, Span, Time};

/// The CSS class of each contributor's line, in drawing order.
const LINES: [(Contributor, &str); 10] = [
    (Contributor::Minimum, "floor"),
    (Contributor::Schedule, "schedule"),
    (Contributor::Reactive, "reactive"),
    (Contributor::Forecast, "predictive"),
    (Contributor::Plan, "actual"),
    (Contributor::Outage, "other"),
    (Contributor::Refilling, "other"),
    (Contributor::ClockSkew, "other"),
    (Contributor::Spare, "spare"),
    (Contributor::Override, "override"),
];

/// The moments of the past, and last the decision that the page shows: the grid of the moments is coarse, and what ends
/// minutes or hours before the decision would contradict it.
pub(super) fn moments(past: &Past, newest: Option<&Decision>) -> Vec<Moment> {
    let Past::Told(told) = past else { return Vec::new() };
    let before = told.iter().filter(|moment| newest.is_none_or(|newest| moment.at < newest.at));
    before.cloned().chain(newest.map(Moment::of)).collect()
}

/// Appends that there is no picture yet.
pub(super) fn busy(out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "<p class=\"notice calm wide\">The past of another page is being computed. Reload this page to see who asked for \
         how many replicas.</p>"
    )
}

/// Appends the picture and its legend, or why there is none.
pub(super) fn write(
    out: &mut String,
    story: &Story,
    moments: &[Moment],
    span: Span,
    now: Time,
) -> std::fmt::Result {
    if moments.iter().all(|moment| moment.answer.is_none()) {
        return writeln!(
            out,
            "<p class=\"notice calm wide\">Who asked for how many replicas is not known: no history of these hours was \
             read.</p>"
        );
    }
    let asked = asked(moments);
    figure(story, moments, &asked, span, now).write(out)?;
    out.push_str("<details class=\"wide\"><summary>What the lines mean</summary><dl>\n");
    for (contributor, _) in &asked {
        writeln!(out, "<dt>{}</dt><dd>{}</dd>", contributor.title(), escaped(contributor.meaning()))?;
    }
    out.push_str(
        "<dt>answer</dt><dd>The largest number that counts, within floors and ceilings: the answer to KEDA.</dd>\n\
         <dt>ran</dt><dd>What replicasQuery measured. It follows the answer as the HPA and the nodes allow.</dd>\n\
         </dl></details>\n",
    );
    Ok(())
}

/// The contributors that asked for anything, with the CSS class of their lines.
fn asked(moments: &[Moment]) -> Vec<(Contributor, &'static str)> {
    let asks = |contributor: Contributor| {
        moments.iter().flat_map(|moment| &moment.needs).any(|need| need.contributor == contributor)
    };
    LINES.into_iter().filter(|(contributor, _)| asks(*contributor)).collect()
}

fn figure(
    story: &Story,
    moments: &[Moment],
    asked: &[(Contributor, &'static str)],
    span: Span,
    now: Time,
) -> Figure {
    let zone = story.policy.schedule.zone();
    let (range, every) = ((x(now - span), x(now)), Moment::distance(span));
    let ran = ran(story, range);
    let limit = f64::from(story.policy.limits.max.get());
    let needs = moments.iter().flat_map(|moment| &moment.needs).map(|need| count(need.replicas));
    let answers = moments.iter().filter_map(|moment| moment.answer).map(|(replicas, _)| count(replicas));
    let most = needs.chain(answers).chain(ran.iter().map(|p| p.1)).fold(3.0, f64::max);
    let is_near = limit <= most * 2.0;
    let top = if is_near { most.max(limit) } else { most } * 1.1;
    let mut plane = Plane::new(true, range, (-0.03 * top, top));
    plane.scale_y("");
    plane.scale_x(&time_marks(zone, range));
    let mut keys = vec![("demand", "answer".to_owned())];
    let stretches = stretches(moments, every, range);
    for run in runs(&stretches, |moment| moment.answer.map(|(replicas, _)| replicas)) {
        let floor: Vec<(f64, f64)> = run.iter().map(|p| (p.0, 0.0)).collect();
        plane.area("demand", &floor, &run);
    }
    for &(contributor, class) in asked {
        let of = |moment: &Moment| {
            moment.needs.iter().find(|need| need.contributor == contributor).map(|need| need.replicas)
        };
        runs(&stretches, of).iter().for_each(|run| plane.line(class, run));
        keys.push((class, contributor.title().to_owned()));
    }
    if is_near {
        plane.line("ceiling", &[(range.0, limit), (range.1, limit)]);
        keys.push(("ceiling", "maxReplicas".to_owned()));
    }
    if !ran.is_empty() {
        plane.line("load", &ran);
        keys.push(("load", "ran".to_owned()));
    }
    for (moment, (from, to)) in &stretches {
        plane.column(*from, *to, &tip(story, moment, now));
    }
    let title = format!("Who asked for how many replicas, last {span}");
    let caption = format!(
        "Every {every}, decided again from the history in memory, as forescale explain --at does; last, the newest \
         decision. Point at a place to read who asked for how many.{}",
        if ran.is_empty() { " What ran is drawn where the policy has a replicasQuery." } else { "" }
    );
    Figure { svg: plane.svg(&format!("{title}. {caption}")), title, caption, keys, is_wide: true }
}

fn count(replicas: Replicas) -> f64 {
    f64::from(replicas.get())
}

/// Each moment with the part of the axis on which it holds: until the next one, and no longer than the distance between
/// two of them.
fn stretches<'a>(moments: &'a [Moment], every: Span, range: (f64, f64)) -> Vec<(&'a Moment, (f64, f64))> {
    let ends = moments.iter().skip(1).map(|next| x(next.at)).chain([range.1]);
    let held = |(moment, end): (&'a Moment, f64)| {
        let until = end.min(x(moment.at + every));
        (until > range.0).then_some((moment, (x(moment.at).max(range.0), until)))
    };
    moments.iter().zip(ends).filter_map(held).collect()
}

/// One step line for each run of moments with values.
fn runs(
    stretches: &[(&Moment, (f64, f64))],
    of: impl Fn(&Moment) -> Option<Replicas>,
) -> Vec<Vec<(f64, f64)>> {
    let pieces = stretches.chunk_by(|a, b| of(a.0).is_some() == of(b.0).is_some());
    pieces
        .filter_map(|piece| {
            let values = piece.iter().filter_map(|(moment, (from, _))| Some((*from, count(of(moment)?))));
            let mut points: Vec<(f64, f64)> = values.collect();
            let (end, last) = (piece.last()?.1.1, *points.last()?);
            points.push((end, last.1));
            Some(stairs(&points))
        })
        .collect()
}

fn ran(story: &Story, range: (f64, f64)) -> Vec<(f64, f64)> {
    let Some(series) = &story.running else { return Vec::new() };
    let points = (0..series.len()).filter_map(|i| Some((x(series.time(i)), series.get(i)?)));
    stairs(&thinned(points.filter(|p| p.0 >= range.0 && p.0 <= range.1).collect()))
}

/// What was asked for at a moment, in words.
fn tip(story: &Story, moment: &Moment, now: Time) -> String {
    let mut tip = wall_clock(story.policy.schedule.zone(), moment.at, now);
    match moment.answer {
        Some((replicas, reason)) => {
            let _ = write!(tip, ": {} because {reason}", replicas.in_words());
        }
        None => tip.push_str(": no answer"),
    }
    for need in &moment.needs {
        let aside = if need.counts { "" } else { " (does not count)" };
        let _ = write!(tip, "\n{} {}{aside}", need.contributor.title(), need.replicas);
    }
    let held = |series: &crate::history::Series| series.get(series.slot_before(moment.at)?);
    if let Some(ran) = story.running.as_deref().and_then(held) {
        let _ = write!(tip, "\nran {}", number(ran));
    }
    tip
}
