//! The charts over time, and the frontier.

use super::super::entry::Entry;
use super::super::workload::Workload;
use crate::draw::{self, COLUMNS, Figure, Plane, moment, number, thinned};
use crate::simulate::{MATCHED_TAU_U, Step, scored_every};
use crate::units::{Quantile, Time};

/// Strategies drawn over time, in addition to the demand.
const DRAWN: [&str; 4] = ["reactive", "oracle", "actual", "predictive"];
/// The frontier is drawn up to this percentage of time short, and up to this cost.
const FRONTIER: (f64, f64) = (5.0, 3.0);

/// All charts, in the order of the page.
pub(super) fn all(workload: &Workload, entries: &[&Entry]) -> Vec<Figure> {
    let mut figures = Vec::new();
    figures.extend(load(entries));
    figures.extend(replicas(entries));
    figures.extend(frontier(entries));
    figures.extend(worst_hour(workload, entries));
    figures
}

fn load(entries: &[&Entry]) -> Option<Figure> {
    let steps = &entries.first()?.run.steps;
    let views = entries.iter().map(|e| &e.views).find(|views| !views.is_empty());
    let line = thinned(steps.iter().map(|s| (x(s.timestamp), s.load)).collect());
    // Indices of the median and of 0.95 among the published quantiles.
    let place = |q: f64| Quantile::PUBLISHED.iter().position(|p| p.get() == q).unwrap_or(0);
    let quantile = |q: f64| -> Vec<(f64, f64)> {
        let place = place(q);
        let all = views.into_iter().flatten().map(|(at, view)| (x(*at), view.published[place])).collect();
        thinned(all)
    };
    let (low, high) = (quantile(0.5), quantile(0.95));
    let first = line.first()?.0;
    let inside = |points: Vec<(f64, f64)>| points.into_iter().filter(|p| p.0 >= first).collect::<Vec<_>>();
    let (low, high) = (inside(low), inside(high));
    let most = line.iter().map(|p| p.1).fold(0.0, f64::max);
    let band = high.iter().map(|p| p.1).fold(0.0, f64::max);
    let mut plane = Plane::new(true, range(steps)?, (0.0, most.max(band.min(1.5 * most)) * 1.03));
    plane.scale_y("");
    plane.scale_x(&days(steps));
    let mut keys = vec![("load", "load".to_owned())];
    if !high.is_empty() {
        plane.area("band", &low, &high);
        keys.push(("band", "forecast of the peak while pods start: likely to nearly certain".to_owned()));
    }
    plane.line("load", &line);
    columns(&mut plane, steps, |part| {
        let most = part.iter().map(|s| s.load).fold(0.0, f64::max);
        let from = part.first().map_or_else(String::new, |first| moment(first.timestamp));
        format!("from {from}\nload up to {}", number(most))
    });
    let title = "Load and what was expected".to_owned();
    Some(Figure {
        svg: plane.svg(&title),
        title,
        caption: "The band was drawn before the load was known: from the median to the 0.95 quantile."
            .to_owned(),
        keys,
        is_wide: true,
    })
}

fn replicas(entries: &[&Entry]) -> Option<Figure> {
    let steps = &entries.first()?.run.steps;
    let drawn: Vec<&&Entry> =
        DRAWN.iter().filter_map(|name| entries.iter().find(|entry| entry.name == *name)).collect();
    over_time("Replicas ready against replicas needed", steps, &drawn, true).map(|figure| Figure {
        caption: "Where a line dips into the grey, pods were missing; what lies above it is spare. Lines show the most \
                  of each interval. Hover for values at each interval's peak."
            .to_owned(),
        ..figure
    })
}

/// The hour in which the predictive strategy, or else the first one, was short most.
fn worst_hour(workload: &Workload, entries: &[&Entry]) -> Option<Figure> {
    let judged = entries.iter().find(|e| e.name == "predictive").or_else(|| entries.first())?;
    let steps = &judged.run.steps;
    let step = scored_every(workload.load.step()).as_seconds();
    let wide = usize::try_from((3_600 / step).max(12)).unwrap_or(60).min(steps.len());
    let missing = |s: &Step| f64::from(s.demand.saturating_sub(s.ready));
    let mut sum: f64 = steps.iter().take(wide).map(missing).sum();
    let mut worst = (sum, 0);
    for i in wide..steps.len() {
        sum += missing(&steps[i]) - missing(&steps[i - wide]);
        if sum > worst.0 + 1e-9 {
            worst = (sum, i + 1 - wide);
        }
    }
    if worst.0 <= 0.0 {
        // If nothing was short, show the busiest hour.
        let busiest = (0..steps.len()).max_by_key(|&i| steps[i].demand)?;
        worst.1 = busiest.saturating_sub(wide / 2).min(steps.len() - wide);
    }
    let hour = steps.get(worst.1..worst.1 + wide)?;
    let deepest = hour.iter().rev().max_by(|a, b| missing(a).total_cmp(&missing(b)))?;
    let from = worst.1.saturating_sub(wide / 4);
    let until = (worst.1 + wide + wide / 4).min(steps.len());
    let cut = |entry: &&Entry| Entry {
        run: crate::simulate::Run {
            steps: entry.run.steps.get(from..until).unwrap_or_default().to_vec(),
            ..crate::simulate::Run::default()
        },
        ..Entry::clone(entry)
    };
    let parts: Vec<Entry> =
        DRAWN.iter().filter_map(|name| entries.iter().find(|e| e.name == *name)).map(cut).collect();
    let refs: Vec<&Entry> = parts.iter().collect();
    let refs: Vec<&&Entry> = refs.iter().collect();
    let title = if worst.0 > 0.0 { "The worst hour" } else { "The busiest hour" };
    let caption = match worst.0 {
        m if m > 0.0 => format!(
            "{} replica-minutes of {} were missing, most of them at {}.",
            number(m * step as f64 / 60.0),
            judged.name,
            moment(deepest.timestamp)
        ),
        _ => format!("{}: nothing was missing in {}.", moment(steps.get(worst.1)?.timestamp), judged.name),
    };
    over_time(title, steps.get(from..until)?, &refs, false).map(|figure| Figure { caption, ..figure })
}

fn over_time(title: &str, steps: &[Step], drawn: &[&&Entry], is_wide: bool) -> Option<Figure> {
    let demand = stairs(steps, |s| s.demand);
    let mut most = demand.iter().map(|p| p.1).fold(1.0, f64::max);
    let mut lines = Vec::new();
    for entry in drawn {
        let line = stairs(&entry.run.steps, |s| s.ready);
        most = line.iter().map(|p| p.1).fold(most, f64::max);
        lines.push((entry.name, line));
    }
    let mut plane = Plane::new(is_wide, range(steps)?, (0.0, most * 1.05));
    plane.scale_y("");
    plane.scale_x(&days(steps));
    let floor: Vec<(f64, f64)> = demand.iter().map(|p| (p.0, 0.0)).collect();
    plane.area("demand", &floor, &demand);
    let mut keys = vec![("demand", "needed".to_owned())];
    for (name, line) in &lines {
        plane.line(name, line);
        keys.push((*name, (*name).to_owned()));
    }
    columns(&mut plane, steps, |part| {
        // The first instant of the highest demand: all numbers are from it.
        let Some(high) = part.iter().rev().max_by_key(|s| s.demand) else { return String::new() };
        let mut tip = format!("{}: needed {}", moment(high.timestamp), high.demand);
        let place = steps.partition_point(|s| s.timestamp < high.timestamp);
        for entry in drawn {
            let ready = entry.run.steps.get(place).map_or(0, |s| s.ready);
            tip.push_str(&format!("\n{} {ready} ready", entry.name));
        }
        tip
    });
    Some(Figure { svg: plane.svg(title), title: title.to_owned(), caption: String::new(), keys, is_wide })
}

fn frontier(entries: &[&Entry]) -> Option<Figure> {
    let swept: Vec<&&Entry> = entries.iter().filter(|e| e.frontier.points.len() > 1).collect();
    let flat = |entry: &Entry| -> Vec<(f64, f64)> {
        let points = entry.frontier.points.iter();
        points.filter_map(|p| p.scorecard.rh_ratio.map(|ratio| (ratio, p.scorecard.tau_u))).collect()
    };
    let all: Vec<(f64, f64)> = swept.iter().flat_map(|e| flat(e)).filter(|p| p.1 <= FRONTIER.0).collect();
    let low = all.iter().map(|p| p.0).fold(f64::MAX, f64::min);
    if all.is_empty() {
        return None;
    }
    let mut plane =
        Plane::new(false, ((low * 20.0).floor() / 20.0, FRONTIER.1.min(low * 1.9)), (0.0, FRONTIER.0));
    plane.scale_y(" %");
    let right = FRONTIER.1.min(low * 1.9);
    let marks = (0..5).map(|i| low + f64::from(i) * (right - low) / 4.0).map(|v| (v, format!("{v:.2}x")));
    plane.scale_x(&marks.collect::<Vec<_>>());
    plane.mark(MATCHED_TAU_U);
    let mut keys = Vec::new();
    let mut ordered = swept.clone();
    ordered.sort_by_key(|e| DRAWN.iter().position(|name| *name == e.name).map_or(0, |i| i + 1));
    for entry in ordered {
        let is_own = DRAWN.contains(&entry.name);
        let class = if is_own { entry.name } else { "other" };
        let points: Vec<(f64, f64)> =
            flat(entry).into_iter().filter(|p| p.1 <= FRONTIER.0 * 1.2 && p.0 <= right).collect();
        plane.line(class, &points);
        for point in points.iter().filter(|p| p.1 <= FRONTIER.0) {
            let tip = format!("{}: short {} %\n{} x demand", entry.name, number(point.1), number(point.0));
            plane.dot(class, *point, &tip);
        }
        if is_own {
            keys.push((class, entry.name.to_owned()));
        } else if !keys.iter().any(|k| k.0 == "other") {
            keys.push(("other", "other simple rules".to_owned()));
        }
    }
    let title = "Safety against cost".to_owned();
    Some(Figure {
        svg: plane.svg(&title),
        title,
        caption:
            "Up: time short. Right: replica-hours relative to the fewest possible. Lower left is better."
                .to_owned(),
        keys,
        is_wide: false,
    })
}

fn columns(plane: &mut Plane, steps: &[Step], tip: impl Fn(&[Step]) -> String) {
    let wide = steps.len().div_ceil(COLUMNS).max(1);
    for (i, part) in steps.chunks(wide).enumerate() {
        let Some(first) = part.first() else { continue };
        let next = steps.get((i + 1) * wide).or_else(|| steps.last());
        let Some(next) = next else { continue };
        plane.column(x(first.timestamp), x(next.timestamp), &tip(part));
    }
}

/// A step line, thinned to the largest value of each interval.
fn stairs(steps: &[Step], value: impl Fn(&Step) -> u32) -> Vec<(f64, f64)> {
    draw::stairs(&thinned(steps.iter().map(|s| (x(s.timestamp), f64::from(value(s)))).collect()))
}

fn x(at: Time) -> f64 {
    at.epoch() as f64
}

fn range(steps: &[Step]) -> Option<(f64, f64)> {
    Some((x(steps.first()?.timestamp), x(steps.last()?.timestamp)))
}

/// At most seven marks at round instants.
fn days(steps: &[Step]) -> Vec<(f64, String)> {
    range(steps).map_or_else(Vec::new, |range| draw::time_marks(chrono_tz::Tz::UTC, range))
}
